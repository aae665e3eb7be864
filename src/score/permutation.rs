//! Permutation tests within a fixed pooled partition.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{
    data::{
        sides::{Side, Sides},
        stop,
    },
    metric::histogram::HistogramError,
    rng,
};

/// What a permutation test found.
#[derive(Clone, Debug, PartialEq)]
pub struct Permutation {
    /// The statistic of the sides as they are.
    pub observed: f64,
    /// `(1 + |{null ≥ observed}|) / (1 + permutations)`: valid at any number of permutations.
    pub p_value: f64,
    /// The statistic under each relabelling, in the order of drawing.
    pub null: Vec<f64>,
}

impl Permutation {
    /// Mean of the statistic under "same distribution" at these very sizes: what it scores at best.
    pub fn null_mean(&self) -> f64 {
        self.null.iter().sum::<f64>() / self.null.len() as f64
    }
}

/// The largest number of texts that are permuted: their labels are held in memory once a thread.
pub const MOST_TEXTS: u64 = 1 << 27;

/// Tests "same distribution" by exchanging texts between the sides, with the bins left as they are.
///
/// The bins must come from both sides together (joint clusters), so that under the null every
/// relabelling is as likely as the observed one; then the p-value is exact and nothing is clustered again.
///
/// # Arguments
///
/// * `counts`: texts of either side per bin.
/// * `permutations`: 999 resolve `p = 0.001`.
/// * `seed`: each permutation has a stream of its own, so threads cannot move the result.
/// * `statistic`: larger means further apart: a divergence, or minus MAUVE.
///
/// # Errors
///
/// [`HistogramError`] when the histograms do not match, one is empty, or they hold more than [`MOST_TEXTS`] texts.
///
/// # Cost
///
/// `O(permutations · (n + m + statistic))` time, spread over threads.
///
/// # Example
///
/// ```
/// # use llmpr::{data::sides::Sides, score::permutation::permutation_test};
/// let counts = Sides { reference: &[40u64, 10][..], model: &[10, 40][..] };
/// let apart = |c: Sides<&[u64]>| (c.reference[0] as f64 - c.model[0] as f64).abs();
/// assert_eq!(permutation_test(counts, 199, 0, apart)?.p_value, 0.005);
/// # Ok::<(), llmpr::metric::histogram::HistogramError>(())
/// ```
pub fn permutation_test(
    counts: Sides<&[u64]>,
    permutations: usize,
    seed: u64,
    statistic: impl Fn(Sides<&[u64]>) -> f64 + Sync,
) -> Result<Permutation, HistogramError> {
    let sizes = checked_sizes(counts)?;
    let bins = counts.reference.len();
    let pooled: Vec<u64> = counts.reference.iter().zip(counts.model).map(|(p, q)| p + q).collect();
    let labels: Vec<u32> = (0u32..)
        .zip(&pooled)
        .flat_map(|(bin, &count)| std::iter::repeat_n(bin, count as usize))
        .collect();
    // The smaller side is drawn, the other is what remains.
    let (drawn_side, drawn) = match sizes.reference <= sizes.model {
        true => (Side::Reference, sizes.reference as usize),
        false => (Side::Model, sizes.model as usize),
    };
    let base = rng::named(seed, "permutations");
    let one = |buffers: &mut (Vec<u32>, Sides<Vec<u64>>), i: usize| {
        let (labels, counts) = buffers;
        let mut rng = base.clone();
        rng.set_stream(i as u64 + 1);
        let (taken, left) = match drawn_side {
            Side::Reference => (&mut counts.reference, &mut counts.model),
            Side::Model => (&mut counts.model, &mut counts.reference),
        };
        stop::check();
        draw(&mut rng, labels, drawn, taken);
        for ((left, taken), pooled) in left.iter_mut().zip(&*taken).zip(&pooled) {
            *left = pooled - taken;
        }
        statistic(counts.as_ref().map(Vec::as_slice))
    };
    let fresh = || (labels.clone(), Sides { reference: vec![0; bins], model: vec![0; bins] });
    let null: Vec<f64> = (0..permutations).into_par_iter().map_init(fresh, one).collect();
    let observed = statistic(counts);
    let beyond = null.iter().filter(|&&value| value >= observed).count();
    let p_value = (1 + beyond) as f64 / (1 + permutations) as f64;
    Ok(Permutation { observed, p_value, null })
}

fn checked_sizes(counts: Sides<&[u64]>) -> Result<Sides<u64>, HistogramError> {
    let Sides { reference, model } = counts.map(<[u64]>::len);
    if reference != model {
        return Err(HistogramError::Bins { reference, model });
    }
    let total = |counts: &[u64]| counts.iter().fold(0u64, |sum, &c| sum.saturating_add(c));
    let sizes = counts.map(total);
    for side in [Side::Reference, Side::Model] {
        if *sizes.get(side) == 0 {
            return Err(HistogramError::Empty { side });
        }
    }
    let texts = sizes.reference.saturating_add(sizes.model);
    if texts > MOST_TEXTS {
        return Err(HistogramError::TooMany { texts, most: MOST_TEXTS });
    }
    Ok(sizes)
}

/// Draws `n` of `labels` without replacement into `counts`, and puts `labels` back in order.
fn draw(rng: &mut ChaCha8Rng, labels: &mut [u32], n: usize, counts: &mut [u64]) {
    counts.fill(0);
    let mut exchanges = Vec::with_capacity(n);
    for i in 0..n {
        let j = i + rng::next_below(rng, labels.len() - i);
        labels.swap(i, j);
        exchanges.push(j);
        counts[labels[i] as usize] += 1;
    }
    // Every permutation starts from one order, whichever thread it falls to.
    for (i, j) in exchanges.into_iter().enumerate().rev() {
        labels.swap(i, j);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{
        divergence::Divergence,
        frontier::{Settings, smoothed},
        histogram::{Smoothing, shares},
    };

    fn js(counts: Sides<&[u64]>) -> f64 {
        shares(counts, Smoothing::None)
            .map_or(0.0, |shares| Divergence::Js.between(shares.as_ref().map(Vec::as_slice)))
    }

    #[test] // closed form
    fn three_against_three_texts_have_twenty_relabellings() {
        // All of P in bin 0, all of Q in bin 1: of C(6,3) = 20 relabellings 2 are as extreme.
        let counts = Sides { reference: &[3u64, 0][..], model: &[0, 3][..] };
        let test = permutation_test(counts, 20_000, 7, js).unwrap();
        assert!((test.p_value - 0.1).abs() < 0.01, "{}", test.p_value); // 5 standard deviations
    }

    #[test]
    fn p_values_are_uniform_when_both_sides_come_from_one_distribution() {
        // 300 data sets of 120 + 80 texts over 8 bins of unequal shares.
        let p_value = |data: u64| {
            let mut rng = rng::named(data, "null data");
            let mut counts = Sides { reference: vec![0u64; 8], model: vec![0u64; 8] };
            let mut fill = |side: &mut Vec<u64>, n| {
                (0..n).for_each(|_| side[(8.0 * rng::next_unit(&mut rng).powi(2)) as usize] += 1)
            };
            fill(&mut counts.reference, 120);
            fill(&mut counts.model, 80);
            let minus_mauve = |counts: Sides<&[u64]>| {
                -smoothed(counts, Smoothing::None, &Settings::default()).unwrap().0
            };
            permutation_test(counts.as_ref().map(Vec::as_slice), 199, data, minus_mauve)
                .unwrap()
                .p_value
        };
        let mut p_values: Vec<f64> = (0..300).map(p_value).collect();
        p_values.sort_by(f64::total_cmp);
        // Kolmogorov–Smirnov distance; 1.63/√300 = 0.094 is its 1 % point.
        let distance = p_values.iter().enumerate().map(|(i, p)| (p - i as f64 / 300.0).abs());
        let distance = distance.fold(0.0, f64::max);
        assert!(distance < 0.094, "{distance}");
    }

    #[test]
    fn the_null_does_not_depend_on_the_number_of_threads() {
        let counts = Sides { reference: &[30u64, 5, 9][..], model: &[20, 15, 4][..] };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| permutation_test(counts, 50, 3, js).unwrap())
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn histograms_that_cannot_be_permuted_get_a_sentence() {
        let error = |reference, model| {
            permutation_test(Sides { reference, model }, 9, 0, js).unwrap_err().to_string()
        };
        assert!(error(&[1], &[1, 2]).starts_with("the reference histogram has 1 bins"));
        assert!(error(&[1], &[0]).starts_with("the model histogram counts nothing"));
        assert_eq!(
            error(&[u64::MAX], &[1]),
            "the histograms hold 18446744073709551615 texts; at most 134217728 can be permuted"
        );
    }
}
