//! The decoder in tensor operations and kernels: on CUDA devices, and as the reference of our CPU kernels.
//!
//! The same formulas as [`decoder`](super::cpu::decoder). What candle has no operation for, attention over
//! shared segments and the draw for a batch, are kernels of ours on CUDA (`kernels/*.cu`) and the same
//! algorithms in plain loops elsewhere. Rows of one layout give the same texts again; another layout may
//! round differently.

mod attention;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod draw;
mod layers;
#[cfg(not(feature = "cuda"))]
pub(crate) mod no_cuda;
mod work_list;

#[cfg(not(feature = "cuda"))]
pub(crate) use no_cuda as cuda;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::rotary_emb;
use std::sync::Mutex;

use self::{
    attention::Shape,
    layers::{Linear, Norm},
    work_list::Plan,
};
use super::{
    cpu::batch::Batch,
    kv::{Kv, Place, Span},
    logits::{Ask, Logits},
    network::{Depth, Network, Session, States},
};
use crate::{
    decode::{DecodeError, Pick},
    lm::{
        LmError, Weights,
        arch::config::{Activation, ModelConfig},
        checkpoint::matrix::Matrix,
        parts::{self, LinearParts, NormParts},
    },
};

struct Block {
    attention_norm: Norm,
    qkv: Linear,
    qk_norm: Option<[Norm; 2]>,
    out: Linear,
    mlp_norm: Norm,
    up: Linear,
    down: Linear,
}

/// A decoder-only language model as tensors on a device.
pub struct TensorDecoder {
    config: ModelConfig,
    device: Device,
    dtype: DType,
    embedding: Tensor,
    positions: Option<Tensor>,
    blocks: Vec<Block>,
    norm: Norm,
    head: Tensor,
    frequencies: Vec<f64>,
    /// Cosines and sines of the positions met so far, `positions × head_dim / 2` of f32.
    angles: Mutex<Option<[Tensor; 2]>>,
}

impl TensorDecoder {
    /// Moves the weights of a checkpoint to a device, block by block.
    ///
    /// # Errors
    ///
    /// A tensor that is missing or misshapen, or a device that is full.
    pub fn new(
        config: &ModelConfig,
        weights: &Weights,
        device: &Device,
        dtype: DType,
    ) -> Result<Self, LmError> {
        let here = |tensor: &Tensor| tensor.to_device(device)?.to_dtype(dtype);
        let norm = |parts: &NormParts| Norm::new(parts, config.norm_eps, device, dtype);
        let linear = |parts: &LinearParts| Linear::new(parts, device, dtype);
        let block = |layer| -> Result<Block, LmError> {
            let parts = parts::block(config, weights, layer)?;
            let gain = |gain| norm(&NormParts { gain, bias: None });
            let qk_norm = match parts.qk_norm {
                Some([q, k]) => Some([gain(q)?, gain(k)?]),
                None => None,
            };
            Ok(Block {
                attention_norm: norm(&parts.attention_norm)?,
                qkv: linear(&parts.qkv)?,
                qk_norm,
                out: linear(&parts.out)?,
                mlp_norm: norm(&parts.mlp_norm)?,
                up: linear(&parts.up)?,
                down: linear(&parts.down)?,
            })
        };
        let ends = parts::ends(config, weights)?;
        let table = |matrix: &Matrix| here(&matrix.tensor()?);
        let embedding = table(&ends.embedding)?;
        let head = ends.head.as_ref().map(table).transpose()?;
        Ok(Self {
            blocks: (0..config.layers).map(block).collect::<Result<_, _>>()?,
            positions: ends.positions.as_ref().map(here).transpose()?,
            norm: norm(&ends.norm)?,
            head: head.unwrap_or_else(|| embedding.clone()).t()?,
            embedding,
            frequencies: match &config.rope {
                Some(rope) => rope.frequencies(config.head_dim),
                None => Vec::new(),
            },
            angles: Mutex::default(),
            config: config.clone(),
            device: device.clone(),
            dtype,
        })
    }

    /// Cosines and sines of tokens at `positions`, `tokens × head_dim / 2` of f32 each.
    fn angles(&self, positions: &[u32]) -> Result<Option<[Tensor; 2]>, LmError> {
        if self.frequencies.is_empty() {
            return Ok(None);
        }
        let needed = positions.iter().max().map_or(1, |last| *last as usize + 1);
        let mut known = self.angles.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = match &mut *known {
            Some(known) if known[0].dim(0)? >= needed => known,
            other => other.insert(self.table(needed.next_power_of_two().max(512))?),
        };
        let at = Tensor::new(positions, &self.device)?;
        Ok(Some([known[0].index_select(&at, 0)?, known[1].index_select(&at, 0)?]))
    }

    fn table(&self, positions: usize) -> Result<[Tensor; 2], LmError> {
        let angle = |t: usize| self.frequencies.iter().map(move |f| t as f64 * f);
        let angles: Vec<f64> = (0..positions).flat_map(angle).collect();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|a| f(*a) as f32).collect();
            Tensor::from_vec(values, (positions, self.frequencies.len()), &self.device)
        };
        Ok([table(f64::cos)?, table(f64::sin)?])
    }

    /// Rotated heads, `tokens × heads × head_dim`.
    fn turn(&self, x: &Tensor, angles: Option<&[Tensor; 2]>) -> candle_core::Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let x = x.contiguous()?.reshape((
            tokens,
            width / self.config.head_dim,
            self.config.head_dim,
        ))?;
        match angles {
            Some([cos, sin]) => {
                let (cos, sin) = (cos.to_dtype(self.dtype)?, sin.to_dtype(self.dtype)?);
                rotary_emb::rope_thd(&x.unsqueeze(0)?, &cos, &sin)?.squeeze(0)
            }
            None => Ok(x),
        }
    }

    /// Every head of `x` normed by itself.
    fn norm_heads(&self, x: &Tensor, norm: &Norm) -> candle_core::Result<Tensor> {
        let shape = x.dims2()?;
        let heads = x.contiguous()?.reshape(((), self.config.head_dim))?;
        norm.forward(&heads)?.reshape(shape)
    }

    /// Rotates queries, `tokens × heads · head_dim`, and puts keys and values into the cache.
    fn place(
        &self,
        layer: usize,
        kv: &Kv,
        spans: &[Span<'_>],
        wide: &Tensor,
        angles: Option<&[Tensor; 2]>,
        places: Option<&cuda::Places>,
    ) -> Result<Tensor, LmError> {
        let c = &self.config;
        let (qs, ks) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let parts = [wide.narrow(1, 0, qs)?, wide.narrow(1, qs, ks)?, wide.narrow(1, qs + ks, ks)?];
        let [mut q, mut k, v] = parts;
        if let Some([q_norm, k_norm]) = &self.blocks[layer].qk_norm {
            q = self.norm_heads(&q, q_norm)?;
            k = self.norm_heads(&k, k_norm)?;
        }
        if let Some(places) = places {
            let layer = layer % kv.shape().layers;
            return Ok(places.fill(
                [&q, &k, &v],
                angles,
                layer,
                (c.heads, c.kv_heads, c.head_dim),
            )?);
        }
        let (k, v) = (self.turn(&k, angles)?, self.turn(&v, None)?);
        let mut start = 0;
        for span in spans {
            let count = span.tokens.len();
            let cache = kv.layer(layer, span.own.id)?;
            for (which, new) in [&k, &v].into_iter().enumerate() {
                let new = new.narrow(0, start, count)?.transpose(0, 1)?.contiguous()?;
                cache.get(which)?.slice_set(&new, 1, span.own.used)?;
            }
            start += count;
        }
        Ok(self.turn(&q, angles)?.reshape(((), qs))?)
    }

    fn mlp(&self, block: &Block, x: &Tensor) -> candle_core::Result<Tensor> {
        let inner = self.config.intermediate;
        let wide = block.up.forward(&block.mlp_norm.forward(x)?)?;
        if self.device.is_cuda() {
            return block.down.forward(&cuda::gate(&wide, inner, self.config.activation)?);
        }
        let f = |x: &Tensor| match self.config.activation {
            Activation::Silu => x.silu(),
            Activation::GeluTanh => x.gelu(),
            Activation::Gelu => x.gelu_erf(),
            Activation::Relu => x.relu(),
        };
        let wide = match wide.dim(D::Minus1)? == 2 * inner {
            true => {
                (f(&wide.narrow(1, 0, inner)?.contiguous()?)? * wide.narrow(1, inner, inner)?)?
            }
            false => f(&wide)?,
        };
        block.down.forward(&wide)
    }

    /// The first `blocks` blocks; states of the wanted tokens.
    fn blocks(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        blocks: usize,
    ) -> Result<Tensor, LmError> {
        let c = &self.config;
        let batch = Batch::new(spans);
        let positions: Vec<_> = batch.positions.iter().map(|t| *t as u32).collect();
        let angles = self.angles(&positions)?;
        let ids = Tensor::new(&batch.tokens[..], &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        if let Some(table) = &self.positions {
            x = (x + table.index_select(&Tensor::new(positions, &self.device)?, 0)?)?;
        }
        let places = match self.device.is_cuda() {
            true => Some(cuda::Places::new(&session.kv, spans, &self.device)?),
            false => None,
        };
        let mut work: Option<(Option<usize>, bool, Work)> = None;
        for (layer, block) in self.blocks[..blocks].iter().enumerate() {
            let wide = block.qkv.forward(&block.attention_norm.forward(&x)?)?;
            let q =
                self.place(layer, &session.kv, spans, &wide, angles.as_ref(), places.as_ref())?;
            let last = layer + 1 == blocks;
            let window = c.windows[layer];
            // Layers of one window share their work list.
            let work = match &mut work {
                Some((known, for_last, work)) if (*known, *for_last) == (window, last) => work,
                other => {
                    let new = self.work(&session.kv, &batch, window, last)?;
                    &mut other.insert((window, last, new)).2
                }
            };
            if work.rows.is_empty() {
                return Ok(x.narrow(0, 0, 0)?);
            }
            let pick = |x: &Tensor| match work.rows.len() == batch.tokens.len() {
                true => Ok(x.clone()),
                false => x.index_select(&Tensor::new(&work.rows[..], &self.device)?, 0),
            };
            let attended = self.attend(layer, &session.kv, work, &pick(&q)?)?;
            x = (pick(&x)? + block.out.forward(&attended)?)?;
            x = (&x + self.mlp(block, &x)?)?;
            session.interrupt.check()?;
        }
        Ok(x)
    }

    /// The first layer after which a wanted state of each span is not finite: the same tokens again, one
    /// block more each time.
    fn faults(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        blocks: usize,
    ) -> Result<Vec<Option<usize>>, LmError> {
        let mut faults = vec![None; spans.len()];
        for layer in 0..blocks {
            let x = read(&self.blocks(session, spans, layer + 1)?)?;
            for (fault, bad) in faults.iter_mut().zip(spoiled(&x, self.config.hidden, spans)) {
                if bad && fault.is_none() {
                    *fault = Some(layer);
                }
            }
        }
        Ok(faults)
    }

    /// Attention's work list for all tokens of the spans, or for the wanted ones alone.
    fn work(
        &self,
        kv: &Kv,
        batch: &Batch<'_>,
        window: Option<usize>,
        last: bool,
    ) -> Result<Work, LmError> {
        let queries = batch.queries(last);
        let rows: Vec<_> = batch.rows(&queries).map(|(row, _)| row as u32).collect();
        let group = self.config.heads / self.config.kv_heads;
        let plan = Plan::new(batch.spans, &queries, window, group);
        let there = match self.device.is_cuda() && !rows.is_empty() {
            true => Some(cuda::PlanThere::new(&plan, kv, &self.device)?),
            false => None,
        };
        Ok(Work { plan, rows, there })
    }

    fn attend(&self, layer: usize, kv: &Kv, work: &Work, q: &Tensor) -> Result<Tensor, LmError> {
        let c = &self.config;
        let shape = Shape {
            layer,
            heads: c.heads,
            kv_heads: c.kv_heads,
            head_dim: c.head_dim,
            scale: c.attention_scale(layer) as f32,
        };
        if let Some(there) = &work.there {
            let layer = layer % kv.shape().layers;
            return Ok(there.attend(q, Shape { layer, ..shape })?);
        }
        attention::on_host(&work.plan, kv, shape, q)
    }
}

/// Attention's work list for one window, and which rows of all tokens it computes.
struct Work {
    plan: Plan,
    rows: Vec<u32>,
    there: Option<cuda::PlanThere>,
}

/// The numbers of a tensor in main memory.
fn read(x: &Tensor) -> Result<Vec<f32>, LmError> {
    Ok(x.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?)
}

/// For each span whether one of its rows is not finite.
fn spoiled(data: &[f32], width: usize, spans: &[Span<'_>]) -> Vec<bool> {
    let mut rows = data.chunks_exact(width);
    let bad = |row: &[f32]| row.iter().any(|x| !x.is_finite());
    spans.iter().map(|span| rows.by_ref().take(span.wanted().len()).any(bad)).collect()
}

impl Network for TensorDecoder {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn weight_bytes(&self) -> usize {
        let blocks = self.blocks.iter().flat_map(|b| [&b.qkv, &b.out, &b.up, &b.down]);
        let blocks: usize = blocks.map(|linear| linear.weight.elem_count()).sum();
        (blocks + self.head.elem_count()) * self.dtype.size_in_bytes()
    }

    fn kv_place(&self) -> Place {
        Place::Device(self.device.clone(), self.dtype)
    }

    fn free_memory(&self) -> usize {
        if let Ok(free) = cuda::free_memory(&self.device) {
            return free;
        }
        super::memory::free_memory()
    }

    /// Libraries choose products by shape.
    fn is_batch_invariant(&self) -> bool {
        false
    }

    fn rows_that_pay(&self) -> usize {
        if self.device.is_cuda() { 256 } else { 64 }
    }

    fn forward(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        depth: Depth,
    ) -> Result<States, LmError> {
        let (blocks, normed) = match depth {
            Depth::Full => (self.config.layers, true),
            Depth::Blocks(n) => (n.min(self.config.layers), false),
        };
        let x = self.blocks(session, spans, blocks)?;
        let x = if normed && x.dim(0)? > 0 { self.norm.forward(&x)? } else { x };
        let data = read(&x)?;
        let finite = data.iter().all(|x| x.is_finite());
        let faults =
            if finite { vec![None; spans.len()] } else { self.faults(session, spans, blocks)? };
        Ok(States { data, faults })
    }

    fn logits(
        &self,
        _session: &mut Session,
        states: &[f32],
        out: &mut Vec<f32>,
    ) -> Result<(), LmError> {
        let rows = states.len() / self.config.hidden;
        out.clear();
        if rows > 0 {
            let x = Tensor::from_slice(states, (rows, self.config.hidden), &self.device)?;
            out.extend(read(&x.to_dtype(self.dtype)?.matmul(&self.head)?)?);
        }
        Ok(())
    }

    fn next_logits(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        out: &mut Logits,
    ) -> Result<Vec<Option<usize>>, LmError> {
        let x = self.blocks(session, spans, self.config.layers)?;
        *out = Logits::Tensor(match x.dim(0)? {
            0 => x,
            _ => self.norm.forward(&x)?.matmul(&self.head)?,
        });
        // What is not finite shows in the logits.
        Ok(vec![None; spans.len()])
    }

    fn draw(&self, asks: &[Ask<'_>]) -> Result<Vec<Result<Pick, DecodeError>>, LmError> {
        if self.device.is_cuda() {
            return cuda::draw(asks, &self.device, self.config.vocab);
        }
        draw::on_host(asks)
    }

    fn find_faults(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
    ) -> Result<Vec<Option<usize>>, LmError> {
        self.faults(session, spans, self.config.layers)
    }
}
