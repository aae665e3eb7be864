//! A checkpoint's tensors under one set of names, whatever the architecture calls them.

use candle_core::Tensor;

use crate::lm::{
    LmError, Weights,
    arch::{
        config::{ModelConfig, NormKind, QkNorm},
        layout::Name,
    },
    checkpoint::matrix::Matrix,
};

mod experts;
mod mxfp4;
mod order;
mod stored;

pub use experts::{ExpertParts, ExpertsParts};
use stored::Stored;

/// A gain and, in LayerNorm, a bias.
pub struct NormParts {
    /// Multiplies the normalised row.
    pub gain: Tensor,
    /// Is added to it; there is none in RMSNorm.
    pub bias: Option<Tensor>,
}

/// Matrices of `out × in` that read the same input, one below the other, and their biases.
pub struct LinearParts {
    /// The matrices.
    pub weights: Vec<Matrix>,
    /// As many biases, or none.
    pub biases: Vec<Tensor>,
}

/// Both halves of an MLP.
pub struct MlpParts {
    /// One matrix, or gate and up.
    pub up: LinearParts,
    /// The second half.
    pub down: LinearParts,
}

/// What follows attention in a block.
pub enum Feed {
    /// One MLP.
    Mlp(MlpParts),
    /// Experts.
    Experts(ExpertsParts),
}

/// The tensors of one block.
pub struct BlockParts {
    /// Before attention.
    pub attention_norm: Option<NormParts>,
    /// Of what attention adds.
    pub attention_after: Option<NormParts>,
    /// Queries, keys, values.
    pub qkv: LinearParts,
    /// Norms of queries and keys; how, says the configuration.
    pub qk_norm: Option<[NormParts; 2]>,
    /// For each query head a term of its softmax that stands for no position.
    pub sinks: Option<Tensor>,
    /// After attention.
    pub out: LinearParts,
    /// Before the MLP.
    pub mlp_norm: Option<NormParts>,
    /// Of what the MLP adds.
    pub mlp_after: Option<NormParts>,
    /// The MLP.
    pub feed: Feed,
}

/// The tensors before and after the blocks.
pub struct EndParts {
    /// Token embeddings, `vocab × hidden`.
    pub embedding: Matrix,
    /// Learned positions, `max_positions × hidden`.
    pub positions: Option<Tensor>,
    /// After the last block.
    pub norm: NormParts,
    /// The output projection where it is not the embedding, and its bias.
    pub head: Option<LinearParts>,
    /// The bias of a tied output projection.
    pub head_bias: Option<Tensor>,
}

/// Reads block `layer`.
///
/// # Errors
///
/// A tensor that is missing or has another shape.
pub fn block(config: &ModelConfig, weights: &Weights, layer: usize) -> Result<BlockParts, LmError> {
    let (c, l) = (config, config.layout);
    let norm = |name: Option<Name>| {
        name.map(|name| read_norm(c, weights, &in_block(c, layer, name), c.hidden)).transpose()
    };
    let linear = |stored: Stored<'_>| stored.read(c, weights, layer);
    let feed = match c.experts.as_ref().filter(|_| c.blocks[layer].experts) {
        Some(experts) => Feed::Experts(experts::read(c, experts, weights, layer)?),
        None => Feed::Mlp(MlpParts { up: linear(stored::up(c))?, down: linear(stored::down(c))? }),
    };
    let sinks = l.sinks.filter(|_| c.sinks).map(|name| {
        let name = in_block(c, layer, name);
        weights.tensor(&name, &[c.heads])
    });
    Ok(BlockParts {
        attention_norm: norm(l.attention_norm)?,
        attention_after: norm(l.attention_after)?,
        qkv: linear(stored::qkv(c))?,
        qk_norm: qk_norm(c, weights, layer)?,
        sinks: sinks.transpose()?,
        out: linear(stored::out(c))?,
        mlp_norm: norm(l.mlp_norm)?,
        mlp_after: norm(l.mlp_after)?,
        feed,
    })
}

/// Reads what stands before and after the blocks.
///
/// # Errors
///
/// A tensor that is missing or has another shape.
pub fn ends(config: &ModelConfig, weights: &Weights) -> Result<EndParts, LmError> {
    let (c, l) = (config, config.layout);
    let table = |name: Name| weights.matrix(&weight(name.hf), [c.vocab, c.hidden], false);
    let positions = |name: Name| -> Result<Tensor, LmError> {
        let rows = l.positions_from + c.max_positions;
        let all = weights.tensor(&weight(name.hf), &[rows, c.hidden])?;
        Ok(all.narrow(0, l.positions_from, c.max_positions)?.contiguous()?)
    };
    let head_bias = c.head_bias.then(|| weights.tensor(&bias(l.head.hf), &[c.vocab]));
    let mut head_bias = head_bias.transpose()?;
    let head = (!c.tied).then(|| table(l.head)).transpose()?;
    Ok(EndParts {
        embedding: table(l.embedding)?,
        positions: l.positions.map(positions).transpose()?,
        norm: read_norm(c, weights, l.norm.hf, c.hidden)?,
        head: head.map(|head| LinearParts {
            weights: vec![head],
            biases: head_bias.take().into_iter().collect(),
        }),
        head_bias,
    })
}

/// Every tensor that [`block`] and [`ends`] read, with its shape.
pub fn tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let (c, l) = (config, config.layout);
    let mut all = vec![(weight(l.embedding.hf), vec![c.vocab, c.hidden])];
    let rows = l.positions_from + c.max_positions;
    all.extend(l.positions.map(|name| (weight(name.hf), vec![rows, c.hidden])));
    all.extend((!c.tied).then(|| (weight(l.head.hf), vec![c.vocab, c.hidden])));
    all.extend(c.head_bias.then(|| (bias(l.head.hf), vec![c.vocab])));
    let mut norm = |name: &str, shape: &[usize]| {
        let (gain, with_bias) = norm_tensors(c);
        all.extend(gain.then(|| (weight(name), shape.to_vec())));
        all.extend(with_bias.then(|| (bias(name), shape.to_vec())));
    };
    norm(l.norm.hf, &[c.hidden]);
    for layer in 0..c.layers {
        l.wide_norms().for_each(|name| norm(&in_block(c, layer, name), &[c.hidden]));
        for (name, shape) in qk_norms(c).into_iter().flatten() {
            norm(&in_block(c, layer, name), &shape);
        }
    }
    for layer in 0..c.layers {
        let mut linear = |stored: Stored<'_>| all.extend(stored.tensors(c, layer));
        linear(stored::qkv(c));
        linear(stored::out(c));
        match c.experts.as_ref().filter(|_| c.blocks[layer].experts) {
            Some(experts) => all.extend(experts::tensors(c, experts, layer)),
            None => [stored::up(c), stored::down(c)].into_iter().for_each(linear),
        }
        let sinks = l.sinks.filter(|_| c.sinks);
        all.extend(sinks.map(|name| (in_block(c, layer, name), vec![c.heads])));
    }
    all
}

fn weight(name: &str) -> String {
    format!("{name}.weight")
}

fn bias(name: &str) -> String {
    format!("{name}.bias")
}

/// A name of block `layer` in full.
fn in_block(c: &ModelConfig, layer: usize, name: Name) -> String {
    format!("{}.{layer}.{}", c.layout.blocks, name.hf)
}

/// Whether norms have a gain and a bias in the file.
fn norm_tensors(c: &ModelConfig) -> (bool, bool) {
    (c.norm != NormKind::LayerBare, c.norm == NormKind::Layer)
}

/// A norm as the engines compute it: with a gain always, and with a bias where it takes the mean away.
fn read_norm(c: &ModelConfig, w: &Weights, name: &str, width: usize) -> Result<NormParts, LmError> {
    let (has_gain, has_bias) = norm_tensors(c);
    let constant = |value: f32| Tensor::full(value, width, &candle_core::Device::Cpu);
    let gain = match has_gain {
        true => w.tensor(&weight(name), &[width])?,
        false => constant(1.0)?,
    };
    let gain = match c.norm {
        NormKind::RmsOnePlus => (gain.to_dtype(candle_core::DType::F32)? + 1.0)?,
        _ => gain,
    };
    let bias = match c.norm {
        NormKind::Rms | NormKind::RmsOnePlus => None,
        _ if has_bias => Some(w.tensor(&bias(name), &[width])?),
        _ => Some(constant(0.0)?),
    };
    Ok(NormParts { gain, bias })
}

/// The norms of queries and of keys that the file has, with the shapes of their gains.
fn qk_norms(c: &ModelConfig) -> Option<[(Name, Vec<usize>); 2]> {
    let [q, k] = c.layout.qk_norm?;
    let shape = |heads: usize| match c.qk_norm {
        QkNorm::Heads => Some(vec![c.head_dim]),
        QkNorm::EachHead => Some(vec![heads, c.head_dim]),
        QkNorm::Whole => Some(vec![heads * c.head_dim]),
        QkNorm::None | QkNorm::Unit => None,
    };
    Some([(q, shape(c.heads)?), (k, shape(c.kv_heads)?)])
}

fn qk_norm(c: &ModelConfig, w: &Weights, layer: usize) -> Result<Option<[NormParts; 2]>, LmError> {
    if c.qk_norm == QkNorm::Unit {
        if c.blocks[layer].rope.is_none() {
            return Ok(None);
        }
        let ones = || Tensor::ones(c.head_dim, candle_core::DType::F32, &candle_core::Device::Cpu);
        let unit = || Ok::<_, LmError>(NormParts { gain: ones()?, bias: None });
        return Ok(Some([unit()?, unit()?]));
    }
    let Some(named) = qk_norms(c) else { return Ok(None) };
    let read = |(name, shape): (Name, Vec<usize>)| -> Result<NormParts, LmError> {
        let name = in_block(c, layer, name);
        let width = shape.iter().product();
        let flat = match shape.len() {
            1 => read_norm(c, w, &name, width)?,
            // Stored with a row for each head.
            _ => {
                let gain = w.tensor(&weight(&name), &shape)?.flatten_all()?;
                let centered = !matches!(c.norm, NormKind::Rms | NormKind::RmsOnePlus);
                let bias = centered.then(|| gain.zeros_like()).transpose()?;
                NormParts { gain, bias }
            }
        };
        let Some(rows) = order::of_heads(c, width / c.head_dim) else { return Ok(flat) };
        let bias = flat.bias.map(|bias| order::pick(&bias, &rows)).transpose()?;
        Ok(NormParts { gain: order::pick(&flat.gain, &rows)?, bias })
    };
    let [q, k] = named;
    Ok(Some([read(q)?, read(k)?]))
}
