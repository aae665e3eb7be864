//! A score from counts over bins that both sides share.

use indexmap::IndexMap;

use super::{
    Family, ScoreError, ScoreOptions,
    curve::{self, pr_curve},
    divergence,
    draws::Draws,
    estimate::{self, Readings, Sizes},
    family::estimates,
    frontier::{self, frontier_curve},
    over_bins,
    quantized::{Partition, Partitions},
    record::{Curves, Estimate, SCHEMA, Score, SetFacts, Warning},
    table::Table,
    warnings,
};
use crate::{
    data::{
        sides::Sides,
        signature::{Signature, content},
    },
    metric::{
        frontier::{Frontier, MAUVE, Settings},
        histogram::{self, Smoothing},
    },
};

/// Texts above which neither intervals nor p-values are drawn: every draw costs as much as there are texts.
const MOST_DRAWN: u64 = 2_000_000;

/// The score of two histograms over the same bins: the families `frontier`, `curve` and `divergence` are
/// exact functions of the counts.
///
/// # Arguments
///
/// * `counts`: texts per bin, the same bins on both sides.
/// * `options`: `metrics`, `scaling`, `lambdas`, `resamples`, `permutations` and `seed` are read. Sizes are
///   kept: shares do not depend on them.
///
/// # Errors
///
/// [`ScoreError::Histogram`] when the bins differ or a side counts nothing,
/// [`ScoreError::NotOfHistograms`] when none of the three families is asked for.
///
/// # Cost
///
/// `O(bins · 1001)` for the values, `O(texts)` per draw.
///
/// # Example
///
/// ```
/// use llmpr::{data::sides::Sides, score::{ScoreOptions, score_histograms}};
/// let counts = Sides { reference: &[4u64, 4][..], model: &[8, 0][..] };
/// let score = score_histograms(counts, &ScoreOptions::default())?;
/// assert_eq!(score.metrics["tv"].value, 0.5);
/// assert_eq!(score.metrics["kl"].value, f64::INFINITY); // the model never writes the second kind
/// # Ok::<(), llmpr::score::ScoreError>(())
/// ```
pub fn score_histograms(
    counts: Sides<&[u64]>,
    options: &ScoreOptions,
) -> Result<Score, ScoreError> {
    histogram::shares(counts, Smoothing::None)?;
    let of_bins =
        [frontier::SPECS, frontier::SMOOTHED, curve::SPECS, divergence::SPECS, divergence::FURTHER];
    if options.metrics.by_name().any(|spec| !of_bins.concat().contains(&spec)) {
        return Err(ScoreError::NotOfHistograms { asked: options.metrics.to_string() });
    }
    let totals = counts.map(|counts| counts.iter().fold(0u64, |sum, &c| sum.saturating_add(c)));
    let drawn = totals.reference.saturating_add(totals.model) <= MOST_DRAWN;
    let mut warnings = warnings::of_draws(totals, MOST_DRAWN, options);
    let (mut curves, mut table) = (Curves::default(), Table::default());
    // Without draws only the shares matter, and no row is spelled out.
    let partition = if drawn { Partition::of_counts(counts) } else { Partition::counted(counts) };
    let rows = Partitions(vec![partition]);
    let sizes = Sizes { n: totals.reference as usize, m: totals.model as usize, k: options.k };
    let draws = Draws::of(options, Sides { reference: &[], model: &[] });
    for (_, measures) in over_bins::asked(options) {
        table.extend(match drawn {
            true => estimates(measures.as_ref(), &rows, &draws, sizes)?,
            false => estimate::read(&measures.values(&rows)?, &Readings::default(), sizes),
        });
    }
    if options.metrics.has(Family::Frontier) {
        curves.frontier = Some(frontier_curve(&rows, options.scaling)?);
    }
    if options.metrics.has(Family::Curve) {
        curves.pr = Some(pr_curve(&rows)?);
    }
    let metrics = table.metrics(&options.metrics);
    if metrics.is_empty() {
        return Err(ScoreError::NotOfHistograms { asked: options.metrics.to_string() });
    }
    warnings.extend(of_values(&metrics, options.scaling));
    let signature = Signature::default()
        .flag("histograms")
        .with("ref", content(counts.reference.iter().map(|count| count.to_le_bytes())))
        .with("bins", counts.reference.len())
        .with("c", options.scaling)
        .with("n", format!("{}/{}", totals.reference, totals.model))
        .with("seed", options.seed);
    let facts = totals.as_ref().map(|&total| SetFacts {
        n: total as usize,
        dim: 0,
        unique: total as usize,
    });
    Ok(Score {
        schema: SCHEMA.to_owned(),
        signature: signature.to_string(),
        reference: facts.reference,
        samples: facts.model,
        pca: None,
        metrics,
        curves,
        warnings,
    })
}

/// Warnings that follow from values over bins: infinities and a frontier at an end of its scale.
pub(super) fn of_values(
    metrics: &IndexMap<String, Estimate>,
    scaling: f64,
) -> impl Iterator<Item = Warning> {
    let infinite: Vec<&str> = metrics
        .iter()
        .filter(|(_, estimate)| estimate.value.is_infinite())
        .map(|(name, _)| name.as_str())
        .collect();
    let apart = Sides { reference: &[1.0, 0.0][..], model: &[0.0, 1.0][..] };
    let settings = Settings { scaling, ..Settings::default() };
    let lowest = Frontier::of_shares(apart, &settings).mauve();
    let saturated = metrics
        .get(MAUVE.name)
        .and_then(|mauve| warnings::saturated_frontier(mauve.value, mauve.ceiling, lowest));
    warnings::infinite(&infinite).into_iter().chain(saturated)
}
