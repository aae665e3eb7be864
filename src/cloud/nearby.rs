//! What lies near every row of one set, found once; parts of the set read from it what a search among
//! their own rows would find.
//!
//! The rows near a row do not depend on which others are taken. With enough of them listed, the radius of a
//! row within a part is found by walking its list to the `k`-th row of the part, and the rows of another part
//! that are passed on the way are those inside its ball. Where a list ends before that, the row is held against
//! all rows of the two parts.

use super::{
    MetricError,
    distances::Distances,
    neighbors::{Near, Neighbors},
    prepared::{Across, Kept, Prepared},
    space::{Rows, Space},
};
use crate::data::{
    matrix::Matrix,
    sides::{Side, Sides},
};

/// No row of a part.
const NONE: u32 = u32::MAX;

/// The rows near every row of one set.
pub(crate) struct Nearby<'a> {
    rows: Rows<'a>,
    lists: Neighbors,
    /// How many others a list has at least.
    listed: usize,
    /// Distances from the first rows, where they are kept.
    distances: Option<Distances>,
}

/// What is asked of two parts.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// The largest rank of a neighbor.
    pub(crate) rank: usize,
    /// Whether each row's nearest of the other part is needed.
    pub(crate) nearest: bool,
}

impl<'a> Nearby<'a> {
    /// Lists that serve ranks up to `rank` in parts that hold at least `share` of the rows around any row, but for
    /// about one row in a thousand.
    ///
    /// # Errors
    ///
    /// [`MetricError::NoKthNeighbor`] for a single row.
    pub(crate) fn find(matrix: &'a Matrix, rank: usize, share: f64) -> Result<Self, MetricError> {
        let rows = Rows::alone(matrix);
        let listed = Self::listed(rank, share, matrix.rows());
        let lists = Neighbors::find(&rows, listed, Side::Reference)?;
        Ok(Self { rows, lists, listed, distances: None })
    }

    /// How many others a list of one of `n` rows has at least.
    pub(crate) fn listed(rank: usize, share: f64, n: usize) -> usize {
        // Three standard deviations above the mean number of rows passed.
        let enough = (rank as f64 + 3.0 * (rank as f64).sqrt() + 2.0) / share;
        (enough.ceil() as usize).min(n.saturating_sub(1))
    }

    /// The same, with distances from the first `n` rows to all of them kept for soft membership, where they are few
    /// enough: of two parts the first then is of those rows.
    pub(crate) fn keeping_distances(self, n: usize) -> Self {
        let distances = Distances::from_first(n, self.rows.matrix());
        Self { distances, ..self }
    }

    /// The distinct row that each row equals.
    pub(crate) fn of(&self) -> &[u32] {
        &self.rows.distinct.of
    }

    /// Number of distinct rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The others near distinct row `i`, nearest first, and whether they are all others.
    pub(crate) fn list(&self, i: usize) -> (&[Near], bool) {
        (self.lists.of(i), self.listed + 1 >= self.rows.distinct.of.len())
    }

    /// Every distinct row that `counts` and is not row `i`, nearest first.
    pub(crate) fn searched(&self, i: usize, counts: impl Fn(usize) -> bool) -> Vec<Near> {
        let others = (0..self.len()).filter(|&j| j != i && counts(j)).map(|j| j as u32);
        let others: Vec<u32> = others.collect();
        let mut near = Vec::with_capacity(others.len());
        let each = |row, squared| near.push(Near { squared, row });
        self.rows.squared_distances(i, &self.rows, &others, each);
        near.sort_unstable_by(|a, b| a.squared.total_cmp(&b.squared).then(a.row.cmp(&b.row)));
        near
    }

    /// Two disjoint parts, by their rows, made ready for measuring; `alone` are the same rows as matrices of their
    /// own, where measures read them. `None` where so many lists end early that a search is quicker.
    pub(crate) fn parts<'b>(
        &'b self,
        parts: Sides<&[usize]>,
        alone: Option<Sides<&'b Matrix>>,
        asked: Asked,
    ) -> Option<Prepared<'b>> {
        let part =
            |side: Side| self.rows.part(parts.get(side), alone.map(|alone| *alone.get(side)));
        let space = Space(Sides { reference: part(Side::Reference), model: part(Side::Model) });
        let local = |side: Side| {
            let mut local = vec![NONE; self.len()];
            for (&row, &g) in parts.get(side).iter().zip(&space.0.get(side).distinct.of) {
                local[self.rows.distinct.of[row] as usize] = g;
            }
            local
        };
        let local = Sides { reference: local(Side::Reference), model: local(Side::Model) };
        let walk = |side: Side| {
            let (own, other) = match side {
                Side::Reference => (&local.reference, &local.model),
                Side::Model => (&local.model, &local.reference),
            };
            let copies = &space.0.get(side).distinct.copies;
            let mut centers = vec![0; copies.len()];
            for (whole, &part) in own.iter().enumerate().filter(|(_, part)| **part != NONE) {
                centers[part as usize] = whole;
            }
            Walk { nearby: self, own, other, copies, asked }.of_all(&centers)
        };
        let (reference, model) = (walk(Side::Reference)?, walk(Side::Model)?);
        let kept = self.distances.as_ref().map(|distances| {
            let row_of = |side: Side| {
                let (of, first) = (parts.get(side), &space.0.get(side).distinct.first);
                first.iter().map(|&first| if alone.is_some() { of[first] } else { first }).collect()
            };
            let rows = Sides { reference: row_of(Side::Reference), model: row_of(Side::Model) };
            Kept { distances, rows }
        });
        Some(Prepared::of_parts(space, Sides { reference, model }, kept))
    }
}

/// The way from the rows of one part to their neighbors and to the rows of the other.
struct Walk<'a> {
    nearby: &'a Nearby<'a>,
    /// Per distinct row of the set: which distinct row of the part it is, and of the other part.
    own: &'a [u32],
    other: &'a [u32],
    copies: &'a [u32],
    asked: Asked,
}

/// What is met on the way from one row.
#[derive(Default)]
struct Met {
    own: Vec<Near>,
    other: Vec<Near>,
    nearest: Option<Near>,
}

impl Walk<'_> {
    /// Neighbors of the part's rows, and the rows of the other part around them.
    fn of_all(&self, centers: &[usize]) -> Option<(Neighbors, Across)> {
        let most = centers.len() / 16 + 16;
        let (mut lists, mut across, mut searches) = (Vec::new(), Across::default(), 0);
        for (&center, &copies) in centers.iter().zip(self.copies) {
            let (list, complete) = self.nearby.list(center);
            let mut met = Met::default();
            if !self.walk(center, copies, list, &mut met) && !complete {
                searches += 1;
                if searches > most {
                    return None;
                }
                let counts = |row: usize| self.own[row] != NONE || self.other[row] != NONE;
                met = Met::default();
                self.walk(center, copies, &self.nearby.searched(center, counts), &mut met);
            }
            lists.push(met.own);
            across.push(&met.other, met.nearest.filter(|_| self.asked.nearest));
        }
        Some((Neighbors::of_lists(lists), across))
    }

    /// Walks a list; whether it went far enough.
    fn walk(&self, center: usize, copies: u32, list: &[Near], met: &mut Met) -> bool {
        let rank = self.asked.rank;
        let mut passed = copies as usize - 1;
        let mut end = (passed >= rank).then_some(0.0);
        let itself = Near { squared: 0.0, row: self.other[center] };
        if itself.row != NONE {
            met.other.push(itself);
            met.nearest = Some(itself);
        }
        for &Near { squared, row } in list {
            let beyond = end.is_some_and(|end| squared > end);
            let found = match met.nearest {
                _ if !self.asked.nearest => true,
                Some(nearest) => squared > nearest.squared,
                None => false,
            };
            if beyond && found {
                break;
            }
            let (own, other) = (self.own[row as usize], self.other[row as usize]);
            if other != NONE {
                let near = Near { squared, row: other };
                if met.nearest.is_none_or(|best| (squared, other) < (best.squared, best.row)) {
                    met.nearest = Some(near);
                }
                if !beyond {
                    met.other.push(near);
                }
            }
            if own != NONE && !beyond {
                met.own.push(Near { squared, row: own });
                passed += self.copies[own as usize] as usize;
                if end.is_none() && passed >= rank {
                    end = Some(squared);
                }
            }
        }
        // Rows of the parts may come in another order than in the set, where they repeat.
        for list in [&mut met.own, &mut met.other] {
            list.sort_by(|a, b| a.squared.total_cmp(&b.squared).then(a.row.cmp(&b.row)));
        }
        end.is_some() && (met.nearest.is_some() || !self.asked.nearest)
    }
}
