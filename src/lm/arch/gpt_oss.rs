//! gpt-oss: experts with biases and a cut gate, a learned term in every softmax, windows in every other layer.

use serde_json::Value;

use super::{
    config::{Activation, ConfigError, Experts, Fields, ModelConfig, Score},
    family::{Family, Gguf, USUAL},
    layout::{ExpertNames, ExpertStore, Layout, name},
    llama, moe,
    usual::{SILENT, Silent, sliding, usual, window},
};

pub static GPT_OSS: Family = Family {
    name: "gpt_oss",
    also: &[],
    gguf: Gguf {
        name: "gpt-oss",
        keys: &[("expert_feed_forward_length", "intermediate_size")],
        names: &[("num_experts", "num_local_experts")],
        adjust: |fields| {
            if let Some(Value::Object(rope)) = fields.get_mut("rope_scaling") {
                rope.insert("truncate".into(), false.into());
            }
        },
        ..USUAL
    },
    config,
    layout: &LAYOUT,
    ..llama::LLAMA
};

static LAYOUT: Layout = Layout {
    sinks: Some(name("self_attn.sinks", "attn_sinks")),
    mlp_norm: Some(name("post_attention_layernorm", "post_attention_norm")),
    qk_norm: None,
    experts: Some(ExpertNames {
        router: name("mlp.router", "ffn_gate_inp"),
        store: ExpertStore::Stacked {
            up: "mlp.experts.gate_up_proj",
            down: "mlp.experts.down_proj",
            alternating: true,
        },
        shared: None,
        shared_gate: None,
    }),
    ..llama::LAYOUT
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let silent = Silent { eps: 1e-5, theta: 150_000.0, head_dim: Some(64), ..SILENT };
    let config = usual(fields, &GPT_OSS, silent)?;
    let types = fields.layer_types(config.layers)?;
    let slides =
        |layer: usize| types.as_ref().map_or(layer.is_multiple_of(2), |types| types[layer]);
    let blocks = sliding(config.layers, window(fields, Some(128))?, slides);
    let bias = fields.flag_or("attention_bias", true)?;
    // Published files say the first context beside the rope as well, and the used experts twice.
    fields.get("initial_context_length");
    fields.get("experts_per_token");
    let experts = Experts {
        count: fields.size_or("num_local_experts", 128)?,
        used: fields.size_or("num_experts_per_tok", 4)?,
        width: config.intermediate,
        score: Score::SoftmaxOfChosen,
        scales_input: false,
        biased: true,
        shared: None,
    };
    let activation = Activation::ClampedSwish {
        alpha: fields.number_or("swiglu_alpha", 1.702)? as f32,
        limit: fields.number_or("swiglu_limit", 7.0)? as f32,
    };
    let config = ModelConfig {
        blocks,
        qkv_bias: bias,
        attention_out_bias: bias,
        sinks: true,
        activation,
        ..config
    };
    Ok(moe::everywhere(config, experts))
}
