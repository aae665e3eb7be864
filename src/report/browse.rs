//! The texts behind the numbers: a random choice of them, with what the supports say of each.

use serde::Serialize;
use std::collections::BTreeMap;

use super::record::{CellResult, SampleRecord};
use crate::{
    data::sides::Sides,
    rng::{self, shuffle},
    score::evidence::RowEvidence,
};

/// How much a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Texts of all cells together.
    pub texts: usize,
    /// Texts of one cell.
    pub texts_per_cell: usize,
    /// Uncovered references of one cell.
    pub uncovered_per_cell: usize,
    /// Characters of a text.
    pub characters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { texts: 1500, texts_per_cell: 60, uncovered_per_cell: 20, characters: 3000 }
    }
}

/// A cell with its completions.
#[derive(Clone, Debug)]
pub struct CellTexts<'a> {
    /// Settings and score.
    pub result: &'a CellResult,
    /// Its completions, in the order of its features.
    pub samples: Vec<SampleRecord>,
    /// What the supports say of references and completions, where features are at hand.
    pub evidence: Option<Sides<Vec<RowEvidence>>>,
}

/// What the page's browser shows, as it is embedded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Browser {
    /// The chosen texts by cell.
    pub cells: Vec<Cell>,
    /// The references that they mention, by index.
    pub references: BTreeMap<usize, String>,
}

/// The chosen texts of one cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Its id.
    pub id: String,
    /// Its settings in words.
    pub label: String,
    /// Completions it has.
    pub n: usize,
    /// Whether the supports were looked at.
    pub judged: bool,
    /// The chosen completions.
    pub texts: Vec<Shown>,
    /// References in no ball of the model: their number, and a choice of them.
    pub uncovered: usize,
    /// Index, and the index in the cell of the model's nearest text.
    pub uncovered_shown: Vec<Missed>,
}

/// A completion as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Its id in its cell.
    pub id: String,
    /// The text, perhaps cut.
    pub text: String,
    /// Whether it was cut.
    pub cut: bool,
    /// Reference balls that hold it.
    pub balls: Option<u32>,
    /// The nearest reference.
    pub nearest: Option<usize>,
    /// The distance to that.
    pub distance: Option<f64>,
    /// Why it ended.
    pub finish: String,
    /// Tokens.
    pub tokens: usize,
    /// Log-probability a token under the untempered model, nats.
    pub logprob: Option<f64>,
}

/// A reference that the model does not reach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missed {
    /// Index of the reference.
    pub reference: usize,
    /// The model's nearest text.
    pub text: String,
    /// The distance to that.
    pub distance: f64,
}

/// Chooses texts at random, the same ones whenever the report is made.
pub fn browser(cells: &[CellTexts<'_>], references: &[String], limits: Limits) -> Browser {
    let share = limits.texts.checked_div(cells.len()).unwrap_or(0).max(1);
    let per_cell = limits.texts_per_cell.min(share);
    let clip = |text: &str| -> (String, bool) {
        match text.char_indices().nth(limits.characters) {
            Some((end, _)) => (text[..end].to_owned(), true),
            None => (text.to_owned(), false),
        }
    };
    let mut mentioned = BTreeMap::new();
    let mut mention = |index: usize| {
        if let Some(text) = references.get(index) {
            mentioned.entry(index).or_insert_with(|| clip(text).0);
        }
    };
    let mut shown = Vec::new();
    for CellTexts { result, samples, evidence } in cells {
        let id = &result.cell.id;
        let evidence = evidence
            .as_ref()
            .filter(|e| e.model.len() == samples.len() && e.reference.len() == references.len());
        let texts = choose(samples.len(), per_cell, &format!("texts {id}"))
            .into_iter()
            .map(|row| {
                let (sample, of) = (&samples[row], evidence.map(|e| e.model[row]));
                if let Some(of) = of {
                    mention(of.nearest);
                }
                let (text, cut) = clip(sample.text());
                let per_token = sample.logprob_model / sample.count().max(1) as f64;
                Shown {
                    id: sample.id.clone(),
                    text,
                    cut,
                    balls: of.map(|of| of.balls),
                    nearest: of.map(|of| of.nearest),
                    distance: of.map(|of| of.distance),
                    finish: sample.finish_reason.clone(),
                    tokens: sample.count(),
                    logprob: per_token.is_finite().then_some(per_token),
                }
            })
            .collect();
        let missed: Vec<usize> = evidence.map_or(Vec::new(), |e| {
            (0..references.len()).filter(|&row| e.reference[row].balls == 0).collect()
        });
        let picked = choose(missed.len(), limits.uncovered_per_cell, &format!("uncovered {id}"));
        let uncovered_shown = picked
            .into_iter()
            .filter_map(|i| {
                let (row, of) = (missed[i], evidence?.reference[missed[i]]);
                mention(row);
                let text = clip(samples[of.nearest].text()).0;
                Some(Missed { reference: row, text, distance: of.distance })
            })
            .collect();
        shown.push(Cell {
            id: id.clone(),
            label: result.cell.label(),
            n: samples.len(),
            judged: evidence.is_some(),
            texts,
            uncovered: missed.len(),
            uncovered_shown,
        });
    }
    Browser { cells: shown, references: mentioned }
}

/// `count` of `0..n` at random, ascending.
fn choose(n: usize, count: usize, what: &str) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    if n > count {
        shuffle(&mut rng::named(0, what), &mut all);
        all.truncate(count);
        all.sort_unstable();
    }
    all
}
