//! Fields of config.json that go by the same names in most families.

use super::{
    config::{
        BlockKind, ConfigError, Fields, ModelConfig, Scales, Sees,
        rope::{self, Beside},
    },
    family::Family,
};

/// What a family's class takes where the file is silent.
#[derive(Clone, Copy)]
pub(super) struct Silent {
    /// Width of a head; without one it is hidden / heads.
    pub head_dim: Option<usize>,
    /// Added to the variance.
    pub eps: f64,
    /// Base of the rotary frequencies.
    pub theta: f64,
    /// Share of a head's dimensions that turn; `None` where the class turns all, whatever a file says.
    pub turned: Option<f64>,
    /// The output projection is the embedding.
    pub tied: bool,
    /// Key heads; without a number as many as query heads.
    pub kv_heads: Option<usize>,
    /// Parameters of the rope that the family's page reads itself.
    pub rope_fields: &'static [&'static str],
}

impl Silent {
    /// What a rope of a model is read beside.
    pub fn beside(&self, config: &ModelConfig) -> Beside {
        let &Self { theta, turned, rope_fields: known, .. } = self;
        let &ModelConfig { max_positions, head_dim, .. } = config;
        Beside { max_positions, head_dim, theta, turned, known }
    }
}

/// What most classes take.
pub(super) const SILENT: Silent = Silent {
    head_dim: None,
    eps: 1e-6,
    theta: 1e4,
    turned: None,
    tied: false,
    kv_heads: None,
    rope_fields: &[],
};

/// A decoder with rotary positions and without biases, windows or norms of heads.
///
/// # Errors
///
/// A field that is missing, of another type, or impossible.
pub(super) fn usual(
    fields: &Fields<'_>,
    family: &Family,
    silent: Silent,
) -> Result<ModelConfig, ConfigError> {
    let bare = without_rope(fields, family, silent)?;
    let (rope, until) = rope::read(fields, silent.beside(&bare))?;
    let max_positions = until.map_or(bare.max_positions, |until| until.min(bare.max_positions));
    Ok(ModelConfig { max_positions, ropes: vec![rope], ..bare })
}

/// The same for families that read their ropes themselves.
pub(super) fn without_rope(
    fields: &Fields<'_>,
    family: &Family,
    silent: Silent,
) -> Result<ModelConfig, ConfigError> {
    let hidden = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let layers = fields.layers("num_hidden_layers")?;
    let head_dim = match (fields.size_or("head_dim", 0)?, silent.head_dim) {
        (0, Some(width)) => width,
        (0, None) => divided(hidden, heads)?,
        (given, _) => given,
    };
    let eps = ["rms_norm_eps", "layer_norm_eps", "norm_epsilon", "norm_eps"];
    let eps = eps.into_iter().find(|field| fields.get(field).is_some());
    let activation = match fields.get("hidden_activation") {
        Some(_) => {
            fields.get("hidden_act");
            "hidden_activation"
        }
        None => "hidden_act",
    };
    Ok(ModelConfig {
        vocab: fields.size("vocab_size")?,
        hidden,
        layers,
        heads,
        kv_heads: fields.size_or("num_key_value_heads", silent.kv_heads.unwrap_or(heads))?,
        head_dim,
        intermediate: fields.size("intermediate_size")?,
        max_positions: fields.size("max_position_embeddings")?,
        norm: family.norm,
        norm_eps: eps.map_or(Ok(silent.eps), |field| fields.number_or(field, silent.eps))?,
        blocks: vec![BlockKind::PLAIN; layers],
        tied: fields.flag_or("tie_word_embeddings", silent.tied)?,
        scales: Scales::plain(head_dim),
        bos: fields.token("bos_token_id")?,
        eos: fields.tokens("eos_token_id")?,
        pad: fields.token("pad_token_id")?,
        activation: fields.activation(activation, family.activation)?,
        ..ModelConfig::neutral(family.layout, family.name)
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
    let width = match fields.written("sliding_window") {
        None => silent,
        Some(value) if value.is_null() => None,
        Some(_) => Some(fields.size("sliding_window")?),
    };
    if width == Some(0) {
        return Err(ConfigError::Impossible { what: "a sliding window of 0 sees nothing".into() });
    }
    Ok(width)
}

/// Blocks of which those that `slides` names see `width` positions.
pub(super) fn sliding(
    layers: usize,
    width: Option<usize>,
    slides: impl Fn(usize) -> bool,
) -> Vec<BlockKind> {
    let sees = |layer| match width.filter(|_| slides(layer)) {
        Some(width) => Sees::Window(width),
        None => Sees::All,
    };
    (0..layers).map(|layer| BlockKind { sees: sees(layer), ..BlockKind::PLAIN }).collect()
}
