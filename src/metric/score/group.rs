//! Families that are measured on the clouds themselves: values, subsamples, ceilings.

use rayon::prelude::*;

use super::{
    Family, ScoreError, ScoreOptions,
    draws::{Draws, Parts, SPLITS, mean},
    estimate::{Readings, ceiling},
    extra,
};
use crate::{
    matrix::Matrix,
    metric::{
        Clouds, MetricError,
        calibrate::Subsample,
        frechet::{Frechet, frechet},
        kernel::{kernel_distance, kernel_distances},
        sliced::{sliced_distances, sliced_w_approx, sliced_wasserstein},
        support::{Support, SupportOptions, support},
        vendi::vendi,
    },
    sides::Sides,
};

/// Measures by name, in the order of the table; NaN where one is undefined.
pub(super) type Named = Vec<(String, f64)>;

/// A family that is measured on the clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Support,
    Moments,
    Diversity,
    /// TopP&R and realism.
    Extra,
}

/// Orders of the Vendi score beside 1, with the extra family.
pub(super) const VENDI_ORDERS: [f64; 3] = [0.5, 2.0, f64::INFINITY];

/// Multiplications that the subsamples of one family may take together.
const BUDGET: f64 = 4e11;
/// Subsamples below which an interval says little; where even they exceed the budget, they shrink.
const LEAST_SUBSAMPLES: usize = 20;
/// Rows below which subsamples do not shrink.
const LEAST_ROWS: usize = 1000;
/// Directions of the sliced Wasserstein distance.
const DIRECTIONS: usize = 128;

impl Group {
    /// The measures of two clouds.
    pub fn values(self, clouds: Clouds<'_>, options: &ScoreOptions) -> Result<Named, ScoreError> {
        Ok(match self {
            Self::Support => of_support(&whole_support(clouds, options)?),
            Self::Moments => moments(clouds, options.seed)?,
            Self::Diversity => diversity(clouds, options)?,
            Self::Extra => extra::of_clouds(clouds, options)?,
        })
    }

    /// Multiplications of one evaluation, roughly; those in `f64` count twice.
    fn cost(self, sizes: Sides<usize>, d: usize) -> f64 {
        let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
        let d = d as f64;
        let pairs = (n * n + m * m) / 2.0 + n * m;
        let cubes = 40.0 * d * d * d.min(n + m);
        match self {
            Self::Support => 3.0 * pairs * (d + 20.0),
            Self::Moments => 3.0 * pairs * (d + 20.0) + 2.0 * (n + m) * d * (d + 128.0) + cubes,
            // Distances of all rows to each other in 32 columns one by one, four times.
            Self::Extra => 3.0 * pairs * (d + 20.0) + 8.0 * (n + m) * (n + m) * d.min(32.0),
            Self::Diversity => 2.0 * (n + m) * d * d.min(n) + cubes,
        }
    }

    /// The same of one subsample among many.
    fn draw_cost(self, at: Sides<Subsample>, d: usize) -> f64 {
        match self {
            // Kernels and projections are those of all rows, computed once.
            Self::Moments => {
                let Sides { reference: n, model: m } = at.map(|part| part.n as f64);
                let rows = at.reference.size + at.model.size;
                let cubes = 40.0 * (d as f64).powi(2) * d.min(rows) as f64;
                let squares = 2.0 * rows as f64 * (d as f64).powi(2);
                2.0 * (n * n + n * m + m * m) + 8.0 * (n + m) * DIRECTIONS as f64 + squares + cubes
            }
            Self::Support | Self::Diversity | Self::Extra => self.cost(at.map(|part| part.size), d),
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
        let parts: Vec<Sides<Vec<usize>>> = (0..count).map(|i| draws.subsample(i, at)).collect();
        let one = |rows: &Sides<Vec<usize>>| self.bare(select(clouds, rows).as_ref(), options);
        let subsamples = match self {
            Self::Moments => moments_of_parts(clouds, &parts, options.seed),
            Self::Support | Self::Diversity | Self::Extra => {
                parts.par_iter().filter_map(one).collect()
            }
        };
        Readings {
            subsamples,
            variance_factor: at.reference.variance_factor(),
            ceilings: self.ceilings(clouds, names, options, draws),
            ..Readings::default()
        }
    }

    /// How many subsamples of which size stay within the budget.
    pub fn plan(self, sizes: Sides<usize>, d: usize, asked: usize) -> (usize, Sides<Subsample>) {
        let mut at = sizes.map(Subsample::half);
        if asked == 0 || sizes.reference.min(sizes.model) < 4 {
            return (0, at);
        }
        let cost = |at: Sides<Subsample>| self.draw_cost(at, d).max(1.0);
        while cost(at) * LEAST_SUBSAMPLES as f64 > BUDGET && at.reference.size > LEAST_ROWS {
            at = at.map(|part| Subsample { size: (part.size / 2).max(1), ..part });
        }
        let affordable = (BUDGET / cost(at)) as usize;
        (asked.min(affordable.max(LEAST_SUBSAMPLES)), at)
    }

    /// The number and size of the subsamples, for the signature.
    pub fn planned(self, clouds: Clouds<'_>, asked: usize) -> (usize, usize) {
        let (count, at) = self.plan(clouds.sides().map(Matrix::rows), clouds.dim(), asked);
        (count, at.reference.size)
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

/// The support family with the details of rows.
pub(super) fn whole_support(
    clouds: Clouds<'_>,
    options: &ScoreOptions,
) -> Result<Support, MetricError> {
    let settings =
        SupportOptions { ks: vec![options.k], ties: options.ties, ..SupportOptions::default() };
    support(clouds, &settings)
}

/// The measures of the support family, by name.
pub(super) fn of_support(support: &Support) -> Named {
    let prdc = support.prdc[0];
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let Support { clipped, soft, cover, alpha, authenticity, .. } = support;
    named([
        ("precision", prdc.precision),
        ("recall", prdc.recall),
        ("density", prdc.density),
        ("coverage", prdc.coverage),
        ("comp_precision", prdc.comp_precision),
        ("sym_precision", prdc.sym_precision),
        ("sym_recall", prdc.sym_recall),
        ("clipped_density", or_nan(clipped.as_ref().map(|clipped| clipped.density))),
        ("clipped_coverage", or_nan(clipped.as_ref().map(|clipped| clipped.coverage))),
        ("p_precision", or_nan(soft.as_ref().map(|soft| soft.precision))),
        ("p_recall", or_nan(soft.as_ref().map(|soft| soft.recall))),
        ("cover_precision", or_nan(cover.as_ref().map(|cover| cover.precision))),
        ("cover_recall", or_nan(cover.as_ref().map(|cover| cover.recall))),
        ("alpha_precision", alpha.alpha_precision),
        ("beta_recall", alpha.beta_recall),
        ("authenticity", *authenticity),
    ])
}

fn moments(clouds: Clouds<'_>, seed: u64) -> Result<Named, ScoreError> {
    // One row has no covariance and no pair.
    let one_row = clouds.sides().map(|rows| rows.rows() < 2);
    let (frechet, null_bias, kernel) = if one_row.reference || one_row.model {
        (f64::NAN, f64::NAN, f64::NAN)
    } else {
        let Frechet { distance, null_bias, .. } = frechet(clouds)?;
        (distance, null_bias, kernel_distance(clouds)?.unbiased)
    };
    Ok(named([
        ("frechet_distance", frechet),
        ("frechet_null", null_bias),
        ("kernel_distance", kernel),
        ("sliced_wasserstein", sliced_wasserstein(clouds, DIRECTIONS, seed)),
        ("sliced_w_approx", sliced_w_approx(clouds)),
    ]))
}

/// [`moments`] of each part of the rows, without the names.
fn moments_of_parts(clouds: Clouds<'_>, parts: &[Sides<Vec<usize>>], seed: u64) -> Vec<Vec<f64>> {
    let alone = |rows: &Sides<Vec<usize>>| -> Option<[f64; 3]> {
        let part = select(clouds, rows);
        let part = Clouds::new(part.as_ref()).ok()?;
        let Frechet { distance, null_bias, .. } = frechet(part).ok()?;
        Some([distance, null_bias, sliced_w_approx(part)])
    };
    let alone: Vec<Option<[f64; 3]>> = parts.par_iter().map(alone).collect();
    let kernel = kernel_distances(clouds, parts);
    let sliced = sliced_distances(clouds, DIRECTIONS, seed, parts);
    let values =
        alone.into_iter().zip(kernel).zip(sliced).filter_map(|((alone, kernel), sliced)| {
            alone.map(|[frechet, null, approximate]| {
                vec![frechet, null, kernel, sliced, approximate]
            })
        });
    values.collect()
}

/// Some rows of either side.
fn select(clouds: Clouds<'_>, rows: &Sides<Vec<usize>>) -> Sides<Matrix> {
    Sides {
        reference: clouds.reference().select(&rows.reference),
        model: clouds.model().select(&rows.model),
    }
}

fn diversity(clouds: Clouds<'_>, options: &ScoreOptions) -> Result<Named, ScoreError> {
    let or_nan = |score: f64| if score.is_finite() { score } else { f64::NAN };
    let orders = [&[1.0], &VENDI_ORDERS[..]].concat();
    let model = vendi(clouds.model(), &orders)?;
    let reference = vendi(clouds.reference(), &[1.0])?;
    let mut named =
        named([("vendi_score", or_nan(model[0])), ("vendi_score_reference", or_nan(reference[0]))]);
    if options.metrics.has(Family::Extra) {
        let at = VENDI_ORDERS.iter().zip(&model[1..]);
        named.extend(at.map(|(order, score)| (format!("vendi_score@{order}"), or_nan(*score))));
    }
    Ok(named)
}

pub(super) fn named<const N: usize>(values: [(&str, f64); N]) -> Named {
    values.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
