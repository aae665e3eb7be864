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
    /// Heads whose rows `j` and `d/2 + j` the file has at `2j` and `2j + 1`.
    pub(super) interleaved: Option<usize>,
}

impl StoredBlocks {
    /// The blocks of a row.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> &[u8] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let stored = match self.interleaved {
            None => row,
            Some(heads) => {
                let width = self.rows / heads;
                let (head, j) = (row / width * width, row % width);
                head + 2 * (j % (width / 2)) + j / (width / 2)
            }
        };
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
