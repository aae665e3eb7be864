//! Two models against one reference: how much their difference varies where both see the same draws.

use indexmap::IndexMap;
use rayon::prelude::*;

use super::{
    Family, ScoreError, ScoreOptions,
    calibrate::Subsample,
    cloud_rows::CloudRows,
    clusters::{Clustering, Purpose},
    diversity::Diversity,
    draws::Draws,
    estimate::column,
    family::{Measures, Rows, plan, pooled},
    frontier::Frontier20,
    moments::Moments,
    over_bins::{self, OverBins},
    prepare::prepare,
    quantized::Partitions,
    support::Support,
};
use crate::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
    math::special::student_975,
    metric::spec::{Measured, Spec},
};

/// How far a difference of two models' values lies from its expectation, by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Its standard deviation.
    pub deviation: f64,
    /// That times this is half of a 95 % interval.
    pub quantile: f64,
}

/// The spread of `second − first` of every measure that subsamples give, by its name.
///
/// Half of the reference and half of the prompts are drawn, the same for both models, and both are scored
/// on them: what the models share (the reference, the prompts) varies together and leaves the difference.
/// Reduction and clusters are fitted once, to the reference and both models.
///
/// # Arguments
///
/// * `reference`, `models`: features of one embedder; row `i` of both models continues the same prompt
///   where they have as many rows.
/// * `prompts`: the prompt of each model row where prompts repeat, or empty.
///
/// # Errors
///
/// [`ScoreError`] for sets that cannot be compared. No measure is given where a set has fewer than 4 rows.
///
/// # Cost
///
/// Twice that of the intervals of [`super::score`].
pub fn paired_spreads(
    reference: &Matrix,
    models: [&Matrix; 2],
    prompts: [&[u64]; 2],
    options: &ScoreOptions,
) -> Result<IndexMap<String, Spread>, ScoreError> {
    let both = models[0].stack(models[1]);
    let raw = Clouds::new(Sides { reference, model: &both })?;
    let settings = ScoreOptions { unequal: super::Unequal::Keep, ..options.clone() };
    let prepared = prepare(raw, None, None, &settings)?;
    let reference = &prepared.clouds.reference;
    let first = models[0].rows();
    let rows: Vec<usize> = (0..both.rows()).collect();
    let models = [&rows[..first], &rows[first..]].map(|rows| prepared.clouds.model.select(rows));
    let draws =
        prompts.map(|prompts| Draws::of(&settings, Sides { reference: &[], model: prompts }));
    let mut out = IndexMap::new();
    let of_clouds: [&dyn Measures<CloudRows<'_>>; 3] =
        [&Support::of(&settings), &Moments::of(&settings), &Diversity::of(&settings)];
    for measures in of_clouds {
        if options.metrics.asks_any(measures.specs()) {
            of_rows(measures, reference, &models, &draws, &settings, &mut out)?;
        }
    }
    of_clusters(&prepared.clouds, first, &draws, &settings, &mut out)?;
    Ok(out)
}

fn of_rows<'a>(
    measures: &dyn Measures<CloudRows<'a>>,
    reference: &'a Matrix,
    models: &'a [Matrix; 2],
    draws: &[Draws<'_>; 2],
    options: &ScoreOptions,
    out: &mut IndexMap<String, Spread>,
) -> Result<(), ScoreError> {
    let least = models.each_ref().map(Matrix::rows).into_iter().min().unwrap_or(0);
    if least.min(reference.rows()) < 4 {
        return Ok(());
    }
    let clouds = |at: usize| Clouds::new(Sides { reference, model: &models[at] });
    let rows = [CloudRows::of(clouds(0)?), CloudRows::of(clouds(1)?)];
    let planned = rows
        .each_ref()
        .map(|rows| plan(measures, rows.sizes(), reference.cols(), options.resamples));
    let count = planned[0].0.min(planned[1].0);
    // Both must see the same share of the reference.
    let at = if planned[0].1.reference.size <= planned[1].1.reference.size { 0 } else { 1 };
    let part = planned[at].1.reference;
    let of_model = |at: usize| {
        let n = models[at].rows();
        let size = (n * part.size / part.n).clamp(1, n - 1);
        Sides { reference: part, model: Subsample { n, size } }
    };
    let one = |i: usize| -> Option<Vec<Measured>> {
        let values = |at: usize| -> Option<Vec<Measured>> {
            let drawn = draws[at].subsample(i, of_model(at));
            measures.values(&rows[at].select_sides(&drawn)).ok()
        };
        Some(differences(&values(0)?, &values(1)?))
    };
    let found: Vec<Vec<Measured>> = (0..count).into_par_iter().filter_map(one).collect();
    spreads(&found, part.variance_factor(), out);
    Ok(())
}

fn of_clusters(
    clouds: &Sides<Matrix>,
    first: usize,
    draws: &[Draws<'_>; 2],
    options: &ScoreOptions,
    out: &mut IndexMap<String, Spread>,
) -> Result<(), ScoreError> {
    let clouds = Clouds::new(clouds.as_ref())?;
    let n = clouds.reference().rows();
    if n.min(first).min(clouds.model().rows() - first) < 4 {
        return Ok(());
    }
    let over_20: OverBins = Box::new(Frontier20 { scaling: options.scaling });
    let asked = over_bins::asked(options).into_iter().chain([(Purpose::Curve, over_20)]);
    let is_paired = |(_, measures): &(Purpose, OverBins)| {
        let of = |spec: &&Spec| spec.family != Family::Extra && options.metrics.asks(spec);
        measures.specs().iter().any(of)
    };
    let asked: Vec<_> = asked.filter(is_paired).collect();
    for purpose in [Purpose::Frontier, Purpose::Curve] {
        if !asked.iter().any(|(of, _)| *of == purpose) {
            continue;
        }
        let clustering = Clustering::of(clouds, purpose, options)?;
        let [a, b] = clustering.partitions.split_model(first)?;
        for (_, measures) in asked.iter().filter(|(of, _)| *of == purpose) {
            let one = |i: usize| -> Option<Vec<Measured>> {
                let values = |rows: &Partitions, draws: &Draws<'_>| {
                    let sizes = rows.sizes();
                    let half = draws.subsample(i, sizes.map(Subsample::half));
                    measures.values(&rows.select(&pooled(half, sizes.reference))).ok()
                };
                Some(differences(&values(&a, &draws[0])?, &values(&b, &draws[1])?))
            };
            let found: Vec<Vec<Measured>> =
                (0..options.resamples).into_par_iter().filter_map(one).collect();
            spreads(&found, 1.0, out);
        }
    }
    Ok(())
}

/// `b − a` of every measure that both have.
fn differences(a: &[Measured], b: &[Measured]) -> Vec<Measured> {
    let of = |b: &Measured| {
        let a = a.iter().find(|a| a.is_of(b))?;
        Some(Measured { value: b.value - a.value, ..*b })
    };
    b.iter().filter_map(of).collect()
}

/// Standard deviations over subsamples, carried to the full size; those that are not finite are left out.
fn spreads(found: &[Vec<Measured>], factor: f64, out: &mut IndexMap<String, Spread>) {
    let [first, _, ..] = found else { return };
    let count = found.len() as f64;
    for measured in first {
        let values = column(found, measured);
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0) * factor).sqrt();
        if deviation.is_finite() {
            let quantile = student_975(found.len() - 1);
            out.insert(measured.key(), Spread { deviation, quantile });
        }
    }
}

#[cfg(test)]
mod tests;
