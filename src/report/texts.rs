//! Every text with what is known of it alone: rows of `texts.parquet` and `references.parquet`.

use super::{
    attribution::{CellTexts, Reach},
    entry::Entry,
    record::{CellResult, SampleRecord},
    results::{knobs, seed},
};
use crate::{decode::knobs::Knob, score::evidence::RowEvidence};

/// Columns of a table of texts.
pub struct Columns {
    knobs: Vec<&'static Knob>,
}

/// The settings of a cell, in front of every row; those of the draw follow `shots`.
const WHO: [&str; 4] = ["cell", "model", "task", "shots"];

/// A completion; what the supports say of it comes last.
const COMPLETION: [&str; 26] = [
    "seed",
    "id",
    "prompt_id",
    "prompt_index",
    "sample",
    "prompt",
    "text",
    "completion",
    "n_tokens",
    "finish_reason",
    "logprob",
    "logprob_model",
    "entropy",
    "shots_used",
    "in_support",
    "balls",
    "held",
    "nearest_reference",
    "nearest_reference_index",
    "distance",
    "realism",
    "shared_words",
    "shared_share",
    "shared_with",
    "shared_of",
    "shared_text",
];

/// A reference text, seen from a cell.
const REFERENCE: [&str; 12] = [
    "cell",
    "index",
    "text",
    "in_support",
    "covered",
    "balls",
    "held",
    "nearest_id",
    "distance",
    "reached_by",
    "first_reached",
    "first_temperature",
];

impl Columns {
    /// The columns for these cells.
    pub fn of(cells: &[CellResult]) -> Self {
        Self { knobs: knobs(cells) }
    }

    /// Names of the columns of [`rows`](Self::rows).
    pub fn header(&self) -> Vec<String> {
        let knobs = self.knobs.iter().map(|knob| knob.column);
        WHO.into_iter().chain(knobs).chain(COMPLETION).map(str::to_owned).collect()
    }

    /// A row for each completion of a cell: its settings, the completion, how probable it was, and whether it lies in
    /// the reference's support (`in_support`, whose mean is precision where all rows were scored), in how many of its balls, how many references
    /// lie in its own ball, which is nearest, how deep it lies in the support (`realism`), and the longest run of words
    /// that it shares with another completion of the cell, a reference or its prompt (`shared_share` of its own words).
    /// `references` are the texts that indices lead to.
    pub fn rows(&self, cell: &CellTexts<'_>, references: &[String]) -> Vec<Vec<Entry>> {
        let evidence = cell.evidence.as_ref().map(|sides| sides.model.as_slice());
        let row = |(at, sample): (usize, &SampleRecord)| {
            let own = evidence.and_then(|rows| rows.get(at));
            let mut row = self.row(cell.result, sample, own, references);
            row.extend(more(cell, at));
            row
        };
        cell.samples.iter().enumerate().map(row).collect()
    }

    fn row(
        &self,
        result: &CellResult,
        sample: &SampleRecord,
        own: Option<&RowEvidence>,
        references: &[String],
    ) -> Vec<Entry> {
        let cell = &result.cell;
        let mut row: Vec<Entry> =
            [&cell.id, &cell.model, &cell.task].map(|word| Entry::text(word.as_str())).into();
        row.push(Entry::count(cell.shots));
        row.extend(self.knobs.iter().map(|knob| Entry::Real(knob.get(&cell.decoding))));
        let nearest = own.and_then(|own| references.get(own.nearest));
        row.extend([
            seed(sample.seed),
            Entry::text(sample.id.as_str()),
            Entry::text(sample.prompt_id.as_str()),
            Entry::Whole(Some(sample.prompt_index.into())),
            Entry::Whole(Some(sample.sample.into())),
            Entry::text(&*sample.prompt),
            Entry::text(sample.text()),
            Entry::Text(sample.completion.clone()),
            Entry::count(sample.count()),
            Entry::text(sample.finish_reason.as_str()),
            Entry::Real(Some(sample.logprob)),
            Entry::Real(Some(sample.logprob_model)),
            Entry::Real(Some(sample.entropy)),
            Entry::count(sample.shots_used),
            Entry::Flag(own.map(|own| own.balls > 0)),
            Entry::Whole(own.map(|own| own.balls.into())),
            Entry::Whole(own.map(|own| own.held.into())),
            Entry::Text(nearest.cloned()),
            Entry::Whole(own.and_then(|own| i64::try_from(own.nearest).ok())),
            Entry::Real(own.map(|own| own.distance)),
        ]);
        row
    }
}

/// Realism and shared words.
fn more(cell: &CellTexts<'_>, at: usize) -> [Entry; 6] {
    let shared = cell.longest(at);
    [
        Entry::Real(cell.realism(at)),
        Entry::Whole(shared.and_then(|of| i64::try_from(of.words).ok())),
        Entry::Real(shared.map(|of| of.share())),
        Entry::Text(shared.map(|of| of.with.to_owned())),
        Entry::Text(shared.map(|of| of.of.clone())),
        Entry::Text(shared.map(|of| of.text.clone())),
    ]
}

/// Names of the columns of [`reference_rows`].
pub fn reference_header() -> Vec<String> {
    REFERENCE.map(str::to_owned).to_vec()
}

/// A row for each reference text as a cell sees it: whether it lies in the model's support (`in_support`, whose mean
/// is recall), whether a completion lies in its own ball (`covered`, whose mean is coverage), which completion is
/// nearest, and, of all cells of the run, how many `reach` it and the `first` of these along the temperature. None
/// where features are not at hand.
pub fn reference_rows(
    cell: &CellTexts<'_>,
    references: &[String],
    reach: &[Reach],
    first: &[Option<&CellResult>],
) -> Vec<Vec<Entry>> {
    let rows = cell.evidence.iter().flat_map(|sides| &sides.reference);
    let row = |((index, text), own): ((usize, &String), &RowEvidence)| {
        let nearest = cell.samples.get(own.nearest).map(|sample| sample.id.clone());
        vec![
            Entry::text(cell.result.cell.id.as_str()),
            Entry::count(index),
            Entry::text(text.as_str()),
            Entry::Flag(Some(own.balls > 0)),
            Entry::Flag(Some(own.held > 0)),
            Entry::Whole(Some(own.balls.into())),
            Entry::Whole(Some(own.held.into())),
            Entry::Text(nearest),
            Entry::Real(Some(own.distance)),
            Entry::count(reach[index].cells),
            Entry::Text(first[index].map(|cell| cell.cell.id.clone())),
            Entry::Real(first[index].map(|cell| cell.cell.decoding.temperature)),
        ]
    };
    references.iter().enumerate().zip(rows).map(row).collect()
}
