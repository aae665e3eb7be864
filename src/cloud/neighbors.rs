//! Exact nearest neighbors: by blocked matrix products, or by a k-d tree where columns are few.

mod tree;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    MetricError,
    space::{Rows, Tile, Visit},
};
use crate::data::{sides::Side, stop};

/// Whether a point exactly on a radius is inside the ball.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// `<`: outside, as in `prdc` and the ACL 2024 code.
    #[default]
    Strict,
    /// `≤`: inside, as in Kynkäänniemi et al.
    Inclusive,
}

impl Ties {
    /// Whether a point at distance² `squared` is inside a ball of radius² `radius`.
    pub fn inside(self, squared: f64, radius: f64) -> bool {
        match self {
            Self::Strict => squared < radius,
            Self::Inclusive => squared <= radius,
        }
    }
}

/// The nearest other rows of every row of one cloud, equal rows taken once.
pub(crate) struct Neighbors {
    /// Per distinct row: other distinct rows by distance², then index, as far as the `k`-th neighbor
    /// and everything as near as that.
    lists: Vec<Vec<Near>>,
}

/// Another distinct row and its distance².
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    pub(crate) squared: f64,
    pub(crate) row: u32,
}

impl Neighbors {
    /// Finds the neighbors of all rows up to rank `k`.
    ///
    /// # Errors
    ///
    /// [`MetricError::NoKthNeighbor`].
    ///
    /// # Cost
    ///
    /// `O(n² d)` in matrix products, `O(n (d + k))` memory; about `O(n log n)` where columns are few.
    pub(crate) fn find(rows: &Rows, k: usize, side: Side) -> Result<Self, MetricError> {
        let n = rows.distinct.of.len();
        if k == 0 || k >= n {
            return Err(MetricError::NoKthNeighbor { side, n, k });
        }
        let lists = tree::lists(rows, k).unwrap_or_else(|| Self::by_products(rows, k));
        Ok(Self { lists })
    }

    fn by_products(rows: &Rows, k: usize) -> Vec<Vec<Near>> {
        let blocks = rows.blocks();
        let searches: Vec<Mutex<Search>> = blocks
            .iter()
            .map(|block| {
                Mutex::new(Search::new(block.start, &rows.distinct.copies[block.clone()], k))
            })
            .collect();
        // Neighboring tasks work on different blocks, so that threads seldom wait for each other.
        let tasks: Vec<(usize, usize)> = (0..blocks.len())
            .flat_map(|apart| (0..blocks.len() - apart).map(move |a| (a, a + apart)))
            .collect();
        tasks.into_par_iter().for_each_init(Tile::default, |tile, (a, b)| {
            stop::check();
            tile.multiply((rows, blocks[a].clone()), (rows, blocks[b].clone()));
            let mut first = lock(&searches[a]);
            let mut second = (a != b).then(|| lock(&searches[b]));
            tile.scan(&mut Pair { rows, a: &mut first, b: second.as_deref_mut() });
        });
        let lists = searches.into_par_iter().flat_map_iter(|search| {
            let search = search.into_inner().unwrap_or_else(PoisonError::into_inner);
            search.finish(rows)
        });
        lists.collect()
    }
}

impl Neighbors {
    /// What was found elsewhere: per distinct row, as [`Self::find`] lists them.
    pub(crate) fn of_lists(lists: Vec<Vec<Near>>) -> Self {
        Self { lists }
    }

    /// The other rows near distinct row `i`, nearest first.
    pub(crate) fn of(&self, i: usize) -> &[Near] {
        &self.lists[i]
    }

    /// Per distinct row: the square of the distance to its `k`-th nearest other row, where copies are
    /// others at distance 0; `k` is at most the rank that was searched.
    pub(crate) fn squared_radii(&self, rows: &Rows, k: usize) -> Vec<f64> {
        let copies = &rows.distinct.copies;
        let radius = |(list, &own): (&Vec<Near>, &u32)| {
            let mut rank = own as usize - 1;
            if k <= rank {
                return 0.0;
            }
            let kth = list.iter().find(|near| {
                rank += copies[near.row as usize] as usize;
                k <= rank
            });
            kth.map_or(f64::INFINITY, |near| near.squared)
        };
        self.lists.iter().zip(copies).map(radius).collect()
    }
}

/// The candidates of one block of rows.
struct Search {
    start: usize,
    /// Per row: candidates as the most their scaled distance² can be, and their index.
    candidates: Vec<Vec<(f32, u32)>>,
    /// Per row: how many candidates suffice.
    wanted: Vec<usize>,
    /// Per row: a scaled distance² below which as many candidates lie as are wanted.
    reach: Vec<f32>,
    /// Per row: the number of candidates at which those out of reach are dropped.
    full: Vec<usize>,
}

impl Search {
    fn new(start: usize, copies: &[u32], k: usize) -> Self {
        let wanted: Vec<usize> = copies.iter().map(|&own| wanted(k, own)).collect();
        let reach = |&wanted: &usize| if wanted == 0 { f32::NEG_INFINITY } else { f32::INFINITY };
        Self {
            start,
            candidates: vec![Vec::new(); copies.len()],
            reach: wanted.iter().map(reach).collect(),
            full: wanted.iter().map(|wanted| 2 * wanted + 16).collect(),
            wanted,
        }
    }

    /// Row `i` of the block may have the row `other` as a neighbor.
    fn offer(&mut self, rows: &Rows, i: usize, other: u32, low: f32) {
        if low > self.reach[i] {
            return;
        }
        let high = rows.high(self.start + i, rows, other as usize, low);
        self.candidates[i].push((high, other));
        if self.candidates[i].len() >= self.full[i] {
            self.drop_far(rows, i);
        }
    }

    fn drop_far(&mut self, rows: &Rows, i: usize) {
        let (candidates, wanted) = (&mut self.candidates[i], self.wanted[i]);
        if wanted == 0 || candidates.len() < wanted {
            return;
        }
        candidates.select_nth_unstable_by(wanted - 1, |a, b| a.0.total_cmp(&b.0));
        let reach = candidates[wanted - 1].0;
        candidates.retain(|&(high, other)| {
            rows.low_of(self.start + i, rows, other as usize, high) <= reach
        });
        self.reach[i] = reach;
        self.full[i] = self.full[i].max(2 * candidates.len());
    }

    /// The neighbors of every row, by their exact distances.
    fn finish(mut self, rows: &Rows) -> Vec<Vec<Near>> {
        (0..self.candidates.len()).for_each(|i| self.drop_far(rows, i));
        let Self { start, candidates, wanted, .. } = self;
        let lists = candidates.into_iter().zip(wanted).enumerate();
        let exact = |(i, (candidates, wanted)): (usize, (Vec<(f32, u32)>, usize))| {
            let others: Vec<u32> = candidates.into_iter().map(|(_, row)| row).collect();
            let mut near = Vec::with_capacity(others.len());
            let each = |row, squared| near.push(Near { squared, row });
            rows.squared_distances(start + i, rows, &others, each);
            nearest_of(near, wanted, &rows.distinct.copies)
        };
        lists.map(exact).collect()
    }
}

/// Of these neighbors, the nearest that together have `wanted` copies, with everything as near as the
/// last of them; by distance, then index.
fn nearest_of(mut list: Vec<Near>, wanted: usize, copies: &[u32]) -> Vec<Near> {
    list.sort_unstable_by(|a, b| a.squared.total_cmp(&b.squared).then(a.row.cmp(&b.row)));
    let mut left = wanted;
    let last = list.iter().find(|near| {
        left = left.saturating_sub(copies[near.row as usize] as usize);
        left == 0
    });
    if let Some(&Near { squared, .. }) = last {
        list.truncate(list.partition_point(|near| near.squared <= squared));
    }
    list.shrink_to_fit();
    list
}

/// How many other rows a row with `own` copies needs to have neighbors up to rank `k`.
fn wanted(k: usize, own: u32) -> usize {
    (k + 1).saturating_sub(own as usize)
}

/// The searches of the two blocks of a tile; one, where a block meets itself.
struct Pair<'a> {
    rows: &'a Rows<'a>,
    a: &'a mut Search,
    b: Option<&'a mut Search>,
}

impl Visit for Pair<'_> {
    fn reach(&self) -> (&[f32], &[f32]) {
        (&self.a.reach, &self.b.as_deref().unwrap_or(self.a).reach)
    }

    fn near(&mut self, i: usize, j: usize, low: f32) {
        let start = self.a.start;
        match &mut self.b {
            Some(b) => {
                self.a.offer(self.rows, i, (b.start + j) as u32, low);
                b.offer(self.rows, j, (start + i) as u32, low);
            }
            None if i < j => {
                self.a.offer(self.rows, i, (start + j) as u32, low);
                self.a.offer(self.rows, j, (start + i) as u32, low);
            }
            None => {}
        }
    }
}

/// A lock whose holder panicked holds what it held: panics end the whole computation anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
