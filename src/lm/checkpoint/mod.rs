//! Where a model comes from and what is in its files: configuration, weights, tokenizer.

pub mod bundled;
pub mod gguf;
pub mod guard;
pub(crate) mod http;
pub mod hub;
pub mod load;
pub mod matrix;
pub mod notes;
pub mod source;
pub mod tokenizer;
pub mod weights;
