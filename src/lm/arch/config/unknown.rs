//! Fields that nobody read: harmless, or refused by name.
//!
//! A file may hold anything that its author's tools wrote. What a name says of arithmetic is not passed over.

use serde_json::Value;

/// Parts of names that speak of arithmetic.
const ARITHMETIC: [&str; 36] = [
    "act",
    "alibi",
    "attention",
    "attn",
    "bias",
    "bidirectional",
    "cap",
    "clamp",
    "clip",
    "conv",
    "embedding",
    "expert",
    "ffn",
    "gate",
    "head",
    "interleave",
    "layer",
    "logit",
    "mamba",
    "mlp",
    "moe",
    "multiplier",
    "norm",
    "parallel",
    "position",
    "residual",
    "rope",
    "rotary",
    "router",
    "scal",
    "sink",
    "ssm",
    "swiglu",
    "temperature",
    "theta",
    "window",
];

/// Fields that speak of training, of how something is stored, or of what is computed anyway.
const HARMLESS: [&str; 17] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_sliding_window_pattern",
    "architectures",
    "attn_implementation",
    "auto_map",
    "chunk_size_feed_forward",
    "keys_to_ignore_at_inference",
    "max_window_layers",
    "num_nextn_predict_layers",
    "output_attentions",
    "output_router_logits",
    "router_jitter_noise",
    "tie_encoder_decoder",
    "use_flash_attention",
    "use_flash_attention_2",
    "use_flash_attn",
];

/// Whether a field that no page reads can be passed over.
pub(crate) fn is_harmless(field: &str, value: &Value) -> bool {
    let neutral = match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    let ends = ["dropout", "_pdrop", "_prob", "_coef", "_init", "_token_id", "_std"];
    let known = HARMLESS.contains(&field)
        || field.starts_with("summary_")
        || ends.iter().any(|end| field.ends_with(end));
    neutral || known || !ARITHMETIC.iter().any(|word| field.contains(word))
}
