//! A panel's codes and scales, unpacked a few groups at a time, and rows of activations multiplied with them.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use super::format::GROUP;
use crate::math::simd::Words;

/// Outputs side by side.
pub(super) const PANEL: usize = 32;

/// Groups of a chunk: what is unpacked stays in the first-level cache.
pub(super) const GROUPS: usize = 8;

/// Products of pairs that a group takes.
pub(super) const STEPS: usize = GROUP / 2;

/// Words of a group of activations: pairs, their step, and their sum times it.
pub(super) const WORDS: usize = STEPS + 2;

/// A panel's groups, unpacked.
#[repr(align(64))]
pub(super) struct Chunk {
    /// Codes two by two.
    pub codes: [[[u32; PANEL]; STEPS]; GROUPS],
    /// Scales of the first and of the second half of a group.
    pub scales: [[[f32; PANEL]; 2]; GROUPS],
    pub offsets: [[f32; PANEL]; GROUPS],
    /// [`STEPS`], where the compiler cannot see it: an unrolled loop would be compiled to products and sums apart, two
    /// instructions for each of VNNI's.
    pub steps: usize,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            codes: [[[0; PANEL]; STEPS]; GROUPS],
            scales: [[[0.0; PANEL]; 2]; GROUPS],
            offsets: [[0.0; PANEL]; GROUPS],
            steps: std::hint::black_box(STEPS),
        }
    }
}

/// What numbers of a format have.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub offsets: bool,
    pub halves: bool,
}

/// A tile of activations.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// Its first word of the chunk.
    pub rows: *const u32,
    pub height: usize,
    /// Sums of its first row, 32 a row.
    pub sums: *mut f32,
    pub groups: usize,
}

/// Adds the products of a tile with a chunk to the tile's sums.
///
/// # Safety
///
/// Needs the instructions of `S`; the tile has `groups` groups of activations in rows and sums for all of them,
/// and not more rows than [`height`](super::kernel::height) says.
#[inline(always)]
pub(super) unsafe fn multiply<S: Words>(kind: Kind, chunk: &Chunk, tile: Tile) {
    macro_rules! tile {
        ($n:literal $lane:ident: $($m:literal)*) => {
            match (tile.height, kind.offsets, kind.halves) {
                $(
                    ($m, true, _) => rows::<S, $m, $n, true, false>(chunk, tile, $lane),
                    ($m, false, false) => rows::<S, $m, $n, false, false>(chunk, tile, $lane),
                    ($m, false, true) => rows::<S, $m, $n, false, true>(chunk, tile, $lane),
                )*
                _ => unreachable!("tiles have few rows"),
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe {
        // Constant blocks: the other half is never compiled, and it is a hundred unrolled loops.
        if const { size_of::<S::V>() == 64 && align_of::<S::V>() == 64 } {
            let lane = 0;
            tile!(2 lane: 1 2 3 4 5 6 7 8 9 10 11 12);
        } else {
            for lane in [0, 16] {
                tile!(1 lane: 1 2 3);
            }
        }
    }
}

/// `M` rows by `16 · N` outputs from `lane` on. For each group
///
/// ```text
/// y ← y + (Σ code · x) · (scale · step)       the sum in integers, for each half of the group where scales differ
/// y ← y + offset · (step · Σ x)
/// ```
#[inline(always)]
unsafe fn rows<
    S: Words,
    const M: usize,
    const N: usize,
    const OFFSETS: bool,
    const HALVES: bool,
>(
    chunk: &Chunk,
    tile: Tile,
    lane: usize,
) {
    // SAFETY: the caller's promise; lanes lie in the panel.
    unsafe {
        let sums = |r: usize, n: usize| tile.sums.add(r * PANEL + lane + 16 * n);
        for group in 0..tile.groups {
            let x = tile.rows.add(group * WORDS * M);
            let steps = x.add(STEPS * M).cast::<f32>();
            let codes = chunk.codes[group].as_ptr().cast::<u32>().add(lane);
            let offsets = chunk.offsets[group].as_ptr().add(lane);
            let parts = if HALVES { 2 } else { 1 };
            for part in 0..parts {
                let from = part * STEPS / 2;
                let to = if HALVES { from + chunk.steps / 2 } else { chunk.steps };
                let mut products = [[S::splat_word(0); N]; M];
                for step in from..to {
                    let code: [S::W; N] =
                        std::array::from_fn(|n| S::words(codes.add(step * PANEL + 16 * n)));
                    for (r, products) in products.iter_mut().enumerate() {
                        let x = S::splat_word(*x.add(step * M + r));
                        for (product, code) in products.iter_mut().zip(code) {
                            *product = S::dot(*product, code, x);
                        }
                    }
                }
                let scales = chunk.scales[group][part].as_ptr().add(lane);
                let scale: [S::V; N] = std::array::from_fn(|n| S::load(scales.add(16 * n)));
                let offset: [S::V; N] = std::array::from_fn(|n| S::load(offsets.add(16 * n)));
                for (r, products) in products.iter().enumerate() {
                    let (step, sum) = (S::splat(*steps.add(r)), S::splat(*steps.add(M + r)));
                    for n in 0..N {
                        let products = S::to_floats(products[n]);
                        let mut y = S::load(sums(r, n));
                        y = S::fma(products, S::mul(scale[n], step), y);
                        if OFFSETS {
                            y = S::fma(offset[n], sum, y);
                        }
                        S::store(sums(r, n), y);
                    }
                }
            }
        }
    }
}
