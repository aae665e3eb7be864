//! Registers of x86-64.
#![expect(unsafe_code, reason = "vector instructions exist only as unsafe functions")]

use std::arch::x86_64::*;

use super::{Doubles, Simd};

/// Two 256-bit registers.
#[derive(Clone, Copy)]
pub struct Avx2;

/// One 512-bit register.
#[derive(Clone, Copy)]
pub struct Avx512;

/// One 512-bit register and products of bfloat16.
#[derive(Clone, Copy)]
pub struct Avx512Bf16;

// SAFETY (all methods of both): instructions and pointers are the caller's promise.
unsafe impl Doubles for Avx512 {
    type D = __m512d;
    const WIDE: bool = true;
    #[inline(always)]
    unsafe fn splat(x: f64) -> __m512d {
        unsafe { _mm512_set1_pd(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> __m512d {
        unsafe { _mm512_loadu_pd(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f64, v: __m512d) {
        unsafe { _mm512_storeu_pd(p, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }
}

unsafe impl Doubles for Avx2 {
    type D = (__m256d, __m256d);
    const WIDE: bool = false;
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self::D {
        unsafe { (_mm256_set1_pd(x), _mm256_set1_pd(x)) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self::D {
        unsafe { (_mm256_loadu_pd(p), _mm256_loadu_pd(p.add(4))) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f64, v: Self::D) {
        unsafe {
            _mm256_storeu_pd(p, v.0);
            _mm256_storeu_pd(p.add(4), v.1);
        }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::D, b: Self::D, c: Self::D) -> Self::D {
        unsafe { (_mm256_fmadd_pd(a.0, b.0, c.0), _mm256_fmadd_pd(a.1, b.1, c.1)) }
    }
}

// SAFETY (all methods of both): instructions and pointers are the caller's promise.
unsafe impl Simd for Avx512 {
    type V = __m512;
    #[inline(always)]
    unsafe fn zero() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> __m512 {
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn load_pairs(p: *const u32) -> __m512 {
        unsafe { _mm512_loadu_ps(p.cast()) }
    }
    #[inline(always)]
    unsafe fn dot_pairs(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe {
            let second = |x| {
                let mask = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
                _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x), mask))
            };
            let first = |x| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(x)));
            let sum = _mm512_fmadd_ps(second(a), second(b), c);
            _mm512_fmadd_ps(first(a), first(b), sum)
        }
    }
}

/// The [`Simd`] of registers that are those of [`Avx512`], with products of pairs of their own.
macro_rules! like_avx512 {
    ($registers:ty, { $($dot_pairs:tt)* }) => {
        // SAFETY (all methods): as above.
        unsafe impl Simd for $registers {
            type V = __m512;
            #[inline(always)]
            unsafe fn zero() -> __m512 {
                unsafe { <Avx512 as Simd>::zero() }
            }
            #[inline(always)]
            unsafe fn splat(x: f32) -> __m512 {
                unsafe { <Avx512 as Simd>::splat(x) }
            }
            #[inline(always)]
            unsafe fn load(p: *const f32) -> __m512 {
                unsafe { <Avx512 as Simd>::load(p) }
            }
            #[inline(always)]
            unsafe fn load_bf16(p: *const u16) -> __m512 {
                unsafe { <Avx512 as Simd>::load_bf16(p) }
            }
            #[inline(always)]
            unsafe fn load_f16(p: *const u16) -> __m512 {
                unsafe { <Avx512 as Simd>::load_f16(p) }
            }
            #[inline(always)]
            unsafe fn store(p: *mut f32, v: __m512) {
                unsafe { <Avx512 as Simd>::store(p, v) }
            }
            #[inline(always)]
            unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
                unsafe { <Avx512 as Simd>::fma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn load_pairs(p: *const u32) -> __m512 {
                unsafe { <Avx512 as Simd>::load_pairs(p) }
            }
            $($dot_pairs)*
        }
    };
}
pub(super) use like_avx512;

like_avx512!(Avx512Bf16, {
    #[inline(always)]
    unsafe fn dot_pairs(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: both are 64 bytes of any bits.
        let pairs = |x: __m512| unsafe { std::mem::transmute::<__m512, __m512bh>(x) };
        unsafe { _mm512_dpbf16_ps(c, pairs(a), pairs(b)) }
    }
});

unsafe impl Simd for Avx2 {
    type V = (__m256, __m256);
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        unsafe { (_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { (_mm256_set1_ps(x), _mm256_set1_ps(x)) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { (_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self::V {
        unsafe {
            let half = |p: *const u16| {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            };
            (half(p), half(p.add(8)))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self::V {
        unsafe {
            let half = |p: *const u16| _mm256_cvtph_ps(_mm_loadu_si128(p.cast()));
            (half(p), half(p.add(8)))
        }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe {
            _mm256_storeu_ps(p, v.0);
            _mm256_storeu_ps(p.add(8), v.1);
        }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { (_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1)) }
    }
    #[inline(always)]
    unsafe fn load_pairs(p: *const u32) -> Self::V {
        unsafe { <Self as Simd>::load(p.cast()) }
    }
    #[inline(always)]
    unsafe fn dot_pairs(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe {
            let second = |x| {
                let mask = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
                _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(x), mask))
            };
            let first = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(x)));
            let half = |a, b, c| {
                _mm256_fmadd_ps(first(a), first(b), _mm256_fmadd_ps(second(a), second(b), c))
            };
            (half(a.0, b.0, c.0), half(a.1, b.1, c.1))
        }
    }
}
