//! OLMo: 1 norms without gains, 2 norms what attention and MLP add, 3 slides in three of four layers; OLMoE has experts.

use super::{
    config::{
        ConfigError, Experts, Fields, ModelConfig, NormKind, QkNorm, Rope, Scales, Score, rope,
    },
    family::{Family, Gguf, USUAL},
    gemma,
    layout::{Layout, name},
    llama, moe,
    usual::{SILENT, Silent, usual, without_rope},
};

pub static OLMO: Family = Family {
    name: "olmo",
    also: &[],
    gguf: Gguf {
        name: "olmo",
        interleaved: true,
        keys: &[("attention.clamp_kqv", "clip_qkv")],
        ..USUAL
    },
    config: olmo,
    layout: &ONE,
    norm: NormKind::LayerBare,
    ..llama::LLAMA
};

pub static OLMO2: Family = Family {
    name: "olmo2",
    gguf: Gguf { name: "olmo2", ..USUAL },
    config: olmo2,
    layout: &AFTER,
    norm: NormKind::Rms,
    ..OLMO
};

pub static OLMO3: Family = Family { name: "olmo3", gguf: OLMO3_GGUF, config: olmo3, ..OLMO2 };

pub static OLMOE: Family = Family {
    name: "olmoe",
    gguf: Gguf { name: "olmoe", ..USUAL },
    config: olmoe,
    layout: &moe::QWEN3,
    ..OLMO2
};

const OLMO3_GGUF: Gguf = Gguf {
    name: "olmo2",
    with: Some("attention.sliding_window"),
    keys: &[("rope.freq_base_swa", "rope_local_base_freq")],
    ..USUAL
};

static ONE: Layout = Layout { qk_norm: None, ..llama::LAYOUT };

static AFTER: Layout = Layout {
    attention_norm: None,
    attention_after: Some(name("post_attention_layernorm", "post_attention_norm")),
    mlp_norm: None,
    mlp_after: Some(name("post_feedforward_layernorm", "post_ffw_norm")),
    ..llama::LAYOUT
};

const EPS: Silent = Silent { eps: 1e-5, ..SILENT };

fn with_bias(fields: &Fields<'_>, config: ModelConfig) -> Result<ModelConfig, ConfigError> {
    let bias = fields.flag_or("attention_bias", false)?;
    Ok(ModelConfig { qkv_bias: bias, attention_out_bias: bias, ..config })
}

fn clipped(fields: &Fields<'_>, config: &ModelConfig) -> Result<Scales, ConfigError> {
    Ok(Scales { qkv_clip: fields.number("clip_qkv")?, ..config.scales })
}

fn olmo(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = with_bias(fields, usual(fields, &OLMO, EPS)?)?;
    Ok(ModelConfig { scales: clipped(fields, &config)?, ..config })
}

fn olmo2(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = with_bias(fields, usual(fields, &OLMO2, EPS)?)?;
    Ok(ModelConfig { qk_norm: QkNorm::Whole, ..config })
}

fn olmo3(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let silent = Silent { theta: 5e5, ..EPS };
    let config = with_bias(fields, without_rope(fields, &OLMO3, silent)?)?;
    let ropes = match rope::by_kind(fields, silent.beside(&config))? {
        Some(ropes) => ropes,
        // Only full layers are stretched.
        None => {
            let (full, _) = rope::read(fields, silent.beside(&config))?;
            let theta = fields.number_or("rope_local_base_freq", full.theta)?;
            let local = Rope::plain(theta, full.width);
            [full, local]
        }
    };
    let blocks = gemma::windows(fields, &config, 4)?;
    Ok(ModelConfig { ropes: ropes.into(), blocks, qk_norm: QkNorm::Whole, ..config })
}

fn olmoe(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = with_bias(fields, usual(fields, &OLMOE, EPS)?)?;
    let normalized = fields.flag_or("norm_topk_prob", false)?;
    let experts = Experts {
        count: fields.size_or("num_experts", 64)?,
        used: fields.size_or("num_experts_per_tok", 8)?,
        width: config.intermediate,
        score: if normalized { Score::SoftmaxOfChosen } else { Score::Softmax },
        scales_input: false,
        biased: false,
        shared: None,
    };
    let scales = clipped(fields, &config)?;
    let config = ModelConfig { scales, qk_norm: QkNorm::Whole, ..config };
    Ok(moe::everywhere(config, experts))
}
