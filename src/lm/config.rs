//! What a checkpoint's `config.json` says about the network, checked.
//!
//! A setting that would change results and that the decoder does not know is an error, never ignored.

use serde_json::{Map, Value};

mod fields;
mod rope;
#[cfg(test)]
mod tests;

pub use fields::ConfigError;
use fields::Fields;
pub use rope::{Rope, RopeScaling};

/// The shape of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// Learned positions, LayerNorm with bias, fused `c_attn`, weights stored `[in, out]`.
    Gpt2,
    /// Rotary positions, RMSNorm, gated MLP: Llama, Mistral, Qwen2, Qwen3.
    Llama,
}

/// The function between the two halves of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x/2 · (1 + erf(x/√2))`.
    Gelu,
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, GPT-2's `gelu_new`.
    GeluTanh,
    /// `x / (1 + e^−x)`.
    Silu,
    /// `max(x, 0)`.
    Relu,
}

/// A decoder-only language model's dimensions and variants.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Shape of a block.
    pub arch: Arch,
    /// `model_type` of config.json: `gpt2`, `llama`, `mistral`, `qwen2` or `qwen3`.
    pub model_type: String,
    /// Rows of the embedding, tokens the model can write.
    pub vocab: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head; `heads · head_dim` need not equal `hidden`.
    pub head_dim: usize,
    /// Width inside the MLP.
    pub intermediate: usize,
    /// Longest sequence, prompt and completion together.
    pub max_positions: usize,
    /// Added to the variance in every norm.
    pub norm_eps: f64,
    /// Rotary positions; `None` for GPT-2's learned ones.
    pub rope: Option<Rope>,
    /// For each layer how many positions a token sees, itself included; `None` sees all before it.
    pub windows: Vec<Option<usize>>,
    /// Query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// The projection after attention has a bias.
    pub attention_out_bias: bool,
    /// The MLP's projections have a bias.
    pub mlp_bias: bool,
    /// Queries and keys go through an RMSNorm per head before rotation (Qwen3).
    pub qk_norm: bool,
    /// The output projection is the embedding.
    pub tied: bool,
    /// Scores are divided by `√head_dim`.
    pub scale_attention: bool,
    /// Scores of layer `i` (from 0) are divided by `i + 1` as well.
    pub scale_by_inverse_layer: bool,
    /// Begin-of-text token.
    pub bos: Option<u32>,
    /// Tokens that end a completion; may be empty.
    pub eos: Vec<u32>,
    /// Padding token; nothing here needs it.
    pub pad: Option<u32>,
    /// Inside the MLP.
    pub activation: Activation,
}

/// Architectures that can be loaded, for messages.
pub const SUPPORTED: &str = "gpt2, llama (also SmolLM2), mistral, qwen2 and qwen3";

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
        let mut read = match model_type {
            "gpt2" => gpt2(&fields)?,
            "llama" | "mistral" | "qwen2" | "qwen3" => llama(&fields, model_type)?,
            other => return Err(ConfigError::Architecture { name: other.into() }),
        };
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

    /// What a score `q·k` is multiplied by in layer `layer`.
    pub fn attention_scale(&self, layer: usize) -> f64 {
        let by_width = if self.scale_attention { (self.head_dim as f64).sqrt() } else { 1.0 };
        let by_layer = if self.scale_by_inverse_layer { (layer + 1) as f64 } else { 1.0 };
        1.0 / (by_width * by_layer)
    }

    /// Refuses dimensions that cannot be; every way into the type ends here.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vocabulary", self.vocab, 1 << 24),
            ("hidden width", self.hidden, 1 << 20),
            ("number of layers", self.layers, 1 << 12),
            ("number of heads", self.heads, 1 << 14),
            ("number of key heads", self.kv_heads, 1 << 14),
            ("head width", self.head_dim, 1 << 14),
            ("MLP width", self.intermediate, 1 << 22),
            ("number of positions", self.max_positions, 1 << 28),
        ];
        for (what, value, most) in sizes {
            if value == 0 || value > most {
                return Err(ConfigError::Size { what, value, most });
            }
        }
        let impossible = |what: String| Err(ConfigError::Impossible { what });
        if !self.heads.is_multiple_of(self.kv_heads) {
            let Self { heads, kv_heads, .. } = self;
            return impossible(format!("{heads} heads cannot share {kv_heads} key heads"));
        }
        if self.rope.is_some() && !self.head_dim.is_multiple_of(2) {
            return impossible(format!(
                "rotary positions need an even head width, not {}",
                self.head_dim
            ));
        }
        if self.arch == Arch::Gpt2 && self.heads * self.head_dim != self.hidden {
            return impossible(format!(
                "hidden width {} does not divide into {} heads",
                self.hidden, self.heads
            ));
        }
        if !(self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            return impossible(format!("a norm's epsilon of {} is not in 0..1", self.norm_eps));
        }
        Ok(())
    }
}

fn gpt2(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("n_embd")?;
    let heads = fields.size("n_head")?;
    let layers = fields.layers("n_layer")?;
    if heads == 0 || !hidden.is_multiple_of(heads) {
        let what = format!("hidden width {hidden} does not divide into {heads} heads");
        return Err(ConfigError::Impossible { what });
    }
    Ok(ModelConfig {
        arch: Arch::Gpt2,
        model_type: "gpt2".into(),
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: heads,
        head_dim: hidden / heads,
        intermediate: fields.size_or("n_inner", hidden.saturating_mul(4))?,
        // The oldest published files name the same number `n_ctx` as well.
        max_positions: fields
            .size("n_positions")
            .or_else(|e| fields.size("n_ctx").map_err(|_| e))?,
        norm_eps: fields.number_or("layer_norm_epsilon", 1e-5)?,
        rope: None,
        windows: vec![None; layers],
        qkv_bias: true,
        attention_out_bias: true,
        mlp_bias: true,
        qk_norm: false,
        tied: fields.flag_or("tie_word_embeddings", true)?,
        scale_attention: fields.flag_or("scale_attn_weights", true)?,
        scale_by_inverse_layer: fields.flag_or("scale_attn_by_inverse_layer_idx", false)?,
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("activation_function", Activation::GeluTanh)?,
    })
}

fn llama(fields: &Fields<'_>, model_type: &str) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let layers = fields.layers("num_hidden_layers")?;
    let head_dim = match fields.size_or("head_dim", 0)? {
        // Qwen3's class has a head width of its own, not hidden / heads.
        0 if model_type == "qwen3" => 128,
        0 if heads == 0 || !hidden.is_multiple_of(heads) => {
            let what = format!("hidden width {hidden} does not divide into {heads} heads");
            return Err(ConfigError::Impossible { what });
        }
        0 => hidden / heads,
        given => given,
    };
    let max_positions = fields.size("max_position_embeddings")?;
    let attention_bias = match model_type {
        "llama" | "qwen3" => fields.flag_or("attention_bias", false)?,
        _ => {
            fields.must_be_neutral("attention_bias", &["false"])?;
            false
        }
    };
    if model_type != "llama" {
        fields.must_be_neutral("mlp_bias", &["false"])?;
    }
    Ok(ModelConfig {
        arch: Arch::Llama,
        model_type: model_type.into(),
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: fields.size_or("num_key_value_heads", heads)?,
        head_dim,
        intermediate: fields.size("intermediate_size")?,
        max_positions,
        norm_eps: fields.number_or("rms_norm_eps", 1e-6)?,
        rope: Some(rope::read(fields, max_positions)?),
        windows: windows(fields, model_type, layers)?,
        qkv_bias: attention_bias || model_type == "qwen2",
        attention_out_bias: attention_bias,
        mlp_bias: model_type == "llama" && fields.flag_or("mlp_bias", false)?,
        qk_norm: model_type == "qwen3",
        tied: fields.flag_or("tie_word_embeddings", false)?,
        scale_attention: true,
        scale_by_inverse_layer: false,
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("hidden_act", Activation::Silu)?,
    })
}

/// Which layers slide, as transformers decides it.
///
/// Mistral slides everywhere (by 4096 where the file is silent), Qwen only with `use_sliding_window`
/// and from layer `max_window_layers` on, unless `layer_types` names each layer.
fn windows(
    fields: &Fields<'_>,
    model_type: &str,
    layers: usize,
) -> Result<Vec<Option<usize>>, ConfigError> {
    let slides = match model_type {
        "mistral" => true,
        "qwen2" | "qwen3" => fields.flag_or("use_sliding_window", false)?,
        _ => {
            fields.must_be_neutral("sliding_window", &[])?;
            false
        }
    };
    let types = fields.layer_types(layers)?;
    let width = match fields.0.get("sliding_window") {
        Some(Value::Null) => None,
        None => Some(4096),
        Some(_) => Some(fields.size("sliding_window")?),
    };
    let Some(width) = width.filter(|_| slides) else { return Ok(vec![None; layers]) };
    if width == 0 {
        return Err(ConfigError::Impossible { what: "a sliding window of 0 sees nothing".into() });
    }
    let first = match model_type {
        "mistral" => 0,
        _ => fields.size_or("max_window_layers", 28)?,
    };
    let slides = |layer: usize| types.as_ref().map_or(layer >= first, |types| types[layer]);
    Ok((0..layers).map(|layer| slides(layer).then_some(width)).collect())
}
