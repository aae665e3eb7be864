//! The decoder on the CPU: blocks of attention and MLP over packed ragged rows.
//!
//! ```text
//! x ← embedding[token] (+ positions[t])
//! x ← x + out(attend(rotate(norm(qkv(norm(x))))));  x ← x + mlp(norm(x))      per block
//! hidden = norm(x);  logits = hidden · headᵀ
//! ```
//!
//! Each token's arithmetic depends on its own row alone, so a text has the same bits in any batch.

use rayon::prelude::*;

use super::{
    attention::{self, Heads, Queries},
    batch::Batch,
    linear::{Keep, Linear, numbers},
    row_ops,
    work::Work,
};
use crate::{
    lm::{
        LmError, Weights,
        arch::config::{Activation, ModelConfig},
        engine::{
            kv::{Kv, Span},
            network::{Depth, Network, Session, States},
        },
        parts::{self, LinearParts, NormParts},
    },
    math::{gemm::PANEL, simd::Isa},
};

/// Values above which rows are normalised by several threads.
const SERIAL: usize = 1 << 15;

struct Norm {
    gain: Vec<f32>,
    bias: Option<Vec<f32>>,
    eps: f32,
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

/// A decoder-only language model with packed weights.
pub struct Decoder {
    config: ModelConfig,
    isa: Isa,
    embedding: Linear,
    positions: Option<Vec<f32>>,
    blocks: Vec<Block>,
    norm: Norm,
    /// The output projection where it is not the embedding.
    head: Option<Linear>,
    /// Radians per position, one a pair of dimensions.
    frequencies: Vec<f64>,
}

impl Norm {
    fn new(parts: &NormParts, eps: f64) -> Result<Self, LmError> {
        let bias = parts.bias.as_ref().map(numbers).transpose()?;
        Ok(Self { gain: numbers(&parts.gain)?, bias, eps: eps as f32 })
    }

    fn row(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        match &self.bias {
            Some(bias) => row_ops::layer_norm(isa, x, &self.gain, bias, self.eps, out),
            None => row_ops::rms_norm(isa, x, &self.gain, self.eps, out),
        }
    }

    fn rows(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        let width = self.gain.len();
        per_row(x.len(), out, width, |i, out| self.row(isa, &x[i * width..][..width], out));
    }
}

/// Runs `f(i, row)` for every row of `out`, on several threads where that pays.
fn per_row(work: usize, out: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if work < SERIAL {
        out.chunks_exact_mut(width).enumerate().for_each(|(i, row)| f(i, row));
    } else {
        out.par_chunks_exact_mut(width).with_min_len(4).enumerate().for_each(|(i, row)| f(i, row));
    }
}

impl Decoder {
    /// Reads and packs the weights of a checkpoint, block by block.
    ///
    /// # Errors
    ///
    /// A tensor that is missing or has another shape than the configuration says.
    pub fn new(
        config: &ModelConfig,
        weights: &Weights,
        keep: impl Into<Keep>,
    ) -> Result<Self, LmError> {
        let (keep, eps) = (keep.into(), config.norm_eps);
        let block = |layer| -> Result<Block, LmError> {
            let parts = parts::block(config, weights, layer)?;
            let qk_norm = parts.qk_norm.map(|gains| {
                let [q, k] = gains.map(|gain| Norm::new(&NormParts { gain, bias: None }, eps));
                Ok::<_, LmError>([q?, k?])
            });
            Ok(Block {
                attention_norm: Norm::new(&parts.attention_norm, eps)?,
                qkv: Linear::new(&parts.qkv, keep)?,
                qk_norm: qk_norm.transpose()?,
                out: Linear::new(&parts.out, keep)?,
                mlp_norm: Norm::new(&parts.mlp_norm, eps)?,
                up: Linear::new(&parts.up, keep)?,
                down: Linear::new(&parts.down, keep)?,
            })
        };
        let blocks = (0..config.layers).map(block).collect::<Result<_, _>>()?;
        let ends = parts::ends(config, weights)?;
        let matrix = |weight| LinearParts { weights: vec![weight], biases: Vec::new() };
        Ok(Self {
            isa: Isa::best(),
            embedding: Linear::new(&matrix(ends.embedding), keep)?,
            positions: ends.positions.as_ref().map(numbers).transpose()?,
            blocks,
            norm: Norm::new(&ends.norm, eps)?,
            head: ends.head.map(|head| Linear::new(&matrix(head), keep)).transpose()?,
            frequencies: match &config.rope {
                Some(rope) => rope.frequencies(config.head_dim),
                None => Vec::new(),
            },
            config: config.clone(),
        })
    }

    /// The same decoder on other instructions, for tests.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// Cosines and sines of every token's angles, `tokens × head_dim / 2` each.
    fn angles(&self, positions: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let angles =
            positions.iter().flat_map(|&t| self.frequencies.iter().map(move |f| t as f64 * f));
        angles.map(|a| (a.cos() as f32, a.sin() as f32)).unzip()
    }

    /// Norms and rotates `heads` heads at the beginning of a row.
    fn turn(&self, norm: Option<&Norm>, row: &mut [f32], cos: &[f32], sin: &[f32]) {
        let d = self.config.head_dim;
        for head in row.chunks_exact_mut(d) {
            if let Some(norm) = norm {
                let before = head.to_vec();
                norm.row(self.isa, &before, head);
            }
            if !cos.is_empty() {
                row_ops::rotate(head, cos, sin);
            }
        }
    }

    fn mlp(&self, block: &Block, rows: usize, work: &mut Work) {
        let (isa, inner) = (self.isa, self.config.intermediate);
        let width = block.up.outputs();
        let gated = width == 2 * inner;
        let hidden = self.config.hidden;
        let normed = work.normed.reserve(rows * hidden);
        block.mlp_norm.rows(isa, &work.x[..rows * hidden], normed);
        let wide = work.wide.reserve(rows * width);
        block.up.forward(isa, &mut work.tiles, normed, rows, wide);
        let f = self.config.activation;
        let gate = work.gate.reserve(rows * inner);
        let wide = &*wide;
        per_row(rows * inner, gate, inner, |i, out| {
            let row = &wide[i * width..][..width];
            out.copy_from_slice(&row[width - inner..]);
            if gated && f == Activation::Silu {
                row_ops::gate_silu(isa, &row[..inner], out);
            } else if gated {
                let mut opened = row[..inner].to_vec();
                row_ops::gate(isa, f, &mut opened, out);
            } else {
                row_ops::activate(isa, f, out);
            }
        });
        let projected = work.projected.reserve(rows * hidden);
        block.down.forward(isa, &mut work.tiles, gate, rows, projected);
        row_ops::add(isa, &mut work.x[..rows * hidden], projected);
    }

    /// Queries, keys and values of all rows; keys and values go into the cache.
    fn project(
        &self,
        layer: usize,
        at: &Batch<'_>,
        (cos, sin): &(Vec<f32>, Vec<f32>),
        queries: &[Queries],
        kv: &mut Kv,
        work: &mut Work,
    ) {
        let (block, isa, c) = (&self.blocks[layer], self.isa, &self.config);
        let (width, rows) = (block.qkv.outputs(), at.tokens.len());
        let (q, k) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let normed = work.normed.reserve(rows * c.hidden);
        block.attention_norm.rows(isa, &work.x[..rows * c.hidden], normed);
        let wide = work.wide.reserve(rows * width);
        let asked: usize = queries.iter().map(|part| part.count).sum();
        if asked == rows || !q.is_multiple_of(PANEL) {
            block.qkv.forward(isa, &mut work.tiles, normed, rows, wide);
        } else {
            block.qkv.forward_columns(isa, &mut work.tiles, normed, rows, q..width, wide);
            let gathered = work.gathered.reserve(asked * (c.hidden + width));
            let (x, y) = gathered.split_at_mut(asked * c.hidden);
            for (from, to) in at.rows(queries) {
                x[to * c.hidden..][..c.hidden]
                    .copy_from_slice(&normed[from * c.hidden..][..c.hidden]);
            }
            block.qkv.forward_columns(isa, &mut work.tiles, x, asked, 0..q, y);
            for (from, to) in at.rows(queries) {
                wide[from * width..][..q].copy_from_slice(&y[to * width..][..q]);
            }
        }
        let half = self.frequencies.len();
        let (q_norm, k_norm) = match &block.qk_norm {
            Some([q, k]) => (Some(q), Some(k)),
            None => (None, None),
        };
        per_row(rows * (q + k), wide, width, |i, row| {
            let (cos, sin) = (&cos[i * half..][..half], &sin[i * half..][..half]);
            self.turn(q_norm, &mut row[..q], cos, sin);
            self.turn(k_norm, &mut row[q..q + k], cos, sin);
        });
        let mut row = 0;
        for span in at.spans {
            for t in 0..span.tokens.len() {
                let all = &wide[row * width..][..width];
                kv.write(layer, span.own.id, span.own.used + t, &all[q..q + k], &all[q + k..]);
                row += 1;
            }
        }
    }
}

impl Network for Decoder {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn weight_bytes(&self) -> usize {
        let of = |linear: &Linear| linear.weight().bytes();
        let blocks = self.blocks.iter().flat_map(|b| [&b.qkv, &b.out, &b.up, &b.down]);
        blocks.chain([&self.embedding]).chain(&self.head).map(of).sum()
    }

    fn forward(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        depth: Depth,
    ) -> Result<States, LmError> {
        let (isa, c) = (self.isa, &self.config);
        let Session { kv, buffers, interrupt } = session;
        let work = buffers.of::<Work>();
        let batch = Batch::new(spans);
        let angles = self.angles(&batch.positions);
        let mut rows = batch.tokens.len();
        let x = work.x.reserve(rows * c.hidden);
        for (i, out) in x.chunks_exact_mut(c.hidden).enumerate() {
            self.embedding.weight().row(batch.tokens[i] as usize, out);
            if let Some(table) = &self.positions {
                row_ops::add(isa, out, &table[batch.positions[i] * c.hidden..][..c.hidden]);
            }
        }
        let (all, wanted) = (batch.queries(false), batch.queries(true));
        let blocks = match depth {
            Depth::Full => c.layers,
            Depth::Blocks(n) => n.min(c.layers),
        };
        let mut faults = vec![None; spans.len()];
        for layer in 0..blocks {
            let last = layer + 1 == blocks;
            let queries = if last { &wanted } else { &all };
            self.project(layer, &batch, &angles, queries, kv, work);
            if last {
                // What nobody asked for ends here.
                for (from, to) in batch.rows(queries) {
                    work.x.copy_within(from * c.hidden..(from + 1) * c.hidden, to * c.hidden);
                }
                rows = queries.iter().map(|part| part.count).sum();
                if rows == 0 {
                    break;
                }
            }
            let q = c.heads * c.head_dim;
            let width = self.blocks[layer].qkv.outputs();
            let attended = work.attended.reserve(rows * q);
            let heads = Heads {
                queries: c.heads,
                scale: c.attention_scale(layer) as f32,
                window: c.windows[layer],
            };
            let wide = if last && rows < batch.tokens.len() {
                let gathered = work.gathered.reserve(rows * width);
                for (from, to) in batch.rows(queries) {
                    gathered[to * width..][..q].copy_from_slice(&work.wide[from * width..][..q]);
                }
                gathered
            } else {
                &mut work.wide[..]
            };
            attention::attend(isa, kv, layer, heads, spans, queries, wide, width, attended);
            let projected = work.projected.reserve(rows * c.hidden);
            self.blocks[layer].out.forward(isa, &mut work.tiles, attended, rows, projected);
            row_ops::add(isa, &mut work.x[..rows * c.hidden], projected);
            self.mlp(&self.blocks[layer], rows, work);
            for part in queries {
                let x = &work.x[part.row * c.hidden..][..part.count * c.hidden];
                if faults[part.span].is_none() && !row_ops::all_finite(isa, x) {
                    faults[part.span] = Some(layer);
                }
            }
            interrupt.check()?;
        }
        let x = &work.x[..rows * c.hidden];
        let mut data = vec![0.0; x.len()];
        match depth {
            Depth::Full => self.norm.rows(isa, x, &mut data),
            Depth::Blocks(_) => data.copy_from_slice(x),
        }
        Ok(States { data, faults })
    }

    fn logits(
        &self,
        session: &mut Session,
        states: &[f32],
        out: &mut Vec<f32>,
    ) -> Result<(), LmError> {
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        let rows = states.len() / self.config.hidden;
        out.resize(rows * head.outputs(), 0.0);
        head.forward(self.isa, &mut session.buffers.of::<Work>().tiles, states, rows, out);
        Ok(())
    }
}
