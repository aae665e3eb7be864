//! What the texts of runs have in common, word for word, and the topics of their references.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::{
    cloud::kmeans::{KMeansOptions, kmeans},
    data::matrix::Matrix,
    report::{attribution::Shared, record::SampleRecord},
    text::spans::{Span, shared_among, shared_with},
};

/// What each completion shares with another one, with a reference, and with its prompt.
pub(super) fn shares(samples: &[SampleRecord], references: &[String]) -> Vec<Vec<Shared>> {
    shares_of_cells(&[samples], references).swap_remove(0)
}

/// [`shares`] of the completions of several cells; those of other cells are not held against them.
pub(super) fn shares_of_cells(
    cells: &[&[SampleRecord]],
    references: &[String],
) -> Vec<Vec<Vec<Shared>>> {
    let texts: Vec<&str> =
        cells.iter().flat_map(|cell| cell.iter()).map(SampleRecord::text).collect();
    let known: Vec<&str> = references.iter().map(String::as_str).collect();
    // References are sorted once for all cells.
    let people = shared_with(&texts, &known);
    let mut rest = people.as_slice();
    let parted: Vec<_> = cells.iter().filter_map(|cell| rest.split_off(..cell.len())).collect();
    cells.par_iter().zip(parted).map(|(samples, people)| of_cell(samples, people)).collect()
}

fn of_cell(samples: &[SampleRecord], people: &[Option<Span>]) -> Vec<Vec<Shared>> {
    let texts: Vec<&str> = samples.iter().map(SampleRecord::text).collect();
    let completions = shared_among(&texts);
    let own = |row: usize, with: &'static str, span: Option<Span>, of: String| {
        let words: Vec<&str> = texts[row].split_whitespace().collect();
        let span = span?;
        let text = words[span.start..span.start + span.words].join(" ");
        Some(Shared { with, of, words: span.words, all: words.len(), text })
    };
    let mut by_prompt: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, sample) in samples.iter().enumerate() {
        by_prompt.entry(&sample.prompt).or_default().push(row);
    }
    let mut prompts: Vec<Option<Span>> = vec![None; samples.len()];
    for (prompt, rows) in by_prompt {
        let own: Vec<&str> = rows.iter().map(|&row| texts[row]).collect();
        rows.iter().zip(shared_with(&own, &[prompt])).for_each(|(&row, span)| prompts[row] = span);
    }
    let of = |row: usize| {
        let other = completions[row].map_or(String::new(), |span| samples[span.other].id.clone());
        let person = people[row].map_or(String::new(), |span| span.other.to_string());
        let prompt = samples[row].prompt_id.clone();
        let all = [
            own(row, "completion", completions[row], other),
            own(row, "reference", people[row], person),
            own(row, "prompt", prompts[row], prompt),
        ];
        let mut all: Vec<Shared> = all.into_iter().flatten().collect();
        all.sort_by_key(|of| std::cmp::Reverse(of.words));
        all
    };
    (0..samples.len()).map(of).collect()
}

/// References in groups of those near to each other.
pub(super) struct Topics {
    centers: Matrix,
    /// The topic of each reference.
    pub(super) references: Vec<u32>,
}

impl Topics {
    /// About `√n / 2` of them, 2 to 12; none of fewer than 8 references.
    pub(super) fn of(references: &Matrix) -> Option<Self> {
        let n = references.rows();
        if n < 8 {
            return None;
        }
        let count = (((n as f64).sqrt() / 2.0) as usize).clamp(2, 12);
        let found = kmeans(references, &KMeansOptions::new(count)).ok()?;
        Some(Self { centers: found.centers, references: found.labels })
    }

    /// The topic whose center is nearest to each row, the lower of two.
    pub(super) fn nearest(&self, rows: &Matrix) -> Vec<u32> {
        let squared = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
        };
        let of = |row: usize| {
            let off = |topic: &usize| squared(rows.row(row), self.centers.row(*topic));
            let topics = 0..self.centers.rows();
            topics.min_by(|a, b| off(a).total_cmp(&off(b))).map_or(0, |topic| topic as u32)
        };
        (0..rows.rows()).map(of).collect()
    }
}
