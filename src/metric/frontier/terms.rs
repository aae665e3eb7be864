//! MAUVE of many histograms of the same sizes, each pair of counts worked out once.

use std::collections::HashMap;

use super::{Frontier, Settings};
use crate::{
    data::sides::{Side, Sides},
    math::lanes::add,
    metric::{
        divergence::{Divergence, p_ln_ratio},
        histogram::HistogramError,
    },
};

/// What bins add to a frontier, by their counts.
///
/// Relabelings and subsamples give hundreds of histograms over the same bins in which few pairs of counts
/// occur: their logarithms are taken once, and the rest is sums in the order of the bins.
pub(crate) struct Terms {
    settings: Settings,
    grid: Vec<f64>,
    /// What smoothing adds to every count.
    extra: f64,
    totals: (f64, f64),
    /// Where the terms of a pair of counts start in `values`.
    known: HashMap<(u64, u64), usize>,
    /// Per pair: both KLs at every weight, and the term of the frontier integral.
    values: Vec<f64>,
}

impl Terms {
    /// For histograms to every count of which `extra` is added: 0, or ½ as Krichevsky and Trofimov do.
    pub(crate) fn new(settings: Settings, extra: f64) -> Self {
        let grid = settings.grid();
        Self {
            settings,
            grid,
            extra,
            totals: (0.0, 0.0),
            known: HashMap::new(),
            values: Vec::new(),
        }
    }

    /// MAUVE and the frontier integral: those of [`super::smoothed`], to the last bit.
    ///
    /// # Errors
    ///
    /// [`HistogramError::Bins`], [`HistogramError::Empty`].
    pub(crate) fn scores(&mut self, counts: Sides<&[u64]>) -> Result<(f64, f64), HistogramError> {
        let Sides { reference, model } = counts.map(<[u64]>::len);
        if reference != model {
            return Err(HistogramError::Bins { reference, model });
        }
        for side in [Side::Reference, Side::Model] {
            if counts.get(side).iter().all(|&count| count == 0) {
                return Err(HistogramError::Empty { side });
            }
        }
        let total = |counts: &[u64]| counts.iter().map(|&c| c as f64 + self.extra).sum::<f64>();
        let totals = (total(counts.reference), total(counts.model));
        if totals != self.totals {
            self.totals = totals;
            self.known.clear();
            self.values.clear();
        }
        let mut sums = vec![0.0; self.width()];
        for (&a, &b) in counts.reference.iter().zip(counts.model) {
            let at = self.terms(a, b);
            add(&mut sums, &self.values[at..at + self.width()]);
        }
        let (kls, integral) = sums.split_at(2 * self.grid.len());
        let kls = kls.as_chunks::<2>().0.iter().map(|&[kl_p, kl_q]| (kl_p, kl_q));
        let area = Frontier::through(&self.settings, kls).mauve();
        Ok((area, integral[0]))
    }

    fn width(&self) -> usize {
        2 * self.grid.len() + 1
    }

    fn terms(&mut self, a: u64, b: u64) -> usize {
        if let Some(&at) = self.known.get(&(a, b)) {
            return at;
        }
        let at = self.values.len();
        let (p, q) =
            ((a as f64 + self.extra) / self.totals.0, (b as f64 + self.extra) / self.totals.1);
        for &w in &self.grid {
            let r = w * p + (1.0 - w) * q;
            self.values.extend([p_ln_ratio(p, r), p_ln_ratio(q, r)]);
        }
        self.values.push(Divergence::FrontierIntegral.term(p, q));
        self.known.insert((a, b), at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metric::{frontier::smoothed, histogram::Smoothing},
        rng,
    };

    #[test]
    fn scores_are_those_of_the_shares_to_the_last_bit() {
        let mut rng = rng::named(2, "terms");
        let settings = Settings::default();
        let smoothings = [(0.0, Smoothing::None), (0.5, Smoothing::KrichevskyTrofimov)];
        for (extra, smoothing) in smoothings {
            let mut terms = Terms::new(settings, extra);
            for n in [1, 30, 30, 200, 30] {
                let mut draw = || {
                    let mut counts = vec![0u64; 12];
                    (0..n).for_each(|_| counts[rng::next_below(&mut rng, 12)] += 1);
                    counts
                };
                let counts = Sides { reference: draw(), model: draw() };
                let counts = counts.as_ref().map(Vec::as_slice);
                let want = smoothed(counts, smoothing, &settings).unwrap();
                assert_eq!(terms.scores(counts).unwrap(), want);
            }
        }
    }
}
