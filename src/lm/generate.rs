//! Batched generation: a stream of requests of any settings through one model.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{decode::Decoding, rng::Draw};

/// One completion that is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Returned with the completion; the engine does not read it.
    pub tag: u64,
    /// Token ids of the prompt, at least one.
    pub prompt: Arc<[u32]>,
    /// How tokens are drawn.
    pub decoding: Decoding,
    /// The run's seed and which draw under it this is.
    pub seed: u64,
    /// Which prompt and sample.
    pub draw: Draw,
    /// Tokens after which the completion is cut.
    pub max_new_tokens: usize,
    /// Strings that end the completion; they are not part of its text.
    pub stop: Arc<[String]>,
}

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model wrote its end-of-text token.
    Eos,
    /// A stop string appeared.
    Stop,
    /// The token limit was reached.
    Length,
}

/// A finished completion.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The tag of its request.
    pub tag: u64,
    /// The tokens drawn, end-of-text left out.
    pub tokens: Vec<u32>,
    /// Their text, cut before the stop string.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Sum of log-probabilities under the sampling distribution, nats, end-of-text included.
    pub logprob: f64,
    /// The same under the untempered, untruncated model.
    pub logprob_model: f64,
    /// Sum over positions of the sampling distribution's entropy, nats.
    pub entropy: f64,
}
