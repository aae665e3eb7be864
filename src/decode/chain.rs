//! Stages over one row of logits, and the draw from what they leave.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DecodeError, Decoding, Stage, row::Scratch};

/// Stages whose settings have been checked, wherever they came from; cheap to clone.
///
/// From a [`Decoding`] they stand in Hugging Face's order, which has no top-nσ: repetition penalty, top-nσ,
/// temperature, top-k, top-p, min-p, typical.
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
pub struct Chain(Arc<[Stage]>);

impl TryFrom<Vec<Stage>> for Chain {
    type Error = DecodeError;

    /// Stages in an order of one's own.
    fn try_from(stages: Vec<Stage>) -> Result<Self, DecodeError> {
        stages.iter().try_for_each(|stage| stage.check())?;
        Ok(Self(stages.into_iter().filter(|stage| !stage.is_neutral()).collect()))
    }
}

impl Default for Chain {
    /// No stage: the model's own distribution.
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl From<Chain> for Vec<Stage> {
    fn from(chain: Chain) -> Self {
        chain.0.to_vec()
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
        Ok(scratch.probabilities())
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
        let (token, logprob, entropy) = scratch.pick(u);
        let logprob_model = f64::from(logits[token]) - log_norm;
        Ok(Pick { token: token as u32, logprob, logprob_model, entropy })
    }

    /// Runs the stages; the result is the log of the untouched softmax's normalizer.
    fn apply(
        &self,
        logits: &[f32],
        context: &[u32],
        scratch: &mut Scratch,
    ) -> Result<f64, DecodeError> {
        let log_norm = scratch.load(logits)?;
        self.0.iter().try_for_each(|&stage| scratch.apply(stage, context))?;
        Ok(log_norm)
    }
}

#[cfg(test)]
mod tests;
