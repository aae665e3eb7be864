//! What a score keeps in main memory, told before anything is read.

use crate::{
    cloud::nearby::Nearby,
    data::sides::Sides,
    score::{
        ScoreOptions, Unequal,
        support::{self, Support},
    },
};

/// Main memory of a score, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The rows of both sides as they are read. Below a limit they are left in files, and so is what is made of them.
    pub rows: u64,
    /// What is kept of each row one by one, whatever the limit: its equals and its lists of neighbors.
    pub lists: u64,
}

impl Memory {
    /// That of a score of `sizes` rows of `dim` columns.
    pub fn of(sizes: Sides<usize>, dim: usize, options: &ScoreOptions) -> Self {
        let all = |sizes: Sides<usize>| (sizes.reference + sizes.model) as u64;
        let rows = 4 * all(sizes) * dim as u64;
        let smaller = sizes.reference.min(sizes.model);
        let sizes = match options.unequal {
            Unequal::Subsample => sizes.map(|_| smaller),
            Unequal::Keep => sizes,
        };
        Self { rows, lists: all(sizes) * EQUALS + of_neighbors(sizes, options) }
    }
}

/// Bytes by which a row is found among its equals.
const EQUALS: u64 = 96;

/// Lists of neighbors, with the candidates that they are chosen from.
fn of_neighbors(sizes: Sides<usize>, options: &ScoreOptions) -> u64 {
    if !options.metrics.asks_any(support::SPECS) {
        return 0;
    }
    let measures = Support::of(options);
    let Sides { reference: n, model: m } = sizes;
    let whole = (n + m) as u64 * a_list(measures.rank(sizes));
    let drawn = if options.resamples > 0 || options.permutations > 0 {
        n + m
    } else if measures.has_ceilings_of_halves() {
        n
    } else {
        0
    };
    let Some((rank, share)) = measures.drawn_rank(sizes, drawn) else { return whole };
    whole + drawn as u64 * a_list(Nearby::listed(rank, share, drawn))
}

/// Bytes of a row's list with so many neighbors: twice as many candidates are kept while they are searched, in a buffer
/// that doubles as it grows.
fn a_list(neighbors: usize) -> u64 {
    let candidates = 8 * (2 * neighbors + 16).next_power_of_two();
    (candidates.max(16 * neighbors) + 80) as u64
}
