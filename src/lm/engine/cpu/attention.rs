//! Attention of ragged rows over chains of shared segments, keys and values read in place.
//!
//! ```text
//! a = softmax(cap(q · Kᵀ · scale), sink) · V        positions lo..hi of the row alone
//! ```
//!
//! A score is one chain of fused multiply-adds over the head's width, an output one chain over
//! positions; both are the same wherever segments begin and whoever shares the batch. Query heads
//! that share a key head are computed together from one read of it.
#![expect(unsafe_code, reason = "rows are written by several threads into one matrix")]

mod kernel;

use rayon::prelude::*;
use std::cell::RefCell;

use super::row_ops;
use crate::{
    lm::{
        arch::config::Sees,
        engine::kv::{BLOCK, Kv, Piece, Span},
    },
    math::simd::{Isa, Lines},
};

/// Multiply-adds below which other threads are not woken.
const SERIAL: usize = 1 << 18;

/// How one layer attends.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Query heads.
    pub queries: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// Positions that a token sees.
    pub sees: Sees,
    /// Scores `s` become `cap · tanh(s/cap)`.
    pub cap: Option<f32>,
    /// For each query head a term of its softmax that stands for no position.
    pub sinks: Option<&'a [f32]>,
}

/// Tokens `first..first + count` of span `span`; their queries and outputs are rows `row…`.
#[derive(Clone, Copy, Debug)]
pub struct Queries {
    /// Index of the span.
    pub span: usize,
    /// First token.
    pub first: usize,
    /// Number of tokens.
    pub count: usize,
    /// Row of the first token among queries and outputs.
    pub row: usize,
}

/// A piece of [`Queries`] under one key head.
#[derive(Clone, Copy)]
struct Item {
    queries: Queries,
    head: usize,
}

#[derive(Clone, Copy)]
struct Out(*mut f32);

impl Out {
    fn start(self) -> *mut f32 {
        self.0
    }
}

// SAFETY: items write disjoint heads or rows of a matrix that outlives them.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

/// Buffers of a thread.
#[derive(Default)]
struct Scratch {
    query: Lines,
    scores: Lines,
    sums: Lines,
}

/// Attends for `queries`; keys and values of all spans are written already.
///
/// `q` has rows of `q_stride` values that begin with `queries · head_dim` query values; `out` has
/// rows of `queries · head_dim`.
#[expect(clippy::too_many_arguments, reason = "one call site; a struct would name them again")]
pub fn attend(
    isa: Isa,
    kv: &Kv,
    layer: usize,
    heads: Heads<'_>,
    spans: &[Span<'_>],
    queries: &[Queries],
    q: &[f32],
    q_stride: usize,
    out: &mut [f32],
) {
    let shape = kv.shape();
    let width = heads.queries * shape.head_dim;
    let rows = queries.iter().map(|part| part.row + part.count).max().unwrap_or(0);
    assert!(out.len() >= rows * width && q.len() >= rows.saturating_sub(1) * q_stride + width);
    let group = heads.queries / shape.heads;
    // Long spans are cut so that threads share them and a tile's scores stay in the cache.
    let step = (32 / group).max(1);
    let mut items = Vec::new();
    for head in 0..shape.heads {
        for part in queries {
            for at in (0..part.count).step_by(step) {
                let count = step.min(part.count - at);
                let queries =
                    Queries { first: part.first + at, count, row: part.row + at, ..*part };
                items.push(Item { queries, head });
            }
        }
    }
    let out = Out(out.as_mut_ptr());
    let run = |item: &Item| {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let span = &spans[item.queries.span];
            // SAFETY: the item's rows and heads of `out` belong to it alone.
            unsafe {
                attend_item(isa, kv, layer, heads, span, *item, (q, q_stride), out.start(), scratch)
            }
        });
    };
    let work: usize = queries
        .iter()
        .map(|part| part.count * (spans[part.span].start() + part.first + part.count) * width)
        .sum();
    if work < SERIAL {
        items.iter().for_each(run);
    } else {
        let least = items.len() / (16 * rayon::current_num_threads());
        items.par_iter().with_min_len(least.max(1)).for_each(run);
    }
}

#[expect(clippy::too_many_arguments, reason = "the body of a loop")]
unsafe fn attend_item(
    isa: Isa,
    kv: &Kv,
    layer: usize,
    heads: Heads<'_>,
    span: &Span<'_>,
    item: Item,
    (q, q_stride): (&[f32], usize),
    out: *mut f32,
    scratch: &mut Scratch,
) {
    let shape = kv.shape();
    let (d, width) = (shape.head_dim, shape.value_width());
    let group = heads.queries / shape.heads;
    let Queries { first, count, row, .. } = item.queries;
    let start = span.start();
    let own = Piece { used: span.own.used + first + count, ..span.own };
    let total = start + first + count;
    let stride = (total + 2 * BLOCK).next_multiple_of(BLOCK);
    // Query `i` is head `i % group` of token `i / group`.
    let place = |i: usize| (row + i / group, (item.head * group + i % group) * d);
    let seen = |i: usize| {
        let at = start + first + i / group;
        (heads.sees.first(at), at + 1)
    };
    for from in (0..count * group).step_by(kernel::MOST) {
        let m = kernel::MOST.min(count * group - from);
        let query = scratch.query.reserve(m * d);
        for r in 0..m {
            let (row, column) = place(from + r);
            for (i, x) in q[row * q_stride + column..][..d].iter().enumerate() {
                query[i * m + r] = x * heads.scale;
            }
        }
        let (lo, hi) = (seen(from).0, seen(from + m - 1).1);
        let pieces = span.prefix.iter().chain(std::iter::once(&own)).scan(0, |at, piece| {
            let start = *at;
            *at += piece.used;
            // Positions of the piece that some query of the tile sees.
            let (a, b) = (lo.max(start), hi.min(*at));
            Some((piece.id, start, a..b.max(a)))
        });
        let pieces = pieces.filter(|(_, _, seen)| !seen.is_empty());
        let scores = scratch.scores.reserve(m * stride);
        for (id, start, seen) in pieces.clone() {
            let first = (seen.start - start) / BLOCK;
            let blocks = (seen.end - start).div_ceil(BLOCK) - first;
            let keys = &kv.keys(layer, id, item.head)[first * BLOCK * d..];
            assert!(keys.len() >= blocks * BLOCK * d);
            let at = start + first * BLOCK;
            // SAFETY: whole blocks of keys; a row of scores has room for `total + 16` positions.
            unsafe {
                let out = scores.as_mut_ptr().add(at);
                kernel::score(isa, m, query, keys.as_ptr(), d, blocks, out, stride);
            }
        }
        let sums = scratch.sums.reserve(m * width + m);
        let (sums, norms) = sums.split_at_mut(m * width);
        for (r, norm) in norms.iter_mut().enumerate() {
            let (a, b) = seen(from + r);
            let row = &mut scores[r * stride..][..hi];
            if let Some(cap) = heads.cap {
                row_ops::soft_cap(isa, &mut row[a..b], cap);
            }
            let sink = heads.sinks.map(|sinks| sinks[item.head * group + (from + r) % group]);
            let max = row_ops::greatest(isa, &row[a..b]);
            let max = sink.map_or(max, |sink| max.max(sink));
            *norm = row_ops::exp_sum(isa, &mut row[a..b], max);
            if let Some(sink) = sink {
                *norm += row_ops::exp(sink - max);
            }
            row[lo..a].fill(0.0);
            row[b..hi].fill(0.0);
        }
        sums.fill(0.0);
        for (id, start, seen) in pieces {
            let values = &kv.values(layer, id, item.head)[(seen.start - start) * width..];
            assert!(values.len() >= seen.len() * width);
            // SAFETY: `seen` positions of scores and values; sums has m rows.
            unsafe {
                let p = scores.as_ptr().add(seen.start);
                kernel::weigh(isa, m, p, stride, values.as_ptr(), width, seen.len(), sums);
            }
        }
        for (r, norm) in norms.iter().enumerate() {
            let (row, column) = place(from + r);
            // SAFETY: this head of this row belongs to the item.
            let out = unsafe {
                std::slice::from_raw_parts_mut(out.add(row * heads.queries * d + column), d)
            };
            let by = 1.0 / norm;
            out.iter_mut().zip(&sums[r * width..]).for_each(|(o, s)| *o = s * by);
        }
    }
}
