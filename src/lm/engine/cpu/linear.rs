//! A linear layer whose rows do not notice each other.

use candle_core::{DType, Tensor};

use super::row_ops;
use crate::{
    lm::{LmError, parts::LinearParts},
    math::{
        gemm::{self, PANEL, Packed, Storage, Workspace},
        simd::Isa,
    },
};

/// `y = x · wᵀ + b`.
pub struct Linear {
    weight: Packed,
    bias: Option<Vec<f32>>,
}

/// The numbers of a tensor, row-major.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, LmError> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

impl Linear {
    /// Packs matrices that read the same input as one.
    ///
    /// # Errors
    ///
    /// Those of the tensor library.
    pub fn new(parts: &LinearParts, storage: Storage) -> Result<Self, LmError> {
        let weights: Vec<_> = parts.weights.iter().map(numbers).collect::<Result<_, _>>()?;
        let inputs = parts.weights[0].dim(1)?;
        let slices: Vec<_> = weights.iter().map(Vec::as_slice).collect();
        let biases: Vec<_> = parts.biases.iter().map(numbers).collect::<Result<_, _>>()?;
        let bias = (!biases.is_empty()).then(|| biases.concat());
        Ok(Self { weight: Packed::new(&slices, inputs, storage), bias })
    }

    /// The packed weights.
    pub fn weight(&self) -> &Packed {
        &self.weight
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.weight.k()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.weight.n()
    }

    /// Writes `y`, `rows × outputs`, for `x`, `rows × inputs`.
    pub fn forward(&self, isa: Isa, work: &mut Workspace, x: &[f32], rows: usize, y: &mut [f32]) {
        self.forward_columns(isa, work, x, rows, 0..self.outputs(), y);
    }

    /// The same for some outputs only; both ends of `columns` are multiples of 32 or the last output.
    pub fn forward_columns(
        &self,
        isa: Isa,
        work: &mut Workspace,
        x: &[f32],
        rows: usize,
        columns: std::ops::Range<usize>,
        y: &mut [f32],
    ) {
        let panels = columns.start / PANEL..columns.end.div_ceil(PANEL);
        gemm::product(isa, work, x, rows, &self.weight, panels, y);
        if let Some(bias) = &self.bias {
            for row in y.chunks_exact_mut(self.outputs()).take(rows) {
                row_ops::add(isa, &mut row[columns.clone()], &bias[columns.clone()]);
            }
        }
    }
}
