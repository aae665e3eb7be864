//! TopP&R: precision and recall on what is dense enough not to be noise.

use rayon::prelude::*;

use super::spec::{Better, Family, Null, Range, Spec};
use crate::{
    cloud::{Clouds, MetricError},
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
    math::quantile::quantiles,
    rng,
};

/// Precision of [`top_pr`].
pub const TOP_PRECISION: Spec = Spec {
    name: "top_precision",
    title: "TopP&R precision",
    family: Family::Extra,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[],
    cost: "O((n + m)² d)",
    parameter: None,
};
/// Recall of [`top_pr`].
pub const TOP_RECALL: Spec = Spec { name: "top_recall", title: "TopP&R recall", ..TOP_PRECISION };
/// Harmonic mean of [`TOP_PRECISION`] and [`TOP_RECALL`].
pub const TOP_F1: Spec = Spec { name: "top_f1", title: "TopP&R F₁", ..TOP_PRECISION };

/// Settings of [`top_pr`]; the default holds the authors'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopOptions {
    /// Rows of more columns are first multiplied by a random matrix of this many rows.
    pub dim: usize,
    /// Resamples that set the threshold.
    pub bootstraps: usize,
    /// Share of resamples whose largest deviation the threshold exceeds is `1 − level`.
    pub level: f64,
    /// Of the projection and the resamples.
    pub seed: u64,
}

impl Default for TopOptions {
    fn default() -> Self {
        Self { dim: 32, bootstraps: 10, level: 0.1, seed: 0 }
    }
}

/// Topological precision and recall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopPr {
    /// Share of `Q`'s dense rows that are dense in `P`; `None` where `Q` has no dense rows.
    pub precision: Option<f64>,
    /// Share of `P`'s dense rows that are dense in `Q`; `None` where `P` has no dense rows.
    pub recall: Option<f64>,
    /// Bandwidths of the two density estimates.
    pub bandwidths: Sides<f64>,
    /// Thresholds above which a row is dense.
    pub thresholds: Sides<f64>,
}

/// Topological precision and recall of `Q` against `P`; higher is better.
///
/// ```text
/// kde(x)    ∝ (π/4h)^d / n Σ_{‖x − x_i‖ ≤ h} cos(π/2 · ‖x − x_i‖/h)
/// c         = (1 − level)-quantile over resamples of max_i |kde(x_i) − kde*(x_i)|
/// precision = |{ y ∈ Q : kde_Q(y) > c_Q, kde_P(y) > c_P }| / |{ y ∈ Q : kde_Q(y) > c_Q }|
/// ```
///
/// with `h` the median distance to the `5d`-th neighbor among later rows, as in the authors' package: it
/// depends on the order of rows.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] for a cloud of `5d + 1` rows or fewer.
///
/// # Cost and sources
///
/// `O((n + m)² d)`, `O((n + m) d)` memory. Kim et al. 2023, arXiv:2306.08013; densities agree with `top-pr`
/// 0.2.1, thresholds in distribution.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::topological::TopOptions;
/// # use llmpr::metric::topological::top_pr;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let ten = |from: f32| line(&(0..10).map(|i| from + i as f32).collect::<Vec<_>>());
/// let sets = Sides { reference: ten(0.0), model: ten(100.0) };
/// let scores = top_pr(Clouds::new(sets.as_ref())?, &TopOptions::default())?;
/// assert_eq!(scores.bandwidths.reference, 5.0); // the fifth of the later rows is 5 away
/// assert_eq!((scores.precision, scores.recall), (Some(0.0), Some(0.0))); // no dense row of one is in the other
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn top_pr(clouds: Clouds<'_>, options: &TopOptions) -> Result<TopPr, MetricError> {
    let axes =
        (clouds.dim() > options.dim).then(|| gaussian(options.dim * clouds.dim(), options.seed));
    top_pr_along(clouds, axes.as_deref(), options)
}

/// [`top_pr`] with the rows first multiplied by given axes, one after the other.
///
/// # Errors
///
/// Those of [`top_pr`].
pub fn top_pr_along(
    clouds: Clouds<'_>,
    axes: Option<&[f64]>,
    options: &TopOptions,
) -> Result<TopPr, MetricError> {
    let sides = clouds.sides();
    let density = |side: Side| Density::fit(sides.get(side), side, axes);
    let Sides { reference: p, model: q } =
        Sides { reference: density(Side::Reference)?, model: density(Side::Model)? };
    let own = Sides { reference: p.at(&p.rows), model: q.at(&q.rows) };
    let mut rng = rng::named(options.seed, "top-pr resamples");
    let thresholds = Sides {
        reference: p.threshold(&own.reference, options, &mut rng),
        model: q.threshold(&own.model, options, &mut rng),
    };
    let share = |own: &[f64], limit: f64, other: Vec<f64>, other_limit: f64| {
        let dense = own.iter().zip(other).filter(|&(&own, _)| own > limit);
        let (mut all, mut shared) = (0, 0);
        for (_, other) in dense {
            all += 1;
            shared += usize::from(other > other_limit);
        }
        (all > 0).then(|| f64::from(all as u32).recip() * shared as f64)
    };
    Ok(TopPr {
        precision: share(&own.model, thresholds.model, p.at(&q.rows), thresholds.reference),
        recall: share(&own.reference, thresholds.reference, q.at(&p.rows), thresholds.model),
        bandwidths: Sides { reference: p.bandwidth, model: q.bandwidth },
        thresholds: Sides {
            reference: p.scale() * thresholds.reference,
            model: q.scale() * thresholds.model,
        },
    })
}

fn gaussian(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = rng::named(seed, "top-pr projection");
    let mut draw = || {
        let (u, v) = (1.0 - rng::next_unit(&mut rng), rng::next_unit(&mut rng));
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    (0..count).map(|_| draw()).collect()
}

/// A kernel density estimate on the rows of one cloud.
pub struct Density {
    rows: Vec<f64>,
    dim: usize,
    bandwidth: f64,
}

impl Density {
    /// Fits the bandwidth to `rows`, multiplied by `axes` if given.
    ///
    /// # Errors
    ///
    /// [`MetricError::NoKthNeighbor`] for `5d + 1` rows or fewer.
    pub fn fit(rows: &Matrix, side: Side, axes: Option<&[f64]>) -> Result<Self, MetricError> {
        let d = rows.cols();
        let of_row = |i: usize| -> Vec<f64> {
            let row: Vec<f64> = rows.row_f64(i).collect();
            match axes {
                None => row,
                Some(axes) => axes
                    .chunks_exact(d)
                    .map(|axis| axis.iter().zip(&row).map(|(a, x)| a * x).sum())
                    .collect(),
            }
        };
        let dim = axes.map_or(d, |axes| axes.len() / d);
        let values: Vec<f64> = (0..rows.rows()).into_par_iter().flat_map_iter(of_row).collect();
        let (n, k) = (rows.rows(), 5 * dim);
        if n <= k + 1 {
            return Err(MetricError::NoKthNeighbor { side, n, k: k + 1 });
        }
        let kth = |i: usize| {
            let later = values[(i + 1) * dim..].chunks_exact(dim);
            let mut squared: Vec<f64> =
                later.map(|other| squared(&values[i * dim..(i + 1) * dim], other)).collect();
            *squared.select_nth_unstable_by(k - 1, f64::total_cmp).1
        };
        let mut radii: Vec<f64> = (0..n - k).into_par_iter().map(kth).collect();
        radii.sort_unstable_by(f64::total_cmp);
        let bandwidth = radii[(radii.len() / 2).saturating_sub(1)].sqrt();
        Ok(Self { rows: values, dim, bandwidth })
    }

    /// The distance at which the kernel ends.
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// The density at each of the fitted rows.
    pub fn at_own_rows(&self) -> Vec<f64> {
        self.at_rows_of(self)
    }

    /// The density of this cloud at each row of another fit.
    pub fn at_rows_of(&self, other: &Self) -> Vec<f64> {
        let scale = self.scale();
        self.at(&other.rows).into_iter().map(|sum| scale * sum).collect()
    }

    /// The density in units of [`Self::scale`], which is beyond the range of `f64` in some units of the features.
    fn at(&self, points: &[f64]) -> Vec<f64> {
        let density = |point: &[f64]| {
            let kernel = self.rows.chunks_exact(self.dim).map(|row| self.kernel(point, row));
            kernel.sum::<f64>()
        };
        points.par_chunks_exact(self.dim).map(density).collect()
    }

    fn scale(&self) -> f64 {
        let n = self.rows.len() / self.dim;
        (std::f64::consts::FRAC_PI_4 / self.bandwidth).powi(self.dim as i32) / n as f64
    }

    fn kernel(&self, x: &[f64], y: &[f64]) -> f64 {
        let squared = squared(x, y);
        if squared > self.bandwidth * self.bandwidth {
            return 0.0;
        }
        (std::f64::consts::FRAC_PI_2 * squared.sqrt() / self.bandwidth).cos()
    }

    /// The quantile over resamples of the largest deviation from `own`, the density at the rows.
    fn threshold(
        &self,
        own: &[f64],
        options: &TopOptions,
        rng: &mut rand_chacha::ChaCha8Rng,
    ) -> f64 {
        let n = own.len();
        let mut draws = vec![vec![0.0; n]; options.bootstraps.max(1)];
        for copies in &mut draws {
            (0..n).for_each(|_| copies[rng::next_below(rng, n)] += 1.0);
        }
        let deviations: Vec<Vec<f64>> = self
            .rows
            .par_chunks_exact(self.dim)
            .zip(own)
            .map(|(point, own)| {
                let mut sums = vec![0.0; draws.len()];
                for (i, row) in self.rows.chunks_exact(self.dim).enumerate() {
                    let kernel = self.kernel(point, row);
                    if kernel > 0.0 {
                        sums.iter_mut()
                            .zip(&draws)
                            .for_each(|(sum, draw)| *sum += draw[i] * kernel);
                    }
                }
                sums.iter().map(|sum| (sum - own).abs()).collect()
            })
            .collect();
        let largest = |b: usize| deviations.iter().map(|row| row[b]).fold(0.0, f64::max);
        quantiles((0..draws.len()).map(largest).collect(), &[1.0 - options.level])[0]
    }
}

fn squared(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // shares and moments of 20 000 draws within five standard deviations
    fn axes_are_drawn_from_the_normal_distribution() {
        let draws = gaussian(20_000, 3);
        let mean = |f: &dyn Fn(f64) -> f64| draws.iter().map(|&x| f(x)).sum::<f64>() / 20_000.0;
        assert!(mean(&|x| x).abs() < 0.036);
        assert!((mean(&|x| x * x) - 1.0).abs() < 0.05);
        assert!((mean(&|x| f64::from(x.abs() < 1.0)) - 0.6827).abs() < 0.0165);
    }
}
