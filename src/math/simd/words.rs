//! Sixteen 32-bit words, and the products of the 16-bit integers in them.
#![expect(unsafe_code, reason = "vector instructions exist only as unsafe functions")]

use super::{Portable, Simd};

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
pub use x86::Avx512Vnni;

/// Sixteen 32-bit words side by side; a word is also two 16-bit integers, the low half first.
///
/// # Safety
///
/// As for [`Simd`]; pointers point to what the method says.
#[expect(clippy::missing_safety_doc, reason = "the section above holds for every method")]
pub unsafe trait Words: Simd {
    /// The registers.
    type W: Copy;
    /// 16 consecutive words.
    unsafe fn words(p: *const u32) -> Self::W;
    /// 16 consecutive bytes, each in a word of its own.
    unsafe fn bytes(p: *const u8) -> Self::W;
    /// One word in all lanes.
    unsafe fn splat_word(x: u32) -> Self::W;
    /// Writes 16 consecutive words.
    unsafe fn store_words(p: *mut u32, w: Self::W);
    /// Bits moved down by `by`, at most 31.
    unsafe fn right(w: Self::W, by: u32) -> Self::W;
    /// Bits moved up by `by`, at most 31.
    unsafe fn left(w: Self::W, by: u32) -> Self::W;
    /// Bits that both have.
    unsafe fn and(a: Self::W, b: Self::W) -> Self::W;
    /// Bits that one of them has.
    unsafe fn or(a: Self::W, b: Self::W) -> Self::W;
    /// Bits that exactly one of them has.
    unsafe fn xor(a: Self::W, b: Self::W) -> Self::W;
    /// The halves of `a` minus those of `b`.
    unsafe fn sub_halves(a: Self::W, b: Self::W) -> Self::W;
    /// `table[i]` for the numbers `i` below 16 in the halves of `w`.
    unsafe fn look_up(table: &[u8; 16], w: Self::W) -> Self::W;
    /// `sum` plus the products of low halves and of high halves, all signed; nothing may overflow.
    unsafe fn dot(sum: Self::W, a: Self::W, b: Self::W) -> Self::W;
    /// Signed words as the nearest numbers, ties to even.
    unsafe fn to_floats(w: Self::W) -> Self::V;
    /// `a · b`, rounded.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
}

fn each(f: impl Fn(usize) -> u32) -> [u32; 16] {
    std::array::from_fn(f)
}

// SAFETY: needs no instructions of its own; pointers are the caller's promise.
unsafe impl Words for Portable {
    type W = [u32; 16];
    #[inline(always)]
    unsafe fn words(p: *const u32) -> Self::W {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[u32; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn bytes(p: *const u8) -> Self::W {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[u8; 16]>().read() }.map(u32::from)
    }
    #[inline(always)]
    unsafe fn splat_word(x: u32) -> Self::W {
        [x; 16]
    }
    #[inline(always)]
    unsafe fn store_words(p: *mut u32, w: Self::W) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[u32; 16]>().write_unaligned(w) }
    }
    #[inline(always)]
    unsafe fn right(w: Self::W, by: u32) -> Self::W {
        w.map(|x| x >> by)
    }
    #[inline(always)]
    unsafe fn left(w: Self::W, by: u32) -> Self::W {
        w.map(|x| x << by)
    }
    #[inline(always)]
    unsafe fn and(a: Self::W, b: Self::W) -> Self::W {
        each(|i| a[i] & b[i])
    }
    #[inline(always)]
    unsafe fn or(a: Self::W, b: Self::W) -> Self::W {
        each(|i| a[i] | b[i])
    }
    #[inline(always)]
    unsafe fn xor(a: Self::W, b: Self::W) -> Self::W {
        each(|i| a[i] ^ b[i])
    }
    #[inline(always)]
    unsafe fn sub_halves(a: Self::W, b: Self::W) -> Self::W {
        each(|i| {
            let low = a[i].wrapping_sub(b[i]) & 0xffff;
            low | (a[i] & 0xffff_0000).wrapping_sub(b[i] & 0xffff_0000)
        })
    }
    #[inline(always)]
    unsafe fn look_up(table: &[u8; 16], w: Self::W) -> Self::W {
        let of = |i: u32| u32::from(table[(i & 15) as usize]);
        w.map(|w| of(w) | of(w >> 16) << 16)
    }
    #[inline(always)]
    unsafe fn dot(sum: Self::W, a: Self::W, b: Self::W) -> Self::W {
        let low = |x: u32| x.cast_signed() << 16 >> 16;
        let high = |x: u32| x.cast_signed() >> 16;
        each(|i| {
            let both = low(a[i]).wrapping_mul(low(b[i])).wrapping_add(high(a[i]) * high(b[i]));
            sum[i].wrapping_add(both.cast_unsigned())
        })
    }
    #[inline(always)]
    unsafe fn to_floats(w: Self::W) -> Self::V {
        w.map(|x| x.cast_signed() as f32)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i])
    }
}
