//! One cell of a run, text by text: what the supports, the other texts and the grammar say of each.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    finished::{Features, ReadError, open_all, reference_texts},
    folder::RunRecord,
};
use crate::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
    metric::realism::realism,
    report::record::{CellRecord, CellResult, SampleRecord},
    rng::{self, shuffle},
    score::evidence::RowEvidence,
    text::{
        grammar::{Grammar, Rejection},
        spans::{Span, shared_among, shared_with},
        task::Task,
    },
};

/// The name and version of what [`show`] gives.
pub const SHOW_SCHEMA: &str = "llmpr.show/1";

/// Why a cell cannot be shown.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum ShowError {
    /// The run.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A name that no cell has.
    #[error("no cell of `{run}` is called `{name}`; there are {known}")]
    NoCell { run: String, name: String, known: String },
    /// A name that several cells have.
    #[error("`{name}` is {found} cells of `{run}`: {known}; say more of the settings, or the id")]
    SeveralCells { run: String, name: String, found: usize, known: String },
    /// A cell of which only the texts are left.
    #[error(
        "which texts of `{cell}` are outside is not known: its features are gone, or do not fit its texts; the \
         same `llmpr sweep` computes them again"
    )]
    NoFeatures { cell: String },
}

/// Which of a cell's texts are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Any, at random.
    #[default]
    Any,
    /// Those outside of the reference's support, the least realistic first.
    Outside,
    /// Those that share half of their words or more, in one run, with another text: the largest share first.
    Copies,
    /// Reference texts outside of the model's support, those that the fewest cells reach first.
    Uncovered,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which texts.
    pub which: Which,
    /// How many.
    pub texts: usize,
    /// Nearest texts of the other side for each.
    pub nearest: usize,
}

/// A cell with some of its texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// [`SHOW_SCHEMA`].
    pub schema: &'static str,
    /// The cell's id.
    pub cell: String,
    /// Its settings in words.
    pub label: String,
    /// Its completions.
    pub n: usize,
    /// Those in the reference's support; `None` without features.
    pub inside: Option<usize>,
    /// Those that share half of their words or more with another text.
    pub copies: usize,
    /// Reference texts.
    pub references: usize,
    /// Those outside of the model's support.
    pub uncovered: Option<usize>,
    /// Cells of the run.
    pub cells: usize,
    /// The completions that are shown.
    pub texts: Vec<TextShown>,
    /// The references that are shown.
    pub missed: Vec<Missed>,
}

/// A completion with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextShown {
    /// Its id in its cell.
    pub id: String,
    /// Its prompt's name.
    pub prompt_id: String,
    /// The text.
    pub text: String,
    /// Tokens.
    pub tokens: usize,
    /// Why it ended.
    pub finish_reason: String,
    /// Log-probability a token under the untempered model, nats.
    pub logprob: Option<f64>,
    /// Whether it lies in the reference's support.
    pub inside: Option<bool>,
    /// Balls of references that hold it.
    pub balls: Option<u32>,
    /// How deep it lies in the support, see [`realism()`].
    #[serde(with = "crate::data::json_number::option")]
    pub realism: Option<f64>,
    /// The nearest references, nearest first.
    pub nearest: Vec<Near>,
    /// What it has in common with other texts, the longest first.
    pub shares: Vec<Shared>,
    /// Where it leaves the grammar that the references were drawn from, and what could follow there.
    pub leaves_grammar: Option<String>,
}

/// A text of the other side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Near {
    /// Index of a reference, id of a completion.
    pub of: String,
    /// The Euclidean distance in the space that was scored.
    pub distance: f64,
    /// Its text.
    pub text: String,
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

/// A reference that lies outside of the model's support.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missed {
    /// Its index.
    pub index: usize,
    /// The text.
    pub text: String,
    /// The nearest completions, nearest first.
    pub nearest: Vec<Near>,
    /// Cells of the run in whose support it lies.
    pub reached_by: usize,
    /// Of these the settings of the one of least temperature.
    pub first_reached: Option<String>,
}

/// The cells of a run with a score: id and settings.
///
/// # Errors
///
/// [`ReadError`].
pub fn cells(run: &Path) -> Result<Vec<CellRecord>, ReadError> {
    let (_, results, _) = open_all(&[run.to_owned()])?;
    Ok(results.cells.into_iter().map(|cell| cell.cell).collect())
}

/// The texts of the cell that `name` means, an id, its first four letters or more, or settings such as `T=0.7 shots=0`.
///
/// # Errors
///
/// [`ShowError`].
pub fn show(path: &Path, name: &str, wish: Wish) -> Result<Shown, ShowError> {
    let (runs, results, _) = open_all(&[PathBuf::from(path)])?;
    let [run] = runs.as_slice() else { return Err(ReadError::NoRuns.into()) };
    let cells: Vec<&CellResult> = results.cells.iter().collect();
    let at = chosen(path, &cells, name)?;
    let references = reference_texts(&run.folder);
    // The reduction is that of all cells.
    let features = Features::of(run, &cells, references.len());
    let label = cells[at].cell.label();
    let gone = || ShowError::NoFeatures { cell: label.clone() };
    let clouds = features.clouds(at);
    let evidence = features.evidence(at);
    if matches!(wish.which, Which::Outside | Which::Uncovered) && evidence.is_none() {
        return Err(gone());
    }
    let samples = &features.samples[at];
    let view = View {
        samples,
        references: &references,
        clouds: clouds.as_ref(),
        evidence: evidence.as_ref(),
        realism: clouds.as_ref().and_then(|clouds| {
            realism(Clouds::new(clouds.as_ref()).ok()?, features.options.k).ok()
        }),
        shares: shares(samples, &references),
        grammar: grammar(&run.record),
        nearest: wish.nearest,
    };
    let missed = match wish.which {
        Which::Uncovered => missed(&view, &features, &cells, wish.texts),
        _ => Vec::new(),
    };
    let picked = view.choose(wish, &cells[at].cell.id);
    Ok(Shown {
        schema: SHOW_SCHEMA,
        cell: cells[at].cell.id.clone(),
        n: samples.len(),
        inside: evidence.as_ref().map(|e| e.model.iter().filter(|row| row.balls > 0).count()),
        copies: (0..samples.len()).filter(|&row| view.share(row) >= COPY).count(),
        references: references.len(),
        uncovered: evidence
            .as_ref()
            .map(|e| e.reference.iter().filter(|row| row.balls == 0).count()),
        cells: cells.len(),
        texts: picked.into_iter().map(|row| view.text(row)).collect(),
        missed,
        label,
    })
}

/// Share of its words from which a text is called a copy.
pub const COPY: f64 = 0.5;

/// The one cell that is meant.
fn chosen(path: &Path, cells: &[&CellResult], name: &str) -> Result<usize, ShowError> {
    let meant = |cell: &&CellResult| cell.cell.is_called(name);
    let found: Vec<usize> = (0..cells.len()).filter(|&at| meant(&cells[at])).collect();
    let known = |of: &mut dyn Iterator<Item = &&CellResult>| {
        let named = of.map(|cell| format!("{} ({})", cell.cell.label(), cell.cell.id));
        let mut named: Vec<String> = named.collect();
        let more = named.len().saturating_sub(8);
        named.truncate(8);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        named.join(", ") + &rest
    };
    let (run, name) = (path.display().to_string(), name.to_owned());
    match found[..] {
        [at] => Ok(at),
        [] => Err(ShowError::NoCell { run, name, known: known(&mut cells.iter()) }),
        _ => {
            let known = known(&mut found.iter().map(|&at| &cells[at]));
            Err(ShowError::SeveralCells { run, name, found: found.len(), known })
        }
    }
}

/// The grammar that the references were drawn from, where there was one and it is at hand.
fn grammar(record: &RunRecord) -> Option<Grammar> {
    let shared = &record.shared;
    if Grammar::is_meant(&shared.reference) {
        return Grammar::named(&shared.reference).ok();
    }
    let task = Task::find(shared.reference.strip_prefix("grammar ")?).ok()?;
    task.grammar().ok()?.filter(|_| task.hash == shared.task_hash)
}

/// A cell's texts with what was found out about all of them.
struct View<'a> {
    samples: &'a [SampleRecord],
    references: &'a [String],
    clouds: Option<&'a Sides<Matrix>>,
    evidence: Option<&'a Sides<Vec<RowEvidence>>>,
    realism: Option<Vec<f64>>,
    /// Of each completion, the longest first.
    shares: Vec<Vec<Shared>>,
    grammar: Option<Grammar>,
    nearest: usize,
}

impl View<'_> {
    /// The share of its words that a completion has in one run from another text.
    fn share(&self, row: usize) -> f64 {
        self.shares[row].first().map_or(0.0, |of| of.words as f64 / of.all as f64)
    }

    /// Rows in the order in which they are shown.
    fn choose(&self, wish: Wish, cell: &str) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.samples.len()).collect();
        match wish.which {
            Which::Any => shuffle(&mut rng::named(0, &format!("show {cell}")), &mut rows),
            Which::Outside => {
                let of = |row: usize| self.evidence.map(|evidence| evidence.model[row]);
                let far = |row: usize| -of(row).map_or(0.0, |of| of.distance);
                let deep =
                    |row: usize| self.realism.as_ref().map(|r| r[row]).filter(|r| !r.is_nan());
                rows.retain(|&row| of(row).is_some_and(|of| of.balls == 0));
                rows.sort_by(|&a, &b| {
                    let key = |row| [deep(row).unwrap_or(0.0), far(row)];
                    let ([a, far_a], [b, far_b]) = (key(a), key(b));
                    a.total_cmp(&b).then(far_a.total_cmp(&far_b))
                });
            }
            Which::Copies => {
                rows.retain(|&row| self.share(row) >= COPY);
                rows.sort_by(|&a, &b| self.share(b).total_cmp(&self.share(a)));
            }
            Which::Uncovered => rows.clear(),
        }
        rows.truncate(wish.texts);
        rows
    }

    fn text(&self, row: usize) -> TextShown {
        let sample = &self.samples[row];
        let per_token = sample.logprob_model / sample.count().max(1) as f64;
        let evidence = self.evidence.map(|evidence| evidence.model[row]);
        let near = self.clouds.map(|Sides { reference, model }| {
            let near = nearest(model.row(row), reference, self.nearest).into_iter();
            let named = near.map(|(distance, at)| {
                let (of, text) = (at.to_string(), self.references[at].clone());
                Near { of, distance, text }
            });
            named.collect()
        });
        TextShown {
            id: sample.id.clone(),
            prompt_id: sample.prompt_id.clone(),
            text: sample.text().to_owned(),
            tokens: sample.count(),
            finish_reason: sample.finish_reason.clone(),
            logprob: per_token.is_finite().then_some(per_token),
            inside: evidence.map(|of| of.balls > 0),
            balls: evidence.map(|of| of.balls),
            realism: self.realism.as_ref().map(|realism| realism[row]),
            nearest: near.unwrap_or_default(),
            shares: self.shares[row].clone(),
            leaves_grammar: self.grammar.as_ref().and_then(|grammar| {
                let text = sample.text().trim();
                grammar.parse(text).err().map(|rejected| place(&rejected, text))
            }),
        }
    }
}

/// Where a text leaves the language, in its own words.
fn place(rejection: &Rejection, text: &str) -> String {
    let rest = text.get(rejection.offset..).unwrap_or_default();
    let here: String = rest.chars().take(24).collect();
    let found = if here.is_empty() { "its end".to_owned() } else { format!("{here:?}") };
    let expected = rejection.to_string();
    let expected = expected.split_once("expected ").map_or("", |(_, what)| what);
    format!("at {found}, where {expected} was expected")
}

/// The rows of `others` that are nearest to `row`, nearest first, with their distances.
fn nearest(row: &[f32], others: &Matrix, count: usize) -> Vec<(f64, usize)> {
    let distance = |at: usize| {
        let squares = row.iter().zip(others.row(at)).map(|(a, b)| f64::from(a - b).powi(2));
        (squares.sum::<f64>().sqrt(), at)
    };
    let mut all: Vec<(f64, usize)> = (0..others.rows()).map(distance).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.truncate(count);
    all
}

/// What each completion shares with another one, with a reference, and with its prompt.
fn shares(samples: &[SampleRecord], references: &[String]) -> Vec<Vec<Shared>> {
    let texts: Vec<&str> = samples.iter().map(SampleRecord::text).collect();
    let known: Vec<&str> = references.iter().map(String::as_str).collect();
    let completions = shared_among(&texts);
    let people = shared_with(&texts, &known);
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

/// References outside of the support, with who reaches them.
fn missed(
    view: &View<'_>,
    features: &Features<'_>,
    cells: &[&CellResult],
    count: usize,
) -> Vec<Missed> {
    let (Some(evidence), Some(clouds)) = (view.evidence, view.clouds) else { return Vec::new() };
    let mut by: Vec<(usize, Option<&CellRecord>)> = vec![(0, None); view.references.len()];
    for (at, cell) in cells.iter().enumerate() {
        let seen = features.evidence(at).map(|sides| sides.reference).unwrap_or_default();
        for (row, _) in seen.iter().enumerate().filter(|(_, row)| row.balls > 0) {
            by[row].0 += 1;
            let cooler =
                |first: &CellRecord| cell.cell.decoding.temperature < first.decoding.temperature;
            if by[row].1.is_none_or(cooler) {
                by[row].1 = Some(&cell.cell);
            }
        }
    }
    let mut rows: Vec<usize> =
        (0..by.len()).filter(|&row| evidence.reference[row].balls == 0).collect();
    rows.sort_by_key(|&row| by[row].0);
    rows.truncate(count);
    let of = |row: usize| {
        let near = nearest(clouds.reference.row(row), &clouds.model, view.nearest).into_iter();
        let near = near.map(|(distance, at)| {
            let sample = &view.samples[at];
            Near { of: sample.id.clone(), distance, text: sample.text().to_owned() }
        });
        Missed {
            index: row,
            text: view.references[row].clone(),
            nearest: near.collect(),
            reached_by: by[row].0,
            first_reached: by[row].1.map(CellRecord::label),
        }
    };
    rows.into_iter().map(of).collect()
}
