//! Inception score of any classifier's `p(y|x)`, with the two entropies it is made of.

use super::spec::{Better, Family, Null, Range, Spec};

/// [`inception_score`] over clusters.
pub const INCEPTION_SCORE: Spec = Spec {
    name: "inception_score",
    title: "Inception score over clusters",
    family: Family::Ratio,
    range: Range::FromOne,
    better: Better::Neither,
    null: Null::OwnValue,
    truth: &[],
    cost: "k-means, then O(m clusters d)",
    parameter: None,
};
/// Entropy of the clusters of all texts together.
pub const INCEPTION_ENTROPY: Spec = Spec {
    name: "inception_entropy",
    title: "Entropy of the clusters",
    range: Range::Positive,
    ..INCEPTION_SCORE
};
/// Mean entropy of the clusters of one text.
pub const INCEPTION_CONDITIONAL_ENTROPY: Spec = Spec {
    name: "inception_conditional_entropy",
    title: "Entropy of the clusters given a text",
    range: Range::Positive,
    ..INCEPTION_SCORE
};

/// Why class probabilities have no inception score.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum InceptionError {
    /// The values do not make rows of classes.
    #[error("{values} probabilities do not fill rows of {classes} classes")]
    Ragged { values: usize, classes: usize },
    /// A row is no distribution.
    #[error("row {row} sums to {sum}; class probabilities are not negative and sum to 1")]
    NoDistribution { row: usize, sum: f64 },
    /// There are fewer rows than parts.
    #[error("{splits} parts need 1 ≤ parts ≤ n, and there are n = {n} rows")]
    Splits { n: usize, splits: usize },
}

/// An inception score and its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Inception {
    /// Mean over the parts, in `[1, classes]`; higher is taken to be better.
    pub mean: f64,
    /// Standard deviation over the parts (`ddof = 0`).
    pub std: f64,
    /// The score of each part.
    pub per_split: Vec<f64>,
    /// `H(E_x p(y|x))` in nats over all rows: how many classes are used.
    pub marginal_entropy: f64,
    /// `E_x H(p(y|x))` in nats over all rows: how unsure the classifier is of a text.
    pub conditional_entropy: f64,
}

/// `exp(E_x KL(p(y|x) ‖ E p(y|x)))`, so `ln IS = H(E p(y|x)) − E H(p(y|x))`.
///
/// It knows nothing of the reference, of variety within a class, nor of copying; read the entropies beside it.
///
/// # Arguments
///
/// * `probabilities`: row-major, a row of `classes` per text, each summing to 1 within
///   10⁻³; what rounding left is divided out.
/// * `splits`: equal consecutive parts scored apart; rows that do not fill the last are left out of the
///   parts. 1 scores all rows together; papers often take 10, which lowers the score.
///
/// # Errors
///
/// [`InceptionError`].
///
/// # Sources
///
/// Salimans et al. 2016, arXiv:1606.03498; Barratt & Sharma 2018, arXiv:1801.01973. Checked against `dgm-eval`.
///
/// # Example
///
/// ```
/// # use llmpr::metric::inception::inception_score;
/// let score = inception_score(&[1.0, 0.0, 0.0, 1.0], 2, 1)?;
/// assert_eq!((score.mean, score.conditional_entropy), (2.0, 0.0)); // sure, and of both classes
/// # Ok::<(), llmpr::metric::inception::InceptionError>(())
/// ```
pub fn inception_score(
    probabilities: &[f64],
    classes: usize,
    splits: usize,
) -> Result<Inception, InceptionError> {
    let values = probabilities.len();
    if classes == 0 || !values.is_multiple_of(classes) {
        return Err(InceptionError::Ragged { values, classes });
    }
    let n = values / classes;
    let mut normalized = probabilities.to_vec();
    for (row, shares) in normalized.chunks_exact_mut(classes).enumerate() {
        let sum: f64 = shares.iter().sum();
        if shares.iter().any(|p| *p < 0.0) || sum.is_nan() || (sum - 1.0).abs() > 1e-3 {
            return Err(InceptionError::NoDistribution { row, sum });
        }
        shares.iter_mut().for_each(|p| *p /= sum);
    }
    let rows: Vec<&[f64]> = normalized.chunks_exact(classes).collect();
    if splits == 0 || splits > n {
        return Err(InceptionError::Splits { n, splits });
    }
    let score = |part: &[&[f64]]| {
        let (marginal, conditional) = entropies(part);
        (marginal - conditional).exp()
    };
    let per_split: Vec<f64> = rows.chunks_exact(n / splits).take(splits).map(score).collect();
    let mean = per_split.iter().sum::<f64>() / splits as f64;
    let squares: f64 = per_split.iter().map(|score| (score - mean).powi(2)).sum();
    let (marginal_entropy, conditional_entropy) = entropies(&rows);
    let std = (squares / splits as f64).sqrt();
    Ok(Inception { mean, std, per_split, marginal_entropy, conditional_entropy })
}

/// `(H(mean row), mean H(row))`.
fn entropies(rows: &[&[f64]]) -> (f64, f64) {
    let n = rows.len() as f64;
    let classes = rows.first().map_or(0, |row| row.len());
    let mean: Vec<f64> =
        (0..classes).map(|y| rows.iter().map(|row| row[y]).sum::<f64>() / n).collect();
    let entropy =
        |row: &[f64]| row.iter().map(|&p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum::<f64>();
    (entropy(&mean), rows.iter().map(|row| entropy(row)).sum::<f64>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // closed form
    fn an_undecided_classifier_scores_one_whatever_it_is_undecided_about() {
        let score = inception_score(&[0.25; 12], 4, 3).unwrap();
        assert_eq!((score.mean, score.std), (1.0, 0.0));
        assert!((score.marginal_entropy - 4f64.ln()).abs() < 1e-15);
        assert!((score.conditional_entropy - 4f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn what_is_no_distribution_gets_a_sentence() {
        let error = |p: &[f64], classes, splits| {
            inception_score(p, classes, splits).unwrap_err().to_string()
        };
        assert_eq!(error(&[1.0; 3], 2, 1), "3 probabilities do not fill rows of 2 classes");
        assert_eq!(
            error(&[0.5, 0.5, 0.5, f64::NAN], 2, 1),
            "row 1 sums to NaN; class probabilities are not negative and sum to 1"
        );
        assert_eq!(
            error(&[0.5, 0.5], 2, 2),
            "2 parts need 1 ≤ parts ≤ n, and there are n = 1 rows"
        );
    }
}
