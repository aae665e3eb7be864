//! Mistral: Llama with a sliding window in every layer.

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig},
    family::Family,
    llama,
    usual::{no_bias, usual, window},
};

pub static MISTRAL: Family = Family {
    name: "mistral",
    also: &[],
    gguf: "mistral",
    config,
    layout: &llama::LAYOUT,
    interleaved: true,
    biased: false,
    activation: Activation::Silu,
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let config = usual(fields, &MISTRAL, None)?;
    let types = fields.layer_types(config.layers)?;
    let width = window(fields, Some(4096))?;
    let slides = |layer: usize| types.as_ref().is_none_or(|types| types[layer]);
    let windows = (0..config.layers).map(|layer| width.filter(|_| slides(layer))).collect();
    Ok(ModelConfig { windows, ..config })
}
