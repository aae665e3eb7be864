//! Weights of any shape without a download, for timing.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::{
    LmError, ModelConfig,
    config::Arch,
    weights::{Store, Weights},
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
    let shapes = shapes(config);
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

fn shapes(c: &ModelConfig) -> BTreeMap<String, Vec<usize>> {
    let mut all = BTreeMap::new();
    let mut add = |name: String, shape: &[usize]| drop(all.insert(name, shape.to_vec()));
    let (d, q, kv, inner) =
        (c.hidden, c.heads * c.head_dim, c.kv_heads * c.head_dim, c.intermediate);
    if !c.tied {
        add("lm_head.weight".into(), &[c.vocab, d]);
    }
    match c.arch {
        Arch::Gpt2 => {
            add("wte.weight".into(), &[c.vocab, d]);
            add("wpe.weight".into(), &[c.max_positions, d]);
            let layers = (0..c.layers).map(|i| format!("h.{i}."));
            for part in layers.clone().flat_map(|h| ["ln_1", "ln_2"].map(|n| h.clone() + n)) {
                add(format!("{part}.weight"), &[d]);
                add(format!("{part}.bias"), &[d]);
            }
            add("ln_f.weight".into(), &[d]);
            add("ln_f.bias".into(), &[d]);
            let parts = [
                ("attn.c_attn", d, 3 * d),
                ("attn.c_proj", d, d),
                ("mlp.c_fc", d, inner),
                ("mlp.c_proj", inner, d),
            ];
            for (h, (name, from, to)) in layers.flat_map(|h| parts.map(|part| (h.clone(), part))) {
                add(format!("{h}{name}.weight"), &[from, to]);
                add(format!("{h}{name}.bias"), &[to]);
            }
        }
        Arch::Llama => {
            add("embed_tokens.weight".into(), &[c.vocab, d]);
            add("norm.weight".into(), &[d]);
            let parts = [
                ("self_attn.q_proj", q, d, c.qkv_bias),
                ("self_attn.k_proj", kv, d, c.qkv_bias),
                ("self_attn.v_proj", kv, d, c.qkv_bias),
                ("self_attn.o_proj", d, q, c.attention_out_bias),
                ("mlp.gate_proj", inner, d, c.mlp_bias),
                ("mlp.up_proj", inner, d, c.mlp_bias),
                ("mlp.down_proj", d, inner, c.mlp_bias),
            ];
            for i in 0..c.layers {
                for (name, to, from, bias) in parts {
                    add(format!("layers.{i}.{name}.weight"), &[to, from]);
                    if bias {
                        add(format!("layers.{i}.{name}.bias"), &[to]);
                    }
                }
                for norm in ["input_layernorm", "post_attention_layernorm"] {
                    add(format!("layers.{i}.{norm}.weight"), &[d]);
                }
                for norm in ["q_norm", "k_norm"].iter().filter(|_| c.qk_norm) {
                    add(format!("layers.{i}.self_attn.{norm}.weight"), &[c.head_dim]);
                }
            }
        }
    }
    all
}
