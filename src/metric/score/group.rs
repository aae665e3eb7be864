//! Families that are measured on the clouds themselves: values, subsamples, ceilings.

use rayon::prelude::*;

use super::{
    ScoreError, ScoreOptions,
    draws::{Draws, Parts, SPLITS, mean},
    estimate::{Readings, ceiling},
};
use crate::{
    matrix::Matrix,
    metric::{Clouds, calibrate::Subsample, prdc::prdc},
    sides::Sides,
};

/// Measures by name, in the order of the table; NaN where one is undefined.
pub(super) type Named = Vec<(String, f64)>;

/// A family that is measured on the clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Support,
}

/// Multiplications that the subsamples of one family may take together: half a minute of two cores.
const BUDGET: f64 = 4e11;
/// Subsamples below which an interval says little; where even they exceed the budget, they shrink.
const LEAST_SUBSAMPLES: usize = 20;
/// Rows below which subsamples do not shrink.
const LEAST_ROWS: usize = 1000;

impl Group {
    /// The measures of two clouds.
    pub fn values(self, clouds: Clouds<'_>, options: &ScoreOptions) -> Result<Named, ScoreError> {
        match self {
            Self::Support => support(clouds, options),
        }
    }

    /// Multiplications of one evaluation, roughly.
    fn cost(self, sizes: Sides<usize>, d: usize) -> f64 {
        let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
        let pairs = (n * n + m * m) / 2.0 + n * m;
        match self {
            Self::Support => 2.0 * pairs * d as f64,
        }
    }

    /// Subsamples and ceilings of these measures.
    pub fn readings(
        self,
        clouds: Clouds<'_>,
        names: &[String],
        options: &ScoreOptions,
        draws: &Draws<'_>,
    ) -> Readings {
        let sizes = clouds.sides().map(Matrix::rows);
        let (count, at) = self.plan(sizes, clouds.dim(), draws.resamples);
        let one = |i: usize| -> Option<Vec<f64>> {
            let rows = draws.subsample(i, at);
            let part = Sides {
                reference: clouds.reference().select(&rows.reference),
                model: clouds.model().select(&rows.model),
            };
            self.bare(part.as_ref(), options)
        };
        let subsamples: Vec<Vec<f64>> = (0..count).into_par_iter().filter_map(one).collect();
        Readings {
            subsamples,
            variance_factor: at.reference.variance_factor(),
            ceilings: self.ceilings(clouds, names, options, draws),
            ..Readings::default()
        }
    }

    /// How many subsamples of which size stay within the budget.
    fn plan(self, sizes: Sides<usize>, d: usize, asked: usize) -> (usize, Sides<Subsample>) {
        let mut at = sizes.map(Subsample::half);
        if asked == 0 || sizes.reference.min(sizes.model) < 4 {
            return (0, at);
        }
        let cost = |at: Sides<Subsample>| self.cost(at.map(|part| part.size), d).max(1.0);
        while cost(at) * LEAST_SUBSAMPLES as f64 > BUDGET && at.reference.size > LEAST_ROWS {
            at = at.map(|part| Subsample { size: (part.size / 2).max(1), ..part });
        }
        let affordable = (BUDGET / cost(at)) as usize;
        (asked.min(affordable.max(LEAST_SUBSAMPLES)), at)
    }

    /// Values without names; `None` where a part is too small for them.
    fn bare(self, sets: Sides<&Matrix>, options: &ScoreOptions) -> Option<Vec<f64>> {
        let clouds = Clouds::new(sets).ok()?;
        let named = self.values(clouds, options).ok()?;
        Some(named.into_iter().map(|(_, value)| value).collect())
    }

    /// Parts of the reference against each other, carried on to the full sizes; empty where the
    /// reference is too small.
    fn ceilings(
        self,
        clouds: Clouds<'_>,
        names: &[String],
        options: &ScoreOptions,
        draws: &Draws<'_>,
    ) -> Vec<f64> {
        let reference = clouds.reference();
        let n = reference.rows();
        let Some(mut parts) = Parts::of(n, clouds.model().rows()) else { return Vec::new() };
        let cost = |parts: Parts| {
            let sizes = Sides { reference: parts.reference, model: parts.model };
            self.cost(sizes, clouds.dim()) * SPLITS as f64
        };
        while cost(parts) > BUDGET && parts.reference > LEAST_ROWS {
            parts = parts.halved();
        }
        let at = |parts: Parts| -> Option<Vec<f64>> {
            let values: Option<Vec<Vec<f64>>> = (0..SPLITS)
                .into_par_iter()
                .map(|i| {
                    let [a, b] = draws.split(i, n, parts);
                    let (a, b) = (reference.select(&a), reference.select(&b));
                    self.bare(Sides { reference: &a, model: &b }, options)
                })
                .collect();
            values.map(|values| mean(&values))
        };
        let (Some(larger), Some(smaller)) = (at(parts), at(parts.halved())) else {
            return Vec::new();
        };
        let pairs = names.iter().zip(smaller).zip(larger);
        pairs
            .map(|((name, small), large)| ceiling(name, small, large, parts.doublings(n)))
            .collect()
    }
}

fn support(clouds: Clouds<'_>, options: &ScoreOptions) -> Result<Named, ScoreError> {
    let prdc = prdc(clouds, options.k, options.ties)?;
    let named = [
        ("precision", prdc.precision),
        ("recall", prdc.recall),
        ("density", prdc.density),
        ("coverage", prdc.coverage),
        ("comp_precision", prdc.comp_precision),
        ("sym_precision", prdc.sym_precision),
        ("sym_recall", prdc.sym_recall),
    ];
    Ok(named.map(|(name, value)| (name.to_owned(), value)).to_vec())
}
