//! Texts as numbers: one for each word.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A hasher of words and of their numbers: eight bytes at a time by one multiplication, both halves of the product kept.
///
/// Nothing but time depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (eights, rest) = bytes.as_chunks::<8>();
        eights.iter().for_each(|eight| self.write_u64(u64::from_le_bytes(*eight)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length tells `a` from `a` with zeros behind it.
        self.write_u64(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    /// The end of a string, which the length has told.
    fn write_u8(&mut self, _: u8) {}

    fn write_u64(&mut self, word: u64) {
        let mixed = u128::from(self.0 ^ word ^ 0x243F_6A88_85A3_08D3) * 0x9E37_79B9_7F4A_7C15;
        self.0 = mixed as u64 ^ (mixed >> 64) as u64;
    }
}

/// A map whose keys are words or their numbers.
pub(super) type WordMap<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// Numbers of words, in the order in which words first come.
#[derive(Debug, Default)]
pub(crate) struct Numbers<'a>(WordMap<&'a str, u32>);

impl<'a> Numbers<'a> {
    fn of(&mut self, word: &'a str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(word).or_insert(next)
    }
}

/// Texts as the numbers of their words; words are what stands between white space.
#[derive(Debug, Default)]
pub(crate) struct Words<'a> {
    /// All texts, one behind another.
    numbers: Vec<u32>,
    /// Where each text ends.
    ends: Vec<usize>,
    /// The words that were met first in these texts, in the order of their numbers.
    names: Vec<&'a str>,
}

impl<'a> Words<'a> {
    /// Texts with numbers of their own, from 0.
    pub(crate) fn of(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::with(&mut Numbers::default(), texts)
    }

    /// Texts with the numbers that words have already, and the next ones for words that are new.
    pub(crate) fn with(known: &mut Numbers<'a>, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = Self::default();
        let mut count = known.0.len();
        for text in texts {
            for word in text.split_whitespace() {
                found.numbers.push(known.of(word));
                if known.0.len() > count {
                    found.names.push(word);
                    count += 1;
                }
            }
            found.ends.push(found.numbers.len());
        }
        found
    }

    /// Gives words that have numbers of their own those that they have in `known`, and new ones the next.
    pub(crate) fn renumber(&mut self, known: &mut Numbers<'a>) {
        let of: Vec<u32> = self.names.iter().map(|name| known.of(name)).collect();
        self.numbers.iter_mut().for_each(|number| *number = of[*number as usize]);
    }

    /// How many texts.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The words of a text.
    pub(crate) fn text(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[start..self.ends[at]]
    }

    /// All texts in their order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u32]> + Clone {
        (0..self.len()).map(|at| self.text(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_numbers_of_their_first_coming_whoever_counts() {
        let parts = [["b a b", ""], ["c a", "b d"]];
        let mut whole = Numbers::default();
        let all = Words::with(&mut whole, parts.concat());
        let mut numbers = Numbers::default();
        let mut told: Vec<Vec<u32>> = Vec::new();
        for part in parts {
            let mut words = Words::of(part);
            assert_eq!(words.text(0)[0], 0, "numbers of its own begin at 0");
            words.renumber(&mut numbers);
            told.extend(words.texts().map(<[u32]>::to_vec));
        }
        assert_eq!(told, all.texts().map(<[u32]>::to_vec).collect::<Vec<_>>());
        assert_eq!(told, [vec![0, 1, 0], vec![], vec![2, 1], vec![0, 3]]);
    }

    #[test]
    fn words_that_differ_in_one_letter_or_in_length_are_hashed_apart() {
        use std::hash::{BuildHasher, RandomState};
        let hash = |word: &str| BuildHasherDefault::<WordHasher>::default().hash_one(word);
        let mut words: Vec<String> = (0..2000).map(|n| format!("{n}")).collect();
        words.extend((0..2000).map(|n| format!("a long word and {n}")));
        words.extend((0..20).map(|n| "\0".repeat(n)));
        // Low bits choose the place in a map, the highest seven its mark.
        let low: std::collections::HashSet<u64, RandomState> =
            words.iter().map(|word| hash(word) & 0xF_FFFF).collect();
        assert!(low.len() > words.len() * 99 / 100, "{} of {}", low.len(), words.len());
    }
}
