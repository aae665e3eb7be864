//! Batched generation: a stream of requests of any settings through one model.
//!
//! Rows of different prompts, temperatures and seeds share every forward pass, and a finished row
//! makes room for the next request at the next step. A prompt is computed once for all its samples,
//! and a beginning that prompts have in common once for all of them. On the CPU a text depends on its
//! request alone, never on who shared the batch.

mod prompts;
mod row;
mod schedule;

use serde::{Deserialize, Serialize};
use std::{ops::ControlFlow, sync::Arc};

use super::{
    Lm, LmError, Tokenizer,
    engine::network::{Interrupt, Network},
};
use crate::{decode::Chain, rng::Draw};

/// One completion that is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Returned with the completion; the engine does not read it.
    pub tag: u64,
    /// Token ids of the prompt, at least one.
    pub prompt: Arc<[u32]>,
    /// How tokens are drawn.
    pub chain: Chain,
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
    /// A server's filter held it back.
    Filtered,
    /// A server does not say.
    Unknown,
}

/// A finished completion.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The tag of its request.
    pub tag: u64,
    /// The tokens drawn, end-of-text left out; empty where a server drew them.
    pub tokens: Vec<u32>,
    /// How many were drawn; 0 where a server does not say.
    pub count: usize,
    /// Their text, cut before the stop string.
    pub text: String,
    /// Whether a server answered without a text, or with one that its filter broke off.
    pub without_text: bool,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Sum of log-probabilities under the sampling distribution, nats, end-of-text included.
    pub logprob: f64,
    /// The same under the untempered, untruncated model.
    pub logprob_model: f64,
    /// Sum over positions of the sampling distribution's entropy, nats.
    pub entropy: f64,
}

/// How generation uses the machine; texts on the CPU do not depend on it.
#[derive(Clone, Debug, Default)]
pub struct GenerateOptions {
    /// Most rows at a time; `None` takes as many as pay on the device and fit into memory.
    pub batch: Option<usize>,
    /// Most bytes of keys and values; `None` takes half of the memory that is free.
    pub kv_bytes: Option<usize>,
    /// Prompt tokens computed in one pass; `None` is 512.
    pub prefill_tokens: Option<usize>,
    /// Ends generation within one layer's time; unfinished rows are dropped.
    pub interrupt: Interrupt,
}

/// What generation reports while it runs.
#[derive(Debug)]
pub enum Event {
    /// A request is done.
    Finished(Completion),
    /// A request cannot be served; the others go on.
    Failed {
        /// The tag of the request.
        tag: u64,
        /// Why.
        error: LmError,
    },
    /// A step is done.
    Step {
        /// Rows in flight.
        rows: usize,
        /// Tokens drawn in this step.
        new_tokens: usize,
        /// Prompt tokens computed in this step.
        prompt_tokens: usize,
    },
}

/// What a run of [`generate`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests that finished.
    pub finished: usize,
    /// Requests that failed.
    pub failed: usize,
    /// Tokens drawn, those of dropped rows included.
    pub new_tokens: usize,
    /// Prompt tokens computed; shared ones count once.
    pub prompt_tokens: usize,
    /// Forward passes.
    pub steps: usize,
    /// Most bytes that keys and values held at one time.
    pub kv_peak: usize,
    /// How often a device ran out of memory, so that half of the rows began anew.
    pub halved: usize,
    /// Whether the callback or the interrupt ended the run before the requests did.
    pub stopped: bool,
}

/// Draws a completion for every request; `on_event` hears of each as soon as it is finished.
///
/// Requests are taken from the iterator when there is room for them. Their order decides nothing but
/// the order in which completions appear.
///
/// # Errors
///
/// A failure of the device. What is wrong with one request is an [`Event::Failed`], and being asked to
/// stop is no error: see [`Totals::stopped`].
pub fn generate(
    lm: &Lm,
    requests: impl Iterator<Item = Request>,
    options: &GenerateOptions,
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Totals, LmError> {
    let eos = lm.config().eos.clone();
    run(lm.network(), lm.tokenizer(), &eos, requests, options, on_event)
}

/// [`generate`] for a bare network: texts are empty without a tokenizer, and stop strings never met.
///
/// # Errors
///
/// Those of [`generate`].
pub fn run(
    network: &dyn Network,
    tokenizer: Option<&Tokenizer>,
    eos: &[u32],
    requests: impl Iterator<Item = Request>,
    options: &GenerateOptions,
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Totals, LmError> {
    schedule::Schedule::new(network, tokenizer, eos, options).run(requests, on_event)
}
