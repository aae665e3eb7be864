//! How alike two lists put the same things in order.

/// Spearman's rank correlation; equal values share their mean rank. NaN where a side does not vary.
///
/// # Example
///
/// ```
/// # use llmpr::math::ranks::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 9.0], &[0.1, 0.2, 0.3]), 1.0);
/// ```
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 { product(&a, &b) / scale } else { f64::NAN }
}

/// Kendall's `τ_b`: of the pairs that both sides order, those that they order alike less those that they order in
/// opposite ways. NaN where a side does not vary.
///
/// ```text
/// τ_b = (C − D) / √((N − ties of a) (N − ties of b))      N = n(n − 1)/2
/// ```
///
/// Kendall 1945, Biometrika 33. Cost `O(n²)`.
///
/// # Example
///
/// ```
/// # use llmpr::math::ranks::kendall;
/// // Of the three pairs two are ordered alike and one is not.
/// assert!((kendall(&[1.0, 2.0, 3.0], &[0.1, 0.3, 0.2]) - 1.0 / 3.0).abs() < 1e-15);
/// ```
pub fn kendall(a: &[f64], b: &[f64]) -> f64 {
    let order = |x: f64, y: f64| i64::from(x > y) - i64::from(x < y);
    let (mut alike, mut ordered) = (0, [0, 0]);
    for i in 0..a.len().min(b.len()) {
        for j in 0..i {
            let (x, y) = (order(a[i], a[j]), order(b[i], b[j]));
            alike += x * y;
            ordered[0] += x * x;
            ordered[1] += y * y;
        }
    }
    let scale = (ordered[0] as f64 * ordered[1] as f64).sqrt();
    if scale > 0.0 { alike as f64 / scale } else { f64::NAN }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    for group in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let below = values.iter().filter(|&&v| v < values[group[0]]).count();
        let rank = below as f64 + (group.len() as f64 - 1.0) / 2.0;
        group.iter().for_each(|&i| ranks[i] = rank);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // closed form
    fn ranks_decide_and_ties_share_theirs() {
        assert_eq!(spearman(&[1.0, 2.0, 9.0], &[0.1, 0.2, 0.3]), 1.0);
        assert_eq!(spearman(&[3.0, 2.0, 1.0], &[0.1, 0.2, 0.3]), -1.0);
        // Ranks 0, ½+½, 2 against 0, 1, 2 with one pair tied: (0, 0.5, 0.5, 3) with (0, 1, 2, 3).
        let tied = spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]);
        assert!((tied - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12, "{tied}");
        assert!(spearman(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }

    #[test] // by hand
    fn pairs_that_a_side_ties_count_for_neither() {
        // Pairs of a: 5 of 6 are ordered; b orders all 6; 5 alike: 5/√30.
        let tied = kendall(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]);
        assert!((tied - 5.0 / 30.0f64.sqrt()).abs() < 1e-15, "{tied}");
        assert_eq!(kendall(&[3.0, 2.0, 1.0], &[0.1, 0.2, 0.3]), -1.0);
        assert!(kendall(&[1.0, 1.0], &[1.0, 2.0]).is_nan() && kendall(&[], &[]).is_nan());
    }
}
