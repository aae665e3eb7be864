//! Closed forms.

use super::Check;
use crate::{
    data::sides::Sides,
    math::special::normal_cdf,
    metric::{
        curve::{pr_curve, summary, verine_lambdas},
        divergence::Divergence,
        frontier::{Frontier, Settings},
        nulls,
        rejection::obrs_weighted,
    },
};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    reversed(&mut checks);
    half_dropped(&mut checks);
    ends_of_mauve(&mut checks);
    gaussians(&mut checks);
    rejection(&mut checks);
    checks.push(Check::new(
        "one distribution, n = m = 10⁵, k = 4",
        "coverage",
        nulls::coverage(100_000, 100_000, 4),
        0.9375,
        1e-4,
    ));
    checks
}

fn mauve(shares: Sides<&[f64]>, scaling: f64) -> f64 {
    Frontier::of_shares(shares, &Settings { scaling, ..Settings::default() }).mauve()
}

/// Four kinds of text whose shares the model reverses.
fn reversed(checks: &mut Vec<Check>) {
    const CASE: &str = "shares .4 .3 .2 .1 against .1 .2 .3 .4";
    let shares = Sides { reference: &[0.4, 0.3, 0.2, 0.1][..], model: &[0.1, 0.2, 0.3, 0.4][..] };
    for (name, divergence, expected) in [
        ("tv", Divergence::Tv, 0.4),
        ("kl", Divergence::Kl, 0.456_434_819_1),
        ("js", Divergence::Js, 0.106_440_135_3),
        ("frontier_integral", Divergence::FrontierIntegral, 0.143_763_374_0),
    ] {
        checks.push(Check::new(CASE, name, divergence.between(shares), expected, 1e-9));
    }
    checks.push(Check::new(CASE, "mauve", mauve(shares, 5.0), 0.653_854, 1e-6));
    checks.push(Check::new(CASE, "mauve, c = 1", mauve(shares, 1.0), 0.973_852, 2e-4));
    let lambdas = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0];
    for (point, alpha) in pr_curve(shares, &lambdas).iter().zip([0.1, 0.25, 0.4, 0.6, 0.8, 1.0]) {
        checks.push(Check::new(
            CASE,
            &format!("alpha@{}", point.lambda),
            point.alpha,
            alpha,
            1e-12,
        ));
    }
    let f = summary(&pr_curve(shares, &verine_lambdas(999)));
    checks.push(Check::new(CASE, "max_f8_recall", f.max_f8_recall, 0.955_79, 5e-6));
}

/// A model that never writes the second of two equally common kinds.
fn half_dropped(checks: &mut Vec<Check>) {
    const CASE: &str = "half of the modes dropped";
    let shares = Sides { reference: &[0.5, 0.5][..], model: &[1.0, 0.0][..] };
    let ln2 = std::f64::consts::LN_2;
    for (name, divergence, expected) in [
        ("tv", Divergence::Tv, 0.5),
        ("kl", Divergence::Kl, f64::INFINITY),
        ("reverse_kl", Divergence::ReverseKl, ln2),
        ("js", Divergence::Js, 0.215_761_554_3),
        ("frontier_integral", Divergence::FrontierIntegral, 1.0 - ln2),
    ] {
        checks.push(Check::new(CASE, name, divergence.between(shares), expected, 1e-9));
    }
    checks.push(Check::new(CASE, "mauve", mauve(shares, 5.0), 0.278_114, 1e-6));
    let f = summary(&pr_curve(shares, &verine_lambdas(999)));
    checks.push(Check::new(CASE, "max_f8_recall", f.max_f8_recall, 0.503_86, 5e-6));
    checks.push(Check::new(CASE, "max_f1_8_precision", f.max_f1_8_precision, 0.984_83, 5e-6));
}

/// No overlap at all, and none missing.
fn ends_of_mauve(checks: &mut Vec<Check>) {
    let apart = Sides { reference: &[1.0, 0.0][..], model: &[0.0, 1.0][..] };
    let same = Sides { reference: &[0.7, 0.3][..], model: &[0.7, 0.3][..] };
    checks.push(Check::new("no overlap", "mauve", mauve(apart, 5.0), 0.004_072, 1e-6));
    let integral = |shares| Divergence::FrontierIntegral.between(shares);
    checks.push(Check::new("no overlap", "frontier_integral", integral(apart), 1.0, 1e-12));
    let js = Divergence::Js.between(apart);
    checks.push(Check::new("no overlap", "js", js, std::f64::consts::LN_2, 1e-12));
    checks.push(Check::new("equal shares", "mauve", mauve(same, 5.0), 1.0, 1e-9));
    checks.push(Check::new("equal shares", "frontier_integral", integral(same), 0.0, 1e-12));
}

/// Unit Gaussians at distance `Δ`: `α_λ = λ Φ(−t) + Φ(t − Δ)`, `t = Δ/2 + ln λ/Δ`, and every
/// divergence from that curve by one integral.
fn gaussians(checks: &mut Vec<Check>) {
    const CASE: &str = "Gaussians one standard deviation apart";
    let alpha = |lambda: f64| {
        let t = 0.5 + lambda.ln();
        lambda * normal_cdf(-t) + normal_cdf(t - 1.0)
    };
    checks.push(Check::new(CASE, "alpha@1", alpha(1.0), 0.617_075, 1e-6));
    let deficit = |lambda: f64| (lambda.min(1.0) - alpha(lambda)).max(0.0);
    for (name, divergence, expected) in [
        ("kl from the curve", Divergence::Kl, 0.5),
        ("reverse_kl from the curve", Divergence::ReverseKl, 0.5),
        ("js from the curve", Divergence::Js, 0.111_421),
        ("hellinger2 from the curve", Divergence::Hellinger2, 0.117_503),
        ("chi2 from the curve", Divergence::Chi2, 1.718_282),
        ("frontier_integral from the curve", Divergence::FrontierIntegral, 0.151_418),
    ] {
        checks.push(Check::new(CASE, name, divergence.from_curve(deficit), expected, 2e-4));
    }
}

/// One completion in two is kept: `α` doubles while nothing is cut at 1.
fn rejection(checks: &mut Vec<Check>) {
    const CASE: &str = "one in two kept by optimal rejection";
    let shares = Sides { reference: &[0.3, 0.3, 0.4, 0.0][..], model: &[0.1, 0.2, 0.3, 0.4][..] };
    let ratios: Vec<f64> = shares.reference.iter().zip(shares.model).map(|(p, q)| p / q).collect();
    let Ok(kept) = obrs_weighted(&ratios, shares.model, 2.0) else { return };
    let refined: Vec<f64> =
        kept.acceptance.iter().zip(shares.model).map(|(a, q)| 2.0 * a * q).collect();
    let after = Sides { reference: shares.reference, model: refined.as_slice() };
    checks.push(Check::new(CASE, "mass kept", refined.iter().sum(), 1.0, 1e-12));
    for lambda in [0.1, 0.2, 0.4] {
        let (before, after) = (pr_curve(shares, &[lambda])[0], pr_curve(after, &[2.0 * lambda])[0]);
        let expected = (2.0 * before.alpha).min(1.0);
        let name = format!("alpha@{}", 2.0 * lambda);
        checks.push(Check::new(CASE, &name, after.alpha, expected, 1e-12));
    }
}
