//! The union of neighbor balls as a classifier: what precision and recall measure with.

use super::{Classifier, RatioError};
use crate::{
    cloud::{
        Clouds,
        neighbors::{Neighbors, Ties},
        pass::{Ask, Balls, pass},
        space::Space,
    },
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
};

/// Whether a row lies in a `k`-th neighbor ball of `P`'s rows, less whether it lies in one of `Q`'s: 1, 0 or −1.
///
/// Scored on the very rows that span the balls, the ends of its curve are the support metrics,
/// `α_∞ = precision` and `β_0 = recall`: every row is in a ball of its own side, so each threshold
/// errs on one side alone. Cross-fitted, the same ends are precision and recall on rows that did not
/// shape the supports. The levels order texts; they are no calibrated ratio.
/// Siry et al. 2023, arXiv:2006.11809; Sykes et al. 2024, arXiv:2405.01611.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BallUnion {
    /// Rank of the neighbor that sets a radius.
    pub k: usize,
    /// Whether a row exactly on a radius is inside.
    pub ties: Ties,
}

impl Classifier for BallUnion {
    fn log_ratios(&self, train: Clouds<'_>, test: &Matrix) -> Result<Vec<f64>, RatioError> {
        if test.rows() == 0 {
            return Ok(Vec::new());
        }
        let inside = |side: Side| -> Result<Vec<bool>, RatioError> {
            let centers = *train.sides().get(side);
            let space = Space::new(Clouds::new(Sides { reference: centers, model: test })?);
            let (centers, points) = (&space.0.reference, &space.0.model);
            let squared = Neighbors::find(centers, self.k, side)?.squared_radii(centers, self.k);
            let balls = Balls { around: Side::Reference, squared, ties: self.ties };
            let found = pass(&space, &Ask { balls: vec![balls], ..Ask::default() });
            let holding = found.counts.first().map_or(&[][..], |counts| &counts.holding);
            Ok(points.distinct.of.iter().map(|&of| holding[of as usize] > 0).collect())
        };
        let (in_p, in_q) = (inside(Side::Reference)?, inside(Side::Model)?);
        let level = |(p, q): (bool, bool)| f64::from(p) - f64::from(q);
        Ok(in_p.into_iter().zip(in_q).map(level).collect())
    }
}
