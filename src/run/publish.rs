//! From run folders to figures, a table and a page: the same bytes whenever it is done.

use std::path::{Path, PathBuf};

use indexmap::{IndexMap, IndexSet};

use super::{
    folder::{FolderError, RunFolder, RunRecord},
    plan::draws,
    store::{StoreError, make_folder, read_json, read_log, write_json, write_whole},
};
#[cfg(feature = "png")]
use crate::report::png::png;
use crate::{
    cloud::{
        Clouds,
        pca::{Keep, Pca},
    },
    data::{matrix::Matrix, sides::Sides},
    npy::read_features,
    report::{
        browse::{CellTexts, Limits, browser},
        figure::Theme,
        figures::figures,
        page::Page,
        record::{CellResult, RESULTS_SCHEMA, Results, SampleRecord},
        results::{to_csv, to_long_csv},
    },
    score::{
        Normalize, ScoreOptions,
        evidence::{RowEvidence, evidence},
    },
    text::Text,
};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum PublishError {
    /// No folder was named.
    #[error("no run folder was named")]
    NoRuns,
    /// A folder without `run.json`.
    #[error("`{path}` is no run folder: it has no run.json; name the --out of a sweep")]
    NotARun { path: String },
    /// A run that has not come to its first score.
    #[error("`{path}` has no scores yet; run the same `llmpr sweep` again and it goes on")]
    NoScores { path: String },
    /// A run folder that cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file that cannot be read or written.
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

/// A run as it was read.
pub(super) struct Run {
    pub(super) folder: RunFolder,
    record: RunRecord,
    results: Results,
    /// The model names of this run where another run has a different model of that name.
    renamed: IndexMap<String, String>,
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

/// The cells of `runs`, merged, and what a reader has to know of them.
///
/// # Errors
///
/// [`PublishError`].
pub fn results(runs: &[PathBuf]) -> Result<(Results, Vec<String>), PublishError> {
    let (_, results, notes) = open_all(runs)?;
    Ok((results, notes))
}

/// The runs, their cells in one list, and what a reader has to know of them.
pub(super) fn open_all(runs: &[PathBuf]) -> Result<(Vec<Run>, Results, Vec<String>), PublishError> {
    if runs.is_empty() {
        return Err(PublishError::NoRuns);
    }
    let mut read: Vec<Run> = runs.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
    let mut notes: Vec<String> = Vec::new();
    for (at, run) in read.iter().enumerate() {
        let which = if read.len() == 1 { "The run".to_owned() } else { format!("Run {}", at + 1) };
        let scored = |id: &str| run.results.cells.iter().any(|cell| cell.cell.id == id);
        notes.extend(run.record.missing(scored).map(|of| format!("{which} is not whole: {of}.")));
    }
    notes.extend(rename(&mut read));
    let results = merge(&read);
    Ok((read, results, notes))
}

#[cfg(not(feature = "png"))]
fn png(_: &str) -> Option<Vec<u8>> {
    None
}

fn open(path: &Path) -> Result<Run, PublishError> {
    let folder = RunFolder::new(path);
    let name = || path.display().to_string();
    let record = folder.record()?.ok_or_else(|| PublishError::NotARun { path: name() })?;
    // Scores beside their cells are the newest; results.json knows the order and what failed.
    let listed: Option<Results> = read_json(&path.join("results.json"))?;
    let listed_ids = listed.iter().flat_map(|results| &results.cells).map(|c| &c.cell.id);
    // A sweep that was extended and stopped has scores that the older list lacks.
    let order: IndexSet<&String> = listed_ids.chain(&record.cells).collect();
    let mut cells = Vec::new();
    for id in order {
        let known = listed.as_ref().and_then(|r| r.cells.iter().find(|c| c.cell.id == *id));
        let own: Option<CellResult> = read_json(&folder.cell(id, "scores.json"))?;
        cells.extend(known.cloned().or(own));
    }
    if cells.is_empty() {
        return Err(PublishError::NoScores { path: name() });
    }
    let results = Results {
        schema: RESULTS_SCHEMA.to_owned(),
        task: record.shared.task.clone(),
        reference: record.shared.reference.clone(),
        reference_n: record.shared.reference_n,
        embedder: listed.as_ref().map_or(record.shared.embedder.clone(), |r| r.embedder.clone()),
        cells,
        failed: listed.map(|r| r.failed).unwrap_or_default(),
    };
    Ok(Run { folder, record, results, renamed: IndexMap::new() })
}

/// Keeps apart models of one name in several runs, and says what makes runs incomparable.
fn rename(runs: &mut [Run]) -> Vec<String> {
    let mut seen: IndexMap<String, String> = IndexMap::new();
    for (at, run) in runs.iter_mut().enumerate() {
        for cell in &run.results.cells {
            let (name, hash) = (&cell.cell.model, &cell.cell.model_hash);
            match seen.get(name) {
                Some(known) if known != hash => {
                    let other = format!("{name} (run {})", at + 1);
                    run.renamed.insert(name.clone(), other);
                }
                Some(_) => {}
                None => drop(seen.insert(name.clone(), hash.clone())),
            }
        }
    }
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let (a, mut notes) = (&first.record.shared, Vec::new());
    for other in others {
        let b = &other.record.shared;
        let pairs = [
            ("task", a.task_hash == b.task_hash),
            ("reference", a.reference_hash == b.reference_hash && a.reference_n == b.reference_n),
            ("embedder", a.embedder_hash == b.embedder_hash && a.pooling == b.pooling),
            ("number of completions", a.n_samples == b.n_samples),
        ];
        for (what, _) in pairs.iter().filter(|(_, same)| !same) {
            notes.push(format!(
                "The runs differ in their {what}, so their numbers must not be compared with each other."
            ));
        }
    }
    notes.dedup();
    notes
}

/// The cells of all runs in their order; a cell that an earlier run has is left out.
fn merge(runs: &[Run]) -> Results {
    let mut results = Results { cells: vec![], failed: vec![], ..runs[0].results.clone() };
    let mut seen = std::collections::HashSet::new();
    for run in runs {
        for cell in &run.results.cells {
            if seen.insert((cell.cell.id.clone(), cell.score.signature.clone())) {
                let mut cell = cell.clone();
                if let Some(name) = run.renamed.get(&cell.cell.model) {
                    cell.cell.model = name.clone();
                }
                results.cells.push(cell);
            }
        }
        results.failed.extend(run.results.failed.iter().cloned());
    }
    results
}

/// The first of the merged cells, as many as are of this run.
pub(super) fn own_cells<'a>(run: &Run, cells: &'a [CellResult]) -> Vec<&'a CellResult> {
    cells.iter().take_while(|cell| from(run, cell)).collect()
}

/// Whether a merged cell is one of this run.
fn from(run: &Run, cell: &CellResult) -> bool {
    run.results
        .cells
        .iter()
        .any(|own| own.cell.id == cell.cell.id && own.score.signature == cell.score.signature)
}

pub(super) fn reference_texts(folder: &RunFolder) -> Vec<String> {
    let texts = read_log::<Text>(&folder.reference("texts.jsonl")).unwrap_or_default();
    texts.into_iter().map(|text| text.text).collect()
}

/// The completions of `cells` with what the supports say of them, where features are at hand.
pub(super) fn texts_of<'a>(
    run: &Run,
    cells: &[&'a CellResult],
    references: usize,
) -> Vec<CellTexts<'a>> {
    let options: ScoreOptions =
        serde_json::from_value(run.record.scoring.clone()).unwrap_or_default();
    let scaled = |path: PathBuf, rows: usize| -> Option<Matrix> {
        let features = read_features(path.to_str()?).ok().filter(|m| m.rows() == rows)?;
        Some(match options.normalize {
            Normalize::L2 => features.l2_normalized(),
            Normalize::None => features,
        })
    };
    let reference = scaled(run.folder.reference("features.npy"), references);
    let samples: Vec<Vec<SampleRecord>> = cells.iter().map(|c| samples(run, c)).collect();
    let features =
        |at: usize| scaled(run.folder.cell(&cells[at].cell.id, "features.npy"), samples[at].len());
    let basis = reference.as_ref().and_then(|reference| basis(reference, cells, &features));
    let judge = |at: usize| -> Option<Sides<Vec<RowEvidence>>> {
        let (reference, model) = (reference.as_ref()?, features(at)?);
        let sets = Sides { reference, model: &model };
        let sets = match (&basis, &cells[at].score.pca) {
            (Some(pca), Some(_)) => sets.try_map(|rows| pca.project(rows)).ok()?,
            _ => sets.map(Clone::clone),
        };
        evidence(Clouds::new(sets.as_ref()).ok()?, options.k, options.ties).ok()
    };
    let evidence: Vec<_> = (0..cells.len()).map(judge).collect();
    let parts = cells.iter().zip(samples).zip(evidence);
    parts.map(|((result, samples), evidence)| CellTexts { result, samples, evidence }).collect()
}

/// The components of the run: on the reference and, together as many, rows taken evenly from all cells.
fn basis(
    reference: &Matrix,
    cells: &[&CellResult],
    features: &impl Fn(usize) -> Option<Matrix>,
) -> Option<Pca> {
    let components = cells.iter().find_map(|c| c.score.pca.as_ref())?.components;
    let quota = reference.rows().div_ceil(cells.len().max(1));
    let part = |at: usize| {
        let rows = features(at)?;
        let quota = quota.min(rows.rows());
        let evenly: Vec<usize> = (0..quota).map(|i| i * rows.rows() / quota).collect();
        Some(rows.select(&evenly))
    };
    let parts: Vec<Matrix> = (0..cells.len()).filter_map(part).collect();
    let all: Vec<&Matrix> = std::iter::once(reference).chain(&parts).collect();
    Pca::fit(&all, Keep::Components(components)).ok()
}

/// A cell's completions with a text in the order of their draws, each once, as its features are.
fn samples(run: &Run, cell: &CellResult) -> Vec<SampleRecord> {
    let path = run.folder.cell(&cell.cell.id, "samples.jsonl");
    let mut by_draw: IndexMap<(u32, u32), SampleRecord> = IndexMap::new();
    for sample in read_log::<SampleRecord>(&path).unwrap_or_default() {
        by_draw.entry((sample.prompt_index, sample.sample)).or_insert(sample);
    }
    let wanted = draws(cell.cell.n_samples, run.record.shared.prompts.max(1));
    let all = wanted.filter_map(|d| by_draw.swap_remove(&(d.prompt, d.sample)));
    all.filter(|sample| sample.text.is_some()).collect()
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
