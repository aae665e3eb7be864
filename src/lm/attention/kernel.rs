//! Scores of a tile of queries against blocks of keys, and weighted sums of values.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use crate::math::simd::{Simd, for_isa};

/// Most queries of a tile.
pub(super) const MOST: usize = 8;

for_isa! {
    /// `out[r · stride + 16 b + j] = Σ_i query[i · m + r] · keys[(b · d + i) · 16 + j]`.
    ///
    /// # Safety
    ///
    /// `keys` holds `blocks` blocks, `out` has `m` rows with room for `16 · blocks` values.
    #[expect(clippy::too_many_arguments, reason = "shapes and pointers of a kernel")]
    pub(super) fn score(
        m: usize, query: &[f32], keys: *const f32, d: usize, blocks: usize, out: *mut f32, stride: usize,
    ) = score_body
}

for_isa! {
    /// `sums[r · width + j] += Σ_t p[r · stride + t] · values[t · width + j]`, in the order of `t`.
    ///
    /// # Safety
    ///
    /// `values` holds `count` rows of `width`, a multiple of 16; `p` has `m` rows of `count` values.
    #[expect(clippy::too_many_arguments, reason = "shapes and pointers of a kernel")]
    pub(super) fn weigh(
        m: usize, p: *const f32, stride: usize, values: *const f32, width: usize, count: usize,
        sums: &mut [f32],
    ) = weigh_body
}

#[inline(always)]
fn is_wide<S: Simd>() -> bool {
    align_of::<S::V>() == 64
}

#[inline(always)]
unsafe fn score_body<S: Simd>(
    m: usize,
    query: &[f32],
    keys: *const f32,
    d: usize,
    blocks: usize,
    out: *mut f32,
    stride: usize,
) {
    assert!(query.len() == m * d);
    let q = query.as_ptr();
    macro_rules! tiles {
        ($($m:literal => $wide:literal)*) => {
            match m {
                $($m => {
                    let mut b = 0;
                    // SAFETY: blocks b.. are there, by the caller's promise.
                    unsafe {
                        if is_wide::<S>() {
                            while b + $wide <= blocks {
                                scores::<S, $m, $wide>(q, keys.add(b * d * 16), d, out.add(b * 16), stride);
                                b += $wide;
                            }
                        }
                        while b < blocks {
                            scores::<S, $m, 1>(q, keys.add(b * d * 16), d, out.add(b * 16), stride);
                            b += 1;
                        }
                    }
                })*
                _ => unreachable!("tiles have 1 to 8 queries"),
            }
        };
    }
    tiles!(1 => 8 2 => 8 3 => 6 4 => 4 5 => 4 6 => 3 7 => 3 8 => 3);
}

#[inline(always)]
unsafe fn scores<S: Simd, const M: usize, const N: usize>(
    q: *const f32,
    keys: *const f32,
    d: usize,
    out: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::zero(); N]; M];
        for i in 0..d {
            let mut k = [S::zero(); N];
            for (b, k) in k.iter_mut().enumerate() {
                *k = S::load(keys.add((b * d + i) * 16));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = S::splat(*q.add(i * M + r));
                for (sum, k) in sums.iter_mut().zip(k) {
                    *sum = S::fma(x, k, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (b, &sum) in sums.iter().enumerate() {
                S::store(out.add(r * stride + 16 * b), sum);
            }
        }
    }
}

#[inline(always)]
unsafe fn weigh_body<S: Simd>(
    m: usize,
    p: *const f32,
    stride: usize,
    values: *const f32,
    width: usize,
    count: usize,
    sums: &mut [f32],
) {
    assert!(sums.len() >= m * width && width.is_multiple_of(16));
    let out = sums.as_mut_ptr();
    macro_rules! tiles {
        ($($m:literal => $wide:literal)*) => {
            match m {
                $($m => {
                    let mut j = 0;
                    // SAFETY: columns j.. are there, by the assertion and the caller's promise.
                    unsafe {
                        if is_wide::<S>() {
                            while j + 16 * $wide <= width {
                                sum::<S, $m, $wide>(p, stride, values.add(j), width, count, out.add(j));
                                j += 16 * $wide;
                            }
                        }
                        while j < width {
                            sum::<S, $m, 1>(p, stride, values.add(j), width, count, out.add(j));
                            j += 16;
                        }
                    }
                })*
                _ => unreachable!("tiles have 1 to 8 queries"),
            }
        };
    }
    tiles!(1 => 4 2 => 4 3 => 4 4 => 4 5 => 4 6 => 4 7 => 2 8 => 2);
}

#[inline(always)]
unsafe fn sum<S: Simd, const M: usize, const N: usize>(
    p: *const f32,
    stride: usize,
    values: *const f32,
    width: usize,
    count: usize,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::zero(); N]; M];
        for (r, sums) in sums.iter_mut().enumerate() {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = S::load(out.add(r * width + 16 * j));
            }
        }
        for t in 0..count {
            let mut v = [S::zero(); N];
            for (j, v) in v.iter_mut().enumerate() {
                *v = S::load(values.add(t * width + 16 * j));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = S::splat(*p.add(r * stride + t));
                for (sum, v) in sums.iter_mut().zip(v) {
                    *sum = S::fma(x, v, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                S::store(out.add(r * width + 16 * j), sum);
            }
        }
    }
}
