//! Sixteen `f32` lanes, or eight of `f64`, on whatever the processor has, with one result.
//!
//! Every operation is exactly rounded (a fused multiply-add, never a product and a sum), so AVX-512,
//! AVX2 and plain Rust give the same bits, and so does every machine.
#![expect(unsafe_code, reason = "vector instructions exist only as unsafe functions")]

use std::sync::OnceLock;

/// Instructions that kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit registers, 32 of them.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 256-bit registers with fused multiply-add, 16 of them.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Plain Rust.
    Portable,
}

impl Isa {
    /// The widest that this processor runs; `LLMPR_ISA=avx2|portable` asks for less.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let wish = std::env::var("LLMPR_ISA").unwrap_or_default();
            let all = Self::available();
            let at_most = match wish.as_str() {
                "portable" => 1,
                "avx2" => all.len().min(2),
                _ => all.len(),
            };
            all[at_most - 1]
        })
    }

    /// All that this processor runs, the portable one first.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let mut all = vec![Self::Portable];
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            if avx2 {
                all.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    all.push(Self::Avx512);
                }
            }
            all
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![Self::Portable]
    }

    /// Whether it multiplies bfloat16 in one instruction here.
    pub fn has_bf16(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            self == Self::Avx512 && is_x86_feature_detected!("avx512bf16")
        }
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Its name, for logs.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            Self::Portable => "portable",
        }
    }
}

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

/// Two 256-bit registers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx2;

/// One 512-bit register.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx512;

/// One 512-bit register and products of bfloat16.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx512Bf16;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Avx2, Avx512, Avx512Bf16, Doubles, Simd};

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
                let first =
                    |x| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(x)));
                let sum = _mm512_fmadd_ps(second(a), second(b), c);
                _mm512_fmadd_ps(first(a), first(b), sum)
            }
        }
    }

    // SAFETY (all methods): as above; all but the products are those of `Avx512`.
    unsafe impl Simd for Avx512Bf16 {
        type V = __m512;
        #[inline(always)]
        unsafe fn zero() -> __m512 {
            unsafe { Avx512::zero() }
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
            unsafe { Avx512::load_bf16(p) }
        }
        #[inline(always)]
        unsafe fn load_f16(p: *const u16) -> __m512 {
            unsafe { Avx512::load_f16(p) }
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
            unsafe { Avx512::load_pairs(p) }
        }
        #[inline(always)]
        unsafe fn dot_pairs(a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: both are 64 bytes of any bits.
            let pairs = |x: __m512| unsafe { std::mem::transmute::<__m512, __m512bh>(x) };
            unsafe { _mm512_dpbf16_ps(c, pairs(a), pairs(b)) }
        }
    }

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
                let first =
                    |x| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(x)));
                let half = |a, b, c| {
                    _mm256_fmadd_ps(first(a), first(b), _mm256_fmadd_ps(second(a), second(b), c))
                };
                (half(a.0, b.0, c.0), half(a.1, b.1, c.1))
            }
        }
    }
}

/// Defines `$vis unsafe fn $name(isa, args…)` that runs `$body::<S>(args…)` compiled for `isa`.
///
/// The body is a generic `#[inline(always)]` function over [`Simd`].
macro_rules! for_isa {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) = $body:ident) => {
        $(#[$doc])*
        $vis unsafe fn $name(isa: $crate::simd::Isa, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma,f16c")]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: the features are enabled here; the rest is the caller's promise.
                unsafe { $body::<$crate::simd::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: as above.
                unsafe { $body::<$crate::simd::Avx2>($($arg),*) }
            }
            // SAFETY: an `Isa` is made only where the processor has its instructions.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Isa::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Isa::Avx2 => avx2($($arg),*),
                    $crate::simd::Isa::Portable => $body::<$crate::simd::Portable>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use for_isa;

/// Values of a cache line.
const LINE: usize = 16;

/// A buffer of `f32` that starts on a cache line; new memory is zero and untouched until written.
#[derive(Default)]
pub struct Lines {
    /// A line longer than it needs to be, so that one of its values starts a line.
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Lines {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let data = vec![0.0; len + LINE];
        // Where lines cannot be told, any place serves.
        let start = data.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { data, start, len }
    }

    /// Makes room for at least `len` values; what they hold is unspecified.
    pub fn reserve(&mut self, len: usize) -> &mut [f32] {
        if self.data.len() < self.start + len {
            *self = Self::zeros(len);
        }
        self.len = self.len.max(len);
        &mut self[..len]
    }
}

impl std::ops::Deref for Lines {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..][..self.len]
    }
}

impl std::ops::DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..][..self.len]
    }
}
