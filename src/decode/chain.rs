//! Stages over one row of logits, and the draw from what they leave.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DecodeError, Decoding, Past, Stage, row::Scratch};

/// Stages whose settings have been checked, wherever they came from; cheap to clone.
///
/// From a [`Decoding`] they stand in Hugging Face's order, and those that it does not have where their authors or
/// llama.cpp have them: repetition penalty, *frequency and presence penalty*, no-repeat, *DRY*, *top-nσ*, temperature
/// (*dynamic* in its place), *p-less*, top-k, top-p, min-p, typical, epsilon, eta, *mirostat*, *XTC*.
///
/// ```
/// # use llmpr::decode::{Chain, Decoding, Past};
/// let chain = Chain::new(Decoding { top_k: Some(2), ..Decoding::default() })?;
/// let logits = [1.0f32.ln(), 2.0f32.ln(), 3.0f32.ln()];
/// let p = chain.distribution(&logits, Past::default())?;
/// assert!((p[2] - 0.6).abs() < 1e-7 && p[0] == 0.0); // 3/5 of what is left
/// assert!(Chain::new(Decoding { top_p: Some(0.0), ..Decoding::default() }).is_err());
/// # Ok::<(), llmpr::decode::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Stage>", into = "Vec<Stage>")]
pub struct Chain {
    stages: Arc<[Stage]>,
    seen: Arc<[u32]>,
}

impl TryFrom<Vec<Stage>> for Chain {
    type Error = DecodeError;

    /// Stages in an order of one's own.
    fn try_from(stages: Vec<Stage>) -> Result<Self, DecodeError> {
        stages.iter().try_for_each(|stage| stage.check())?;
        let stages = stages.into_iter().filter(|stage| !stage.is_neutral()).collect();
        Ok(Self { stages, ..Self::default() })
    }
}

impl Default for Chain {
    /// No stage: the model's own distribution.
    fn default() -> Self {
        Self { stages: Arc::new([]), seen: Arc::new([]) }
    }
}

impl From<Chain> for Vec<Stage> {
    fn from(chain: Chain) -> Self {
        chain.stages.to_vec()
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
    /// Mirostat's `μ` for the token after it, bits, where the chain has it.
    pub mu: Option<f64>,
}

impl Chain {
    /// The stages of `decoding` in the order above.
    ///
    /// # Errors
    ///
    /// [`DecodeError::OutOfRange`] for the first setting outside its range, [`DecodeError::Alone`] for one that needs
    /// another.
    pub fn new(decoding: Decoding) -> Result<Self, DecodeError> {
        Self::try_from(Stage::in_order(&decoding)?)
    }

    /// The same stages, to which `tokens` are seen before every prompt; they are no part of the chain's written form.
    pub fn with_seen(self, tokens: &[u32]) -> Self {
        Self { seen: tokens.into(), ..self }
    }

    /// Tokens that count as seen before every prompt: they go first in [`Past::context`].
    pub fn seen(&self) -> &[u32] {
        &self.seen
    }

    /// The stages, neutral ones left out.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Whether the draw is an argmax and the random number is not looked at.
    pub fn is_greedy(&self) -> bool {
        self.stages.contains(&Stage::Temperature(0.0))
    }

    /// Whether [`Past::context`] matters.
    pub fn needs_context(&self) -> bool {
        use Stage::{Dry, FrequencyPenalty, NoRepeatNgram, PresencePenalty, RepetitionPenalty};
        let reads = |stage: &Stage| {
            matches!(
                stage,
                RepetitionPenalty(_)
                    | FrequencyPenalty(_)
                    | PresencePenalty(_)
                    | NoRepeatNgram(_)
                    | Dry { .. }
            )
        };
        self.stages.iter().any(reads)
    }

    /// Whether [`Past::breakers`] matter.
    pub fn needs_breakers(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, Stage::Dry { .. }))
    }

    /// Whether [`Past::mu`] matters, so that a token's distribution hangs on the logits before, too.
    pub fn needs_mu(&self) -> bool {
        self.mirostat().is_some()
    }

    fn mirostat(&self) -> Option<(f64, f64)> {
        self.stages.iter().find_map(|stage| match *stage {
            Stage::Mirostat { tau, eta } => Some((tau, eta)),
            _ => None,
        })
    }

    /// The probability of every token: `V` numbers that sum to 1.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::draw`].
    pub fn distribution(&self, logits: &[f32], past: Past<'_>) -> Result<Vec<f64>, DecodeError> {
        let mut scratch = Scratch::default();
        self.apply(logits, past, &mut scratch)?;
        Ok(scratch.probabilities())
    }

    /// Mirostat's `μ` behind `token`, as [`Pick::mu`] has it for a token that is drawn.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::draw`].
    pub fn mu_behind(
        &self,
        logits: &[f32],
        past: Past<'_>,
        token: u32,
    ) -> Result<Option<f64>, DecodeError> {
        if !self.needs_mu() {
            return Ok(None);
        }
        let mut scratch = Scratch::default();
        self.apply(logits, past, &mut scratch)?;
        Ok(self.next_mu(past, &scratch, token as usize))
    }

    fn next_mu(&self, past: Past<'_>, scratch: &Scratch, token: usize) -> Option<f64> {
        let (tau, eta) = self.mirostat()?;
        Some(past.mu.unwrap_or(2.0 * tau) - eta * (scratch.surprise(token) - tau))
    }

    /// The token that the number `u` in `[0, 1)` falls on, walking the distribution in index order.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NanLogit`], [`DecodeError::InfiniteLogit`], [`DecodeError::NoToken`], and
    /// [`DecodeError::UnknownToken`] from stages that read the past.
    ///
    /// # Cost
    ///
    /// `O(V)` time whatever the stages, no allocation after the first draw; `O(n log n)` more where a stage reads
    /// `n` tokens of the past.
    pub fn draw(
        &self,
        logits: &[f32],
        past: Past<'_>,
        u: f64,
        scratch: &mut Scratch,
    ) -> Result<Pick, DecodeError> {
        let log_norm = self.apply(logits, past, scratch)?;
        let (token, logprob, entropy) = scratch.pick(u);
        let logprob_model = f64::from(logits[token]) - log_norm;
        let mu = self.next_mu(past, scratch, token);
        Ok(Pick { token: token as u32, logprob, logprob_model, entropy, mu })
    }

    /// Runs the stages; the result is the log of the untouched softmax's normalizer.
    fn apply(
        &self,
        logits: &[f32],
        past: Past<'_>,
        scratch: &mut Scratch,
    ) -> Result<f64, DecodeError> {
        let log_norm = scratch.load(logits)?;
        self.stages.iter().try_for_each(|&stage| scratch.apply(stage, past))?;
        Ok(log_norm)
    }
}

#[cfg(test)]
mod more_tests;
#[cfg(test)]
mod tests;
