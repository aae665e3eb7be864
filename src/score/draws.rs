//! Which rows a score draws: subsamples, relabelings, splits. One stream per draw.

use super::calibrate::{Subsample, relabel, subsample};
use crate::{data::sides::Sides, rng};

/// How often the reference is split for a ceiling.
pub(super) const SPLITS: usize = 8;

/// What a score draws, and how often.
pub(super) struct Draws<'a> {
    pub seed: u64,
    pub resamples: usize,
    pub permutations: usize,
    /// The prompt of each row, or empty.
    pub prompts: Sides<&'a [u64]>,
}

impl<'a> Draws<'a> {
    /// Those that `options` ask for.
    pub fn of(options: &super::ScoreOptions, prompts: Sides<&'a [u64]>) -> Self {
        let super::ScoreOptions { seed, resamples, permutations, .. } = *options;
        Self { seed, resamples, permutations, prompts }
    }

    /// Rows of both sides in subsample `i`, each side counted from 0.
    pub fn subsample(&self, i: usize, sizes: Sides<Subsample>) -> Sides<Vec<usize>> {
        let side = |name: &str, size, prompts| {
            subsample(&mut rng::named(self.seed, &format!("{name} part {i}")), size, prompts)
        };
        Sides {
            reference: side("reference", sizes.reference, self.prompts.reference),
            model: side("model", sizes.model, self.prompts.model),
        }
    }

    /// Exchange `i` of the labels; rows index the reference's followed by the model's.
    pub fn relabeled(&self, i: usize, sizes: Sides<usize>) -> Sides<Vec<usize>> {
        let Sides { reference: n, model: m } = sizes;
        let mut rng = rng::named(self.seed, &format!("relabel {i}"));
        let reference = relabel(&mut rng, n, m);
        let model = complement(&reference, n + m);
        Sides { reference, model }
    }

    /// Two disjoint parts of `n` reference rows.
    pub fn split(&self, i: usize, n: usize, parts: Parts) -> [Vec<usize>; 2] {
        let mut rows: Vec<usize> = (0..n).collect();
        rng::shuffle(&mut rng::named(self.seed, &format!("split {i}")), &mut rows);
        let mut second = rows.split_off(parts.reference);
        second.truncate(parts.model);
        rows.sort_unstable();
        second.sort_unstable();
        [rows, second]
    }
}

/// The sizes of two disjoint parts of the reference that stand for `n` and `m`, at their ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub reference: usize,
    pub model: usize,
}

impl Parts {
    /// Rows below which a half of a part says nothing.
    const LEAST: usize = 8;

    /// The largest parts, `n²/(n + m)` and `nm/(n + m)`; `None` where a quarter would be too small.
    pub fn of(n: usize, m: usize) -> Option<Self> {
        let reference = (n as f64 * n as f64 / (n + m) as f64).round() as usize;
        Self { reference, model: n.checked_sub(reference)? }.checked()
    }

    /// Half of each.
    pub fn halved(self) -> Self {
        Self { reference: self.reference / 2, model: self.model / 2 }
    }

    /// How many times these sizes double up to a reference of `n` rows.
    pub fn doublings(self, n: usize) -> f64 {
        (n as f64 / self.reference as f64).log2()
    }

    fn checked(self) -> Option<Self> {
        let Self { reference, model } = self.halved();
        (reference >= Self::LEAST && model >= Self::LEAST).then_some(self)
    }
}

/// The rows below `n` that are not in `rows`; `rows` ascend.
pub(super) fn complement(rows: &[usize], n: usize) -> Vec<usize> {
    let mut taken = rows.iter().copied().peekable();
    (0..n).filter(|&row| taken.next_if_eq(&row).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws() -> Draws<'static> {
        let prompts = Sides { reference: &[][..], model: &[][..] };
        Draws { seed: 3, resamples: 4, permutations: 4, prompts }
    }

    #[test]
    fn a_split_is_disjoint_and_as_large_as_asked() {
        let parts = Parts::of(100, 50).unwrap();
        assert_eq!((parts.reference, parts.model), (67, 33));
        let [a, b] = draws().split(0, 100, parts);
        assert_eq!((a.len(), b.len()), (67, 33));
        assert_eq!(complement(&a, 100), b);
        assert!((parts.doublings(134) - 1.0).abs() < 1e-12);
        assert_eq!(Parts::of(20, 20), None);
    }

    #[test]
    fn draws_are_the_same_for_the_same_seed_and_differ_by_index() {
        let sizes = Sides { reference: Subsample::half(50), model: Subsample::half(60) };
        assert_eq!(draws().subsample(1, sizes), draws().subsample(1, sizes));
        assert_ne!(draws().subsample(1, sizes), draws().subsample(2, sizes));
    }
}
