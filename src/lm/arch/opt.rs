//! OPT: learned positions that begin at row 2, LayerNorm before attention and MLP, ReLU.

use super::{
    config::{Activation, BlockKind, ConfigError, Fields, ModelConfig, NormKind, Scales},
    family::{Family, NO_GGUF},
    layout::{Layout, Up, name},
    llama,
    usual::divided,
};

pub static OPT: Family = Family {
    name: "opt",
    also: &[],
    gguf: NO_GGUF,
    config,
    layout: &LAYOUT,
    norm: NormKind::Layer,
    activation: Activation::Relu,
};

static LAYOUT: Layout = Layout {
    positions: Some(name("embed_positions", "position_embd")),
    positions_from: 2,
    norm: name("final_layer_norm", "output_norm"),
    attention_norm: Some(name("self_attn_layer_norm", "attn_norm")),
    qk_norm: None,
    out: name("self_attn.out_proj", "attn_output"),
    mlp_norm: Some(name("final_layer_norm", "ffn_norm")),
    up: Up::Plain(name("fc1", "ffn_up")),
    down: name("fc2", "ffn_down"),
    ..llama::LAYOUT
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let layers = fields.layers("num_hidden_layers")?;
    let head_dim = divided(hidden, heads)?;
    // OPT-350m norms after the residual and narrows its embeddings.
    fields.must_be_neutral("do_layer_norm_before", &["true"])?;
    fields.must_be_neutral("_remove_final_layer_norm", &["false"])?;
    fields.must_be_neutral("layer_norm_elementwise_affine", &["true"])?;
    fields.must_be_neutral("word_embed_proj_dim", &[&hidden.to_string()])?;
    fields.get("layerdrop");
    let bias = fields.flag_or("enable_bias", true)?;
    Ok(ModelConfig {
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate: fields.size("ffn_dim")?,
        max_positions: fields.size("max_position_embeddings")?,
        norm: NormKind::Layer,
        norm_eps: 1e-5,
        blocks: vec![BlockKind { rope: None, ..BlockKind::PLAIN }; layers],
        qkv_bias: bias,
        attention_out_bias: bias,
        mlp_bias: bias,
        tied: fields.flag_or("tie_word_embeddings", true)?,
        scales: Scales::plain(head_dim),
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation("activation_function", OPT.activation)?,
        ..ModelConfig::neutral(&LAYOUT, OPT.name)
    })
}
