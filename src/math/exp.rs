//! Rows of `f64` as sampling needs them, `exp` above all: fast, and the same on every machine.

use super::simd::widest;

/// Lanes of sums; their number decides the rounding.
const LANES: usize = 8;

/// `out[i] = exp(x[i] − max)`; the result is their sum. `x ≤ max`.
///
/// A polynomial without branches that compilers turn into vector instructions, within 2 units in the
/// last place of the exact value. No fused operations are used and the sum runs over eight fixed
/// lanes, so every machine gives the same bits. Below `exp(−708)`, the least normal number, it is 0.
pub(crate) fn exp_row(x: &[f64], max: f64, out: &mut Vec<f64>) -> f64 {
    out.clear();
    out.resize(x.len(), 0.0);
    exp_into(x, max, out)
}

widest! {
    /// [`exp_row`] of a row as long as `out`.
    fn exp_into(x: &[f64], max: f64, out: &mut [f64]) -> f64 {
        let mut sums = [0.0; LANES];
        let (blocks, rest) = x.as_chunks::<LANES>();
        let (out_blocks, out_rest) = out.as_chunks_mut::<LANES>();
        for (block, out) in blocks.iter().zip(out_blocks) {
            for lane in 0..LANES {
                out[lane] = exp(block[lane] - max);
                sums[lane] += out[lane];
            }
        }
        let mut sum = sums.iter().sum::<f64>();
        for (x, out) in rest.iter().zip(out_rest) {
            *out = exp(x - max);
            sum += *out;
        }
        sum
    }

    /// The greatest of `x`; −∞ where there is none.
    pub(crate) fn greatest(x: &[f64]) -> f64 {
        let mut max = [f64::NEG_INFINITY; LANES];
        let (blocks, rest) = x.as_chunks::<LANES>();
        for block in blocks {
            for lane in 0..LANES {
                max[lane] = if block[lane] > max[lane] { block[lane] } else { max[lane] };
            }
        }
        max.iter().chain(rest).copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// `Σ w` and `Σ w (max − s)` over what has weight, in fixed lanes.
    pub(crate) fn dot(weights: &[f64], scores: &[f64], max: f64) -> (f64, f64) {
        let (mut masses, mut spreads) = ([0.0; LANES], [0.0; LANES]);
        let mut add = |lane: usize, w: f64, s: f64| {
            masses[lane] += w;
            spreads[lane] += if w > 0.0 { w * (max - s) } else { 0.0 };
        };
        let (blocks, rest) = weights.as_chunks::<LANES>();
        let (score_blocks, score_rest) = scores.as_chunks::<LANES>();
        for (w, s) in blocks.iter().zip(score_blocks) {
            for lane in 0..LANES {
                add(lane, w[lane], s[lane]);
            }
        }
        rest.iter().zip(score_rest).for_each(|(&w, &s)| add(0, w, s));
        (masses.iter().sum(), spreads.iter().sum())
    }

    /// `s ← (s − zero) / by`, and −∞ where nothing has weight.
    pub(crate) fn scale(scores: &mut [f64], weights: &[f64], zero: f64, by: f64) {
        for (s, w) in scores.iter_mut().zip(weights) {
            *s = if *w > 0.0 { (*s - zero) / by } else { f64::NEG_INFINITY };
        }
    }

    /// Widens, exactly.
    pub(crate) fn widen(x: &[f32], out: &mut [f64]) {
        out.iter_mut().zip(x).for_each(|(o, x)| *o = f64::from(*x));
    }
}

/// `exp(x)` for `x ≤ 0`: `x = n ln 2 + r` with `|r| ≤ ln 2 / 2`, a Taylor polynomial in `r`, times `2ⁿ`.
#[inline(always)]
fn exp(x: f64) -> f64 {
    // Adding 1.5·2⁵² leaves n in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const LEAST: f64 = -708.0;
    let inside = if x > LEAST { x } else { LEAST };
    let shifted = inside * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (inside - n * LN2_HIGH) - n * LN2_LOW;
    // 1/k! down to k = 13; the next term is below 2⁻⁵⁴.
    let mut p = 1.605_904_383_682_161_3e-10;
    for c in [
        2.087_675_698_786_81e-9,
        2.505_210_838_544_172e-8,
        2.755_731_922_398_589_3e-7,
        2.755_731_922_398_589e-6,
        2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4,
        1.388_888_888_888_889e-3,
        8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2,
        1.666_666_666_666_666_6e-1,
        0.5,
        1.0,
        1.0,
    ] {
        p = p * r + c;
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    if x > LEAST { p * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{math::simd::Isa, rng};

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for n in [0, 1, 7, 8, 33, 205] {
            let mut rng = rng::named(n as u64, "exp");
            let mut draw = || rng::next_unit(&mut rng);
            let scores: Vec<f64> = (0..n).map(|_| draw() * 900.0 - 800.0).collect();
            let weights: Vec<f64> = (0..n).map(|_| (draw() - 0.3).max(0.0)).collect();
            let narrow: Vec<f32> = scores.iter().map(|&x| x as f32).collect();
            let all_loops = |isa| {
                let (mut exps, mut wide, mut scaled) = (vec![9.0; n], vec![9.0; n], scores.clone());
                let sum = on::exp_into(isa, &scores, 100.0, &mut exps);
                on::widen(isa, &narrow, &mut wide);
                on::scale(isa, &mut scaled, &weights, 3.0, 0.7);
                let (mass, spread) = on::dot(isa, &weights, &scores, 100.0);
                let singles = [sum, on::greatest(isa, &scores), mass, spread];
                let all = [&exps[..], &wide, &scaled, &singles].concat();
                all.into_iter().map(f64::to_bits).collect::<Vec<_>>()
            };
            let plain = all_loops(Isa::Portable);
            for isa in Isa::available() {
                assert_eq!(all_loops(isa), plain, "{n} values, {}", isa.name());
            }
        }
    }

    #[test]
    fn every_instruction_set_is_close_to_the_exact_value() {
        let x: Vec<f64> = (0..100_003)
            .map(|i| -f64::from(i).powf(1.3) * 2.4e-4 + f64::from(i % 7) * 1e-3)
            .collect();
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut fast = Vec::new();
        let sum = exp_row(&x, max, &mut fast);
        for isa in Isa::available() {
            let mut others = vec![0.0; x.len()];
            assert_eq!(on::exp_into(isa, &x, max, &mut others).to_bits(), sum.to_bits());
            assert_eq!(fast, others, "{}", isa.name());
        }
        for (x, got) in x.iter().zip(&fast) {
            let exact = (x - max).exp();
            let allowed = if x - max > -708.0 { 3.0 * f64::EPSILON * exact } else { 1e-307 };
            assert!((got - exact).abs() <= allowed, "exp({}) = {got}, not {exact}", x - max);
        }
        assert!((sum / x.iter().map(|x| (x - max).exp()).sum::<f64>() - 1.0).abs() < 1e-13);
    }

    #[test]
    fn the_ends_are_exact() {
        let mut out = Vec::new();
        exp_row(&[0.0, f64::NEG_INFINITY, -1e300, -709.0], 0.0, &mut out);
        assert_eq!(out, [1.0, 0.0, 0.0, 0.0]);
    }
}
