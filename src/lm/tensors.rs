//! The decoder in plain tensor operations: on CUDA devices, and as the reference of our CPU kernels.
//!
//! The same formulas as [`decoder`](super::decoder), one product per row for attention. Rows of one
//! layout give the same texts again; another layout may round differently.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::{ops, rotary_emb};

use super::{
    LmError, Weights,
    config::{Activation, ModelConfig},
    kv::{Kv, KvShape, Place, Span},
    network::{Depth, Network, Session, States},
    parts::{self, LinearParts, NormParts},
};

struct Norm {
    gain: Tensor,
    bias: Option<Tensor>,
    eps: f32,
}

struct Linear {
    /// `in × out`.
    weight: Tensor,
    bias: Option<Tensor>,
}

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
}

impl Norm {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let x = x.contiguous()?;
        match &self.bias {
            Some(bias) => ops::layer_norm(&x, &self.gain, bias, self.eps),
            None => ops::rms_norm(&x, &self.gain, self.eps),
        }
    }
}

impl Linear {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
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
        let norm = |parts: &NormParts| -> Result<Norm, LmError> {
            let bias = parts.bias.as_ref().map(here).transpose()?;
            Ok(Norm { gain: here(&parts.gain)?, bias, eps: config.norm_eps as f32 })
        };
        let linear = |parts: &LinearParts| -> Result<Linear, LmError> {
            let bias = match parts.biases.is_empty() {
                true => None,
                false => Some(here(&Tensor::cat(&parts.biases, 0)?)?),
            };
            let weight = here(&Tensor::cat(&parts.weights, 0)?)?.t()?;
            Ok(Linear { weight, bias })
        };
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
        let embedding = here(&ends.embedding)?;
        let head = ends.head.as_ref().map(here).transpose()?;
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
            config: config.clone(),
            device: device.clone(),
            dtype,
        })
    }

    /// Cosines and sines for `rope_thd`, `tokens × head_dim / 2`.
    fn angles(&self, positions: &[u32]) -> Result<Option<[Tensor; 2]>, LmError> {
        if self.frequencies.is_empty() {
            return Ok(None);
        }
        let angle =
            |t: &u32| self.frequencies.iter().map(|f| f64::from(*t) * f).collect::<Vec<_>>();
        let angles: Vec<f64> = positions.iter().flat_map(angle).collect();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|a| f(*a) as f32).collect();
            Tensor::from_vec(values, (positions.len(), self.frequencies.len()), &self.device)?
                .to_dtype(self.dtype)
        };
        Ok(Some([table(f64::cos)?, table(f64::sin)?]))
    }

    /// Normed and rotated heads, `tokens × heads × head_dim`.
    fn turn(
        &self,
        x: &Tensor,
        norm: Option<&Norm>,
        angles: Option<&[Tensor; 2]>,
    ) -> candle_core::Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let d = self.config.head_dim;
        let mut x = x.reshape((tokens, width / d, d))?;
        if let Some(norm) = norm {
            x = norm.forward(&x)?;
        }
        match angles {
            Some([cos, sin]) => {
                rotary_emb::rope_thd(&x.unsqueeze(0)?.contiguous()?, cos, sin)?.squeeze(0)
            }
            None => Ok(x),
        }
    }

    /// The attention of a span's tokens `queries`; `q` is `tokens × heads × head_dim`.
    fn attend(
        &self,
        layer: usize,
        kv: &Kv,
        span: &Span<'_>,
        queries: std::ops::Range<usize>,
        q: &Tensor,
    ) -> Result<Tensor, LmError> {
        let c = &self.config;
        let (count, group) = (queries.len(), c.heads / c.kv_heads);
        let total = span.start() + queries.end;
        let mut pieces: Vec<_> = span.prefix.to_vec();
        pieces.push(super::kv::Piece { used: span.own.used + queries.end, ..span.own });
        let gather = |which: usize| -> Result<Tensor, LmError> {
            let part = |piece: &super::kv::Piece| match kv.tensors(layer, piece.id) {
                Some(both) => both[which].narrow(1, 0, piece.used),
                None => candle_core::bail!("a cache in main memory under a network of tensors"),
            };
            let parts = pieces.iter().filter(|piece| piece.used > 0).map(part);
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            Ok(if parts.len() == 1 { parts[0].contiguous()? } else { Tensor::cat(&parts, 1)? })
        };
        let (keys, values) = (gather(0)?, gather(1)?);
        // kv_heads × (tokens · group) × head_dim
        let q = q.reshape((count, c.kv_heads, group, c.head_dim))?.transpose(0, 1)?.contiguous()?;
        let q = q.reshape((c.kv_heads, count * group, c.head_dim))?;
        let scores = (q.matmul(&keys.t()?)?.to_dtype(DType::F32)? * c.attention_scale(layer))?;
        let mask: Vec<f32> = queries
            .clone()
            .flat_map(|t| {
                let hi = span.start() + t;
                let lo = c.windows[layer].map_or(0, |window| (hi + 1).saturating_sub(window));
                (0..total)
                    .map(move |at| if (lo..=hi).contains(&at) { 0.0 } else { f32::NEG_INFINITY })
            })
            .collect();
        let mask = Tensor::from_vec(mask, (1, count, 1, total), &self.device)?;
        let scores = scores.reshape((c.kv_heads, count, group, total))?.broadcast_add(&mask)?;
        let shares = ops::softmax_last_dim(&scores.contiguous()?)?.to_dtype(self.dtype)?;
        let sums = shares.reshape((c.kv_heads, count * group, total))?.matmul(&values)?;
        let sums = sums.reshape((c.kv_heads, count, group, c.head_dim))?.transpose(0, 1)?;
        Ok(sums.contiguous()?.reshape((count, c.heads * c.head_dim))?)
    }

    fn mlp(&self, block: &Block, x: &Tensor) -> candle_core::Result<Tensor> {
        let inner = self.config.intermediate;
        let wide = block.up.forward(&block.mlp_norm.forward(x)?)?;
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
        let (mut tokens, mut positions, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for span in spans {
            starts.push(tokens.len());
            positions.extend((span.start()..span.start() + span.tokens.len()).map(|t| t as u32));
            tokens.extend_from_slice(span.tokens);
        }
        let angles = self.angles(&positions)?;
        let ids = Tensor::new(tokens, &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        if let Some(table) = &self.positions {
            x = (x + table.index_select(&Tensor::new(positions, &self.device)?, 0)?)?;
        }
        let (qs, ks) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        for (layer, block) in self.blocks[..blocks].iter().enumerate() {
            let wide = block.qkv.forward(&block.attention_norm.forward(&x)?)?;
            let (q_norm, k_norm) = match &block.qk_norm {
                Some([q, k]) => (Some(q), Some(k)),
                None => (None, None),
            };
            let q = self.turn(&wide.narrow(1, 0, qs)?.contiguous()?, q_norm, angles.as_ref())?;
            let k = self.turn(&wide.narrow(1, qs, ks)?.contiguous()?, k_norm, angles.as_ref())?;
            let v = wide.narrow(1, qs + ks, ks)?.contiguous()?;
            let v = self.turn(&v, None, None)?;
            for (span, &start) in spans.iter().zip(&starts) {
                for (which, new) in [&k, &v].into_iter().enumerate() {
                    let new =
                        new.narrow(0, start, span.tokens.len())?.transpose(0, 1)?.contiguous()?;
                    if let Some(both) = session.kv.tensors(layer, span.own.id) {
                        both[which].slice_set(&new, 1, span.own.used)?;
                    }
                }
            }
            let last = layer + 1 == blocks;
            let mut attended = Vec::new();
            let mut rows = Vec::new();
            for (span, &start) in spans.iter().zip(&starts) {
                let queries = if last { span.wanted() } else { 0..span.tokens.len() };
                if queries.is_empty() {
                    continue;
                }
                let q = q.narrow(0, start + queries.start, queries.len())?;
                attended.push(self.attend(layer, &session.kv, span, queries.clone(), &q)?);
                rows.extend(queries.map(|t| (start + t) as u32));
            }
            if rows.is_empty() {
                return Ok(x.narrow(0, 0, 0)?);
            }
            if last {
                x = x.index_select(&Tensor::new(rows, &self.device)?, 0)?;
            }
            x = (x + block.out.forward(&Tensor::cat(&attended, 0)?)?)?;
            x = (&x + self.mlp(block, &x)?)?;
            session.interrupt.check()?;
        }
        Ok(x)
    }
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

    fn kv_shape(&self) -> KvShape {
        let c = &self.config;
        KvShape { layers: c.layers, heads: c.kv_heads, head_dim: c.head_dim }
    }

    fn kv_place(&self) -> Place {
        Place::Device(self.device.clone(), self.dtype)
    }

    fn forward(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        depth: Depth,
    ) -> Result<States, LmError> {
        let width = self.config.hidden;
        let (blocks, normed) = match depth {
            Depth::Full => (self.config.layers, true),
            Depth::Blocks(n) => (n.min(self.config.layers), false),
        };
        let x = self.blocks(session, spans, blocks)?;
        let x = if normed && x.dim(0)? > 0 { self.norm.forward(&x)? } else { x };
        let data = read(&x)?;
        let mut faults = vec![None; spans.len()];
        if data.iter().any(|x| !x.is_finite()) {
            // Only now is it worth finding out where: the same tokens again, one block more each time.
            for layer in 0..blocks {
                let x = read(&self.blocks(session, spans, layer + 1)?)?;
                for (fault, bad) in faults.iter_mut().zip(spoiled(&x, width, spans)) {
                    if bad && fault.is_none() {
                        *fault = Some(layer);
                    }
                }
            }
        }
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
}
