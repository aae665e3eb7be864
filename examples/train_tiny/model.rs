//! The two architectures as differentiable functions of named variables, without a cache.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var};
use llmpr::rng;
use serde_json::{Value, json};

use crate::ops::{Attention, Gated, Linear, Norm};

/// Which architecture, and its sizes.
#[derive(Clone, Copy)]
pub struct Shape {
    pub llama: bool,
    pub vocab: usize,
    pub hidden: usize,
    pub inner: usize,
    pub layers: usize,
    pub heads: usize,
    pub positions: usize,
}

const THETA: f32 = 10_000.0;

/// Variables by the names of Hugging Face checkpoints.
pub struct Model {
    pub shape: Shape,
    pub vars: BTreeMap<String, Var>,
}

impl Model {
    /// Normal weights with deviation 0.02, less for the projections that add to the residual stream.
    pub fn new(shape: Shape, seed: u64) -> Result<Self> {
        let mut vars = BTreeMap::new();
        for (name, dims, deviation) in shape.tensors() {
            let mut rng = rng::named(seed, &format!("weights {name}"));
            let count: usize = dims.iter().product();
            let values: Vec<f32> = match deviation {
                Some(deviation) => (0..count).map(|_| deviation * normal(&mut rng)).collect(),
                None => vec![if name.ends_with("bias") { 0.0 } else { 1.0 }; count],
            };
            let tensor = Tensor::from_vec(values, dims, &Device::Cpu)?;
            vars.insert(name, Var::from_tensor(&tensor)?);
        }
        Ok(Self { shape, vars })
    }

    fn var(&self, name: &str) -> &Tensor {
        self.vars[name].as_tensor()
    }

    /// Logits `[batch · length, vocab]` of token ids `[batch, length]`.
    pub fn logits(&self, ids: &[u32], batch: usize) -> Result<Tensor> {
        let length = ids.len() / batch;
        let ids = Tensor::from_slice(ids, ids.len(), &Device::Cpu)?;
        if self.shape.llama {
            self.llama(&ids, batch, length)
        } else {
            self.gpt2(&ids, batch, length)
        }
    }

    fn attention(&self, q: Tensor, k: Tensor, v: Tensor, dims: (usize, usize)) -> Result<Tensor> {
        let rope_theta = self.shape.llama.then_some(THETA);
        let op = Attention { heads: self.shape.heads, rope_theta };
        let width = self.shape.hidden;
        let cube = |x: Tensor| x.reshape((dims.0, dims.1, width))?.contiguous();
        cube(q)?.apply_op3(&cube(k)?, &cube(v)?, op)?.reshape((dims.0 * dims.1, width))
    }

    fn llama(&self, ids: &Tensor, batch: usize, length: usize) -> Result<Tensor> {
        let norm = |x: &Tensor, name: &str| {
            x.apply_op2(self.var(name), Norm { centered: false, eps: 1e-5 })
        };
        let table = self.var("model.embed_tokens.weight");
        let mut x = table.index_select(ids, 0)?;
        for layer in 0..self.shape.layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            let linear = |x: &Tensor, part: &str| {
                x.apply_op2(self.var(&name(part)), Linear { transposed: true })
            };
            let y = norm(&x, &name("input_layernorm"))?;
            let [q, k, v] = ["q", "k", "v"].map(|p| linear(&y, &format!("self_attn.{p}_proj")));
            let y = self.attention(q?, k?, v?, (batch, length))?;
            x = (x + linear(&y, "self_attn.o_proj")?)?;
            let y = norm(&x, &name("post_attention_layernorm"))?;
            let y = linear(&y, "mlp.gate_proj")?.apply_op2(&linear(&y, "mlp.up_proj")?, Gated)?;
            x = (x + linear(&y, "mlp.down_proj")?)?;
        }
        norm(&x, "model.norm.weight")?.apply_op2(table, Linear { transposed: true })
    }

    fn gpt2(&self, ids: &Tensor, batch: usize, length: usize) -> Result<Tensor> {
        let norm = |x: &Tensor, name: &str| {
            let op = Norm { centered: true, eps: 1e-5 };
            let y = x.apply_op2(self.var(&format!("{name}.weight")), op)?;
            y.broadcast_add(self.var(&format!("{name}.bias")))
        };
        let table = self.var("transformer.wte.weight");
        let places: Vec<u32> = (0..batch).flat_map(|_| 0..length as u32).collect();
        let places = Tensor::from_vec(places, batch * length, &Device::Cpu)?;
        let positions = self.var("transformer.wpe.weight").index_select(&places, 0)?;
        let mut x = (table.index_select(ids, 0)? + positions)?;
        for layer in 0..self.shape.layers {
            let name = |part: &str| format!("transformer.h.{layer}.{part}");
            let linear = |x: &Tensor, part: &str| {
                let weight = self.var(&name(&format!("{part}.weight")));
                let y = x.apply_op2(weight, Linear { transposed: false })?;
                y.broadcast_add(self.var(&name(&format!("{part}.bias"))))
            };
            let qkv = linear(&norm(&x, &name("ln_1"))?, "attn.c_attn")?;
            let part =
                |i: usize| qkv.narrow(1, i * self.shape.hidden, self.shape.hidden)?.contiguous();
            let y = self.attention(part(0)?, part(1)?, part(2)?, (batch, length))?;
            x = (x + linear(&y, "attn.c_proj")?)?;
            let y = linear(&norm(&x, &name("ln_2"))?, "mlp.c_fc")?.gelu()?;
            x = (x + linear(&y, "mlp.c_proj")?)?;
        }
        norm(&x, "transformer.ln_f")?.apply_op2(table, Linear { transposed: true })
    }
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut rand_chacha::ChaCha8Rng) -> f32 {
    let (u, v) = (1.0 - rng::next_unit(rng), rng::next_unit(rng));
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

impl Shape {
    /// Name, dimensions and initial deviation of every tensor; no deviation for norms and biases.
    fn tensors(&self) -> Vec<(String, Vec<usize>, Option<f32>)> {
        let (d, inner, normal) = (self.hidden, self.inner, 0.02f32);
        let adds = normal / (2.0 * self.layers as f32).sqrt();
        let mut all = Vec::new();
        let mut add = |name: String, dims: &[usize], deviation| {
            all.push((name, dims.to_vec(), deviation));
        };
        if self.llama {
            add("model.embed_tokens.weight".into(), &[self.vocab, d], Some(normal));
            add("model.norm.weight".into(), &[d], None);
            for layer in 0..self.layers {
                let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
                add(name("input_layernorm"), &[d], None);
                add(name("post_attention_layernorm"), &[d], None);
                for part in ["q", "k", "v"] {
                    add(name(&format!("self_attn.{part}_proj")), &[d, d], Some(normal));
                }
                add(name("self_attn.o_proj"), &[d, d], Some(adds));
                add(name("mlp.gate_proj"), &[inner, d], Some(normal));
                add(name("mlp.up_proj"), &[inner, d], Some(normal));
                add(name("mlp.down_proj"), &[d, inner], Some(adds));
            }
        } else {
            add("transformer.wte.weight".into(), &[self.vocab, d], Some(normal));
            add("transformer.wpe.weight".into(), &[self.positions, d], Some(normal / 2.0));
            let mut norms = vec!["ln_f".to_owned()];
            for layer in 0..self.layers {
                norms.extend([format!("h.{layer}.ln_1"), format!("h.{layer}.ln_2")]);
                let parts = [
                    ("attn.c_attn", d, 3 * d, normal),
                    ("attn.c_proj", d, d, adds),
                    ("mlp.c_fc", d, inner, normal),
                    ("mlp.c_proj", inner, d, adds),
                ];
                for (part, from, to, deviation) in parts {
                    let name = |what: &str| format!("transformer.h.{layer}.{part}.{what}");
                    add(name("weight"), &[from, to], Some(deviation));
                    add(name("bias"), &[to], None);
                }
            }
            for norm in norms {
                add(format!("transformer.{norm}.weight"), &[d], None);
                add(format!("transformer.{norm}.bias"), &[d], None);
            }
        }
        all
    }

    /// The `config.json` of a Hugging Face folder.
    pub fn config(&self, bos: u32, eos: u32) -> Value {
        if self.llama {
            json!({
                "architectures": ["LlamaForCausalLM"],
                "model_type": "llama",
                "hidden_size": self.hidden,
                "intermediate_size": self.inner,
                "num_hidden_layers": self.layers,
                "num_attention_heads": self.heads,
                "num_key_value_heads": self.heads,
                "head_dim": self.hidden / self.heads,
                "max_position_embeddings": self.positions,
                "rms_norm_eps": 1e-5,
                "rope_theta": THETA,
                "vocab_size": self.vocab,
                "hidden_act": "silu",
                "attention_bias": false,
                "mlp_bias": false,
                "tie_word_embeddings": true,
                "bos_token_id": bos,
                "eos_token_id": eos,
                "torch_dtype": "float16",
            })
        } else {
            json!({
                "architectures": ["GPT2LMHeadModel"],
                "model_type": "gpt2",
                "activation_function": "gelu_new",
                "n_embd": self.hidden,
                "n_inner": self.inner,
                "n_layer": self.layers,
                "n_head": self.heads,
                "n_positions": self.positions,
                "layer_norm_epsilon": 1e-5,
                "vocab_size": self.vocab,
                "tie_word_embeddings": true,
                "bos_token_id": bos,
                "eos_token_id": eos,
                "torch_dtype": "float16",
            })
        }
    }
}
