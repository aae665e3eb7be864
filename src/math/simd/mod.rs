//! Sixteen `f32` lanes, or eight of `f64`, on whatever the processor has, with one result.
//!
//! [`Isa::best`] decides once which instructions every loop runs on. `for_isa!` compiles kernels that are
//! written over the registers of [`Simd`] and [`Doubles`], `widest!` plain loops; both for the same levels.
//! Every operation is exactly rounded (a fused multiply-add where one is written, and nowhere else), so
//! AVX-512, AVX2 and plain Rust give the same bits, and so does every machine.

mod dispatch;
mod isa;
mod lines;
mod registers;
mod words;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use dispatch::{compiled_for, for_isa, widest};
pub use isa::{Isa, UnknownIsa};
pub use lines::Lines;
pub use registers::{Doubles, Portable, Simd};
#[cfg(target_arch = "x86_64")]
pub use words::Avx512Vnni;
pub use words::Words;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512, Avx512Bf16};
