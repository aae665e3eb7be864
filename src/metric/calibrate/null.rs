//! What measures give when both sides come from one distribution.

/// The expected coverage of `n` reference rows by `m` model rows of the same distribution,
/// `1 − ∏_{i=1}^{k} (n − i)/(n + m − i)`, whatever the distribution.
///
/// A reference row is missed when its `k` nearest among the other `n + m − 1` rows are all of the
/// reference. Naeem et al. 2020, arXiv:2002.09797.
pub fn coverage_null(n: usize, m: usize, k: usize) -> f64 {
    let missed: f64 =
        (1..=k).map(|i| n.saturating_sub(i) as f64 / (n + m).saturating_sub(i) as f64).product();
    1.0 - missed
}

/// `a' = (K − 1)(1/n + 1/m)/2` for `K` clusters: the expected symmetric χ² distance of two histograms
/// of one distribution, from which the nulls below follow.
fn noise(n: usize, m: usize, clusters: usize) -> f64 {
    clusters.saturating_sub(1) as f64 * (1.0 / n as f64 + 1.0 / m as f64) / 2.0
}

/// The Jensen–Shannon divergence, in nats, of two histograms of one distribution: `a'/4`.
pub fn js_null(n: usize, m: usize, clusters: usize) -> f64 {
    noise(n, m, clusters) / 4.0
}

/// The frontier integral of two histograms of one distribution: `a'/3`.
pub fn frontier_integral_null(n: usize, m: usize, clusters: usize) -> f64 {
    noise(n, m, clusters) / 3.0
}

/// `α` at slope 1 of two histograms of one distribution: `1 − √(K (1/n + 1/m) / 2π)`.
pub fn alpha_1_null(n: usize, m: usize, clusters: usize) -> f64 {
    let spread = clusters as f64 * (1.0 / n as f64 + 1.0 / m as f64);
    1.0 - (spread / (2.0 * std::f64::consts::PI)).sqrt()
}

/// MAUVE of two histograms of one distribution: the area under
/// `(exp(−c a' w²), exp(−c a' (1 − w)²))` for `w` from 0 to 1; about 0.966 at `n/10` clusters and `c = 5`.
pub fn mauve_null(n: usize, m: usize, clusters: usize, scaling: f64) -> f64 {
    const STEPS: usize = 2000;
    let decay = scaling * noise(n, m, clusters);
    let point = |i: usize| {
        let w = i as f64 / STEPS as f64;
        ((-decay * w * w).exp(), (-decay * (1.0 - w).powi(2)).exp())
    };
    let inner: f64 = (0..STEPS)
        .map(|i| {
            let ((x0, y0), (x1, y1)) = (point(i), point(i + 1));
            (x0 - x1) * (y0 + y1) / 2.0
        })
        .sum();
    // From the last x to 0 the frontier goes on to (0, 1).
    let (last, _) = point(STEPS);
    inner + last * (point(STEPS).1 + 1.0) / 2.0
}

/// The expected Fréchet distance of `n` and `m` rows of one Gaussian whose covariance has the given
/// eigenvalues: `(1/n + 1/m)(Σ_i λ_i + ½ Σ_ij λ_i λ_j (1 + δ_ij)/(λ_i + λ_j))`.
///
/// `O(d²)`. For equal eigenvalues of 1 it is `(1/n + 1/m)(d + d(d + 1)/4)`.
pub fn frechet_null(n: usize, m: usize, eigenvalues: &[f64]) -> f64 {
    let pairs: f64 = eigenvalues
        .iter()
        .enumerate()
        .flat_map(|(i, &a)| eigenvalues.iter().enumerate().map(move |(j, &b)| (i == j, a, b)))
        .filter(|&(_, a, b)| a + b > 0.0)
        .map(|(same, a, b)| a * b * if same { 2.0 } else { 1.0 } / (a + b))
        .sum();
    (1.0 / n as f64 + 1.0 / m as f64) * (eigenvalues.iter().sum::<f64>() + pairs / 2.0)
}

/// The value expected `doublings` above the size at which `larger` was measured, where `smaller` was
/// measured at half of that size, and every doubling changes the value by `rate` times as much as
/// the doubling before: `larger + (larger − smaller) Σ_{i=1}^{doublings} rateⁱ`.
///
/// A bias of `1/n` has `rate` ½ and is carried on exactly. `doublings ≥ 0` need not be whole.
pub fn carried_on(smaller: f64, larger: f64, doublings: f64, rate: f64) -> f64 {
    let sum = rate * (1.0 - rate.powf(doublings)) / (1.0 - rate);
    larger + (larger - smaller) * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // closed form
    fn coverage_of_equal_sizes_tends_to_one_minus_two_to_the_minus_k() {
        assert!((coverage_null(100_000, 100_000, 4) - 0.9375).abs() < 1e-4);
        // n = 3, m = 1, k = 1: the nearest of 3 other rows is one of the 2 reference rows
        assert!((coverage_null(3, 1, 1) - 1.0 / 3.0).abs() < 1e-15);
        assert!((coverage_null(4000, 500, 4) - 0.376).abs() < 1e-3);
    }

    #[test] // values that simulations of identical distributions gave, see the formulas' table
    fn cluster_floors_match_their_table() {
        for (share, mauve, integral, alpha) in
            [(0.01, 0.9996, 0.003, 0.94), (0.1, 0.966, 0.033, 0.82), (0.2, 0.887, 0.067, 0.75)]
        {
            let (n, clusters) = (10_000, (10_000.0 * share) as usize);
            assert!((mauve_null(n, n, clusters, 5.0) - mauve).abs() < 2e-3, "{share}");
            assert!((frontier_integral_null(n, n, clusters) - integral).abs() < 1e-3, "{share}");
            assert!((alpha_1_null(n, n, clusters) - alpha).abs() < 1e-2, "{share}");
        }
    }

    #[test] // closed form
    fn the_frechet_null_of_an_isotropic_gaussian_is_a_polynomial_in_d() {
        for d in [1usize, 5, 64] {
            let expected = (1.0 / 200.0 + 1.0 / 300.0) * (d as f64 + (d * (d + 1)) as f64 / 4.0);
            let got = frechet_null(200, 300, &vec![1.0; d]);
            assert!((got / expected - 1.0).abs() < 1e-12, "{d}: {got}, {expected}");
        }
    }

    #[test] // closed form
    fn a_bias_of_one_over_n_is_carried_on_exactly() {
        let biased = |n: f64| 0.25 + 3.0 / n;
        for whole in [400.0, 700.0, 1600.0] {
            let doublings = f64::log2(whole / 200.0);
            let got = carried_on(biased(100.0), biased(200.0), doublings, 0.5);
            assert!((got - biased(whole)).abs() < 1e-12, "{whole}: {got}");
        }
        assert_eq!(carried_on(0.3, 0.4, 0.0, 0.7), 0.4);
    }
}
