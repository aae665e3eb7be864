//! Two models against one reference: how much their difference varies where both see the same draws.

use indexmap::IndexMap;
use rayon::prelude::*;

use super::{
    Family, ScoreError, ScoreOptions,
    clusters::{Clustering, Purpose},
    draws::Draws,
    group::Group,
    prepare::prepare,
    quantized::{Measures, Partition, Quantized},
};
use crate::{
    matrix::Matrix,
    metric::{
        Clouds,
        calibrate::{Subsample, student_975},
    },
    sides::Sides,
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
    for (family, group) in [
        (Family::Support, Group::Support),
        (Family::Moments, Group::Moments),
        (Family::Diversity, Group::Diversity),
    ] {
        if options.metrics.has(family) {
            of_group(group, reference, &models, &draws, &settings, &mut out)?;
        }
    }
    of_clusters(&prepared.clouds, first, &draws, &settings, &mut out)?;
    Ok(out)
}

fn of_group(
    group: Group,
    reference: &Matrix,
    models: &[Matrix; 2],
    draws: &[Draws<'_>; 2],
    options: &ScoreOptions,
    out: &mut IndexMap<String, Spread>,
) -> Result<(), ScoreError> {
    let least = models.each_ref().map(Matrix::rows).into_iter().min().unwrap_or(0);
    if least.min(reference.rows()) < 4 {
        return Ok(());
    }
    let clouds = |at: usize| Clouds::new(Sides { reference, model: &models[at] });
    let names: Vec<String> =
        group.values(clouds(0)?, options)?.into_iter().map(|(name, _)| name).collect();
    let sizes = [clouds(0)?, clouds(1)?].map(|clouds| clouds.sides().map(Matrix::rows));
    let planned = [0, 1].map(|at| group.plan(sizes[at], reference.cols(), options.resamples));
    let count = planned[0].0.min(planned[1].0);
    // Both must see the same share of the reference.
    let at = if planned[0].1.reference.size <= planned[1].1.reference.size { 0 } else { 1 };
    let part = planned[at].1.reference;
    let of_model = |at: usize| {
        let n = models[at].rows();
        let size = (n * part.size / part.n).clamp(1, n - 1);
        Sides { reference: part, model: Subsample { n, size } }
    };
    let one = |i: usize| -> Option<Vec<f64>> {
        let values = |at: usize| -> Option<Vec<f64>> {
            let rows = draws[at].subsample(i, of_model(at));
            let (p, q) = (reference.select(&rows.reference), models[at].select(&rows.model));
            let clouds = Clouds::new(Sides { reference: &p, model: &q }).ok()?;
            Some(group.values(clouds, options).ok()?.into_iter().map(|(_, value)| value).collect())
        };
        Some(differences(&values(0)?, &values(1)?))
    };
    let found: Vec<Vec<f64>> = (0..count).into_par_iter().filter_map(one).collect();
    spreads(&names, &found, part.variance_factor(), out);
    Ok(())
}

fn of_clusters(
    clouds: &Sides<Matrix>,
    first: usize,
    draws: &[Draws<'_>; 2],
    options: &ScoreOptions,
    out: &mut IndexMap<String, Spread>,
) -> Result<(), ScoreError> {
    let wanted = |family: Family| options.metrics.has(family);
    let clouds = Clouds::new(clouds.as_ref())?;
    let n = clouds.reference().rows();
    if n.min(first).min(clouds.model().rows() - first) < 4 {
        return Ok(());
    }
    let scaling = options.scaling;
    let few = [
        (Family::Frontier, Measures::Frontier20 { scaling }),
        (Family::Curve, Measures::Curve { lambdas: options.lambdas.clone() }),
        (Family::Divergence, Measures::Divergence),
    ];
    let many = [(Family::Frontier, Measures::Frontier { scaling })];
    for (purpose, measures) in [(Purpose::Frontier, many.to_vec()), (Purpose::Curve, few.to_vec())]
    {
        let measures: Vec<_> = measures.into_iter().filter(|(f, _)| wanted(*f)).collect();
        if measures.is_empty() {
            continue;
        }
        let clustering = Clustering::of(clouds, purpose, options)?;
        let split = clustering.partitions.iter().map(|all| all.split_model(first));
        let parts: Vec<[Partition; 2]> = split.collect::<Result<_, _>>()?;
        for (_, measures) in measures {
            let of = |at: usize| Quantized {
                partitions: parts.iter().map(|pair| pair[at].clone()).collect(),
                measures: measures.clone(),
            };
            let both = [of(0), of(1)];
            let found: Vec<Vec<f64>> = (0..options.resamples)
                .into_par_iter()
                .map(|i| {
                    let [a, b] = [0, 1].map(|at| both[at].half(i, &draws[at]));
                    differences(&a, &b)
                })
                .collect();
            spreads(&both[0].measures.names(), &found, 1.0, out);
        }
    }
    Ok(())
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| b - a).collect()
}

/// Standard deviations over subsamples, carried to the full size; those that are not finite are left out.
fn spreads(names: &[String], found: &[Vec<f64>], factor: f64, out: &mut IndexMap<String, Spread>) {
    if found.len() < 2 {
        return;
    }
    let count = found.len() as f64;
    for (i, name) in names.iter().enumerate() {
        let mean = found.iter().map(|values| values[i]).sum::<f64>() / count;
        let squares: f64 = found.iter().map(|values| (values[i] - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0) * factor).sqrt();
        if deviation.is_finite() {
            let quantile = student_975(found.len() - 1);
            out.insert(name.clone(), Spread { deviation, quantile });
        }
    }
}

#[cfg(test)]
mod tests;
