//! The innermost loops: a tile of up to 12 rows by one panel of 32 columns.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use std::cell::RefCell;

use super::PANEL;
use crate::math::simd::{Isa, Lines, Simd, for_isa};

/// One panel's share of a product.
pub(super) struct Job<'a, T = f32> {
    /// Packed rows, tile after tile.
    pub a: &'a [T],
    /// Rows to compute.
    pub rows: usize,
    /// Rows of a tile; the last may have fewer.
    pub height: usize,
    /// Length of the sums.
    pub k: usize,
    /// Whether sums go on from what is in `c`; they begin at 0 otherwise.
    pub goes_on: bool,
    /// From one step of `k` to the next in `a`; `None` where a tile's rows alone stand there.
    pub step: Option<usize>,
    /// Columns to write, at most 32.
    pub columns: usize,
    /// Distance of rows in the output.
    pub stride: usize,
    /// The first output.
    pub c: *mut f32,
}

/// Most rows of a tile: as many as there are registers for.
pub(super) fn tile_rows(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => 12,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => 6,
        Isa::Portable => 4,
    }
}

/// How a weight is stored, and what it is multiplied with.
///
/// # Safety
///
/// Every method as for [`Simd`].
pub(super) trait Weight: Copy {
    /// An activation.
    type Row: Copy;
    /// 16 weights.
    unsafe fn load<S: Simd>(p: *const Self) -> S::V;
    /// One activation in all lanes.
    unsafe fn splat<S: Simd>(x: Self::Row) -> S::V;
    /// `sum` plus the products of activations and weights.
    #[inline(always)]
    unsafe fn add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::fma(x, w, sum) }
    }
}

/// Implements [`Weight`] for a type whose weights are widened to f32.
macro_rules! widened_weight {
    ($($weight:ty: $load:ident;)*) => {$(
        impl Weight for $weight {
            type Row = f32;
            #[inline(always)]
            unsafe fn load<S: Simd>(p: *const Self) -> S::V {
                // SAFETY: the caller's promise.
                unsafe { S::$load(p.cast()) }
            }
            #[inline(always)]
            unsafe fn splat<S: Simd>(x: f32) -> S::V {
                // SAFETY: the caller's promise.
                unsafe { S::splat(x) }
            }
        }
    )*};
}

/// Bits of a bfloat16.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Bf16(u16);

/// Bits of an IEEE half.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct F16(u16);

widened_weight! {
    f32: load;
    Bf16: load_bf16;
    F16: load_f16;
}

for_isa! {
    /// Rows times a panel of f32.
    fn run_f32(job: &Job<'_>, b: *const f32) = rows_by_panel_f32
}
for_isa! {
    /// Rows times a panel of bfloat16.
    fn run_bf16(job: &Job<'_>, b: *const Bf16) = rows_by_panel_bf16
}
for_isa! {
    /// Rows times a panel of IEEE halves.
    fn run_f16(job: &Job<'_>, b: *const F16) = rows_by_panel_f16
}
for_isa! {
    /// Writes a panel of bfloat16 as f32.
    fn widen_bf16(b: &[u16], out: *mut f32) = widen_panel_bf16
}
for_isa! {
    /// Writes a panel of IEEE halves as f32.
    fn widen_f16(b: &[u16], out: *mut f32) = widen_panel_f16
}

/// # Safety
///
/// `b` is a panel of `job.k` steps and `job.c` has room for the job's tile.
pub(super) unsafe fn f32(isa: Isa, job: &Job<'_>, b: &[f32]) {
    // SAFETY: the caller's promise.
    unsafe { run_f32(isa, job, b.as_ptr()) }
}

/// # Safety
///
/// As [`f32`].
pub(super) unsafe fn bf16(isa: Isa, job: &Job<'_>, b: &[u16]) {
    // SAFETY: the caller's promise; `widen` writes as many values as `b` has.
    unsafe {
        match job.rows <= job.height {
            true => run_bf16(isa, job, b.as_ptr().cast()),
            false => widened(isa, job, b.len(), |out| widen_bf16(isa, b, out)),
        }
    }
}

/// # Safety
///
/// As [`f32`].
pub(super) unsafe fn f16(isa: Isa, job: &Job<'_>, b: &[u16]) {
    // SAFETY: the caller's promise; `widen` writes as many values as `b` has.
    unsafe {
        match job.rows <= job.height {
            true => run_f16(isa, job, b.as_ptr().cast()),
            false => widened(isa, job, b.len(), |out| widen_f16(isa, b, out)),
        }
    }
}

/// Several tiles share one widened copy of the panel, which stays in the cache.
unsafe fn widened(isa: Isa, job: &Job<'_>, len: usize, widen: impl FnOnce(*mut f32)) {
    thread_local! {
        static PANEL_F32: RefCell<Lines> = RefCell::default();
    }
    PANEL_F32.with_borrow_mut(|panel| {
        let panel = panel.reserve(len);
        widen(panel.as_mut_ptr());
        // SAFETY: the caller's promise.
        unsafe { run_f32(isa, job, panel.as_ptr()) }
    });
}

#[inline(always)]
unsafe fn widen_panel_bf16<S: Simd>(b: &[u16], out: *mut f32) {
    for i in (0..b.len()).step_by(16) {
        // SAFETY: a panel is a multiple of 32 long.
        unsafe { S::store(out.add(i), S::load_bf16(b.as_ptr().add(i))) }
    }
}

#[inline(always)]
unsafe fn widen_panel_f16<S: Simd>(b: &[u16], out: *mut f32) {
    for i in (0..b.len()).step_by(16) {
        // SAFETY: a panel is a multiple of 32 long.
        unsafe { S::store(out.add(i), S::load_f16(b.as_ptr().add(i))) }
    }
}

#[inline(always)]
unsafe fn rows_by_panel_f32<S: Simd>(job: &Job<'_>, b: *const f32) {
    // SAFETY: the caller's promise.
    unsafe { rows_by_panel::<S, f32>(job, b) }
}

#[inline(always)]
unsafe fn rows_by_panel_bf16<S: Simd>(job: &Job<'_>, b: *const Bf16) {
    // SAFETY: the caller's promise.
    unsafe { rows_by_panel::<S, Bf16>(job, b) }
}

#[inline(always)]
unsafe fn rows_by_panel_f16<S: Simd>(job: &Job<'_>, b: *const F16) {
    // SAFETY: the caller's promise.
    unsafe { rows_by_panel::<S, F16>(job, b) }
}

/// A job's rows by a panel of weights.
///
/// # Safety
///
/// Needs the instructions of `S`; `b` is a panel of `job.k` steps and `job.c` has room for the job's tile.
#[inline(always)]
pub(super) unsafe fn rows_by_panel<S: Simd, W: Weight>(job: &Job<'_, W::Row>, b: *const W) {
    let wide = size_of::<S::V>() == 64 && align_of::<S::V>() == 64;
    for first in (0..job.rows).step_by(job.height) {
        let height = job.height.min(job.rows - first);
        let (at, step) = match job.step {
            Some(step) => (first, step),
            None => (first * job.k, height),
        };
        let a = (job.a[at..].as_ptr(), step);
        // SAFETY: a tile of the job; each arm has the height that it is compiled for.
        unsafe {
            let c = job.c.add(first * job.stride);
            macro_rules! tile {
                ($($m:literal)*) => {
                    match height {
                        $($m if wide => tile::<S, W, $m, 2>(job, a, b, c, 0),)*
                        $($m => {
                            tile::<S, W, $m, 1>(job, a, b, c, 0);
                            tile::<S, W, $m, 1>(job, a, b, c, 16);
                        })*
                        _ => unreachable!("tiles have 1 to 12 rows"),
                    }
                };
            }
            if wide {
                tile!(1 2 3 4 5 6 7 8 9 10 11 12);
            } else {
                tile!(1 2 3 4 5 6);
            }
        }
    }
}

/// `M` rows by `16 · N` columns from column `from` on: one accumulator a value, in the order of `k`.
/// The values of a step of `k` stand side by side in `a`, and those of the next one `step` further on.
#[inline(always)]
unsafe fn tile<S: Simd, W: Weight, const M: usize, const N: usize>(
    job: &Job<'_, W::Row>,
    (a, step): (*const W::Row, usize),
    b: *const W,
    c: *mut f32,
    from: usize,
) {
    if from >= job.columns {
        return;
    }
    // SAFETY: `a` holds `k` steps of `M` values, `b` a whole panel, and `c` the tile's columns.
    unsafe {
        let mut sums = [[S::zero(); N]; M];
        if job.goes_on {
            read::<S, M, N>(job, &mut sums, c, from);
        }
        for i in 0..job.k {
            let mut w = [S::zero(); N];
            for (j, w) in w.iter_mut().enumerate() {
                *w = W::load::<S>(b.add(i * PANEL + from + 16 * j));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = W::splat::<S>(*a.add(i * step + r));
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = W::add::<S>(x, w, *sum);
                }
            }
        }
        write::<S, M, N>(job, &sums, c, from);
    }
}

/// Reads a tile's columns from `from` on; those that the job does not have become 0.
///
/// # Safety
///
/// `c` has the job's columns in each of `M` rows.
#[inline(always)]
unsafe fn read<S: Simd, const M: usize, const N: usize>(
    job: &Job<'_, impl Sized>,
    sums: &mut [[S::V; N]; M],
    c: *mut f32,
    from: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for (r, sums) in sums.iter_mut().enumerate() {
            let c = c.add(r * job.stride + from);
            if job.columns >= from + 16 * N {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(c.add(16 * j));
                }
            } else {
                let mut edge = [0f32; PANEL];
                let left = (job.columns - from).min(16 * N);
                std::ptr::copy_nonoverlapping(c, edge.as_mut_ptr(), left);
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(edge.as_ptr().add(16 * j));
                }
            }
        }
    }
}

/// Writes a tile's columns from `from` on.
///
/// # Safety
///
/// `c` has room for the job's columns in each of `M` rows.
#[inline(always)]
unsafe fn write<S: Simd, const M: usize, const N: usize>(
    job: &Job<'_, impl Sized>,
    sums: &[[S::V; N]; M],
    c: *mut f32,
    from: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for (r, sums) in sums.iter().enumerate() {
            let c = c.add(r * job.stride + from);
            if job.columns >= from + 16 * N {
                for (j, &sum) in sums.iter().enumerate() {
                    S::store(c.add(16 * j), sum);
                }
            } else {
                let mut edge = [0f32; PANEL];
                for (j, &sum) in sums.iter().enumerate() {
                    S::store(edge.as_mut_ptr().add(16 * j), sum);
                }
                let left = (job.columns - from).min(16 * N);
                std::ptr::copy_nonoverlapping(edge.as_ptr(), c, left);
            }
        }
    }
}
