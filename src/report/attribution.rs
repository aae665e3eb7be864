//! What is known of each single text: support, realism, nearest text of the other side, words that others have too, topic.

use std::ops::Range;

use serde::Serialize;

use super::record::{CellRecord, CellResult, SampleRecord};
use crate::{data::sides::Sides, score::evidence::RowEvidence};

/// Share of its words from which a text is called a copy.
pub const COPY: f64 = 0.5;

/// A cell with its completions.
#[derive(Clone, Debug)]
pub struct CellTexts<'a> {
    /// Settings and score.
    pub result: &'a CellResult,
    /// Its completions, in the order of its features.
    pub samples: Vec<SampleRecord>,
    /// Places of its run's reference texts among those of all runs.
    pub references: Range<usize>,
    /// What the supports say of these references, by their places in the run, and of the completions; `None` without
    /// features.
    pub evidence: Option<Sides<Vec<RowEvidence>>>,
    /// How deep each completion lies in the reference's support, see [`crate::metric::realism::realism`].
    pub realism: Option<Vec<f64>>,
    /// The most that each completion has in common with another text.
    pub shares: Vec<Option<Shared>>,
    /// The topic of each completion among those of its run; empty where there are none.
    pub topics: Vec<u32>,
}

/// A run of words that two texts share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared {
    /// `completion`, `reference`, or `prompt`, whose in-context examples are among its words.
    pub with: &'static str,
    /// Its id or index.
    pub of: String,
    /// How many words.
    pub words: usize,
    /// How many the completion has.
    pub all: usize,
    /// The words.
    pub text: String,
}

impl Shared {
    /// The share of the completion's words.
    pub fn share(&self) -> f64 {
        self.words as f64 / self.all.max(1) as f64
    }
}

/// Who reaches a reference text: how many cells have it in their support, and the one of least temperature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Cells that reach it.
    pub cells: usize,
    /// The first of these along the temperature, by its place among all cells.
    pub first: Option<usize>,
}

impl CellTexts<'_> {
    /// Its evidence, where it is about as many texts as there are.
    pub fn judged(&self) -> Option<&Sides<Vec<RowEvidence>>> {
        let fits = |e: &&Sides<Vec<RowEvidence>>| {
            e.model.len() == self.samples.len() && e.reference.len() == self.references.len()
        };
        self.evidence.as_ref().filter(fits)
    }

    /// The longest run of words that a completion shares with another text.
    pub fn longest(&self, row: usize) -> Option<&Shared> {
        self.shares.get(row)?.as_ref()
    }

    /// Whether half of a completion's words or more stand in one run in another text.
    pub fn is_copy(&self, row: usize) -> bool {
        self.longest(row).is_some_and(|shared| shared.share() >= COPY)
    }

    /// How deep a completion lies in the support, where that is known.
    pub fn realism(&self, row: usize) -> Option<f64> {
        self.realism.as_ref()?.get(row).copied().filter(|value| !value.is_nan())
    }
}

/// Who reaches each of `total` reference texts of all runs.
pub fn reach(cells: &[CellTexts<'_>], total: usize) -> Vec<Reach> {
    let mut found = vec![Reach::default(); total];
    let temperature = |cell: &CellRecord| cell.decoding.temperature;
    for (at, cell) in cells.iter().enumerate() {
        let Some(evidence) = cell.judged() else { continue };
        let own = found[cell.references.clone()].iter_mut().zip(&evidence.reference);
        for (reach, _) in own.filter(|(_, row)| row.balls > 0) {
            reach.cells += 1;
            let cooler = |first: usize| {
                temperature(&cell.result.cell) < temperature(&cells[first].result.cell)
            };
            if reach.first.is_none_or(cooler) {
                reach.first = Some(at);
            }
        }
    }
    found
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::record::tests::{cell, result};

    /// A cell at a temperature with its completions, whose balls hold the references that `reached` says.
    pub(in crate::report) fn texts<'a>(
        result: &'a CellResult,
        samples: &[&str],
        reached: &[bool],
    ) -> CellTexts<'a> {
        let sample = |(at, text): (usize, &&str)| SampleRecord {
            id: format!("0-{at}"),
            prompt_id: "p".into(),
            prompt: "".into(),
            text: Some((*text).to_owned()),
            completion: None,
            tokens: vec![1; 3],
            n_tokens: None,
            finish_reason: "eos".into(),
            logprob: -1.0,
            logprob_model: -1.0,
            entropy: 1.0,
            decoding: result.cell.decoding,
            seed: 0,
            prompt_index: 0,
            sample: at as u32,
            shots_used: 0,
        };
        let row = |balls: bool| RowEvidence {
            balls: u32::from(balls),
            held: 0,
            nearest: 0,
            distance: 1.0,
        };
        CellTexts {
            result,
            samples: samples.iter().enumerate().map(sample).collect(),
            references: 0..reached.len(),
            evidence: Some(Sides {
                reference: reached.iter().map(|&of| row(of)).collect(),
                model: samples.iter().map(|_| row(true)).collect(),
            }),
            realism: Some(vec![f64::NAN; samples.len()]),
            shares: Vec::new(),
            topics: Vec::new(),
        }
    }

    #[test]
    fn the_first_cell_that_reaches_a_reference_is_the_coolest_one() {
        let results = [1.2, 0.4, 0.8].map(|t| result(cell("tiny", t)));
        let cells = [
            texts(&results[0], &["a"], &[true, true, false]),
            texts(&results[1], &["b"], &[true, false, false]),
            texts(&results[2], &["c"], &[true, true, false]),
        ];
        let found = reach(&cells, 3);
        let told: Vec<_> = found.iter().map(|of| (of.cells, of.first)).collect();
        assert_eq!(told, [(3, Some(1)), (2, Some(2)), (0, None)]);
        assert_eq!(cells[0].realism(0), None, "what is undefined is not there");
    }
}
