//! Neighbors of a word merged into tokens, best pair first: what BPE and SentencePiece share.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap},
};

/// No token.
pub(super) const NONE: u32 = u32::MAX;

/// A stretch of a word, and its token where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it begins and ends, in bytes.
    pub start: usize,
    pub end: usize,
    /// Its token, or [`NONE`].
    pub id: u32,
}

/// A pair that could be merged.
struct Pair {
    goodness: f64,
    left: usize,
    right: usize,
    end: usize,
    id: u32,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.goodness.total_cmp(&other.goodness).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

/// The word's characters, merged until no two neighbors can be.
///
/// * `token`: the token of a single character, or [`NONE`].
/// * `join`: how good it is to merge two neighbors, and the token that they become; of equally good
///   pairs the first in the word goes first.
pub(super) fn merged(
    word: &str,
    token: impl Fn(&str) -> u32,
    join: impl Fn(Part, Part) -> Option<(f64, u32)>,
) -> Vec<Part> {
    let ends = word.char_indices().map(|(start, c)| (start, start + c.len_utf8()));
    let mut parts: Vec<Part> =
        ends.map(|(start, end)| Part { start, end, id: token(&word[start..end]) }).collect();
    let n = parts.len();
    let mut previous: Vec<usize> = (0..n).map(|i| i.wrapping_sub(1)).collect();
    let mut next: Vec<usize> = (1..=n).collect();
    let mut pairs = BinaryHeap::new();
    let offer = |pairs: &mut BinaryHeap<Pair>, parts: &[Part], left: usize, right: usize| {
        if let (Some(l), Some(r)) = (parts.get(left), parts.get(right))
            && let Some((goodness, id)) = join(*l, *r)
        {
            pairs.push(Pair { goodness, left, right, end: r.end, id });
        }
    };
    for right in 1..n {
        offer(&mut pairs, &parts, right - 1, right);
    }
    while let Some(Pair { left, right, end, id, .. }) = pairs.pop() {
        // A part that has grown or gone since the pair was offered ends elsewhere.
        if parts[left].end != parts[right].start || parts[right].end != end {
            continue;
        }
        parts[left] = Part { end, id, ..parts[left] };
        parts[right].end = parts[right].start;
        next[left] = next[right];
        if let Some(back) = previous.get_mut(next[left]) {
            *back = left;
        }
        offer(&mut pairs, &parts, previous[left], left);
        offer(&mut pairs, &parts, left, next[left]);
    }
    parts.retain(|part| part.start < part.end);
    parts
}

/// BPE's merges, by their order in the file.
#[derive(Debug, Default)]
pub(crate) struct Ranks {
    /// Two tokens to the merge's rank and the token they become.
    pairs: HashMap<(u32, u32), (u32, u32)>,
    /// Parts and results of merges that the vocabulary lacks, under numbers beyond its ids.
    strangers: HashMap<String, u32>,
}

impl Ranks {
    /// Reads `merges`, two tokens each, of the vocabulary `ids`, all below `beyond`; the first of equal merges
    /// counts.
    pub fn new<'a>(
        merges: impl Iterator<Item = (&'a str, &'a str)>,
        ids: &HashMap<String, u32>,
        beyond: u32,
    ) -> Self {
        let mut ranks = Self::default();
        let mut both = String::new();
        for (rank, (left, right)) in merges.enumerate() {
            both.clear();
            both.push_str(left);
            both.push_str(right);
            let pair = (ranks.number(left, ids, beyond), ranks.number(right, ids, beyond));
            let whole = ranks.number(&both, ids, beyond);
            ranks.pairs.entry(pair).or_insert((rank as u32, whole));
        }
        ranks
    }

    fn number(&mut self, text: &str, ids: &HashMap<String, u32>, beyond: u32) -> u32 {
        if let Some(id) = ids.get(text).or(self.strangers.get(text)) {
            return *id;
        }
        let number = beyond + self.strangers.len() as u32;
        self.strangers.insert(text.to_owned(), number);
        number
    }

    /// A word's parts after all merges; a part outside the vocabulary has an id beyond it.
    pub(super) fn merged(&self, word: &str, ids: &HashMap<String, u32>) -> Vec<Part> {
        let token = |text: &str| *ids.get(text).or(self.strangers.get(text)).unwrap_or(&NONE);
        let join = |left: Part, right: Part| {
            let (rank, id) = self.pairs.get(&(left.id, right.id))?;
            Some((-f64::from(*rank), *id))
        };
        merged(word, token, join)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(tokens: &[&str]) -> HashMap<String, u32> {
        tokens.iter().zip(0..).map(|(token, id)| ((*token).to_owned(), id)).collect()
    }

    fn texts<'a>(word: &'a str, parts: &[Part]) -> Vec<&'a str> {
        parts.iter().map(|part| &word[part.start..part.end]).collect()
    }

    #[test] // by hand
    fn merges_go_by_rank_and_from_the_left() {
        let ids = ids(&["a", "b", "c", "bc", "ab", "abc", "aa"]);
        let merges = [("b", "c"), ("a", "b"), ("a", "bc"), ("a", "a"), ("b", "c")];
        let ranks = Ranks::new(merges.into_iter(), &ids, 7);
        let cut = |word| texts(word, &ranks.merged(word, &ids));
        assert_eq!(cut("abc"), ["abc"]);
        assert_eq!(cut("abab"), ["ab", "ab"]);
        assert_eq!(cut("aaab"), ["aa", "ab"]);
        assert_eq!(cut("aaa"), ["aa", "a"]);
        assert_eq!(cut("xabc"), ["x", "abc"]);
        assert!(cut("").is_empty());
    }

    #[test]
    fn a_merge_outside_the_vocabulary_still_happens() {
        let ids = ids(&["a", "b", "c", "abc"]);
        let ranks = Ranks::new([("a", "b"), ("ab", "c")].into_iter(), &ids, 4);
        assert_eq!(ranks.merged("abc", &ids), [Part { start: 0, end: 3, id: 3 }]);
        assert_eq!(ranks.merged("ab", &ids), [Part { start: 0, end: 2, id: 4 }]);
    }

    #[test] // by hand: equal scores go from the left, so a run grows at its start
    fn equal_pairs_go_from_the_left() {
        let known = ["__", "___", "____", "_____"];
        let join = |left: Part, right: Part| {
            (right.end - left.start <= 5).then(|| (0.0, (right.end - left.start) as u32))
        };
        let word = "_______";
        assert_eq!(texts(word, &merged(word, |_| 1, join)), [known[3], known[0]]);
    }
}
