//! What the supports say of each single text: who is inside, and who is nearest.

use crate::{
    cloud::{Clouds, MetricError, neighbors::Ties, pass::Ask, prepared::Prepared},
    data::sides::{Side, Sides},
    metric::realism,
};

/// What is known of one row by the balls of either side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowEvidence {
    /// Balls around rows of the other side that hold it; it is in that side's support if any does.
    pub balls: u32,
    /// Rows of the other side in its own ball.
    pub held: u32,
    /// Its nearest row of the other side, the lower index of two.
    pub nearest: usize,
    /// The Euclidean distance to that.
    pub distance: f64,
}

/// Every row's [`RowEvidence`]: the share of model rows with `balls > 0` is precision, that of reference
/// rows is recall, and the share of reference rows with `held > 0` is coverage.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`].
///
/// # Cost
///
/// That of [`crate::metric::prdc::prdc`].
pub fn evidence(
    clouds: Clouds<'_>,
    k: usize,
    ties: Ties,
) -> Result<Sides<Vec<RowEvidence>>, MetricError> {
    asked(clouds, k, ties, false).map(|(evidence, _)| evidence)
}

/// [`evidence`], and the [`realism`](realism::realism) of each model row, with neighbors searched once for both.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`].
pub fn evidence_and_realism(
    clouds: Clouds<'_>,
    k: usize,
    ties: Ties,
) -> Result<(Sides<Vec<RowEvidence>>, Vec<f64>), MetricError> {
    asked(clouds, k, ties, true)
}

fn asked(
    clouds: Clouds<'_>,
    k: usize,
    ties: Ties,
    with_realism: bool,
) -> Result<(Sides<Vec<RowEvidence>>, Vec<f64>), MetricError> {
    for (side, n) in [Side::Reference, Side::Model].map(|s| (s, clouds.sides().get(s).rows())) {
        if k == 0 || k >= n {
            return Err(MetricError::NoKthNeighbor { side, n, k });
        }
    }
    let prepared = Prepared::new(clouds, k)?;
    let balls = [Side::Reference, Side::Model].map(|around| prepared.balls(around, k, ties));
    let mut ask = Ask { balls: balls.into(), nearest: true, ..Ask::default() };
    let any = with_realism && realism::ask(&prepared, k, &mut ask);
    let found = prepared.run(&ask);
    let space = &prepared.space;
    let of = |side: Side, other: Side| {
        let (own, others) = (&space.0.get(side).distinct, &space.0.get(other).distinct);
        let at = |balls: Side| &found.counts[usize::from(balls == Side::Model)];
        let per_distinct: Vec<RowEvidence> = (0..own.len())
            .map(|i| {
                let near = found.nearest.get(side)[i];
                RowEvidence {
                    balls: at(other).holding[i],
                    held: at(side).held[i],
                    nearest: others.first[near.row as usize],
                    distance: near.squared.sqrt(),
                }
            })
            .collect();
        own.spread(&per_distinct)
    };
    let sides = Sides {
        reference: of(Side::Reference, Side::Model),
        model: of(Side::Model, Side::Reference),
    };
    let realism = match with_realism {
        true => realism::of_rows(&prepared, any, found.realism),
        false => Vec::new(),
    };
    Ok((sides, realism))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::matrix::Matrix, metric::prdc::prdc};

    #[test]
    fn every_row_of_a_line_has_the_balls_and_the_neighbor_that_paper_gives() {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let sets =
            Sides { reference: line(&[0.0, 1.0, 2.0, 9.0]), model: line(&[0.5, 1.5, 30.0, 0.5]) };
        let clouds = Clouds::new(sets.as_ref()).unwrap();
        let got = evidence(clouds, 1, Ties::Strict).unwrap();
        // Reference radii 1, 1, 1, 7; model radii 0, 1, 28.5, 0 (the two copies are neighbors).
        let model: Vec<(u32, u32, usize, f64)> =
            got.model.iter().map(|e| (e.balls, e.held, e.nearest, e.distance)).collect();
        assert_eq!(model, [(2, 0, 0, 0.5), (2, 2, 1, 0.5), (0, 2, 3, 21.0), (2, 0, 0, 0.5)]);
        let reference: Vec<(u32, u32)> = got.reference.iter().map(|e| (e.balls, e.held)).collect();
        assert_eq!(reference, [(0, 2), (1, 3), (2, 1), (1, 0)]);
        let scores = prdc(clouds, 1, Ties::Strict).unwrap();
        assert_eq!((scores.precision, scores.recall, scores.coverage), (0.75, 0.75, 0.75));
    }

    #[test] // the example of realism: half a radius from 1, four radii from it
    fn both_at_once_are_what_each_is_alone() {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let sets = Sides { reference: line(&[0.0, 1.0, 3.0, 7.0]), model: line(&[1.5, 5.0]) };
        let clouds = Clouds::new(sets.as_ref()).unwrap();
        let (found, realism) = evidence_and_realism(clouds, 1, Ties::Strict).unwrap();
        assert_eq!(found, evidence(clouds, 1, Ties::Strict).unwrap());
        assert_eq!(realism, [2.0, 0.25]);
        assert_eq!(realism, realism::realism(clouds, 1).unwrap());
    }
}
