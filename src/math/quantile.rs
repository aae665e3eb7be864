//! Order statistics.

/// The median: the mean of the two middle values where their number is even; NaN of none.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    quantiles(values, &[0.5])[0]
}

/// Quantiles at `levels` in `[0, 1]`, linear between order statistics (numpy's default); NaN of none.
pub(crate) fn quantiles(mut values: Vec<f64>, levels: &[f64]) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let at = |&level: &f64| {
        let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
        let position = level.clamp(0.0, 1.0) * last as f64;
        let below = position.floor() as usize;
        let (low, high) = (values[below], values[last.min(below + 1)]);
        // The form without a difference of infinities.
        if low == high { low } else { low + (high - low) * (position - below as f64) }
    };
    levels.iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_order_statistics() {
        assert_eq!(median(vec![4.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantiles(vec![0.0, 10.0], &[0.0, 0.25, 1.0]), [0.0, 2.5, 10.0]);
        assert!(median(Vec::new()).is_nan());
    }
}
