use super::*;
use crate::math::special::{ln_gamma, normal_cdf};

const LINEAR: Settings =
    Settings { scaling: 5.0, weights: 25, grid: Grid::Linear, area: Area::Mean };

fn area(p: &[f64], q: &[f64], settings: Settings) -> f64 {
    Frontier::of_shares(Sides { reference: p, model: q }, &settings).mauve()
}

#[test] // closed form
fn discrete_cases_match_the_values_by_integration() {
    let a: [&[f64]; 2] = [&[0.4, 0.3, 0.2, 0.1], &[0.1, 0.2, 0.3, 0.4]];
    let half: [&[f64]; 2] = [&[0.5, 0.5], &[1.0, 0.0]];
    let cases = [
        (a, 5.0, 25, 0.653854),
        (a, 5.0, 4001, 0.654032),
        (a, 2.0, 4001, 0.911446),
        (a, 1.0, 4001, 0.973852),
        (half, 5.0, 25, 0.278114),
        (half, 5.0, 4001, 0.277477),
        (half, 2.0, 4001, 0.708333),
        (half, 1.0, 4001, 0.892699),
    ];
    for ([p, q], scaling, weights, expected) in cases {
        let got = area(p, q, Settings { scaling, weights, ..LINEAR });
        // The cases are given to six digits; 4001 mixtures add as much.
        assert!((got - expected).abs() < 1.5e-6, "c = {scaling}: {got}, expected {expected}");
    }
}

#[test] // closed form
fn disjoint_distributions_score_one_in_252() {
    let exact = |c: f64| (2.0 * ln_gamma(c + 1.0) - ln_gamma(2.0 * c + 1.0)).exp();
    assert!((exact(5.0) - 1.0 / 252.0).abs() < 1e-15);
    for scaling in [1.0, 2.0, 5.0] {
        let fine = Settings { weights: 20_001, scaling, ..LINEAR };
        let got = area(&[1.0, 0.0], &[0.0, 1.0], fine);
        assert!((got - exact(scaling)).abs() < 1e-6, "c = {scaling}: {got}, {}", exact(scaling));
    }
}

#[test]
fn equal_distributions_score_one_whatever_the_grid_and_area() {
    for grid in [Grid::Linear, Grid::Angular] {
        for one in [Area::Mean, Area::OneSided] {
            let settings = Settings { grid, area: one, ..LINEAR };
            for p in [&[1.0][..], &[0.5, 0.25, 0.25]] {
                assert!((area(p, p, settings) - 1.0).abs() < 1e-14, "{settings:?}, {p:?}");
            }
        }
    }
}

#[test]
fn the_angular_grid_and_the_one_sided_area_measure_the_same_frontier() {
    let (p, q) = ([0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]);
    let exact = 0.654032;
    for grid in [Grid::Linear, Grid::Angular] {
        for one in [Area::Mean, Area::OneSided] {
            let got = area(&p, &q, Settings { grid, area: one, weights: 4001, ..LINEAR });
            assert!((got - exact).abs() < 2e-6, "{grid:?}, {one:?}: {got}");
        }
    }
}

/// Quantiles of `N(mean, 1)` at the middles of `n` equal shares, and `r = p/q` of `N(0,1)` to `N(1,1)` there.
fn gaussian_ratios(mean: f64, n: usize) -> Vec<f64> {
    let quantile = |u: f64| {
        let (mut low, mut high) = (-12.0, 12.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if normal_cdf(middle) < u { low = middle } else { high = middle }
        }
        low
    };
    (0..n).map(|i| (0.5 - (mean + quantile((i as f64 + 0.5) / n as f64))).exp()).collect()
}

#[test] // closed form
fn the_frontier_from_ratios_is_that_of_the_gaussians_they_belong_to() {
    let ratios =
        Sides { reference: gaussian_ratios(0.0, 20_000), model: gaussian_ratios(1.0, 20_000) };
    let ratios = ratios.as_ref().map(Vec::as_slice);
    let fine = Settings { weights: 1001, ..LINEAR };
    let mauve = Frontier::of_ratios(ratios, &fine).mauve();
    assert!((mauve - 0.63159).abs() < 5e-5, "{mauve}"); // cutting the tails to quantiles costs 2e-5
    let integral = frontier_integral_of_ratios(ratios);
    assert!((integral - 0.151418).abs() < 2e-5, "{integral}");
}

#[test]
fn discrete_ratios_give_the_same_frontier_as_shares() {
    // P = (3/4, 1/4), Q = (1/4, 3/4): rows carry the ratio of their bin.
    let ratios = Sides {
        reference: &[3.0, 3.0, 3.0, 1.0 / 3.0][..],
        model: &[3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0][..],
    };
    let (p, q) = ([0.75, 0.25], [0.25, 0.75]);
    let shares = Sides { reference: &p[..], model: &q[..] };
    let got = Frontier::of_ratios(ratios, &LINEAR).mauve();
    assert!((got - area(&p, &q, LINEAR)).abs() < 1e-14);
    let exact = Divergence::FrontierIntegral.between(shares);
    assert!((frontier_integral_of_ratios(ratios) - exact).abs() < 1e-14);
}

#[test]
fn texts_that_only_one_side_writes_leave_the_frontier_bounded() {
    let ratios = Sides { reference: &[f64::INFINITY][..], model: &[0.0][..] };
    let got = Frontier::of_ratios(ratios, &LINEAR).mauve();
    assert!((got - area(&[1.0, 0.0], &[0.0, 1.0], LINEAR)).abs() < 1e-14, "{got}");
    assert_eq!(frontier_integral_of_ratios(ratios), 1.0);
}

#[test]
fn the_weight_of_the_frontier_integral_is_smooth_where_its_formula_cancels() {
    for s in [0.98 - 1e-9, 0.98 + 1e-9, 1.02 - 1e-9, 1.02 + 1e-9] {
        let h: f64 = s - 1.0;
        let exact = -2.0 * (-0.25 + s - 0.75 * s * s + 0.5 * s * s * s.ln()) / (h * h);
        // The formula itself loses 1e-16/h² there.
        assert!((frontier_weight(s) - exact).abs() < 2e-12, "A({s}) = {}", frontier_weight(s));
    }
}

#[test]
fn the_automatic_number_of_clusters_rounds_half_to_even() {
    let cases = [(5000, 4000, 400), (245, 300, 24), (255, 255, 26), (5, 5, 2)];
    for (n, m, expected) in cases {
        assert_eq!(auto_clusters(n, m), expected, "n = {n}, m = {m}");
    }
}

#[test]
fn clusterings_are_averaged_field_by_field() {
    let score = |x: f64| Mauve {
        mauve: x,
        mauve_star: 2.0 * x,
        frontier_integral: 0.5,
        frontier_integral_star: x,
    };
    let (mean, deviation) = over_clusterings(&[score(0.25), score(0.75)]).unwrap();
    assert_eq!((mean.mauve, mean.mauve_star, mean.frontier_integral), (0.5, 1.0, 0.5));
    assert_eq!((deviation.mauve, deviation.frontier_integral), (0.125f64.sqrt(), 0.0));
    assert!(over_clusterings(&[]).is_none());
}
