//! How alike several runs of the same texts, by other embedders or poolings, put the cells in order.

use anyhow::bail;
use std::path::Path;

use super::read::Named;
use crate::{
    data::signature,
    math::ranks::{kendall, spearman},
};

/// The fewest cells that have an order worth speaking of.
const FEWEST: usize = 3;

/// How alike two runs order the cells by one measure.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Agreement {
    /// The measure.
    pub metric: String,
    /// A run.
    pub first: String,
    /// Another one.
    pub second: String,
    /// Cells of the same texts in which both have it.
    pub cells: usize,
    /// Kendall's `τ_b`; NaN where a side does not vary.
    #[serde(with = "crate::data::json_number")]
    pub kendall: f64,
    /// Spearman's rank correlation.
    #[serde(with = "crate::data::json_number")]
    pub spearman: f64,
    /// In what the runs differ, in words.
    pub differs_in: Vec<String>,
}

/// The agreement of every two runs by every measure that is `wanted`, measure by measure.
///
/// # Errors
///
/// A sentence for one run, for runs of other texts, and for fewer than three cells.
pub fn agreements(
    scores: &[Named],
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Agreement>> {
    let mut runs: Vec<&Path> = Vec::new();
    for score in scores {
        if !runs.contains(&score.source.as_path()) {
            runs.push(&score.source);
        }
    }
    if runs.len() < 2 {
        bail!("--ranks holds runs of the same texts against each other; name two or more");
    }
    let mut found = Vec::new();
    for (at, second) in runs.iter().enumerate() {
        for first in &runs[..at] {
            found.extend(of_two(scores, [first, second], &wanted)?);
        }
    }
    let mut metrics: Vec<String> = Vec::new();
    for agreement in &found {
        if !metrics.contains(&agreement.metric) {
            metrics.push(agreement.metric.clone());
        }
    }
    // Stable, so that pairs of runs keep their order.
    found.sort_by_key(|agreement| metrics.iter().position(|metric| *metric == agreement.metric));
    Ok(found)
}

fn of_two(
    scores: &[Named],
    runs: [&Path; 2],
    wanted: &impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Agreement>> {
    let [own, others] = runs.map(|run| scores.iter().filter(move |score| score.source == run));
    let twins = own.filter_map(|a| {
        // The id of a cell is a hash of all that determines its texts.
        let same = |b: &&Named| !a.id.is_empty() && b.id == a.id;
        Some((a, others.clone().find(same)?))
    });
    let twins: Vec<(&Named, &Named)> = twins.collect();
    let [first, second] = runs.map(|run| run.display().to_string());
    if twins.len() < FEWEST {
        bail!(
            "`{first}` and `{second}` have {} cells of the same texts, and an order takes {FEWEST}; the same sweep \
             with another --embedder or --pooling, and another --out, draws the same texts",
            twins.len()
        );
    }
    let signatures = [&twins[0].0.score.signature, &twins[0].1.score.signature];
    let differs = signature::differences(signatures[0], signatures[1]);
    let differs_in: Vec<String> = differs.iter().map(ToString::to_string).collect();
    let metrics = twins[0].0.score.metrics.keys().filter(|metric| wanted(metric));
    let agreement = |metric: &String| {
        let value = |named: &Named| {
            Some(named.score.metrics.get(metric)?.value).filter(|value| !value.is_nan())
        };
        let both = twins.iter().filter_map(|(a, b)| Some((value(a)?, value(b)?)));
        let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
        (a.len() >= FEWEST).then(|| Agreement {
            metric: metric.clone(),
            first: first.clone(),
            second: second.clone(),
            cells: a.len(),
            kendall: kendall(&a, &b),
            spearman: spearman(&a, &b),
            differs_in: differs_in.clone(),
        })
    };
    Ok(metrics.filter_map(agreement).collect())
}

/// A row for each, with a heading.
pub fn rows(agreements: &[Agreement]) -> Vec<Vec<String>> {
    let heads = ["measure", "runs", "cells", "Kendall", "Spearman"].map(str::to_owned);
    let two = |value: f64| if value.is_nan() { "–".to_owned() } else { format!("{value:.2}") };
    let row = |of: &Agreement| {
        let (runs, cells) = (format!("{} and {}", of.first, of.second), of.cells.to_string());
        vec![of.metric.clone(), runs, cells, two(of.kendall), two(of.spearman)]
    };
    std::iter::once(heads.to_vec()).chain(agreements.iter().map(row)).collect()
}

/// In what runs differ, and what the numbers are.
pub fn notes(agreements: &[Agreement]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for of in agreements {
        let differ = match of.differs_in.as_slice() {
            [] => "nothing that keeps their values apart".to_owned(),
            differs => differs.join(", "),
        };
        let note = format!("{} and {} differ in {differ}", of.first, of.second);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes.push(
        "1: both put the cells of the same texts in one order, 0: their orders have nothing in common; a measure that \
         keeps its order under every embedder says something of the texts"
            .to_owned(),
    );
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::record::Estimate;

    fn cell(run: &str, id: &str, precision: f64) -> Named {
        let mut named = Named { source: run.into(), id: id.into(), ..Named::bare(id) };
        named.score.metrics.insert("precision".into(), Estimate::bare(precision));
        let pooling = if run == "a" { "last" } else { "mean" };
        named.score.signature = format!("llmpr:1|ref:r|emb:e|pool:{pooling}");
        named
    }

    #[test] // by hand: of the three pairs two are ordered alike; d² = 0, 1, 1: 1 − 6 · 2/24
    fn runs_agree_as_far_as_they_order_the_same_texts_alike() {
        let mut scores = vec![cell("a", "x", 0.1), cell("a", "y", 0.5), cell("a", "z", 0.9)];
        scores.extend([cell("b", "z", 0.2), cell("b", "x", 0.1), cell("b", "y", 0.3)]);
        let found = agreements(&scores, |_| true).unwrap();
        assert_eq!((found.len(), found[0].cells), (1, 3));
        assert!((found[0].kendall - 1.0 / 3.0).abs() < 1e-15);
        assert!((found[0].spearman - 0.5).abs() < 1e-15);
        assert_eq!(found[0].differs_in, ["pooling (last and mean)"]);
        let refused = agreements(&scores[..3], |_| true).unwrap_err().to_string();
        assert!(refused.contains("name two or more"), "{refused}");
        let refused = agreements(&scores[..5], |_| true).unwrap_err().to_string();
        assert!(refused.contains("have 2 cells of the same texts"), "{refused}");
    }
}
