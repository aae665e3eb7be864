//! The language models: where a model comes from, its weights, batched generation and embedding.

pub mod device;
pub mod generate;

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
    /// A CUDA device that cannot be opened.
    #[error("cannot open CUDA device {index}: {source}")]
    Gpu { index: usize, source: candle_core::Error },
    /// A failure inside the tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
