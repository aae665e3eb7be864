//! The decoder in tensor operations and kernels: on CUDA devices, and as the reference of our CPU kernels.
//!
//! The same formulas as [`decoder`](super::cpu::decoder). What candle has no operation for, attention over
//! shared segments and the draw for a batch, are kernels of ours on CUDA (`kernels/*.cu`) and the same
//! algorithms in plain loops elsewhere. Rows of one layout give the same texts again; another layout may
//! round differently.

mod angles;
mod attention;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod draw;
mod feed;
mod layers;
#[cfg(not(feature = "cuda"))]
pub(crate) mod no_cuda;
mod work_list;

#[cfg(not(feature = "cuda"))]
pub(crate) use no_cuda as cuda;

use candle_core::{DType, Device, Tensor};
use candle_nn::rotary_emb;

use self::{
    angles::Angles,
    attention::Shape,
    feed::Feed,
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
        arch::config::{ModelConfig, QkNorm, Residual, Sees},
        parts::{self, LinearParts, NormParts},
    },
};

struct Block {
    attention_norm: Option<Norm>,
    attention_after: Option<Norm>,
    qkv: Linear,
    qk_norm: Option<[Norm; 2]>,
    /// One number a head, in main memory and where the network is.
    sinks: Option<(Vec<f32>, Tensor)>,
    out: Linear,
    mlp_norm: Option<Norm>,
    mlp_after: Option<Norm>,
    feed: Feed,
}

/// The norm of `x`, or `x` where there is none.
fn normed(norm: Option<&Norm>, x: &Tensor) -> candle_core::Result<Tensor> {
    norm.map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))
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
    head_bias: Option<Tensor>,
    /// One a rope.
    angles: Vec<Angles>,
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
        let maybe = |parts: Option<&NormParts>| parts.map(norm).transpose();
        let linear = |parts: &LinearParts| Linear::new(parts, device, dtype);
        let block = |layer| -> Result<Block, LmError> {
            let parts = parts::block(config, weights, layer)?;
            let sinks = |sinks: &Tensor| -> Result<_, LmError> {
                let sinks = sinks.to_dtype(DType::F32)?;
                Ok((sinks.to_vec1()?, sinks.to_device(device)?))
            };
            let qk_norm = match &parts.qk_norm {
                Some([q, k]) => Some([norm(q)?, norm(k)?]),
                None => None,
            };
            Ok(Block {
                attention_norm: maybe(parts.attention_norm.as_ref())?,
                attention_after: maybe(parts.attention_after.as_ref())?,
                qkv: linear(&parts.qkv)?,
                qk_norm,
                sinks: parts.sinks.as_ref().map(sinks).transpose()?,
                out: linear(&parts.out)?,
                mlp_norm: maybe(parts.mlp_norm.as_ref())?,
                mlp_after: maybe(parts.mlp_after.as_ref())?,
                feed: Feed::new(config, &parts.feed, device, dtype)?,
            })
        };
        let ends = parts::ends(config, weights)?;
        let embedding = here(&ends.embedding.tensor()?)?;
        let (head, own_bias) = match ends.head.map(|head| linear(&head)).transpose()? {
            Some(Linear { weight, bias }) => (weight, bias),
            None => (embedding.t()?, None),
        };
        let tied_bias = ends.head_bias.as_ref().map(here).transpose()?;
        Ok(Self {
            blocks: (0..config.layers).map(block).collect::<Result<_, _>>()?,
            positions: ends.positions.as_ref().map(here).transpose()?,
            norm: norm(&ends.norm)?,
            head,
            head_bias: own_bias.or(tied_bias),
            embedding,
            angles: config.ropes.iter().map(Angles::new).collect(),
            config: config.clone(),
            device: device.clone(),
            dtype,
        })
    }

    /// Logits of normed states.
    fn project(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let scales = &self.config.scales;
        let mut logits = x.matmul(&self.head)?;
        if let Some(bias) = &self.head_bias {
            logits = logits.broadcast_add(bias)?;
        }
        if scales.logits != 1.0 {
            logits = (logits * scales.logits)?;
        }
        match scales.logits_cap {
            Some(cap) => (logits / cap)?.tanh()? * cap,
            None => Ok(logits),
        }
    }

    /// Rotated heads, `tokens × heads × head_dim`.
    fn turn(&self, x: &Tensor, angles: Option<&[Tensor; 2]>) -> candle_core::Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let d = self.config.head_dim;
        let x = x.contiguous()?.reshape((tokens, width / d, d))?;
        let Some([cos, sin]) = angles else { return Ok(x) };
        let (cos, sin) = (cos.to_dtype(self.dtype)?, sin.to_dtype(self.dtype)?);
        let turned = 2 * cos.dim(1)?;
        let first = x.narrow(2, 0, turned)?.contiguous()?.unsqueeze(0)?;
        let first = rotary_emb::rope_thd(&first, &cos, &sin)?.squeeze(0)?;
        match d - turned {
            0 => Ok(first),
            rest => Tensor::cat(&[&first, &x.narrow(2, turned, rest)?], 2),
        }
    }

    /// The heads of queries or keys normed and cut as the family does.
    fn norm_heads(&self, x: &Tensor, norm: Option<&Norm>) -> candle_core::Result<Tensor> {
        let shape = x.dims2()?;
        let x = match (norm, self.config.qk_norm) {
            (None, _) | (_, QkNorm::None) => x.clone(),
            (Some(norm), QkNorm::Whole) => norm.forward(x)?,
            (Some(norm), QkNorm::EachHead) => norm.forward_heads(x, self.config.head_dim)?,
            (Some(norm), QkNorm::Heads | QkNorm::Unit) => {
                let heads = x.contiguous()?.reshape(((), self.config.head_dim))?;
                norm.forward(&heads)?.reshape(shape)?
            }
        };
        self.clip(x)
    }

    fn clip(&self, x: Tensor) -> candle_core::Result<Tensor> {
        self.config.scales.qkv_clip.map_or(Ok(x.clone()), |clip| x.clamp(-clip, clip))
    }

    /// Rotates queries, `tokens × heads · head_dim`, and puts keys and values into the cache.
    fn place(
        &self,
        layer: usize,
        kv: &Kv,
        batch: &Batch<'_>,
        wide: &Tensor,
        angles: Option<&[Tensor; 2]>,
        places: Option<&cuda::Places>,
    ) -> Result<Tensor, LmError> {
        let c = &self.config;
        let (qs, ks) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let parts = [wide.narrow(1, 0, qs)?, wide.narrow(1, qs, ks)?, wide.narrow(1, qs + ks, ks)?];
        let [q, k, v] = parts;
        let norms = self.blocks[layer].qk_norm.as_ref();
        let (q_norm, k_norm) = (norms.map(|norms| &norms[0]), norms.map(|norms| &norms[1]));
        let (mut q, k) = (self.norm_heads(&q, q_norm)?, self.norm_heads(&k, k_norm)?);
        let v = self.clip(v)?;
        let without = c.blocks[layer].rope.is_none();
        if let Some(tempering) = c.scales.tempering.filter(|t| t.with_rope || without) {
            let by: Vec<_> = batch.positions.iter().map(|&at| tempering.factor(at)).collect();
            let by = Tensor::new(by, &self.device)?.to_dtype(self.dtype)?.unsqueeze(1)?;
            q = q.broadcast_mul(&by)?;
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
        for span in batch.spans {
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

    /// Attention's projection and the MLP, joined to the residual stream in the family's order.
    fn finish(&self, block: &Block, x: &Tensor, attended: &Tensor) -> candle_core::Result<Tensor> {
        let join =
            |x: &Tensor, after: Option<&Norm>, added: Tensor| match self.config.scales.residual {
                1.0 => x + normed(after, &added)?,
                by => x + (normed(after, &added)? * by)?,
            };
        let f = self.config.activation;
        let attention = block.out.forward(attended)?;
        let joined = join(x, block.attention_after.as_ref(), attention)?;
        let read = match self.config.residual {
            Residual::Sequential => normed(block.mlp_norm.as_ref(), &joined)?,
            Residual::Parallel => {
                normed(block.mlp_norm.as_ref().or(block.attention_norm.as_ref()), x)?
            }
        };
        join(&joined, block.mlp_after.as_ref(), block.feed.forward(f, &read)?)
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
        let angles = self.angles.iter().map(|angles| angles.at(&positions, &self.device));
        let angles = angles.collect::<Result<Vec<_>, _>>()?;
        let ids = Tensor::new(&batch.tokens[..], &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        if c.scales.embedding != 1.0 {
            x = (x * c.scales.embedding)?;
        }
        if let Some(table) = &self.positions {
            x = (x + table.index_select(&Tensor::new(positions, &self.device)?, 0)?)?;
        }
        let places = match self.device.is_cuda() {
            true => Some(cuda::Places::new(&session.kv, spans, &self.device)?),
            false => None,
        };
        let mut work: Option<(Sees, bool, Work)> = None;
        for (layer, block) in self.blocks[..blocks].iter().enumerate() {
            let wide = block.qkv.forward(&normed(block.attention_norm.as_ref(), &x)?)?;
            let turned = c.blocks[layer].rope.map(|rope| &angles[rope]);
            let q = self.place(layer, &session.kv, &batch, &wide, turned, places.as_ref())?;
            let last = layer + 1 == blocks;
            let sees = c.blocks[layer].sees;
            // Layers that see the same share their work list.
            let work = match &mut work {
                Some((known, for_last, work)) if (*known, *for_last) == (sees, last) => work,
                other => {
                    let new = self.work(&session.kv, &batch, sees, last)?;
                    &mut other.insert((sees, last, new)).2
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
            x = self.finish(block, &pick(&x)?, &attended)?;
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
    fn work(&self, kv: &Kv, batch: &Batch<'_>, sees: Sees, last: bool) -> Result<Work, LmError> {
        let queries = batch.queries(last);
        let rows: Vec<_> = batch.rows(&queries).map(|(row, _)| row as u32).collect();
        let group = self.config.heads / self.config.kv_heads;
        let plan = Plan::new(batch.spans, &queries, sees, group);
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
            cap: c.scales.attention_cap.map(|cap| cap as f32),
        };
        let sinks = self.blocks[layer].sinks.as_ref();
        if let Some(there) = &work.there {
            let layer = layer % kv.shape().layers;
            let sinks = sinks.map(|(_, there)| there);
            return Ok(there.attend(q, Shape { layer, ..shape }, sinks)?);
        }
        attention::on_host(&work.plan, kv, shape, sinks.map(|(here, _)| &here[..]), q)
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
        let linears = self.blocks.iter().flat_map(|b| [&b.qkv, &b.out]);
        let linears: usize = linears.map(|linear| linear.weight.elem_count()).sum();
        let blocks = linears + self.blocks.iter().map(|b| b.feed.weights()).sum::<usize>();
        (blocks + self.head.elem_count()) * self.dtype.size_in_bytes()
    }

    fn kv_place(&self) -> Place {
        Place::Device(self.device.clone(), self.dtype)
    }

    fn free_memory(&self) -> usize {
        if let Ok(free) = cuda::free_memory(&self.device) {
            return free;
        }
        crate::data::memory::available() as usize
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
            out.extend(read(&self.project(&x.to_dtype(self.dtype)?)?)?);
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
            _ => self.project(&self.norm.forward(&x)?)?,
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
