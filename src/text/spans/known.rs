//! Texts that others are held against, one at a time.

use std::cmp::Ordering;

use super::{
    Span,
    automaton::{Automaton, Begin},
    order::suffixes,
};

/// Texts that are searched for what other texts share with them.
pub(crate) struct Known {
    automaton: Automaton,
    sorted: Sorted,
}

/// Texts with their suffixes in order.
struct Sorted {
    /// Words, behind each text its end: ends have the first numbers, so that nothing is shared across them.
    words: Vec<u32>,
    /// Where each text begins.
    starts: Vec<u32>,
    order: Vec<u32>,
}

impl Known {
    /// Makes texts ready, `O(n log² L)` for `n` words of which `L` are shared.
    pub(crate) fn of<'t>(texts: impl Iterator<Item = &'t [u32]> + Clone) -> Self {
        Self { automaton: Automaton::of(texts.clone()), sorted: Sorted::of(texts) }
    }

    /// The longest run of words of `text` that a known text has, too; `O(n)` for its `n` words.
    ///
    /// Which one it is, where several are the longest, depends on the order of words' numbers: the first in the order of
    /// suffixes that shares it with the known suffix before it, else the last that does with the one behind it.
    pub(crate) fn longest(&self, text: &[u32]) -> Option<Span> {
        let (words, found) = self.automaton.longest(text);
        self.sorted.choose(text, words, &found)
    }

    /// [`longest`](Self::longest) where the one known text is `own`, and words have the numbers that `numbered` gives:
    /// `own` and `text` in these. It is asked only where several different runs are the longest.
    pub(crate) fn longest_in_one<'n>(
        &self,
        text: &[u32],
        numbered: impl FnOnce() -> (&'n [u32], &'n [u32]),
    ) -> Option<Span> {
        let (words, found) = self.automaton.longest(text);
        let first = found.first()?;
        if found.iter().all(|begin| begin.state == first.state) {
            return Some(Span { words, start: first.start, other: 0 });
        }
        let (own, text) = numbered();
        Sorted::of([own].into_iter()).choose(text, words, &found)
    }
}

impl Sorted {
    fn of<'t>(texts: impl Iterator<Item = &'t [u32]> + Clone) -> Self {
        let count = texts.clone().count() as u32;
        let (mut words, mut starts) = (Vec::new(), Vec::new());
        for (end, text) in (0..).zip(texts) {
            starts.push(words.len() as u32);
            words.extend(text.iter().map(|word| word + count));
            words.push(end);
        }
        let order = suffixes(&words);
        Self { words, starts, order }
    }

    fn choose(&self, text: &[u32], words: usize, found: &[Begin]) -> Option<Span> {
        // Known suffixes share `words` words and no more, so the next one decides where it stands.
        let run = |start: usize| &text[start..text.len().min(start + words + 1)];
        let shares = |start: usize, at: u32| {
            self.compare(at, &run(start)[..words], words) == Ordering::Equal
        };
        let places = found.iter().map(|begin| {
            let run = run(begin.start);
            let before = |&at: &u32| self.compare(at, run, words + 1) == Ordering::Less;
            (begin.start, self.order.partition_point(before))
        });
        let before = places.clone().filter_map(|(start, place)| {
            let at = *self.order.get(place.checked_sub(1)?)?;
            shares(start, at).then_some((start, at))
        });
        let behind = places.filter_map(|(start, place)| {
            let at = *self.order.get(place)?;
            shares(start, at).then_some((start, at))
        });
        let order = |a: &(usize, u32), b: &(usize, u32)| run(a.0).cmp(run(b.0));
        let (start, at) = before.min_by(order).or_else(|| behind.max_by(order))?;
        let other = self.starts.partition_point(|&start| start <= at) - 1;
        Some(Span { words, start, other })
    }

    /// How the first `words` words of a known suffix stand to a `run`; one that ends within them comes first, and a run that
    /// ends before it.
    fn compare(&self, at: u32, run: &[u32], words: usize) -> Ordering {
        let count = self.starts.len() as u32;
        let known = self.words[at as usize..].iter().copied().take(words);
        known.cmp(run.iter().map(|word| word + count))
    }
}
