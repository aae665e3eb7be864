//! Which queries read which positions: the work list of attention over shared segments.
//!
//! Tokens that read the same chunk of a segment stand together, so that a shared prompt is read once
//! for many rows; each token's chunks are joined afterwards.

use std::collections::HashMap;

use crate::lm::{
    arch::config::Sees,
    engine::{
        cpu::attention::Queries,
        kv::{Piece, SegmentId, Span},
    },
};

/// Queries, of all heads of a group together, that one item holds where a group has no more.
pub(super) const QUERIES: usize = 16;

/// Most positions of an item.
pub(super) const CHUNK: usize = 256;

/// Tokens that read positions `from..from + count` of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub segment: SegmentId,
    pub from: usize,
    pub count: usize,
    /// Index of the first of its reads, and how many there are.
    pub first: usize,
    pub reads: usize,
}

/// Row `row` of the queries sees `lo..hi` of the chunk; its result is partial `slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub row: u32,
    pub lo: u32,
    pub hi: u32,
    pub slot: u32,
}

/// The work of one attention.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub items: Vec<Item>,
    pub reads: Vec<Read>,
    /// Partials `slots[row]..slots[row + 1]` belong to a row, in the order of their positions.
    pub slots: Vec<u32>,
}

impl Plan {
    /// The work of `queries`, whose tokens see what `sees` says; `group` query heads share a key head.
    pub fn new(spans: &[Span<'_>], queries: &[Queries], sees: Sees, group: usize) -> Self {
        // Reads by chunk, in the order in which chunks are first met.
        let mut chunks: Vec<(SegmentId, usize, Vec<Read>)> = Vec::new();
        let mut known = HashMap::new();
        let mut slots = vec![0];
        let mut slot = 0;
        for part in queries {
            let span = &spans[part.span];
            let start = span.start();
            for at in 0..part.count {
                let position = start + part.first + at;
                let lo = sees.first(position);
                let used = span.own.used + part.first + at + 1;
                let own = Piece { used, ..span.own };
                let mut before = 0;
                for piece in span.prefix.iter().chain([&own]) {
                    let first = lo.saturating_sub(before).min(piece.used);
                    for from in (first / CHUNK * CHUNK..piece.used).step_by(CHUNK) {
                        let read = Read {
                            row: (part.row + at) as u32,
                            lo: first.saturating_sub(from) as u32,
                            hi: (piece.used - from).min(CHUNK) as u32,
                            slot,
                        };
                        if read.lo >= read.hi {
                            continue;
                        }
                        slot += 1;
                        let at = *known.entry((piece.id, from)).or_insert_with(|| {
                            chunks.push((piece.id, from, Vec::new()));
                            chunks.len() - 1
                        });
                        chunks[at].2.push(read);
                    }
                    before += piece.used;
                }
                slots.push(slot);
            }
        }
        let mut plan = Self { slots, ..Self::default() };
        let tokens = (QUERIES / group).max(1);
        for (segment, from, reads) in chunks {
            for part in reads.chunks(tokens) {
                let count = part.iter().map(|read| read.hi as usize).max().unwrap_or(0);
                let (first, reads) = (plan.reads.len(), part.len());
                plan.items.push(Item { segment, from, count, first, reads });
                plan.reads.extend_from_slice(part);
            }
        }
        plan
    }

    /// Rows of queries.
    pub fn rows(&self) -> usize {
        self.slots.len() - 1
    }

    /// Number of partials.
    pub fn partials(&self) -> usize {
        self.slots.last().map_or(0, |last| *last as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::engine::kv::{Kv, KvShape, Place, Want};

    #[test]
    fn rows_behind_one_prompt_read_it_together_and_their_own_tokens_alone() {
        let mut kv = Kv::new(KvShape { layers: 1, heads: 1, head_dim: 16 }, Place::Host);
        let prompt = kv.allocate(300).unwrap();
        let own = [kv.allocate(16).unwrap(), kv.allocate(16).unwrap()];
        let prefix = [Piece { id: prompt, used: 300 }];
        let span = |id, used| Span {
            tokens: &[7],
            prefix: &prefix,
            own: Piece { id, used },
            want: Want::Last,
        };
        let spans = [span(own[0], 2), span(own[1], 0)];
        let query = |span| Queries { span, first: 0, count: 1, row: span };
        let plan = Plan::new(&spans, &[query(0), query(1)], Sees::All, 4);
        let item = |segment, from, count, first, reads| Item { segment, from, count, first, reads };
        let items = [
            item(prompt, 0, 256, 0, 2),
            item(prompt, 256, 44, 2, 2),
            item(own[0], 0, 3, 4, 1),
            item(own[1], 0, 1, 5, 1),
        ];
        assert_eq!(plan.items, items);
        assert_eq!(plan.slots, [0, 3, 6], "two chunks of the prompt and one of its own");
        // A window of 4 behind 302 positions begins at 299: one position of the prompt, three of its own.
        let plan = Plan::new(&spans[..1], &[query(0)], Sees::Window(4), 4);
        let read = |lo, hi, slot| Read { row: 0, lo, hi, slot };
        assert_eq!(plan.reads, [read(43, 44, 0), read(0, 3, 1)]);
    }
}
