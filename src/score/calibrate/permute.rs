//! p-values by exchanging the labels "reference" and "model".

use rand_chacha::ChaCha8Rng;

use crate::rng;

/// Which values count as extreme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Small ones: measures that fall when the distributions differ.
    Low,
    /// Large ones.
    High,
    /// Both ends, at twice the smaller share.
    Both,
}

/// A relabeling of `n + m` pooled rows: which `n` of them play the reference, ascending.
pub fn relabel(rng: &mut ChaCha8Rng, n: usize, m: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..n + m).collect();
    // Only the first n places are needed.
    for i in 0..n.min((n + m).saturating_sub(1)) {
        let j = i + rng::next_below(rng, n + m - i);
        rows.swap(i, j);
    }
    rows.truncate(n);
    rows.sort_unstable();
    rows
}

/// The p-value of `observed` among the values of random relabelings; `None` without any, or where
/// one is undefined.
///
/// ```text
/// p = (1 + #{relabeled at least as extreme}) / (1 + #relabeled)
/// ```
///
/// The observed labeling counts among the relabelings, so the test is exact: under "same
/// distribution" `P(p ≤ t) ≤ t`, with equality at multiples of `1/(1 + #relabeled)` without ties.
pub fn p_value(observed: f64, relabeled: &[f64], tail: Tail) -> Option<f64> {
    if relabeled.is_empty() || observed.is_nan() || relabeled.iter().any(|v| v.is_nan()) {
        return None;
    }
    let share = |extreme: &dyn Fn(f64) -> bool| {
        let count = relabeled.iter().filter(|&&v| extreme(v)).count();
        (1 + count) as f64 / (1 + relabeled.len()) as f64
    };
    let low = || share(&|v| v <= observed);
    let high = || share(&|v| v >= observed);
    Some(match tail {
        Tail::Low => low(),
        Tail::High => high(),
        Tail::Both => (2.0 * low().min(high())).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relabeling_keeps_the_sizes_and_reaches_every_row() {
        let mut rng = rng::named(0, "test");
        let mut seen = [0usize; 7];
        for _ in 0..700 {
            let reference = relabel(&mut rng, 3, 4);
            assert_eq!(reference.len(), 3);
            assert!(reference.windows(2).all(|pair| pair[0] < pair[1]));
            reference.iter().for_each(|&row| seen[row] += 1);
        }
        // each row is expected 300 times; 5 standard deviations are 65
        assert!(seen.iter().all(|&times| times.abs_diff(300) < 65), "{seen:?}");
    }

    #[test] // closed form
    fn the_most_extreme_of_nineteen_has_p_one_in_twenty() {
        let relabeled: Vec<f64> = (0..19).map(f64::from).collect();
        assert_eq!(p_value(100.0, &relabeled, Tail::High), Some(0.05));
        assert_eq!(p_value(100.0, &relabeled, Tail::Low), Some(1.0));
        assert_eq!(p_value(100.0, &relabeled, Tail::Both), Some(0.1));
        assert_eq!(p_value(f64::INFINITY, &[f64::INFINITY, 1.0], Tail::High), Some(2.0 / 3.0));
        assert_eq!(p_value(1.0, &[], Tail::High), None);
        assert_eq!(p_value(f64::NAN, &relabeled, Tail::High), None);
    }
}
