//! Weights of any shape without a download, for timing.

use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

use super::{
    LmError, ModelConfig,
    checkpoint::weights::{Store, Weights},
    engine::parts,
};
use crate::rng;

/// Random weights for a configuration: matrices of standard deviation 0.02, gains 1, biases 0.
///
/// Tensors are made when they are read, so a model of any size takes no more memory than one loaded
/// from files.
///
/// # Errors
///
/// None for a checked configuration.
pub fn weights(config: &ModelConfig) -> Result<Weights, LmError> {
    let shapes: BTreeMap<_, _> = parts::tensors(config).into_iter().collect();
    let names: Vec<_> = shapes.keys().map(|name| (name.clone(), name.clone())).collect();
    Weights::new("random weights".into(), Vec::new(), names.into_iter(), Box::new(Random(shapes)))
}

struct Random(BTreeMap<String, Vec<usize>>);

impl Store for Random {
    fn describe(&self, stored: &str) -> Option<(Vec<usize>, String)> {
        Some((self.0.get(stored)?.clone(), "f32".into()))
    }

    fn read(&self, stored: &str) -> candle_core::Result<Tensor> {
        let missing = || candle_core::Error::CannotFindTensor { path: stored.into() };
        let shape = self.0.get(stored).ok_or_else(missing)?;
        let len = shape.iter().product();
        let data = if shape.len() == 1 {
            vec![if stored.ends_with("bias") { 0.0 } else { 1.0 }; len]
        } else {
            uniform(stored, len)
        };
        Tensor::from_vec(data, shape.as_slice(), &Device::Cpu)
    }
}

/// Numbers with mean 0 and standard deviation 0.02, from a generator seeded by the name.
fn uniform(name: &str, len: usize) -> Vec<f32> {
    let seed = rng::next_unit(&mut rng::named(0, name));
    let mut state = seed.to_bits() | 1;
    let width = 0.02 * 12f32.sqrt();
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1u32 << 24) as f32 - 0.5) * width
    };
    std::iter::repeat_with(next).take(len).collect()
}
