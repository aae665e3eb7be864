use super::*;
use crate::{
    math::special::normal_cdf,
    metric::{
        curve::{pr_curve, sajjadi_lambdas},
        envelope::Envelope,
    },
};

const ALL: [Divergence; 14] = [
    Alpha(1.0),
    Alpha(0.0),
    Kl,
    ReverseKl,
    Js,
    Chi2,
    NeymanChi2,
    Hellinger2,
    Tv,
    Gan,
    FrontierIntegral,
    Alpha(0.5),
    Alpha(3.0),
    Pr(2.0),
];

fn case_a() -> Sides<&'static [f64]> {
    Sides { reference: &[0.4, 0.3, 0.2, 0.1], model: &[0.1, 0.2, 0.3, 0.4] }
}

fn assert_close(what: &str, got: f64, expected: f64, tolerance: f64) {
    assert!(
        (got - expected).abs() <= tolerance,
        "{what}: {got}, expected {expected} ± {tolerance}"
    );
}

#[test] // closed form
fn four_bins_in_reversed_order_have_the_divergences_done_by_hand() {
    let expected =
        [(Tv, 0.4), (Kl, 0.4564348191), (Js, 0.1064401353), (FrontierIntegral, 0.1437633740)];
    for (divergence, expected) in expected {
        assert_close(&format!("{divergence:?}"), divergence.between(case_a()), expected, 5e-11);
    }
}

#[test] // closed form
fn a_model_with_half_of_the_modes_has_the_divergences_done_by_hand() {
    let half = Sides { reference: &[0.5, 0.5][..], model: &[1.0, 0.0][..] };
    assert_eq!(Kl.between(half), f64::INFINITY);
    assert_eq!(Chi2.between(half), f64::INFINITY);
    assert_close("reverse KL", ReverseKl.between(half), LN_2, 1e-15);
    assert_close("JS", Js.between(half), 0.2157615543, 5e-11);
    assert_close("FI", FrontierIntegral.between(half), 1.0 - LN_2, 1e-15);
    assert_close("χ² Neyman", NeymanChi2.between(half), 1.0, 1e-15);
    assert_close("Hellinger", Hellinger2.between(half), 1.0 - 0.5f64.sqrt(), 1e-15);
}

#[test] // closed form
fn disjoint_distributions_reach_the_upper_bounds() {
    let apart = Sides { reference: &[1.0, 0.0][..], model: &[0.0, 1.0][..] };
    let bounds = [(Js, LN_2), (Hellinger2, 1.0), (Tv, 1.0), (FrontierIntegral, 1.0), (Gan, 0.0)];
    for (divergence, bound) in bounds {
        assert_close(&format!("{divergence:?}"), divergence.between(apart), bound, 1e-15);
    }
}

#[test]
fn empty_bins_add_nothing_and_equal_distributions_diverge_nowhere() {
    let same = Sides { reference: &[0.3, 0.0, 0.7][..], model: &[0.3, 0.0, 0.7][..] };
    for divergence in ALL {
        let expected = if divergence == Gan { -4f64.ln() } else { 0.0 };
        assert_close(&format!("{divergence:?}"), divergence.between(same), expected, 1e-15);
    }
}

#[test]
fn the_dual_bound_is_attained_by_the_witness_and_by_no_other() {
    let Sides { reference, model } = case_a();
    for divergence in ALL {
        let dual = |shift: f64| -> Option<f64> {
            let bins = reference.iter().zip(model);
            bins.map(|(p, q)| {
                let t = divergence.witness(p / q)? + shift;
                Some(p * t - q * divergence.conjugate(t)?)
            })
            .sum()
        };
        let Some(bound) = dual(0.0) else { continue };
        let exact = divergence.between(case_a());
        assert_close(&format!("{divergence:?}"), bound, exact, 1e-14);
        for shift in [-0.05, 0.01] {
            let other = dual(shift).unwrap();
            assert!(other <= exact + 1e-12, "{divergence:?} shifted by {shift}: {other} > {exact}");
        }
    }
}

#[test]
fn the_curvature_is_the_second_difference_of_the_generator() {
    for divergence in ALL {
        for u in [0.2, 0.7, 0.995, 1.0, 1.3, 6.0] {
            let Some(curvature) = divergence.curvature(u) else { continue };
            let h = 1e-4 * u;
            let second =
                (divergence.f(u + h) - 2.0 * divergence.f(u) + divergence.f(u - h)) / (h * h);
            assert_close(
                &format!("{divergence:?} at {u}"),
                curvature,
                second,
                1e-5 * (1.0 + curvature),
            );
        }
    }
}

/// `D_λ` of `N(0, 1)` against `N(Δ, 1)`, with `t = Δ/2 + ln λ/Δ`.
fn shifted_gaussian(delta: f64) -> impl Fn(f64) -> f64 {
    move |lambda: f64| {
        let t = delta / 2.0 + lambda.ln() / delta;
        if lambda <= 1.0 {
            lambda * normal_cdf(t) - normal_cdf(t - delta)
        } else {
            normal_cdf(delta - t) - lambda * normal_cdf(-t)
        }
    }
}

#[test] // closed form
fn one_curve_of_two_gaussians_gives_every_divergence_to_nine_digits() {
    let h2 = 1.0 - (-0.125f64).exp();
    let chi2 = 1f64.exp() - 1.0;
    // Δ = 1: Rényi D_a = a/2, so ∫p^a q^{1−a} = e^{a(a−1)/2}.
    let alpha = |a: f64| ((a * (a - 1.0) / 2.0).exp() - 1.0) / (a * (a - 1.0));
    let cases = [
        (Kl, 0.5, 1e-9),
        (ReverseKl, 0.5, 1e-9),
        (Hellinger2, h2, 1e-9),
        (Chi2, chi2, 1e-9),
        (NeymanChi2, chi2, 1e-9),
        (Alpha(0.5), alpha(0.5), 1e-9),
        (Alpha(3.0), alpha(3.0), 1e-8),
        (Tv, 1.0 - 2.0 * normal_cdf(-0.5), 1e-14),
        (Js, 0.111421, 5e-7),
        (FrontierIntegral, 0.151418, 5e-7),
        (Gan, 2.0 * 0.111421 - 4f64.ln(), 1e-6),
    ];
    for (divergence, expected, tolerance) in cases {
        let got = divergence.from_curve(shifted_gaussian(1.0));
        assert_close(&format!("{divergence:?}"), got, expected, tolerance);
    }
}

#[test] // closed form
fn gaussians_of_several_distances_match_the_table() {
    let table = [
        (0.5, 0.030311, 0.040649),
        (1.0, 0.111421, 0.151418),
        (2.0, 0.336831, 0.470517),
        (4.0, 0.632720, 0.907903),
    ];
    for (delta, js, frontier_integral) in table {
        let curve = shifted_gaussian(delta);
        assert_close("JS", Js.from_curve(&curve), js, 5.1e-7);
        assert_close("FI", FrontierIntegral.from_curve(&curve), frontier_integral, 5.1e-7);
        assert_close("KL", Kl.from_curve(&curve), delta * delta / 2.0, 1e-8);
    }
}

#[test] // closed form
fn the_curve_of_a_histogram_gives_its_bounded_divergences_back() {
    // Corners and the integral meet in a sampled curve: 1001 angles place the corners to 1e-3.
    let curve = Envelope::of_points(&pr_curve(case_a(), &sajjadi_lambdas(1001))).shares();
    let curve = Sides { reference: &curve.reference[..], model: &curve.model[..] };
    for divergence in [Js, Tv, Hellinger2, FrontierIntegral, Kl] {
        let (got, exact) = (divergence.between(curve), divergence.between(case_a()));
        assert_close(&format!("{divergence:?}"), got, exact, 1e-5);
    }
}

#[test] // closed form
fn renyi_of_order_one_is_kl_and_follows_the_alpha_divergence() {
    assert_eq!(renyi(case_a(), 1.0), Kl.between(case_a()));
    let a = 0.3;
    let power = 1.0 + a * (a - 1.0) * Alpha(a).between(case_a());
    assert_close("Rényi", renyi(case_a(), a), power.ln() / (a - 1.0), 1e-14);
}
