//! Products of matrices: of activations with packed weights, and of rows with rows as measures need them.
//!
//! `y[t, n] = Σ_k x[t, k] · w[n, k]` is one chain of fused multiply-adds in the order of `k`,
//! whatever the number of rows, the tile a row falls into, the threads and the instructions. A row
//! therefore has the same bits alone and in any batch, on any machine.
#![expect(unsafe_code, reason = "tiles are written by several threads into one row-major matrix")]

mod doubles;
mod kernel;
mod pack;
mod pairs;
mod panels;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

pub(crate) use doubles::{Gram, Rows, rows_by_rows as rows_by_rows_f64};
pub use pack::{Packed, Storage};
pub use panels::Panels;
pub(crate) use panels::rows_by_rows;

use crate::math::simd::{Isa, Lines};

/// Output columns of one panel.
pub const PANEL: usize = 32;

/// Rows whose packed activations stay in the second-level cache.
const ROW_BLOCK: usize = 192;

/// Products below this many multiply-adds are not worth waking other threads for.
const SERIAL: usize = 1 << 18;

/// Where tiles go: `rows × stride`, each tile to places of its own.
#[derive(Clone, Copy)]
struct Out {
    at: *mut f32,
    stride: usize,
}

impl Out {
    /// # Safety
    ///
    /// The row and the column lie in the matrix.
    unsafe fn tile(self, row: usize, column: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.at.add(row * self.stride + column) }
    }
}

// SAFETY: threads write disjoint columns or rows, and the matrix outlives them.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

/// Packed activations, reused from one product to the next.
#[derive(Default)]
pub struct Workspace {
    tiles: Lines,
    pairs: Vec<u32>,
}

impl Workspace {
    /// Room for at least `len` words; what they hold is unspecified.
    pub(in crate::math) fn words(&mut self, len: usize) -> &mut [u32] {
        if self.pairs.len() < len {
            self.pairs = vec![0; len];
        }
        &mut self.pairs[..len]
    }
}

/// Where a product's columns go.
pub struct Outputs<'a> {
    /// Rows of `stride` values.
    pub y: &'a mut [f32],
    /// The first column in each.
    pub first: usize,
    /// From one row to the next.
    pub stride: usize,
}

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
    w: &Packed,
    panels: std::ops::Range<usize>,
    outputs: Outputs<'_>,
) {
    let (k, n) = (w.k(), w.n());
    let Outputs { y, first, stride } = outputs;
    assert!(x.len() >= rows * k && panels.end <= w.panels(), "shapes fit");
    assert!(first + n <= stride && y.len() >= rows * stride, "outputs fit");
    if rows == 0 || panels.is_empty() {
        return;
    }
    let most = kernel::tile_rows(isa);
    // Tiles of nearly equal height: 64 rows are five of 11 and one of 9, not five of 12 and one of 4.
    let height = rows.div_ceil(rows.div_ceil(most));
    let tiles = rows.div_ceil(height);
    let shape = Tiles { rows, n, height, tiles, panels };
    let serial = rows * k * shape.panels.len() * PANEL < SERIAL;
    let out = Out { at: y[first..].as_mut_ptr(), stride };
    if w.wants_pairs() {
        let half = k.div_ceil(2);
        let packed = work.words(rows * half);
        let pack_tile = |(tile, out): (usize, &mut [u32])| {
            pairs::pack_rows(&x[tile * height * k..][..out.len() / half * k], k, out);
        };
        each_tile(packed, height * half, serial || rows * k < 1 << 15, pack_tile);
        // SAFETY: the job's tile lies inside `y`, and no other thread has it.
        let run = |panel, job: kernel::Job<'_, u32>| unsafe { w.run_pairs(isa, panel, job) };
        return shape.run(packed, half, serial, out, run);
    }
    let packed = work.tiles.reserve(rows * k);
    let pack_tile = |(tile, out): (usize, &mut [f32])| {
        pack_rows(&x[tile * height * k..][..out.len()], k, out);
    };
    each_tile(packed, height * k, serial || rows * k < 1 << 15, pack_tile);
    // SAFETY: as above.
    let run = |panel, job: kernel::Job<'_>| unsafe { w.run(isa, panel, job) };
    shape.run(packed, k, serial, out, run);
}

/// Runs `f` for the tiles of packed activations, `len` values each.
fn each_tile<T: Send>(
    packed: &mut [T],
    len: usize,
    serial: bool,
    f: impl Fn((usize, &mut [T])) + Send + Sync,
) {
    if serial {
        packed.chunks_mut(len).enumerate().for_each(f);
    } else {
        packed.par_chunks_mut(len).enumerate().for_each(f);
    }
}

/// How a product is cut.
struct Tiles {
    rows: usize,
    n: usize,
    height: usize,
    tiles: usize,
    panels: std::ops::Range<usize>,
}

impl Tiles {
    /// Runs every panel over every block of tiles; `packed` has `k` values a row.
    fn run<T: Sync>(
        &self,
        packed: &[T],
        k: usize,
        serial: bool,
        out: Out,
        one: impl Fn(usize, kernel::Job<'_, T>) + Sync,
    ) {
        let Self { rows, n, height, tiles, .. } = *self;
        let panels = self.panels.clone();
        let per_block = (ROW_BLOCK / height).max(1);
        let blocks = tiles.div_ceil(per_block);
        let run = |block: usize, panel: usize| {
            let first = block * per_block;
            let last = (first + per_block).min(tiles);
            let job = kernel::Job {
                a: &packed[first * height * k..],
                rows: (rows - first * height).min((last - first) * height),
                height,
                k,
                goes_on: false,
                step: None,
                columns: (n - panel * PANEL).min(PANEL),
                stride: out.stride,
                // SAFETY: within the matrix, whose shape `product` has checked.
                c: unsafe { out.tile(first * height, panel * PANEL) },
            };
            one(panel, job);
        };
        if serial {
            (0..blocks).for_each(|block| panels.clone().for_each(|panel| run(block, panel)));
        } else {
            let count = panels.len();
            (0..blocks * count)
                .into_par_iter()
                .with_min_len((count / (8 * rayon::current_num_threads())).max(1))
                .for_each(|i| run(i / count, panels.start + i % count));
        }
    }
}

/// Rows side by side: `out[k · height + r] = rows[r, k]`.
fn pack_rows(rows: &[f32], k: usize, out: &mut [f32]) {
    let height = out.len() / k;
    if height == 1 {
        return out.copy_from_slice(rows);
    }
    // Blocks of k keep what is read and written in the first-level cache.
    for start in (0..k).step_by(64) {
        let end = (start + 64).min(k);
        for (r, row) in rows.chunks_exact(k).enumerate() {
            for i in start..end {
                out[i * height + r] = row[i];
            }
        }
    }
}
