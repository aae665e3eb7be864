//! Products of bfloat16 with bfloat16, summed in f32.
//!
//! Activations are rounded to bfloat16, each row by itself, and multiplied two at a time:
//! `y ← (y + x₁ w₁) + x₀ w₀` for each pair, every sum rounded once. AVX-512 has an instruction for it that
//! does twice the work of an f32 multiply-add; elsewhere two of these give the same bits, but for numbers
//! below 2⁻¹²⁶, which the instruction takes for 0.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use half::bf16;

use super::kernel::{Job, Weight, rows_by_panel};
use crate::math::simd::{Isa, Simd, for_isa};

/// Two numbers as bfloat16, the first in the low half.
pub(super) fn pair(first: f32, second: f32) -> u32 {
    let bits = |x| u32::from(bf16::from_f32(x).to_bits());
    bits(first) | bits(second) << 16
}

/// The first or second number of a pair.
pub(super) fn of_pair(pair: u32, second: bool) -> f32 {
    f32::from_bits(if second { pair & 0xffff_0000 } else { pair << 16 })
}

/// Pairs of rows side by side: `out[i · height + r] = (rows[r, 2 i], rows[r, 2 i + 1])`, missing ones 0.
pub(super) fn pack_rows(rows: &[f32], k: usize, out: &mut [u32]) {
    let height = rows.len() / k;
    for (r, row) in rows.chunks_exact(k).enumerate() {
        for (i, two) in row.chunks(2).enumerate() {
            out[i * height + r] = pair(two[0], two.get(1).copied().unwrap_or(0.0));
        }
    }
}

for_isa! {
    /// Rows times a panel of pairs.
    fn run_any(job: &Job<'_, u32>, b: *const u32) = rows_by_panel_pairs
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16,avx2,fma,f16c")]
unsafe fn run_avx512_bf16(job: &Job<'_, u32>, b: *const u32) {
    // SAFETY: the features are enabled here; the rest is the caller's promise.
    unsafe { rows_by_panel_pairs::<crate::math::simd::Avx512Bf16>(job, b) }
}

/// # Safety
///
/// `b` is a panel of `job.k` pairs a column and `job.c` has room for the job's tile.
pub(super) unsafe fn run(isa: Isa, job: &Job<'_, u32>, b: &[u32]) {
    #[cfg(target_arch = "x86_64")]
    if isa.has_bf16() {
        // SAFETY: the processor has the instructions; the rest is the caller's promise.
        return unsafe { run_avx512_bf16(job, b.as_ptr()) };
    }
    // SAFETY: the caller's promise.
    unsafe { run_any(isa, job, b.as_ptr()) }
}

/// Two bfloat16 weights, multiplied with two activations.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Pair(u32);

impl Weight for Pair {
    type Row = u32;
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const Self) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_pairs(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat<S: Simd>(x: u32) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::splat_pair(x) }
    }
    #[inline(always)]
    unsafe fn add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::dot_pairs(x, w, sum) }
    }
}

#[inline(always)]
unsafe fn rows_by_panel_pairs<S: Simd>(job: &Job<'_, u32>, b: *const u32) {
    // SAFETY: the caller's promise.
    unsafe { rows_by_panel::<S, Pair>(job, b.cast()) }
}
