//! `llmpr` tells how good and how diverse a language model's texts are, as two separate numbers.
//!
//! A cloud of generated texts `Q` is held against a cloud of reference texts `P`: precision is the
//! share of `Q` that lies in the support of `P`, recall the share of `P` that lies in the support
//! of `Q`.

pub mod decode;
pub mod eigen;
pub mod gemm;
pub mod hex;
#[cfg(feature = "lm")]
pub mod lm;
pub mod matrix;
pub mod metric;
pub mod npy;
pub mod number;
pub mod pca;
mod product;
pub mod report;
pub mod rng;
pub mod rows;
pub mod run;
#[cfg(test)]
mod shared_data;
pub mod sides;
pub mod signature;
pub mod simd;
pub mod text;
mod vector;

#[cfg(feature = "cli")]
pub mod cli;
