//! Stages over one row of logits, and the draw from what they leave.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Decoding, Stage,
    select::{Buffers, ascending, heaviest},
};

/// Stages whose settings have been checked, wherever they came from.
///
/// From a [`Decoding`] they stand in Hugging Face's order: repetition penalty, temperature, top-k,
/// top-p, min-p, typical.
///
/// ```
/// # use llmpr::decode::{Chain, Decoding};
/// let chain = Chain::new(Decoding { top_k: Some(2), ..Decoding::default() })?;
/// let logits = [1.0f32.ln(), 2.0f32.ln(), 3.0f32.ln()];
/// let p = chain.distribution(&logits, &[])?;
/// assert!((p[2] - 0.6).abs() < 1e-7 && p[0] == 0.0); // 3/5 of what is left
/// assert!(Chain::new(Decoding { top_p: Some(0.0), ..Decoding::default() }).is_err());
/// # Ok::<(), llmpr::decode::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Stage>", into = "Vec<Stage>")]
pub struct Chain(Vec<Stage>);

impl TryFrom<Vec<Stage>> for Chain {
    type Error = DecodeError;

    /// Stages in an order of one's own.
    fn try_from(stages: Vec<Stage>) -> Result<Self, DecodeError> {
        stages.iter().try_for_each(|stage| stage.check())?;
        Ok(Self(stages.into_iter().filter(|stage| !stage.is_neutral()).collect()))
    }
}

impl From<Chain> for Vec<Stage> {
    fn from(chain: Chain) -> Self {
        chain.0
    }
}

/// A drawn token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// Its index in the logits.
    pub token: u32,
    /// Its log-probability under the sampling distribution, nats.
    pub logprob: f64,
    /// The same under the softmax of the logits as they came.
    pub logprob_model: f64,
    /// Entropy of the sampling distribution, nats.
    pub entropy: f64,
}

/// Buffers of one row, kept between draws so that a draw does not allocate.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Logits after the stages so far; −∞ is removed.
    scores: Vec<f64>,
    /// `exp(score − max)`; 0 is removed.
    weights: Vec<f64>,
    /// One bit a token: met in the context.
    seen: Vec<u64>,
    select: Buffers,
}

impl Chain {
    /// The stages of `decoding` in Hugging Face's order.
    ///
    /// # Errors
    ///
    /// [`DecodeError::OutOfRange`] for the first setting outside its range.
    pub fn new(decoding: Decoding) -> Result<Self, DecodeError> {
        Self::try_from(Stage::in_order(&decoding))
    }

    /// The stages, neutral ones left out.
    pub fn stages(&self) -> &[Stage] {
        &self.0
    }

    /// Whether the draw is an argmax and the random number is not looked at.
    pub fn is_greedy(&self) -> bool {
        self.0.contains(&Stage::Temperature(0.0))
    }

    /// Whether `context` matters.
    pub fn needs_context(&self) -> bool {
        self.0.iter().any(|stage| matches!(stage, Stage::RepetitionPenalty(_)))
    }

    /// The probability of every token: `V` numbers that sum to 1.
    ///
    /// `context` holds the tokens before, prompt included; only the repetition penalty reads it.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::draw`].
    pub fn distribution(&self, logits: &[f32], context: &[u32]) -> Result<Vec<f64>, DecodeError> {
        let mut scratch = Scratch::default();
        self.apply(logits, context, &mut scratch)?;
        let total: f64 = scratch.weights.iter().sum();
        Ok(scratch.weights.iter().map(|w| w / total).collect())
    }

    /// The token that the number `u` in `[0, 1)` falls on, walking the distribution in index order.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NanLogit`], [`DecodeError::InfiniteLogit`], [`DecodeError::NoToken`], and
    /// [`DecodeError::UnknownToken`] from the repetition penalty.
    ///
    /// # Cost
    ///
    /// `O(V)` time whatever the stages, no allocation after the first draw.
    pub fn draw(
        &self,
        logits: &[f32],
        context: &[u32],
        u: f64,
        scratch: &mut Scratch,
    ) -> Result<Pick, DecodeError> {
        let log_norm = self.apply(logits, context, scratch)?;
        let Scratch { scores, weights, .. } = scratch;
        let max = greatest(scores);
        let (mut total, mut dot, mut last) = (0.0, 0.0, 0);
        for (token, (&w, &s)) in weights.iter().zip(scores.iter()).enumerate() {
            if w > 0.0 {
                total += w;
                dot += w * (s - max);
                last = token;
            }
        }
        let aim = u * total;
        let mut below = 0.0;
        // Rounding may leave `aim` unreached; then it is the last token that has any mass.
        let found = weights.iter().position(|w| {
            below += w;
            below > aim
        });
        let token = found.unwrap_or(last);
        let log_total = total.ln();
        Ok(Pick {
            token: token as u32,
            logprob: scores[token] - max - log_total,
            logprob_model: f64::from(logits[token]) - log_norm,
            // Never −0 or a rounding below 0.
            entropy: (log_total - dot / total).max(0.0),
        })
    }

    /// Runs the stages; the result is the log of the untouched softmax's normaliser.
    fn apply(
        &self,
        logits: &[f32],
        context: &[u32],
        scratch: &mut Scratch,
    ) -> Result<f64, DecodeError> {
        check(logits)?;
        scratch.scores.clear();
        scratch.scores.extend(logits.iter().map(|&x| f64::from(x)));
        scratch.exponentiate();
        let log_norm = greatest(&scratch.scores) + scratch.weights.iter().sum::<f64>().ln();
        for &stage in &self.0 {
            match stage {
                Stage::RepetitionPenalty(penalty) => {
                    scratch.penalize(context, penalty)?;
                    scratch.exponentiate();
                }
                Stage::Temperature(t) => scratch.temper(t),
                Stage::TopK(k) => scratch.top_k(k),
                Stage::TopP(p) => scratch.top_p(p),
                Stage::MinP(share) => scratch.min_p(share),
                Stage::TypicalP(p) => scratch.typical(p),
            }
        }
        Ok(log_norm)
    }
}

fn check(logits: &[f32]) -> Result<(), DecodeError> {
    if let Some(token) = logits.iter().position(|x| x.is_nan() || *x == f32::INFINITY) {
        return Err(if logits[token].is_nan() {
            DecodeError::NanLogit { token }
        } else {
            DecodeError::InfiniteLogit { token }
        });
    }
    if logits.iter().all(|x| *x == f32::NEG_INFINITY) {
        return Err(DecodeError::NoToken { vocabulary: logits.len() });
    }
    Ok(())
}

fn greatest(scores: &[f64]) -> f64 {
    scores.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

impl Scratch {
    fn exponentiate(&mut self) {
        let max = greatest(&self.scores);
        self.weights.clear();
        self.weights.extend(self.scores.iter().map(|s| (s - max).exp()));
    }

    fn penalize(&mut self, context: &[u32], penalty: f64) -> Result<(), DecodeError> {
        let vocabulary = self.scores.len();
        self.seen.clear();
        self.seen.resize(vocabulary.div_ceil(64), 0);
        for &token in context {
            let at = token as usize;
            let score =
                self.scores.get_mut(at).ok_or(DecodeError::UnknownToken { token, vocabulary })?;
            if self.seen[at / 64] >> (at % 64) & 1 == 0 {
                self.seen[at / 64] |= 1 << (at % 64);
                *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
            }
        }
        Ok(())
    }

    fn temper(&mut self, temperature: f64) {
        let max = greatest(&self.scores);
        if temperature > 0.0 {
            // The greatest score is moved to 0 where dividing it would overflow.
            let zero = if (max / temperature).is_finite() { 0.0 } else { max };
            self.scores.iter_mut().for_each(|s| *s = (*s - zero) / temperature);
            return self.exponentiate();
        }
        let first = self.scores.iter().position(|s| *s == max).unwrap_or(0);
        self.keep(|token, _| token == first);
    }

    fn top_k(&mut self, k: usize) {
        let items = self.weights.iter().filter(|w| **w > 0.0).map(|w| (ascending(*w), 1.0));
        if let Some(cutoff) = heaviest(items, k as f64, &mut self.select) {
            self.keep(|_, w| ascending(w) >= cutoff.key);
        }
    }

    fn top_p(&mut self, p: f64) {
        let target = p * self.weights.iter().sum::<f64>();
        let items = self.weights.iter().filter(|w| **w > 0.0).map(|w| (ascending(*w), *w));
        if let Some(cutoff) = heaviest(items, target, &mut self.select) {
            let mut ties = 0;
            self.keep(|_, w| {
                let key = ascending(w);
                ties += usize::from(key == cutoff.key);
                key > cutoff.key || key == cutoff.key && ties <= cutoff.ties
            });
        }
    }

    fn min_p(&mut self, share: f64) {
        let floor = share * greatest(&self.weights);
        self.keep(|_, w| w >= floor);
    }

    fn typical(&mut self, p: f64) {
        let max = greatest(&self.scores);
        let total: f64 = self.weights.iter().sum();
        let some = || self.weights.iter().zip(&self.scores).filter(|(w, _)| **w > 0.0);
        // In units of `max − score`: the entropy and a surprise differ by the same ln Z.
        let mean = some().map(|(w, s)| w * (max - s)).sum::<f64>() / total;
        let near = |score: f64| !ascending((max - score - mean).abs());
        let items = some().map(|(w, s)| (near(*s), *w));
        if let Some(cutoff) = heaviest(items, p * total, &mut self.select) {
            for (w, s) in self.weights.iter_mut().zip(&mut self.scores) {
                if *w > 0.0 && near(*s) < cutoff.key {
                    (*w, *s) = (0.0, f64::NEG_INFINITY);
                }
            }
        }
    }

    /// Removes the tokens (index, weight) for which `keep` is false.
    fn keep(&mut self, mut keep: impl FnMut(usize, f64) -> bool) {
        for (token, (w, s)) in self.weights.iter_mut().zip(&mut self.scores).enumerate() {
            if *w > 0.0 && !keep(token, *w) {
                (*w, *s) = (0.0, f64::NEG_INFINITY);
            }
        }
    }
}

#[cfg(test)]
mod tests;
