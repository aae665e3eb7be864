//! α-precision and β-recall: supports that hold a given share of the mass.

use super::spec::{Better, Family, Null, Range, Spec, Truth};
use crate::{
    cloud::{
        Clouds, MetricError,
        pass::{Ask, Found},
        prepared::Prepared,
    },
    data::{matrix::Matrix, rows::mean, sides::Side},
    math::quantile::quantiles,
};

/// [`AlphaPr::alpha_precision`].
pub const ALPHA_PRECISION: Spec = Spec {
    name: "alpha_precision",
    title: "α-precision",
    family: Family::Support,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[Truth::Precision],
    cost: "O((n + m)² d)",
    parameter: None,
};
/// [`AlphaPr::beta_recall`].
pub const BETA_RECALL: Spec =
    Spec { name: "beta_recall", title: "β-recall", truth: &[Truth::Recall], ..ALPHA_PRECISION };

/// Number of levels, evenly spaced from 0 to 1.
pub const LEVELS: usize = 30;

/// α-precision and β-recall over all levels.
#[derive(Clone, Debug, PartialEq)]
pub struct AlphaPr {
    /// Per level: share of `Q` in the ball around the mean of `P` that holds that share of `P`.
    pub alpha_curve: Vec<f64>,
    /// Per level: share of `P` that has a near row of `Q` among that share of `Q`'s most typical rows.
    pub beta_curve: Vec<f64>,
    /// `1 − 2 Σ |level − α-curve| / 29`: 1 where the curve is the diagonal; below 0 it can fall.
    pub alpha_precision: f64,
    /// The same of the β-curve.
    pub beta_recall: f64,
}

/// α-precision and β-recall of `Q` against `P`, integrated over 30 levels; higher is better.
///
/// ```text
/// α-curve(t) = |{ y ∈ Q : ‖y − mean P‖ ≤ quantile_t over P of ‖x − mean P‖ }| / |Q|
/// β-curve(t) = |{ x ∈ P : ‖x − y*‖ ≤ r_1(x), ‖y* − mean Q‖ ≤ quantile_t of the same over P }| / |P|
///              with y* = nearest row of Q to x
/// ```
///
/// On the rows as given, without the paper's one-class network.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has a single row.
///
/// # Cost and sources
///
/// That of [`super::prdc::prdc`]. Alaa et al. 2022, arXiv:2102.08921.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::alpha::alpha_precision_recall;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// // Q writes the most typical text of P again and again.
/// let sets = Sides { reference: line(&[0.0, 1.0, 2.0, 3.0]), model: line(&[1.5, 1.5]) };
/// let scores = alpha_precision_recall(Clouds::new(sets.as_ref())?)?;
/// assert_eq!(scores.alpha_curve, [1.0; 30]); // every ball around the mean of P holds all of Q
/// assert_eq!(scores.beta_curve, [0.5; 30]); // and of P only 1 and 2 have a text of Q as near as their own nearest
/// // The levels t/29 lie 15 below a curve of ones in all: 1 − 2 · 15/29.
/// assert!((scores.alpha_precision + 1.0 / 29.0).abs() < 1e-12);
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn alpha_precision_recall(clouds: Clouds<'_>) -> Result<AlphaPr, MetricError> {
    let prepared = Prepared::new(clouds, 1)?;
    let found = prepared.run(&Ask { nearest: true, ..Ask::default() });
    Ok(AlphaPr::read(&prepared, &found))
}

impl AlphaPr {
    pub(crate) fn read(prepared: &Prepared, found: &Found) -> Self {
        let (p, q) = (&prepared.space.0.reference, &prepared.space.0.model);
        let levels: Vec<f64> = (0..LEVELS).map(|t| t as f64 / (LEVELS - 1) as f64).collect();
        let share = |values: &[f64], within: f64| {
            values.iter().filter(|&&value| value <= within).count() as f64 / values.len() as f64
        };

        let center = mean(&[p.matrix()]);
        let of_q = distances(q.matrix(), &center);
        let reach = quantiles(distances(p.matrix(), &center), &levels);
        let alpha_curve: Vec<f64> = reach.iter().map(|&reach| share(&of_q, reach)).collect();

        let typical = distances(q.matrix(), &mean(&[q.matrix()]));
        let radii = prepared.squared_radii(Side::Reference, 1);
        let nearest = p.distinct.spread(&found.nearest.reference);
        let off: Vec<f64> =
            nearest.iter().map(|near| typical[q.distinct.first[near.row as usize]]).collect();
        let covered = nearest.iter().zip(&p.distinct.of).zip(&off).map(|((near, &g), &off)| {
            if near.squared <= radii[g as usize] { off } else { f64::INFINITY }
        });
        let covered: Vec<f64> = covered.collect();
        let reach = quantiles(off, &levels);
        let beta_curve: Vec<f64> = reach.iter().map(|&reach| share(&covered, reach)).collect();

        let integrated = |curve: &[f64]| {
            let off = levels.iter().zip(curve).map(|(level, value)| (level - value).abs());
            1.0 - 2.0 * off.sum::<f64>() / (LEVELS - 1) as f64
        };
        Self {
            alpha_precision: integrated(&alpha_curve),
            beta_recall: integrated(&beta_curve),
            alpha_curve,
            beta_curve,
        }
    }
}

fn distances(rows: &Matrix, center: &[f64]) -> Vec<f64> {
    let of_row = |i| {
        let squares = rows.row_f64(i).zip(center).map(|(x, c)| (x - c).powi(2));
        squares.sum::<f64>().sqrt()
    };
    (0..rows.rows()).map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sides::Sides;

    #[test] // closed form: the t-th of 30 levels takes the rows up to rank 10 t / 29 of 11
    fn a_model_of_the_reference_s_very_texts_has_both_curves_along_the_diagonal() {
        let rows = Matrix::new(1, (0..11u8).map(|i| f32::from(i * i)).collect()).unwrap();
        let sets = Sides { reference: &rows, model: &rows };
        let got = alpha_precision_recall(Clouds::new(sets).unwrap()).unwrap();
        let last = LEVELS - 1;
        let shares: Vec<f64> = (0..LEVELS).map(|t| (10 * t / last + 1) as f64 / 11.0).collect();
        assert_eq!(got.alpha_curve, shares);
        assert_eq!(got.beta_curve, shares);
        let off = |(t, share): (usize, &f64)| (t as f64 / last as f64 - share).abs();
        let area = 1.0 - 2.0 * shares.iter().enumerate().map(off).sum::<f64>() / last as f64;
        assert!((got.alpha_precision - area).abs() < 1e-14, "{got:?}, {area}");
        assert!((got.beta_recall - area).abs() < 1e-14, "{got:?}, {area}");
    }
}
