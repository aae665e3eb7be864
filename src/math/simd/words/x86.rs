//! Words of x86-64.
#![expect(unsafe_code, reason = "vector instructions exist only as unsafe functions")]

use std::arch::x86_64::*;

use super::Words;
use crate::math::simd::{Avx2, Avx512, Simd, x86::like_avx512};

/// One 512-bit register and products of 16-bit integers (AVX-512 BW and VNNI).
#[derive(Clone, Copy)]
pub struct Avx512Vnni;

like_avx512!(Avx512Vnni, {
    #[inline(always)]
    unsafe fn dot_pairs(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { <Avx512 as Simd>::dot_pairs(a, b, c) }
    }
});

// SAFETY (all methods of all): instructions and pointers are the caller's promise.
unsafe impl Words for Avx2 {
    type W = (__m256i, __m256i);
    #[inline(always)]
    unsafe fn words(p: *const u32) -> Self::W {
        unsafe { (_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast())) }
    }
    #[inline(always)]
    unsafe fn bytes(p: *const u8) -> Self::W {
        unsafe {
            let half = |p: *const u8| _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()));
            (half(p), half(p.add(8)))
        }
    }
    #[inline(always)]
    unsafe fn splat_word(x: u32) -> Self::W {
        unsafe { (_mm256_set1_epi32(x.cast_signed()), _mm256_set1_epi32(x.cast_signed())) }
    }
    #[inline(always)]
    unsafe fn store_words(p: *mut u32, w: Self::W) {
        unsafe {
            _mm256_storeu_si256(p.cast(), w.0);
            _mm256_storeu_si256(p.add(8).cast(), w.1);
        }
    }
    #[inline(always)]
    unsafe fn right(w: Self::W, by: u32) -> Self::W {
        unsafe {
            let by = _mm_cvtsi32_si128(by.cast_signed());
            (_mm256_srl_epi32(w.0, by), _mm256_srl_epi32(w.1, by))
        }
    }
    #[inline(always)]
    unsafe fn left(w: Self::W, by: u32) -> Self::W {
        unsafe {
            let by = _mm_cvtsi32_si128(by.cast_signed());
            (_mm256_sll_epi32(w.0, by), _mm256_sll_epi32(w.1, by))
        }
    }
    #[inline(always)]
    unsafe fn and(a: Self::W, b: Self::W) -> Self::W {
        unsafe { (_mm256_and_si256(a.0, b.0), _mm256_and_si256(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn or(a: Self::W, b: Self::W) -> Self::W {
        unsafe { (_mm256_or_si256(a.0, b.0), _mm256_or_si256(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn xor(a: Self::W, b: Self::W) -> Self::W {
        unsafe { (_mm256_xor_si256(a.0, b.0), _mm256_xor_si256(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn sub_halves(a: Self::W, b: Self::W) -> Self::W {
        unsafe { (_mm256_sub_epi16(a.0, b.0), _mm256_sub_epi16(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn look_up(table: &[u8; 16], w: Self::W) -> Self::W {
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            let low = _mm256_set1_epi16(0xff);
            let of = |w| _mm256_and_si256(_mm256_shuffle_epi8(table, w), low);
            (of(w.0), of(w.1))
        }
    }
    #[inline(always)]
    unsafe fn dot(sum: Self::W, a: Self::W, b: Self::W) -> Self::W {
        unsafe {
            (
                _mm256_add_epi32(sum.0, _mm256_madd_epi16(a.0, b.0)),
                _mm256_add_epi32(sum.1, _mm256_madd_epi16(a.1, b.1)),
            )
        }
    }
    #[inline(always)]
    unsafe fn to_floats(w: Self::W) -> Self::V {
        unsafe { (_mm256_cvtepi32_ps(w.0), _mm256_cvtepi32_ps(w.1)) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { (_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }
}

unsafe impl Words for Avx512Vnni {
    type W = __m512i;
    #[inline(always)]
    unsafe fn words(p: *const u32) -> __m512i {
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    unsafe fn bytes(p: *const u8) -> __m512i {
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast())) }
    }
    #[inline(always)]
    unsafe fn splat_word(x: u32) -> __m512i {
        unsafe { _mm512_set1_epi32(x.cast_signed()) }
    }
    #[inline(always)]
    unsafe fn store_words(p: *mut u32, w: __m512i) {
        unsafe { _mm512_storeu_si512(p.cast(), w) }
    }
    #[inline(always)]
    unsafe fn right(w: __m512i, by: u32) -> __m512i {
        unsafe { _mm512_srl_epi32(w, _mm_cvtsi32_si128(by.cast_signed())) }
    }
    #[inline(always)]
    unsafe fn left(w: __m512i, by: u32) -> __m512i {
        unsafe { _mm512_sll_epi32(w, _mm_cvtsi32_si128(by.cast_signed())) }
    }
    #[inline(always)]
    unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn or(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_or_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn xor(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_xor_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn sub_halves(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_sub_epi16(a, b) }
    }
    #[inline(always)]
    unsafe fn look_up(table: &[u8; 16], w: __m512i) -> __m512i {
        unsafe {
            let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            _mm512_and_si512(_mm512_shuffle_epi8(table, w), _mm512_set1_epi16(0xff))
        }
    }
    #[inline(always)]
    unsafe fn dot(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_dpwssd_epi32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn to_floats(w: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(w) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
}
