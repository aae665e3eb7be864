//! Attention by a [`Plan`]: each item's softmax over its chunk, then the chunks of each row joined.
//!
//! ```text
//! item:  m = max s,  z = Σ exp(s − m),  a = Σ exp(s − m) v      over lo..hi of the chunk
//! row:   out = Σ a exp(m − M) / (Σ z exp(m − M) + exp(sink − M))  over its items, M = max(m, sink)
//! ```
//!
//! On CUDA these are the kernels of `kernels/attention.cu`; here is the same in plain loops.

use candle_core::{DType, Tensor};
use std::collections::HashMap;

use super::work_list::Plan;
use crate::lm::{LmError, engine::kv::Kv};

/// Dimensions of one layer's attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub layer: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub scale: f32,
    /// Scores `s` become `cap · tanh(s/cap)`.
    pub cap: Option<f32>,
}

/// `rows × heads · head_dim` for queries of the same shape, in main memory.
///
/// `sinks` holds for each head a term of its softmax that stands for no position.
pub(super) fn on_host(
    plan: &Plan,
    kv: &Kv,
    shape: Shape,
    sinks: Option<&[f32]>,
    q: &Tensor,
) -> Result<Tensor, LmError> {
    let Shape { layer, heads, kv_heads, head_dim: dim, scale, cap } = shape;
    let (group, rows) = (heads / kv_heads, plan.rows());
    let read = |t: &Tensor| t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
    let queries = read(q)?;
    let mut segments = HashMap::new();
    let width = dim + 2;
    let mut partial = vec![0f32; plan.partials() * heads * width];
    for item in &plan.items {
        let (data, capacity) = match segments.get(&item.segment) {
            Some(known) => known,
            None => {
                let data = read(&kv.layer(layer, item.segment)?)?;
                let entry = (data, kv.capacity(item.segment));
                segments.entry(item.segment).or_insert(entry)
            }
        };
        for head in 0..kv_heads {
            let keys = &data[(head * capacity + item.from) * dim..];
            let values = &data[((kv_heads + head) * capacity + item.from) * dim..];
            for read in &plan.reads[item.first..][..item.reads] {
                for head in head * group..(head + 1) * group {
                    let q = &queries[(read.row as usize * heads + head) * dim..][..dim];
                    let seen = read.lo as usize..read.hi as usize;
                    let dot = |j: usize| -> f32 {
                        keys[j * dim..][..dim].iter().zip(q).map(|(k, q)| k * q).sum()
                    };
                    let capped = |s: f32| cap.map_or(s, |cap| cap * (s / cap).tanh());
                    let scores = seen.clone().map(|j| capped(dot(j) * scale));
                    let scores: Vec<f32> = scores.collect();
                    let most = scores.iter().copied().fold(f32::MIN, f32::max);
                    let out = &mut partial[(read.slot as usize * heads + head) * width..][..width];
                    out[0] = most;
                    for (j, score) in seen.zip(scores) {
                        let e = (score - most).exp();
                        out[1] += e;
                        let value = &values[j * dim..][..dim];
                        out[2..].iter_mut().zip(value).for_each(|(o, v)| *o += e * v);
                    }
                }
            }
        }
    }
    let mut out = vec![0f32; rows * heads * dim];
    for (at, out) in out.chunks_exact_mut(dim).enumerate() {
        let (row, head) = (at / heads, at % heads);
        let slots = plan.slots[row] as usize..plan.slots[row + 1] as usize;
        let parts = slots.map(|slot| &partial[(slot * heads + head) * width..][..width]);
        let sink = sinks.map(|sinks| sinks[head]);
        let most = parts.clone().map(|part| part[0]).chain(sink).fold(f32::MIN, f32::max);
        let seen: f32 = parts.clone().map(|part| part[1] * (part[0] - most).exp()).sum();
        let total = seen + sink.map_or(0.0, |sink| (sink - most).exp());
        for part in parts {
            let by = (part[0] - most).exp() / total;
            out.iter_mut().zip(&part[2..]).for_each(|(o, x)| *o += x * by);
        }
    }
    Ok(Tensor::from_vec(out, (rows, heads * dim), q.device())?.to_dtype(q.dtype())?)
}
