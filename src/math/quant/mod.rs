//! Products with weights in the blocks of 4 to 8 bits that they are stored in.
//!
//! Activations are rounded to 16-bit integers, 32 of them to a step. The products of a group of 32 with its codes are summed
//! exactly, and one chain over the groups in their order sums these in f32: a row has the same bits alone
//! and in any batch, on any machine.
//!
//! ```text
//! y[t, n] = Σ_g (scale[n, g] · step[t, g]) · Σ_i code[n, i] · q[t, i] + offset[n, g] · (step[t, g] · Σ_i q[t, i])
//! ```
#![expect(unsafe_code, reason = "panels are written by several threads into one row-major matrix")]

mod chunk;
mod format;
mod kernel;
mod pack;
mod rows;
#[cfg(test)]
mod tests;
mod unpack;

use rayon::prelude::*;

pub use format::Format;
pub use pack::Blocks;

use self::chunk::{PANEL, WORDS};
use crate::math::{
    gemm::{Outputs, Workspace},
    simd::Isa,
};

/// Rows whose activations and sums stay in the second-level cache.
const ROW_BLOCK: usize = 192;

/// Products below this many multiply-adds are not worth waking other threads for.
const SERIAL: usize = 1 << 18;

/// Activations below which they are packed by one thread.
const SERIAL_ROWS: usize = 1 << 15;

#[derive(Clone, Copy)]
struct Out(*mut f32);

impl Out {
    /// # Safety
    ///
    /// The place lies in the matrix.
    unsafe fn at(self, place: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(place) }
    }
}

// SAFETY: threads write disjoint columns or rows, and the matrix outlives them.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

/// `y = x · wᵀ` for columns `panels · 32` of the weights.
///
/// `x` is `rows × k`; of the outputs only columns of the given panels are written.
///
/// # Panics
///
/// When a slice is shorter than its shape.
pub fn product(
    isa: Isa,
    work: &mut Workspace,
    x: &[f32],
    rows: usize,
    w: &Blocks,
    panels: std::ops::Range<usize>,
    out: Outputs<'_>,
) {
    let (k, n) = (w.k(), w.n());
    let Outputs { y, first, stride } = out;
    assert!(x.len() >= rows * k && panels.end <= w.panels(), "shapes fit");
    assert!(first + n <= stride && y.len() >= rows * stride, "outputs fit");
    if rows == 0 || panels.is_empty() {
        return;
    }
    // Tiles of nearly equal height.
    let most = kernel::height(isa);
    let height = rows.div_ceil(rows.div_ceil(most));
    let words = k / format::GROUP * WORDS;
    let packed = work.words(rows * words);
    let pack = |(tile, out): (usize, &mut [u32])| {
        rows::pack(isa, &x[tile * height * k..][..out.len() / words * k], k, out);
    };
    if rows * k < SERIAL_ROWS {
        packed.chunks_mut(height * words).enumerate().for_each(pack);
    } else {
        packed.par_chunks_mut(height * words).enumerate().for_each(pack);
    }
    let per_block = (ROW_BLOCK / height).max(1) * height;
    let (packed, y) = (&*packed, Out(y.as_mut_ptr()));
    let run = |block: usize, panel: usize| {
        let from = block * per_block;
        let rows = per_block.min(rows - from);
        // SAFETY: rows and columns lie in the matrix, and no other thread has them.
        unsafe {
            let y = y.at(from * stride + first + panel * PANEL);
            let x = &packed[from * words..][..rows * words];
            kernel::run(isa, &kernel::Job { weights: w, panel, x, rows, height, stride, y });
        }
    };
    let (blocks, count) = (rows.div_ceil(per_block), panels.len());
    if rows * k * count * PANEL < SERIAL {
        (0..blocks).for_each(|block| panels.clone().for_each(|panel| run(block, panel)));
    } else {
        (0..blocks * count)
            .into_par_iter()
            .with_min_len((count / (8 * rayon::current_num_threads())).max(1))
            .for_each(|i| run(i / count, panels.start + i % count));
    }
}
