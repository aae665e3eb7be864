//! A checkpoint's tensors under one set of names, whatever the architecture calls them.

use candle_core::Tensor;

use crate::lm::{
    LmError, Weights,
    arch::{
        config::ModelConfig,
        layout::{HEAD, Name, Qkv, Up},
    },
    checkpoint::matrix::Matrix,
};

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

/// The tensors of one block.
pub struct BlockParts {
    /// Before attention.
    pub attention_norm: NormParts,
    /// Queries, keys, values.
    pub qkv: LinearParts,
    /// Gains of the norms of each query and key head.
    pub qk_norm: Option<[Tensor; 2]>,
    /// After attention.
    pub out: LinearParts,
    /// Before the MLP.
    pub mlp_norm: NormParts,
    /// The MLP's first half: one matrix, or gate and up.
    pub up: LinearParts,
    /// The MLP's second half.
    pub down: LinearParts,
}

/// The tensors before and after the blocks.
pub struct EndParts {
    /// Token embeddings, `vocab × hidden`.
    pub embedding: Matrix,
    /// Learned positions, `max_positions × hidden`.
    pub positions: Option<Tensor>,
    /// After the last block.
    pub norm: NormParts,
    /// The output projection where it is not the embedding.
    pub head: Option<Matrix>,
}

/// Reads block `layer`.
///
/// # Errors
///
/// A tensor that is missing or has another shape.
pub fn block(config: &ModelConfig, weights: &Weights, layer: usize) -> Result<BlockParts, LmError> {
    let (c, l) = (config, config.layout);
    let norm = |name| read_norm(c, weights, &in_block(c, layer, name), c.hidden);
    let gain = |name| weights.tensor(&weight(&in_block(c, layer, name)), &[c.head_dim]);
    let linear = |stored: Stored<'_>| stored.read(c, weights, layer);
    let [qkv, out, up, down] = linears(c);
    Ok(BlockParts {
        attention_norm: norm(l.attention_norm)?,
        qkv: linear(qkv)?,
        qk_norm: match head_norms(c) {
            Some([q, k]) => Some([gain(q)?, gain(k)?]),
            None => None,
        },
        out: linear(out)?,
        mlp_norm: norm(l.mlp_norm)?,
        up: linear(up)?,
        down: linear(down)?,
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
    let positions = |name: Name| weights.tensor(&weight(name.hf), &[c.max_positions, c.hidden]);
    Ok(EndParts {
        embedding: table(l.embedding)?,
        positions: l.positions.map(positions).transpose()?,
        norm: read_norm(c, weights, l.norm.hf, c.hidden)?,
        head: (!c.tied).then(|| table(HEAD)).transpose()?,
    })
}

/// Every tensor that [`block`] and [`ends`] read, with its shape.
pub fn tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let (c, l) = (config, config.layout);
    let mut all = vec![(weight(l.embedding.hf), vec![c.vocab, c.hidden])];
    all.extend(l.positions.map(|name| (weight(name.hf), vec![c.max_positions, c.hidden])));
    all.extend((!c.tied).then(|| (weight(HEAD.hf), vec![c.vocab, c.hidden])));
    let mut norm = |name: &str| {
        all.push((weight(name), vec![c.hidden]));
        all.extend(l.layer_norm.then(|| (bias(name), vec![c.hidden])));
    };
    norm(l.norm.hf);
    for layer in 0..c.layers {
        norm(&in_block(c, layer, l.attention_norm));
        norm(&in_block(c, layer, l.mlp_norm));
    }
    for layer in 0..c.layers {
        all.extend(linears(c).iter().flat_map(|stored| stored.tensors(c, layer)));
        let gains = head_norms(c).into_iter().flatten();
        all.extend(gains.map(|name| (weight(&in_block(c, layer, name)), vec![c.head_dim])));
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

fn head_norms(c: &ModelConfig) -> Option<[Name; 2]> {
    c.layout.qk_norm.filter(|_| c.qk_norm)
}

fn read_norm(c: &ModelConfig, w: &Weights, name: &str, width: usize) -> Result<NormParts, LmError> {
    let gain = w.tensor(&weight(name), &[width])?;
    let bias = c.layout.layer_norm.then(|| w.tensor(&bias(name), &[width])).transpose()?;
    Ok(NormParts { gain, bias })
}

/// Matrices of one input as they are stored.
struct Stored<'a> {
    names: &'a [Name],
    /// Outputs of each.
    rows: Vec<usize>,
    inputs: usize,
    bias: bool,
}

/// Queries, keys and values; after attention; the MLP's halves.
fn linears(c: &ModelConfig) -> [Stored<'_>; 4] {
    let (l, inner) = (c.layout, c.intermediate);
    let (q, k) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let qkv = match &l.qkv {
        Qkv::Fused(_) => vec![q + 2 * k],
        Qkv::Apart(_) => vec![q, k, k],
    };
    let up = match &l.up {
        Up::Plain(_) => vec![inner],
        Up::Fused(_) => vec![2 * inner],
        Up::Apart(_) => vec![inner, inner],
    };
    let one = std::slice::from_ref;
    let (d, out_bias) = (c.hidden, c.attention_out_bias);
    [
        Stored { names: l.qkv.names(), rows: qkv, inputs: d, bias: c.qkv_bias },
        Stored { names: one(&l.out), rows: vec![d], inputs: q, bias: out_bias },
        Stored { names: l.up.names(), rows: up, inputs: d, bias: c.mlp_bias },
        Stored { names: one(&l.down), rows: vec![d], inputs: inner, bias: c.mlp_bias },
    ]
}

impl Stored<'_> {
    fn shape(&self, c: &ModelConfig, rows: usize) -> Vec<usize> {
        if c.layout.transposed { vec![self.inputs, rows] } else { vec![rows, self.inputs] }
    }

    fn each(&self, c: &ModelConfig, layer: usize) -> impl Iterator<Item = (String, usize)> {
        let name = move |name: &Name| in_block(c, layer, *name);
        self.names.iter().map(name).zip(self.rows.iter().copied())
    }

    fn read(&self, c: &ModelConfig, w: &Weights, layer: usize) -> Result<LinearParts, LmError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (name, rows) in self.each(c, layer) {
            let shape = [rows, self.inputs];
            weights.push(w.matrix(&weight(&name), shape, c.layout.transposed)?);
            if self.bias {
                biases.push(w.tensor(&bias(&name), &[rows])?);
            }
        }
        Ok(LinearParts { weights, biases })
    }

    fn tensors(&self, c: &ModelConfig, layer: usize) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        for (name, rows) in self.each(c, layer) {
            all.push((weight(&name), self.shape(c, rows)));
            all.extend(self.bias.then(|| (bias(&name), vec![rows])));
        }
        all
    }
}
