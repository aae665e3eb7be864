//! The PR-curve over bins and its summaries.

use std::sync::LazyLock;

use super::{ScoreError, family::Measures, quantized::Partitions, record::PrCurve};
use crate::{
    data::sides::Sides,
    metric::{
        curve::{
            self, ALPHA, BETA, MAX_F1_8_PRECISION, MAX_F8_RECALL, PR_DIVERGENCE, Point, Summary,
            sajjadi_lambdas,
        },
        histogram::{Smoothing, shares},
        spec::{Measured, Spec},
    },
};

/// [`Curve`] in the order of the table.
pub(super) const SPECS: &[&Spec] =
    &[&MAX_F8_RECALL, &MAX_F1_8_PRECISION, &ALPHA, &BETA, &PR_DIVERGENCE];

/// Slopes of the PR-curve, as in Sajjadi et al.
pub(super) static SLOPES: LazyLock<Vec<f64>> = LazyLock::new(|| sajjadi_lambdas(1001));

/// Summaries of the PR-curve, and its points at these slopes.
#[derive(Clone)]
pub(super) struct Curve {
    pub lambdas: Vec<f64>,
}

impl Measures<Partitions> for Curve {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn values(&self, rows: &Partitions) -> Result<Vec<Measured>, ScoreError> {
        let whole = averaged(rows, &SLOPES)?;
        Ok(measured(&whole, &averaged(rows, &self.lambdas)?))
    }
}

/// The measures of a curve: summaries of all its points, and the points that are reported.
pub(super) fn measured(whole: &[Point], reported: &[Point]) -> Vec<Measured> {
    let Summary { max_f8_recall, max_f1_8_precision } = curve::summary(whole);
    let mut values =
        vec![MAX_F8_RECALL.of(max_f8_recall), MAX_F1_8_PRECISION.of(max_f1_8_precision)];
    for &Point { lambda, alpha, beta } in reported {
        let divergence = (lambda.min(1.0) - alpha).max(0.0);
        values.extend([
            ALPHA.at(lambda, alpha),
            BETA.at(lambda, beta),
            PR_DIVERGENCE.at(lambda, divergence),
        ]);
    }
    values
}

/// The PR-curve over the angles of Sajjadi et al., `α` averaged over the partitions.
///
/// # Errors
///
/// [`ScoreError::Histogram`] where a side is empty.
pub(super) fn pr_curve(rows: &Partitions) -> Result<PrCurve, ScoreError> {
    Ok(PrCurve::from(averaged(rows, &SLOPES)?.as_slice()))
}

/// The PR-curve whose `α` is the mean over the partitions, as in Sajjadi et al.: that of all their bins, each partition
/// being an equal share of both sides.
fn averaged(rows: &Partitions, slopes: &[f64]) -> Result<Vec<Point>, ScoreError> {
    let count = rows.0.len() as f64;
    let mut all = Sides { reference: Vec::new(), model: Vec::new() };
    for counts in rows.counts() {
        let Sides { reference, model } = shares(counts, Smoothing::None)?;
        all.reference.extend(reference.iter().map(|share| share / count));
        all.model.extend(model.iter().map(|share| share / count));
    }
    Ok(curve::pr_curve(all.as_ref().map(Vec::as_slice), slopes))
}
