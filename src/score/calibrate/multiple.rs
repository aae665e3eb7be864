//! P-values of several questions that are asked at once.

/// Holm's p-values: below 0.05, with a chance of at most 0.05 not one of those is without a difference,
/// whatever hangs together among them.
///
/// ```text
/// p'₍ᵢ₎ = max_{j ≤ i} min(1, (N − j + 1) p₍ⱼ₎)      p₍₁₎ ≤ … ≤ p₍N₎
/// ```
///
/// Holm 1979, Scandinavian Journal of Statistics 6.
///
/// # Example
///
/// ```
/// # use llmpr::score::calibrate::holm;
/// assert_eq!(holm(&[0.25, 0.01, 0.125]), [0.25, 0.03, 0.25]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; p_values.len()];
    let mut least = 0.0f64;
    for (rank, at) in ascending(p_values).into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        least = least.max((left * p_values[at]).min(1.0));
        out[at] = least;
    }
    out
}

/// Benjamini's and Hochberg's p-values: of those below 0.05, at most 0.05 are expected to be without a
/// difference, where they are independent or vary together.
///
/// ```text
/// p'₍ᵢ₎ = min_{j ≥ i} min(1, N p₍ⱼ₎ / j)            p₍₁₎ ≤ … ≤ p₍N₎
/// ```
///
/// Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57.
///
/// # Example
///
/// ```
/// # use llmpr::score::calibrate::benjamini_hochberg;
/// assert_eq!(benjamini_hochberg(&[0.25, 0.125, 0.125]), [0.25, 0.1875, 0.1875]);
/// ```
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; p_values.len()];
    let mut most = 1.0f64;
    for (rank, at) in ascending(p_values).into_iter().enumerate().rev() {
        most = most.min(p_values.len() as f64 / (rank + 1) as f64 * p_values[at]);
        out[at] = most;
    }
    out
}

/// Places of p-values, the smallest first; equal ones in their order.
fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In no order.
    const GIVEN: [f64; 5] = [0.01, 0.04, 0.03, 0.005, 0.5];

    fn near(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{got}, expected {want}");
        }
    }

    #[test] // by hand: sorted 0.005·5, 0.01·4, 0.03·3, 0.04·2 (below the one before), 0.5·1
    fn holm_multiplies_by_how_many_are_left_and_never_falls() {
        near(&holm(&GIVEN), &[0.04, 0.09, 0.09, 0.025, 0.5]);
        near(&holm(&[0.4, 0.6]), &[0.8, 0.8]);
        near(&holm(&[]), &[]);
    }

    #[test] // by hand: sorted 0.005·5/1, 0.01·5/2, 0.03·5/3, 0.04·5/4, 0.5·5/5
    fn benjamini_hochberg_divides_by_the_rank_and_never_falls() {
        near(&benjamini_hochberg(&GIVEN), &[0.025, 0.05, 0.05, 0.025, 0.5]);
        near(&benjamini_hochberg(&[0.9]), &[0.9]);
    }

    #[test]
    fn corrected_p_values_are_no_smaller_and_holms_are_the_larger() {
        let (holm, bh) = (holm(&GIVEN), benjamini_hochberg(&GIVEN));
        for i in 0..GIVEN.len() {
            assert!(GIVEN[i] <= bh[i] && bh[i] <= holm[i], "{}: {} {}", GIVEN[i], bh[i], holm[i]);
        }
    }
}
