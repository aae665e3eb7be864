//! What kernels do with registers, and registers of plain Rust.
#![expect(unsafe_code, reason = "vector instructions exist only as unsafe functions")]

/// Sixteen `f32` side by side.
///
/// # Safety
///
/// Every method may be called only where the processor has the instructions that the implementation
/// is named after; pointers point to 16 readable (writable) values.
#[expect(clippy::missing_safety_doc, reason = "the section above holds for every method")]
pub unsafe trait Simd: Copy {
    /// The registers.
    type V: Copy;
    /// Zeros.
    unsafe fn zero() -> Self::V;
    /// One value in all lanes.
    unsafe fn splat(x: f32) -> Self::V;
    /// 16 consecutive values.
    unsafe fn load(p: *const f32) -> Self::V;
    /// 16 consecutive bfloat16.
    unsafe fn load_bf16(p: *const u16) -> Self::V;
    /// 16 consecutive IEEE halves.
    unsafe fn load_f16(p: *const u16) -> Self::V;
    /// Writes 16 consecutive values.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `a · b + c`, rounded once.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// 16 consecutive pairs of bfloat16, the first of each in the low half.
    unsafe fn load_pairs(p: *const u32) -> Self::V;
    /// One pair in all lanes.
    #[inline(always)]
    unsafe fn splat_pair(pair: u32) -> Self::V {
        // SAFETY: the caller's promise; the number is only carried.
        unsafe { Self::splat(f32::from_bits(pair)) }
    }
    /// `c` plus the products of the second numbers of `a` and `b`, then those of the first, each sum
    /// rounded once.
    unsafe fn dot_pairs(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
}

/// Eight `f64` side by side.
///
/// # Safety
///
/// As for [`Simd`]; pointers point to 8 readable (writable) values.
#[expect(clippy::missing_safety_doc, reason = "the section above holds for every method")]
pub unsafe trait Doubles: Copy {
    /// The registers.
    type D: Copy;
    /// Whether one register holds all eight, and there are 32.
    const WIDE: bool;
    /// One value in all lanes.
    unsafe fn splat(x: f64) -> Self::D;
    /// 8 consecutive values.
    unsafe fn load(p: *const f64) -> Self::D;
    /// Writes 8 consecutive values.
    unsafe fn store(p: *mut f64, v: Self::D);
    /// `a · b + c`, rounded once.
    unsafe fn fma(a: Self::D, b: Self::D, c: Self::D) -> Self::D;
}

/// Plain Rust.
#[derive(Clone, Copy)]
pub struct Portable;

// SAFETY: needs no instructions of its own; pointers are the caller's promise.
unsafe impl Doubles for Portable {
    type D = [f64; 8];
    const WIDE: bool = false;
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self::D {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self::D {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f64; 8]>().read() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f64, v: Self::D) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f64; 8]>().write(v) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::D, b: Self::D, c: Self::D) -> Self::D {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
}

// SAFETY: needs no instructions of its own; pointers are the caller's promise.
unsafe impl Simd for Portable {
    type V = [f32; 16];
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        [0.0; 16]
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; 16]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; 16]>().read() }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[u16; 16]>().read() }.map(|x| f32::from_bits(u32::from(x) << 16))
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[u16; 16]>().read() }.map(|x| half::f16::from_bits(x).to_f32())
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; 16]>().write(v) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn load_pairs(p: *const u32) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[u32; 16]>().read() }.map(f32::from_bits)
    }
    #[inline(always)]
    unsafe fn dot_pairs(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let second = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
        let first = |x: f32| f32::from_bits(x.to_bits() << 16);
        std::array::from_fn(|i| {
            first(a[i]).mul_add(first(b[i]), second(a[i]).mul_add(second(b[i]), c[i]))
        })
    }
}
