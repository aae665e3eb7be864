//! PR-curves, divergences and frontiers of distributions with closed forms.
//!
//! A density on a line is cut into fine bins; the shares of the bins have the curve of the density up to the
//! width of a bin.

use llmpr::{
    data::sides::Sides,
    math::special::{chi2_cdf_sf, normal_cdf},
    metric::{
        curve::{Point, pr_curve},
        divergence::{Divergence, renyi},
        frontier::{Frontier, Settings},
        likelihood::truncation,
    },
};

const LAMBDAS: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Shares of the bins between `edges` under a distribution function.
fn bins(edges: &[f64], cdf: impl Fn(f64) -> f64) -> Vec<f64> {
    edges.windows(2).map(|edge| cdf(edge[1]) - cdf(edge[0])).collect()
}

fn line(from: f64, to: f64, bins: usize) -> Vec<f64> {
    (0..=bins).map(|i| from + (to - from) * i as f64 / bins as f64).collect()
}

fn curve(p: &[f64], q: &[f64]) -> Vec<Point> {
    pr_curve(Sides { reference: p, model: q }, &LAMBDAS)
}

#[track_caller]
fn assert_close(what: &str, got: f64, expected: f64, tolerance: f64) {
    assert!(
        (got - expected).abs() <= tolerance,
        "{what}: {got}, expected {expected} ± {tolerance:e}"
    );
}

/// `N(0, 1)` and `N(Δ, 1)`: the ratio depends on one coordinate, so this is the case in any dimension.
fn shifted(delta: f64) -> (Vec<f64>, Vec<f64>) {
    let edges = line(-9.0, 9.0 + delta, 20_000);
    // By the nearer tail, where the distribution function has digits to spare.
    let share = |a: f64, b: f64| {
        if a > 0.0 { normal_cdf(-a) - normal_cdf(-b) } else { normal_cdf(b) - normal_cdf(a) }
    };
    let of =
        |mean: f64| edges.windows(2).map(|edge| share(edge[0] - mean, edge[1] - mean)).collect();
    (of(0.0), of(delta))
}

#[test]
fn shifted_gaussians() {
    for delta in [0.5, 1.0, 2.0, 4.0] {
        let (p, q) = shifted(delta);
        for point in curve(&p, &q) {
            let lambda = point.lambda;
            let t = delta / 2.0 + lambda.ln() / delta;
            let exact = lambda * normal_cdf(-t) + normal_cdf(t - delta);
            // A bin of width 10⁻³ holds both sides of the threshold.
            assert_close(&format!("Δ = {delta}, λ = {lambda}"), point.alpha, exact, 1e-6);
        }
        assert_close("α_1", curve(&p, &q)[3].alpha, 2.0 * normal_cdf(-delta / 2.0), 1e-6);
    }
}

#[test]
fn gaussians_of_two_widths() {
    // The squared length is χ² with d degrees under P, s² times that under Q.
    let known = [
        (3, 1.5, [(0.2, 0.2000), (1.0, 0.6397), (4.0, 0.8548)]),
        (3, 0.6, [(0.2, 0.1569), (1.0, 0.5563), (4.0, 0.9958)]),
    ];
    for (d, s, points) in known {
        let s: f64 = s;
        let (p, q) = widths(f64::from(d), s);
        for (lambda, expected) in points {
            let alpha = pr_curve(Sides { reference: &p, model: &q }, &[lambda])[0].alpha;
            assert_close(&format!("d = {d}, s = {s}, λ = {lambda}"), alpha, expected, 6e-5);
        }
    }
    for (d, s) in [(3.0, 1.5), (3.0, 0.6), (32.0, 1.1), (64.0, 0.9)] {
        let s: f64 = s;
        let (p, q) = widths(d, s);
        for point in curve(&p, &q) {
            let lambda = point.lambda;
            let tau = (2.0 * (lambda.ln() + d * s.ln()) / (1.0 - 1.0 / (s * s))).max(0.0);
            let (of_p, of_q) = (chi2_cdf_sf(tau, d), chi2_cdf_sf(tau / (s * s), d));
            let exact = if s > 1.0 { lambda * of_p.1 + of_q.0 } else { lambda * of_p.0 + of_q.1 };
            assert_close(&format!("d = {d}, s = {s}, λ = {lambda}"), point.alpha, exact, 1e-5);
        }
    }
}

fn widths(d: f64, s: f64) -> (Vec<f64>, Vec<f64>) {
    let edges = line(0.0, 40.0 * d.max(4.0), 200_000);
    (bins(&edges, |x| chi2_cdf_sf(x, d).0), bins(&edges, |x| chi2_cdf_sf(x / (s * s), d).0))
}

#[test]
fn overlapping_boxes() {
    // P uniform on [0, 1], Q on [0.75, 2.75]: volume 2, overlap ¼.
    let edges = line(0.0, 2.75, 11);
    let uniform = |from: f64, to: f64| move |x: f64| ((x - from) / (to - from)).clamp(0.0, 1.0);
    let (p, q) = (bins(&edges, uniform(0.0, 1.0)), bins(&edges, uniform(0.75, 2.75)));
    for point in curve(&p, &q) {
        let exact = 0.25 * point.lambda.min(0.5);
        assert_close(&format!("λ = {}", point.lambda), point.alpha, exact, 1e-15);
    }
    let ends = pr_curve(Sides { reference: &p, model: &q }, &[1e-6, 1e6]);
    assert_close("precision", ends[1].alpha, 0.125, 1e-15);
    assert_close("recall", ends[0].beta, 0.25, 1e-9);
}

#[test]
fn truncated_and_contaminated_models() {
    // Q is P on the ball of squared radius τ in N(0, I_5): π = CDF_{χ²_5}(τ).
    let (tau, d) = (4.0, 5.0);
    let pi = chi2_cdf_sf(tau, d).0;
    let (p, q) = ([pi, 1.0 - pi], [1.0, 0.0]);
    for point in curve(&p, &q) {
        assert_close("α", point.alpha, truncation(pi, point.lambda).alpha, 1e-15);
        assert_close("β", point.beta, pi.min(1.0 / point.lambda), 1e-15);
    }
    // Q is P with a share ε of what P never writes.
    let epsilon = 0.1;
    let (p, q) = ([0.6, 0.4, 0.0], [0.6 * (1.0 - epsilon), 0.4 * (1.0 - epsilon), epsilon]);
    for point in curve(&p, &q) {
        assert_close("α", point.alpha, point.lambda.min(1.0 - epsilon), 1e-15);
        assert_close("β", point.beta, ((1.0 - epsilon) / point.lambda).min(1.0), 1e-15);
    }
}

#[test]
fn spheres_of_different_radius_do_not_meet() {
    // By radius: each distribution is one bin.
    let (p, q) = ([1.0, 0.0], [0.0, 1.0]);
    assert!(curve(&p, &q).iter().all(|point| (point.alpha, point.beta) == (0.0, 0.0)));
}

#[test]
fn divergences_and_mauve_of_shifted_gaussians() {
    let table = [
        (0.5, 0.125, 0.030311, 0.040649, 0.95124),
        (1.0, 0.5, 0.111421, 0.151418, 0.63159),
        (2.0, 2.0, 0.336831, 0.470517, 0.10493),
        (4.0, 8.0, 0.632720, 0.907903, 0.00702),
    ];
    for (delta, kl, js, integral, mauve) in table {
        let (p, q) = shifted(delta);
        let shares = Sides { reference: &p[..], model: &q[..] };
        let between = |divergence: Divergence| divergence.between(shares);
        assert_close("KL", between(Divergence::Kl), kl, 1e-5 * kl);
        assert_close("JS", between(Divergence::Js), js, 1e-6);
        assert_close("FI", between(Divergence::FrontierIntegral), integral, 1e-6);
        let h2 = 1.0 - (-delta * delta / 8.0f64).exp();
        assert_close("H²", between(Divergence::Hellinger2), h2, 1e-6);
        assert_close("Rényi", renyi(shares, 0.3), 0.15 * delta * delta, 1e-5);
        let fine = Settings { weights: 2001, ..Settings::default() };
        // Five digits are listed.
        assert_close("MAUVE", Frontier::of_shares(shares, &fine).mauve(), mauve, 6e-6);
    }
}
