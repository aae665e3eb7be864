//! The tokens of a pass: those of all its spans, one after the other.

use std::ops::Range;

use super::attention::Queries;
use crate::lm::engine::kv::Span;

/// The tokens of all spans in one row.
pub(crate) struct Batch<'a> {
    pub spans: &'a [Span<'a>],
    /// Index of each span's first token.
    pub starts: Vec<usize>,
    pub tokens: Vec<u32>,
    /// Each token's position in its own sequence.
    pub positions: Vec<usize>,
}

impl<'a> Batch<'a> {
    pub fn new(spans: &'a [Span<'a>]) -> Self {
        let (mut starts, mut tokens, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for span in spans {
            starts.push(tokens.len());
            positions.extend(span.start()..span.start() + span.tokens.len());
            tokens.extend_from_slice(span.tokens);
        }
        Self { spans, starts, tokens, positions }
    }

    /// Queries of every token, or of those whose states are asked for.
    pub fn queries(&self, wanted_only: bool) -> Vec<Queries> {
        let mut row = 0;
        let mut all = Vec::new();
        for (index, span) in self.spans.iter().enumerate() {
            let Range { start, end } =
                if wanted_only { span.wanted() } else { 0..span.tokens.len() };
            if start < end {
                all.push(Queries { span: index, first: start, count: end - start, row });
                row += end - start;
            }
        }
        all
    }

    /// For each query its row among all tokens and its row among the queries.
    pub fn rows<'b>(&'b self, queries: &'b [Queries]) -> impl Iterator<Item = (usize, usize)> + 'b {
        queries.iter().flat_map(|part| {
            (0..part.count).map(|i| (self.starts[part.span] + part.first + i, part.row + i))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::engine::kv::{Kv, KvShape, Piece, Place, Want};

    #[test]
    fn what_nobody_asks_for_has_no_query_and_rows_follow_the_spans() {
        let mut kv = Kv::new(KvShape { layers: 1, heads: 1, head_dim: 2 }, Place::Host);
        let own = Piece { id: kv.allocate(16).unwrap(), used: 3 };
        let span = |tokens, want| Span { tokens, prefix: &[], own, want };
        let spans =
            [span(&[7, 8], Want::Nothing), span(&[9, 10], Want::Last), span(&[11], Want::All)];
        let batch = Batch::new(&spans);
        assert_eq!(
            (&batch.tokens[..], &batch.starts[..]),
            (&[7, 8, 9, 10, 11][..], &[0, 2, 4][..])
        );
        assert_eq!(batch.positions, [3, 4, 3, 4, 3]);
        let rows = |wanted_only| {
            let queries = batch.queries(wanted_only);
            batch.rows(&queries).collect::<Vec<_>>()
        };
        assert_eq!(rows(false), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
        assert_eq!(rows(true), [(3, 0), (4, 1)]);
    }
}
