//! Experts packed in MXFP4, as published gpt-oss checkpoints have them.
//!
//! 32 numbers of a row share a scale `2^(byte − 127)`; each is one of 16 values of four bits, the even ones in the low
//! halves of 16 bytes. Every product of the two is a bf16 exactly.

use candle_core::{Device, Result, Tensor};
use half::bf16;

use crate::lm::{LmError, Weights};

const VALUES: [f32; 16] =
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];

/// Numbers of a block.
const BLOCK: usize = 32;

/// Whether `name` is stored so.
pub(super) fn is_packed(weights: &Weights, name: &str) -> bool {
    weights.has(&format!("{name}_blocks"))
}

/// The matrices of all experts, `experts × rows × columns` of bf16.
pub(super) fn read(
    weights: &Weights,
    name: &str,
    [experts, rows, columns]: [usize; 3],
) -> std::result::Result<Tensor, LmError> {
    let groups = columns / BLOCK;
    let blocks = weights.bytes(&format!("{name}_blocks"), &[experts, rows, groups, BLOCK / 2])?;
    let scales = weights.bytes(&format!("{name}_scales"), &[experts, rows, groups])?;
    Ok(widen(&blocks, &scales, (experts, rows, columns))?)
}

fn widen(blocks: &[u8], scales: &[u8], shape: (usize, usize, usize)) -> Result<Tensor> {
    let mut values = Vec::with_capacity(shape.0 * shape.1 * shape.2);
    for (block, scale) in blocks.chunks_exact(BLOCK / 2).zip(scales) {
        let by = 2f64.powi(i32::from(*scale) - 127) as f32;
        for byte in block {
            for half in [byte & 15, byte >> 4] {
                values.push(bf16::from_f32(VALUES[usize::from(half)] * by));
            }
        }
    }
    Tensor::from_vec(values, shape, &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_bytes_follow_each_other_and_share_a_power_of_two() {
        let mut blocks = vec![0u8; 32];
        (blocks[0], blocks[1], blocks[16]) = (0x21, 0xF9, 0x07);
        let wide = widen(&blocks, &[127, 129], (1, 2, 32)).unwrap();
        let wide: Vec<Vec<Vec<bf16>>> = wide.to_vec3().unwrap();
        let first: Vec<f32> = wide[0][0][..5].iter().map(|x| x.to_f32()).collect();
        assert_eq!(first, [0.5, 1.0, -0.5, -6.0, 0.0]);
        assert_eq!(wide[0][1][0].to_f32(), 24.0);
    }
}
