//! Measures of the texts themselves.

use rayon::prelude::*;

use super::{
    ScoreError, TextFacts,
    draws::Draws,
    estimate::Readings,
    group::{Named, named},
};
use crate::{
    metric::{
        MetricError,
        calibrate::{Subsample, subsample},
        ngram::{distinct, mean_tokens, unique_fraction},
        record::{Estimate, Warning},
        repetition::repetition,
        self_bleu::self_bleu,
        warnings,
        zipf::zipf,
    },
    sides::{Side, Sides},
};

/// Half-samples at most: every one counts all n-grams again.
const MOST_SUBSAMPLES: usize = 20;

/// Measures of one side's token ids; NaN where one is undefined.
fn of_tokens(texts: &[Vec<u32>], with_bleu: bool) -> Named {
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let distinct = distinct(texts).map(or_nan);
    let bleu = match with_bleu {
        true => self_bleu(texts, 4).ok().map(|each| each.iter().sum::<f64>() / each.len() as f64),
        false => None,
    };
    named([
        ("distinct_1", distinct[0]),
        ("distinct_2", distinct[1]),
        ("distinct_3", distinct[2]),
        ("distinct_4", distinct[3]),
        ("self_bleu_4", or_nan(bleu)),
        ("repetition", or_nan(repetition(texts))),
        ("zipf", or_nan(zipf(texts))),
        ("unique_fraction", or_nan(unique_fraction(texts))),
        ("mean_tokens", or_nan(mean_tokens(texts))),
    ])
}

/// The measures of the model's texts; the ceilings are the reference's own values. Self-BLEU has no
/// interval: half of the texts have half of the references.
pub(super) fn measures(texts: &Sides<TextFacts>, draws: &Draws<'_>) -> (Named, Readings) {
    let values = of_tokens(&texts.model.tokens, true);
    let own = of_tokens(&texts.reference.tokens, true);
    let n = texts.model.tokens.len();
    let count = if n < 4 { 0 } else { draws.resamples.min(MOST_SUBSAMPLES) };
    let half = Subsample::half(n.max(2));
    let subsamples = (0..count).into_par_iter().map(|i| {
        let rows = draws.subsample(i, Sides { reference: half, model: half }).model;
        let part: Vec<Vec<u32>> = rows.iter().map(|&row| texts.model.tokens[row].clone()).collect();
        of_tokens(&part, false).into_iter().map(|(_, value)| value).collect()
    });
    let readings = Readings {
        subsamples: subsamples.collect(),
        variance_factor: half.variance_factor(),
        ceilings: own.into_iter().map(|(_, value)| value).collect(),
        ..Readings::default()
    };
    (values, readings)
}

/// Texts that the n-gram Vendi score sees at most: it decomposes a matrix of all their pairs.
const MOST_OF_NGRAM_VENDI: usize = 1000;

/// The n-gram Vendi score of at most [`MOST_OF_NGRAM_VENDI`] texts of the model, with that of as many
/// reference texts as its ceiling, and how many they were. It grows with the number of texts.
pub(super) fn ngram_vendi(
    texts: &Sides<TextFacts>,
    draws: &Draws<'_>,
) -> Result<Option<(usize, Estimate)>, ScoreError> {
    let sizes = texts.as_ref().map(|facts| facts.tokens.len());
    let used = sizes.reference.min(sizes.model).min(MOST_OF_NGRAM_VENDI);
    let score = |facts: &TextFacts, name: &str| -> Result<Option<f64>, ScoreError> {
        let n = facts.tokens.len();
        let rows: Vec<usize> = match used < n {
            true => {
                let mut rng = crate::rng::named(draws.seed, &format!("n-gram vendi {name}"));
                subsample(&mut rng, Subsample { n, size: used }, &[])
            }
            false => (0..n).collect(),
        };
        let part: Vec<Vec<u32>> = rows.iter().map(|&row| facts.tokens[row].clone()).collect();
        Ok(crate::metric::ngram::ngram_vendi(&part, 4).map_err(MetricError::from)?)
    };
    let own = score(&texts.reference, "reference")?;
    let value = score(&texts.model, "model")?;
    Ok(value.map(|value| (used, Estimate { ceiling: own, ..Estimate::bare(value) })))
}

/// Warnings about lengths, cuts and empty texts.
pub(super) fn warn(texts: &Sides<TextFacts>) -> Vec<Warning> {
    let lengths =
        texts.as_ref().map(|facts| facts.tokens.iter().map(Vec::len).collect::<Vec<usize>>());
    let share = |side: Side, of: &dyn Fn(&TextFacts) -> usize| {
        let facts = texts.get(side);
        (of(facts), facts.tokens.len())
    };
    let both = |of: &dyn Fn(&TextFacts) -> usize| Sides {
        reference: share(Side::Reference, of),
        model: share(Side::Model, of),
    };
    let cut = both(&|facts| facts.cut.iter().filter(|&&cut| cut).count());
    let blank = both(&|facts| match facts.blank.is_empty() {
        true => facts.tokens.iter().filter(|tokens| tokens.is_empty()).count(),
        false => facts.blank.iter().filter(|&&blank| blank).count(),
    });
    [
        warnings::length_mismatch(lengths.as_ref().map(Vec::as_slice)),
        warnings::truncated_texts(cut),
        warnings::blank_texts(blank),
    ]
    .into_iter()
    .flatten()
    .collect()
}
