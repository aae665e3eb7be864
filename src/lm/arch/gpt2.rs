//! GPT-2: learned positions, LayerNorm, biases, one matrix for queries, keys and values, stored `in × out`.
//! GPT-Neo: every other layer with a window, scores not divided.

use serde_json::Value;

use super::{
    config::{Activation, BlockKind, ConfigError, Fields, ModelConfig, NormKind, Scales, Sees},
    family::{Family, Gguf, NO_GGUF, USUAL},
    layout::{HEAD, Layout, Qkv, Up, name},
    usual::divided,
};

pub static GPT2: Family = Family {
    name: "gpt2",
    also: &[],
    gguf: Gguf {
        name: "gpt2",
        names: &[
            ("hidden_size", "n_embd"),
            ("num_hidden_layers", "n_layer"),
            ("num_attention_heads", "n_head"),
            ("intermediate_size", "n_inner"),
            ("max_position_embeddings", "n_positions"),
            ("layer_norm_eps", "layer_norm_epsilon"),
            ("num_key_value_heads", ""),
            ("head_dim", ""),
            ("rope_theta", ""),
            ("partial_rotary_factor", ""),
        ],
        ..USUAL
    },
    config,
    layout: &LAYOUT,
    norm: NormKind::Layer,
    activation: Activation::GeluTanh,
};

pub static GPT_NEO: Family =
    Family { name: "gpt_neo", gguf: NO_GGUF, config: gpt_neo, layout: &NEO, ..GPT2 };

pub(super) static LAYOUT: Layout = Layout {
    embedding: name("wte", "token_embd"),
    positions: Some(name("wpe", "position_embd")),
    positions_from: 0,
    norm: name("ln_f", "output_norm"),
    head: HEAD,
    blocks: "h",
    attention_norm: Some(name("ln_1", "attn_norm")),
    attention_after: None,
    qkv: Qkv::Fused(name("attn.c_attn", "attn_qkv")),
    qk_norm: None,
    sinks: None,
    out: name("attn.c_proj", "attn_output"),
    mlp_norm: Some(name("ln_2", "ffn_norm")),
    mlp_after: None,
    up: Up::Plain(name("mlp.c_fc", "ffn_up")),
    down: name("mlp.c_proj", "ffn_down"),
    experts: None,
    transposed: true,
};

static NEO: Layout = Layout {
    qkv: Qkv::Apart([
        name("attn.attention.q_proj", "attn_q"),
        name("attn.attention.k_proj", "attn_k"),
        name("attn.attention.v_proj", "attn_v"),
    ]),
    out: name("attn.attention.out_proj", "attn_output"),
    transposed: false,
    ..LAYOUT
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("n_embd")?;
    let heads = fields.size("n_head")?;
    let layers = fields.layers("n_layer")?;
    let head_dim = divided(hidden, heads)?;
    let scaled = fields.flag_or("scale_attn_weights", true)?;
    let plain = Scales::plain(head_dim);
    // The oldest published files name the number of positions `n_ctx` as well.
    let older = fields.get("n_ctx").is_some() && fields.get("n_positions").is_none();
    fields.must_be_neutral("reorder_and_upcast_attn", &["false", "true"])?;
    Ok(ModelConfig {
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate: fields.size_or("n_inner", hidden.saturating_mul(4))?,
        max_positions: fields.size(if older { "n_ctx" } else { "n_positions" })?,
        norm: NormKind::Layer,
        norm_eps: fields.number_or("layer_norm_epsilon", 1e-5)?,
        blocks: vec![BlockKind { rope: None, ..BlockKind::PLAIN }; layers],
        qkv_bias: true,
        attention_out_bias: true,
        mlp_bias: true,
        tied: fields.flag_or("tie_word_embeddings", true)?,
        scales: Scales {
            attention: if scaled { plain.attention } else { 1.0 },
            by_layer: fields.flag_or("scale_attn_by_inverse_layer_idx", false)?,
            ..plain
        },
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("activation_function", GPT2.activation)?,
        ..ModelConfig::neutral(&LAYOUT, GPT2.name)
    })
}

fn gpt_neo(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("hidden_size")?;
    let heads = fields.size("num_heads")?;
    let layers = fields.layers("num_layers")?;
    let width = fields.size_or("window_size", 256)?;
    let local = |kind: &Value| match kind.as_str() {
        Some("global") => Ok(Sees::All),
        Some("local") => Ok(Sees::Window(width)),
        _ => Err(ConfigError::Setting {
            field: "attention_layers".into(),
            value: kind.to_string(),
            supported: "global, local".into(),
        }),
    };
    let sees = match fields.per_layer("attention_layers", layers, local)? {
        Some(sees) => sees,
        None => neo_types(fields, layers)?.iter().map(local).collect::<Result<_, _>>()?,
    };
    fields.get("attention_types");
    let head_dim = divided(hidden, heads)?;
    let block = |sees| BlockKind { sees, rope: None, experts: false };
    Ok(ModelConfig {
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate: fields.size_or("intermediate_size", hidden.saturating_mul(4))?,
        max_positions: fields.size("max_position_embeddings")?,
        norm: NormKind::Layer,
        norm_eps: fields.number_or("layer_norm_epsilon", 1e-5)?,
        blocks: sees.into_iter().map(block).collect(),
        attention_out_bias: true,
        mlp_bias: true,
        tied: fields.flag_or("tie_word_embeddings", true)?,
        scales: Scales { attention: 1.0, ..Scales::plain(head_dim) },
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("activation_function", GPT_NEO.activation)?,
        ..ModelConfig::neutral(&NEO, GPT_NEO.name)
    })
}

/// `[[["global", "local"], 12]]` written out.
fn neo_types(fields: &Fields<'_>, layers: usize) -> Result<Vec<Value>, ConfigError> {
    let Some(types) = fields.list("attention_types")? else {
        return Err(ConfigError::Missing { field: "attention_layers".into() });
    };
    let mut all = Vec::new();
    for pair in types {
        let (kinds, times) = (pair.get(0).and_then(Value::as_array), pair.get(1));
        let (Some(kinds), Some(times)) = (kinds, times.and_then(Value::as_u64)) else {
            let what = "`attention_types` is not a list of kinds and how often they come".into();
            return Err(ConfigError::Impossible { what });
        };
        let least = layers.saturating_sub(all.len());
        let repeated =
            kinds.iter().cycle().take(kinds.len().saturating_mul(times as usize).min(least + 1));
        all.extend(repeated.cloned());
    }
    if all.len() != layers {
        let what = format!("`attention_types` does not name {layers} layers");
        return Err(ConfigError::Impossible { what });
    }
    Ok(all)
}
