//! Logits where the network computed them, and the draw from them.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use std::cell::RefCell;

use crate::{
    decode::{Chain, DecodeError, Past, Pick, Scratch},
    lm::LmError,
};

/// Logits of several rows.
pub enum Logits {
    /// In main memory, row after row.
    Host {
        /// The numbers.
        data: Vec<f32>,
        /// Width of a row.
        vocab: usize,
    },
    /// As a tensor, `rows × vocab`, of any float type.
    Tensor(Tensor),
}

/// One row of [`Logits`].
#[derive(Clone, Copy)]
pub enum LogitRow<'a> {
    /// In main memory.
    Host(&'a [f32]),
    /// Row `row` of a tensor.
    Tensor {
        /// `rows × vocab`.
        rows: &'a Tensor,
        /// Which row.
        row: usize,
    },
}

/// A row that outlives its batch.
pub enum KeptRow {
    /// In main memory.
    Host(Box<[f32]>),
    /// `1 × vocab`.
    Tensor(Tensor),
}

/// What is drawn from one row.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The logits.
    pub logits: LogitRow<'a>,
    /// The stages before the draw.
    pub chain: &'a Chain,
    /// What the row has behind it.
    pub past: Past<'a>,
    /// The number in `[0, 1)` that decides.
    pub u: f64,
}

impl Default for Logits {
    fn default() -> Self {
        Self::Host { data: Vec::new(), vocab: 1 }
    }
}

impl Logits {
    /// Row `row`.
    pub fn row(&self, row: usize) -> LogitRow<'_> {
        match self {
            Self::Host { data, vocab } => LogitRow::Host(&data[row * vocab..][..*vocab]),
            Self::Tensor(rows) => LogitRow::Tensor { rows, row },
        }
    }

    /// The buffer of logits in main memory, to be filled again with rows of `vocab` values.
    pub(crate) fn host(&mut self, vocab: usize) -> &mut Vec<f32> {
        let data = match std::mem::take(self) {
            Self::Host { data, .. } => data,
            Self::Tensor(_) => Vec::new(),
        };
        *self = Self::Host { data, vocab };
        match self {
            Self::Host { data, .. } => data,
            Self::Tensor(_) => unreachable!("just made"),
        }
    }
}

impl LogitRow<'_> {
    /// A copy of the row.
    ///
    /// # Errors
    ///
    /// A device without memory.
    pub fn keep(&self) -> Result<KeptRow, LmError> {
        Ok(match self {
            Self::Host(row) => KeptRow::Host((*row).into()),
            Self::Tensor { rows, row } => {
                KeptRow::Tensor(rows.narrow(0, *row, 1)?.force_contiguous()?)
            }
        })
    }
}

impl KeptRow {
    /// The row.
    pub fn view(&self) -> LogitRow<'_> {
        match self {
            Self::Host(row) => LogitRow::Host(row),
            Self::Tensor(rows) => LogitRow::Tensor { rows, row: 0 },
        }
    }
}

/// Draws from every row in main memory, rows of a device copied there first.
///
/// # Errors
///
/// A failure of the device; what is wrong with one row is that row's own result.
pub fn draw_on_host(asks: &[Ask<'_>]) -> Result<Vec<Result<Pick, DecodeError>>, LmError> {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::default();
    }
    let draw = |ask: &Ask<'_>| {
        let draw = |row: &[f32]| {
            SCRATCH.with_borrow_mut(|scratch| ask.chain.draw(row, ask.past, ask.u, scratch))
        };
        Ok(match ask.logits {
            LogitRow::Host(row) => draw(row),
            LogitRow::Tensor { rows, row } => {
                let row = rows.narrow(0, row, 1)?.force_contiguous()?.to_dtype(DType::F32)?;
                draw(&row.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?)
            }
        })
    };
    asks.par_iter().map(draw).collect()
}
