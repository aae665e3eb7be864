//! Products of bfloat16 with bfloat16, summed in f32.
//!
//! Activations are rounded to bfloat16, each row by itself, and multiplied two at a time:
//! `y ← (y + x₁ w₁) + x₀ w₀` for each pair, every sum rounded once. AVX-512 has an instruction for it that
//! does twice the work of an f32 multiply-add; elsewhere two of these give the same bits, but for numbers
//! below 2⁻¹²⁶, which the instruction takes for 0.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use half::bf16;

use super::{PANEL, kernel::Job};
use crate::simd::{Isa, Simd, for_isa};

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
    fn run_any(job: &Job<'_, u32>, b: *const u32) = rows_by_panel
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16,avx2,fma,f16c")]
unsafe fn run_avx512_bf16(job: &Job<'_, u32>, b: *const u32) {
    // SAFETY: the features are enabled here; the rest is the caller's promise.
    unsafe { rows_by_panel::<crate::simd::Avx512Bf16>(job, b) }
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

#[inline(always)]
unsafe fn rows_by_panel<S: Simd>(job: &Job<'_, u32>, b: *const u32) {
    let wide = size_of::<S::V>() == 64 && align_of::<S::V>() == 64;
    for first in (0..job.rows).step_by(job.height) {
        let height = job.height.min(job.rows - first);
        let a = job.a[first * job.k..][..height * job.k].as_ptr();
        // SAFETY: a tile of the job; each arm has the height that it is compiled for.
        unsafe {
            let c = job.c.add(first * job.stride);
            macro_rules! tile {
                ($($m:literal)*) => {
                    match height {
                        $($m if wide => tile::<S, $m, 2>(job, a, b, c, 0),)*
                        $($m => {
                            tile::<S, $m, 1>(job, a, b, c, 0);
                            tile::<S, $m, 1>(job, a, b, c, 16);
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

/// `M` rows by `16 · N` columns from column `from` on: one accumulator a value, in the order of pairs.
#[inline(always)]
unsafe fn tile<S: Simd, const M: usize, const N: usize>(
    job: &Job<'_, u32>,
    a: *const u32,
    b: *const u32,
    c: *mut f32,
    from: usize,
) {
    if from >= job.columns {
        return;
    }
    // SAFETY: `a` holds `k · M` pairs, `b` a whole panel, and `c` the tile's columns.
    unsafe {
        let mut sums = [[S::zero(); N]; M];
        for i in 0..job.k {
            let mut w = [S::zero(); N];
            for (j, w) in w.iter_mut().enumerate() {
                *w = S::load_pairs(b.add(i * PANEL + from + 16 * j));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = S::splat_pair(*a.add(i * M + r));
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = S::dot_pairs(x, w, *sum);
                }
            }
        }
        super::kernel::write::<S, M, N>(job, &sums, c, from);
    }
}
