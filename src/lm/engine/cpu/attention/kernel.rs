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

/// Runs `$kernel::<$S, QUERIES, PARTS>$args` at each `$at` of `$parts`: as many parts at once as there are
/// registers for beside that many queries, then one by one. The arguments are the caller's promise.
macro_rules! tiles {
    ($S:ident, $m:ident, $at:ident of $parts:expr, $kernel:ident $args:tt, $($queries:literal => $wide:literal)*) => {
        match $m {
            $($queries => {
                let mut $at = 0;
                if is_wide::<$S>() {
                    while $at + $wide <= $parts {
                        $kernel::<$S, $queries, $wide>$args;
                        $at += $wide;
                    }
                }
                while $at < $parts {
                    $kernel::<$S, $queries, 1>$args;
                    $at += 1;
                }
            })*
            _ => unreachable!("tiles have 1 to 8 queries"),
        }
    };
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
    // SAFETY: blocks b.. are there, by the caller's promise.
    unsafe {
        tiles!(
            S, m, b of blocks, scores(q, keys.add(b * d * 16), d, out.add(b * 16), stride),
            1 => 8 2 => 8 3 => 6 4 => 4 5 => 4 6 => 3 7 => 3 8 => 3
        );
    }
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
    // SAFETY: columns 16 j.. are there, by the assertion and the caller's promise.
    unsafe {
        tiles!(
            S, m, j of width / 16, sum(p, stride, values.add(16 * j), width, count, out.add(16 * j)),
            1 => 4 2 => 4 3 => 4 4 => 4 5 => 4 6 => 4 7 => 2 8 => 2
        );
    }
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
