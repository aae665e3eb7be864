//! Llama: rotary positions, RMSNorm, gated MLP. Other families keep its names.

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig, NormKind},
    family::{Family, Gguf, USUAL},
    layout::{HEAD, Layout, Qkv, Up, name},
    usual::{SILENT, usual},
};

pub static LLAMA: Family = Family {
    name: "llama",
    also: &["SmolLM2"],
    gguf: Gguf { name: "llama", interleaved: true, ..USUAL },
    config,
    layout: &LAYOUT,
    norm: NormKind::Rms,
    activation: Activation::Silu,
};

pub static LAYOUT: Layout = Layout {
    embedding: name("embed_tokens", "token_embd"),
    positions: None,
    positions_from: 0,
    norm: name("norm", "output_norm"),
    head: HEAD,
    blocks: "layers",
    attention_norm: Some(name("input_layernorm", "attn_norm")),
    attention_after: None,
    qkv: Qkv::Apart([
        name("self_attn.q_proj", "attn_q"),
        name("self_attn.k_proj", "attn_k"),
        name("self_attn.v_proj", "attn_v"),
    ]),
    qk_norm: Some([
        name("self_attn.q_norm", "attn_q_norm"),
        name("self_attn.k_norm", "attn_k_norm"),
    ]),
    sinks: None,
    out: name("self_attn.o_proj", "attn_output"),
    mlp_norm: Some(name("post_attention_layernorm", "ffn_norm")),
    mlp_after: None,
    up: Up::Apart([name("mlp.gate_proj", "ffn_gate"), name("mlp.up_proj", "ffn_up")]),
    down: name("mlp.down_proj", "ffn_down"),
    experts: None,
    transposed: false,
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = usual(fields, &LLAMA, SILENT)?;
    fields.must_be_neutral("sliding_window", &[])?;
    // Kinds of layers that nobody here knows are refused; of the known ones none slides without a width.
    fields.layer_types(config.layers)?;
    let bias = fields.flag_or("attention_bias", false)?;
    Ok(ModelConfig {
        qkv_bias: bias,
        attention_out_bias: bias,
        mlp_bias: fields.flag_or("mlp_bias", false)?,
        ..config
    })
}
