//! The best PR-curve that mixtures of several models reach, from their histograms.

use super::curve::Point;

/// A mixture of models at one slope.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// The share of each model; they sum to 1.
    pub weights: Vec<f64>,
    /// Where it lies.
    pub point: Point,
}

/// The mixture `Σ w_i Q_i` that has the greatest `α` at slope `λ`, and so the greatest `β = α/λ`:
///
/// ```text
/// max_w Σ_b min(λ p_b, Σ_i w_i q_ib)      w ≥ 0, Σ w_i = 1
/// ```
///
/// a linear programme. Its dual, which is solved, looks for the region `y` of bins that a mixture fails worst in:
///
/// ```text
/// λ − α = max_y λ Σ_b p_b y_b − max_i Σ_b q_ib y_b      0 ≤ y ≤ 1
/// ```
///
/// # Arguments
///
/// * `reference`: the share of each bin, `p`.
/// * `models`: for each model the share of each bin, `q_i`; not empty, all as long as `p`.
/// * `lambda`: the slope, above 0; large ones ask for precision, small ones for recall.
///
/// # Cost
///
/// Pivots of a table of `(bins + models) × bins`; milliseconds for hundreds of each.
///
/// # Example
///
/// ```
/// # use llmpr::metric::mixture::mixture;
/// // Each model writes one half of the reference, the first with a fault in every fifth text (last bin).
/// let models = [vec![0.8, 0.0, 0.2], vec![0.0, 1.0, 0.0]];
/// let best = mixture(&[0.5, 0.5, 0.0], &models, 1.0);
/// // Half and half: 0.4 + 0.5. One text more of the first is one less of the second, and 0.8 of it count.
/// assert!((best.point.alpha - 0.9).abs() < 1e-9);
/// assert!((best.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// ```
pub fn mixture(reference: &[f64], models: &[Vec<f64>], lambda: f64) -> Mixture {
    let bins = reference.len();
    // Variables are the bins' y and the worst model's share t, which costs 1.
    let gain: Vec<f64> = reference.iter().map(|p| lambda * p).chain([-1.0]).collect();
    let of_model = |q: &Vec<f64>| (q.iter().copied().chain([-1.0]).collect(), 0.0);
    let of_bin = |bin: usize| ((0..=bins).map(|b| f64::from(b == bin)).collect(), 1.0);
    let rows = models.iter().map(of_model).chain((0..bins).map(of_bin)).collect();
    let mut weights = prices(&gain, rows);
    weights.truncate(models.len());
    let total: f64 = weights.iter().sum();
    match total > 0.0 {
        true => weights.iter_mut().for_each(|w| *w /= total),
        // Nothing of the reference is reached, whatever is mixed.
        false => weights.iter_mut().enumerate().for_each(|(i, w)| *w = f64::from(i == 0)),
    }
    let alpha = alpha(reference, models, &weights, lambda);
    Mixture { weights, point: Point { lambda, alpha, beta: alpha / lambda } }
}

/// `α` of a mixture at one slope: `Σ_b min(λ p_b, Σ_i w_i q_ib)`.
///
/// ```
/// # use llmpr::metric::mixture::alpha;
/// assert_eq!(alpha(&[0.5, 0.5], &[vec![1.0, 0.0], vec![0.0, 1.0]], &[0.75, 0.25], 1.0), 0.75);
/// ```
pub fn alpha(reference: &[f64], models: &[Vec<f64>], weights: &[f64], lambda: f64) -> f64 {
    let mixed = |bin: usize| -> f64 { weights.iter().zip(models).map(|(w, q)| w * q[bin]).sum() };
    reference.iter().enumerate().map(|(bin, p)| (lambda * p).min(mixed(bin))).sum()
}

/// What one more unit of each row's bound is worth where `gain · x` is greatest: `row · x ≤ bound`, `x ≥ 0`, no bound
/// below 0. By the simplex method in a condensed table, with Bland's rule, which does not go in circles.
fn prices(gain: &[f64], rows: Vec<(Vec<f64>, f64)>) -> Vec<f64> {
    const ZERO: f64 = 1e-11;
    let (columns, height) = (gain.len(), rows.len());
    let mut table: Vec<Vec<f64>> =
        rows.into_iter().map(|(row, bound)| [row, vec![bound]].concat()).collect();
    let mut value: Vec<f64> = gain.iter().map(|g| -g).chain([0.0]).collect();
    // Variables by number: those of the problem, then the slack of each row.
    let mut outside: Vec<usize> = (0..columns).collect();
    let mut basis: Vec<usize> = (columns..columns + height).collect();
    loop {
        let enters = (0..columns).filter(|&s| value[s] < -ZERO).min_by_key(|&s| outside[s]);
        let Some(s) = enters else { break };
        let ratio = |r: usize| table[r][columns] / table[r][s];
        let leaves = (0..height)
            .filter(|&r| table[r][s] > ZERO)
            .min_by(|&a, &b| ratio(a).total_cmp(&ratio(b)).then(basis[a].cmp(&basis[b])));
        // No bound holds it: not with bins that end at 1.
        let Some(r) = leaves else { break };
        let pivot = table[r][s];
        table[r][s] = 1.0;
        table[r].iter_mut().for_each(|x| *x /= pivot);
        let row = table[r].clone();
        let others = table.iter_mut().enumerate().filter(|(i, _)| *i != r).map(|(_, of)| of);
        for of in others.chain([&mut value]) {
            let factor = std::mem::take(&mut of[s]);
            if factor != 0.0 {
                of.iter_mut().zip(&row).for_each(|(x, y)| *x -= factor * y);
            }
        }
        std::mem::swap(&mut outside[s], &mut basis[r]);
    }
    let mut prices = vec![0.0; height];
    for (s, &variable) in outside.iter().enumerate() {
        if let Some(row) = variable.checked_sub(columns) {
            prices[row] = value[s].max(0.0);
        }
    }
    prices
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test] // by hand
    fn a_mixture_of_models_that_each_write_a_part_writes_the_whole() {
        let models = [vec![1.0, 0.0], vec![0.0, 1.0]];
        let best = mixture(&[0.25, 0.75], &models, 1.0);
        assert!((best.weights[0] - 0.25).abs() < 1e-9 && (best.point.alpha - 1.0).abs() < 1e-9);
        // At a large slope every text that lies in the support counts, whoever wrote it.
        let faulty = [vec![0.5, 0.0, 0.5], vec![1.0, 0.0, 0.0]];
        let best = mixture(&[0.5, 0.5, 0.0], &faulty, 10.0);
        assert_eq!((best.weights, best.point.alpha), (vec![0.0, 1.0], 1.0));
        let nowhere = mixture(&[1.0, 0.0], &[vec![0.0, 1.0]], 1.0);
        assert_eq!((nowhere.weights, nowhere.point.alpha), (vec![1.0], 0.0));
    }

    fn shares(counts: &[u32]) -> Vec<f64> {
        let total = counts.iter().sum::<u32>().max(1);
        counts.iter().map(|&count| f64::from(count) / f64::from(total)).collect()
    }

    proptest! {
        #[test]
        fn no_mixture_is_better(
            counts in prop::collection::vec(prop::collection::vec(0u32..6, 7), 2..6),
            others in prop::collection::vec(prop::collection::vec(0u32..9, 5), 20),
            lambda in prop::sample::select(vec![0.1, 0.5, 1.0, 2.0, 10.0]),
        ) {
            let shares: Vec<Vec<f64>> = counts.iter().map(|of| shares(of)).collect();
            let (p, models) = (&shares[0], &shares[1..]);
            let best = mixture(p, models, lambda);
            prop_assert!((best.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(best.weights.iter().all(|&w| w >= 0.0));
            let single = (0..models.len()).map(|i| (0..models.len()).map(|j| u32::from(i == j)).collect());
            let mixed = others.iter().map(|of| of[..models.len()].to_vec());
            for weights in single.chain(mixed) {
                let weights = self::shares(&weights);
                let other = alpha(p, models, &weights, lambda);
                prop_assert!(other <= best.point.alpha + 1e-9, "{weights:?}: {other} above {best:?}");
            }
        }
    }
}
