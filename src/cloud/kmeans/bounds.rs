//! What is known of the distances between rows and centers from iterations before.
//!
//! A center that moved by `δ` is at most `δ` nearer to any row than it was. A bound below each distance, kept since it was last
//! computed, tells most centers from the nearest without a product (Elkan 2003). What is left is computed anew, row by row.

use rayon::prelude::*;

use super::{
    BLOCK,
    points::{Centers, Nearest, Points, SHRINK},
};
use crate::math::lanes::{below, four_products, product};

/// Bounds that are kept at most, of 4 bytes each. Rows beyond are held against all centers in every iteration.
const KEPT: usize = 1 << 25;

/// Lower bounds of the distances of rows to the centers of one start.
pub(super) struct Bounds {
    /// Of the first blocks of rows, in each center after center: a distance that was not less when it was computed, and on
    /// top of it what the center had gone by then.
    lower: Vec<f32>,
    /// What each center has gone since the first bounds.
    gone: Vec<f64>,
    kept: usize,
}

impl Bounds {
    /// None yet.
    pub(super) fn none(clusters: usize) -> Self {
        Self::at_most(KEPT, clusters)
    }

    /// None yet, and never more than `kept`.
    pub(super) fn at_most(kept: usize, clusters: usize) -> Self {
        Self { lower: Vec::new(), gone: vec![0.0; clusters], kept }
    }

    /// Center `c` moved by `step`.
    pub(super) fn moved(&mut self, c: usize, step: f64) {
        self.gone[c] += step;
    }

    /// The nearest of `centers` to every row, of which `before` was nearest to it where they stood before they `moved`: that of
    /// [`Points::nearest`], but for centers that rounding alone tells apart.
    pub(super) fn nearest(
        &mut self,
        points: &Points,
        centers: &Centers,
        moved: &[bool],
        before: &[Nearest],
    ) -> Vec<Nearest> {
        let (n, clusters) = (points.len(), centers.norms.len());
        if before.is_empty() || self.lower.is_empty() {
            let all = n.saturating_mul(clusters) <= self.kept;
            let rows = if all { n } else { self.kept / clusters / BLOCK * BLOCK };
            self.lower = vec![0.0; rows * clusters];
            self.gone.fill(0.0);
            return points.nearest(0..n, centers, &mut self.lower);
        }
        let rows = self.lower.len() / clusters;
        let mut nearest = before[..rows].to_vec();
        // What rounding takes from the way, `SHRINK` takes from bounds many times over.
        let gone: Vec<f32> = self.gone.iter().map(|&gone| gone as f32).collect();
        let pass = Pass { points, centers, moved, gone: &gone };
        let blocks = nearest.par_chunks_mut(BLOCK).zip(self.lower.par_chunks_mut(BLOCK * clusters));
        blocks.enumerate().for_each_init(Room::default, |room, (block, (nearest, lower))| {
            crate::data::stop::check();
            pass.block(block * BLOCK, nearest, lower, room);
        });
        nearest.extend(points.nearest(rows..n, centers, &mut []));
        nearest
    }
}

/// What blocks of rows are held against.
struct Pass<'a> {
    points: &'a Points<'a>,
    centers: &'a Centers<'a>,
    moved: &'a [bool],
    gone: &'a [f32],
}

/// What a block needs while it is looked through.
#[derive(Default)]
struct Room {
    /// Per row: a distance that the nearest center is not beyond.
    upper: Vec<f32>,
    /// Per row: whether its nearest center was held against it in this pass.
    held: Vec<bool>,
    /// Rows that a center may be nearest to.
    some: Vec<u32>,
}

impl Pass<'_> {
    /// Brings the nearest centers of the rows from `first` on up to date, and their bounds.
    fn block(&self, first: usize, nearest: &mut [Nearest], lower: &mut [f32], room: &mut Room) {
        let rows = nearest.len();
        let Room { upper, held, some } = room;
        upper.clear();
        held.clear();
        for (r, near) in nearest.iter_mut().enumerate() {
            let label = near.0 as usize;
            held.push(self.moved[label]);
            if self.moved[label] {
                near.1 = self.value(label, first + r);
                lower[label * rows + r] = self.bound(label, near.1, first + r);
            }
            upper.push(self.reach(label, near.1, first + r));
        }
        for (c, lower) in lower.chunks_exact_mut(rows).enumerate() {
            below(lower, self.gone[c], upper, some);
            some.retain(|&r| nearest[r as usize].0 as usize != c);
            for four in some.chunks(4) {
                let row = |i: usize| self.points.row(first + four[i.min(four.len() - 1)] as usize);
                let products = four_products(self.centers.row(c), [0, 1, 2, 3].map(row));
                for (&r, product) in four.iter().zip(products) {
                    let r = r as usize;
                    let (label, value) = &mut nearest[r];
                    if !held[r] {
                        // Values that are held against one another are computed alike.
                        *value = self.value(*label as usize, first + r);
                        held[r] = true;
                    }
                    let other = self.centers.norms[c] - 2.0 * product;
                    lower[r] = self.bound(c, other, first + r);
                    if other < *value || (other == *value && (c as u32) < *label) {
                        (*label, *value) = (c as u32, other);
                        upper[r] = self.reach(c, other, first + r);
                    }
                }
            }
        }
    }

    /// The squared distance of a row to center `c`, less the row's own square.
    fn value(&self, c: usize, row: usize) -> f32 {
        self.centers.norms[c] - 2.0 * product(self.centers.row(c), self.points.row(row))
    }

    /// The bound that is kept for a row's `value` and center `c`.
    fn bound(&self, c: usize, value: f32, row: usize) -> f32 {
        let squared =
            value + self.points.squares[row] - self.points.slack(self.centers.norms[c], row);
        (squared.max(0.0).sqrt() + self.gone[c]) * SHRINK
    }

    /// A distance that center `c` of this `value` is not beyond.
    fn reach(&self, c: usize, value: f32, row: usize) -> f32 {
        let squared =
            value + self.points.squares[row] + self.points.slack(self.centers.norms[c], row);
        squared.max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::space::Rows, data::matrix::Matrix, rng};

    #[test] // the definition: every row against every center, wherever they have moved
    fn centers_that_bounds_rule_out_are_never_the_nearest() {
        let (n, d, clusters) = (BLOCK + 90, 9, 30);
        let mut rng = rng::named(3, "k-means bounds");
        let mut draw = |n: usize| -> Vec<f32> {
            (0..n).map(|_| (rng::next_unit(&mut rng) - 0.5) as f32).collect()
        };
        let matrix = Matrix::new(d, draw(n * d)).unwrap();
        let rows = Rows::alone(&matrix);
        let points = Points::new(&rows);
        let (mut values, mut moved) = (draw(clusters * d), vec![true; clusters]);
        let steps: Vec<Vec<f32>> = (0..12).map(|_| draw(clusters * d)).collect();
        for kept in [usize::MAX, (n - 1) * clusters, 0] {
            let mut bounds = Bounds::at_most(kept, clusters);
            let mut nearest = Vec::new();
            for (iteration, step) in steps.iter().enumerate() {
                nearest = bounds.nearest(&points, &Centers::new(&values, d), &moved, &nearest);
                let all = points.nearest(0..n, &Centers::new(&values, d), &mut []);
                let labels =
                    |nearest: &[Nearest]| nearest.iter().map(|near| near.0).collect::<Vec<_>>();
                assert_eq!(labels(&nearest), labels(&all), "iteration {iteration}, {kept} kept");
                assert!(nearest.iter().zip(&all).all(|(near, all)| (near.1 - all.1).abs() < 1e-6));
                // Some stand still, some go far, most ever less.
                for (c, center) in values.chunks_exact_mut(d).enumerate() {
                    let size = [0.0, 0.4, 0.1, 0.02][(c + iteration) % 4];
                    let of = step[c * d..][..d].iter().map(|step| step * size);
                    center.iter_mut().zip(of.clone()).for_each(|(x, step)| *x += step);
                    moved[c] = size > 0.0;
                    bounds.moved(c, of.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt());
                }
            }
        }
    }
}
