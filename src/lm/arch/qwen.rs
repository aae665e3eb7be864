//! Qwen: Llama with windows in the upper layers; Qwen2 has biases, Qwen3 norms of queries and keys.

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig},
    family::Family,
    llama,
    usual::{no_bias, usual, window},
};

pub static QWEN2: Family = Family {
    name: "qwen2",
    also: &[],
    gguf: "qwen2",
    config: qwen2,
    layout: &llama::LAYOUT,
    interleaved: false,
    biased: false,
    activation: Activation::Silu,
};

pub static QWEN3: Family = Family { name: "qwen3", gguf: "qwen3", config: qwen3, ..QWEN2 };

fn qwen2(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let config = usual(fields, &QWEN2, None)?;
    let windows = windows(fields, config.layers)?;
    Ok(ModelConfig { windows, qkv_bias: true, ..config })
}

fn qwen3(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["mlp_bias"])?;
    // The class has a head width of its own, not hidden / heads.
    let config = usual(fields, &QWEN3, Some(128))?;
    let bias = fields.flag_or("attention_bias", false)?;
    let windows = windows(fields, config.layers)?;
    Ok(ModelConfig { windows, qkv_bias: bias, attention_out_bias: bias, qk_norm: true, ..config })
}

/// Layers slide only with `use_sliding_window`, and from layer `max_window_layers` on, unless
/// `layer_types` names each layer.
fn windows(fields: &Fields<'_>, layers: usize) -> Result<Vec<Option<usize>>, ConfigError> {
    let on = fields.flag_or("use_sliding_window", false)?;
    let types = fields.layer_types(layers)?;
    if !on {
        return Ok(vec![None; layers]);
    }
    let width = window(fields, Some(4096))?;
    let first = fields.size_or("max_window_layers", 28)?;
    let slides = |layer: usize| types.as_ref().map_or(layer >= first, |types| types[layer]);
    Ok((0..layers).map(|layer| width.filter(|_| slides(layer))).collect())
}
