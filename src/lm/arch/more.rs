//! Llama with one thing changed each: Granite, StarCoder2, StableLM, GLM-4.

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig, NormKind, Residual, Scales},
    family::{Family, Gguf, USUAL},
    layout::{Layout, Up, name},
    llama,
    usual::{SILENT, Silent, sliding, usual, window},
};

pub static GRANITE: Family =
    Family { name: "granite", also: &[], gguf: GRANITE_GGUF, config: granite, ..llama::LLAMA };

pub static STARCODER2: Family = Family {
    name: "starcoder2",
    also: &[],
    gguf: Gguf { name: "starcoder2", ..USUAL },
    config: starcoder2,
    layout: &STARCODER,
    norm: NormKind::Layer,
    activation: Activation::GeluTanh,
};

pub static STABLELM: Family = Family {
    name: "stablelm",
    also: &[],
    gguf: Gguf {
        name: "stablelm",
        keys: &[("use_parallel_residual", "use_parallel_residual")],
        ..USUAL
    },
    config: stablelm,
    layout: &STABLE,
    norm: NormKind::Layer,
    ..llama::LLAMA
};

pub static GLM4: Family = Family {
    name: "glm4",
    also: &[],
    gguf: Gguf { name: "glm4", ..USUAL },
    config: glm4,
    layout: &GLM,
    ..llama::LLAMA
};

static STARCODER: Layout = Layout {
    qk_norm: None,
    up: Up::Plain(name("mlp.c_fc", "ffn_up")),
    down: name("mlp.c_proj", "ffn_down"),
    ..llama::LAYOUT
};

static STABLE: Layout = Layout { qk_norm: None, ..llama::LAYOUT };

static GLM: Layout = Layout {
    qk_norm: None,
    attention_after: Some(name("post_self_attn_layernorm", "post_attention_norm")),
    mlp_after: Some(name("post_mlp_layernorm", "post_ffw_norm")),
    up: Up::Fused(name("mlp.gate_up_proj", "ffn_up")),
    ..llama::LAYOUT
};

const GRANITE_GGUF: Gguf = Gguf {
    name: "granite",
    interleaved: true,
    keys: &[
        ("attention.scale", "attention_multiplier"),
        ("embedding_scale", "embedding_multiplier"),
        ("residual_scale", "residual_multiplier"),
        ("logit_scale", "logits_scaling"),
    ],
    ..USUAL
};

/// Four constants: of embeddings, scores, what blocks add, logits.
fn granite(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = usual(fields, &GRANITE, SILENT)?;
    let bias = fields.flag_or("attention_bias", false)?;
    let divided = fields.number_or("logits_scaling", 1.0)?;
    Ok(ModelConfig {
        qkv_bias: bias,
        attention_out_bias: bias,
        mlp_bias: fields.flag_or("mlp_bias", false)?,
        scales: Scales {
            attention: fields.number_or("attention_multiplier", 1.0)?,
            embedding: fields.number_or("embedding_multiplier", 1.0)?,
            residual: fields.number_or("residual_multiplier", 1.0)?,
            logits: 1.0 / divided,
            ..config.scales
        },
        ..config
    })
}

/// LayerNorm, biases, an MLP without a gate.
fn starcoder2(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let silent = Silent { eps: 1e-5, tied: true, kv_heads: Some(2), ..SILENT };
    let config = usual(fields, &STARCODER2, silent)?;
    let bias = fields.flag_or("use_bias", true)?;
    let blocks = sliding(config.layers, window(fields, None)?, |_| true);
    Ok(ModelConfig { blocks, qkv_bias: bias, attention_out_bias: bias, mlp_bias: bias, ..config })
}

/// LayerNorm, a quarter of the dimensions rotates; attention and MLP beside each other where the file says so.
fn stablelm(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let turned = fields.number_or("rope_pct", 0.25)?;
    let config = usual(fields, &STABLELM, Silent { eps: 1e-5, turned: Some(turned), ..SILENT })?;
    let qkv_bias = fields.flag_or("use_qkv_bias", false)?;
    // Its parallel blocks share one norm and lack the tensor of the second.
    fields.must_be_neutral("use_parallel_residual", &["false"])?;
    Ok(ModelConfig { qkv_bias, residual: Residual::Sequential, ..config })
}

/// Norms of what attention and MLP add, half of the dimensions rotates, neighbors together.
fn glm4(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let silent = Silent {
        head_dim: Some(128),
        eps: 1.5625e-7,
        turned: Some(0.5),
        kv_heads: Some(2),
        ..SILENT
    };
    let mut config = usual(fields, &GLM4, silent)?;
    for rope in &mut config.ropes {
        rope.interleaved = true;
    }
    let qkv_bias = fields.flag_or("attention_bias", true)?;
    Ok(ModelConfig { qkv_bias, ..config })
}
