//! The language models: where a model comes from, its weights, batched generation and embedding.

pub mod config;
pub mod device;
pub mod generate;
pub mod gguf;
pub mod load;
pub mod tokenizer;
pub mod weights;

pub use config::{Arch, ModelConfig};
pub use load::Checkpoint;
pub use tokenizer::{Incremental, Tokenizer};
pub use weights::Weights;

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
    Config { path: String, source: Box<config::ConfigError> },
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
    /// A CUDA device that cannot be opened.
    #[error("cannot open CUDA device {index}: {source}")]
    Gpu { index: usize, source: candle_core::Error },
    /// A failure inside the tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// A text file, with its path in the error.
fn read_text(path: &std::path::Path) -> Result<String, LmError> {
    let read = std::fs::read_to_string(path);
    read.map_err(|source| LmError::Read { path: path.display().to_string(), source })
}
