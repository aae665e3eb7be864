//! What measures score when `P = Q`: closed forms by sizes alone.
//!
//! A value is read against its null: a perfect model scores the null, not 1 or 0.

/// Coverage of `k`-th neighbor balls under `P = Q`, of any continuous distribution:
/// `1 − ∏_{i=1}^{k} (n − i)/(n + m − i)`; `1 − 2^{−k}` for many texts on equal sides.
///
/// `n` reference and `m` model rows. Naeem et al. 2020, arXiv:2002.09797.
///
/// # Example
///
/// ```
/// # use llmpr::metric::nulls::coverage;
/// // k = 1: of a row's 3 + 4 others the nearest is one of the four texts of Q.
/// assert!((coverage(4, 4, 1) - 4.0 / 7.0).abs() < 1e-12);
/// ```
pub fn coverage(n: usize, m: usize, k: usize) -> f64 {
    coverage_of(n as f64, m as f64, k)
}

/// [`coverage`] between whole numbers of rows.
pub(crate) fn coverage_of(n: f64, m: f64, k: usize) -> f64 {
    let missed = |i: usize| (n - i as f64).max(0.0) / (n + m - i as f64);
    1.0 - (1..=k).map(missed).product::<f64>()
}

/// Density under `P = Q`: 1, whatever the sizes and `k`.
pub const DENSITY: f64 = 1.0;

/// `a' = (bins − 1)(1/n + 1/m)/2`, twice the expected χ² spread between two histograms of one distribution.
fn spread(bins: usize, n: usize, m: usize) -> f64 {
    (bins.max(1) - 1) as f64 * (1.0 / n as f64 + 1.0 / m as f64) / 2.0
}

/// Jensen–Shannon divergence (nats) of two histograms of one distribution: about `a'/4`.
///
/// `bins` filled by both sides together, `n` and `m` texts. To second order in the sampling error:
/// good while a bin holds several texts, at `bins = n/10` within about 5 %.
pub fn js(bins: usize, n: usize, m: usize) -> f64 {
    spread(bins, n, m) / 4.0
}

/// Frontier integral of two histograms of one distribution: about `a'/3`; as for [`js`].
pub fn frontier_integral(bins: usize, n: usize, m: usize) -> f64 {
    spread(bins, n, m) / 3.0
}

/// `α_1 = 1 − TV` of two histograms of one distribution: about `1 − √(bins (1/n + 1/m)/(2π))`, for equal bins.
pub fn alpha_1(bins: usize, n: usize, m: usize) -> f64 {
    let variance = bins as f64 * (1.0 / n as f64 + 1.0 / m as f64);
    (1.0 - (variance / (2.0 * std::f64::consts::PI)).sqrt()).max(0.0)
}

/// MAUVE of two histograms of one distribution: the area under `(e^{−ca'w²}, e^{−ca'(1−w)²})`.
///
/// `scaling` is MAUVE's `c`. At the usual `bins = n/10` this is 0.966 at every `n`; 20 bins bring it to 1.
pub fn mauve(bins: usize, n: usize, m: usize, scaling: f64) -> f64 {
    let a = scaling * spread(bins, n, m);
    let (x, y) = (|w: f64| (-a * w * w).exp(), |w: f64| (-a * (1.0 - w).powi(2)).exp());
    // From (1, 0) down to w = 0 there is no width; beyond w = 1 lies a strip of height y = 1.
    const STEPS: usize = 4000;
    let trapezoid = |i: usize| {
        let (w, next) = (i as f64 / STEPS as f64, (i + 1) as f64 / STEPS as f64);
        0.5 * (y(w) + y(next)) * (x(w) - x(next))
    };
    (0..STEPS).map(trapezoid).sum::<f64>() + x(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // closed form
    fn coverage_of_equal_sides_is_one_minus_two_to_the_minus_k() {
        assert!((coverage(1_000_000, 1_000_000, 4) - 0.9375).abs() < 1e-6);
        assert!((coverage(4000, 500, 4) - 0.376).abs() < 5e-4);
        // One other row and one model row: inside with probability 1/2.
        assert_eq!(coverage(2, 1, 1), 0.5);
    }

    #[test] // table by simulation
    fn mauve_and_its_relatives_start_below_their_ideal() {
        let n = 5000;
        let rows = [
            (0.01, 0.9996, 0.003, 0.94),
            (0.05, 0.991, 0.017, 0.87),
            (0.1, 0.966, 0.033, 0.82),
            (0.2, 0.887, 0.067, 0.75),
        ];
        for (share, area, integral, alpha) in rows {
            let bins = (share * n as f64) as usize;
            assert!(
                (mauve(bins, n, n, 5.0) - area).abs() < 1.1e-3,
                "{share}: {}",
                mauve(bins, n, n, 5.0)
            );
            assert!((frontier_integral(bins, n, n) - integral).abs() < 6e-4, "{share}");
            assert!(
                (alpha_1(bins, n, n) - alpha).abs() < 5.1e-3,
                "{share}: {}",
                alpha_1(bins, n, n)
            );
        }
    }
}
