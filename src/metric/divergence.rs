//! f-divergences: from shares, and from any PR-curve by one integral.

mod specs;

pub use specs::*;
use std::f64::consts::LN_2;

use super::spec::Spec;
use crate::data::sides::Sides;

/// An f-divergence `D_f(P‖Q) = Σ q f(p/q)`, with `f` convex and `f(1) = 0` (but for [`Gan`](Self::Gan)).
///
/// | divergence | `f(u)` | `f*(t)` | `T*(r)`, `r = p/q` |
/// |---|---|---|---|
/// | `Kl` | `u ln u` | `e^{t−1}` | `1 + ln r` |
/// | `ReverseKl` | `−ln u` | `−1 − ln(−t)`, `t < 0` | `−1/r` |
/// | `Js` | `½(u ln u − (u+1) ln((u+1)/2))` | `−½ ln(2 − e^{2t})`, `t < ½ ln 2` | `½ ln(2r/(1+r))` |
/// | `Chi2` (Pearson) | `(u − 1)²` | `t²/4 + t`, `t ≥ −2` | `2(r − 1)` |
/// | `NeymanChi2` | `(u − 1)²/u` | `2 − 2√(1 − t)`, `t ≤ 1` | `1 − 1/r²` |
/// | `Hellinger2` | `½(√u − 1)²` | `t/(1 − 2t)`, `t < ½` | `½(1 − r^{−½})` |
/// | `Tv` | `½\|u − 1\|` | `t`, `\|t\| ≤ ½` | `½ sign(r − 1)` |
/// | `Gan` | `u ln u − (u+1) ln(u+1)` | `−ln(1 − e^t)`, `t < 0` | `ln(r/(1+r))` |
/// | `FrontierIntegral` | `(u+1)/2 − u ln u/(u−1)` | | |
/// | `Alpha(a)` | `(u^a − au + a − 1)/(a(a−1))` | `((1 + (a−1)t)^{a/(a−1)} − 1)/a` | `(r^{a−1} − 1)/(a−1)` |
/// | `Pr(λ)` | `max(λu, 1) − max(λ, 1)` | `t/λ − 1 + max(λ, 1)`, `0 ≤ t ≤ λ` | `λ·1{r > 1/λ}` |
///
/// The dual bound is `D_f ≥ E_P T − E_Q f*(T)`, with equality at `T = T*(p/q) = f'(p/q)`. `Js` and `Hellinger2`
/// carry the factor ½ that makes them at most `ln 2` and 1; `Gan = 2 Js − ln 4` is the
/// value of the discriminator's game. `Alpha` is KL at 1 and reverse KL at 0.
/// Nowozin et al. 2016, arXiv:1606.00709; Verine et al. 2023, arXiv:2305.18910.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Divergence {
    /// `KL(P‖Q) = Σ p ln(p/q)`: infinite where `Q` misses texts of `P`.
    Kl,
    /// `KL(Q‖P)`: infinite where `Q` writes what `P` never does.
    ReverseKl,
    /// Jensen–Shannon: `½ KL(P‖M) + ½ KL(Q‖M)`, `M = (P+Q)/2`; at most `ln 2`.
    Js,
    /// Pearson: `Σ (p − q)²/q`.
    Chi2,
    /// Neyman: `Σ (p − q)²/p`.
    NeymanChi2,
    /// Squared Hellinger distance `½ Σ (√p − √q)²`, at most 1.
    Hellinger2,
    /// Total variation `½ Σ |p − q|`, at most 1.
    Tv,
    /// `2 Js − ln 4`: what the best discriminator reaches.
    Gan,
    /// Frontier integral of Liu et al. 2021, arXiv:2106.07898, at most 1.
    FrontierIntegral,
    /// Cressie–Read family by order `a`.
    Alpha(f64),
    /// PR-divergence at slope `λ > 0`.
    Pr(f64),
}

use Divergence::{
    Alpha, Chi2, FrontierIntegral, Gan, Hellinger2, Js, Kl, NeymanChi2, Pr, ReverseKl, Tv,
};

impl Divergence {
    /// Those that a score reports.
    pub const NAMED: [(&'static Spec, Self); 6] = [
        (&KL, Self::Kl),
        (&REVERSE_KL, Self::ReverseKl),
        (&JS, Self::Js),
        (&CHI2, Self::Chi2),
        (&HELLINGER2, Self::Hellinger2),
        (&TV, Self::Tv),
    ];
    /// The same of smoothed shares.
    pub const SMOOTHED: [(&'static Spec, Self); 6] = [
        (&KL_SMOOTHED, Self::Kl),
        (&REVERSE_KL_SMOOTHED, Self::ReverseKl),
        (&JS_SMOOTHED, Self::Js),
        (&CHI2_SMOOTHED, Self::Chi2),
        (&HELLINGER2_SMOOTHED, Self::Hellinger2),
        (&TV_SMOOTHED, Self::Tv),
    ];
    /// Lower bounds of them by a classifier.
    pub const BOUNDS: [(&'static Spec, Self); 6] = [
        (&KL_BOUND, Self::Kl),
        (&REVERSE_KL_BOUND, Self::ReverseKl),
        (&JS_BOUND, Self::Js),
        (&CHI2_BOUND, Self::Chi2),
        (&HELLINGER2_BOUND, Self::Hellinger2),
        (&TV_BOUND, Self::Tv),
    ];

    /// `D_f(P‖Q)` of two distributions over the same bins, in nats; `inf` where it is infinite.
    ///
    /// # Example
    ///
    /// ```
    /// # use llmpr::{data::sides::Sides, metric::divergence::Divergence};
    /// let shares = Sides { reference: &[0.5, 0.5][..], model: &[1.0, 0.0][..] };
    /// assert_eq!(Divergence::Tv.between(shares), 0.5);
    /// assert_eq!(Divergence::Kl.between(shares), f64::INFINITY); // half of P has no share in Q
    /// assert_eq!(Divergence::ReverseKl.between(shares), 2f64.ln());
    /// ```
    pub fn between(self, shares: Sides<&[f64]>) -> f64 {
        let Sides { reference, model } = shares;
        reference.iter().zip(model).map(|(&p, &q)| self.term(p, q)).sum()
    }

    /// What a bin of shares `p`, `q` adds: `q f(p/q)`, by its limits where a share is 0.
    pub fn term(self, p: f64, q: f64) -> f64 {
        if p == 0.0 && q == 0.0 {
            return 0.0;
        }
        match self {
            Kl => p_ln_ratio(p, q),
            ReverseKl => p_ln_ratio(q, p),
            Js => 0.5 * (p_ln_ratio(p, (p + q) / 2.0) + p_ln_ratio(q, (p + q) / 2.0)),
            Gan => p_ln_ratio(p, p + q) + p_ln_ratio(q, p + q),
            Chi2 => (p - q).powi(2) / q,
            NeymanChi2 => (p - q).powi(2) / p,
            Hellinger2 => 0.5 * (p.sqrt() - q.sqrt()).powi(2),
            Tv => 0.5 * (p - q).abs(),
            FrontierIntegral => frontier_term(p, q),
            Alpha(1.0) => p_ln_ratio(p, q) - p + q,
            Alpha(0.0) => p_ln_ratio(q, p) - q + p,
            Alpha(a) => alpha_term(p, q, a),
            Pr(lambda) => (lambda * p).max(q) - lambda.max(1.0) * q,
        }
    }

    /// The generator `f(u)`, `u ≥ 0`.
    pub fn f(self, u: f64) -> f64 {
        self.term(u, 1.0)
    }

    /// `f*(t) = sup_u ut − f(u)`: `inf` outside its domain, `None` where no closed form is known.
    pub fn conjugate(self, t: f64) -> Option<f64> {
        let inside = |domain: bool, value: f64| Some(if domain { value } else { f64::INFINITY });
        match self {
            Kl => Some((t - 1.0).exp()),
            ReverseKl => inside(t < 0.0, -1.0 - (-t).ln()),
            Js => inside(t < LN_2 / 2.0, -0.5 * (2.0 - (2.0 * t).exp()).ln()),
            Gan => inside(t < 0.0, -(-t.exp()).ln_1p()),
            // Below the least slope of f the best u is 0, and f(0) = 1.
            Chi2 => Some(if t >= -2.0 { t * t / 4.0 + t } else { -1.0 }),
            NeymanChi2 => inside(t <= 1.0, 2.0 - 2.0 * (1.0 - t).sqrt()),
            Hellinger2 => inside(t < 0.5, t / (1.0 - 2.0 * t)),
            Tv => inside(t <= 0.5, t.max(-0.5)),
            FrontierIntegral => None,
            Alpha(1.0) => Some(t.exp() - 1.0),
            Alpha(0.0) => inside(t < 1.0, -(-t).ln_1p()),
            Alpha(a) => {
                let base = 1.0 + (a - 1.0) * t;
                if a > 1.0 {
                    Some((base.max(0.0).powf(a / (a - 1.0)) - 1.0) / a)
                } else {
                    inside(base > 0.0, (base.powf(a / (a - 1.0)) - 1.0) / a)
                }
            }
            Pr(lambda) => inside(t <= lambda, t.max(0.0) / lambda - 1.0 + lambda.max(1.0)),
        }
    }

    /// The best witness `T*(r) = f'(r)` at the density ratio `r = p/q`; `None` where none is listed.
    pub fn witness(self, r: f64) -> Option<f64> {
        match self {
            Kl => Some(1.0 + r.ln()),
            ReverseKl => Some(-1.0 / r),
            Js => Some(0.5 * (2.0 / (1.0 + 1.0 / r)).ln()),
            Gan => Some(-(1.0 / r).ln_1p()),
            Chi2 => Some(2.0 * (r - 1.0)),
            NeymanChi2 => Some(1.0 - 1.0 / (r * r)),
            Hellinger2 => Some(0.5 * (1.0 - 1.0 / r.sqrt())),
            Tv => Some(if r > 1.0 { 0.5 } else { -0.5 }),
            FrontierIntegral => None,
            Alpha(1.0) => Some(r.ln()),
            Alpha(0.0) => Some(1.0 - 1.0 / r),
            Alpha(a) => Some((r.powf(a - 1.0) - 1.0) / (a - 1.0)),
            Pr(lambda) => Some(if r * lambda > 1.0 { lambda } else { 0.0 }),
        }
    }

    /// `f''(u)`, `u > 0`; `None` where `f` has a kink instead of a curvature (`Tv`, `Pr`).
    pub fn curvature(self, u: f64) -> Option<f64> {
        match self {
            Kl => Some(1.0 / u),
            ReverseKl => Some(1.0 / (u * u)),
            Js => Some(0.5 / (u * (u + 1.0))),
            Gan => Some(1.0 / (u * (u + 1.0))),
            Chi2 => Some(2.0),
            NeymanChi2 => Some(2.0 / u.powi(3)),
            Hellinger2 => Some(0.25 * u.powf(-1.5)),
            FrontierIntegral => Some(frontier_curvature(u)),
            Alpha(a) => Some(u.powf(a - 2.0)),
            Tv | Pr(_) => None,
        }
    }

    /// `D_f(P‖Q)` from a PR-curve alone, in nats.
    ///
    /// ```text
    /// D_f = f(1) + ∫_0^∞ λ⁻³ f''(1/λ) D_λ dλ,   D_λ = min(1, λ) − α_λ
    /// ```
    ///
    /// so one curve gives every divergence. `Tv` is `1 − α_1` and `Pr(λ)` is `D_λ`. `deficit(λ) = D_λ` is asked for
    /// in place of `α_λ` because where the curve nears its bound the difference of the two would lose its digits.
    /// For a curve known by points or by thresholds use [`super::envelope::Envelope::shares`] with
    /// [`Self::between`], which is exact.
    ///
    /// The integral runs over `ln λ` in panels of a Gauss–Legendre rule from `e^{−60}` to `e^{60}`, split at `λ = 1`
    /// where `min(1, λ)` has its kink. What lies beyond is left out, so an infinite divergence comes out large.
    ///
    /// # Cost and sources
    ///
    /// 3840 calls of `deficit`. Verine et al. 2023, arXiv:2305.18910.
    pub fn from_curve(self, deficit: impl Fn(f64) -> f64) -> f64 {
        match self {
            Tv => return deficit(1.0),
            Pr(lambda) => return deficit(lambda),
            _ => {}
        }
        let weight = |u: f64| self.curvature(u).unwrap_or(0.0);
        // dλ = λ ds with s = ln λ; λ⁻² f''(1/λ) D_λ ds
        let integrand = |s: f64| {
            let lambda = s.exp();
            let shortfall = deficit(lambda);
            if shortfall > 0.0 { weight(1.0 / lambda) * shortfall / (lambda * lambda) } else { 0.0 }
        };
        self.f(1.0) + panels(integrand, -60.0, 0.0, 240) + panels(integrand, 0.0, 60.0, 240)
    }
}

/// Rényi divergence of order `a ≠ 1`: `ln(Σ p^a q^{1−a}) / (a − 1)`, in nats; KL at `a = 1`.
///
/// `shares` are as for [`Divergence::between`].
///
/// # Example
///
/// ```
/// # use llmpr::metric::divergence::renyi;
/// # use llmpr::data::sides::Sides;
/// let shares = Sides { reference: &[0.5, 0.5][..], model: &[0.25, 0.75][..] };
/// // Σ p²/q = 1 + 1/3
/// assert!((renyi(shares, 2.0) - (4f64 / 3.0).ln()).abs() < 1e-15);
/// ```
pub fn renyi(shares: Sides<&[f64]>, a: f64) -> f64 {
    if a == 1.0 {
        return Kl.between(shares);
    }
    let Sides { reference, model } = shares;
    let affinity: f64 = reference.iter().zip(model).map(|(&p, &q)| power_mean(p, q, a)).sum();
    affinity.ln() / (a - 1.0)
}

/// `p ln(p/q)`, 0 for `p = 0`.
pub(crate) fn p_ln_ratio(p: f64, q: f64) -> f64 {
    if p == 0.0 { 0.0 } else { p * (p / q).ln() }
}

/// `p^a q^{1−a}` with `0⁰ = 1` only where the other factor decides.
fn power_mean(p: f64, q: f64, a: f64) -> f64 {
    match (p == 0.0, q == 0.0) {
        (false, false) => q * (p / q).powf(a),
        (true, true) => 0.0,
        (true, false) => match a {
            a if a > 0.0 => 0.0,
            0.0 => q,
            _ => f64::INFINITY,
        },
        (false, true) => match a {
            a if a < 1.0 => 0.0,
            1.0 => p,
            _ => f64::INFINITY,
        },
    }
}

fn alpha_term(p: f64, q: f64, a: f64) -> f64 {
    (power_mean(p, q, a) - a * p + (a - 1.0) * q) / (a * (a - 1.0))
}

/// `(p + q)/2 − p q ln(p/q)/(p − q)`, without cancellation where the shares are close.
fn frontier_term(p: f64, q: f64) -> f64 {
    if p == 0.0 || q == 0.0 {
        return p.max(q) / 2.0;
    }
    // With p, q = m(1 ± x): m − m(1−x²) artanh(x)/x, and artanh(x)/x = 1 + x²/3 + x⁴/5 + …
    let m = (p + q) / 2.0;
    let x = (p - q) / (p + q);
    let x2 = x * x;
    if x2 < 1e-3 {
        return m * x2 * (2.0 / 3.0 + x2 * (2.0 / 15.0 + x2 * (2.0 / 35.0 + x2 * 2.0 / 63.0)));
    }
    m - p * q * (p / q).ln() / (p - q)
}

/// Second derivative of `(u+1)/2 − u ln u/(u−1)`.
fn frontier_curvature(u: f64) -> f64 {
    let h = u - 1.0;
    if h.abs() < 1e-2 {
        // (u²−1−2u ln u)/(u(u−1)³) = 1/3 − h/2 + 3h²/5 − 2h³/3 + 5h⁴/7 − …, coefficients k/(k+2)
        let series = |k: i32| f64::from(k) / f64::from(k + 2);
        return (1..=9).rev().fold(0.0, |sum, k| series(k) - h * sum);
    }
    (u * u - 1.0 - 2.0 * u * u.ln()) / (u * h.powi(3))
}

/// Composite 8-point Gauss–Legendre rule.
fn panels(f: impl Fn(f64) -> f64, from: f64, to: f64, panels: usize) -> f64 {
    const NODES: [(f64, f64); 4] = [
        (0.183_434_642_495_649_8, 0.362_683_783_378_362),
        (0.525_532_409_916_329, 0.313_706_645_877_887_3),
        (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
        (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
    ];
    let half = (to - from) / (2.0 * panels as f64);
    let panel = |i: usize| {
        let middle = from + (2 * i + 1) as f64 * half;
        let pair = |(x, w): (f64, f64)| w * (f(middle - half * x) + f(middle + half * x));
        NODES.map(pair).iter().sum::<f64>()
    };
    half * (0..panels).map(panel).sum::<f64>()
}

#[cfg(test)]
mod tests;
