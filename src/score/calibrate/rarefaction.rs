//! How coverage grows with the number of texts.

/// The expected coverage with `sizes` of the `m` model rows, exactly: coverage@s, for each `s`.
///
/// ```text
/// C(s) = 1 − mean_i C(m − c_i, s) / C(m, s)
/// ```
///
/// over reference rows `i` with `c_i` model rows in their balls. It is the pass@k estimator in
/// embedding space: the mean over all subsets of `s` rows, without drawing any.
///
/// # Arguments
///
/// * `in_ball`: `c_i` for each reference row, at most `m` each.
/// * `sizes`: numbers of rows; above `m` the result is `None`.
///
/// # Cost and sources
///
/// `O(m + rows · sizes)`. Chen et al. 2021, arXiv:2107.03374 for the estimator.
///
/// # Example
///
/// ```
/// use llmpr::score::calibrate::coverage_at;
/// // of 4 texts, one reference is covered by all, one by a single text, one by none
/// let coverage = coverage_at(&[4, 1, 0], 4, &[1, 2, 4]);
/// let expected = [(1.0 + 0.25) / 3.0, (1.0 + 0.5) / 3.0, 2.0 / 3.0];
/// for (got, expected) in coverage.iter().zip(expected) {
///     assert!((got.unwrap() - expected).abs() < 1e-12);
/// }
/// ```
pub fn coverage_at(in_ball: &[usize], m: usize, sizes: &[usize]) -> Vec<Option<f64>> {
    let log_factorial = log_factorials(m);
    // Rows with one count share their term.
    let mut rows_with = std::collections::BTreeMap::new();
    for &count in in_ball {
        *rows_with.entry(count.min(m)).or_insert(0usize) += 1;
    }
    let at = |s: usize| {
        if s > m || in_ball.is_empty() {
            return None;
        }
        let missed = |count: usize| {
            let left = m - count;
            if left < s {
                return 0.0;
            }
            // C(left, s) / C(m, s) = left! (m − s)! / ((left − s)! m!)
            (log_factorial[left] + log_factorial[m - s]
                - log_factorial[left - s]
                - log_factorial[m])
                .exp()
        };
        let total: f64 = rows_with.iter().map(|(&count, &rows)| rows as f64 * missed(count)).sum();
        Some((1.0 - total / in_ball.len() as f64).clamp(0.0, 1.0))
    };
    sizes.iter().map(|&s| at(s)).collect()
}

/// The coverage that any number of further texts could reach, by Chao's lower bound on what is
/// still unseen: covered share plus `f₁²/(2 f₂ n)`, where `f₁` and `f₂` of the `n` reference rows are
/// covered by exactly one and two texts.
///
/// `None` without rows. Chao 1984; the bias-corrected form is used where `f₂ = 0`.
pub fn richness_beyond(in_ball: &[usize]) -> Option<f64> {
    if in_ball.is_empty() {
        return None;
    }
    let with = |count: usize| in_ball.iter().filter(|&&c| c == count).count() as f64;
    let (once, twice, n) = (with(1), with(2), in_ball.len() as f64);
    let unseen = if twice > 0.0 { once * once / (2.0 * twice) } else { once * (once - 1.0) / 2.0 };
    Some(((n - with(0) + unseen) / n).min(1.0))
}

fn log_factorials(m: usize) -> Vec<f64> {
    let mut log = vec![0.0; m + 1];
    for i in 1..=m {
        log[i] = log[i - 1] + (i as f64).ln();
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // every subset of 3 of 6 rows, by hand
    fn rarefied_coverage_is_the_mean_over_all_subsets() {
        let covered_by: [&[usize]; 4] = [&[0], &[1, 2], &[3, 4, 5, 0], &[]];
        let mut total = 0.0;
        let mut subsets = 0;
        for mask in 0u32..64 {
            if mask.count_ones() == 3 {
                let hit = |rows: &&[usize]| rows.iter().any(|&row| mask >> row & 1 == 1);
                total += covered_by.iter().filter(|rows| hit(rows)).count() as f64 / 4.0;
                subsets += 1;
            }
        }
        let counts: Vec<usize> = covered_by.iter().map(|rows| rows.len()).collect();
        let got = coverage_at(&counts, 6, &[3])[0].unwrap();
        assert!((got - total / f64::from(subsets)).abs() < 1e-12, "{got}");
    }

    #[test]
    fn all_rows_give_plain_coverage_and_more_than_all_nothing() {
        let got = coverage_at(&[0, 3, 1, 0], 10, &[0, 10, 11]);
        assert_eq!(got, [Some(0.0), Some(0.5), None]);
    }

    #[test]
    fn references_covered_once_hint_at_more_to_come() {
        // 2 covered once, 1 twice, 7 not at all: 3 + 2²/2 = 5 of 10
        let counts = [1, 1, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(richness_beyond(&counts), Some(0.5));
        assert_eq!(richness_beyond(&[]), None);
    }
}
