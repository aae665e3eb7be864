//! Bare values of two clouds and of parts of one of them, for whoever compares many sets of growing size.

use indexmap::IndexMap;
use rayon::prelude::*;

use super::{
    ScoreError, ScoreOptions, Unequal,
    cloud_rows::CloudRows,
    clusters::{Clustering, Purpose},
    diversity::Diversity,
    family::{Measures, Rows, pooled},
    moments::Moments,
    over_bins,
    prepare::prepare,
    support::Support,
};
use crate::{
    cloud::{Clouds, pca::Pca},
    data::{matrix::Matrix, sides::Sides},
    metric::spec::Measured,
};

/// Values by the keys of their measures.
pub type Values = IndexMap<String, f64>;

/// The values of the measures of clouds that `options` ask for, on all rows and then on each of `parts` of the
/// model's, always against the whole reference; no ceiling, interval or p-value is made.
///
/// A measure that a part is too small for is missing there, and one of texts, of classifiers or of the extra
/// family everywhere.
///
/// # Arguments
///
/// * `pca`: a reduction fitted before; without it one is fitted to both sets.
/// * `parts`: ascending row numbers of the model's side.
///
/// # Errors
///
/// [`ScoreError`] for sets that cannot be compared.
///
/// # Cost
///
/// That of one value for each part.
pub fn values_of_parts(
    sets: Sides<&Matrix>,
    pca: Option<&Pca>,
    parts: &[Vec<usize>],
    options: &ScoreOptions,
) -> Result<Vec<Values>, ScoreError> {
    let settings = ScoreOptions { unequal: Unequal::Keep, ..options.clone() };
    let prepared = prepare(Clouds::new(sets)?, None, pca, &settings)?;
    let clouds = Clouds::new(prepared.clouds.as_ref())?;
    let Sides { reference: n, model: m } = clouds.sides().map(Matrix::rows);
    let draws: Vec<Sides<Vec<usize>>> = std::iter::once((0..m).collect())
        .chain(parts.iter().cloned())
        .map(|model| Sides { reference: (0..n).collect(), model })
        .collect();
    let mut found: Vec<Values> = vec![Values::new(); draws.len()];
    let mut keep = |values: Vec<Vec<Measured>>| {
        for (found, values) in found.iter_mut().zip(values) {
            let asked = values.into_iter().filter(|value| settings.metrics.keeps(value));
            found.extend(asked.map(|measured| (measured.key(), measured.value)));
        }
    };
    let rows = CloudRows::of(clouds);
    let of_clouds: [&dyn Measures<CloudRows<'_>>; 3] =
        [&Support::of(&settings), &Moments::of(&settings), &Diversity::of(&settings)];
    for measures in of_clouds {
        if settings.metrics.asks_any(measures.specs()) {
            let one = |draw: &Sides<Vec<usize>>| {
                measures.values(&rows.select_sides(draw)).unwrap_or_default()
            };
            keep(draws.par_iter().map(one).collect());
        }
    }
    let asked = over_bins::asked(&settings);
    for purpose in [Purpose::Frontier, Purpose::Curve] {
        let measures = || asked.iter().filter(|(of, _)| *of == purpose);
        if measures().next().is_none() {
            continue;
        }
        let clustering = Clustering::of(clouds, purpose, &settings)?;
        for (_, measures) in measures() {
            let one = |draw: &Sides<Vec<usize>>| {
                let rows = clustering.partitions.select(&pooled(draw.clone(), n));
                measures.values(&rows).unwrap_or_default()
            };
            keep(draws.par_iter().map(one).collect());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::score;

    #[test]
    fn the_values_are_those_of_a_score_and_a_part_is_a_smaller_set() {
        let cloud = |n: usize, at: f32| {
            let values = (0..3 * n).map(|i| at + (i * i % 37) as f32 / 37.0).collect();
            Matrix::new(3, values).unwrap()
        };
        let (people, machine) = (cloud(60, 0.0), cloud(40, 0.2));
        let options = ScoreOptions {
            metrics: "precision,recall,alpha@1".to_owned().try_into().unwrap(),
            resamples: 0,
            permutations: 0,
            unequal: Unequal::Keep,
            pca: crate::score::Reduce::None,
            ..ScoreOptions::default()
        };
        let half: Vec<usize> = (0..40).step_by(2).collect();
        let sets = Sides { reference: &people, model: &machine };
        let found = values_of_parts(sets, None, std::slice::from_ref(&half), &options).unwrap();
        let whole = score(sets, None, None, &options).unwrap();
        assert_eq!(found.len(), 2);
        for name in ["precision", "recall", "alpha@1"] {
            assert_eq!(found[0][name], whole.metrics[name].value, "{name}");
        }
        let part = machine.select(&half);
        let alone = score(Sides { model: &part, ..sets }, None, None, &options).unwrap();
        for name in ["precision", "recall"] {
            assert_eq!(found[1][name], alone.metrics[name].value, "{name}");
        }
    }
}
