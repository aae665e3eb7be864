//! What sets one `model_type` apart from the others.

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig},
    layout::Layout,
};

/// A `model_type` that can be loaded.
pub struct Family {
    /// `model_type` of config.json.
    pub name: &'static str,
    /// Models published under that name without bearing it, for messages.
    pub also: &'static [&'static str],
    /// `general.architecture` of GGUF files.
    pub gguf: &'static str,
    /// Reads config.json, settings that all families refuse apart.
    pub config: fn(&Fields<'_>) -> Result<ModelConfig, ConfigError>,
    /// The tensors.
    pub layout: &'static Layout,
    /// llama.cpp rotates neighbors where Hugging Face rotates halves, so that its converter interleaves
    /// the rows of each query and key head.
    pub interleaved: bool,
    /// Every projection has a bias.
    pub biased: bool,
    /// Inside the MLP, where a file does not say it.
    pub activation: Activation,
}
