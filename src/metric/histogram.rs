//! Counts over bins that both sides share, and the shares they stand for.

use crate::data::sides::{Side, Sides};

/// Why counts do not make two distributions over the same bins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum HistogramError {
    /// The two sides have different numbers of bins.
    #[error(
        "the reference histogram has {reference} bins and the model's {model}; both must count the same bins"
    )]
    Bins { reference: usize, model: usize },
    /// A side has nothing in any bin.
    #[error("the {side} histogram counts nothing; it needs at least one text in one bin")]
    Empty { side: Side },
    /// There are more texts than a permutation test can hold.
    #[error("the histograms hold {texts} texts; at most {most} can be permuted")]
    TooMany { texts: u64, most: u64 },
    /// A label names a bin that does not exist.
    #[error("label {label} at row {row} of the {side} labels is not below the {clusters} clusters")]
    Label { side: Side, row: usize, label: u32, clusters: usize },
}

/// How counts become shares.
///
/// With `N` the count of a bin, `n` the sum and `φ_N` the number of bins that hold `N`:
///
/// ```text
/// none                  N / n
/// Krichevsky–Trofimov   ∝ N + ½
/// Laplace               ∝ N + 1
/// Braess–Sauer          ∝ N + ½ if N = 0,  N + 1 if N = 1,  N + ¾ otherwise
/// Good–Turing           ∝ N if N > φ_{N+1},  (N + 1)(φ_{N+1} + 1) / φ_N otherwise
/// ```
///
/// The Good–Turing form is that of Orlitsky & Suresh 2015 (arXiv:1503.07940): small counts borrow
/// from the number of bins one count above, large ones are left alone, and no share is zero. The
/// four smoothers are those that Pillutla et al. 2023 (arXiv:2212.14578) compare for divergence frontiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Smoothing {
    /// Counts as they are; unseen bins have share 0.
    #[default]
    None,
    /// Half a text more in every bin: the `*` of MAUVE* and the `_smoothed` divergences.
    KrichevskyTrofimov,
    /// One text more in every bin.
    Laplace,
    /// Between the two, by count.
    BraessSauer,
    /// Small counts by the frequency of the next larger count.
    GoodTuring,
}

impl Smoothing {
    /// The shares of one side; they sum to 1.
    ///
    /// `None` where nothing is counted.
    pub fn apply(self, counts: &[u64]) -> Option<Vec<f64>> {
        if counts.iter().all(|&c| c == 0) {
            return None;
        }
        let weights: Vec<f64> = match self {
            Self::None => counts.iter().map(|&c| c as f64).collect(),
            Self::KrichevskyTrofimov => counts.iter().map(|&c| c as f64 + 0.5).collect(),
            Self::Laplace => counts.iter().map(|&c| c as f64 + 1.0).collect(),
            Self::BraessSauer => counts.iter().map(|&c| c as f64 + braess_sauer(c)).collect(),
            Self::GoodTuring => good_turing(counts),
        };
        let total: f64 = weights.iter().sum();
        Some(weights.iter().map(|w| w / total).collect())
    }
}

fn braess_sauer(count: u64) -> f64 {
    match count {
        0 => 0.5,
        1 => 1.0,
        _ => 0.75,
    }
}

fn good_turing(counts: &[u64]) -> Vec<f64> {
    let mut bins_with = std::collections::HashMap::new();
    for &count in counts {
        *bins_with.entry(count).or_insert(0u64) += 1;
    }
    let phi = |count: u64| bins_with.get(&count).copied().unwrap_or(0);
    let weight = |&count: &u64| {
        let above = phi(count.saturating_add(1));
        if count > above {
            count as f64
        } else {
            (count as f64 + 1.0) * (above as f64 + 1.0) / phi(count) as f64
        }
    };
    counts.iter().map(weight).collect()
}

/// The shares of both sides over their common bins.
///
/// # Errors
///
/// [`HistogramError::Bins`] when the sides count different bins, [`HistogramError::Empty`] when one
/// counts nothing.
///
/// # Example
///
/// ```
/// use llmpr::{metric::histogram::{Smoothing, shares}, sides::Sides};
/// let counts = Sides { reference: &[3u64, 1][..], model: &[0, 1][..] };
/// assert_eq!(shares(counts, Smoothing::None)?.reference, [0.75, 0.25]);
/// assert_eq!(shares(counts, Smoothing::KrichevskyTrofimov)?.model, [0.25, 0.75]);
/// # Ok::<(), llmpr::metric::histogram::HistogramError>(())
/// ```
pub fn shares(
    counts: Sides<&[u64]>,
    smoothing: Smoothing,
) -> Result<Sides<Vec<f64>>, HistogramError> {
    let Sides { reference, model } = counts.map(<[u64]>::len);
    if reference != model {
        return Err(HistogramError::Bins { reference, model });
    }
    let side = |side| smoothing.apply(counts.get(side)).ok_or(HistogramError::Empty { side });
    Ok(Sides { reference: side(Side::Reference)?, model: side(Side::Model)? })
}

/// How many rows of each side carry each of the labels `0..clusters`.
///
/// # Errors
///
/// [`HistogramError::Label`] for the first label that is not below `clusters`.
pub fn counts(labels: Sides<&[u32]>, clusters: usize) -> Result<Sides<Vec<u64>>, HistogramError> {
    let count = |side| {
        let mut counts = vec![0u64; clusters];
        for (row, &label) in labels.get(side).iter().enumerate() {
            let bin = counts.get_mut(label as usize);
            *bin.ok_or(HistogramError::Label { side, row, label, clusters })? += 1;
        }
        Ok(counts)
    };
    Ok(Sides { reference: count(Side::Reference)?, model: count(Side::Model)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // closed form
    fn each_smoother_gives_the_shares_of_its_formula() {
        // φ_0 = 1, φ_1 = 2, φ_2 = 1, φ_5 = 1
        let counts = [0u64, 1, 1, 2, 5];
        let weights = [
            (Smoothing::None, [0.0, 1.0, 1.0, 2.0, 5.0]),
            (Smoothing::KrichevskyTrofimov, [0.5, 1.5, 1.5, 2.5, 5.5]),
            (Smoothing::Laplace, [1.0, 2.0, 2.0, 3.0, 6.0]),
            (Smoothing::BraessSauer, [0.5, 2.0, 2.0, 2.75, 5.75]),
            // 0 ≤ φ_1 = 2: 1·3/1; 1 ≤ φ_2 = 1: 2·2/2; 2 > φ_3 = 0; 5 > φ_6 = 0
            (Smoothing::GoodTuring, [3.0, 2.0, 2.0, 2.0, 5.0]),
        ];
        for (smoothing, weights) in weights {
            let total: f64 = weights.iter().sum();
            let got = smoothing.apply(&counts).unwrap();
            for (got, weight) in got.iter().zip(weights) {
                assert!((got - weight / total).abs() < 1e-15, "{smoothing:?}: {got}, {weight}");
            }
        }
    }

    #[test]
    fn histograms_over_different_bins_get_a_sentence() {
        let counts = Sides { reference: &[1u64, 2][..], model: &[1, 2, 3][..] };
        assert_eq!(
            shares(counts, Smoothing::None).unwrap_err().to_string(),
            "the reference histogram has 2 bins and the model's 3; both must count the same bins"
        );
    }

    #[test]
    fn a_histogram_without_texts_or_bins_gets_a_sentence() {
        let error = |reference, model| {
            shares(Sides { reference, model }, Smoothing::Laplace).unwrap_err().to_string()
        };
        assert_eq!(
            error(&[1, 0], &[0, 0]),
            "the model histogram counts nothing; it needs at least one text in one bin"
        );
        assert!(error(&[], &[]).starts_with("the reference histogram counts nothing"));
    }

    #[test]
    fn labels_are_counted_and_a_label_out_of_range_is_named() {
        let labels = Sides { reference: &[0u32, 2, 2][..], model: &[1, 3][..] };
        let got = counts(labels, 4).unwrap();
        assert_eq!((got.reference, got.model), (vec![1, 0, 2, 0], vec![0, 1, 0, 1]));
        assert_eq!(
            counts(labels, 3).unwrap_err().to_string(),
            "label 3 at row 1 of the model labels is not below the 3 clusters"
        );
    }
}
