//! The families of networks: a page each, and the one list of them.
//!
//! A page says how a family's config.json is read and what its tensors are called, here and in GGUF files.
//! A family of arithmetic that the engines have is a page and its line in the list, nothing else; only
//! a tokenizer that cuts texts in a new way has a place of its own (`gguf/vocabulary.rs`).

use serde_json::{Map, Value};

use self::config::{ConfigError, Fields, ModelConfig};

pub mod config;
mod family;
mod gpt2;
pub mod layout;
pub(super) mod llama;
mod mistral;
mod phi3;
mod qwen;
mod usual;

pub(super) use family::Family;

/// What can be loaded, in the order in which messages name it.
static FAMILIES: [&Family; 6] =
    [&gpt2::GPT2, &llama::LLAMA, &mistral::MISTRAL, &phi3::PHI3, &qwen::QWEN2, &qwen::QWEN3];

/// Settings that change results when they differ from these neutral values.
const NEUTRAL: [(&str, &[&str]); 28] = [
    ("add_cross_attention", &["false"]),
    ("is_encoder_decoder", &["false"]),
    ("attn_logit_softcapping", &[]),
    ("final_logit_softcapping", &[]),
    ("attn_logit_softcap", &[]),
    ("logits_soft_cap", &[]),
    ("query_pre_attn_scalar", &[]),
    ("partial_rotary_factor", &["1", "1.0"]),
    ("rotary_pct", &["1", "1.0"]),
    ("rope_interleaved", &["false"]),
    ("rope_local_base_freq", &[]),
    ("no_rope_layers", &["[]"]),
    ("no_rope_layer_interval", &["0"]),
    ("alibi", &["false"]),
    ("use_alibi", &["false"]),
    ("attention_chunk_size", &[]),
    ("attention_sink", &["false"]),
    ("embedding_multiplier", &["1", "1.0"]),
    ("residual_multiplier", &["1", "1.0"]),
    ("attention_multiplier", &[]),
    ("logits_scaling", &["1", "1.0"]),
    ("logit_scale", &["1", "1.0"]),
    ("num_local_experts", &["0", "1"]),
    ("num_experts", &["0", "1"]),
    ("use_qk_norm", &["false"]),
    ("qk_layernorm", &["false"]),
    ("scale_embedding", &["false"]),
    ("parallel_attn", &["false"]),
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

/// The families' names as a sentence has them: `gpt2, llama (also SmolLM2), mistral, phi3, qwen2 and qwen3`.
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
        let fields = Fields(&object);
        let model_type = match fields.text("model_type")? {
            Some(name) => name,
            None => return Err(ConfigError::Missing { field: "model_type".into() }),
        };
        if let Some(quantized) = fields.get("quantization_config") {
            let method = quantized.get("quant_method").and_then(Value::as_str).unwrap_or("unnamed");
            return Err(ConfigError::Quantized { method: method.into() });
        }
        let family = find(model_type, |family| family.name == model_type)?;
        let mut read = (family.config)(&fields)?;
        for (field, neutral) in NEUTRAL {
            fields.must_be_neutral(field, neutral)?;
        }
        if let Some(generation) = generation {
            let object: Map<String, Value> = serde_json::from_str(generation)?;
            let fields = Fields(&object);
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
