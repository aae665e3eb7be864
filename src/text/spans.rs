//! What texts have in common, word for word: the longest run of words that one shares with another.

use std::{collections::HashMap, ops::Range};

use rayon::prelude::*;

/// The longest run of words that a text shares with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How many words.
    pub words: usize,
    /// The word of the text that it begins with.
    pub start: usize,
    /// Index of a text that has it too.
    pub other: usize,
}

/// For each of `texts` the longest run of words that one of `others` has, too; `None` where they share no word.
///
/// Words are what stands between white space, letter for letter.
///
/// # Cost
///
/// `O(N log² L)` for `N` words in all and `L` in the longest text: suffixes are sorted by doubling (Larsson & Sadakane 2007),
/// and what neighbors have in common is that of Kasai et al. 2001. Many texts are taken a part at a time, each with all of
/// the others: 40 bytes a word of these and of the largest part are held at once.
///
/// # Example
///
/// ```
/// use llmpr::text::spans::{Span, shared_with};
/// let found = shared_with(&["she was born in Oslo", "a"], &["he was born in Rome", "it was"]);
/// assert_eq!(found, [Some(Span { words: 3, start: 1, other: 0 }), None]);
/// ```
pub fn shared_with(texts: &[&str], others: &[&str]) -> Vec<Option<Span>> {
    // Of others that are many, a part is four times as many.
    let least = 4 * others.iter().map(|text| text.len()).sum::<usize>();
    shared_in_parts(texts, others, least.max(PART))
}

/// Bytes of texts that are held against others at a time.
const PART: usize = 1 << 22;

/// [`shared_with`] of about `part` bytes of texts at a time.
///
/// Words and ends have the numbers that they have among all texts, and suffixes the order. So where several spans are the
/// longest the same one is found, whatever the parts are.
fn shared_in_parts(texts: &[&str], others: &[&str], part: usize) -> Vec<Option<Span>> {
    let numbers = Numbers::of(&[texts, others].concat());
    let mut found = Vec::with_capacity(texts.len());
    while found.len() < texts.len() {
        let (from, mut size) = (found.len(), 0);
        let fits = |text: &&&str| {
            size += text.len();
            size <= part
        };
        let count = texts[from..].iter().take_while(fits).count().max(1);
        let own = (from..from + count).chain(texts.len()..texts.len() + others.len());
        let all: Vec<(usize, &str)> = own
            .map(|at| (at, if at < texts.len() { texts[at] } else { others[at - texts.len()] }))
            .collect();
        // Two kinds: a text is held against those of the other kind.
        let kind = |text: usize| usize::from(text >= count);
        let spans = longest(&all, &numbers, kind).into_iter().take(count);
        let local = |span: Span| Span { other: span.other - count, ..span };
        found.extend(spans.map(|span| span.map(local)));
    }
    found
}

/// For each of `texts` the longest run of words that another of them has, too. Cost as that of [`shared_with`].
///
/// # Example
///
/// ```
/// use llmpr::text::spans::{Span, shared_among};
/// let found = shared_among(&["a b c d", "x b c", "a b a b"]);
/// assert_eq!(found[1], Some(Span { words: 2, start: 1, other: 0 }));
/// ```
pub fn shared_among(texts: &[&str]) -> Vec<Option<Span>> {
    let all: Vec<(usize, &str)> = texts.iter().copied().enumerate().collect();
    longest(&all, &Numbers::of(texts), |text| text)
}

/// The word at a place of all words, one behind another.
#[derive(Clone, Copy)]
struct Place {
    text: u32,
    word: u32,
}

/// A text that lately came by in the order of suffixes, and what its suffix shares with the present one.
#[derive(Clone, Copy)]
struct Late {
    kind: usize,
    text: usize,
    words: usize,
}

/// Of texts, each with the number of its end.
fn longest(
    texts: &[(usize, &str)],
    numbers: &Numbers<'_>,
    kind: impl Fn(usize) -> usize,
) -> Vec<Option<Span>> {
    let (words, places) = numbers.words(texts);
    let order = suffixes(&words);
    let shared = shared_with_previous(&words, &order);
    let mut found: Vec<Option<Span>> = vec![None; texts.len()];
    let mut walk = |steps: &mut dyn Iterator<Item = (usize, usize)>| {
        // The last suffix of each of the two kinds that came last.
        let mut late: [Option<Late>; 2] = [None, None];
        for (at, words) in steps {
            late.iter_mut().flatten().for_each(|of| of.words = of.words.min(words));
            let [text, word] = [places[at].text, places[at].word].map(|of| of as usize);
            let kind = kind(text);
            let other = late.iter().flatten().find(|of| of.kind != kind);
            if let Some(&Late { text: other, words, .. }) = other
                && words > found[text].map_or(0, |span| span.words)
            {
                found[text] = Some(Span { words, start: word, other });
            }
            if late[0].is_some_and(|of| of.kind != kind) {
                late[1] = late[0];
            }
            late[0] = Some(Late { kind, text, words: usize::MAX });
        }
    };
    let n = order.len();
    walk(&mut (0..n).map(|i| (order[i] as usize, shared[i])));
    walk(&mut (0..n).rev().map(|i| (order[i] as usize, shared.get(i + 1).copied().unwrap_or(0))));
    found
}

/// The numbers of words, behind those of the ends of texts, in the order in which words first come.
struct Numbers<'a>(HashMap<&'a str, u32>);

impl<'a> Numbers<'a> {
    fn of(texts: &[&'a str]) -> Self {
        let mut known: HashMap<&str, u32> = HashMap::new();
        for word in texts.iter().flat_map(|text| text.split_whitespace()) {
            let next = (texts.len() + known.len()) as u32;
            known.entry(word).or_insert(next);
        }
        Self(known)
    }

    /// All words as numbers, and behind each text that of its end, so that nothing is shared across it. Ends come first in
    /// the order, each before the next.
    fn words(&self, texts: &[(usize, &str)]) -> (Vec<u32>, Vec<Place>) {
        let (mut words, mut places) = (Vec::new(), Vec::new());
        for (text, (end, content)) in (0..).zip(texts) {
            for (word, name) in (0..).zip(content.split_whitespace()) {
                words.push(self.0[name]);
                places.push(Place { text, word });
            }
            words.push(*end as u32);
            places.push(Place { text, word: u32::MAX });
        }
        (words, places)
    }
}

/// Where suffixes begin, in their order. Only those are sorted again that the words known so far leave together.
fn suffixes(words: &[u32]) -> Vec<u32> {
    let mut keyed: Vec<(u32, u32)> = words.iter().copied().zip(0..).collect();
    keyed.par_sort_unstable();
    let mut sorted = Sorted { order: vec![0; words.len()], rank: vec![0; words.len()] };
    let mut open = Vec::new();
    sorted.place(&keyed, 0, &mut open);
    drop(keyed);
    let mut known = 1;
    while !open.is_empty() {
        let groups = std::mem::take(&mut open);
        let keyed: Vec<Vec<(u32, u32)>> =
            groups.par_chunks(GROUPS).map(|groups| sorted.by_next(groups, known)).collect();
        for (groups, keyed) in groups.chunks(GROUPS).zip(keyed) {
            let mut rest = keyed.as_slice();
            for group in groups {
                let (own, others) = rest.split_at(group.len());
                sorted.place(own, group.start, &mut open);
                rest = others;
            }
        }
        known *= 2;
    }
    sorted.order
}

/// Groups that one thread sorts at a time.
const GROUPS: usize = 1024;

/// Suffixes in the order of their first words.
struct Sorted {
    order: Vec<u32>,
    /// Per suffix: the first place of those that begin as it does.
    rank: Vec<u32>,
}

impl Sorted {
    /// The suffixes at these places, each place's sorted by what stands behind the words that they share, with
    /// that; a shorter one comes first.
    fn by_next(&self, groups: &[Range<usize>], known: usize) -> Vec<(u32, u32)> {
        let mut keyed = Vec::with_capacity(groups.iter().map(Range::len).sum());
        for group in groups {
            let from = keyed.len();
            let behind = |at: u32| self.rank.get(at as usize + known).map_or(0, |&rank| rank + 1);
            keyed.extend(self.order[group.clone()].iter().map(|&at| (behind(at), at)));
            keyed[from..].sort_unstable();
        }
        keyed
    }

    /// Puts suffixes, sorted by their keys, at the places from `start`; those of one key are left `open`.
    fn place(&mut self, keyed: &[(u32, u32)], start: usize, open: &mut Vec<Range<usize>>) {
        let mut first = start;
        for group in keyed.chunk_by(|a, b| a.0 == b.0) {
            for (to, &(_, at)) in self.order[first..].iter_mut().zip(group) {
                *to = at;
                self.rank[at as usize] = first as u32;
            }
            if group.len() > 1 {
                open.push(first..first + group.len());
            }
            first += group.len();
        }
    }
}

/// How many words each suffix shares with the one before it in the order.
fn shared_with_previous(words: &[u32], order: &[u32]) -> Vec<usize> {
    let mut place = vec![0; words.len()];
    order.iter().enumerate().for_each(|(i, &at)| place[at as usize] = i);
    let mut shared = vec![0; words.len()];
    let mut common = 0usize;
    for at in 0..words.len() {
        if place[at] == 0 {
            common = 0;
            continue;
        }
        let before = order[place[at] - 1] as usize;
        let same = |&(a, b): &(&u32, &u32)| a == b;
        let rest = words[at + common..].iter().zip(&words[before + common..]);
        common += rest.take_while(same).count();
        shared[place[at]] = common;
        common = common.saturating_sub(1);
    }
    shared
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By holding every beginning against every other.
    fn plain(text: &str, other: &str) -> usize {
        let [a, b] = [text, other].map(|t| t.split_whitespace().collect::<Vec<_>>());
        let run = |i: usize, j: usize| a[i..].iter().zip(&b[j..]).take_while(|(x, y)| x == y);
        let each = (0..a.len()).flat_map(|i| (0..b.len()).map(move |j| (i, j)));
        each.map(|(i, j)| run(i, j).count()).max().unwrap_or(0)
    }

    #[test]
    fn what_stands_in_two_texts_is_not_shared_across_their_ends() {
        // `b c` stands nowhere: `b` ends one text and `c` begins the next.
        let found = shared_with(&["b c"], &["a b", "c d"]);
        assert_eq!(found[0].map(|span| span.words), Some(1));
        assert_eq!(shared_with(&["", "x"], &[]), [None, None]);
        assert_eq!(shared_among(&[]), []);
        assert_eq!(shared_among(&["a a a a"]), [None]);
    }

    proptest! {
        #[test]
        fn parts_find_what_is_found_at_once(
            own in prop::collection::vec("[abc ]{0,12}", 0..8),
            others in prop::collection::vec("[abcd ]{0,12}", 0..4),
            part in 0usize..40,
        ) {
            let [texts, rest] = [&own, &others].map(|t| t.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(shared_in_parts(&texts, &rest, part), shared_in_parts(&texts, &rest, 1 << 20));
        }

        #[test]
        fn spans_are_as_long_as_a_plain_search_finds_and_stand_where_they_are_said_to(
            own in prop::collection::vec("[ab ]{0,12}", 1..4),
            others in prop::collection::vec("[abc ]{0,12}", 0..4),
        ) {
            let [texts, rest] = [&own, &others].map(|t| t.iter().map(String::as_str).collect::<Vec<_>>());
            let check = |text: &str, span: Option<Span>, among: &[&str], but: Option<usize>| {
                let others = among.iter().enumerate().filter(|(i, _)| Some(*i) != but);
                let best = others.map(|(_, other)| plain(text, other)).max().unwrap_or(0);
                prop_assert_eq!(span.map_or(0, |span| span.words), best);
                if let Some(Span { words, start, other }) = span {
                    let own: Vec<&str> = text.split_whitespace().collect();
                    let run = own[start..start + words].join(" ");
                    prop_assert_eq!(plain(&run, among[other]), words);
                }
                Ok(())
            };
            for (text, span) in texts.iter().zip(shared_with(&texts, &rest)) {
                check(text, span, &rest, None)?;
            }
            for (i, span) in shared_among(&texts).into_iter().enumerate() {
                check(texts[i], span, &texts, Some(i))?;
            }
        }
    }
}
