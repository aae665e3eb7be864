//! Activations as 16-bit integers.
//!
//! 32 numbers of a row share a step, which is the greatest of them divided by 32767:
//! `x ≈ step · q` with `|q| ≤ 32767`, each `q` the nearest integer, ties to even. A row is rounded by itself.

use super::{
    chunk::{STEPS, WORDS},
    format::GROUP,
};
use crate::math::simd::{Isa, widest};

/// Greatest integer.
const MOST: f32 = 32767.0;

/// Bits of 2⁻⁹⁶: groups without a greater number are taken for zeros, lest their step has no inverse.
const LEAST: u32 = (127 - 96) << 23;

/// Added to a number below 2²¹, leaves its nearest integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Packs up to a tile of rows side by side: for each group pair `t` of row `r` at `t · height + r`, then steps, then
/// steps times sums of integers, both as bits of f32.
///
/// Pair `2 i + v` holds numbers `4 i + v` and `4 i + 2 + v` of the group.
pub(super) fn pack(isa: Isa, rows: &[f32], k: usize, out: &mut [u32]) {
    let height = rows.len() / k;
    for (r, row) in rows.chunks_exact(k).enumerate() {
        on::pack_row(isa, row, out, height, r);
    }
}

widest! {
    /// Row `r` of a tile.
    #[expect(dead_code, reason = "the level is the caller's")]
    fn pack_row(row: &[f32], out: &mut [u32], height: usize, r: usize) {
        let groups = out.chunks_exact_mut(WORDS * height);
        for (x, out) in row.as_chunks::<GROUP>().0.iter().zip(groups) {
            // NaN has more bits than infinity, and makes the step NaN.
            let bits = |x: &f32| x.to_bits() & 0x7fff_ffff;
            let greatest = x.iter().map(bits).fold(0, u32::max);
            let (step, inverse) = match greatest {
                0..LEAST => (0.0, 0.0),
                _ => (f32::from_bits(greatest) / MOST, MOST / f32::from_bits(greatest)),
            };
            let mut q = [0u32; GROUP];
            for (q, x) in q.iter_mut().zip(x) {
                *q = (x * inverse + ROUND).to_bits() & 0xffff;
            }
            let sum: i32 = q.iter().map(|q| q.cast_signed() << 16 >> 16).sum();
            for t in 0..STEPS {
                let at = 4 * (t / 2) + t % 2;
                out[t * height + r] = q[at] | q[at + 2] << 16;
            }
            out[STEPS * height + r] = step.to_bits();
            out[(STEPS + 1) * height + r] = (step * sum as f32).to_bits();
        }
    }
}
