//! Fields of config.json that go by the same names in most families.

use super::{
    config::{ConfigError, Fields, ModelConfig, rope},
    family::Family,
};

/// A decoder with rotary positions and without biases, windows or norms of heads.
///
/// `head_dim` is the width of a head where the file does not say it; without one it is hidden / heads.
///
/// # Errors
///
/// A field that is missing, of another type, or impossible.
pub(super) fn usual(
    fields: &Fields<'_>,
    family: &Family,
    head_dim: Option<usize>,
) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let layers = fields.layers("num_hidden_layers")?;
    let head_dim = match (fields.size_or("head_dim", 0)?, head_dim) {
        (0, Some(width)) => width,
        (0, None) => divided(hidden, heads)?,
        (given, _) => given,
    };
    let max_positions = fields.size("max_position_embeddings")?;
    Ok(ModelConfig {
        layout: family.layout,
        model_type: family.name.into(),
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
        windows: vec![None; layers],
        qkv_bias: false,
        attention_out_bias: false,
        mlp_bias: false,
        qk_norm: false,
        tied: fields.flag_or("tie_word_embeddings", false)?,
        scale_attention: true,
        scale_by_inverse_layer: false,
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("hidden_act", family.activation)?,
    })
}

/// Width of a head where the heads share the hidden width.
pub(super) fn divided(hidden: usize, heads: usize) -> Result<usize, ConfigError> {
    if heads == 0 || !hidden.is_multiple_of(heads) {
        let what = format!("hidden width {hidden} does not divide into {heads} heads");
        return Err(ConfigError::Impossible { what });
    }
    Ok(hidden / heads)
}

/// Refuses biases that a family's class does not have.
pub(super) fn no_bias(fields: &Fields<'_>, names: &[&str]) -> Result<(), ConfigError> {
    names.iter().try_for_each(|name| fields.must_be_neutral(name, &["false"]))
}

/// Width of a sliding window: `silent` where the file has no such field, none where it is `null`.
pub(super) fn window(
    fields: &Fields<'_>,
    silent: Option<usize>,
) -> Result<Option<usize>, ConfigError> {
    let width = match fields.0.get("sliding_window") {
        None => silent,
        Some(value) if value.is_null() => None,
        Some(_) => Some(fields.size("sliding_window")?),
    };
    if width == Some(0) {
        return Err(ConfigError::Impossible { what: "a sliding window of 0 sees nothing".into() });
    }
    Ok(width)
}
