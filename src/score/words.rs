//! Measures of the texts themselves.

use rayon::prelude::*;
use std::borrow::Cow;

use super::{
    Metrics, ScoreError, TextFacts,
    calibrate::{Subsample, subsample},
    draws::Draws,
    estimate::Estimated,
    family::{Many, Measures, Rows},
    record::{Estimate, Warning},
    warnings,
};
use crate::{
    cloud::MetricError,
    data::sides::{Side, Sides},
    metric::{
        ngram::{
            self, DISTINCT_1, DISTINCT_2, DISTINCT_3, DISTINCT_4, MEAN_TOKENS, NGRAM_VENDI,
            UNIQUE_FRACTION, distinct, mean_tokens, unique_fraction,
        },
        repetition::{REPETITION, repetition},
        self_bleu::{SELF_BLEU_4, self_bleu},
        spec::{Measured, Spec},
        zipf::{ZIPF, zipf},
    },
};

/// [`Words`] in the order of the table.
pub(super) const SPECS: &[&Spec] = &[
    &DISTINCT_1,
    &DISTINCT_2,
    &DISTINCT_3,
    &DISTINCT_4,
    &SELF_BLEU_4,
    &REPETITION,
    &ZIPF,
    &UNIQUE_FRACTION,
    &MEAN_TOKENS,
];
/// [`ngram_vendi`] in the order of the table.
pub(super) const OF_NGRAMS: &[&Spec] = &[&NGRAM_VENDI];

/// Half-samples at most: every one counts all n-grams again.
const MOST_SUBSAMPLES: usize = 20;

/// Token ids of the model's texts. Both sides count as many, since only these are drawn from.
pub(super) struct Tokens<'a>(pub Cow<'a, [Vec<u32>]>);

impl Rows for Tokens<'_> {
    fn sizes(&self) -> Sides<usize> {
        Sides { reference: self.0.len(), model: self.0.len() }
    }

    fn select(&self, rows: &Sides<Vec<usize>>) -> Self {
        let text = |&row: &usize| self.0[row - self.0.len()].clone();
        Self(Cow::Owned(rows.model.iter().map(text).collect()))
    }
}

/// Measures of the model's texts; the ceilings are the reference's own values.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub asked: &'a Metrics,
    pub reference: &'a [Vec<u32>],
}

impl Words<'_> {
    /// The measures that are asked for of one side's token ids; NaN where one is undefined.
    fn of_tokens(&self, texts: &[Vec<u32>], with_bleu: bool) -> Vec<Measured> {
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let mut values = Vec::new();
        let of_distinct = [&DISTINCT_1, &DISTINCT_2, &DISTINCT_3, &DISTINCT_4];
        if self.asked.asks_any(&of_distinct) {
            let found = of_distinct.into_iter().zip(distinct(texts));
            values.extend(found.map(|(spec, value)| spec.of(or_nan(value))));
        }
        if with_bleu && self.asks(&SELF_BLEU_4) {
            let each = self_bleu(texts, 4).ok();
            let mean = each.map(|each| each.iter().sum::<f64>() / each.len() as f64);
            values.push(SELF_BLEU_4.of(or_nan(mean)));
        }
        let mut add = |spec: &'static Spec, of: fn(&[Vec<u32>]) -> Option<f64>| {
            if self.asks(spec) {
                values.push(spec.of(or_nan(of(texts))));
            }
        };
        add(&REPETITION, repetition);
        add(&ZIPF, zipf);
        add(&UNIQUE_FRACTION, unique_fraction);
        add(&MEAN_TOKENS, mean_tokens);
        values
    }
}

impl Measures<Tokens<'_>> for Words<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn asks(&self, spec: &Spec) -> bool {
        self.asked.asks(spec)
    }

    fn values(&self, texts: &Tokens<'_>) -> Result<Vec<Measured>, ScoreError> {
        Ok(self.of_tokens(&texts.0, true))
    }

    /// Without self-BLEU: half of the texts have half of the references.
    fn of_draws(&self, texts: &Tokens<'_>, draws: Many<'_>) -> Vec<Vec<Measured>> {
        let one = |i: usize| self.of_tokens(&texts.select(&(draws.rows)(i)).0, false);
        (0..draws.count).into_par_iter().map(one).collect()
    }

    fn ceilings(&self, _texts: &Tokens<'_>, _draws: &Draws<'_>) -> Vec<Measured> {
        self.of_tokens(self.reference, true)
    }

    fn most_subsamples(&self) -> usize {
        MOST_SUBSAMPLES
    }
}

/// Texts that the n-gram Vendi score sees at most: it decomposes a matrix of all their pairs.
const MOST_OF_NGRAM_VENDI: usize = 1000;

/// The n-gram Vendi score of at most [`MOST_OF_NGRAM_VENDI`] texts of the model, with that of as many
/// reference texts as its ceiling, and how many they were. It grows with the number of texts.
pub(super) fn ngram_vendi(
    texts: &Sides<TextFacts>,
    draws: &Draws<'_>,
) -> Result<Option<(usize, Estimated)>, ScoreError> {
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
        Ok(ngram::ngram_vendi(&part, 4).map_err(MetricError::from)?)
    };
    let own = score(&texts.reference, "reference")?;
    let value = score(&texts.model, "model")?;
    Ok(value.map(|value| {
        let estimate = Estimate { ceiling: own, ..Estimate::bare(value) };
        (used, Estimated { measured: NGRAM_VENDI.of(value), estimate })
    }))
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
