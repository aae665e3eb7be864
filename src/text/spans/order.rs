//! Suffixes of numbers in their order, and what neighbors have in common.

use std::ops::Range;

use rayon::prelude::*;

/// Groups that one thread sorts at a time.
const GROUPS: usize = 1024;
/// Suffixes from which on several threads sort them.
const MANY: usize = 1 << 17;

/// Where suffixes begin, in their order. Only those are sorted again that the words known so far leave together.
///
/// `O(n log² L)` for `n` words of which `L` are shared: by doubling (Larsson & Sadakane 2007).
pub(super) fn suffixes(words: &[u32]) -> Vec<u32> {
    let mut keyed: Vec<u64> = words.iter().zip(0..).map(|(&word, at)| key(word, at)).collect();
    if keyed.len() < MANY {
        keyed.sort_unstable();
    } else {
        keyed.par_sort_unstable();
    }
    let mut sorted = Sorted { order: vec![0; words.len()], rank: vec![0; words.len()] };
    let mut open = Vec::new();
    sorted.place(&keyed, 0, &mut open);
    drop(keyed);
    let mut known = 1;
    while !open.is_empty() {
        let groups = std::mem::take(&mut open);
        let keyed: Vec<Vec<u64>> =
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

/// A number to sort by, with the suffix that it is of: one comparison decides.
fn key(by: u32, at: u32) -> u64 {
    u64::from(by) << 32 | u64::from(at)
}

/// Suffixes in the order of their first words.
struct Sorted {
    order: Vec<u32>,
    /// Per suffix: the first place of those that begin as it does.
    rank: Vec<u32>,
}

impl Sorted {
    /// The suffixes at these places, each place's sorted by what stands behind the words that they share, with
    /// that; a shorter one comes first.
    fn by_next(&self, groups: &[Range<usize>], known: usize) -> Vec<u64> {
        let mut keyed = Vec::with_capacity(groups.iter().map(Range::len).sum());
        for group in groups {
            let from = keyed.len();
            let behind = |at: u32| self.rank.get(at as usize + known).map_or(0, |&rank| rank + 1);
            keyed.extend(self.order[group.clone()].iter().map(|&at| key(behind(at), at)));
            keyed[from..].sort_unstable();
        }
        keyed
    }

    /// Puts suffixes, sorted by their keys, at the places from `start`; those of one key are left `open`.
    fn place(&mut self, keyed: &[u64], start: usize, open: &mut Vec<Range<usize>>) {
        let mut first = start;
        for group in keyed.chunk_by(|a, b| a >> 32 == b >> 32) {
            for (to, &of) in self.order[first..].iter_mut().zip(group) {
                let at = of as u32;
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

/// How many words each suffix shares with the one before it in the order (Kasai et al. 2001).
pub(super) fn shared_with_previous(words: &[u32], order: &[u32]) -> Vec<u32> {
    let mut place = vec![0u32; words.len()];
    (0..).zip(order).for_each(|(i, &at)| place[at as usize] = i);
    let mut shared = vec![0; words.len()];
    let mut common = 0usize;
    for at in 0..words.len() {
        let place = place[at] as usize;
        if place == 0 {
            common = 0;
            continue;
        }
        let before = order[place - 1] as usize;
        let same = |&(a, b): &(&u32, &u32)| a == b;
        let rest = words[at + common..].iter().zip(&words[before + common..]);
        common += rest.take_while(same).count();
        shared[place] = common as u32;
        common = common.saturating_sub(1);
    }
    shared
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn suffixes_come_in_the_order_of_slices(words in prop::collection::vec(0u32..3, 0..40)) {
            let order = suffixes(&words);
            let mut plain: Vec<u32> = (0..words.len() as u32).collect();
            plain.sort_by_key(|&at| &words[at as usize..]);
            prop_assert_eq!(&order, &plain);
            let shared = shared_with_previous(&words, &order);
            for (i, pair) in order.windows(2).enumerate() {
                let [a, b] = [pair[0], pair[1]].map(|at| &words[at as usize..]);
                let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
                prop_assert_eq!(shared[i + 1] as usize, common);
            }
        }
    }
}
