//! Phi-3, 3.5 and 4: Llama with fused matrices, and a sliding window where the file says so.

use super::{
    config::{ConfigError, Fields, ModelConfig, NormKind, RopeScaling},
    family::{Family, Gguf, USUAL},
    layout::{Layout, Qkv, Up, name},
    llama,
    usual::{SILENT, Silent, no_bias, sliding, usual, window},
};

pub static PHI3: Family = Family {
    name: "phi3",
    also: &["Phi-3.5", "Phi-4"],
    gguf: Gguf { name: "phi3", ..USUAL },
    config,
    layout: &LAYOUT,
    norm: NormKind::Rms,
    ..llama::LLAMA
};

static LAYOUT: Layout = Layout {
    qkv: Qkv::Fused(name("self_attn.qkv_proj", "attn_qkv")),
    qk_norm: None,
    up: Up::Fused(name("mlp.gate_up_proj", "ffn_up")),
    ..llama::LAYOUT
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let config = usual(fields, &PHI3, Silent { eps: 1e-5, turned: Some(1.0), ..SILENT })?;
    // A file without longrope names its first context all the same.
    fields.get("original_max_position_embeddings");
    let stretched = |scaling: &RopeScaling| {
        matches!(scaling, RopeScaling::Linear { .. } | RopeScaling::Llama3 { .. })
    };
    if config.ropes.iter().any(|rope| stretched(&rope.scaling)) {
        let what = "phi3 has no linear or llama3 rope_scaling".into();
        return Err(ConfigError::Impossible { what });
    }
    let blocks = sliding(config.layers, window(fields, None)?, |_| true);
    Ok(ModelConfig { blocks, ..config })
}
