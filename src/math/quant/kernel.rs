//! One panel of a product, compiled for the instructions there are.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use std::cell::RefCell;

use super::{
    chunk::{Chunk, GROUPS, Kind, PANEL, Tile, WORDS, multiply},
    format::GROUP,
    pack::Blocks,
    unpack::unpack,
};
#[cfg(target_arch = "x86_64")]
use crate::math::simd::{Avx2, Avx512Vnni};
use crate::math::simd::{Isa, Lines, Portable, Words};

/// One panel's share of a product.
pub(super) struct Job<'a> {
    pub weights: &'a Blocks,
    pub panel: usize,
    /// Packed rows, tile after tile.
    pub x: &'a [u32],
    pub rows: usize,
    /// Rows of a tile; the last may have fewer.
    pub height: usize,
    /// Distance of rows in the output.
    pub stride: usize,
    /// The first output.
    pub y: *mut f32,
}

/// Most rows of a tile: as many as there are registers for.
pub(super) fn height(isa: Isa) -> usize {
    if isa.has_vnni() { 12 } else { 3 }
}

/// Multiplies all rows with the panel.
///
/// # Safety
///
/// The processor has the instructions, `x` holds as many rows as the job says, in tiles no higher than [`height`], and `y` has room for the
/// panel's outputs in each of them.
pub(super) unsafe fn run(isa: Isa, job: &Job<'_>) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
    unsafe fn vnni(job: &Job<'_>, chunk: &mut Chunk, sums: &mut [f32]) {
        // SAFETY: the features are enabled here; the rest is the caller's promise.
        unsafe { panel::<Avx512Vnni>(job, chunk, sums) }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn avx2(job: &Job<'_>, chunk: &mut Chunk, sums: &mut [f32]) {
        // SAFETY: as above.
        unsafe { panel::<Avx2>(job, chunk, sums) }
    }
    thread_local! {
        static BUFFERS: RefCell<(Box<Chunk>, Lines)> = RefCell::default();
    }
    BUFFERS.with_borrow_mut(|(chunk, sums)| {
        let sums = sums.reserve(job.rows * PANEL);
        // SAFETY: the processor has the features; the rest is the caller's promise.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 if isa.has_vnni() => vnni(job, chunk, sums),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 | Isa::Avx2 => avx2(job, chunk, sums),
                Isa::Portable => panel::<Portable>(job, chunk, sums),
            }
        }
    });
}

/// # Safety
///
/// As [`run`], with the instructions of `S`; `sums` has 32 values a row.
#[inline(always)]
unsafe fn panel<S: Words>(job: &Job<'_>, chunk: &mut Chunk, sums: &mut [f32]) {
    let (weights, format) = (job.weights, job.weights.format());
    let kind = Kind { offsets: format.has_offset(), halves: format.halves_groups() };
    let layout = weights.layout();
    let (groups, per_block) = (weights.k() / GROUP, format.block() / GROUP);
    sums.fill(0.0);
    for from in (0..groups).step_by(GROUPS) {
        let count = GROUPS.min(groups - from);
        let blocks = (from / per_block, count / per_block);
        for (i, strip) in weights.panel(job.panel).into_iter().enumerate() {
            // SAFETY: whole strips; chunks begin and end with blocks.
            unsafe { unpack::<S>(format, &layout, strip.as_ptr(), blocks, 16 * i, chunk) }
        }
        for first in (0..job.rows).step_by(job.height) {
            let height = job.height.min(job.rows - first);
            let rows = job.x[(first * groups + from * height) * WORDS..].as_ptr();
            let sums = sums[first * PANEL..].as_mut_ptr();
            // SAFETY: the tile's words of these groups, and its sums.
            unsafe { multiply::<S>(kind, chunk, Tile { rows, height, sums, groups: count }) }
        }
    }
    let columns = PANEL.min(weights.n() - job.panel * PANEL);
    for (r, sums) in sums.chunks_exact(PANEL).take(job.rows).enumerate() {
        // SAFETY: the panel's outputs in this row.
        unsafe {
            std::ptr::copy_nonoverlapping(sums.as_ptr(), job.y.add(r * job.stride), columns);
        }
    }
}
