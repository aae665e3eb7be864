//! PR-curves: precision-like `α_λ` against recall-like `β_λ` over all slopes `λ`.
//!
//! A curve comes from shares over common bins ([`pr_curve`]) or from any score of texts
//! (an envelope); the summaries are the same.

use std::f64::consts::FRAC_PI_2;

use super::spec::{Better, Family, Null, Parameter, Range, Spec, Truth};
use crate::data::sides::Sides;

/// [`Summary::max_f8_recall`].
pub const MAX_F8_RECALL: Spec = Spec {
    name: "max_f8_recall",
    title: "Largest F₈ of the PR-curve",
    family: Family::Curve,
    range: Range::Unit,
    better: Better::Higher,
    null: Null::BALLS,
    truth: &[Truth::Recall],
    cost: "k-means, then O((bins + slopes) log bins)",
    parameter: None,
};
/// [`Summary::max_f1_8_precision`].
pub const MAX_F1_8_PRECISION: Spec = Spec {
    name: "max_f1_8_precision",
    title: "Largest F⅛ of the PR-curve",
    truth: &[Truth::Precision],
    ..MAX_F8_RECALL
};
/// [`Point::alpha`].
pub const ALPHA: Spec = Spec {
    name: "alpha",
    title: "α of the PR-curve",
    range: Range::Slope,
    truth: &[Truth::Overlap],
    parameter: Some(Parameter::Slope),
    ..MAX_F8_RECALL
};
/// [`Point::beta`].
pub const BETA: Spec = Spec {
    name: "beta",
    title: "β of the PR-curve",
    range: Range::InverseSlope,
    truth: &[],
    ..ALPHA
};
/// [`pr_divergence`].
pub const PR_DIVERGENCE: Spec = Spec {
    name: "pr_divergence",
    title: "PR-divergence",
    better: Better::Lower,
    truth: &[],
    ..ALPHA
};

/// The point of a PR-curve at one slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// `λ > 0`: how much a unit of `P` weighs against a unit of `Q`.
    pub lambda: f64,
    /// `α = Σ min(λp, q)`, in `[0, min(λ, 1)]`: the precision-like coordinate.
    pub alpha: f64,
    /// `β = α/λ`, in `[0, min(1, 1/λ)]`: the recall-like coordinate.
    pub beta: f64,
}

impl Point {
    /// The point at slope `lambda` with precision `alpha`; both coordinates are cut to `[0, 1]`,
    /// which they leave by rounding alone.
    pub fn new(lambda: f64, alpha: f64) -> Self {
        Self { lambda, alpha: alpha.clamp(0.0, 1.0), beta: (alpha / lambda).clamp(0.0, 1.0) }
    }

    /// `F_b = (1 + b²) α β / (b² α + β)`: recall counts `b` times as much as precision.
    ///
    /// As in Sajjadi's code `10⁻¹⁰` is added to the denominator, so the F-score of `(0, 0)` is 0.
    pub fn f_b(self, b: f64) -> f64 {
        let Self { alpha, beta, .. } = self;
        (1.0 + b * b) * alpha * beta / (b * b * alpha + beta + 1e-10)
    }
}

/// The points of the PR-curve of two distributions at the slopes `lambdas`; higher is better.
///
/// ```text
/// α_λ = Σ min(λp, q),  β_λ = Σ min(p, q/λ) = α_λ/λ
/// ```
///
/// As `λ → ∞`, `α` becomes precision (the mass of `Q` where `P` has any); as `λ → 0`, `β` becomes recall.
///
/// # Arguments
///
/// * `shares`: `P` and `Q` over the same bins, each summing to 1, as from [`super::histogram::shares`].
/// * `lambdas`: positive slopes, as from [`sajjadi_lambdas`] or [`verine_lambdas`].
///
/// # Cost and sources
///
/// `O((bins + slopes) log bins)`, for few slopes `O(bins · slopes)`. Sajjadi et al. 2018, arXiv:1806.00035; Simon et al. 2019, arXiv:1905.05441.
/// Checked against both authors' code.
///
/// # Example
///
/// ```
/// # use llmpr::{data::sides::Sides, metric::curve::pr_curve};
/// // Q writes only the first of two equally common kinds of text.
/// let shares = Sides { reference: &[0.5, 0.5][..], model: &[1.0, 0.0][..] };
/// let points = pr_curve(shares, &[0.1, 1.0, 10.0]);
/// assert_eq!(points[0].beta, 0.5); // recall: half of P is never written
/// assert_eq!(points[2].alpha, 1.0); // precision: all of Q is plausible
/// ```
pub fn pr_curve(shares: Sides<&[f64]>, lambdas: &[f64]) -> Vec<Point> {
    let Sides { reference: p, model: q } = shares;
    if lambdas.len() < MANY {
        let alpha = |lambda: f64| p.iter().zip(q).map(|(p, q)| (lambda * p).min(*q)).sum();
        return lambdas.iter().map(|&lambda| Point::new(lambda, alpha(lambda))).collect();
    }
    let ratios = Ratios::of(p, q);
    lambdas.iter().map(|&lambda| Point::new(lambda, ratios.alpha(lambda))).collect()
}

/// Slopes for which bins are worth sorting.
const MANY: usize = 32;

/// Bins by `q/p`, ascending: `Σ min(λp, q)` is that of the `q` up to the slope and of the `λp` behind it.
struct Ratios {
    ratios: Vec<f64>,
    /// `Σ q` of the bins in front of each, and of all.
    in_front: Vec<f64>,
    /// `Σ p` of each bin and of those behind it, and of none.
    behind: Vec<f64>,
}

impl Ratios {
    fn of(p: &[f64], q: &[f64]) -> Self {
        // A bin that neither side has adds nothing, and has no ratio.
        let bins = p.iter().zip(q).filter(|&(&p, &q)| p > 0.0 || q > 0.0);
        let mut bins: Vec<(f64, f64, f64)> = bins.map(|(&p, &q)| (q / p, p, q)).collect();
        bins.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut in_front, mut behind) = (vec![0.0; bins.len() + 1], vec![0.0; bins.len() + 1]);
        for (at, (_, _, q)) in bins.iter().enumerate() {
            in_front[at + 1] = in_front[at] + q;
        }
        for (at, (_, p, _)) in bins.iter().enumerate().rev() {
            behind[at] = behind[at + 1] + p;
        }
        Self { ratios: bins.into_iter().map(|(ratio, ..)| ratio).collect(), in_front, behind }
    }

    fn alpha(&self, lambda: f64) -> f64 {
        let at = self.ratios.partition_point(|&ratio| ratio <= lambda);
        // Nothing is behind an infinite slope, and infinitely often nothing is no number.
        let behind = if at == self.ratios.len() { 0.0 } else { lambda * self.behind[at] };
        self.in_front[at] + behind
    }
}

/// The PR-divergence `D_λ(P‖Q) = Σ max(λp, q) − max(λ, 1)`, of generator `max(λu, 1) − max(λ, 1)`;
/// 0 where the curve touches its upper bound, at most `min(λ, 1)`.
///
/// ```text
/// α_λ = min(1, λ) − D_λ(P‖Q),   β_λ = min(1, 1/λ) − D_{1/λ}(Q‖P)
/// ```
///
/// `shares` are as for [`pr_curve`]. Verine et al. 2023, arXiv:2305.18910.
///
/// # Example
///
/// ```
/// # use llmpr::metric::curve::pr_divergence;
/// # use llmpr::data::sides::Sides;
/// let shares = Sides { reference: &[0.5, 0.5][..], model: &[1.0, 0.0][..] };
/// assert_eq!(pr_divergence(shares, 1.0), 0.5); // total variation
/// assert_eq!(pr_divergence(shares, 2.0), 0.0); // α is 1 there: all of Q is plausible
/// ```
pub fn pr_divergence(shares: Sides<&[f64]>, lambda: f64) -> f64 {
    let Sides { reference: p, model: q } = shares;
    let above: f64 = p.iter().zip(q).map(|(p, q)| (lambda * p).max(*q)).sum();
    (above - lambda.max(1.0)).max(0.0)
}

/// Slopes `tan θ` at `angles` equally spaced `θ` from `10⁻¹⁰` to `π/2 − 10⁻¹⁰`.
///
/// Sajjadi et al. 2018 take 1001.
pub fn sajjadi_lambdas(angles: usize) -> Vec<f64> {
    let (first, last) = (1e-10, FRAC_PI_2 - 1e-10);
    let step = (last - first) / (angles.max(2) - 1) as f64;
    let angle = |i| if i + 1 == angles { last } else { first + i as f64 * step };
    (0..angles).map(|i| f64::tan(angle(i))).collect()
}

/// Slopes `tan(iπ / (2(angles + 1)))` for `i = 1..=angles`: no end points.
///
/// The code of Verine et al. 2023 and of Le Bronnec et al. 2024 takes 999.
pub fn verine_lambdas(angles: usize) -> Vec<f64> {
    let quarter = 2.0 * (angles + 1) as f64;
    (1..=angles).map(|i| f64::tan(i as f64 * std::f64::consts::PI / quarter)).collect()
}

/// A PR-curve in two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The largest `F_8` of the curve: recall counts eight times as much.
    pub max_f8_recall: f64,
    /// The largest `F_⅛`: precision counts eight times as much.
    pub max_f1_8_precision: f64,
}

/// The largest `F_8` and `F_⅛` over `points`; both 0 where there are none.
///
/// Sajjadi et al. 2018 summarise a curve so.
///
/// # Example
///
/// ```
/// # use llmpr::metric::curve::pr_curve;
/// # use llmpr::metric::curve::summary;
/// # use llmpr::data::sides::Sides;
/// let shares = Sides { reference: &[0.5, 0.5][..], model: &[1.0, 0.0][..] };
/// // (α, β) = (0.05, 0.5), (0.5, 0.5), (1, 0.1); 10⁻¹⁰ in the denominator moves the tenth digit.
/// let summary = summary(&pr_curve(shares, &[0.1, 1.0, 10.0]));
/// assert!((summary.max_f8_recall - 0.5).abs() < 1e-9); // 65 · 0.25 / (64 · 0.5 + 0.5)
/// assert!((summary.max_f1_8_precision - 6.5 / 7.4).abs() < 1e-9); // (1 + 1/64) · 0.1 / (1/64 + 0.1)
/// ```
pub fn summary(points: &[Point]) -> Summary {
    Summary { max_f8_recall: max_f_b(points, 8.0), max_f1_8_precision: max_f_b(points, 0.125) }
}

/// The largest [`Point::f_b`] over `points`; 0 where there are none.
pub fn max_f_b(points: &[Point], b: f64) -> f64 {
    points.iter().map(|point| point.f_b(b)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
    const Q: [f64; 4] = [0.1, 0.2, 0.3, 0.4];

    fn case() -> Sides<&'static [f64]> {
        Sides { reference: &P, model: &Q }
    }

    #[test] // closed form
    fn four_bins_in_reversed_order_have_the_curve_done_by_hand() {
        let lambdas = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0];
        let alphas = [0.1, 0.25, 0.4, 0.6, 0.8, 1.0];
        for (point, alpha) in pr_curve(case(), &lambdas).iter().zip(alphas) {
            assert!((point.alpha - alpha).abs() < 1e-15, "{point:?}, expected {alpha}");
        }
        let points = pr_curve(case(), &verine_lambdas(999));
        let Summary { max_f8_recall, max_f1_8_precision } = summary(&points);
        assert!((max_f8_recall - 0.95579).abs() < 5e-6, "{max_f8_recall}");
        assert!((max_f1_8_precision - 0.95579).abs() < 5e-6, "{max_f1_8_precision}");
    }

    #[test]
    fn both_coordinates_follow_from_the_pr_divergence() {
        for lambda in [0.1, 0.4, 1.0, 2.5, 10.0] {
            let point = pr_curve(case(), &[lambda])[0];
            let alpha = lambda.min(1.0) - pr_divergence(case(), lambda);
            let beta = (1.0 / lambda).min(1.0) - pr_divergence(case().swapped(), 1.0 / lambda);
            assert!((point.alpha - alpha).abs() < 1e-14, "{point:?}, {alpha}");
            assert!((point.beta - beta).abs() < 1e-14, "{point:?}, {beta}");
        }
    }

    #[test]
    fn equal_distributions_touch_the_corner() {
        let same = Sides { reference: &P[..], model: &P[..] };
        for point in pr_curve(same, &sajjadi_lambdas(101)) {
            assert!((point.alpha - point.lambda.min(1.0)).abs() < 1e-15, "{point:?}");
        }
    }

    #[test]
    fn a_point_is_the_sum_over_bins_that_its_definition_says() {
        let mut rng = crate::rng::named(4, "curve");
        let mut draw = || -> Vec<f64> {
            let counts: Vec<f64> =
                (0..30).map(|_| crate::rng::next_below(&mut rng, 4) as f64).collect();
            let total: f64 = counts.iter().sum();
            counts.iter().map(|count| count / total).collect()
        };
        let (p, q) = (draw(), draw());
        let shares = Sides { reference: &p[..], model: &q[..] };
        let mut lambdas = sajjadi_lambdas(101);
        lambdas.extend([2.0, 0.5, f64::INFINITY]);
        for point in pr_curve(shares, &lambdas) {
            let sum: f64 = p.iter().zip(&q).map(|(p, q)| (point.lambda * p).min(*q)).sum();
            assert!((point.alpha - sum).abs() < 1e-14, "{point:?}, {sum}");
        }
    }

    #[test]
    fn disjoint_distributions_score_zero_not_nan() {
        let apart = Sides { reference: &[1.0, 0.0][..], model: &[0.0, 1.0][..] };
        let Summary { max_f8_recall, max_f1_8_precision } =
            summary(&pr_curve(apart, &verine_lambdas(999)));
        assert_eq!((max_f8_recall, max_f1_8_precision), (0.0, 0.0));
    }
}
