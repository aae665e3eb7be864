//! From run folders to figures, a table and a page: the same bytes whenever it is done.

use std::path::{Path, PathBuf};

use super::{
    finished::{ReadError, Run, open_all, own_cells, reference_texts, texts_of},
    store::{StoreError, make_folder, write_json, write_whole},
};
#[cfg(feature = "png")]
use crate::report::png::png;
use crate::{
    data::sides::Sides,
    report::{
        browse::{CellTexts, Limits, browser},
        figure::Theme,
        figures::figures,
        page::Page,
        results::{to_csv, to_long_csv},
    },
    score::evidence::RowEvidence,
};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum PublishError {
    /// A run that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file that cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table that cannot be written as Parquet.
    #[error("`{path}` cannot be written: {what}")]
    Parquet { path: String, what: String },
    /// A fault of the page's own template.
    #[error("the page cannot be written: {0}")]
    Page(#[from] minijinja::Error),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The page.
    pub page: PathBuf,
    /// Cells on it.
    pub cells: usize,
    /// Figures beside it.
    pub figures: usize,
    /// How many of them are there as `.png` too: none on a machine without fonts, or built without `png`.
    pub pixels: usize,
    /// What else a reader has to know: cells of a plan that are missing, runs that differ.
    pub notes: Vec<String>,
}

/// Writes `report.html`, `figures/*.svg`, `figures/*.png` where there are fonts, `figures/*.vl.json`, `results.csv`,
/// `results_long.csv` and `results.json` of `runs`, merged, into `out`. Nothing but those files is touched.
///
/// # Errors
///
/// [`PublishError`]. Features that are missing or do not fit cost the marks at the texts, not the report.
pub fn publish(runs: &[PathBuf], out: &Path, limits: Limits) -> Result<Published, PublishError> {
    let (read, results, notes) = open_all(runs)?;
    let mut references: Vec<String> = Vec::new();
    let mut cells: Vec<CellTexts<'_>> = Vec::new();
    let mut taken = 0;
    for run in &read {
        // References of all runs in one list: those of a run begin at `offset`.
        let (texts, offset) = (reference_texts(&run.folder), references.len());
        let own = own_cells(run, &results.cells[taken..]);
        taken += own.len();
        let mut found = texts_of(run, &own, texts.len());
        found.iter_mut().for_each(|cell| shift(&mut cell.evidence, offset));
        references.extend(texts);
        cells.extend(found);
    }
    let total = references.len();
    for cell in &mut cells {
        fill_up(&mut cell.evidence, total);
    }
    let drawings = figures(&results);
    let browser = browser(&cells, &references, limits);
    let facts = facts(&read);
    let page = Page {
        results: &results,
        figures: &drawings,
        browser: &browser,
        facts: &facts,
        notes: &notes,
    };
    let html = page.html()?;
    make_folder(&out.join("figures"))?;
    let mut pixels = 0;
    for figure in &drawings {
        let path =
            |extension: &str| out.join("figures").join(format!("{}.{extension}", figure.name));
        let svg = figure.svg(Theme::File);
        write_whole(&path("svg"), svg.as_bytes())?;
        if let Some(png) = png(&svg) {
            write_whole(&path("png"), &png)?;
            pixels += 1;
        }
        write_whole(&path("vl.json"), figure.vega().as_bytes())?;
    }
    write_json(&out.join("results.json"), &results)?;
    write_whole(&out.join("results.csv"), to_csv(&results).as_bytes())?;
    write_whole(&out.join("results_long.csv"), to_long_csv(&results).as_bytes())?;
    let path = out.join("report.html");
    write_whole(&path, html.as_bytes())?;
    let (cells, figures) = (results.cells.len(), drawings.len());
    Ok(Published { page: path, cells, figures, pixels, notes })
}

#[cfg(not(feature = "png"))]
fn png(_: &str) -> Option<Vec<u8>> {
    None
}

/// Moves the references that a run's texts mention to where its references begin in the whole list.
fn shift(evidence: &mut Option<Sides<Vec<RowEvidence>>>, offset: usize) {
    if let Some(Sides { reference, model }) = evidence {
        model.iter_mut().for_each(|row| row.nearest += offset);
        // References of other runs say nothing about this cell: as if they were covered.
        reference.splice(0..0, std::iter::repeat_n(COVERED, offset));
    }
}

fn fill_up(evidence: &mut Option<Sides<Vec<RowEvidence>>>, total: usize) {
    if let Some(Sides { reference, .. }) = evidence {
        reference.resize(total, COVERED);
    }
}

const COVERED: RowEvidence = RowEvidence { balls: 1, held: 1, nearest: 0, distance: 0.0 };

/// Settings as a reader looks for them.
fn facts(runs: &[Run]) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add =
        |name: &str, value: String| match facts.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) if known.split("; ").any(|part| part == value) => {}
            Some((_, known)) => *known = format!("{known}; {value}"),
            None => facts.push((name.to_owned(), value)),
        };
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    for Run { record, results, .. } in runs {
        let shared = &record.shared;
        add("task", format!("{} ({})", shared.task, short(&shared.task_hash)));
        let reference = &shared.reference;
        let hash = short(&shared.reference_hash);
        add("reference", format!("{reference}, {} texts ({hash})", shared.reference_n));
        add("embedder", format!("{} ({})", results.embedder, short(&shared.embedder_hash)));
        for model in &record.models {
            let hash = short(&model.hash);
            let facts = format!("{} on {} ({hash})", model.dtype, model.device);
            add("model", format!("{}: {facts}", model.name));
        }
        add("completions a cell", shared.n_samples.to_string());
        add("prompts a cell", shared.prompts.to_string());
        add("new tokens at most", shared.max_new_tokens.to_string());
        if let serde_json::Value::Object(scoring) = &record.scoring {
            for name in
                ["k", "ties", "normalize", "pca", "unequal", "resamples", "permutations", "seed"]
            {
                if let Some(value) = scoring.get(name) {
                    let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    add(name, word.trim_matches(['{', '}']).replace('"', ""));
                }
            }
        }
        if let Some(command) = record.sessions.last().map(|s| s.command.join(" ")) {
            add("command", command);
        }
    }
    add("llmpr", env!("CARGO_PKG_VERSION").to_owned());
    facts
}
