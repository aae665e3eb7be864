//! BERT's network on any device: every token sees every other, and each sum is normed after it is made.

use candle_core::{D, Device, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear, ops};
use serde::Deserialize;

/// What config.json says of the network.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct BertConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub hidden_act: Activation,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub layer_norm_eps: f64,
    /// Read so that other kinds of positions are refused.
    #[serde(default, rename = "position_embedding_type")]
    _positions: Positions,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Activation {
    Gelu,
    GeluApproximate,
    Relu,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Positions {
    #[default]
    Absolute,
}

/// The network, from token ids to hidden states.
pub(super) struct Bert {
    words: Tensor,
    positions: Tensor,
    /// The vector of the first segment, `1 × width`: a text is one segment.
    segment: Tensor,
    norm: LayerNorm,
    blocks: Vec<Block>,
    device: Device,
}

struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
    heads: usize,
    activation: Activation,
}

impl Bert {
    /// Takes the tensors that `config` calls for.
    ///
    /// # Errors
    ///
    /// A tensor that is missing or misshapen.
    pub fn new(config: &BertConfig, tensors: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let width = config.hidden_size;
        let embeddings = tensors.pp("embeddings");
        let table = |rows, name: &str| embeddings.pp(name).get((rows, width), "weight");
        let segments = table(config.type_vocab_size, "token_type_embeddings")?;
        let layers = tensors.pp("encoder.layer");
        Ok(Self {
            words: table(config.vocab_size, "word_embeddings")?,
            positions: table(config.max_position_embeddings, "position_embeddings")?,
            segment: segments.narrow(0, 0, 1)?,
            norm: layer_norm(width, config.layer_norm_eps, embeddings.pp("LayerNorm"))?,
            blocks: (0..config.num_hidden_layers)
                .map(|layer| Block::new(config, &layers.pp(layer)))
                .collect::<candle_core::Result<_>>()?,
            device: tensors.device().clone(),
        })
    }

    /// Hidden states of one text, `tokens × width`.
    ///
    /// # Errors
    ///
    /// An id or a position outside the tables, or a device that fails.
    pub fn forward(&self, ids: &[u32]) -> candle_core::Result<Tensor> {
        let words = self.words.index_select(&Tensor::new(ids, &self.device)?, 0)?;
        let x = words.broadcast_add(&self.segment)?;
        let x = (x + self.positions.narrow(0, 0, ids.len())?)?;
        let first = self.norm.forward(&x)?;
        self.blocks.iter().try_fold(first, |x, block| block.forward(&x))
    }
}

impl Block {
    fn new(config: &BertConfig, tensors: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let layer = |into, out, name: &str| linear(into, out, tensors.pp(name));
        let norm = |name: &str| layer_norm(width, config.layer_norm_eps, tensors.pp(name));
        Ok(Self {
            query: layer(width, width, "attention.self.query")?,
            key: layer(width, width, "attention.self.key")?,
            value: layer(width, width, "attention.self.value")?,
            out: layer(width, width, "attention.output.dense")?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: layer(width, inner, "intermediate.dense")?,
            down: layer(inner, width, "output.dense")?,
            norm: norm("output.LayerNorm")?,
            heads: config.num_attention_heads,
            activation: config.hidden_act,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.attention_norm.forward(&(self.out.forward(&self.attend(x)?)? + x)?)?;
        let inner = self.activation.of(&self.up.forward(&x)?)?;
        self.norm.forward(&(self.down.forward(&inner)? + &x)?)
    }

    /// `softmax(Q Kᵀ / √d) V` of every head, side by side.
    fn attend(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let each = width / self.heads;
        let heads =
            |x: Tensor| x.reshape((tokens, self.heads, each))?.transpose(0, 1)?.contiguous();
        let query = heads(self.query.forward(x)?)?;
        let key = heads(self.key.forward(x)?)?;
        let value = heads(self.value.forward(x)?)?;
        let scores = (query.matmul(&key.t()?)? / (each as f64).sqrt())?;
        let read = ops::softmax(&scores, D::Minus1)?.matmul(&value)?;
        read.transpose(0, 1)?.contiguous()?.flatten_from(1)
    }
}

impl Activation {
    fn of(self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Gelu => x.gelu_erf(),
            Self::GeluApproximate => x.gelu(),
            Self::Relu => x.relu(),
        }
    }
}
