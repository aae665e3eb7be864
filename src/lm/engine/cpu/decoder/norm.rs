//! Norms of rows and of the heads in a row.

use rayon::prelude::*;

use super::super::{linear::numbers, row_ops};
use crate::{
    lm::{LmError, arch::config::QkNorm, parts::NormParts},
    math::simd::Isa,
};

/// Values above which rows are normalised by several threads.
const SERIAL: usize = 1 << 15;

pub(super) struct Norm {
    gain: Vec<f32>,
    bias: Option<Vec<f32>>,
    eps: f32,
}

impl Norm {
    pub fn new(parts: &NormParts, eps: f64) -> Result<Self, LmError> {
        let bias = parts.bias.as_ref().map(numbers).transpose()?;
        Ok(Self { gain: numbers(&parts.gain)?, bias, eps: eps as f32 })
    }

    pub fn maybe(parts: Option<&NormParts>, eps: f64) -> Result<Option<Self>, LmError> {
        parts.map(|parts| Self::new(parts, eps)).transpose()
    }

    fn row(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        self.part(isa, x, 0, out);
    }

    /// Norms `x` with the gains from `from` on.
    fn part(&self, isa: Isa, x: &[f32], from: usize, out: &mut [f32]) {
        let gain = &self.gain[from..][..x.len()];
        match &self.bias {
            Some(bias) => {
                row_ops::layer_norm(isa, x, gain, &bias[from..][..x.len()], self.eps, out);
            }
            None => row_ops::rms_norm(isa, x, gain, self.eps, out),
        }
    }

    pub fn rows(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        let width = self.gain.len();
        per_row(x.len(), out, width, |i, out| self.row(isa, &x[i * width..][..width], out));
    }

    /// Norms the heads of a row of queries or keys in place.
    pub fn heads(&self, isa: Isa, kind: QkNorm, head_dim: usize, row: &mut [f32]) {
        let before = row.to_vec();
        match kind {
            QkNorm::None => {}
            QkNorm::Whole => self.row(isa, &before, row),
            QkNorm::EachHead => {
                for (at, head) in row.chunks_exact_mut(head_dim).enumerate() {
                    let from = at * head_dim;
                    self.part(isa, &before[from..][..head_dim], from, head);
                }
            }
            QkNorm::Heads | QkNorm::Unit => {
                for (head, before) in
                    row.chunks_exact_mut(head_dim).zip(before.chunks_exact(head_dim))
                {
                    self.row(isa, before, head);
                }
            }
        }
    }
}

/// Runs `f(i, row)` for every row of `out`, on several threads where that pays.
pub(super) fn per_row(
    work: usize,
    out: &mut [f32],
    width: usize,
    f: impl Fn(usize, &mut [f32]) + Sync,
) {
    if work < SERIAL {
        out.chunks_exact_mut(width).enumerate().for_each(|(i, row)| f(i, row));
    } else {
        out.par_chunks_exact_mut(width).with_min_len(4).enumerate().for_each(|(i, row)| f(i, row));
    }
}
