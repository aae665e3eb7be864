//! Two clouds made ready for measures by balls: neighbors searched once, radii of every rank.

use super::{
    Clouds, MetricError,
    distances::{Distances, Taken},
    neighbors::{Near, Neighbors, Ties},
    pass::{Ask, Balls, Counts, Found, pass},
    space::Space,
};
use crate::data::sides::{Side, Sides};

/// Two clouds with their neighbors up to some rank.
pub(crate) struct Prepared<'a> {
    pub(crate) space: Space<'a>,
    neighbors: Sides<Neighbors>,
    /// Where it is known already: the rows of the other cloud around each row.
    across: Option<Sides<Across>>,
    /// Distances between all rows, where they are kept.
    kept: Option<Kept<'a>>,
}

/// Distances of a set that both clouds are parts of.
pub(crate) struct Kept<'a> {
    pub(crate) distances: &'a Distances,
    /// Where in the set each distinct row of either cloud is.
    pub(crate) rows: Sides<Vec<usize>>,
}

/// The rows of the other cloud around each distinct row of one.
#[derive(Default)]
pub(crate) struct Across {
    /// Those within the ball of the largest rank, nearest first, row after row.
    near: Vec<Near>,
    /// Where those of each row end.
    ends: Vec<usize>,
    /// Each row's nearest; none where nobody asks.
    nearest: Vec<Near>,
}

impl Across {
    /// Takes the next row's in.
    pub(crate) fn push(&mut self, near: &[Near], nearest: Option<Near>) {
        self.near.extend_from_slice(near);
        self.ends.push(self.near.len());
        self.nearest.extend(nearest);
    }

    fn of(&self, i: usize) -> &[Near] {
        &self.near[i.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[i]]
    }
}

impl Kept<'_> {
    fn soft(&self, space: &Space, radii: Sides<f64>) -> Sides<Vec<f64>> {
        let taken = |side: Side| Taken {
            rows: self.rows.get(side),
            copies: &space.0.get(side).distinct.copies,
        };
        let parts = Sides { reference: taken(Side::Reference), model: taken(Side::Model) };
        self.distances.soft(&parts, radii)
    }
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(clouds: Clouds<'a>, rank: usize) -> Result<Self, MetricError> {
        let space = Space::new(clouds);
        let find = |side| Neighbors::find(space.0.get(side), rank, side);
        let neighbors = Sides { reference: find(Side::Reference)?, model: find(Side::Model)? };
        Ok(Self { space, neighbors, across: None, kept: None })
    }

    /// Two clouds whose neighbors are known, with the rows of the other within the largest of their balls.
    pub(crate) fn of_parts(
        space: Space<'a>,
        found: Sides<(Neighbors, Across)>,
        kept: Option<Kept<'a>>,
    ) -> Self {
        let Sides { reference: (of_p, from_p), model: (of_q, from_q) } = found;
        Self {
            space,
            neighbors: Sides { reference: of_p, model: of_q },
            across: Some(Sides { reference: from_p, model: from_q }),
            kept,
        }
    }

    /// Per distinct row of `side`: the squared distance to its `k`-th nearest other row.
    pub(crate) fn squared_radii(&self, side: Side, k: usize) -> Vec<f64> {
        self.neighbors.get(side).squared_radii(self.space.0.get(side), k)
    }

    /// Radii per row, in row order.
    pub(crate) fn radii(&self, side: Side, k: usize) -> Vec<f64> {
        let squared = self.squared_radii(side, k);
        let distinct = &self.space.0.get(side).distinct;
        distinct.spread(&squared).into_iter().map(f64::sqrt).collect()
    }

    pub(crate) fn balls(&self, around: Side, k: usize, ties: Ties) -> Balls {
        Balls { around, squared: self.squared_radii(around, k), ties }
    }

    pub(crate) fn neighbors(&self, side: Side) -> &Neighbors {
        self.neighbors.get(side)
    }

    /// Finds what `ask` says: in one pass over all pairs, or from what is known. Then no ball is wider than that of
    /// the largest rank, and realism is not asked for.
    pub(crate) fn run(&self, ask: &Ask) -> Found {
        let Some(across) = self.across.as_ref().filter(|_| ask.realism.is_none()) else {
            return pass(&self.space, ask);
        };
        // Soft balls alone are wider than what is known around each row.
        let soft = match (ask.soft, &self.kept) {
            (Some(radii), Some(kept)) => kept.soft(&self.space, radii),
            (Some(_), None) => pass(&self.space, &Ask { soft: ask.soft, ..Ask::default() }).soft,
            (None, _) => Sides { reference: Vec::new(), model: Vec::new() },
        };
        Found {
            counts: ask.balls.iter().map(|balls| self.counts(across, balls)).collect(),
            nearest: across.as_ref().map(|across| across.nearest.clone()),
            realism: Vec::new(),
            soft,
        }
    }

    fn counts(&self, across: &Sides<Across>, balls: &Balls) -> Counts {
        let (own, other) = match balls.around {
            Side::Reference => (&self.space.0.reference, &self.space.0.model),
            Side::Model => (&self.space.0.model, &self.space.0.reference),
        };
        let (own, other) = (&own.distinct.copies, &other.distinct.copies);
        let mut holding = vec![0; other.len()];
        let held = balls.squared.iter().zip(own).enumerate().map(|(center, (&radius, &copies))| {
            let inside = |near: &&Near| balls.ties.inside(near.squared, radius);
            let near = across.get(balls.around).of(center).iter().take_while(inside);
            near.fold(0, |held, near| {
                holding[near.row as usize] += copies;
                held + other[near.row as usize]
            })
        });
        let held = held.collect();
        Counts { holding, held }
    }

    /// Mean over all rows of `side`, from a value per distinct row.
    pub(crate) fn mean(&self, side: Side, value: impl Fn(usize) -> f64) -> f64 {
        let distinct = &self.space.0.get(side).distinct;
        let copies = distinct.copies.iter().enumerate();
        let sum: f64 = copies.map(|(g, &copies)| f64::from(copies) * value(g)).sum();
        sum / distinct.of.len() as f64
    }

    /// Share of all rows of `side`, from a fact per distinct row.
    pub(crate) fn share(&self, side: Side, fact: impl Fn(usize) -> bool) -> f64 {
        let distinct = &self.space.0.get(side).distinct;
        let copies = distinct.copies.iter().enumerate().filter(|&(g, _)| fact(g));
        let rows: u64 = copies.map(|(_, &copies)| u64::from(copies)).sum();
        rows as f64 / distinct.of.len() as f64
    }
}
