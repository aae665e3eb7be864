//! Two clouds made ready for measures by balls: neighbors searched once, radii of every rank.

use super::{
    Clouds, MetricError,
    neighbors::{Neighbors, Ties},
    pass::{Ask, Balls, Found, pass},
    space::Space,
};
use crate::data::sides::{Side, Sides};

/// Two clouds with their neighbors up to some rank.
pub(crate) struct Prepared<'a> {
    pub(crate) space: Space<'a>,
    neighbors: Sides<Neighbors>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(clouds: Clouds<'a>, rank: usize) -> Result<Self, MetricError> {
        let space = Space::new(clouds);
        let find = |side| Neighbors::find(space.0.get(side), rank, side);
        let neighbors = Sides { reference: find(Side::Reference)?, model: find(Side::Model)? };
        Ok(Self { space, neighbors })
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

    pub(crate) fn run(&self, ask: &Ask) -> Found {
        pass(&self.space, ask)
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
