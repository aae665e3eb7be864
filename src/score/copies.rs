//! What copies of rows do to measures by balls.

use super::{ScoreError, ScoreOptions, record::Warning, warnings};
use crate::{
    cloud::{Clouds, equal_rows::Distinct, neighbors::Ties},
    data::sides::{Side, Sides},
    metric::prdc::{COVERAGE, DENSITY, PRECISION, Prdc, RECALL, prdc},
};

/// Warnings where rows repeat, on one side or, as [`shared`] says, across: values without the copies, and under the other rule for ties.
///
/// # Errors
///
/// [`ScoreError::Metric`] where the clouds have no such balls.
pub(super) fn warn(
    clouds: Clouds<'_>,
    distinct: Sides<&Distinct>,
    (own, shared): (&Prdc, f64),
    options: &ScoreOptions,
) -> Result<Vec<Warning>, ScoreError> {
    let rows = distinct.map(|distinct| (distinct.of.len(), distinct.len()));
    let repeated = |(n, unique): (usize, usize)| unique < n;
    if !repeated(rows.reference) && !repeated(rows.model) && shared == 0.0 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for side in [Side::Reference, Side::Model] {
        let (n, unique) = *rows.get(side);
        if n > 1 && unique == 1 {
            found.push(warnings::identical_rows(side, n));
        }
    }
    let other = match options.ties {
        Ties::Strict => Ties::Inclusive,
        Ties::Inclusive => Ties::Strict,
    };
    let other = prdc(clouds, options.k, other)?;
    let pairs = [(&PRECISION, own.precision, other.precision), (&RECALL, own.recall, other.recall)];
    for (spec, own, other) in pairs {
        let (strict, inclusive) = match options.ties {
            Ties::Strict => (own, other),
            Ties::Inclusive => (other, own),
        };
        found.extend(warnings::ties(spec.name, strict, inclusive));
    }
    let kept = Sides {
        reference: clouds.reference().select(&distinct.reference.first),
        model: clouds.model().select(&distinct.model.first),
    };
    let without =
        Clouds::new(kept.as_ref()).and_then(|clouds| prdc(clouds, options.k, options.ties));
    let pairs: Vec<(&str, f64, f64)> = match without {
        Ok(without) => [
            (PRECISION.name, own.precision, without.precision),
            (RECALL.name, own.recall, without.recall),
            (DENSITY.name, own.density, without.density),
            (COVERAGE.name, own.coverage, without.coverage),
        ]
        .to_vec(),
        // Too few distinct rows for a k-th neighbor: there is nothing to hold against.
        Err(_) => Vec::new(),
    };
    found.extend(warnings::duplicates(rows, &pairs));
    Ok(found)
}

/// The share of reference rows that equal a row of the model.
pub(super) fn shared(clouds: Clouds<'_>) -> f64 {
    let (n, both) = (clouds.reference().rows(), clouds.reference().stack(clouds.model()));
    let distinct = Distinct::rows(&both);
    let (reference, model) = distinct.of.split_at(n);
    let mut written = vec![false; distinct.len()];
    model.iter().for_each(|&group| written[group as usize] = true);
    let copied = reference.iter().filter(|&&group| written[group as usize]).count();
    copied as f64 / n as f64
}
