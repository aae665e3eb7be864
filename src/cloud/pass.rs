//! One pass over the distances between two clouds: balls, nearest rows, realism and soft membership.

mod soft;

pub(crate) use soft::product_of_squares as soft_product;

use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

use super::{
    neighbors::{Near, Ties, lock},
    space::{Rows, Space, Tile, Visit},
};
use crate::data::{
    sides::{Side, Sides},
    stop,
};

/// Balls around the distinct rows of one cloud.
pub(crate) struct Balls {
    /// Whose rows are the centers.
    pub(crate) around: Side,
    /// Squared radii, per distinct row.
    pub(crate) squared: Vec<f64>,
    /// Whether a point on the radius is inside.
    pub(crate) ties: Ties,
}

/// What a pass is to find; all per distinct row.
#[derive(Default)]
pub(crate) struct Ask {
    /// Memberships to count.
    pub(crate) balls: Vec<Balls>,
    /// Whether to find each row's nearest row of the other cloud.
    pub(crate) nearest: bool,
    /// Squared radii of the reference balls that realism is measured by; a negative one is left out.
    pub(crate) realism: Option<Vec<f64>>,
    /// Radii `R` of soft balls around the rows of the reference and of the model.
    pub(crate) soft: Option<Sides<f64>>,
}

/// Who is inside which balls, copies counted as often as they occur.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Per distinct row of the other cloud: balls that hold it.
    pub(crate) holding: Vec<u32>,
    /// Per distinct row of the balls' own cloud: rows of the other cloud inside its ball.
    pub(crate) held: Vec<u32>,
}

/// What a pass found, per distinct row.
pub(crate) struct Found {
    /// In the order of [`Ask::balls`].
    pub(crate) counts: Vec<Counts>,
    /// Each row's nearest row of the other cloud, the lower index on ties; empty if not asked for.
    pub(crate) nearest: Sides<Vec<Near>>,
    /// Per model row: the largest `r²/d²` over the balls; empty if not asked for.
    pub(crate) realism: Vec<f64>,
    /// Per row: `Π d/R` over the rows of the other cloud nearer than its `R`; empty if not asked for.
    pub(crate) soft: Sides<Vec<f64>>,
}

/// Goes over all pairs once, in tiles.
pub(crate) fn pass(space: &Space, ask: &Ask) -> Found {
    space.pack();
    let Sides { reference: p, model: q } = &space.0;
    let blocks = Sides { reference: p.blocks(), model: q.blocks() };
    let halves = |side: Side, rows: &Rows, blocks: &[std::ops::Range<usize>]| -> Vec<Mutex<Half>> {
        let half =
            |block: &std::ops::Range<usize>| Mutex::new(Half::new(side, rows, block.clone(), ask));
        blocks.iter().map(half).collect()
    };
    let of_p = halves(Side::Reference, p, &blocks.reference);
    let of_q = halves(Side::Model, q, &blocks.model);
    // Neighboring tasks work on different blocks, so that threads seldom wait for each other.
    let tasks: Vec<(usize, usize)> = (0..of_q.len())
        .flat_map(|shift| (0..of_p.len()).map(move |a| (a, shift)))
        .map(|(a, shift)| (a, (a + shift) % of_q.len()))
        .collect();
    tasks.into_par_iter().for_each_init(Tile::default, |tile, (a, b)| {
        stop::check();
        tile.multiply((p, blocks.reference[a].clone()), (q, blocks.model[b].clone()));
        // The reference is always locked first, so that no two threads wait for each other.
        let (mut a, mut b) = (lock(&of_p[a]), lock(&of_q[b]));
        tile.scan(&mut Meeting { p, q, ask, a: &mut a, b: &mut b });
    });
    gather(space, ask, of_p, of_q)
}

/// What is known about one block of rows.
struct Half {
    start: usize,
    /// Per row: the scaled distance² within which a row of the other cloud matters.
    reach: Vec<f32>,
    /// The part of `reach` that balls ask for.
    ball_reach: Vec<f32>,
    /// The part that soft membership asks for.
    soft_reach: f32,
    /// Per balls: counts of the rows here, held or holding as they are centers or points.
    counts: Vec<Vec<u32>>,
    nearest: Vec<Near>,
    /// Per row: what is known of its soft membership.
    soft: Vec<soft::Known>,
    /// `R²` of the balls that rows here are judged by.
    soft_squared: f64,
    /// Per model row: the largest `r²/d²` so far.
    realism: Vec<f64>,
    /// The largest `r²` that realism is measured by.
    widest: f64,
}

impl Half {
    fn new(side: Side, rows: &Rows, block: std::ops::Range<usize>, ask: &Ask) -> Self {
        let n = block.len();
        let mut ball_reach = vec![f32::NEG_INFINITY; n];
        for balls in ask.balls.iter().filter(|balls| balls.around == side) {
            for (reach, &squared) in ball_reach.iter_mut().zip(&balls.squared[block.clone()]) {
                *reach = reach.max(rows.scaled_up(squared));
            }
        }
        // A row is judged by the soft balls around the other cloud's rows.
        let soft = ask.soft.map(|soft| match side {
            Side::Reference => soft.model,
            Side::Model => soft.reference,
        });
        let widest = ask.realism.iter().flatten().copied().fold(0.0, f64::max);
        let mut half = Self {
            widest,
            start: block.start,
            reach: vec![0.0; n],
            ball_reach,
            soft_reach: soft.map_or(f32::NEG_INFINITY, |radius| rows.scaled_up(radius * radius)),
            counts: vec![vec![0; n]; ask.balls.len()],
            nearest: vec![
                Near { squared: f64::INFINITY, row: u32::MAX };
                if ask.nearest { n } else { 0 }
            ],
            soft: vec![soft::Known::default(); if ask.soft.is_some() { n } else { 0 }],
            soft_squared: soft.map_or(0.0, |radius| radius * radius),
            realism: vec![0.0; if ask.realism.is_some() && side == Side::Model { n } else { 0 }],
        };
        (0..n).for_each(|i| half.update_reach(rows, i));
        half
    }

    fn update_reach(&mut self, rows: &Rows, i: usize) {
        let nearest = self.nearest.get(i).map(|near| rows.scaled_up(near.squared));
        let soft = self.soft.get(i).filter(|known| !known.vanishes()).map(|_| self.soft_reach);
        let realism = self.realism.get(i).map(|best| rows.scaled_up(self.widest / best));
        let asked = [nearest, soft, realism].into_iter().flatten();
        self.reach[i] = asked.fold(self.ball_reach[i], f32::max);
    }
}

/// A block of reference rows and one of model rows, and the pairs between them.
struct Meeting<'a> {
    p: &'a Rows<'a>,
    q: &'a Rows<'a>,
    ask: &'a Ask,
    a: &'a mut Half,
    b: &'a mut Half,
}

impl Visit for Meeting<'_> {
    fn reach(&self) -> (&[f32], &[f32]) {
        (&self.a.reach, &self.b.reach)
    }

    fn near(&mut self, i: usize, j: usize, low: f32) {
        let Self { p, q, ask, a, b } = self;
        let (row_p, row_q) = (a.start + i, b.start + j);
        let (low, high) = p.bounds(row_p, q, row_q, low);
        let mut known = None;
        let mut exact = || *known.get_or_insert_with(|| p.squared_distance(row_p, q, row_q));
        let copies = (p.distinct.copies[row_p], q.distinct.copies[row_q]);
        for (balls, (of_a, of_b)) in ask.balls.iter().zip(a.counts.iter_mut().zip(&mut b.counts)) {
            let radius = balls.squared[match balls.around {
                Side::Reference => row_p,
                Side::Model => row_q,
            }];
            let inside = high < radius || (low <= radius && balls.ties.inside(exact(), radius));
            if inside {
                of_a[i] += copies.1;
                of_b[j] += copies.0;
            }
        }
        if ask.nearest {
            for (half, rows, at, other) in [(&mut **a, *p, i, row_q), (&mut **b, *q, j, row_p)] {
                let best = half.nearest[at];
                if low <= best.squared {
                    let near = Near { squared: exact(), row: other as u32 };
                    if (near.squared, near.row) < (best.squared, best.row) {
                        half.nearest[at] = near;
                        half.update_reach(rows, at);
                    }
                }
            }
        }
        if let Some(squared) = &ask.realism {
            let (radius, best) = (squared[row_p], b.realism[j]);
            if radius >= 0.0 && low * best <= radius {
                let ratio = if radius == 0.0 { 0.0 } else { radius / exact() };
                if ratio > best {
                    b.realism[j] = ratio;
                    b.update_reach(q, j);
                }
            }
        }
        if ask.soft.is_some() {
            let judged = [(&mut **a, *p, i, row_q, copies.1), (&mut **b, *q, j, row_p, copies.0)];
            for (half, rows, at, other, copies) in judged {
                if half.soft[at].meet(other, (low, high), half.soft_squared, copies) {
                    half.update_reach(rows, at);
                }
            }
        }
    }
}

fn gather(space: &Space, ask: &Ask, of_p: Vec<Mutex<Half>>, of_q: Vec<Mutex<Half>>) -> Found {
    let open = |halves: Vec<Mutex<Half>>| -> Vec<Half> {
        halves
            .into_iter()
            .map(|half| half.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect()
    };
    let halves = Sides { reference: open(of_p), model: open(of_q) };
    let counts = |at: usize, side: Side| -> Vec<u32> {
        halves.get(side).iter().flat_map(|half| half.counts[at].iter().copied()).collect()
    };
    let of_balls = |(at, balls): (usize, &Balls)| match balls.around {
        Side::Reference => {
            Counts { holding: counts(at, Side::Model), held: counts(at, Side::Reference) }
        }
        Side::Model => {
            Counts { holding: counts(at, Side::Reference), held: counts(at, Side::Model) }
        }
    };
    let known = halves.as_ref().map(|of| of.iter().flat_map(|half| &half.soft).collect::<Vec<_>>());
    let Sides { reference: p, model: q } = &space.0;
    let soft = match ask.soft {
        None => Sides { reference: Vec::new(), model: Vec::new() },
        Some(radii) => Sides {
            reference: soft::products(p, &known.reference, q, radii.model),
            model: soft::products(q, &known.model, p, radii.reference),
        },
    };
    Found {
        counts: ask.balls.iter().enumerate().map(of_balls).collect(),
        nearest: halves
            .as_ref()
            .map(|of| of.iter().flat_map(|half| half.nearest.clone()).collect()),
        realism: halves.model.iter().flat_map(|half| half.realism.clone()).collect(),
        soft,
    }
}
