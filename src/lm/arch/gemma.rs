//! Gemma 1 to 3: embeddings times the root of their width, norms of `1 + gain`. Gemma 2 norms what attention and MLP
//! add and cuts scores and logits; Gemma 3 norms queries and keys and turns windows by a rope of their own.

use serde_json::{Map, Value};

use super::{
    config::{
        Activation, BlockKind, ConfigError, Fields, ModelConfig, NormKind, QkNorm, Scales,
        rope::{self, Beside},
    },
    family::{Family, Gguf, NO_GGUF, USUAL},
    layout::{Layout, name},
    llama,
    usual::{SILENT, Silent, sliding, usual, window, without_rope},
};

pub static GEMMA: Family = Family {
    name: "gemma",
    also: &[],
    gguf: Gguf { name: "gemma", ..USUAL },
    config: gemma,
    norm: NormKind::RmsOnePlus,
    activation: Activation::GeluTanh,
    ..llama::LLAMA
};

pub static GEMMA2: Family =
    Family { name: "gemma2", gguf: GGUF2, config: gemma2, layout: &SANDWICH, ..GEMMA };

pub static GEMMA3: Family =
    Family { name: "gemma3_text", gguf: GGUF3, config: gemma3, layout: &SANDWICH, ..GEMMA };

/// Beside pictures; only the text network is read.
pub static GEMMA3_ALL: Family = Family { name: "gemma3", gguf: NO_GGUF, ..GEMMA3 };

static SANDWICH: Layout = Layout {
    attention_after: Some(name("post_attention_layernorm", "post_attention_norm")),
    mlp_norm: Some(name("pre_feedforward_layernorm", "ffn_norm")),
    mlp_after: Some(name("post_feedforward_layernorm", "post_ffw_norm")),
    ..llama::LAYOUT
};

/// Scores are divided by the root of a head's width, but in the largest model by that of hidden / heads.
fn query_scalar(fields: &mut Map<String, Value>, largest: u64) {
    let size = |field: &str| fields.get(field).and_then(Value::as_u64).unwrap_or(0);
    let scalar = match size("num_hidden_layers") == largest {
        true => size("hidden_size") / size("num_attention_heads").max(1),
        false => size("head_dim"),
    };
    fields.insert("query_pre_attn_scalar".into(), scalar.into());
}

const CAPS: [(&str, &str); 3] = [
    ("attn_logit_softcapping", "attn_logit_softcapping"),
    ("final_logit_softcapping", "final_logit_softcapping"),
    ("rope.freq_base_swa", "rope_local_base_freq"),
];

const GGUF2: Gguf =
    Gguf { name: "gemma2", keys: &CAPS, adjust: |fields| query_scalar(fields, 46), ..USUAL };

const GGUF3: Gguf = Gguf { name: "gemma3", adjust: |fields| query_scalar(fields, 62), ..GGUF2 };

const GEMMA_SILENT: Silent = Silent { head_dim: Some(256), tied: true, ..SILENT };

fn scaled(config: ModelConfig) -> ModelConfig {
    // The root is rounded to the type of the weights there; f32 keeps it.
    let embedding = (config.hidden as f64).sqrt();
    ModelConfig { scales: Scales { embedding, ..config.scales }, ..config }
}

fn biased(fields: &Fields<'_>, config: ModelConfig) -> Result<ModelConfig, ConfigError> {
    fields.must_be_neutral("use_bidirectional_attention", &["false"])?;
    let bias = fields.flag_or("attention_bias", false)?;
    Ok(ModelConfig { qkv_bias: bias, attention_out_bias: bias, ..config })
}

fn gemma(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = biased(fields, scaled(usual(fields, &GEMMA, GEMMA_SILENT)?))?;
    // Older files say "gelu" and mean the other one, which `hidden_activation` then names.
    let activation = match (fields.text("hidden_activation")?, fields.text("hidden_act")?) {
        (None, Some("gelu")) => Activation::GeluTanh,
        _ => config.activation,
    };
    Ok(ModelConfig { activation, ..config })
}

/// Scores by a width of the file's own, capped where it says so; logits likewise.
fn capped(
    fields: &Fields<'_>,
    config: &ModelConfig,
    [attention, logits]: [Option<f64>; 2],
) -> Result<Scales, ConfigError> {
    let cap = |field: &str, silent: Option<f64>| match fields.written(field) {
        None => Ok(silent),
        Some(_) => fields.number(field),
    };
    let width = fields.number_or("query_pre_attn_scalar", 256.0)?;
    Ok(Scales {
        attention: 1.0 / width.sqrt(),
        attention_cap: cap("attn_logit_softcapping", attention)?,
        logits_cap: cap("final_logit_softcapping", logits)?,
        ..config.scales
    })
}

fn gemma2(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = biased(fields, scaled(usual(fields, &GEMMA2, GEMMA_SILENT)?))?;
    let scales = capped(fields, &config, [Some(50.0), Some(30.0)])?;
    let types = fields.layer_types(config.layers)?;
    let slides =
        |layer: usize| types.as_ref().map_or(layer.is_multiple_of(2), |types| types[layer]);
    let blocks = sliding(config.layers, window(fields, Some(4096))?, slides);
    Ok(ModelConfig { blocks, scales, ..config })
}

fn gemma3(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let text = fields.object("text_config")?;
    match text {
        Some(text) => {
            let config = gemma3_text(&text)?;
            text.refuse_unread()?;
            // Ends of texts may stand outside.
            let eos = fields.tokens("eos_token_id")?;
            Ok(ModelConfig { eos: if eos.is_empty() { config.eos } else { eos }, ..config })
        }
        None => gemma3_text(fields),
    }
}

fn gemma3_text(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let silent = Silent { theta: 1e6, kv_heads: Some(4), ..GEMMA_SILENT };
    let bare = without_rope(fields, &GEMMA3, silent)?;
    let config = biased(fields, scaled(bare))?;
    let beside = silent.beside(&config);
    let ropes = match rope::by_kind(fields, beside)? {
        Some(ropes) => ropes,
        None => {
            let full = rope::read(fields, beside)?.0;
            let theta = fields.number_or("rope_local_base_freq", 1e4)?;
            let local = rope::read_one(fields, None, Beside { theta, ..beside })?.0;
            [full, local]
        }
    };
    let blocks = windows(fields, &config, 6)?;
    let scales = capped(fields, &config, [None, None])?;
    let qk_norm = QkNorm::Heads;
    Ok(ModelConfig { ropes: ropes.into(), blocks, scales, qk_norm, ..config })
}

/// Every so many-th layer sees all by the first rope; the others slide by the second.
pub(super) fn windows(
    fields: &Fields<'_>,
    config: &ModelConfig,
    silent: usize,
) -> Result<Vec<BlockKind>, ConfigError> {
    let pattern = fields.size_or("sliding_window_pattern", silent)?.max(1);
    let types = fields.layer_types(config.layers)?;
    let slides = |layer: usize| {
        types.as_ref().map_or(!(layer + 1).is_multiple_of(pattern), |types| types[layer])
    };
    let mut blocks = sliding(config.layers, window(fields, Some(4096))?, slides);
    for (layer, block) in blocks.iter_mut().enumerate() {
        block.rope = Some(usize::from(slides(layer)));
    }
    Ok(blocks)
}
