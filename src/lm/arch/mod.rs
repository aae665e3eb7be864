//! The families of networks: a page each, and the one list of them.
//!
//! A page says how a family's config.json is read and what its tensors are called, here and in GGUF files.
//! A family of arithmetic that the engines have is a page and its line in the list, nothing else; only
//! a tokenizer that cuts texts in a new way has a place of its own (`gguf/vocabulary.rs`).

use serde_json::{Map, Value};

use self::config::{ConfigError, Fields, ModelConfig};

mod cohere;
pub mod config;
mod family;
mod gemma;
mod gpt2;
mod gpt_oss;
pub mod layout;
pub(super) mod llama;
mod llama4;
mod mistral;
mod moe;
mod more;
mod neox;
mod olmo;
mod opt;
mod phi3;
mod qwen;
mod usual;

pub(super) use family::Family;

/// What can be loaded, in the order in which messages name it.
static FAMILIES: [&Family; 32] = [
    &gpt2::GPT2,
    &gpt2::GPT_NEO,
    &neox::GPTJ,
    &neox::GPT_NEOX,
    &opt::OPT,
    &llama::LLAMA,
    &llama4::LLAMA4,
    &mistral::MISTRAL,
    &mistral::MINISTRAL3,
    &moe::MIXTRAL,
    &qwen::QWEN2,
    &qwen::QWEN3,
    &moe::QWEN2_MOE,
    &moe::QWEN3_MOE,
    &gemma::GEMMA,
    &gemma::GEMMA2,
    &gemma::GEMMA3,
    &gemma::GEMMA3_ALL,
    &neox::PHI,
    &phi3::PHI3,
    &olmo::OLMO,
    &olmo::OLMO2,
    &olmo::OLMO3,
    &olmo::OLMOE,
    &llama4::SMOLLM3,
    &more::GRANITE,
    &more::STARCODER2,
    &more::STABLELM,
    &more::GLM4,
    &cohere::COHERE,
    &cohere::COHERE2,
    &gpt_oss::GPT_OSS,
];

/// Settings that change results when they differ from these neutral values.
const NEUTRAL: [(&str, &[&str]); 15] = [
    ("add_cross_attention", &["false"]),
    ("alibi", &["false"]),
    ("attention_sink", &["false"]),
    ("embedding_multiplier", &["1", "1.0"]),
    ("is_encoder_decoder", &["false"]),
    ("logit_scale", &["1", "1.0"]),
    ("logits_scaling", &["1", "1.0"]),
    ("no_rope_layer_interval", &["0"]),
    ("num_experts", &["0", "1"]),
    ("num_local_experts", &["0", "1"]),
    ("parallel_attn", &["false"]),
    ("partial_rotary_factor", &["1", "1.0"]),
    ("residual_multiplier", &["1", "1.0"]),
    ("rotary_pct", &["1", "1.0"]),
    ("rope_interleaved", &["false"]),
];

/// The family that `is` tells from the others; `name` is what a file calls it.
///
/// # Errors
///
/// [`ConfigError::Architecture`] naming those there are.
pub(super) fn find(
    name: &str,
    is: impl Fn(&Family) -> bool,
) -> Result<&'static Family, ConfigError> {
    let found = FAMILIES.iter().find(|family| is(family)).copied();
    found.ok_or_else(|| ConfigError::Architecture { name: name.into(), supported: supported() })
}

/// The families' names as a sentence has them: `gpt2, llama (also SmolLM2), mistral and qwen3`.
pub fn supported() -> String {
    let name = |family: &&Family| match family.also {
        [] => family.name.to_owned(),
        also => format!("{} (also {})", family.name, also.join(", ")),
    };
    let names: Vec<_> = FAMILIES.iter().map(name).collect();
    match names.split_last() {
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Reads a family's fields; what no page reads must change nothing.
pub(super) fn read_fields(
    family: &Family,
    object: &Map<String, Value>,
) -> Result<ModelConfig, ConfigError> {
    let fields = Fields::new(object);
    fields.get("model_type");
    fields.get("quantization_config");
    let read = (family.config)(&fields)?;
    for (field, neutral) in NEUTRAL {
        if !fields.was_read(field) {
            fields.must_be_neutral(field, neutral)?;
        }
    }
    fields.refuse_unread()?;
    Ok(read)
}

impl ModelConfig {
    /// Reads config.json, in the style of transformers 4 or 5; `generation` is generation_config.json
    /// and decides, where it says so, which tokens end a text.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for bad JSON, an architecture or a setting that is not supported, a missing or
    /// impossible dimension.
    pub fn from_json(config: &str, generation: Option<&str>) -> Result<Self, ConfigError> {
        let object: Map<String, Value> = serde_json::from_str(config)?;
        let fields = Fields::new(&object);
        let model_type = match fields.text("model_type")? {
            Some(name) => name,
            None => return Err(ConfigError::Missing { field: "model_type".into() }),
        };
        if let Some(quantized) = fields.get("quantization_config") {
            let method = quantized.get("quant_method").and_then(Value::as_str).unwrap_or("unnamed");
            if (method, model_type) != ("mxfp4", "gpt_oss") {
                return Err(ConfigError::Quantized { method: method.into() });
            }
        }
        let family = find(model_type, |family| family.name == model_type)?;
        let mut read = read_fields(family, &object)?;
        if let Some(generation) = generation {
            let object: Map<String, Value> = serde_json::from_str(generation)?;
            let fields = Fields::new(&object);
            let eos = fields.tokens("eos_token_id")?;
            if !eos.is_empty() {
                read.eos = eos;
            }
            read.bos = read.bos.or(fields.token("bos_token_id")?);
        }
        read.check()?;
        Ok(read)
    }
}
