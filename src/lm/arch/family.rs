//! What sets one `model_type` apart from the others.

use serde_json::{Map, Value};

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig, NormKind},
    layout::Layout,
};

/// A `model_type` that can be loaded.
pub struct Family {
    /// `model_type` of config.json.
    pub name: &'static str,
    /// Models published under that name without bearing it, for messages.
    pub also: &'static [&'static str],
    /// GGUF files of the family.
    pub gguf: Gguf,
    /// Reads config.json, settings that all families refuse apart.
    pub config: fn(&Fields<'_>) -> Result<ModelConfig, ConfigError>,
    /// The tensors.
    pub layout: &'static Layout,
    /// All norms.
    pub norm: NormKind,
    /// Inside the MLP, where a file does not say it.
    pub activation: Activation,
}

/// How a GGUF file says what config.json says. Its metadata become fields of config.json under the names that most
/// classes use, which the family's own page then reads.
#[derive(Clone, Copy)]
pub struct Gguf {
    /// `general.architecture`; empty where llama.cpp has none.
    pub name: &'static str,
    /// Of families that share an architecture this one has that key, and not 0.
    pub with: Option<&'static str>,
    /// llama.cpp rotates neighbors where Hugging Face rotates halves, so that its converter interleaves
    /// the rows of each query and key head.
    pub interleaved: bool,
    /// Keys after the architecture's name that become a field besides the usual ones.
    pub keys: &'static [(&'static str, &'static str)],
    /// Usual fields that the family calls otherwise; those it does not have have no name.
    pub names: &'static [(&'static str, &'static str)],
    /// What files leave out or write otherwise, once all else is there.
    pub adjust: fn(&mut Map<String, Value>),
}

/// A file whose metadata are the usual ones.
pub const USUAL: Gguf =
    Gguf { name: "", with: None, interleaved: false, keys: &[], names: &[], adjust: |_| {} };

/// A family that llama.cpp does not have.
pub const NO_GGUF: Gguf = USUAL;
