//! The decoder on the CPU: blocks of attention and MLP over packed ragged rows.
//!
//! ```text
//! x ← embedding[token] (+ positions[t])
//! x ← x + out(attend(rotate(norm(qkv(norm(x))))));  x ← x + mlp(norm(x))      per block
//! hidden = norm(x);  logits = hidden · headᵀ
//! ```
//!
//! Each token's arithmetic depends on its own row alone, so a text has the same bits in any batch.

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
        arch::config::{ModelConfig, Residual, Rope},
        engine::{
            kv::{Kv, Span},
            network::{Depth, Network, Session, States},
        },
        parts::{self, LinearParts},
    },
    math::{gemm::PANEL, simd::Isa},
};

mod feed;
mod norm;

use feed::Feed;
use norm::{Norm, per_row};

struct Block {
    attention_norm: Option<Norm>,
    attention_after: Option<Norm>,
    qkv: Linear,
    qk_norm: Option<[Norm; 2]>,
    sinks: Option<Vec<f32>>,
    out: Linear,
    mlp_norm: Option<Norm>,
    mlp_after: Option<Norm>,
    feed: Feed,
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
    /// For each rope the radians per position, one a pair of dimensions.
    frequencies: Vec<Vec<f64>>,
}

/// Cosines and sines of every token's angles for one rope, `tokens × width / 2` each.
struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl Angles {
    fn of(&self, token: usize) -> (&[f32], &[f32]) {
        let at = token * self.half..(token + 1) * self.half;
        (&self.cos[at.clone()], &self.sin[at])
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
            let qk_norm = match &parts.qk_norm {
                Some([q, k]) => Some([Norm::new(q, eps)?, Norm::new(k, eps)?]),
                None => None,
            };
            Ok(Block {
                attention_norm: Norm::maybe(parts.attention_norm.as_ref(), eps)?,
                attention_after: Norm::maybe(parts.attention_after.as_ref(), eps)?,
                qkv: Linear::new(&parts.qkv, keep)?,
                qk_norm,
                sinks: parts.sinks.as_ref().map(numbers).transpose()?,
                out: Linear::new(&parts.out, keep)?,
                mlp_norm: Norm::maybe(parts.mlp_norm.as_ref(), eps)?,
                mlp_after: Norm::maybe(parts.mlp_after.as_ref(), eps)?,
                feed: Feed::new(config, &parts.feed, keep)?,
            })
        };
        let blocks = (0..config.layers).map(block).collect::<Result<_, _>>()?;
        let ends = parts::ends(config, weights)?;
        let embedding = LinearParts {
            weights: vec![ends.embedding],
            biases: ends.head_bias.into_iter().collect(),
        };
        Ok(Self {
            isa: Isa::best(),
            embedding: Linear::new(&embedding, keep)?,
            positions: ends.positions.as_ref().map(numbers).transpose()?,
            blocks,
            norm: Norm::new(&ends.norm, eps)?,
            head: ends.head.map(|head| Linear::new(&head, keep)).transpose()?,
            frequencies: config.ropes.iter().map(Rope::frequencies).collect(),
            config: config.clone(),
        })
    }

    /// The same decoder on other instructions, for tests.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// For each rope the angles of tokens at `positions`.
    fn angles(&self, positions: &[usize]) -> Vec<Angles> {
        let ropes = self.config.ropes.iter().zip(&self.frequencies);
        let of = |(rope, frequencies): (&Rope, &Vec<f64>)| {
            let angles =
                positions.iter().flat_map(|&t| frequencies.iter().map(move |f| t as f64 * f));
            let by = rope.amplitude;
            let (cos, sin) = angles.map(|a| ((a.cos() * by) as f32, (a.sin() * by) as f32)).unzip();
            Angles { cos, sin, half: frequencies.len() }
        };
        ropes.map(of).collect()
    }

    /// Norms, cuts and rotates the heads of a row of queries or keys.
    fn turn(
        &self,
        norm: Option<&Norm>,
        row: &mut [f32],
        clip: Option<f32>,
        angles: Option<(&[f32], &[f32])>,
    ) {
        let d = self.config.head_dim;
        if let Some(norm) = norm {
            norm.heads(self.isa, self.config.qk_norm, d, row);
        }
        if let Some(clip) = clip {
            row.iter_mut().for_each(|x| *x = x.clamp(-clip, clip));
        }
        if let Some((cos, sin)) = angles {
            for head in row.chunks_exact_mut(d) {
                row_ops::rotate(&mut head[..2 * cos.len()], cos, sin);
            }
        }
    }

    /// What the MLP of a block reads goes into `work.normed`: the rows of the residual stream, normed.
    fn normed(&self, norm: Option<&Norm>, rows: usize, work: &mut Work) {
        let width = rows * self.config.hidden;
        let (x, out) = (&work.x[..width], work.normed.reserve(width));
        match norm {
            Some(norm) => norm.rows(self.isa, x, out),
            None => out.copy_from_slice(x),
        }
    }

    /// Adds `work.projected` to the residual stream, normed and scaled as the family says.
    fn join(&self, after: Option<&Norm>, rows: usize, work: &mut Work) {
        let (width, isa) = (rows * self.config.hidden, self.isa);
        let added = match after {
            Some(norm) => {
                let out = work.normed.reserve(width);
                norm.rows(isa, &work.projected[..width], out);
                out
            }
            None => &mut work.projected[..width],
        };
        match self.config.scales.residual {
            1.0 => row_ops::add(isa, &mut work.x[..width], added),
            by => row_ops::add_scaled(isa, &mut work.x[..width], by as f32, added),
        }
    }

    /// Attention's projection and the MLP, joined to the residual stream in the family's order.
    fn finish(&self, block: &Block, rows: usize, work: &mut Work) {
        let (isa, f) = (self.isa, self.config.activation);
        let project = |work: &mut Work| {
            let out = work.projected.reserve(rows * self.config.hidden);
            let attended = &work.attended[..rows * block.out.inputs()];
            block.out.forward(isa, &mut work.tiles, attended, rows, out);
        };
        match self.config.residual {
            Residual::Sequential => {
                project(work);
                self.join(block.attention_after.as_ref(), rows, work);
                self.normed(block.mlp_norm.as_ref(), rows, work);
                block.feed.forward(isa, f, rows, work);
                self.join(block.mlp_after.as_ref(), rows, work);
            }
            Residual::Parallel => {
                // Both read the stream as it was.
                self.normed(block.mlp_norm.as_ref().or(block.attention_norm.as_ref()), rows, work);
                project(work);
                self.join(block.attention_after.as_ref(), rows, work);
                block.feed.forward(isa, f, rows, work);
                self.join(block.mlp_after.as_ref(), rows, work);
            }
        }
    }

    /// Queries, keys and values of all rows; keys and values go into the cache.
    fn project(
        &self,
        layer: usize,
        at: &Batch<'_>,
        angles: &[Angles],
        queries: &[Queries],
        kv: &mut Kv,
        work: &mut Work,
    ) {
        let (block, isa, c) = (&self.blocks[layer], self.isa, &self.config);
        let (width, rows) = (block.qkv.outputs(), at.tokens.len());
        let (q, k) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        self.normed(block.attention_norm.as_ref(), rows, work);
        let normed = &work.normed[..rows * c.hidden];
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
        let (q_norm, k_norm) = match &block.qk_norm {
            Some([q, k]) => (Some(q), Some(k)),
            None => (None, None),
        };
        let kind = c.blocks[layer];
        let angles = kind.rope.map(|rope| &angles[rope]);
        let tempering = c.scales.tempering.filter(|t| t.with_rope || kind.rope.is_none());
        per_row(rows * (q + k), wide, width, |i, row| {
            let turned = angles.map(|angles| angles.of(i));
            let clip = c.scales.qkv_clip.map(|clip| clip as f32);
            if let Some(clip) = clip {
                row[q + k..].iter_mut().for_each(|x| *x = x.clamp(-clip, clip));
            }
            self.turn(q_norm, &mut row[..q], clip, turned);
            self.turn(k_norm, &mut row[q..q + k], clip, turned);
            if let Some(tempering) = tempering {
                let by = tempering.factor(at.positions[i]);
                row[..q].iter_mut().for_each(|x| *x *= by);
            }
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
        let feeds = self.blocks.iter().flat_map(|block| block.feed.linears());
        let blocks = self.blocks.iter().flat_map(|b| [&b.qkv, &b.out]).chain(feeds);
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
            if c.scales.embedding != 1.0 {
                let by = c.scales.embedding as f32;
                out.iter_mut().for_each(|x| *x *= by);
            }
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
                sees: c.blocks[layer].sees,
                cap: c.scales.attention_cap.map(|cap| cap as f32),
                sinks: self.blocks[layer].sinks.as_deref(),
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
            self.finish(&self.blocks[layer], rows, work);
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
        let scales = &self.config.scales;
        if scales.logits != 1.0 {
            let by = scales.logits as f32;
            out.iter_mut().for_each(|x| *x *= by);
        }
        if let Some(cap) = scales.logits_cap {
            per_row(out.len(), out, head.outputs(), |_, row| {
                row_ops::soft_cap(self.isa, row, cap as f32);
            });
        }
        Ok(())
    }
}
