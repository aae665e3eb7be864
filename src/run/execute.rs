//! A sweep from start to end: draw, embed, score. Every step finds what an earlier run left and goes on.

use indexmap::IndexMap;
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{
    features::{EmbedError, cache_folder, texts_hash},
    folder::{FolderError, RunFolder, RunRecord, Session, now},
    lock::{LockError, host},
    plan::draws,
    progress::{Progress, Quiet, duration},
    sampling::{Drawn, SampleError, draw_cells, is_complete, settle},
    scoring::{EmbeddedCell, EmbeddedReference, Scoring, ScoringError, Truth},
    signals::Stop,
    store::{StoreError, read_json, read_log, write_json, write_whole},
    sweep::Sweep,
    truth::truth,
};
use crate::{
    lm::LmError,
    report::{
        record::{
            CellRecord, CellResult, FailedCell, RESULTS_SCHEMA, Results, SampleRecord, short_name,
        },
        results::{to_csv, to_long_csv},
    },
    score::ScoreOptions,
    text::Text,
};

/// Why a sweep ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The run folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file of it cannot be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reference cannot be embedded.
    #[error("cannot embed the reference: {0}")]
    Reference(EmbedError),
    /// No components can be fitted.
    #[error(transparent)]
    Scoring(#[from] ScoringError),
}

/// What a sweep came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Results of all cells of the folder that have any, those of the plan first; `None` for a shard
    /// and after a stop.
    pub results: Option<Results>,
    /// Completions drawn by this process.
    pub drawn: u64,
    /// Tokens a second by model, where this process drew any.
    pub rates: IndexMap<String, f64>,
    /// Cells without a result, and why.
    pub failed: Vec<FailedCell>,
    /// Whether a stop was asked for; running the sweep again goes on.
    pub stopped: bool,
}

/// How long a shard waits for another that is writing `run.json`.
const SHARD_PATIENCE: Duration = Duration::from_secs(60);

/// One run of a sweep in its folder.
struct Execution<'a> {
    sweep: &'a mut Sweep,
    folder: RunFolder,
    record: RunRecord,
    stop: &'a Stop,
    progress: &'a dyn Progress,
    failed: IndexMap<String, FailedCell>,
    rates: IndexMap<String, f64>,
    started: Instant,
}

/// Runs a sweep, or goes on with it; `command` is kept in `run.json`.
///
/// # Errors
///
/// [`ExecuteError`]: the folder is another sweep's or in use, the disk is full, the reference cannot
/// be embedded. A cell or model that fails is in [`Outcome::failed`], and the others go on.
pub fn run(
    sweep: &mut Sweep,
    command: Vec<String>,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<Outcome, ExecuteError> {
    let folder = RunFolder::new(&sweep.settings.out);
    let shard = sweep.settings.shard.is_some();
    let lock = if shard { patiently(|| folder.lock())? } else { folder.lock()? };
    if let Some(dead) = &lock.taken_over {
        progress.say(&format!("going on after process {}, which ended early", dead.pid));
    }
    let mut record = folder.begin(&sweep.shared)?;
    for group in &sweep.groups {
        if !record.models.contains(&group.record) {
            record.models.push(group.record.clone());
        }
    }
    record.cells = sweep.cells().map(|cell| cell.record.id.clone()).collect();
    record.scoring = serde_json::to_value(&sweep.settings.score).unwrap_or_default();
    record.sessions.push(Session {
        started: now(),
        host: host(),
        pid: std::process::id(),
        command,
        seconds: 0.0,
        completions: 0,
        tokens: 0,
        sampling_seconds: 0.0,
        torn_lines: 0,
        outcome: "running".to_owned(),
    });
    folder.write(&record)?;
    write_reference(&folder, &sweep.reference)?;
    let held = if shard {
        drop(lock);
        None
    } else {
        Some(lock)
    };
    sweep.keep_shard();
    let mut execution = Execution {
        sweep,
        folder,
        record,
        stop,
        progress,
        failed: IndexMap::new(),
        rates: IndexMap::new(),
        started: Instant::now(),
    };
    let result = execution.steps(shard);
    let outcome = match &result {
        Ok(Outcome { stopped: true, .. }) => "stopped",
        Ok(_) => "done",
        Err(_) => "failed",
    };
    execution.close(outcome, shard)?;
    drop(held);
    result
}

impl Execution<'_> {
    fn steps(&mut self, shard: bool) -> Result<Outcome, ExecuteError> {
        let mut stopped = self.draw()?;
        let mut results = None;
        if !stopped && !shard {
            results = self.score()?;
            stopped = results.is_none();
        }
        Ok(Outcome {
            results,
            drawn: self.session().map_or(0, |session| session.completions),
            rates: self.rates.clone(),
            failed: self.failed.values().cloned().collect(),
            stopped,
        })
    }

    fn session(&mut self) -> Option<&mut Session> {
        self.record.sessions.last_mut()
    }

    fn fail(&mut self, cell: &CellRecord, message: String) {
        let (id, label) = (cell.id.clone(), cell.label());
        self.failed.insert(id.clone(), FailedCell { id, label, message });
    }

    /// Draws what is missing, model by model; whether a stop was asked for.
    fn draw(&mut self) -> Result<bool, ExecuteError> {
        for at in 0..self.sweep.groups.len() {
            if self.stop.asked() {
                return Ok(true);
            }
            let group = &self.sweep.groups[at];
            if group.cells.iter().all(|cell| is_complete(&self.folder, &cell.record)) {
                self.settle(at)?;
                continue;
            }
            let records: Vec<CellRecord> = group.cells.iter().map(|c| c.record.clone()).collect();
            match self.draw_group(at) {
                Ok(drawn) => {
                    self.account(&records[0].model, &drawn);
                    for (id, why) in drawn.failed {
                        if let Some(cell) = records.iter().find(|cell| cell.id == id) {
                            self.fail(cell, why);
                        }
                    }
                    if drawn.stopped {
                        return Ok(true);
                    }
                }
                Err(SampleError::Lm(LmError::Interrupted)) => return Ok(true),
                Err(SampleError::Lm(error)) => {
                    for cell in &records {
                        if !is_complete(&self.folder, cell) {
                            self.fail(cell, error.to_string());
                        }
                    }
                }
                Err(SampleError::Folder(error)) => return Err(error.into()),
                Err(SampleError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Puts the files of a model's cells in order, all of which are drawn.
    fn settle(&self, at: usize) -> Result<(), ExecuteError> {
        for cell in &self.sweep.groups[at].cells {
            match settle(&self.folder, &cell.record) {
                // Who holds it is drawing more of it, and sorts it in the end.
                Err(SampleError::Folder(FolderError::Lock(LockError::Held { .. }))) | Ok(()) => {}
                Err(SampleError::Folder(error)) => return Err(error.into()),
                Err(SampleError::Store(error)) => return Err(error.into()),
                Err(SampleError::Lm(_)) => {}
            }
        }
        Ok(())
    }

    fn draw_group(&self, at: usize) -> Result<Drawn, SampleError> {
        let Sweep { settings, task, groups, .. } = &*self.sweep;
        let group = &groups[at];
        if group.model.checkpoint().is_some() {
            self.progress.say(&format!("loading {}", short_name(&group.record.name)));
        }
        let drawer = group.model.load(settings.device, settings.dtype)?;
        let batch = settings.batch.rows();
        draw_cells(&drawer, task, &self.folder, &group.cells, batch, self.stop, self.progress)
    }

    fn account(&mut self, model: &str, drawn: &Drawn) {
        let seconds = drawn.time.as_secs_f64();
        if drawn.tokens > 0 && seconds > 0.0 {
            self.rates.insert(model.to_owned(), drawn.tokens as f64 / seconds);
        }
        if drawn.torn > 0 {
            let torn = drawn.torn;
            self.progress
                .say(&format!("cut {torn} torn last line(s); what they held is drawn again"));
        }
        if let Some(session) = self.session() {
            session.completions += drawn.completions;
            session.tokens += drawn.tokens;
            session.sampling_seconds += seconds;
            session.torn_lines += drawn.torn;
        }
    }

    /// Embeds and scores all complete cells of the folder; `None` when a stop was asked for.
    fn score(&mut self) -> Result<Option<Results>, ExecuteError> {
        let cells = self.complete_cells()?;
        let n: u64 = cells.iter().map(|cell| cell.n_samples as u64).sum();
        let total = n + self.sweep.reference.len() as u64;
        self.progress.begin("embedding", "texts", total, 0);
        let Some(reference) = self.embed_reference()? else { return Ok(None) };
        let options = ScoreOptions {
            embedder: self.sweep.features.facts().map_err(|e| ExecuteError::Reference(e.into()))?,
            reference: Some(self.sweep.shared.reference_hash.clone()),
            prompts: Some(self.sweep.shared.prompts_content()),
            ..self.sweep.settings.score.clone()
        };
        let pca_fit = self.sweep.settings.pca_fit;
        let grammar = self.sweep.grammar.clone();
        let exact = |texts: &[&str]| match &grammar {
            Some(grammar) => truth(grammar, texts, options.seed),
            None => IndexMap::new(),
        };
        let truth: Option<Truth<'_>> = grammar.is_some().then_some(&exact);
        let scoring = Scoring { options: &options, pca_fit, reference: &reference, truth };
        self.announce(&cells)?;
        let quota = scoring.quota(cells.len());
        let mut parts = Vec::with_capacity(cells.len());
        let mut embedded = Vec::with_capacity(cells.len());
        for cell in cells {
            match self.embed(&cell, self.progress) {
                Ok(full) => {
                    parts.push((full.origin(), full.evenly(quota)));
                    embedded.push(cell);
                }
                Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(None),
                Err(EmbedError::Store(error)) => return Err(error.into()),
                Err(error) => self.fail(&cell, format!("cannot be embedded: {error}")),
            }
        }
        self.progress.end();
        let basis = scoring.basis(&parts)?;
        drop(parts);
        self.progress.begin("scoring", "cells", embedded.len() as u64, 0);
        let mut scored: Vec<CellResult> = Vec::new();
        for cell in &embedded {
            if self.stop.asked() {
                return Ok(None);
            }
            let full = match self.embed(cell, &Quiet) {
                Ok(full) => full,
                Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(None),
                Err(error) => {
                    self.fail(cell, error.to_string());
                    continue;
                }
            };
            match scoring.cell(&self.folder, &basis, &full) {
                Ok(result) => scored.push(result),
                Err(ScoringError::Store(error)) => return Err(error.into()),
                Err(error) => self.fail(cell, format!("cannot be scored: {error}")),
            }
            self.progress.advance(1, 0);
        }
        self.progress.end();
        let results = Results {
            schema: RESULTS_SCHEMA.to_owned(),
            task: self.sweep.task.name.clone(),
            reference: self.sweep.shared.reference.clone(),
            reference_n: self.sweep.reference.len(),
            embedder: self.sweep.features.name(),
            cells: scored,
            failed: self.failed.values().cloned().collect(),
        };
        write_json(&self.folder.root().join("results.json"), &results)?;
        write_whole(&self.folder.root().join("results.csv"), to_csv(&results).as_bytes())?;
        let long = self.folder.root().join("results_long.csv");
        write_whole(&long, to_long_csv(&results).as_bytes())?;
        Ok(Some(results))
    }

    /// The plan's cells that have all completions, then those of earlier plans in this folder.
    fn complete_cells(&self) -> Result<Vec<CellRecord>, StoreError> {
        let complete = |cell: &CellRecord| is_complete(&self.folder, cell);
        let mut seen = HashSet::new();
        let mut cells: Vec<CellRecord> = Vec::new();
        for cell in self.sweep.cells() {
            if seen.insert(cell.record.id.clone()) && complete(&cell.record) {
                cells.push(cell.record.clone());
            }
        }
        let mut others: Vec<CellRecord> = Vec::new();
        for id in self.folder.cell_ids() {
            if !seen.contains(&id)
                && let Some(cell) = read_json::<CellRecord>(&self.folder.cell(&id, "cell.json"))?
                && complete(&cell)
            {
                others.push(cell);
            }
        }
        others.sort_by(|a, b| {
            let key = |cell: &CellRecord| (cell.model.clone(), cell.shots, cell.seed);
            let temperatures = a.decoding.temperature.total_cmp(&b.decoding.temperature);
            key(a).cmp(&key(b)).then(temperatures).then(a.id.cmp(&b.id))
        });
        cells.extend(others);
        Ok(cells)
    }

    fn embed_reference(&mut self) -> Result<Option<EmbeddedReference>, ExecuteError> {
        let Sweep { reference, features, .. } = &mut *self.sweep;
        let texts: Vec<&str> = reference.iter().map(String::as_str).collect();
        let path = self.folder.reference("features.npy");
        let cache = cache_folder();
        let rows = features.of(&texts, &path, cache.as_deref(), self.stop, self.progress);
        let rows = match rows {
            Ok(rows) => rows,
            Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(None),
            Err(EmbedError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(ExecuteError::Reference(error)),
        };
        let ids: Result<Vec<_>, _> = texts.iter().map(|text| features.ids(text)).collect();
        let ids = ids.map_err(|error| ExecuteError::Reference(error.into()))?;
        let origin = format!("{}:{}", features.key(), texts_hash(&texts));
        Ok(Some(EmbeddedReference { origin, ids, features: rows }))
    }

    /// Tells the embedder which texts come, so that what several cells wrote is embedded once.
    fn announce(&mut self, cells: &[CellRecord]) -> Result<(), StoreError> {
        let mut texts = Vec::new();
        for cell in cells {
            let samples = self.samples(cell)?;
            texts.extend(samples.into_iter().map(|sample| sample.text));
        }
        self.sweep.features.announce(texts.iter().map(String::as_str));
        Ok(())
    }

    /// A cell's completions in the order of their draws, each once.
    fn samples(&self, cell: &CellRecord) -> Result<Vec<SampleRecord>, StoreError> {
        let path = self.folder.cell(&cell.id, "samples.jsonl");
        let mut by_draw: IndexMap<(u32, u32), SampleRecord> = IndexMap::new();
        for sample in read_log::<SampleRecord>(&path)? {
            by_draw.entry((sample.prompt_index, sample.sample)).or_insert(sample);
        }
        let prompts = self.sweep.shared.prompts;
        let wanted = draws(cell.n_samples, prompts);
        Ok(wanted.filter_map(|d| by_draw.swap_remove(&(d.prompt, d.sample))).collect())
    }

    fn embed(
        &mut self,
        cell: &CellRecord,
        progress: &dyn Progress,
    ) -> Result<EmbeddedCell, EmbedError> {
        let samples = self.samples(cell)?;
        let texts: Vec<&str> = samples.iter().map(|sample| sample.text.as_str()).collect();
        let path = self.folder.cell(&cell.id, "features.npy");
        let Self { sweep, stop, .. } = self;
        let features = sweep.features.of(&texts, &path, None, stop, progress)?;
        let ids: Result<Vec<_>, _> = texts.iter().map(|text| sweep.features.ids(text)).collect();
        Ok(EmbeddedCell { record: cell.clone(), ids: ids?, samples, features })
    }

    /// Writes down how it ended.
    fn close(&mut self, outcome: &str, shard: bool) -> Result<(), ExecuteError> {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(session) = self.session() {
            session.seconds = seconds;
            session.outcome = outcome.to_owned();
        }
        if outcome == "done" && !shard {
            self.progress.say(&format!("done in {}", duration(seconds)));
        }
        if !shard {
            return Ok(self.folder.write(&self.record)?);
        }
        let _lock = patiently(|| self.folder.lock())?;
        if let (Some(mut record), Some(own)) =
            (self.folder.record()?, self.record.sessions.last().cloned())
        {
            let at = |s: &Session| (s.pid, s.started.clone()) == (own.pid, own.started.clone());
            record.sessions.retain(|session| !at(session));
            record.sessions.push(own);
            self.folder.write(&record)?;
        }
        Ok(())
    }
}

/// Tries again for a while as long as someone else holds a lock.
fn patiently<T>(attempt: impl Fn() -> Result<T, FolderError>) -> Result<T, FolderError> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(FolderError::Lock(LockError::Held { .. }))
                if started.elapsed() < SHARD_PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            result => return result,
        }
    }
}

fn write_reference(folder: &RunFolder, texts: &[String]) -> Result<(), StoreError> {
    let path = folder.reference("texts.jsonl");
    if let Some(above) = path.parent() {
        super::store::make_folder(above)?;
    }
    let mut lines = String::new();
    for text in texts {
        let line = serde_json::to_string(&Text::new(text.as_str())).unwrap_or_default();
        lines.push_str(&line);
        lines.push('\n');
    }
    write_whole(&path, lines.as_bytes())
}
