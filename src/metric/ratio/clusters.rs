//! PR-curves over joint clusters.

use crate::{
    data::sides::Sides,
    metric::{
        curve::{Point, pr_curve},
        histogram::{HistogramError, Smoothing, counts, shares},
    },
};

/// The PR-curve of the shares of `clusters` joint clusters.
///
/// # Errors
///
/// [`HistogramError`] for a label out of range or an empty side.
pub fn cluster_curve(
    labels: Sides<&[u32]>,
    clusters: usize,
    lambdas: &[f64],
) -> Result<Vec<Point>, HistogramError> {
    let counts = counts(labels, clusters)?;
    let shares = shares(counts.as_ref().map(Vec::as_slice), Smoothing::None)?;
    Ok(pr_curve(shares.as_ref().map(Vec::as_slice), lambdas))
}

/// The mean over several clusterings of the same rows: Sajjadi's curve averages 10 of 20 clusters each.
///
/// Empty where there is no clustering. Sajjadi et al. 2018, arXiv:1806.00035.
///
/// # Errors
///
/// [`HistogramError`] as for [`cluster_curve`].
pub fn averaged_curve(
    clusterings: &[Sides<Vec<u32>>],
    clusters: usize,
    lambdas: &[f64],
) -> Result<Vec<Point>, HistogramError> {
    let curves = clusterings
        .iter()
        .map(|labels| cluster_curve(labels.as_ref().map(Vec::as_slice), clusters, lambdas))
        .collect::<Result<Vec<_>, _>>()?;
    if curves.is_empty() {
        return Ok(Vec::new());
    }
    let mean = |(i, &lambda): (usize, &f64)| {
        let sum: f64 = curves.iter().map(|curve| curve[i].alpha).sum();
        Point::new(lambda, sum / curves.len() as f64)
    };
    Ok(lambdas.iter().enumerate().map(mean).collect())
}
