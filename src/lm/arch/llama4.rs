//! Llama 4's text network: chunks of attention, layers without rope, one of many experts beside a shared one.
//! SmolLM3: Llama with layers without rope.

use serde_json::Value;

use super::{
    config::{ConfigError, Experts, Fields, ModelConfig, QkNorm, Scales, Score, Sees, Tempering},
    family::{Family, Gguf, USUAL},
    layout::{ExpertNames, ExpertStore, Layout, Mlp, Up, name},
    llama, moe, qwen,
    usual::{SILENT, Silent, usual},
};

pub static LLAMA4: Family = Family {
    name: "llama4_text",
    also: &[],
    gguf: Gguf {
        name: "llama4",
        keys: &[
            ("expert_feed_forward_length", "intermediate_size"),
            ("interleave_moe_layer_step", "interleave_moe_layer_step"),
        ],
        names: &[
            ("intermediate_size", "intermediate_size_mlp"),
            ("num_experts", "num_local_experts"),
            ("sliding_window", ""),
        ],
        // The model of 128 experts has no norms of queries and keys.
        adjust: |fields| {
            let normed = fields.get("num_local_experts").is_none_or(|count| *count != 128);
            fields.insert("use_qk_norm".into(), normed.into());
        },
        ..USUAL
    },
    config: llama4,
    layout: &LAYOUT,
    ..llama::LLAMA
};

pub static SMOLLM3: Family = Family {
    name: "smollm3",
    also: &[],
    gguf: Gguf { name: "smollm3", interleaved: true, ..USUAL },
    config: smollm3,
    ..llama::LLAMA
};

static LAYOUT: Layout = Layout {
    qk_norm: None,
    up: Up::Apart([
        name("feed_forward.gate_proj", "ffn_gate"),
        name("feed_forward.up_proj", "ffn_up"),
    ]),
    down: name("feed_forward.down_proj", "ffn_down"),
    experts: Some(ExpertNames {
        router: name("feed_forward.router", "ffn_gate_inp"),
        store: ExpertStore::Stacked {
            up: "feed_forward.experts.gate_up_proj",
            down: "feed_forward.experts.down_proj",
            alternating: false,
        },
        shared: Some(Mlp {
            up: Up::Apart([
                name("feed_forward.shared_expert.gate_proj", "ffn_gate_shexp"),
                name("feed_forward.shared_expert.up_proj", "ffn_up_shexp"),
            ]),
            down: name("feed_forward.shared_expert.down_proj", "ffn_down_shexp"),
        }),
        shared_gate: None,
    }),
    ..llama::LAYOUT
};

/// For each layer whether it rotates: as listed, or all but every so many-th.
fn rotates(fields: &Fields<'_>, layers: usize) -> Result<Vec<bool>, ConfigError> {
    let step = fields.size_or("no_rope_layer_interval", 4)?.max(1);
    let by_step = || (0..layers).map(|layer| (layer + 1) % step != 0).collect();
    let yes = |value: &Value| match value {
        Value::Bool(yes) => Ok(*yes),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(true),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(false),
        other => Err(ConfigError::Setting {
            field: "no_rope_layers".into(),
            value: other.to_string(),
            supported: "1 for a layer that rotates, 0 for one that does not".into(),
        }),
    };
    if fields.list("no_rope_layers")?.is_none_or(Vec::is_empty) {
        return Ok(by_step());
    }
    Ok(fields.per_layer("no_rope_layers", layers, yes)?.unwrap_or_else(by_step))
}

fn smollm3(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let silent = Silent { theta: 2e6, tied: true, kv_heads: Some(4), ..SILENT };
    let config = usual(fields, &SMOLLM3, silent)?;
    let bias = fields.flag_or("attention_bias", false)?;
    let mut blocks = qwen::blocks(fields, config.layers)?;
    for (block, rotates) in blocks.iter_mut().zip(rotates(fields, config.layers)?) {
        block.rope = rotates.then_some(0);
    }
    Ok(ModelConfig {
        blocks,
        qkv_bias: bias,
        attention_out_bias: bias,
        mlp_bias: fields.flag_or("mlp_bias", false)?,
        ..config
    })
}

fn llama4(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let silent = Silent { eps: 1e-5, theta: 5e5, head_dim: Some(128), ..SILENT };
    let mut config = usual(fields, &LLAMA4, silent)?;
    for rope in &mut config.ropes {
        rope.interleaved = true;
    }
    let layers = config.layers;
    let rotates = rotates(fields, layers)?;
    let width = match fields.written("attention_chunk_size") {
        Some(value) if value.is_null() => None,
        _ => Some(fields.size_or("attention_chunk_size", 8192)?),
    };
    let types = fields.layer_types_of(layers, "chunked_attention")?;
    let chunked = |layer: usize| types.as_ref().map_or(rotates[layer], |types| types[layer]);
    for (layer, block) in config.blocks.iter_mut().enumerate() {
        block.rope = rotates[layer].then_some(0);
        block.sees = width.filter(|_| chunked(layer)).map_or(Sees::All, Sees::Chunk);
    }
    let tempering = Tempering {
        floor: fields.number_or("floor_scale", 8192.0)?,
        scale: fields.number_or("attn_scale", 0.1)?,
        first: 1,
        with_rope: false,
    };
    let tempers = fields.flag_or("attn_temperature_tuning", true)?;
    let normed = fields.flag_or("use_qk_norm", true)?;
    let bias = fields.flag_or("attention_bias", false)?;
    let experts = Experts {
        count: fields.size_or("num_local_experts", 16)?,
        used: fields.size_or("num_experts_per_tok", 1)?,
        width: config.intermediate,
        score: Score::Sigmoid,
        scales_input: true,
        biased: false,
        shared: Some(config.intermediate),
    };
    let step = fields.size_or("interleave_moe_layer_step", 1)?.max(1);
    let listed = fields.layer_numbers("moe_layers")?;
    let sparse = |layer: usize| match &listed {
        Some(layers) => layers.contains(&layer),
        None => (layer + 1).is_multiple_of(step),
    };
    let config = ModelConfig {
        intermediate: fields.size_or("intermediate_size_mlp", 16384)?,
        scales: Scales { tempering: tempers.then_some(tempering), ..config.scales },
        qk_norm: if normed { QkNorm::Unit } else { QkNorm::None },
        qkv_bias: bias,
        attention_out_bias: bias,
        ..config
    };
    Ok(moe::some(config, experts, sparse))
}
