//! The language models: where a model comes from, its weights, batched generation and embedding.

pub mod arch;
pub mod bench;
pub mod check;
pub mod checkpoint;
pub mod determinism;
pub mod embed;
pub mod encoder;
pub mod engine;
pub mod generate;
pub mod generator;
pub mod inspect;
pub mod logprob;
pub mod random;
pub mod server;

pub use arch::config::ModelConfig;
pub use checkpoint::load::Checkpoint;
pub use checkpoint::tokenizer::{Incremental, Tokenizer};
pub use checkpoint::weights::Weights;
pub use engine::model::Lm;
pub use engine::parts;

/// Why a language model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum LmError {
    /// A file that cannot be opened or read.
    #[error("cannot read `{path}`: {source}")]
    Read { path: String, source: std::io::Error },
    /// A file whose contents are wrong.
    #[error("`{path}`: {what}")]
    BadFile { path: String, what: String },
    /// A config.json that cannot be used.
    #[error("`{path}`: {source}")]
    Config { path: String, source: Box<arch::config::ConfigError> },
    /// A checkpoint without a tensor that its configuration calls for.
    #[error("`{path}` has no tensor `{name}`, which its configuration calls for")]
    NoTensor { path: String, name: String },
    /// A tensor whose shape contradicts the configuration.
    #[error(
        "`{path}`: the tensor `{name}` has shape {found:?}, and the configuration calls for {wanted:?}"
    )]
    Shape { path: String, name: String, found: Vec<usize>, wanted: Vec<usize> },
    /// A text that has no tokens in this vocabulary, or a tokenizer that fails on it.
    #[error("the tokenizer failed: {what}")]
    Tokenize { what: String },
    /// A checkpoint without a tokenizer where texts are involved.
    #[error("`{path}` has no tokenizer ({what}), so it takes token ids only")]
    NoTokenizer { path: String, what: &'static str },
    /// A model that cannot be found by what it was called.
    #[error("model `{model}`: {what}")]
    Model { model: String, what: String },
    /// A hub model that is not in the cache while no connection may be opened.
    #[error(
        "`{id}`: `{file}` is not in the cache `{cache}`, and HF_HUB_OFFLINE is set; where there is a network, run: llmpr models pull {id}"
    )]
    NotCached { id: String, file: String, cache: String },
    /// A download that failed.
    #[error("cannot fetch `{what}`: {why}")]
    Fetch { what: String, why: String },
    /// What the hub does not have, or does not give.
    #[error("`{id}`: {why}")]
    Refused { id: String, why: String },
    /// A server that cannot be reached, or that answers with something else than a completion.
    #[error("`{server}`: {what}")]
    Server { server: String, what: String },
    /// A file that cannot be written.
    #[error("cannot write `{path}`: {source}")]
    Write { path: String, source: std::io::Error },
    /// A CUDA device that cannot be opened.
    #[error("cannot open CUDA device {index}: {fault}; --device cpu works everywhere")]
    Gpu { index: usize, fault: String },
    /// A prompt or text without tokens.
    #[error("a prompt needs at least one token")]
    EmptyPrompt,
    /// A token that the model has no embedding for.
    #[error("token {id} is outside the model's vocabulary of {vocab}")]
    UnknownToken { id: u32, vocab: usize },
    /// More tokens than the model has positions.
    #[error(
        "{prompt} prompt tokens and {new} new ones exceed the model's context of {most} tokens; shorten the prompt or ask for fewer new tokens"
    )]
    Context { prompt: usize, new: usize, most: usize },
    /// A request whose keys and values fit into no memory.
    #[error("keys and values need {needed} bytes, and {most} are free for them")]
    NoRoom { needed: usize, most: usize },
    /// A network that computes nonsense.
    #[error(
        "the hidden state is NaN or infinite after layer {layer}; the weights or the number type are at fault"
    )]
    NotFinite { layer: usize },
    /// Logits or settings from which no token can be drawn.
    #[error(transparent)]
    Decode(#[from] crate::decode::DecodeError),
    /// Work that was asked to end.
    #[error("interrupted")]
    Interrupted,
    /// A failure inside the tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl LmError {
    /// Whether a device ran out of memory; less may still fit.
    pub fn is_out_of_memory(&self) -> bool {
        // The drivers' errors reach us as text.
        let Self::Tensor(error) = self else { return false };
        let text = error.to_string();
        ["OUT_OF_MEMORY", "out of memory", "ALLOC_FAILED"].iter().any(|what| text.contains(what))
    }
}

/// A text file, with its path in the error.
fn read_text(path: &std::path::Path) -> Result<String, LmError> {
    let read = std::fs::read_to_string(path);
    read.map_err(|source| LmError::Read { path: path.display().to_string(), source })
}
