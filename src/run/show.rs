//! One cell of a run, text by text: what the supports, the other texts and the grammar say of each.

mod view;

use std::path::{Path, PathBuf};

use serde::Serialize;
use view::{View, missed};

use super::{
    attribution::shares,
    finished::{Features, ReadError, open_all, reference_texts},
    folder::RunRecord,
};
use crate::{
    report::{
        attribution::{COPY, Shared},
        record::{CellRecord, CellResult},
    },
    text::{grammar::Grammar, task::Task},
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
    /// How deep it lies in the support, see [`crate::metric::realism::realism`].
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
    let references = reference_texts(&run.folder).map_err(ReadError::from)?;
    // The reduction is that of all cells.
    let mut features = Features::of(run, &cells, references.len());
    if let Some(own) = features.damaged.iter().position(|(of, _)| *of == at) {
        return Err(ReadError::from(features.damaged.swap_remove(own).1).into());
    }
    let label = cells[at].cell.label();
    let gone = || ShowError::NoFeatures { cell: label.clone() };
    let clouds = features.clouds(at);
    let (evidence, realism) = clouds.as_ref().and_then(|of| features.marks(of)).unzip();
    if matches!(wish.which, Which::Outside | Which::Uncovered) && evidence.is_none() {
        return Err(gone());
    }
    let samples = &features.samples[at];
    let view = View {
        samples,
        references: &references,
        clouds: clouds.as_ref(),
        evidence: evidence.as_ref(),
        realism,
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

/// The one cell that is meant.
pub(super) fn chosen(path: &Path, cells: &[&CellResult], name: &str) -> Result<usize, ShowError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::{cell, result};

    #[test]
    fn of_many_cells_eight_are_named_and_the_others_counted() {
        let said = |cells: usize, name: &str| {
            let all: Vec<CellResult> =
                (0..cells).map(|at| result(cell("tiny", at as f64 / 10.0))).collect();
            chosen(Path::new("run"), &all.iter().collect::<Vec<_>>(), name)
        };
        assert_eq!(said(10, "T=0.3").unwrap(), 3);
        let message = said(8, "other").unwrap_err().to_string();
        assert!(message.starts_with("no cell of `run` is called `other`; there are "), "{message}");
        assert_eq!(message.matches("(tiny-").count(), 8);
        assert!(!message.contains(" more"), "{message}");
        let message = said(10, "tiny").unwrap_err().to_string();
        assert!(message.starts_with("`tiny` is 10 cells of `run`: "), "{message}");
        assert_eq!(message.matches("(tiny-").count(), 8);
        assert!(message.contains(" and 2 more; say more of the settings"), "{message}");
    }
}
