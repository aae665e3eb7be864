//! BERT's network on the CPU, by the kernels that language models are computed with.

use candle_nn::VarBuilder;
use rayon::prelude::*;

use super::bert::{self, BertConfig};
use crate::{
    lm::{
        LmError,
        arch::config::Activation,
        checkpoint::matrix::Matrix,
        engine::cpu::{
            linear::{Keep, Linear, numbers},
            row_ops,
        },
        parts::LinearParts,
    },
    math::{
        gemm::{Panels, Storage, Workspace},
        simd::Isa,
    },
};

/// The network, from token ids to hidden states. A state depends neither on threads nor on the processor.
pub(super) struct CpuBert {
    isa: Isa,
    width: usize,
    heads: usize,
    activation: Activation,
    /// `vocab × width`.
    words: Vec<f32>,
    /// `positions × width`, the vector of the first segment added: a text is one segment.
    positions: Vec<f32>,
    norm: Norm,
    blocks: Vec<Block>,
}

struct Block {
    /// Queries, keys and values of all heads.
    qkv: Linear,
    out: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl Norm {
    fn new(config: &BertConfig, tensors: &VarBuilder<'_>) -> Result<Self, LmError> {
        let read = |name: &str| numbers(&tensors.get(config.hidden_size, name)?);
        let eps = config.layer_norm_eps as f32;
        Ok(Self { gain: read("weight")?, bias: read("bias")?, eps })
    }

    /// Norms every row of `x`, to which `more` is added first.
    fn of_sum(&self, isa: Isa, x: &mut [f32], more: &[f32]) {
        let width = self.gain.len();
        let mut sum = vec![0.0; width];
        for (row, more) in x.chunks_exact_mut(width).zip(more.chunks_exact(width)) {
            sum.copy_from_slice(row);
            row_ops::add(isa, &mut sum, more);
            row_ops::layer_norm(isa, &sum, &self.gain, &self.bias, self.eps, row);
        }
    }
}

/// The layers under these names, which read the same input, as one.
fn linear(
    (into, out): (usize, usize),
    tensors: &VarBuilder<'_>,
    names: &[&str],
) -> Result<Linear, LmError> {
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for name in names {
        weights.push(Matrix::Numbers(tensors.pp(name).get((out, into), "weight")?));
        biases.push(tensors.pp(name).get(out, "bias")?);
    }
    Linear::new(&LinearParts { weights, biases }, Keep::Numbers(Storage::F32))
}

impl CpuBert {
    /// Takes the tensors that `config` calls for.
    ///
    /// # Errors
    ///
    /// A tensor that is missing or misshapen.
    pub fn new(config: &BertConfig, tensors: &VarBuilder<'_>) -> Result<Self, LmError> {
        let width = config.hidden_size;
        let embeddings = tensors.pp("embeddings");
        let table = |rows, name: &str| -> Result<Vec<f32>, LmError> {
            numbers(&embeddings.pp(name).get((rows, width), "weight")?)
        };
        let segments = table(config.type_vocab_size, "token_type_embeddings")?;
        let mut positions = table(config.max_position_embeddings, "position_embeddings")?;
        let isa = Isa::best();
        for row in positions.chunks_exact_mut(width) {
            row_ops::add(isa, row, &segments[..width]);
        }
        let layers = tensors.pp("encoder.layer");
        let block = |layer: usize| Block::new(config, &layers.pp(layer));
        Ok(Self {
            isa,
            width,
            heads: config.num_attention_heads,
            activation: match config.hidden_act {
                bert::Activation::Gelu => Activation::Gelu,
                bert::Activation::GeluApproximate => Activation::GeluTanh,
                bert::Activation::Relu => Activation::Relu,
            },
            words: table(config.vocab_size, "word_embeddings")?,
            positions,
            norm: Norm::new(config, &embeddings.pp("LayerNorm"))?,
            blocks: (0..config.num_hidden_layers).map(block).collect::<Result<_, _>>()?,
        })
    }

    /// Hidden states of one text, `tokens × width`; ids and positions are within the tables.
    pub fn forward(&self, ids: &[u32]) -> Vec<f32> {
        let (isa, width, tokens) = (self.isa, self.width, ids.len());
        let words = ids.iter().flat_map(|&id| &self.words[id as usize * width..][..width]);
        let mut x: Vec<f32> = words.copied().collect();
        self.norm.of_sum(isa, &mut x, &self.positions[..tokens * width]);
        let mut work = Workspace::default();
        let mut through = |layer: &Linear, x: &[f32]| {
            let mut y = vec![0.0; tokens * layer.outputs()];
            layer.forward(isa, &mut work, x, tokens, &mut y);
            y
        };
        for block in &self.blocks {
            let read = self.attend(&through(&block.qkv, &x), tokens);
            block.attention_norm.of_sum(isa, &mut x, &through(&block.out, &read));
            let mut inner = through(&block.up, &x);
            row_ops::activate(isa, self.activation, &mut inner);
            block.norm.of_sum(isa, &mut x, &through(&block.down, &inner));
        }
        x
    }

    /// `softmax(Q Kᵀ / √d) V` of every head, side by side.
    fn attend(&self, qkv: &[f32], tokens: usize) -> Vec<f32> {
        let (isa, width) = (self.isa, self.width);
        let d = width / self.heads;
        let scale = 1.0 / (d as f32).sqrt();
        let of_head = |head: usize| {
            // Part 0 are queries, 1 keys, 2 values.
            let at = |token: usize, part: usize| (3 * token + part) * width + head * d;
            let rows = |part: usize| {
                Panels::new(tokens, d, |token, out| {
                    out.copy_from_slice(&qkv[at(token, part)..][..d]);
                })
            };
            let (queries, keys) = (rows(0), rows(1));
            let mut shares = vec![0.0; tokens * tokens];
            Panels::products((&queries, 0..tokens), (&keys, 0..tokens), scale, &mut shares);
            let softmax = |row: &mut [f32]| {
                let most = row_ops::greatest(isa, row);
                row_ops::exp_sum(isa, row, most)
            };
            let sums: Vec<f32> = shares.chunks_exact_mut(tokens).map(softmax).collect();
            let values = Panels::new(d, tokens, |column, out| {
                let of = out.iter_mut().enumerate();
                of.for_each(|(token, out)| *out = qkv[at(token, 2) + column]);
            });
            let shares = Panels::of(&shares, tokens);
            let mut read = vec![0.0; tokens * d];
            Panels::products((&shares, 0..tokens), (&values, 0..d), 1.0, &mut read);
            for (row, sum) in read.chunks_exact_mut(d).zip(sums) {
                let by = 1.0 / sum;
                row.iter_mut().for_each(|x| *x *= by);
            }
            read
        };
        let heads: Vec<Vec<f32>> = (0..self.heads).into_par_iter().map(of_head).collect();
        let mut out = vec![0.0; tokens * width];
        for (token, out) in out.chunks_exact_mut(width).enumerate() {
            for (head, out) in heads.iter().zip(out.chunks_exact_mut(d)) {
                out.copy_from_slice(&head[token * d..][..d]);
            }
        }
        out
    }
}

impl Block {
    fn new(config: &BertConfig, tensors: &VarBuilder<'_>) -> Result<Self, LmError> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let own = ["query", "key", "value"].map(|name| format!("attention.self.{name}"));
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let norm = |name: &str| Norm::new(config, &tensors.pp(name));
        Ok(Self {
            qkv: linear((width, width), tensors, &own)?,
            out: linear((width, width), tensors, &["attention.output.dense"])?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: linear((width, inner), tensors, &["intermediate.dense"])?,
            down: linear((inner, width), tensors, &["output.dense"])?,
            norm: norm("output.LayerNorm")?,
        })
    }
}
