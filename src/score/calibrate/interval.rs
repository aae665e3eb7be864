//! Intervals from subsamples without replacement.

use rand_chacha::ChaCha8Rng;

use crate::{math::special::student_975, rng};

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How large a subsample is, and what its spread says of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsample {
    /// Rows of the whole, at least 2.
    pub n: usize,
    /// Rows of a subsample, `1 ≤ size < n`; half of them in the delete-half jackknife.
    pub size: usize,
}

impl Subsample {
    /// Half of `n` rows.
    pub fn half(n: usize) -> Self {
        Self { n, size: (n / 2).max(1) }
    }

    /// By what the variance over subsamples is multiplied to get that over fresh sets of `n` rows.
    ///
    /// A mean over `b` of `n` rows without replacement varies by `σ²(1/b − 1/n)`, one over `n` fresh
    /// rows by `σ²/n`; the quotient is `b/(n − b)`, which is 1 for halves.
    pub fn variance_factor(self) -> f64 {
        self.size as f64 / (self.n - self.size) as f64
    }
}

/// The rows of one subsample, ascending.
///
/// Where `groups` names a group for every row (the prompt that a text answers), whole groups are
/// drawn until the subsample has `at.size` rows; a last group that exceeds it is taken as often as gives
/// `at.size` rows on average. Texts of one prompt are not independent, and splitting them would make the
/// interval too short.
pub fn subsample(rng: &mut ChaCha8Rng, at: Subsample, groups: &[u64]) -> Vec<usize> {
    if groups.len() == at.n {
        let mut names: Vec<u64> = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        if names.len() > 1 && names.len() < at.n {
            let of: Vec<usize> =
                groups.iter().map(|name| names.partition_point(|other| other < name)).collect();
            let taken = whole_groups(rng, at, &of, names.len());
            return (0..at.n).filter(|&row| taken[of[row]]).collect();
        }
    }
    let mut rows: Vec<usize> = (0..at.n).collect();
    rng::shuffle(rng, &mut rows);
    rows.truncate(at.size);
    rows.sort_unstable();
    rows
}

/// Which of `count` groups a subsample takes; `of` has the group of each row.
fn whole_groups(rng: &mut ChaCha8Rng, at: Subsample, of: &[usize], count: usize) -> Vec<bool> {
    let mut sizes = vec![0; count];
    of.iter().for_each(|&group| sizes[group] += 1);
    let mut order: Vec<usize> = (0..count).collect();
    rng::shuffle(rng, &mut order);
    let cut = at.size.clamp(1, at.n - 1);
    let mut taken = vec![false; count];
    let mut rows = 0;
    for group in order {
        let missing = (cut - rows) as f64 / sizes[group] as f64;
        if missing <= 1.0 {
            // The group that the cut falls into.
            let end = rows + sizes[group];
            taken[group] =
                missing == 1.0 || rows == 0 || (end < at.n && rng::next_unit(rng) < missing);
            break;
        }
        taken[group] = true;
        rows += sizes[group];
    }
    taken
}

/// The 95 % interval around `value` from the values of subsamples.
///
/// Their standard deviation, times the square root of `variance_factor` ([`Subsample::variance_factor`]),
/// is that of the measure over fresh sets; their mean is not used, since measures that count
/// neighbors are biased at half the size. Half of the rows also miss more of a support, so that such
/// measures vary more over halves than they should: in three columns intervals of precision, recall,
/// density and coverage came out a quarter wider than needed, in 16 or more 0 to 15 %. `extra` is variance from elsewhere (clusterings), added.
/// Quantiles are Student's, with one degree of freedom per subsample but one. Ends stay in `range`.
///
/// `None` with fewer than two subsamples, or where a value is not finite.
pub fn interval(
    value: f64,
    subsamples: &[f64],
    variance_factor: f64,
    extra: f64,
    range: (f64, f64),
) -> Option<Interval> {
    if subsamples.len() < 2 || !value.is_finite() || subsamples.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let count = subsamples.len() as f64;
    let mean = subsamples.iter().sum::<f64>() / count;
    let variance = subsamples.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let deviation = (variance * variance_factor + extra.max(0.0)).sqrt();
    let reach = student_975(subsamples.len() - 1) * deviation;
    // A value outside the range by rounding must not leave its own interval.
    let low = (value - reach).max(range.0).min(value);
    let high = (value + reach).min(range.1).max(value);
    Some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subsample_has_distinct_rows_and_keeps_prompts_together() {
        let mut rng = rng::named(0, "test");
        let rows = subsample(&mut rng, Subsample::half(11), &[]);
        assert_eq!(rows.len(), 5);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "{rows:?}");

        let groups: Vec<u64> = (0..40).map(|row| row / 4).collect();
        let rows = subsample(&mut rng, Subsample::half(40), &groups);
        assert_eq!(rows.len(), 20);
        for group in 0..10 {
            let of_group = rows.iter().filter(|&&row| groups[row] == group).count();
            assert!(of_group == 0 || of_group == 4, "prompt {group} was split: {rows:?}");
        }
    }

    #[test]
    fn groups_that_do_not_fill_half_do_so_on_average() {
        let mut rng = rng::named(0, "test");
        let groups: Vec<u64> = (0..50).map(|row| row / 10).collect();
        let mut sizes = [0usize; 2];
        for _ in 0..400 {
            match subsample(&mut rng, Subsample::half(50), &groups).len() {
                20 => sizes[0] += 1,
                30 => sizes[1] += 1,
                other => panic!("{other} rows are no whole groups next to 25"),
            }
        }
        // 200 each; 5 standard deviations are 50
        assert!(sizes[0].abs_diff(200) < 50, "{sizes:?}");
    }

    #[test]
    fn an_interval_without_spread_is_the_value_and_without_subsamples_none() {
        let no_spread = interval(0.5, &[0.5; 10], 1.0, 0.0, (0.0, 1.0)).unwrap();
        assert_eq!((no_spread.low, no_spread.high), (0.5, 0.5));
        assert_eq!(interval(0.5, &[0.5], 1.0, 0.0, (0.0, 1.0)), None);
        assert_eq!(interval(f64::INFINITY, &[0.5; 3], 1.0, 0.0, (0.0, 1.0)), None);
    }

    #[test] // simulated: 400 experiments; 95 % ± 4 standard errors of a binomial count
    fn intervals_cover_the_mean_as_often_as_they_say() {
        let (experiments, n) = (400, 60);
        for size in [30, 12] {
            let mut covered = 0;
            for experiment in 0..experiments {
                let mut rng = rng::named(experiment, "coverage");
                let xs: Vec<f64> = (0..n).map(|_| rng::next_unit(&mut rng)).collect();
                let mean = |rows: &[usize]| {
                    rows.iter().map(|&row| xs[row]).sum::<f64>() / rows.len() as f64
                };
                let at = Subsample { n, size };
                let means: Vec<f64> =
                    (0..100).map(|_| mean(&subsample(&mut rng, at, &[]))).collect();
                let whole: Vec<usize> = (0..n).collect();
                let got = interval(mean(&whole), &means, at.variance_factor(), 0.0, (0.0, 1.0));
                let Interval { low, high } = got.unwrap();
                covered += usize::from(low <= 0.5 && 0.5 <= high);
            }
            let share = covered as f64 / experiments as f64;
            let allowed = 4.0 * (0.95 * 0.05 / experiments as f64).sqrt();
            assert!((share - 0.95).abs() < allowed, "size {size}: {share}, 0.95 ± {allowed}");
        }
    }
}
