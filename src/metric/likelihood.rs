//! PR-curves between two language models from log-probabilities: no features, no clusters.

use super::curve::Point;
use crate::sides::{Side, Sides};

/// Why log-probabilities give no curve.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum LikelihoodError {
    /// There is no text of either side.
    #[error("there are no log-probabilities; the curve needs texts of one side at least")]
    Empty,
    /// A text is impossible under the model that wrote it, or has no probability at all.
    #[error(
        "text {row} of the {side} side has ln P = {ln_p} and ln Q = {ln_q}; the side that wrote it must give it a probability"
    )]
    Impossible { side: Side, row: usize, ln_p: f64, ln_q: f64 },
}

/// The two log-probabilities of one text, in nats, of the whole text given its prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogProbs {
    /// `ln P(x)`; `−∞` where `P` cannot write it.
    pub ln_p: f64,
    /// `ln Q(x)`; `−∞` where `Q` cannot write it.
    pub ln_q: f64,
}

/// A point of the curve with the standard errors of its coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The point.
    pub point: Point,
    /// Standard error of `α`; that of `β` is `1/λ` times it.
    pub alpha_error: f64,
}

/// `ln P(x)/Q(x)` at texts that `P` and that `Q` wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct LikelihoodRatios(Sides<Vec<f64>>);

impl LikelihoodRatios {
    /// Takes the log-probabilities of texts drawn from `P` (`reference`) and from `Q` (`model`); one may be empty.
    ///
    /// Both must be of the distributions that the texts were drawn from, temperature and truncation included.
    ///
    /// # Errors
    ///
    /// [`LikelihoodError`].
    pub fn new(texts: Sides<&[LogProbs]>) -> Result<Self, LikelihoodError> {
        if texts.reference.is_empty() && texts.model.is_empty() {
            return Err(LikelihoodError::Empty);
        }
        let ratios = |side: Side| {
            let of_row = |(row, &LogProbs { ln_p, ln_q }): (usize, &LogProbs)| {
                let (own, other) = match side {
                    Side::Reference => (ln_p, ln_q),
                    Side::Model => (ln_q, ln_p),
                };
                if !own.is_finite() || other.is_nan() || other == f64::INFINITY {
                    return Err(LikelihoodError::Impossible { side, row, ln_p, ln_q });
                }
                Ok(ln_p - ln_q)
            };
            texts.get(side).iter().enumerate().map(of_row).collect::<Result<Vec<f64>, _>>()
        };
        Ok(Self(Sides { reference: ratios(Side::Reference)?, model: ratios(Side::Model)? }))
    }

    /// `ln P(x)/Q(x)` per text.
    pub fn log_ratios(&self) -> Sides<&[f64]> {
        self.0.as_ref().map(Vec::as_slice)
    }

    /// The PR-curve at the slopes `lambdas`, unbiased at every one.
    ///
    /// ```text
    /// α_λ = E_{x~Q} min(1, λ P(x)/Q(x)) = E_{x~P} min(λ, Q(x)/P(x)),   β_λ = α_λ/λ
    /// ```
    ///
    /// The first mean has the smaller spread for large `λ`, the second for small: with texts of both sides they are
    /// weighed `λ : 1`, else the one there is counts alone.
    ///
    /// Of whole long texts the ratios are 0 or ∞ and the curve says only that the models differ: read it per token
    /// or per prefix then.
    pub fn curve(&self, lambdas: &[f64]) -> Vec<Measured> {
        lambdas.iter().map(|&lambda| self.at(lambda)).collect()
    }

    fn at(&self, lambda: f64) -> Measured {
        let from_q = |x: &f64| (lambda * x.exp()).min(1.0);
        let from_p = |x: &f64| (-x).exp().min(lambda);
        let of_q = (!self.0.model.is_empty()).then(|| mean_and_variance(&self.0.model, from_q));
        let of_p =
            (!self.0.reference.is_empty()).then(|| mean_and_variance(&self.0.reference, from_p));
        let (alpha, variance) = match (of_p, of_q) {
            (Some(p), Some(q)) => {
                let weight = lambda / (1.0 + lambda);
                (
                    weight * q.0 + (1.0 - weight) * p.0,
                    weight * weight * q.1 + (1.0 - weight).powi(2) * p.1,
                )
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => (0.0, 0.0),
        };
        Measured { point: Point::new(lambda, alpha), alpha_error: variance.sqrt() }
    }
}

/// The mean of `f` and the variance of that mean.
fn mean_and_variance(values: &[f64], f: impl Fn(&f64) -> f64) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(&f).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (f(x) - mean).powi(2)).sum();
    (mean, squares / (n * (n - 1.0).max(1.0)))
}

/// The curve of a model that writes `P` restricted to a set of texts of mass `π`:
/// `α_λ = min(1, λπ)`, `β_λ = min(π, 1/λ)`; precision 1, recall `π`.
///
/// For top-p, top-k and min-p the set is that of the texts all of whose tokens are kept, and `π` is the mean over texts of `P` of
/// whether they all are; that `π` is their recall even where the renormalised model is not exactly `P` restricted.
pub fn truncation(pi: f64, lambda: f64) -> Point {
    Point::new(lambda, (lambda * pi).min(1.0))
}

#[cfg(test)]
mod tests;
