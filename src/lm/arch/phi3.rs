//! Phi-3: Llama with fused matrices, and a sliding window where the file says so.

use super::{
    config::{Activation, ConfigError, Fields, ModelConfig, RopeScaling},
    family::Family,
    layout::{Layout, Qkv, Up, name},
    llama,
    usual::{no_bias, usual, window},
};

pub static PHI3: Family = Family {
    name: "phi3",
    also: &[],
    gguf: "phi3",
    config,
    layout: &LAYOUT,
    interleaved: false,
    biased: false,
    activation: Activation::Silu,
};

static LAYOUT: Layout = Layout {
    qkv: Qkv::Fused(name("self_attn.qkv_proj", "attn_qkv")),
    qk_norm: None,
    up: Up::Fused(name("mlp.gate_up_proj", "ffn_up")),
    ..llama::LAYOUT
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let config = usual(fields, &PHI3, None)?;
    // Its class has one other scaling, longrope, which is refused by name where ropes are read.
    if config.rope.as_ref().is_some_and(|rope| rope.scaling != RopeScaling::None) {
        let what = "phi3 has no linear or llama3 rope_scaling".into();
        return Err(ConfigError::Impossible { what });
    }
    let windows = vec![window(fields, None)?; config.layers];
    let norm_eps = fields.number_or("rms_norm_eps", 1e-5)?;
    Ok(ModelConfig { windows, norm_eps, ..config })
}
