//! What measures give when both sides come from one distribution, beyond [`crate::metric::nulls`].

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
