//! GPT-NeoX (Pythia): some dimensions rotate, attention and MLP beside each other. GPT-J and Phi-1.5 and 2 share
//! one norm for both.

use super::{
    config::{
        Activation, BlockKind, ConfigError, Fields, ModelConfig, NormKind, Residual, Rope, Scales,
    },
    family::{Family, Gguf, USUAL},
    gpt2,
    layout::{HEAD, Layout, Qkv, Up, name},
    llama,
    usual::{SILENT, Silent, divided, usual},
};

pub static GPT_NEOX: Family = Family {
    name: "gpt_neox",
    also: &["Pythia"],
    gguf: Gguf {
        name: "gptneox",
        keys: &[("use_parallel_residual", "use_parallel_residual")],
        ..USUAL
    },
    config: neox,
    layout: &NEOX,
    norm: NormKind::Layer,
    activation: Activation::Gelu,
};

pub static GPTJ: Family = Family {
    name: "gptj",
    also: &[],
    gguf: Gguf { name: "gptj", keys: &[("rope.dimension_count", "rotary_dim")], ..gpt2::GPT2.gguf },
    config: gptj,
    layout: &J,
    activation: Activation::GeluTanh,
    ..GPT_NEOX
};

pub static PHI: Family = Family {
    name: "phi",
    also: &["Phi-1.5", "Phi-2"],
    gguf: Gguf { name: "phi2", ..USUAL },
    config: phi,
    layout: &PHI_LAYOUT,
    activation: Activation::GeluTanh,
    ..GPT_NEOX
};

static NEOX: Layout = Layout {
    embedding: name("embed_in", "token_embd"),
    norm: name("final_layer_norm", "output_norm"),
    head: name("embed_out", "output"),
    qkv: Qkv::FusedByHead(name("attention.query_key_value", "attn_qkv")),
    qk_norm: None,
    out: name("attention.dense", "attn_output"),
    up: Up::Plain(name("mlp.dense_h_to_4h", "ffn_up")),
    down: name("mlp.dense_4h_to_h", "ffn_down"),
    ..llama::LAYOUT
};

static J: Layout = Layout {
    positions: None,
    head: HEAD,
    mlp_norm: None,
    qkv: Qkv::Apart([
        name("attn.q_proj", "attn_q"),
        name("attn.k_proj", "attn_k"),
        name("attn.v_proj", "attn_v"),
    ]),
    out: name("attn.out_proj", "attn_output"),
    up: Up::Plain(name("mlp.fc_in", "ffn_up")),
    down: name("mlp.fc_out", "ffn_down"),
    transposed: false,
    ..gpt2::LAYOUT
};

static PHI_LAYOUT: Layout = Layout {
    norm: name("final_layernorm", "output_norm"),
    qk_norm: None,
    out: name("self_attn.dense", "attn_output"),
    mlp_norm: None,
    up: Up::Plain(name("mlp.fc1", "ffn_up")),
    down: name("mlp.fc2", "ffn_down"),
    ..llama::LAYOUT
};

fn neox(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let turned = fields.number_or("rotary_pct", 0.25)?;
    let theta = fields.number_or("rotary_emb_base", 1e4)?;
    let config =
        usual(fields, &GPT_NEOX, Silent { eps: 1e-5, turned: Some(turned), theta, ..SILENT })?;
    let parallel = fields.flag_or("use_parallel_residual", true)?;
    let bias = fields.flag_or("attention_bias", true)?;
    Ok(ModelConfig {
        residual: if parallel { Residual::Parallel } else { Residual::Sequential },
        kv_heads: config.heads,
        qkv_bias: bias,
        attention_out_bias: bias,
        mlp_bias: true,
        ..config
    })
}

fn gptj(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("n_embd")?;
    let heads = fields.size("n_head")?;
    let layers = fields.layers("n_layer")?;
    let head_dim = divided(hidden, heads)?;
    let width = fields.size_or("rotary_dim", 64)?;
    Ok(ModelConfig {
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate: fields.size_or("n_inner", hidden.saturating_mul(4))?,
        max_positions: fields.size("n_positions")?,
        norm: NormKind::Layer,
        norm_eps: fields.number_or("layer_norm_epsilon", 1e-5)?,
        ropes: vec![Rope { interleaved: true, ..Rope::plain(1e4, width) }],
        blocks: vec![BlockKind::PLAIN; layers],
        residual: Residual::Parallel,
        mlp_bias: true,
        head_bias: true,
        tied: fields.flag_or("tie_word_embeddings", false)?,
        scales: Scales::plain(head_dim),
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("activation_function", GPTJ.activation)?,
        ..ModelConfig::neutral(&J, GPTJ.name)
    })
}

fn phi(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = usual(fields, &PHI, Silent { eps: 1e-5, turned: Some(0.5), ..SILENT })?;
    Ok(ModelConfig {
        residual: Residual::Parallel,
        qkv_bias: true,
        attention_out_bias: true,
        mlp_bias: true,
        head_bias: true,
        ..config
    })
}
