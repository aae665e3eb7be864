//! What neighboring temperatures say of each other: a measure changes steadily along them.

use crate::{math::special::normal_quantile, rng};

/// Distances over which a measure may stay alike, as shares of the whole range of positions; 0 is no likeness.
const LENGTHS: [f64; 4] = [0.0, 0.1, 0.2, 0.4];
/// Variances that the steady part may have, as shares of the variance of the values. Below 1 values that few texts
/// show badly would pass for one value, and longer lengths do the same.
const SCALES: [f64; 3] = [1.0, 3.0, 10.0];
/// Positions below which there is no line.
const LEAST: usize = 4;

/// Draws of values on a line after what their neighbors say: those of a Gaussian process whose noise is the spread of
/// the draws about their means.
///
/// How far a value is like its neighbors is not known: each draw takes one of a few lengths and scales, as often as the
/// values make it probable, no likeness among them. Draws of the process are made by Matheron's rule,
/// `f = g + K (K + S)⁻¹ (y − g)` with `g` from the process and `y` the draw, so what the draws of different positions
/// have in common stays.
///
/// * `at`: positions, one for each list of `draws`, which are of one length.
///
/// Cost: `O(k³)` for `k` positions and `O(k²)` for each draw.
pub(crate) fn smoothed(at: &[f64], draws: &mut [Vec<f64>], seed: u64) {
    let k = at.len();
    let count = draws.first().map_or(0, Vec::len);
    let (first, last) =
        at.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    if k < LEAST || count < 2 || last <= first {
        return;
    }
    let means: Vec<f64> = draws.iter().map(|own| own.iter().sum::<f64>() / count as f64).collect();
    let noise: Vec<f64> = draws
        .iter()
        .zip(&means)
        .map(|(own, mean)| own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64)
        .collect();
    let middle = means.iter().sum::<f64>() / k as f64;
    let values: Vec<f64> = means.iter().map(|mean| mean - middle).collect();
    let total = values.iter().map(|v| v * v).sum::<f64>() / k as f64;
    if total <= 0.0 || !total.is_finite() {
        return;
    }
    let covariance = |length: f64, scale: f64| -> Vec<Vec<f64>> {
        let reach = length * (last - first);
        let of = |x: f64, y: f64| match length > 0.0 {
            true => scale * total * (-0.5 * ((x - y) / reach).powi(2)).exp(),
            false => scale * total * f64::from(x == y),
        };
        at.iter().map(|&x| at.iter().map(|&y| of(x, y)).collect()).collect()
    };
    // Rounding must not make a steady covariance one that has no root.
    let jitter = 1e-9 * total;
    let factor = |k: &[Vec<f64>], noise: &[f64]| {
        let mut sum = k.to_vec();
        sum.iter_mut().zip(noise).enumerate().for_each(|(i, (row, s))| row[i] += s + jitter);
        root(sum)
    };
    let mut models = Vec::new();
    for (length, scale) in LENGTHS.into_iter().flat_map(|l| SCALES.map(|scale| (l, scale))) {
        let prior = covariance(length, scale);
        let (Some(own), Some(l)) = (factor(&prior, &vec![0.0; k]), factor(&prior, &noise)) else {
            continue;
        };
        let fit = forward(&l, &values).iter().map(|x| x * x).sum::<f64>() / 2.0;
        let likely = -fit - l.iter().enumerate().map(|(i, row)| row[i].ln()).sum::<f64>();
        models.push((likely, prior, own, l));
    }
    let most = models.iter().map(|model| model.0).fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for model in &mut models {
        sum += (model.0 - most).exp();
        model.0 = sum;
    }
    let mut rng = rng::named(seed, "race line");
    (0..count).for_each(|draw| {
        let taken = rng::next_unit(&mut rng) * sum;
        let Some((_, prior, own, l)) = models.iter().find(|model| taken < model.0) else { return };
        let unit: Vec<f64> =
            (0..k).map(|_| normal_quantile(rng::next_unit(&mut rng).max(1e-12))).collect();
        let g: Vec<f64> = own.iter().map(|row| dot(row, &unit)).collect();
        let rest: Vec<f64> = (0..k).map(|i| draws[i][draw] - middle - g[i]).collect();
        let weights = backward(l, &forward(l, &rest));
        for i in 0..k {
            draws[i][draw] = middle + g[i] + dot(&prior[i], &weights);
        }
    });
}

/// Products summed, as far as the shorter goes.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The lower triangle `L` with `L Lᵀ = a`, by Cholesky; `None` where there is none.
fn root(mut a: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    for i in 0..a.len() {
        for j in 0..=i {
            let rest = a[i][j] - dot(&a[i][..j], &a[j][..j]);
            a[i][j] = match i == j {
                true if rest > 0.0 => rest.sqrt(),
                true => return None,
                false => rest / a[j][j],
            };
        }
        a[i].truncate(i + 1);
    }
    Some(a)
}

/// `x` with `L x = b`.
fn forward(l: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut x = Vec::with_capacity(b.len());
    for (i, row) in l.iter().enumerate() {
        x.push((b[i] - dot(&row[..i], &x)) / row[i]);
    }
    x
}

/// `x` with `Lᵀ x = b`.
fn backward(l: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut x = b.to_vec();
    for i in (0..l.len()).rev() {
        x[i] /= l[i][i];
        for j in 0..i {
            x[j] -= l[i][j] * x[i];
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 draws with a deviation of `noise` about `value` and a common chance error of each position.
    fn about(values: &[f64], noise: f64, seed: u64) -> Vec<Vec<f64>> {
        let mut rng = rng::named(seed, "test line");
        let mut normal = move || normal_quantile(rng::next_unit(&mut rng).max(1e-12));
        let one = |value: &f64| {
            let seen = value + noise * normal();
            (0..200).map(|_| seen + noise * normal()).collect()
        };
        values.iter().map(one).collect()
    }

    fn mean(draws: &[f64]) -> f64 {
        draws.iter().sum::<f64>() / draws.len() as f64
    }

    #[test]
    fn a_triangle_times_itself_is_what_it_is_the_root_of() {
        let a = vec![vec![4.0, 2.0, 1.0], vec![2.0, 3.0, 0.5], vec![1.0, 0.5, 2.0]];
        let l = root(a.clone()).unwrap();
        let x = backward(&l, &forward(&l, &[1.0, 2.0, 3.0]));
        for (row, b) in a.iter().zip([1.0, 2.0, 3.0]) {
            assert!((dot(row, &x) - b).abs() < 1e-12);
        }
        assert_eq!(root(vec![vec![1.0, 2.0], vec![2.0, 1.0]]), None);
    }

    #[test] // simulated: mean square errors over 30 lines of 14 positions
    fn neighbors_take_a_third_of_the_error_off_values_that_change_steadily() {
        let at: Vec<f64> = (0..14).map(|i| 0.2 + 0.1 * i as f64).collect();
        let exact: Vec<f64> = at.iter().map(|t| 0.3 - 0.15 * (t - 1.0).powi(2)).collect();
        let (mut before, mut after) = (0.0, 0.0);
        for seed in 0..30 {
            let mut draws = about(&exact, 0.05, seed);
            let error = |draws: &[Vec<f64>]| -> f64 {
                draws.iter().zip(&exact).map(|(own, x)| (mean(own) - x).powi(2)).sum()
            };
            before += error(&draws);
            smoothed(&at, &mut draws, seed);
            after += error(&draws);
        }
        assert!(after < 2.0 / 3.0 * before, "{after} {before}");
    }

    #[test] // simulated: 95 % of the draws hold the exact value in 95 of 100 cases
    fn noise_does_not_make_different_values_one() {
        let at: Vec<f64> = (0..14).map(|i| 0.2 + 0.1 * i as f64).collect();
        let exact: Vec<f64> = at.iter().map(|t| 0.3 + 0.1 * t).collect();
        let (mut outside, mut all) = (0, 0);
        for seed in 0..40 {
            let mut draws = about(&exact, 0.08, seed);
            smoothed(&at, &mut draws, seed);
            for (own, exact) in draws.iter_mut().zip(&exact) {
                own.sort_by(f64::total_cmp);
                outside += i32::from(*exact < own[5] || *exact > own[194]);
                all += 1;
            }
        }
        // Neighbors err together, so these are some 150 independent cases, whose 5 % deviate by 1.8 %.
        let share = f64::from(outside) / f64::from(all);
        assert!(share < 0.05 + 3.0 * 0.018, "{share}");
    }

    #[test]
    fn values_without_likeness_and_values_without_noise_stay() {
        let at: Vec<f64> = (0..10).map(f64::from).collect();
        let jagged: Vec<f64> = (0..10).map(|i| f64::from(i % 2)).collect();
        let cliff: Vec<f64> = (0..10).map(|i| if i < 6 { 0.95 } else { 0.2 }).collect();
        for exact in [jagged, cliff] {
            let mut draws = about(&exact, 0.01, 1);
            smoothed(&at, &mut draws, 1);
            for (own, exact) in draws.iter().zip(exact) {
                assert!((mean(own) - exact).abs() < 0.03, "{} {exact}", mean(own));
            }
        }
        let mut few = about(&[0.1, 0.9, 0.1], 0.1, 1);
        let before = few.clone();
        smoothed(&[0.0, 1.0, 2.0], &mut few, 1);
        assert_eq!(few, before);
    }
}
