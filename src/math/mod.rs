//! Arithmetic of rows and matrices: plain slices in, numbers out, the same bits on every processor.

pub mod eigen;
pub(crate) mod exp;
pub mod gemm;
pub(crate) mod lanes;
pub mod quant;
pub(crate) mod quantile;
pub mod ranks;
pub mod simd;
pub mod special;
