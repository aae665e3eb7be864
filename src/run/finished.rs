//! Runs on disk, read: their cells in one list, and the texts of each beside the features in which it was scored.

use std::{
    collections::{HashMap, HashSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use indexmap::{IndexMap, IndexSet};
use rayon::prelude::*;
use serde::de::DeserializeOwned;

use super::{
    attribution::{Topics, longest_of_cells},
    folder::{FolderError, ModelRecord, RunFolder, RunRecord},
    plan::draws,
    store::{StoreError, read_json, read_log},
};
use crate::{
    cloud::{
        Clouds,
        pca::{Keep, Pca},
    },
    data::{matrix::Matrix, sides::Sides},
    npy::read_features,
    report::{
        attribution::CellTexts,
        record::{CellResult, RESULTS_SCHEMA, Results, SampleRecord},
    },
    score::{
        Normalize, ScoreOptions,
        evidence::{RowEvidence, evidence, evidence_and_realism},
    },
    text::Text,
};

/// Why a run cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum ReadError {
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
    /// A file that cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run as it was read.
pub(super) struct Run {
    pub(super) folder: RunFolder,
    pub(super) record: RunRecord,
    /// What its cells share; they themselves are in one list with those of other runs.
    pub(super) results: Results,
    /// The model names of this run where another run has a different model of that name.
    renamed: IndexMap<String, String>,
    /// Ids and signatures of its cells.
    own: HashSet<(String, String)>,
}

/// The cells of `runs`, merged, and what a reader has to know of them.
///
/// # Errors
///
/// [`ReadError`].
pub fn results(runs: &[PathBuf]) -> Result<(Results, Vec<String>), ReadError> {
    let (_, results, notes) = open_all(runs)?;
    Ok((results, notes))
}

/// The runs, their cells in one list, and what a reader has to know of them.
pub(super) fn open_all(runs: &[PathBuf]) -> Result<(Vec<Run>, Results, Vec<String>), ReadError> {
    if runs.is_empty() {
        return Err(ReadError::NoRuns);
    }
    let mut read: Vec<Run> = runs.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
    let mut notes: Vec<String> = Vec::new();
    for (at, run) in read.iter().enumerate() {
        let which = if read.len() == 1 { "The run".to_owned() } else { format!("Run {}", at + 1) };
        let scored: HashSet<&str> =
            run.results.cells.iter().map(|cell| cell.cell.id.as_str()).collect();
        let missing = run.record.missing(|id| scored.contains(id));
        notes.extend(missing.map(|of| format!("{which} is not whole: {of}.")));
    }
    notes.extend(rename(&mut read));
    let results = merge(&mut read);
    Ok((read, results, notes))
}

fn open(path: &Path) -> Result<Run, ReadError> {
    let folder = RunFolder::new(path);
    let name = || path.display().to_string();
    let record = folder.record()?.ok_or_else(|| ReadError::NotARun { path: name() })?;
    // Scores beside their cells are the newest; results.json knows the order and what failed.
    let listed: Option<Results> = read_json(&path.join("results.json"))?;
    let (listed, embedder, failed) = match listed {
        Some(of) => (of.cells, of.embedder, of.failed),
        None => (Vec::new(), record.shared.embedder.clone(), Vec::new()),
    };
    // A sweep that was extended and stopped has scores that the older list lacks.
    let ids = listed.iter().map(|cell| &cell.cell.id).chain(&record.cells);
    let order: IndexSet<String> = ids.cloned().collect();
    let mut known: HashMap<String, CellResult> = HashMap::new();
    for cell in listed {
        known.entry(cell.cell.id.clone()).or_insert(cell);
    }
    let mut cells = Vec::with_capacity(order.len());
    for id in &order {
        cells.extend(match known.remove(id) {
            Some(cell) => Some(cell),
            None => read_json(&folder.cell(id, "scores.json"))?,
        });
    }
    if cells.is_empty() {
        return Err(ReadError::NoScores { path: name() });
    }
    let results = Results {
        schema: RESULTS_SCHEMA.to_owned(),
        task: record.shared.task.clone(),
        reference: record.shared.reference.clone(),
        reference_n: record.shared.reference_n,
        embedder,
        cells,
        failed,
    };
    let key = |cell: &CellResult| (cell.cell.id.clone(), cell.score.signature.clone());
    let own = results.cells.iter().map(key).collect();
    Ok(Run { folder, record, results, renamed: IndexMap::new(), own })
}

/// Keeps apart models of one name in several runs that are different, or whose numbers cannot be compared, and says
/// what makes runs incomparable.
fn rename(runs: &mut [Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut apart: Vec<bool> = vec![false; runs.len()];
    for (at, other) in runs.iter().enumerate().skip(1) {
        for what in differences(&runs[0], other) {
            apart[at] = true;
            notes.push(format!(
                "The runs differ in their {what}, so their numbers must not be compared with each other."
            ));
        }
    }
    notes.dedup();
    let mut seen: IndexMap<String, (usize, String)> = IndexMap::new();
    for (at, run) in runs.iter_mut().enumerate() {
        for cell in &run.results.cells {
            let (name, hash) = (&cell.cell.model, &cell.cell.model_hash);
            match seen.get(name) {
                Some((first, known)) if *first != at && (known != hash || apart[at]) => {
                    let other = format!("{name} (run {})", at + 1);
                    run.renamed.insert(name.clone(), other);
                }
                Some(_) => {}
                None => drop(seen.insert(name.clone(), (at, hash.clone()))),
            }
        }
    }
    notes
}

/// What makes the numbers of two runs incomparable.
fn differences(first: &Run, other: &Run) -> Vec<&'static str> {
    let (a, b) = (&first.record.shared, &other.record.shared);
    type Numbers = IndexMap<(String, String), (String, String)>;
    let numbers = |run: &Run| -> Numbers {
        let of = |model: &ModelRecord| {
            let ModelRecord { name, hash, dtype, device, .. } = model.clone();
            ((name, hash), (dtype, device))
        };
        run.record.models.iter().map(of).collect()
    };
    let (own, others) = (numbers(first), numbers(other));
    let same_numbers =
        others.iter().all(|(model, numbers)| own.get(model).is_none_or(|known| known == numbers));
    let pairs = [
        ("task", a.task_hash == b.task_hash),
        ("reference", a.reference_hash == b.reference_hash && a.reference_n == b.reference_n),
        ("embedder", a.embedder_hash == b.embedder_hash && a.pooling == b.pooling),
        ("number of completions", a.n_samples == b.n_samples),
        ("settings of scores", first.record.scoring == other.record.scoring),
        ("type of numbers or device", same_numbers),
    ];
    pairs.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect()
}

/// The cells of all runs in their order, which are no longer in the runs; a cell that an earlier run has is left out.
fn merge(runs: &mut [Run]) -> Results {
    let (mut cells, mut failed) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for run in runs.iter_mut() {
        for mut cell in std::mem::take(&mut run.results.cells) {
            if seen.insert((cell.cell.id.clone(), cell.score.signature.clone())) {
                if let Some(name) = run.renamed.get(&cell.cell.model) {
                    cell.cell.model = name.clone();
                }
                cells.push(cell);
            }
        }
        failed.extend(run.results.failed.iter().cloned());
    }
    Results { cells, failed, ..runs[0].results.clone() }
}

/// The first of the merged cells, as many as are of this run.
pub(super) fn own_cells<'a>(run: &Run, cells: &'a [CellResult]) -> Vec<&'a CellResult> {
    let key = |cell: &CellResult| (cell.cell.id.clone(), cell.score.signature.clone());
    cells.iter().take_while(|cell| run.own.contains(&key(cell))).collect()
}

/// The reference texts of a run; none where their file is gone.
///
/// # Errors
///
/// [`StoreError`] where the file is there and cannot be read.
pub(super) fn reference_texts(folder: &RunFolder) -> Result<Vec<String>, StoreError> {
    let texts = logged::<Text>(&folder.reference("texts.jsonl")).map_err(|error| match error {
        // No line of it is drawn again.
        StoreError::BadLine { path, line, what } => {
            StoreError::BadFile { path, what: format!("line {line}: {what}") }
        }
        other => other,
    })?;
    Ok(texts.into_iter().map(|text| text.text).collect())
}

/// The lines of a file that may be gone.
fn logged<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, StoreError> {
    match read_log(path) {
        Err(StoreError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        found => found,
    }
}

/// The completions of `cells` with what is known of each, and the topics of their references, whose places among those
/// of all runs begin at `offset`; what comes of features only where these are at hand. The notes are of cells whose texts are
/// there and cannot be read. `lighten` takes away what nobody will ask for of a completion: those of all cells are held at once.
pub(super) fn texts_of<'a>(
    run: &Run,
    cells: &[&'a CellResult],
    references: &[String],
    offset: usize,
    lighten: fn(&mut SampleRecord),
) -> (Vec<CellTexts<'a>>, Option<Topics>, Vec<String>) {
    let features = Features::with(run, cells, references.len(), lighten);
    let note = |(at, error): &(usize, StoreError)| {
        format!("The texts of {} are left out: {error}.", cells[*at].cell.label())
    };
    let notes = features.damaged.iter().map(note).collect();
    let clouds = |at: usize| features.clouds(at);
    let topics = (0..cells.len()).find_map(clouds).and_then(|sets| Topics::of(&sets.reference));
    let known = |at: usize| {
        let sets = features.clouds(at)?;
        let (supports, realism) = features.marks(&sets)?;
        let topics = topics.as_ref().map(|topics| topics.nearest(&sets.model));
        Some((supports, Some(realism), topics.unwrap_or_default()))
    };
    let known: Vec<_> = (0..cells.len()).into_par_iter().map(known).collect();
    let samples: Vec<&[SampleRecord]> = features.samples.iter().map(Vec::as_slice).collect();
    let shares = longest_of_cells(&samples, references);
    let parts = cells.iter().zip(features.samples).zip(known).zip(shares);
    let cell = |(((&result, samples), known), shares)| {
        let places = offset..offset + references.len();
        let (evidence, realism, topics) = match known {
            Some((evidence, realism, topics)) => (Some(evidence), realism, topics),
            None => (None, None, Vec::new()),
        };
        CellTexts { result, samples, references: places, evidence, realism, shares, topics }
    };
    (parts.map(cell).collect(), topics, notes)
}

/// The features of a run's cells in the space in which they were scored.
pub(super) struct Features<'a> {
    run: &'a Run,
    cells: &'a [&'a CellResult],
    /// Completions of each cell, in the order of its features.
    pub(super) samples: Vec<Vec<SampleRecord>>,
    /// Cells whose completions are there and cannot be read, and why.
    pub(super) damaged: Vec<(usize, StoreError)>,
    /// How cells were scored.
    pub(super) options: ScoreOptions,
    reference: Option<Matrix>,
    basis: Option<Pca>,
}

impl<'a> Features<'a> {
    /// Those of `cells` and of as many reference texts.
    pub(super) fn of(run: &'a Run, cells: &'a [&'a CellResult], references: usize) -> Self {
        Self::with(run, cells, references, |_| {})
    }

    /// [`of`](Self::of), with completions as `lighten` leaves them.
    fn with(
        run: &'a Run,
        cells: &'a [&'a CellResult],
        references: usize,
        lighten: fn(&mut SampleRecord),
    ) -> Self {
        let options: ScoreOptions =
            serde_json::from_value(run.record.scoring.clone()).unwrap_or_default();
        let prompts = Mutex::default();
        let read = |cell: &&CellResult| samples(run, cell, &prompts, lighten);
        let read: Vec<_> = cells.par_iter().map(read).collect();
        let mut damaged = Vec::new();
        let sound = |(at, read): (usize, Result<_, _>)| {
            read.unwrap_or_else(|error| {
                damaged.push((at, error));
                Vec::new()
            })
        };
        let samples = read.into_iter().enumerate().map(sound).collect();
        let mut found =
            Self { run, cells, samples, damaged, options, reference: None, basis: None };
        found.reference = found.scaled(run.folder.reference("features.npy"), references);
        let own = |at: usize| found.model(at);
        found.basis = found.reference.as_ref().and_then(|reference| basis(reference, cells, &own));
        found
    }

    /// The two clouds of a cell; `None` where features are gone or do not fit the texts.
    pub(super) fn clouds(&self, at: usize) -> Option<Sides<Matrix>> {
        let (reference, model) = (self.reference.as_ref()?, self.model(at)?);
        let sets = Sides { reference, model: &model };
        match (&self.basis, &self.cells[at].score.pca) {
            (Some(pca), Some(_)) => sets.try_map(|rows| pca.project(rows)).ok(),
            _ => Some(sets.map(Clone::clone)),
        }
    }

    /// What the supports say of the texts of a cell, where features are at hand.
    pub(super) fn evidence(&self, at: usize) -> Option<Sides<Vec<RowEvidence>>> {
        let clouds = self.clouds(at)?;
        evidence(Clouds::new(clouds.as_ref()).ok()?, self.options.k, self.options.ties).ok()
    }

    /// What the supports say of the texts of these two clouds, and the realism of the completions.
    pub(super) fn marks(
        &self,
        sets: &Sides<Matrix>,
    ) -> Option<(Sides<Vec<RowEvidence>>, Vec<f64>)> {
        let clouds = Clouds::new(sets.as_ref()).ok()?;
        evidence_and_realism(clouds, self.options.k, self.options.ties).ok()
    }

    fn model(&self, at: usize) -> Option<Matrix> {
        let file = self.run.folder.cell(&self.cells[at].cell.id, "features.npy");
        self.scaled(file, self.samples[at].len())
    }

    fn scaled(&self, path: PathBuf, rows: usize) -> Option<Matrix> {
        let features = read_features(path.to_str()?).ok().filter(|m| m.rows() == rows)?;
        Some(match self.options.normalize {
            Normalize::L2 => features.l2_normalized(),
            Normalize::None => features,
        })
    }
}

/// The components of the run: on the reference and, together as many, rows taken evenly from all cells.
fn basis(
    reference: &Matrix,
    cells: &[&CellResult],
    features: &(impl Fn(usize) -> Option<Matrix> + Sync),
) -> Option<Pca> {
    let components = cells.iter().find_map(|c| c.score.pca.as_ref())?.components;
    let quota = reference.rows().div_ceil(cells.len().max(1));
    let part = |at: usize| {
        let rows = features(at)?;
        let quota = quota.min(rows.rows());
        let evenly: Vec<usize> = (0..quota).map(|i| i * rows.rows() / quota).collect();
        Some(rows.select(&evenly))
    };
    let parts: Vec<Matrix> = (0..cells.len()).into_par_iter().filter_map(part).collect();
    let all: Vec<&Matrix> = std::iter::once(reference).chain(&parts).collect();
    Pca::fit(&all, Keep::Components(components)).ok()
}

/// A cell's completions with a text in the order of their draws, each once, as its features are.
///
/// * `prompts`: those that cells have together.
fn samples(
    run: &Run,
    cell: &CellResult,
    prompts: &Mutex<HashSet<Arc<str>>>,
    lighten: fn(&mut SampleRecord),
) -> Result<Vec<SampleRecord>, StoreError> {
    let path = run.folder.cell(&cell.cell.id, "samples.jsonl");
    let mut read: Vec<Option<SampleRecord>> = Vec::new();
    let mut by_draw: HashMap<(u32, u32), usize> = HashMap::new();
    for mut sample in logged::<SampleRecord>(&path)? {
        // All cells are held at once; of their tokens the number is shown.
        if !sample.tokens.is_empty() {
            sample.n_tokens = Some(sample.count());
            sample.tokens = Vec::new();
        }
        lighten(&mut sample);
        let mut prompts = prompts.lock().unwrap_or_else(PoisonError::into_inner);
        match prompts.get(&sample.prompt) {
            Some(known) => sample.prompt = known.clone(),
            None => drop(prompts.insert(sample.prompt.clone())),
        }
        by_draw.entry((sample.prompt_index, sample.sample)).or_insert(read.len());
        read.push(Some(sample));
    }
    let wanted = draws(cell.cell.n_samples, run.record.shared.prompts.max(1));
    let all = wanted.filter_map(|d| read[*by_draw.get(&(d.prompt, d.sample))?].take());
    Ok(all.filter(|sample| sample.text.is_some()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::record::tests::{cell, result, turned},
        run::{folder::tests::shared, store::write_json},
    };

    #[test]
    fn models_of_one_name_in_several_runs_are_told_apart_where_they_differ() {
        let named = |hash: &str| {
            let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
            for (dir, (hash, temperature)) in dirs.iter().zip([("m", 0.5), (hash, 0.7)]) {
                let folder = RunFolder::new(dir.path());
                folder.write(&folder.begin(&shared()).unwrap()).unwrap();
                let mut cell = cell("tiny", temperature);
                cell.model_hash = hash.to_owned();
                let results = Results { cells: vec![result(cell)], ..turned() };
                write_json(&dir.path().join("results.json"), &results).unwrap();
            }
            let runs = [0, 1].map(|at: usize| dirs[at].path().to_owned());
            let (found, notes) = results(&runs).unwrap();
            assert!(notes.is_empty(), "{notes:?}");
            found.cells.into_iter().map(|cell| cell.cell.model).collect::<Vec<_>>()
        };
        assert_eq!(named("m"), ["tiny", "tiny"]);
        assert_eq!(named("other"), ["tiny", "tiny (run 2)"]);
    }
}
