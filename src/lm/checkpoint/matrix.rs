//! A matrix of weights as it is stored: as numbers, or as blocks that hold few bits of each.

use candle_core::{Device, Tensor};
use std::{ops::Range, sync::Arc};

use crate::math::quant::Format;

/// An `out × in` matrix.
pub enum Matrix {
    /// Numbers of f32, f16 or bf16.
    Numbers(Tensor),
    /// Blocks along the inputs.
    Blocks(StoredBlocks),
}

impl Matrix {
    /// Number of inputs.
    pub fn columns(&self) -> usize {
        match self {
            Self::Numbers(tensor) => tensor.dims().last().copied().unwrap_or(0),
            Self::Blocks(blocks) => blocks.columns,
        }
    }

    /// Its rows in another order.
    ///
    /// # Errors
    ///
    /// Those of the tensor library.
    pub fn pick(self, rows: &[u32]) -> candle_core::Result<Self> {
        Ok(match self {
            Self::Numbers(tensor) => {
                Self::Numbers(tensor.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?)
            }
            Self::Blocks(blocks) => Self::Blocks(blocks.pick(rows)),
        })
    }

    /// The numbers on the CPU, those of blocks widened to f32.
    ///
    /// # Errors
    ///
    /// Those of the tensor library.
    pub fn tensor(&self) -> candle_core::Result<Tensor> {
        match self {
            Self::Numbers(tensor) => Ok(tensor.clone()),
            Self::Blocks(blocks) => blocks.tensor(),
        }
    }
}

/// The blocks of a matrix, in a mapped file.
#[derive(Clone)]
pub struct StoredBlocks {
    /// How they are stored.
    pub format: Format,
    /// Rows: outputs.
    pub rows: usize,
    /// Columns: inputs.
    pub columns: usize,
    pub(super) file: Arc<memmap2::Mmap>,
    pub(super) bytes: Range<usize>,
    /// For each row the file's, where they differ.
    pub(super) order: Option<Arc<[u32]>>,
}

impl StoredBlocks {
    /// Rows `from..from + rows` alone.
    pub(super) fn part(&self, from: usize, rows: usize) -> Self {
        let order: Vec<u32> = (from as u32..(from + rows) as u32).collect();
        self.pick(&order)
    }

    /// Its rows in another order.
    fn pick(&self, rows: &[u32]) -> Self {
        let of = |row: &u32| self.order.as_ref().map_or(*row, |order| order[*row as usize]);
        let order: Arc<[u32]> = rows.iter().map(of).collect();
        Self { rows: rows.len(), order: Some(order), ..self.clone() }
    }

    /// The blocks of a row.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> &[u8] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let stored = self.order.as_ref().map_or(row, |order| order[row] as usize);
        let size = self.columns / self.format.block() * self.format.size();
        &self.file[self.bytes.clone()][stored * size..][..size]
    }

    /// Tells the system that the blocks have been read: their pages leave this process's memory, and are
    /// read again where someone asks.
    #[cfg_attr(unix, expect(unsafe_code, reason = "advice on mapped memory"))]
    pub fn release(&self) {
        #[cfg(unix)]
        {
            let Range { start, end } = self.bytes;
            // SAFETY: the mapping is read-only and of a file, so that its pages are read again with the same
            // bytes. A refusal leaves them where they are.
            let _ = unsafe {
                self.file.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    start,
                    end - start,
                )
            };
        }
    }

    fn tensor(&self) -> candle_core::Result<Tensor> {
        let mut numbers = vec![0.0; self.rows * self.columns];
        for (i, out) in numbers.chunks_exact_mut(self.columns).enumerate() {
            self.format.widen(self.row(i), out);
        }
        Tensor::from_vec(numbers, (self.rows, self.columns), &Device::Cpu)
    }
}
