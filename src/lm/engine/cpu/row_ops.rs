//! Norms, activations and rotations of single rows, with the same bits on every machine.
//!
//! Sums run in 16 lanes that are added in a fixed tree; exponentials are a polynomial of fused
//! multiply-adds, so a vectorised loop and a plain one agree.
#![expect(unsafe_code, reason = "the same loops compiled for several instruction sets")]
#![expect(clippy::extra_unused_type_parameters, reason = "the compiler chooses the instructions")]

use crate::{
    lm::arch::config::Activation,
    math::simd::{Isa, Simd, for_isa},
};

/// `eˣ` to 2 units in the last place; 0 below −87.3, at most e^88.7.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
    const LOW: f32 = -87.3;
    let clamped = x.clamp(LOW, 88.7);
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first exact in products with small integers.
    let r = n.mul_add(-0.693_359_4, clamped);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4f32
        .mul_add(r, 1.398_2e-3)
        .mul_add(r, 8.333_452e-3)
        .mul_add(r, 4.166_579_6e-2)
        .mul_add(r, 1.666_666_5e-1)
        .mul_add(r, 0.5);
    let e = p.mul_add(r * r, r) + 1.0;
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    // A NaN passes through the clamp and the polynomial.
    if x < LOW { 0.0 } else { e * scale }
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    let u = 0.797_884_6 * (0.044_715 * x * x).mul_add(x, x);
    // tanh u = 1 − 2/(e^2u + 1), so (1 + tanh u)/2 = 1 − 1/(e^2u + 1).
    x * (1.0 - 1.0 / (exp(2.0 * u) + 1.0))
}

/// `x Φ(x)`, off by at most 2.2 · 10⁻⁷ `|x|`.
///
/// `Φ(−a) = e^(−a²/2) · r(1/(1 + 0.3 a))`, where `r` is the polynomial of degree 8 without a constant that leaves the least
/// relative error for `a` from 0 to 14.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let a = x.abs();
    let u = 1.0 / a.mul_add(0.3, 1.0);
    let r = 3.567_686_3e-2f32
        .mul_add(u, -1.572_116_3e-1)
        .mul_add(u, 2.063_679_4e-1)
        .mul_add(u, -5.369_666_6e-2)
        .mul_add(u, 1.285_684_3e-1)
        .mul_add(u, 9.991_144e-2)
        .mul_add(u, 1.207_542_9e-1)
        .mul_add(u, 1.196_292_8e-1);
    let outside = x * (r * u * exp(-0.5 * a * a));
    if x < 0.0 { outside } else { x - outside }
}

for_isa! { fn gate_rows(up: &mut [f32], gate: &[f32]) = gate_body }
for_isa! { fn gelu_rows(x: &mut [f32]) = gelu_body }
for_isa! { fn gelu_tanh_rows(x: &mut [f32]) = gelu_tanh_body }
for_isa! { fn silu_rows(x: &mut [f32]) = silu_body }
for_isa! { fn exp_rows(x: &mut [f32], max: f32, sum: &mut f32) = exp_body }
for_isa! { fn rms_row(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) = rms_body }
for_isa! {
    fn layer_norm_row(x: &[f32], gain: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) = layer_norm_body
}
for_isa! { fn max_rows(x: &[f32], max: &mut f32) = max_body }
for_isa! { fn zero_rows(x: &[f32], sum: &mut f32) = zero_body }
for_isa! { fn add_rows(x: &mut [f32], y: &[f32]) = add_body }
for_isa! { fn add_scaled_rows(x: &mut [f32], by: f32, y: &[f32]) = add_scaled_body }
for_isa! { fn cap_rows(x: &mut [f32], cap: f32) = cap_body }
for_isa! { fn clamped_rows(up: &mut [f32], gate: &[f32], alpha: f32, limit: f32) = clamped_body }

#[inline(always)]
unsafe fn gate_body<S: Simd>(up: &mut [f32], gate: &[f32]) {
    up.iter_mut().zip(gate).for_each(|(u, &g)| *u *= silu(g));
}

#[inline(always)]
unsafe fn gelu_body<S: Simd>(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = gelu(*x));
}

#[inline(always)]
unsafe fn gelu_tanh_body<S: Simd>(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = gelu_tanh(*x));
}

#[inline(always)]
unsafe fn silu_body<S: Simd>(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = silu(*x));
}

#[inline(always)]
unsafe fn add_body<S: Simd>(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

#[inline(always)]
unsafe fn add_scaled_body<S: Simd>(x: &mut [f32], by: f32, y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x = y.mul_add(by, *x));
}

#[inline(always)]
unsafe fn cap_body<S: Simd>(x: &mut [f32], cap: f32) {
    // tanh u = 1 − 2/(e^2u + 1)
    x.iter_mut().for_each(|x| *x = cap * (1.0 - 2.0 / (exp(2.0 * (*x / cap)) + 1.0)));
}

#[inline(always)]
unsafe fn clamped_body<S: Simd>(up: &mut [f32], gate: &[f32], alpha: f32, limit: f32) {
    for (u, &g) in up.iter_mut().zip(gate) {
        let g = g.min(limit);
        *u = (u.clamp(-limit, limit) + 1.0) * (g / (1.0 + exp(-alpha * g)));
    }
}

/// The sum of `f(i)` for `i < n`: lane `i mod 16`, then the lanes in a tree.
#[inline(always)]
fn lanes_sum(x: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let mut blocks = x.chunks_exact(16);
    for block in &mut blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = f(x, *lane);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(blocks.remainder()) {
        *lane = f(x, *lane);
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

#[inline(always)]
unsafe fn exp_body<S: Simd>(x: &mut [f32], max: f32, sum: &mut f32) {
    x.iter_mut().for_each(|x| *x = exp(*x - max));
    *sum = lanes_sum(x, |x, sum| sum + x);
}

#[inline(always)]
unsafe fn max_body<S: Simd>(x: &[f32], max: &mut f32) {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let mut blocks = x.chunks_exact(16);
    for block in &mut blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    let rest = blocks.remainder().iter().chain(&lanes);
    *max = rest.fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
}

/// 0 · x is 0 for finite numbers only.
#[inline(always)]
unsafe fn zero_body<S: Simd>(x: &[f32], sum: &mut f32) {
    *sum = lanes_sum(x, |x, sum| x.mul_add(0.0, sum));
}

#[inline(always)]
unsafe fn rms_body<S: Simd>(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    let mean = lanes_sum(x, |x, sum| x.mul_add(x, sum)) / x.len() as f32;
    let by = 1.0 / (mean + eps).sqrt();
    out.iter_mut().zip(x).zip(gain).for_each(|((o, x), g)| *o = x * by * g);
}

#[inline(always)]
unsafe fn layer_norm_body<S: Simd>(
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
    out: &mut [f32],
) {
    let n = x.len() as f32;
    let mean = lanes_sum(x, |x, sum| sum + x) / n;
    let variance = lanes_sum(x, |x, sum| (x - mean).mul_add(x - mean, sum)) / n;
    let by = 1.0 / (variance + eps).sqrt();
    for (((o, x), g), b) in out.iter_mut().zip(x).zip(gain).zip(bias) {
        *o = ((x - mean) * by).mul_add(*g, *b);
    }
}

/// `x ← x + y`.
pub fn add(isa: Isa, x: &mut [f32], y: &[f32]) {
    // SAFETY: `isa` is available; no pointers.
    unsafe { add_rows(isa, x, y) }
}

/// `x ← x + by · y`.
pub fn add_scaled(isa: Isa, x: &mut [f32], by: f32, y: &[f32]) {
    // SAFETY: `isa` is available; no pointers.
    unsafe { add_scaled_rows(isa, x, by, y) }
}

/// `x ← cap · tanh(x/cap)`.
pub fn soft_cap(isa: Isa, x: &mut [f32], cap: f32) {
    // SAFETY: `isa` is available; no pointers.
    unsafe { cap_rows(isa, x, cap) }
}

/// `x ← f(x)`, for functions of one half.
pub fn activate(isa: Isa, f: Activation, x: &mut [f32]) {
    // SAFETY: `isa` is available; no pointers.
    unsafe {
        match f {
            Activation::Silu => silu_rows(isa, x),
            Activation::GeluTanh => gelu_tanh_rows(isa, x),
            Activation::Gelu => gelu_rows(isa, x),
            Activation::Relu => x.iter_mut().for_each(|x| *x = x.max(0.0)),
            Activation::ClampedSwish { .. } => unreachable!("a clamped gate has an up half"),
        }
    }
}

/// Whether no value is NaN or infinite.
pub fn all_finite(isa: Isa, x: &[f32]) -> bool {
    let mut sum = 0.0;
    // SAFETY: `isa` is available; no pointers.
    unsafe { zero_rows(isa, x, &mut sum) };
    sum == 0.0
}

/// `up ← f(gate) · up`, or the clamped gate of both.
pub fn gate(isa: Isa, f: Activation, gate: &[f32], up: &mut [f32]) {
    match f {
        // SAFETY: `isa` is available; no pointers.
        Activation::Silu => unsafe { gate_rows(isa, up, gate) },
        Activation::ClampedSwish { alpha, limit } => {
            // SAFETY: as above.
            unsafe { clamped_rows(isa, up, gate, alpha, limit) }
        }
        Activation::Gelu | Activation::GeluTanh | Activation::Relu => {
            let mut opened = gate.to_vec();
            activate(isa, f, &mut opened);
            up.iter_mut().zip(opened).for_each(|(u, g)| *u *= g);
        }
    }
}

/// The greatest value; NaNs are passed over.
pub fn greatest(isa: Isa, x: &[f32]) -> f32 {
    let mut max = f32::NEG_INFINITY;
    // SAFETY: `isa` is available; no pointers.
    unsafe { max_rows(isa, x, &mut max) };
    max
}

/// `x ← e^(x − max)`; returns the sum.
pub fn exp_sum(isa: Isa, x: &mut [f32], max: f32) -> f32 {
    let mut sum = 0.0;
    // SAFETY: `isa` is available; no pointers.
    unsafe { exp_rows(isa, x, max, &mut sum) };
    sum
}

/// `out = x / √(mean(x²) + eps) · gain`.
pub fn rms_norm(isa: Isa, x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    // SAFETY: `isa` is available; no pointers.
    unsafe { rms_row(isa, x, gain, eps, out) }
}

/// `out = (x − mean) / √(variance + eps) · gain + bias`.
pub fn layer_norm(isa: Isa, x: &[f32], gain: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    // SAFETY: `isa` is available; no pointers.
    unsafe { layer_norm_row(isa, x, gain, bias, eps, out) }
}

/// Turns the pairs `(x[i], x[i + d/2])` of a head by the angles whose cosines and sines are given.
pub fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = head.split_at_mut(cos.len());
    for (((a, b), c), s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_three_units_of_the_last_place() {
        let worst = (-8700..8800).map(|i| i as f32 / 100.0).fold(0f64, |worst, x| {
            let truth = f64::from(x).exp();
            worst.max((f64::from(exp(x)) - truth).abs() / truth)
        });
        assert!(worst < 2e-7, "relative error {worst:e}");
        assert_eq!((exp(0.0), exp(-100.0), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test] // against the library's error function in f64
    fn gelu_is_that_of_the_error_function() {
        let mut x: Vec<f32> = (-130_000..=130_000).map(|i| i as f32 * 1e-4).collect();
        x.extend([-1e30, -40.0, 40.0, 1e30, f32::MIN_POSITIVE]);
        let mut got = x.clone();
        activate(Isa::best(), Activation::Gelu, &mut got);
        for (&x, &got) in x.iter().zip(&got) {
            let x = f64::from(x);
            let root = std::f64::consts::SQRT_2;
            let want = 0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / root));
            assert!((f64::from(got) - want).abs() <= 2.6e-7 * x.abs(), "{x}: {got}, {want}");
        }
        let mut odd = [f32::NAN, 0.0];
        activate(Isa::best(), Activation::Gelu, &mut odd);
        assert!(odd[0].is_nan() && odd[1] == 0.0);
    }

    #[test]
    fn caps_and_clamped_gates_are_those_of_their_formulas() {
        let x: Vec<f32> = (-40..40).map(|i| i as f32 * 0.5).collect();
        let (mut capped, mut gated) = (x.clone(), x.clone());
        soft_cap(Isa::best(), &mut capped, 5.0);
        let f = Activation::ClampedSwish { alpha: 1.702, limit: 7.0 };
        gate(Isa::best(), f, &x, &mut gated);
        for ((x, capped), gated) in x.iter().map(|x| f64::from(*x)).zip(capped).zip(gated) {
            assert!((f64::from(capped) - 5.0 * (x / 5.0).tanh()).abs() < 2e-6, "{x}");
            let g = x.min(7.0);
            let wanted = (x.clamp(-7.0, 7.0) + 1.0) * g / (1.0 + (-1.702 * g).exp());
            assert!((f64::from(gated) - wanted).abs() < 2e-5, "{x}: {gated} {wanted}");
        }
    }

    #[test]
    fn rows_have_the_same_bits_with_every_instruction_set() {
        let x: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin() * 9.0).collect();
        let all = |isa| {
            let (mut a, mut b, mut c) = (x.clone(), x.clone(), x.clone());
            let (mut d, mut e) = (x.clone(), x.clone());
            let (mut f, mut g, mut h) = (x.clone(), x.clone(), x.clone());
            soft_cap(isa, &mut f, 5.0);
            add_scaled(isa, &mut g, 0.3, &x);
            gate(isa, Activation::ClampedSwish { alpha: 1.702, limit: 7.0 }, &x, &mut h);
            activate(isa, Activation::GeluTanh, &mut a);
            gate(isa, Activation::Silu, &x, &mut b);
            c.push(exp_sum(isa, &mut d, 9.0));
            rms_norm(isa, &x, &x, 1e-5, &mut c[..1000]);
            layer_norm(isa, &x, &x, &x, 1e-5, &mut e);
            [a, b, c, d, e, f, g, h]
        };
        for isa in Isa::available() {
            assert_eq!(all(isa), all(Isa::Portable), "{}", isa.name());
        }
    }
}
