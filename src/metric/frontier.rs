//! Divergence frontiers: MAUVE and the frontier integral.

mod specs;
mod terms;

pub use specs::*;
use std::f64::consts::FRAC_PI_2;
pub(crate) use terms::Terms;

use super::{
    divergence::{Divergence, p_ln_ratio},
    histogram::{HistogramError, Smoothing, shares},
};
use crate::data::sides::Sides;

/// Where on the frontier its mixtures lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grid {
    /// Weights equally spaced from `10⁻⁶` to `1 − 10⁻⁶`, as in `mauve-text`.
    #[default]
    Linear,
    /// Weights `cos θ` at equally spaced angles, as in the code of the MAUVE paper.
    Angular,
}

/// Which area counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Area {
    /// Mean of `∫ y dx` and `∫ x dy`, as in `mauve-text`.
    #[default]
    Mean,
    /// `∫ y dx` alone, as in the code of the MAUVE paper.
    OneSided,
}

/// How a frontier is drawn and measured. The default is that of `mauve-text` 0.4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// MAUVE's exponent `c > 0`.
    pub scaling: f64,
    /// Number of mixtures between the end points.
    pub weights: usize,
    /// Where they lie.
    pub grid: Grid,
    /// Which area counts.
    pub area: Area,
}

impl Default for Settings {
    fn default() -> Self {
        Self { scaling: 5.0, weights: 25, grid: Grid::Linear, area: Area::Mean }
    }
}

impl Settings {
    /// The weights `w` of the mixtures `R = wP + (1−w)Q`, ascending.
    fn grid(&self) -> Vec<f64> {
        let (first, last) = match self.grid {
            Grid::Linear => (1e-6, 1.0 - 1e-6),
            Grid::Angular => (FRAC_PI_2 - 1e-6, 1e-6),
        };
        let steps = self.weights.max(2) - 1;
        let at = |i: usize| {
            let t =
                if i == steps { last } else { first + i as f64 * ((last - first) / steps as f64) };
            if self.grid == Grid::Angular { t.cos() } else { t }
        };
        (0..=steps).map(at).collect()
    }
}

/// A divergence frontier: `(exp(−c KL(Q‖R_w)), exp(−c KL(P‖R_w)))` for `w` from 0 to 1.
///
/// Its first point is `(1, 0)` and its last `(0, 1)`; `x` falls and `y` rises along it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontier {
    pub(crate) points: Vec<(f64, f64)>,
    area: Area,
}

impl Frontier {
    /// The frontier of two distributions over the same bins.
    ///
    /// # Cost and sources
    ///
    /// `O(bins · weights)`. Pillutla et al. 2021, arXiv:2102.01454. Checked against `mauve-text` 0.4.0.
    pub fn of_shares(shares: Sides<&[f64]>, settings: &Settings) -> Self {
        let Sides { reference: p, model: q } = shares;
        Self::draw(settings, |w| {
            let bins = p.iter().zip(q);
            bins.fold((0.0, 0.0), |(kl_p, kl_q), (&p, &q)| {
                let r = w * p + (1.0 - w) * q;
                (kl_p + p_ln_ratio(p, r), kl_q + p_ln_ratio(q, r))
            })
        })
    }

    /// The frontier from estimated density ratios `r = p/q` at texts of either side: no clusters.
    ///
    /// ```text
    /// KL(P‖R_w) = E_P[−ln(w + (1−w)/r)],   KL(Q‖R_w) = E_Q[−ln(wr + 1 − w)]
    /// ```
    ///
    /// Both are bounded by `−ln w` and `−ln(1−w)`, so a text that one side never writes does no harm. Ratios
    /// must be positive at texts of `P` and finite at those of `Q`, and come from a classifier that did not
    /// see the texts. Where noise makes a KL negative it counts as 0.
    /// Pillutla et al. 2023, arXiv:2212.14578 (classifier and k-NN estimates).
    pub fn of_ratios(ratios: Sides<&[f64]>, settings: &Settings) -> Self {
        let mean = |of: &[f64], f: &dyn Fn(f64) -> f64| {
            of.iter().map(|&r| f(r)).sum::<f64>() / of.len() as f64
        };
        Self::draw(settings, |w| {
            let kl_p = mean(ratios.reference, &|r| -(w + (1.0 - w) / r).ln());
            let kl_q = mean(ratios.model, &|r| -(w * r + 1.0 - w).ln());
            (kl_p.max(0.0), kl_q.max(0.0))
        })
    }

    fn draw(settings: &Settings, kls: impl Fn(f64) -> (f64, f64)) -> Self {
        Self::through(settings, settings.grid().into_iter().map(kls))
    }

    /// The frontier with these `(KL(P‖R_w), KL(Q‖R_w))` at the weights in order.
    fn through(settings: &Settings, kls: impl Iterator<Item = (f64, f64)>) -> Self {
        let c = settings.scaling;
        let inner = kls.map(|(kl_p, kl_q)| ((-c * kl_q).exp(), (-c * kl_p).exp()));
        let points = std::iter::once((1.0, 0.0)).chain(inner).chain([(0.0, 1.0)]).collect();
        Self { points, area: settings.area }
    }

    /// The points, from `(1, 0)` to `(0, 1)`.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// MAUVE: the area under the frontier, in `[0, 1]`; 1 for equal distributions.
    ///
    /// The trapezoids follow the frontier from `w = 0` to `w = 1`, which sorts points of equal `x` by falling `y`.
    /// `mauve-text` leaves such ties to its sort: for one bin that both sides fill it gives 0.75 where this gives 1.
    pub fn mauve(&self) -> f64 {
        let sum = |f: &dyn Fn((f64, f64), (f64, f64)) -> f64| {
            self.points.windows(2).map(|pair| f(pair[0], pair[1])).sum::<f64>()
        };
        let y_dx = sum(&|a, b| 0.5 * (a.1 + b.1) * (a.0 - b.0));
        match self.area {
            Area::OneSided => y_dx,
            Area::Mean => 0.5 * (y_dx + sum(&|a, b| 0.5 * (a.0 + b.0) * (b.1 - a.1))),
        }
    }
}

/// Frontier integral from estimated density ratios `r = p/q` at texts of either side; lower is better.
///
/// ```text
/// FI = E_P[A(1/r)] + E_Q[A(r)],   A(s) = −2 ∫_0^1 w ln(w + (1−w)s) dw
/// ```
///
/// In `[0, 1]` up to the noise of the ratios, which are as for [`Frontier::of_ratios`].
/// Liu et al. 2021, arXiv:2106.07898.
///
/// # Example
///
/// ```
/// # use llmpr::metric::frontier::frontier_integral_of_ratios;
/// # use llmpr::data::sides::Sides;
/// let apart = Sides { reference: &[f64::INFINITY; 3][..], model: &[0.0; 2][..] };
/// assert_eq!(frontier_integral_of_ratios(apart), 1.0); // A(0) = ½ on either side
/// let equal = Sides { reference: &[1.0; 3][..], model: &[1.0; 2][..] };
/// assert_eq!(frontier_integral_of_ratios(equal), 0.0);
/// ```
pub fn frontier_integral_of_ratios(ratios: Sides<&[f64]>) -> f64 {
    let mean = |of: &[f64], sum: f64| sum / of.len() as f64;
    let Sides { reference, model } = ratios;
    mean(reference, reference.iter().map(|r| frontier_weight(1.0 / r)).sum())
        + mean(model, model.iter().map(|&r| frontier_weight(r)).sum())
}

/// `A(s) = −2 ∫_0^1 w ln(w + (1−w)s) dw`: ½ at 0, 0 at 1.
fn frontier_weight(s: f64) -> f64 {
    let h = s - 1.0;
    if h.abs() < 0.02 {
        // A(1 + h) = −2 Σ_{n≥3} (−1)^{n+1} h^{n−2} / (n(n−1)(n−2))
        let term = |n: i32| {
            let n = f64::from(n);
            1.0 / (n * (n - 1.0) * (n - 2.0))
        };
        return -2.0 * h * (3..=12).rev().fold(0.0, |sum, n| term(n) - h * sum);
    }
    let log_part = if s == 0.0 { 0.0 } else { 0.5 * s * s * s.ln() };
    -2.0 * (-0.25 + s - 0.75 * s * s + log_part) / (h * h)
}

/// MAUVE and the frontier integral of two histograms, plain and with half a text more in every bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mauve {
    /// Area under the frontier; 1 for equal distributions.
    pub mauve: f64,
    /// The same of the smoothed shares.
    pub mauve_star: f64,
    /// `2 ∫_0^1 w KL(P‖R_w) + (1−w) KL(Q‖R_w) dw`; 0 for equal distributions, at most 1.
    pub frontier_integral: f64,
    /// The same of the smoothed shares.
    pub frontier_integral_star: f64,
}

/// MAUVE, MAUVE*, FI and FI* of `P` and `Q` over the same bins.
///
/// ```text
/// R_w = wP + (1−w)Q,   MAUVE = area under {(e^{−c KL(Q‖R_w)}, e^{−c KL(P‖R_w)}) : 0 ≤ w ≤ 1}
/// FI = Σ (p+q)/2 − pq ln(p/q)/(p−q)
/// ```
///
/// Higher MAUVE and lower FI are better. With texts in bins by clustering, neither reaches its ideal at
/// `P = Q`: the ceiling depends on bins and texts alone, see [`super::nulls`].
///
/// # Errors
///
/// [`HistogramError`] when the histograms do not match or one is empty.
///
/// # Example
///
/// ```
/// # use llmpr::{metric::frontier::{Settings, mauve}, sides::Sides};
/// let apart = Sides { reference: &[5u64, 0][..], model: &[0, 5][..] };
/// let scores = mauve(apart, &Settings::default())?;
/// assert_eq!(scores.frontier_integral, 1.0);
/// assert!((scores.mauve - 0.004072).abs() < 1e-6); // no overlap at all: the least MAUVE there is
/// # Ok::<(), llmpr::metric::histogram::HistogramError>(())
/// ```
pub fn mauve(counts: Sides<&[u64]>, settings: &Settings) -> Result<Mauve, HistogramError> {
    let plain = smoothed(counts, Smoothing::None, settings)?;
    let star = smoothed(counts, Smoothing::KrichevskyTrofimov, settings)?;
    Ok(Mauve {
        mauve: plain.0,
        mauve_star: star.0,
        frontier_integral: plain.1,
        frontier_integral_star: star.1,
    })
}

/// MAUVE and the frontier integral under any smoothing of the counts. Scores use `Terms`, which is quicker for many
/// histograms of one size.
///
/// # Errors
///
/// [`HistogramError`] as for [`mauve`].
pub fn smoothed(
    counts: Sides<&[u64]>,
    smoothing: Smoothing,
    settings: &Settings,
) -> Result<(f64, f64), HistogramError> {
    let shares = shares(counts, smoothing)?;
    let shares = shares.as_ref().map(Vec::as_slice);
    let area = Frontier::of_shares(shares, settings).mauve();
    Ok((area, Divergence::FrontierIntegral.between(shares)))
}

/// The number of clusters that `mauve-text` takes: a tenth of the smaller side, at least 2.
pub fn auto_clusters(n: usize, m: usize) -> usize {
    let tenth = (n.min(m) as f64 / 10.0).round_ties_even();
    (tenth as usize).max(2)
}

/// Number of clusters of the estimate whose ceiling is 1: Sajjadi's 20, near the cube root of the usual sizes.
pub const SOUND_CLUSTERS: usize = 20;

/// Number of clusterings that the [`SOUND_CLUSTERS`] estimate averages.
pub const SOUND_CLUSTERINGS: u64 = 10;

/// The mean of each field over several clusterings of the same texts, and its standard deviation
/// over them (`ddof = 1`; 0 for a single clustering). `None` where there are none.
pub fn over_clusterings(scores: &[Mauve]) -> Option<(Mauve, Mauve)> {
    let n = scores.len() as f64;
    let spread = |field: fn(&Mauve) -> f64| {
        let mean = scores.iter().map(field).sum::<f64>() / n;
        let squares: f64 = scores.iter().map(|score| (field(score) - mean).powi(2)).sum();
        (mean, if scores.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
    };
    let of = |pick: fn((f64, f64)) -> f64| Mauve {
        mauve: pick(spread(|s| s.mauve)),
        mauve_star: pick(spread(|s| s.mauve_star)),
        frontier_integral: pick(spread(|s| s.frontier_integral)),
        frontier_integral_star: pick(spread(|s| s.frontier_integral_star)),
    };
    (!scores.is_empty()).then(|| (of(|pair| pair.0), of(|pair| pair.1)))
}

#[cfg(test)]
mod tests;
