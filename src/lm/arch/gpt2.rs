//! GPT-2: learned positions, LayerNorm, biases, one matrix for queries, keys and values, stored `in × out`.

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig},
    family::Family,
    layout::{Layout, Qkv, Up, name},
    usual::divided,
};

pub static GPT2: Family = Family {
    name: "gpt2",
    also: &[],
    gguf: "gpt2",
    config,
    layout: &LAYOUT,
    interleaved: false,
    biased: true,
    activation: Activation::GeluTanh,
};

static LAYOUT: Layout = Layout {
    embedding: name("wte", "token_embd"),
    positions: Some(name("wpe", "position_embd")),
    norm: name("ln_f", "output_norm"),
    blocks: "h",
    attention_norm: name("ln_1", "attn_norm"),
    qkv: Qkv::Fused(name("attn.c_attn", "attn_qkv")),
    qk_norm: None,
    out: name("attn.c_proj", "attn_output"),
    mlp_norm: name("ln_2", "ffn_norm"),
    up: Up::Plain(name("mlp.c_fc", "ffn_up")),
    down: name("mlp.c_proj", "ffn_down"),
    layer_norm: true,
    transposed: true,
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("n_embd")?;
    let heads = fields.size("n_head")?;
    let layers = fields.layers("n_layer")?;
    let head_dim = divided(hidden, heads)?;
    Ok(ModelConfig {
        layout: &LAYOUT,
        model_type: GPT2.name.into(),
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate: fields.size_or("n_inner", hidden.saturating_mul(4))?,
        // The oldest published files name the same number `n_ctx` as well.
        max_positions: fields
            .size("n_positions")
            .or_else(|e| fields.size("n_ctx").map_err(|_| e))?,
        norm_eps: fields.number_or("layer_norm_epsilon", 1e-5)?,
        rope: None,
        windows: vec![None; layers],
        qkv_bias: true,
        attention_out_bias: true,
        mlp_bias: true,
        qk_norm: false,
        tied: fields.flag_or("tie_word_embeddings", true)?,
        scale_attention: fields.flag_or("scale_attn_weights", true)?,
        scale_by_inverse_layer: fields.flag_or("scale_attn_by_inverse_layer_idx", false)?,
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("activation_function", GPT2.activation)?,
    })
}
