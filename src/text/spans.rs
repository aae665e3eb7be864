//! What texts have in common, word for word: the longest run of words that one shares with another.

mod automaton;
mod known;
mod order;
mod words;

use order::{shared_with_previous, suffixes};
use rayon::prelude::*;

pub(crate) use known::Known;
pub(crate) use words::{Numbers, Words};

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
/// `O(N)` for `N` words of `texts`, which are held against an automaton of the others (Blumer et al. 1985) side by side, and
/// `O(M log² L)` for `M` of `others` with `L` in the longest: their suffixes are sorted by doubling (Larsson & Sadakane 2007),
/// for where several spans are the longest their order says which. About 100 bytes a word of the others are held, and 4 of the texts.
///
/// # Example
///
/// ```
/// use llmpr::text::spans::{Span, shared_with};
/// let found = shared_with(&["she was born in Oslo", "a"], &["he was born in Rome", "it was"]);
/// assert_eq!(found, [Some(Span { words: 3, start: 1, other: 0 }), None]);
/// ```
pub fn shared_with(texts: &[&str], others: &[&str]) -> Vec<Option<Span>> {
    let mut numbers = Numbers::default();
    let own = Words::with(&mut numbers, texts.iter().copied());
    let known = Words::with(&mut numbers, others.iter().copied());
    let known = Known::of(known.texts());
    (0..texts.len()).into_par_iter().map(|at| known.longest(own.text(at))).collect()
}

/// For each of `texts` the longest run of words that another of them has, too.
///
/// # Cost
///
/// `O(N log² L)` for `N` words in all and `L` in the longest text: suffixes are sorted by doubling, and what neighbors have in
/// common is that of Kasai et al. 2001.
///
/// # Example
///
/// ```
/// use llmpr::text::spans::{Span, shared_among};
/// let found = shared_among(&["a b c d", "x b c", "a b a b"]);
/// assert_eq!(found[1], Some(Span { words: 2, start: 1, other: 0 }));
/// ```
pub fn shared_among(texts: &[&str]) -> Vec<Option<Span>> {
    among(&Words::of(texts.iter().copied()))
}

/// [`shared_among`] of texts whose words have numbers of their own.
pub(crate) fn among(texts: &Words<'_>) -> Vec<Option<Span>> {
    longest(texts, |text| text)
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

/// For each of `texts` the longest run of words that one of another kind has, too.
fn longest(texts: &Words<'_>, kind: impl Fn(usize) -> usize) -> Vec<Option<Span>> {
    let (words, places) = joined(texts);
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
    let common = |i: usize| shared.get(i).map_or(0, |&words| words as usize);
    walk(&mut (0..n).map(|i| (order[i] as usize, common(i))));
    walk(&mut (0..n).rev().map(|i| (order[i] as usize, common(i + 1))));
    found
}

/// All words as numbers, and behind each text that of its end, so that nothing is shared across it. Ends come first in
/// the order, each before the next.
fn joined(texts: &Words<'_>) -> (Vec<u32>, Vec<Place>) {
    let count = texts.len() as u32;
    let (mut words, mut places) = (Vec::new(), Vec::new());
    for (text, own) in (0..).zip(texts.texts()) {
        words.extend(own.iter().map(|word| word + count));
        places.extend((0..own.len() as u32).map(|word| Place { text, word }));
        words.push(text);
        places.push(Place { text, word: u32::MAX });
    }
    (words, places)
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
        /// The order of all suffixes, own and others', decides which of several it is, and so it is for an automaton.
        #[test]
        fn texts_one_by_one_share_what_all_at_once_do(
            own in prop::collection::vec("[abc ]{0,12}", 0..8),
            others in prop::collection::vec("[abcd ]{0,12}", 0..4),
        ) {
            let [texts, rest] = [&own, &others].map(|t| t.iter().map(String::as_str).collect::<Vec<_>>());
            let all = Words::of([texts.clone(), rest.clone()].concat());
            let joint = longest(&all, |text| usize::from(text >= texts.len()));
            let told = |at: usize, span: Span| {
                let words: Vec<&str> = texts[at].split_whitespace().collect();
                (words[span.start..span.start + span.words].join(" "), span.other)
            };
            for (at, span) in shared_with(&texts, &rest).into_iter().enumerate() {
                let wanted = joint[at].map(|span| Span { other: span.other - texts.len(), ..span });
                prop_assert_eq!(span.map(|span| told(at, span)), wanted.map(|span| told(at, span)));
            }
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
