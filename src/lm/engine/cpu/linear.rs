//! A linear layer whose rows do not notice each other.

use candle_core::{DType, Tensor};
use std::ops::Range;

use super::row_ops;
use crate::{
    lm::{
        LmError,
        checkpoint::matrix::{Matrix, StoredBlocks},
        parts::LinearParts,
    },
    math::{
        gemm::{self, Outputs, PANEL, Packed, Storage, Workspace},
        quant::{self, Blocks},
        simd::Isa,
    },
};

#[cfg(test)]
mod tests;

/// How matrices are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the blocks that they are stored in, and in f32 where they are stored as numbers.
    Blocks,
    /// As numbers.
    Numbers(Storage),
}

impl From<Storage> for Keep {
    fn from(storage: Storage) -> Self {
        Self::Numbers(storage)
    }
}

/// `y = x · wᵀ + b`.
pub struct Linear {
    weight: Weight,
    bias: Option<Vec<f32>>,
}

/// Matrices of one input, one below the other.
pub struct Weight {
    /// Each with the first of its outputs.
    parts: Vec<(usize, Part)>,
    inputs: usize,
    outputs: usize,
}

enum Part {
    Numbers(Packed),
    Blocks(Blocks),
}

/// The numbers of a tensor, row-major.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, LmError> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

impl Part {
    /// Packs matrices that are kept alike as one.
    fn new(matrices: &[Matrix], keep: Keep) -> Result<Self, LmError> {
        let blocks = |matrix: &'_ Matrix| match (matrix, keep) {
            (Matrix::Blocks(blocks), Keep::Blocks) => Some(blocks.clone()),
            _ => None,
        };
        if let Some(blocks) = matrices.iter().map(blocks).collect::<Option<Vec<_>>>() {
            return Ok(Self::Blocks(pack(&blocks)));
        }
        let storage = match keep {
            Keep::Blocks => Storage::F32,
            Keep::Numbers(storage) => storage,
        };
        let tensors: Vec<_> =
            matrices.iter().map(Matrix::tensor).collect::<candle_core::Result<_>>()?;
        let weights: Vec<_> = tensors.iter().map(numbers).collect::<Result<_, _>>()?;
        let slices: Vec<_> = weights.iter().map(Vec::as_slice).collect();
        Ok(Self::Numbers(Packed::new(&slices, tensors[0].dim(1)?, storage)))
    }

    fn n(&self) -> usize {
        match self {
            Self::Numbers(packed) => packed.n(),
            Self::Blocks(blocks) => blocks.n(),
        }
    }
}

/// Packs blocks of one format; the file's pages are handed back.
fn pack(matrices: &[StoredBlocks]) -> Blocks {
    let n = matrices.iter().map(|matrix| matrix.rows).sum();
    let row = |mut row: usize| {
        let own = matrices.iter().find(|matrix| {
            let here = row < matrix.rows;
            row -= if here { 0 } else { matrix.rows };
            here
        });
        own.map_or(&[][..], |matrix| matrix.row(row))
    };
    let packed = Blocks::new(matrices[0].format, n, matrices[0].columns, row);
    matrices.iter().for_each(StoredBlocks::release);
    packed
}

/// Whether two matrices can be packed as one.
fn alike(a: &Matrix, b: &Matrix, keep: Keep) -> bool {
    match (a, b, keep) {
        (_, _, Keep::Numbers(_)) | (Matrix::Numbers(_), Matrix::Numbers(_), _) => true,
        (Matrix::Blocks(a), Matrix::Blocks(b), _) => a.format == b.format,
        _ => false,
    }
}

impl Weight {
    fn new(matrices: &[Matrix], keep: Keep) -> Result<Self, LmError> {
        let (mut parts, mut outputs) = (Vec::new(), 0);
        for matrices in matrices.chunk_by(|a, b| alike(a, b, keep)) {
            let part = Part::new(matrices, keep)?;
            let first = outputs;
            outputs += part.n();
            parts.push((first, part));
        }
        let inputs = matrices.first().map_or(0, Matrix::columns);
        Ok(Self { parts, inputs, outputs })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let of = |(_, part): &(usize, Part)| match part {
            Part::Numbers(packed) => packed.bytes(),
            Part::Blocks(blocks) => blocks.bytes(),
        };
        self.parts.iter().map(of).sum()
    }

    /// Writes the weights of output `n` to `out`, one for each input.
    pub fn row(&self, n: usize, out: &mut [f32]) {
        let at = self.parts.partition_point(|(first, _)| *first <= n) - 1;
        match &self.parts[at] {
            (first, Part::Numbers(packed)) => packed.row(n - first, out),
            (first, Part::Blocks(blocks)) => blocks.row(n - first, out),
        }
    }
}

impl Linear {
    /// Packs matrices that read the same input as one.
    ///
    /// # Errors
    ///
    /// Those of the tensor library.
    pub fn new(parts: &LinearParts, keep: Keep) -> Result<Self, LmError> {
        let biases: Vec<_> = parts.biases.iter().map(numbers).collect::<Result<_, _>>()?;
        let bias = (!biases.is_empty()).then(|| biases.concat());
        Ok(Self { weight: Weight::new(&parts.weights, keep)?, bias })
    }

    /// The packed weights.
    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.weight.inputs
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.weight.outputs
    }

    /// Writes `y`, `rows × outputs`, for `x`, `rows × inputs`.
    pub fn forward(&self, isa: Isa, work: &mut Workspace, x: &[f32], rows: usize, y: &mut [f32]) {
        self.forward_columns(isa, work, x, rows, 0..self.outputs(), y);
    }

    /// The same for some outputs; those beside them may be written, too, unless both ends of `columns` are multiples
    /// of 32 or the last output.
    pub fn forward_columns(
        &self,
        isa: Isa,
        work: &mut Workspace,
        x: &[f32],
        rows: usize,
        columns: Range<usize>,
        y: &mut [f32],
    ) {
        let stride = self.outputs();
        for (first, part) in &self.weight.parts {
            let first = *first;
            let (from, to) = (columns.start.max(first), columns.end.min(first + part.n()));
            if from >= to {
                continue;
            }
            let panels = (from - first) / PANEL..(to - first).div_ceil(PANEL);
            let out = Outputs { y: &mut *y, first, stride };
            match part {
                Part::Numbers(packed) => gemm::product(isa, work, x, rows, packed, panels, out),
                Part::Blocks(blocks) => quant::product(isa, work, x, rows, blocks, panels, out),
            }
        }
        if let Some(bias) = &self.bias {
            for row in y.chunks_exact_mut(stride).take(rows) {
                row_ops::add(isa, &mut row[columns.clone()], &bias[columns.clone()]);
            }
        }
    }
}
