//! Families of Llama's names with experts: Mixtral, Qwen2-MoE, Qwen3-MoE.

use super::{
    config::{ConfigError, Experts, Fields, ModelConfig, QkNorm, Score},
    family::{Family, Gguf, USUAL},
    layout::{ExpertNames, ExpertStore, Layout, Mlp, Up, name},
    llama, qwen,
    usual::{SILENT, Silent, no_bias, sliding, usual, window},
};

pub static MIXTRAL: Family = Family {
    name: "mixtral",
    also: &[],
    gguf: MIX_GGUF,
    config: mixtral,
    layout: &MIX,
    ..llama::LLAMA
};

pub static QWEN2_MOE: Family = Family {
    name: "qwen2_moe",
    also: &[],
    gguf: QWEN_GGUF,
    config: qwen2_moe,
    layout: &QWEN2,
    ..llama::LLAMA
};

pub static QWEN3_MOE: Family =
    Family { name: "qwen3_moe", gguf: QWEN3_GGUF, config: qwen3_moe, layout: &QWEN3, ..QWEN2_MOE };

const MIX_GGUF: Gguf = Gguf {
    with: Some("expert_count"),
    names: &[("num_experts", "num_local_experts")],
    ..llama::LLAMA.gguf
};

const QWEN_GGUF: Gguf = Gguf {
    name: "qwen2moe",
    keys: &[
        ("expert_feed_forward_length", "moe_intermediate_size"),
        ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
    ],
    ..USUAL
};

const QWEN3_GGUF: Gguf = Gguf {
    name: "qwen3moe",
    // llama.cpp does so whatever a file says.
    adjust: |fields| {
        fields.insert("norm_topk_prob".into(), true.into());
    },
    ..QWEN_GGUF
};

static MIX: Layout = Layout {
    experts: Some(ExpertNames {
        router: name("block_sparse_moe.gate", "ffn_gate_inp"),
        store: ExpertStore::Each { folder: "block_sparse_moe.experts", names: ["w1", "w3", "w2"] },
        shared: None,
        shared_gate: None,
    }),
    ..llama::LAYOUT
};

/// Experts as Qwen names them; OLMoE and others keep the names.
const OWN: ExpertNames = ExpertNames {
    router: name("mlp.gate", "ffn_gate_inp"),
    store: ExpertStore::Each {
        folder: "mlp.experts",
        names: ["gate_proj", "up_proj", "down_proj"],
    },
    shared: None,
    shared_gate: None,
};

pub(super) static QWEN3: Layout = Layout { experts: Some(OWN), ..llama::LAYOUT };

static QWEN2: Layout = Layout {
    experts: Some(ExpertNames {
        shared: Some(Mlp {
            up: Up::Apart([
                name("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
                name("mlp.shared_expert.up_proj", "ffn_up_shexp"),
            ]),
            down: name("mlp.shared_expert.down_proj", "ffn_down_shexp"),
        }),
        shared_gate: Some(name("mlp.shared_expert_gate", "ffn_gate_inp_shexp")),
        ..OWN
    }),
    ..llama::LAYOUT
};

/// A model whose every block has experts.
pub(super) fn everywhere(config: ModelConfig, experts: Experts) -> ModelConfig {
    some(config, experts, |_| true)
}

/// A model of which the blocks that `sparse` names have experts.
pub(super) fn some(
    mut config: ModelConfig,
    experts: Experts,
    sparse: impl Fn(usize) -> bool,
) -> ModelConfig {
    for (layer, block) in config.blocks.iter_mut().enumerate() {
        block.experts = sparse(layer);
    }
    ModelConfig { experts: Some(experts), ..config }
}

fn mixtral(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let silent = Silent { eps: 1e-5, theta: 1e6, ..SILENT };
    let config = usual(fields, &MIXTRAL, silent)?;
    let blocks = sliding(config.layers, window(fields, None)?, |_| true);
    let experts = Experts {
        count: fields.size_or("num_local_experts", 8)?,
        used: fields.size_or("num_experts_per_tok", 2)?,
        width: config.intermediate,
        score: Score::SoftmaxOfChosen,
        scales_input: false,
        biased: false,
        shared: None,
    };
    Ok(everywhere(ModelConfig { blocks, ..config }, experts))
}

fn qwen_experts(
    fields: &Fields<'_>,
    config: ModelConfig,
    shared: Option<usize>,
) -> Result<ModelConfig, ConfigError> {
    let normalized = fields.flag_or("norm_topk_prob", false)?;
    let count = match fields.get("num_local_experts") {
        Some(_) => "num_local_experts",
        None => "num_experts",
    };
    fields.get("num_experts");
    let experts = Experts {
        count: fields.size(count)?,
        used: fields.size("num_experts_per_tok")?,
        width: fields.size("moe_intermediate_size")?,
        score: if normalized { Score::SoftmaxOfChosen } else { Score::Softmax },
        scales_input: false,
        biased: false,
        shared,
    };
    let step = fields.size_or("decoder_sparse_step", 1)?.max(1);
    let dense = fields.layer_numbers("mlp_only_layers")?.unwrap_or_default();
    Ok(some(config, experts, |layer| !dense.contains(&layer) && (layer + 1).is_multiple_of(step)))
}

fn qwen2_moe(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let config = usual(fields, &QWEN2_MOE, SILENT)?;
    let blocks = qwen::blocks(fields, config.layers)?;
    let qkv_bias = fields.flag_or("qkv_bias", true)?;
    let shared = fields.size("shared_expert_intermediate_size")?;
    qwen_experts(fields, ModelConfig { blocks, qkv_bias, ..config }, Some(shared))
}

fn qwen3_moe(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["mlp_bias"])?;
    let config = usual(fields, &QWEN3_MOE, SILENT)?;
    let bias = fields.flag_or("attention_bias", false)?;
    let on = fields.flag_or("use_sliding_window", false)?;
    fields.get("max_window_layers");
    let width = if on { window(fields, None)? } else { None };
    fields.get("sliding_window");
    let blocks = sliding(config.layers, width, |_| true);
    let qk_norm = QkNorm::Heads;
    let config =
        ModelConfig { blocks, qkv_bias: bias, attention_out_bias: bias, qk_norm, ..config };
    qwen_experts(fields, config, None)
}
