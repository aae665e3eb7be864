//! PR-curves between two language models from log-probabilities: no features, no clusters.

use super::{curve::Point, divergence::Divergence};
use crate::data::sides::{Side, Sides};

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
    ///
    /// # Example
    ///
    /// ```
    /// # use llmpr::metric::likelihood::LikelihoodRatios;
    /// # use llmpr::metric::likelihood::LogProbs;
    /// # use llmpr::data::sides::Sides;
    /// // P writes a and b alike, Q only a.
    /// let ln_half = 0.5f64.ln();
    /// let a = LogProbs { ln_p: ln_half, ln_q: 0.0 };
    /// let b = LogProbs { ln_p: ln_half, ln_q: f64::NEG_INFINITY };
    /// let ratios = LikelihoodRatios::new(Sides { reference: &[a, b][..], model: &[a][..] })?;
    /// assert_eq!((ratios.precision(), ratios.recall()), (1.0, 0.5));
    /// let point = ratios.curve(&[2.0])[0].point;
    /// assert!((point.alpha - 1.0).abs() < 1e-12); // 2 P(a) = Q(a): all of Q, at the price of half of P
    /// assert!((point.beta - 0.5).abs() < 1e-12);
    /// # Ok::<(), llmpr::metric::likelihood::LikelihoodError>(())
    /// ```
    pub fn curve(&self, lambdas: &[f64]) -> Vec<Measured> {
        lambdas.iter().map(|&lambda| self.at(lambda)).collect()
    }

    /// The points of [`Self::curve`] without their errors, in `O(log n)` a slope after one sort.
    pub fn points(&self, lambdas: &[f64]) -> Vec<Point> {
        let Sides { reference, model } = &self.0;
        // min(λ, 1/r) = λ min(1, (1/r)/λ): both sides are means of min(1, slope · ratio).
        let of_q = Steps::new(model.iter().map(|x| x.exp()));
        let of_p = Steps::new(reference.iter().map(|x| (-x).exp()));
        let at = |&lambda: &f64| {
            let weight = match (reference.is_empty(), model.is_empty()) {
                (true, _) => 1.0,
                (_, true) => 0.0,
                _ => lambda / (1.0 + lambda),
            };
            let from_q = if weight > 0.0 { weight * of_q.mean_of_least(lambda) } else { 0.0 };
            let from_p = (1.0 - weight) * lambda;
            let from_p = if from_p > 0.0 { from_p * of_p.mean_of_least(1.0 / lambda) } else { 0.0 };
            Point::new(lambda, from_q + from_p)
        };
        lambdas.iter().map(at).collect()
    }

    /// Share of `Q`'s texts that `P` can write at all: `Q(Supp P) = α_∞`, the true precision; NaN without
    /// texts of `Q`. Unbiased.
    pub fn precision(&self) -> f64 {
        let possible = self.0.model.iter().filter(|x| **x > f64::NEG_INFINITY).count();
        possible as f64 / self.0.model.len() as f64
    }

    /// Share of `P`'s texts that `Q` can write at all: `P(Supp Q) = β_0`, the true recall; NaN without
    /// texts of `P`. Unbiased.
    pub fn recall(&self) -> f64 {
        let possible = self.0.reference.iter().filter(|x| **x < f64::INFINITY).count();
        possible as f64 / self.0.reference.len() as f64
    }

    /// An f-divergence `D_f(P‖Q)`, with the Monte-Carlo error of the texts and no bias.
    ///
    /// KL is `E_P ln(p/q)`, reverse KL `E_Q ln(q/p)`, Pearson's χ² `E_P p/q − 1`; all others are means over texts
    /// of both sides alike,
    ///
    /// ```text
    /// D_f = E_{x ~ ½P+½Q} [ 2 (1−s) f(s/(1−s)) ],   s = p/(p + q)
    /// ```
    ///
    /// whose terms are bounded for JS, Hellinger, TV and the frontier integral. Texts of both sides are
    /// needed; NaN without.
    pub fn divergence(&self, divergence: Divergence) -> f64 {
        let Sides { reference, model } = &self.0;
        let mean = |of: &[f64], f: &dyn Fn(f64) -> f64| {
            of.iter().map(|&x| f(x)).sum::<f64>() / of.len() as f64
        };
        match divergence {
            Divergence::Kl => mean(reference, &|x| x),
            Divergence::ReverseKl => mean(model, &|x| -x),
            Divergence::Chi2 => mean(reference, &f64::exp) - 1.0,
            other => {
                let term =
                    |x: f64| 2.0 * other.term(1.0 / (1.0 + (-x).exp()), 1.0 / (1.0 + x.exp()));
                0.5 * (mean(reference, &term) + mean(model, &term))
            }
        }
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

/// Means of `min(1, slope · ratio)` over fixed ratios.
struct Steps {
    /// Ascending.
    ratios: Vec<f64>,
    /// Sum of the first `i`.
    sums: Vec<f64>,
}

impl Steps {
    fn new(ratios: impl Iterator<Item = f64>) -> Self {
        let mut ratios: Vec<f64> = ratios.collect();
        ratios.sort_by(f64::total_cmp);
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for ratio in &ratios {
            sum += ratio;
            sums.push(sum);
        }
        Self { ratios, sums }
    }

    fn mean_of_least(&self, slope: f64) -> f64 {
        let below = self.ratios.partition_point(|ratio| slope * ratio < 1.0);
        let above = (self.ratios.len() - below) as f64;
        (slope * self.sums[below] + above) / self.ratios.len() as f64
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
///
/// # Example
///
/// ```
/// # use llmpr::metric::likelihood::truncation;
/// // Half of the mass is kept: everything written is plausible from λ = 2 on, and half of P is never written.
/// let point = truncation(0.5, 2.0);
/// assert_eq!((point.alpha, point.beta), (1.0, 0.5));
/// assert_eq!(truncation(0.5, 0.5).alpha, 0.25);
/// ```
pub fn truncation(pi: f64, lambda: f64) -> Point {
    Point::new(lambda, (lambda * pi).min(1.0))
}

#[cfg(test)]
mod tests;
