//! What there is to say about a model without running it.

use serde::Serialize;
use std::path::Path;

use super::{
    Checkpoint, LmError, ModelConfig, Weights,
    arch::config::{Rope, RopeScaling},
    checkpoint::{hub::Hub, load, source},
    encoder::{self, SentenceEncoder},
};

/// A model's facts, as `llmpr models inspect` prints them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// What it was called.
    pub model: String,
    /// The folder or file it was found in.
    pub path: String,
    /// `llama`, `gpt2`, …
    pub architecture: String,
    /// Number of stored parameters.
    pub parameters: usize,
    /// The type that holds most of them.
    pub dtype: String,
    /// Bytes of the files that hold the weights.
    pub bytes: u64,
    /// Blocks.
    pub layers: usize,
    /// Width.
    pub hidden: usize,
    /// Query heads, key heads, and the width of one.
    pub heads: (usize, usize, usize),
    /// Width inside the MLP.
    pub intermediate: usize,
    /// Tokens of the vocabulary.
    pub vocab: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    /// What tells positions apart: `learned positions`, or rotary ones with their base and scaling.
    pub positions: String,
    /// Width of the sliding window and number of layers that have one.
    pub sliding: Option<(usize, usize)>,
    /// Whether the output projection is the embedding.
    pub tied: bool,
    /// Begin-of-text token: id and text.
    pub bos: Option<String>,
    /// Tokens that end a text: ids and texts.
    pub eos: Vec<String>,
    /// Whether there is a tokenizer, and with how many tokens.
    pub tokenizer: Option<usize>,
    /// Whether there is a chat template.
    pub chat_template: bool,
    /// Bytes of keys and values that one token takes in f32.
    pub cache_bytes_per_token: usize,
    /// SHA-256 over configuration and weights, where it was asked for.
    pub sha256: Option<String>,
}

/// Opens a model and collects its facts; `hash` reads every byte of it.
///
/// # Errors
///
/// Those of [`load::open`].
pub fn inspect(model: &str, hash: bool) -> Result<Facts, LmError> {
    let checkpoint = load::open(model)?;
    let Checkpoint { config, weights, tokenizer, .. } = &checkpoint;
    let spelled = |id: &u32| {
        let text = tokenizer.as_ref().and_then(|tokenizer| tokenizer.token(*id));
        text.map_or_else(|| id.to_string(), |text| format!("{id} {text}"))
    };
    let windows: Vec<_> = config.blocks.iter().filter_map(|block| block.sees.window()).collect();
    let sliding = windows.first().map(|width| (*width, windows.len()));
    let size = |path: &std::path::PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
    Ok(Facts {
        model: model.into(),
        path: weights.origin().into(),
        architecture: config.model_type.clone(),
        parameters: weights.parameters(),
        dtype: checkpoint.dtype.clone(),
        bytes: weights.files().iter().map(size).sum(),
        layers: config.layers,
        hidden: config.hidden,
        heads: (config.heads, config.kv_heads, config.head_dim),
        intermediate: config.intermediate,
        vocab: config.vocab,
        context: config.max_positions,
        positions: positions(config),
        sliding,
        tied: config.tied,
        bos: config.bos.as_ref().map(spelled),
        eos: config.eos.iter().map(spelled).collect(),
        tokenizer: tokenizer.as_ref().map(super::Tokenizer::vocab_size),
        chat_template: tokenizer
            .as_ref()
            .is_some_and(|tokenizer| !tokenizer.chat_templates.is_empty()),
        cache_bytes_per_token: 8 * config.layers * config.kv_heads * config.head_dim,
        sha256: hash.then(|| checkpoint.hash().map(str::to_owned)).transpose()?,
    })
}

/// What tells positions apart, in words.
fn positions(config: &ModelConfig) -> String {
    let rope = |rope: &Rope| {
        let scaling = match &rope.scaling {
            RopeScaling::None => String::new(),
            RopeScaling::Linear { factor } => format!(", linear by {factor}"),
            RopeScaling::Llama3 { factor, .. } => format!(", llama3 by {factor}"),
            RopeScaling::Yarn { factor, .. } => format!(", yarn by {factor}"),
            RopeScaling::Factors(_) => ", factors of the file".to_owned(),
        };
        let part = match rope.width == config.head_dim {
            true => String::new(),
            false => format!(" over {} of {} dimensions", rope.width, config.head_dim),
        };
        format!("theta {}{scaling}{part}", rope.theta)
    };
    let ropes: Vec<_> = config.ropes.iter().map(rope).collect();
    let without = config.blocks.iter().filter(|block| block.rope.is_none()).count();
    match ropes.is_empty() {
        true => "learned positions".into(),
        false if without > 0 => {
            format!("rotary positions, {}; none in {without} layers", ropes.join(" and "))
        }
        false => format!("rotary positions, {}", ropes.join(" and ")),
    }
}

/// A sentence encoder's facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EncoderFacts {
    /// What it was called.
    pub model: String,
    /// The folder it was found in.
    pub path: String,
    /// `bert`.
    pub architecture: &'static str,
    /// Number of stored parameters.
    pub parameters: usize,
    /// Width of a vector.
    pub dim: usize,
    /// Tokens of the vocabulary.
    pub vocab: usize,
    /// Tokens after which a text is cut, the two around it included.
    pub max_tokens: usize,
    /// How hidden states become a vector: `mean+l2`.
    pub pooling: String,
    /// SHA-256 over its files and settings, where it was asked for.
    pub sha256: Option<String>,
}

/// The facts of a sentence encoder; `None` for a model that is none.
///
/// # Errors
///
/// Those of [`load::locate`] and [`SentenceEncoder::open`].
pub fn inspect_encoder(model: &str, hash: bool) -> Result<Option<EncoderFacts>, LmError> {
    let path = load::locate(model)?;
    if !encoder::is_encoder(&path) {
        return Ok(None);
    }
    let encoder = SentenceEncoder::open(&path, model, &candle_core::Device::Cpu, usize::MAX)?;
    Ok(Some(EncoderFacts {
        model: model.into(),
        path: path.display().to_string(),
        architecture: "bert",
        parameters: Weights::open(&path)?.parameters(),
        dim: encoder.dim(),
        vocab: encoder.tokenizer().vocab_size(),
        max_tokens: encoder.max_tokens(),
        pooling: encoder.pooling(),
        sha256: hash.then(|| encoder.hash()).transpose()?,
    }))
}

/// A model that is at hand without a download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AtHand {
    /// What to write for MODEL.
    pub model: String,
    /// `bundled` or `cached`.
    pub from: &'static str,
    /// Where it lies.
    pub path: String,
}

/// Bundled models, then those of the hub's cache whose files are complete, each in alphabetical order.
pub fn at_hand(hub: &Hub) -> Vec<AtHand> {
    let shown = |path: &Path| path.display().to_string();
    let bundled = source::bundled_names().into_iter().filter_map(|model| {
        let inside = super::checkpoint::bundled::folder(&model).ok().flatten();
        let path = shown(&inside.or_else(|| source::bundled(&model))?);
        Some(AtHand { model, from: "bundled", path })
    });
    let offline = Hub { offline: true, ..hub.clone() };
    let cached = hub.cached().into_iter().filter_map(|id| {
        let path = shown(&offline.resolve(&id, &mut |_, _, _| {}).ok()?);
        Some(AtHand { model: id.to_string(), from: "cached", path })
    });
    bundled.chain(cached).collect()
}
