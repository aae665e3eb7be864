//! Matrices of one input as they are stored.

use super::{LinearParts, bias, in_block, order, weight};
use crate::lm::{
    LmError, Weights,
    arch::{
        config::ModelConfig,
        layout::{Mlp, Name, Qkv, Up},
    },
};

/// Matrices that read the same input.
pub(super) struct Stored<'a> {
    names: &'a [Name],
    /// Outputs of each.
    rows: Vec<usize>,
    inputs: usize,
    bias: bool,
    /// For each the order of its rows, where it is not the file's.
    order: Vec<Option<Vec<u32>>>,
}

/// Queries, keys and values.
pub(super) fn qkv(c: &ModelConfig) -> Stored<'_> {
    let (q, k) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let rows = match &c.layout.qkv {
        Qkv::Fused(_) | Qkv::FusedByHead(_) => vec![q + 2 * k],
        Qkv::Apart(_) => vec![q, k, k],
    };
    let names = c.layout.qkv.names();
    Stored { names, rows, inputs: c.hidden, bias: c.qkv_bias, order: order::of_qkv(c) }
}

/// After attention.
pub(super) fn out(c: &ModelConfig) -> Stored<'_> {
    let (names, inputs) = (std::slice::from_ref(&c.layout.out), c.heads * c.head_dim);
    let rows = vec![c.hidden];
    Stored { names, rows, inputs, bias: c.attention_out_bias, order: vec![None] }
}

/// The MLP's first half.
pub(super) fn up(c: &ModelConfig) -> Stored<'_> {
    wide(&c.layout.up, c.hidden, c.intermediate, c.mlp_bias)
}

/// The MLP's second half.
pub(super) fn down(c: &ModelConfig) -> Stored<'_> {
    narrow(&c.layout.down, c.hidden, c.intermediate, c.mlp_bias)
}

/// Both halves of an MLP of width `inner`.
pub(super) fn mlp(mlp: &Mlp, hidden: usize, inner: usize) -> [Stored<'_>; 2] {
    [wide(&mlp.up, hidden, inner, false), narrow(&mlp.down, hidden, inner, false)]
}

/// One matrix `rows × inputs`.
pub(super) fn one(name: &Name, rows: usize, inputs: usize, bias: bool) -> Stored<'_> {
    let names = std::slice::from_ref(name);
    Stored { names, rows: vec![rows], inputs, bias, order: vec![None] }
}

fn wide(up: &Up, inputs: usize, inner: usize, bias: bool) -> Stored<'_> {
    let rows = match up {
        Up::Plain(_) => vec![inner],
        Up::Fused(_) => vec![2 * inner],
        Up::Apart(_) => vec![inner, inner],
    };
    let order = vec![None; rows.len()];
    Stored { names: up.names(), rows, inputs, bias, order }
}

fn narrow(down: &Name, hidden: usize, inner: usize, bias: bool) -> Stored<'_> {
    one(down, hidden, inner, bias)
}

impl Stored<'_> {
    fn shape(&self, c: &ModelConfig, rows: usize) -> Vec<usize> {
        if c.layout.transposed { vec![self.inputs, rows] } else { vec![rows, self.inputs] }
    }

    fn each(&self, c: &ModelConfig, layer: usize) -> impl Iterator<Item = (String, usize)> {
        let name = move |name: &Name| in_block(c, layer, *name);
        self.names.iter().map(name).zip(self.rows.iter().copied())
    }

    /// Reads those of block `layer`.
    pub fn read(&self, c: &ModelConfig, w: &Weights, layer: usize) -> Result<LinearParts, LmError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for ((name, rows), order) in self.each(c, layer).zip(&self.order) {
            let shape = [rows, self.inputs];
            let matrix = w.matrix(&weight(&name), shape, c.layout.transposed)?;
            weights.push(match order {
                Some(order) => matrix.pick(order)?,
                None => matrix,
            });
            if self.bias {
                let stored = w.tensor(&bias(&name), &[rows])?;
                biases.push(match order {
                    Some(order) => order::pick(&stored, order)?,
                    None => stored,
                });
            }
        }
        Ok(LinearParts { weights, biases })
    }

    /// Names and shapes of those of block `layer`.
    pub fn tensors(&self, c: &ModelConfig, layer: usize) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        for (name, rows) in self.each(c, layer) {
            all.push((weight(&name), self.shape(c, rows)));
            all.extend(self.bias.then(|| (bias(&name), vec![rows])));
        }
        all
    }
}
