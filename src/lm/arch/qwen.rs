//! Qwen: Llama with windows in the upper layers; Qwen2 has biases, Qwen3 norms of queries and keys.

use super::{
    config::{BlockKind, ConfigError, Fields, ModelConfig, QkNorm},
    family::{Family, Gguf, USUAL},
    llama,
    usual::{SILENT, Silent, no_bias, sliding, usual, window},
};

pub static QWEN2: Family = Family {
    name: "qwen2",
    also: &[],
    gguf: Gguf { name: "qwen2", ..USUAL },
    config: qwen2,
    ..llama::LLAMA
};

pub static QWEN3: Family =
    Family { name: "qwen3", gguf: Gguf { name: "qwen3", ..USUAL }, config: qwen3, ..QWEN2 };

fn qwen2(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let config = usual(fields, &QWEN2, SILENT)?;
    let blocks = blocks(fields, config.layers)?;
    Ok(ModelConfig { blocks, qkv_bias: true, ..config })
}

fn qwen3(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["mlp_bias"])?;
    // The class has a head width of its own, not hidden / heads.
    let config = usual(fields, &QWEN3, Silent { head_dim: Some(128), ..SILENT })?;
    let bias = fields.flag_or("attention_bias", false)?;
    let blocks = blocks(fields, config.layers)?;
    let qk_norm = QkNorm::Heads;
    Ok(ModelConfig { blocks, qkv_bias: bias, attention_out_bias: bias, qk_norm, ..config })
}

/// Layers slide only with `use_sliding_window`, and from layer `max_window_layers` on, unless
/// `layer_types` names each layer.
pub(super) fn blocks(fields: &Fields<'_>, layers: usize) -> Result<Vec<BlockKind>, ConfigError> {
    let on = fields.flag_or("use_sliding_window", false)?;
    let types = fields.layer_types(layers)?;
    fields.get("sliding_window");
    if !on {
        return Ok(vec![BlockKind::PLAIN; layers]);
    }
    let width = window(fields, Some(4096))?;
    let first = fields.size_or("max_window_layers", 28)?;
    let slides = |layer: usize| types.as_ref().map_or(layer >= first, |types| types[layer]);
    Ok(sliding(layers, width, slides))
}
