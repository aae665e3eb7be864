//! A sweep from start to end: draw, embed, score. Every step finds what an earlier run left and goes on.

mod prefixes;
mod reference_nll;
mod score;
pub mod tune;

use indexmap::IndexMap;
use std::time::{Duration, Instant};

use super::{
    features::EmbedError,
    folder::{FolderError, RunFolder, RunRecord, Session, directory, now},
    lock::{Holder, LockError, Waiting, host},
    plan::Shard,
    progress::{Progress, duration},
    sampling::{Drawn, SampleError, count_drawn, draw_cells, is_complete, settle},
    scoring::ScoringError,
    signals::Stop,
    store::{StoreError, write_whole},
    sweep::Sweep,
};
use crate::{
    data::secret::without_logins,
    lm::LmError,
    report::record::{CellRecord, FailedCell, Results, short_name},
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
    /// Cells of this shard that another process was drawing.
    pub busy: usize,
    /// Whether a stop was asked for; running the sweep again goes on.
    pub stopped: bool,
}

/// How long a shard waits for others that are writing `run.json`: all tasks of an array may begin at once.
const SHARD_PATIENCE: Duration = Duration::from_secs(300);
/// The same for a whole sweep: shards hold the folder for moments, another whole sweep to its end.
const WHOLE_PATIENCE: Duration = Duration::from_secs(1);
/// The same for a shard that was asked to stop.
const LAST_PATIENCE: Duration = Duration::from_secs(20);

/// One run of a sweep in its folder.
struct Execution<'a> {
    sweep: &'a mut Sweep,
    folder: RunFolder,
    record: RunRecord,
    /// What files of features are called.
    file: String,
    stop: &'a Stop,
    progress: &'a dyn Progress,
    failed: IndexMap<String, FailedCell>,
    rates: IndexMap<String, f64>,
    busy: usize,
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
    enter(sweep, command, stop, progress, |execution, shard| execution.steps(shard))
}

/// Takes the folder, writes down what the run is, goes through `steps` and writes down how they ended.
fn enter(
    sweep: &mut Sweep,
    command: Vec<String>,
    stop: &Stop,
    progress: &dyn Progress,
    steps: impl FnOnce(&mut Execution<'_>, Option<&Shard>) -> Result<Outcome, ExecuteError>,
) -> Result<Outcome, ExecuteError> {
    let command = command.iter().map(|word| without_logins(word)).collect();
    let folder = RunFolder::new(&sweep.settings.out);
    let shard = sweep.settings.shard.clone();
    let own = match &shard {
        Some(shard) => shard.of(&sweep.sizes()).unwrap_or(0..0),
        None => 0..sweep.cells().count(),
    };
    let own = sweep.cells().skip(own.start).take(own.len());
    folder.watch(own.map(|cell| cell.record.id.as_str()))?;
    let busy = if shard.is_some() { SHARD_PATIENCE } else { WHOLE_PATIENCE };
    let lock = match folder.lock(Waiting { busy, stop, progress }) {
        Err(FolderError::Lock(LockError::Stopped { .. })) => return Ok(Outcome::stopped()),
        lock => lock?,
    };
    lock.introduce(progress);
    let mut record = folder.begin(&sweep.shared)?;
    for group in &sweep.groups {
        record.keep(&group.record);
    }
    record.cells = sweep.cells().map(|cell| cell.record.id.clone()).collect();
    record.scoring = serde_json::to_value(&sweep.settings.score).unwrap_or_default();
    record.sessions.push(Session {
        started: now(),
        host: host(),
        pid: std::process::id(),
        command,
        directory: directory(),
        shard: shard.as_ref().map(ToString::to_string),
        seconds: 0.0,
        completions: 0,
        tokens: 0,
        sampling_seconds: 0.0,
        torn_lines: 0,
        outcome: "running".to_owned(),
    });
    folder.write(&record)?;
    write_reference(&folder, &sweep.reference)?;
    let held = if shard.is_some() {
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
        file: "features.npy".to_owned(),
        stop,
        progress,
        failed: IndexMap::new(),
        rates: IndexMap::new(),
        busy: 0,
        started: Instant::now(),
    };
    let result = steps(&mut execution, shard.as_ref());
    let outcome = match &result {
        Ok(Outcome { stopped: true, .. }) => "stopped",
        Ok(_) => "done",
        Err(_) => "failed",
    };
    let closed = execution.close(outcome, shard.is_some());
    drop(held);
    // What ended the sweep is said, rather than what it led to.
    let result = result?;
    closed.map(|()| result)
}

impl Outcome {
    /// That of a sweep that was stopped before it began.
    fn stopped() -> Self {
        Self {
            results: None,
            drawn: 0,
            rates: IndexMap::new(),
            failed: Vec::new(),
            busy: 0,
            stopped: true,
        }
    }
}

impl Execution<'_> {
    fn steps(&mut self, shard: Option<&Shard>) -> Result<Outcome, ExecuteError> {
        let mut stopped =
            if self.sweep.settings.draw { self.draw()? } else { self.name_missing()? };
        let mut results = None;
        match shard {
            _ if stopped => {}
            Some(shard) => stopped = self.embed_part(shard.index == 0)?,
            None => {
                results = self.score()?;
                stopped = results.is_none();
            }
        }
        Ok(Outcome {
            results,
            drawn: self.session().map_or(0, |session| session.completions),
            rates: self.rates.clone(),
            failed: self.failed.values().cloned().collect(),
            busy: self.busy,
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

    /// Names what is missing instead of drawing it.
    fn name_missing(&mut self) -> Result<bool, ExecuteError> {
        for at in 0..self.sweep.groups.len() {
            self.settle(at)?;
            let records: Vec<CellRecord> =
                self.sweep.groups[at].cells.iter().map(|c| c.record.clone()).collect();
            for cell in records {
                let (there, n) = (count_drawn(&self.folder, &cell), cell.n_samples);
                if there < n {
                    let why = format!(
                        "{there} of its {n} completions are drawn; `llmpr sweep` without --no-draw goes on"
                    );
                    self.fail(&cell, why);
                }
            }
        }
        Ok(false)
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
                    for (id, holder) in drawn.busy {
                        if let Some(cell) = records.iter().find(|cell| cell.id == id) {
                            self.leave(cell, &holder);
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
                Err(SampleError::Lock(error)) => return Err(FolderError::from(error).into()),
            }
        }
        Ok(false)
    }

    /// Leaves a cell to the process that is drawing it. A shard is one of many; without a shard somebody waits for
    /// the cell.
    fn leave(&mut self, cell: &CellRecord, holder: &Holder) {
        if self.sweep.settings.shard.is_some() {
            self.busy += 1;
            self.progress.say(&format!("{} ({}) is left to {holder}", cell.label(), cell.id));
        } else {
            let why =
                format!("{holder} is drawing it; the same command goes on when that has ended");
            self.fail(cell, why);
        }
    }

    /// Puts the files of a model's cells in order that are drawn.
    fn settle(&self, at: usize) -> Result<(), ExecuteError> {
        for cell in &self.sweep.groups[at].cells {
            if !is_complete(&self.folder, &cell.record) {
                continue;
            }
            match settle(&self.folder, &cell.record) {
                Ok(()) | Err(SampleError::Lm(_)) => {}
                Err(SampleError::Folder(error)) => return Err(error.into()),
                Err(SampleError::Store(error)) => return Err(error.into()),
                Err(SampleError::Lock(error)) => return Err(FolderError::from(error).into()),
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
        // Whoever took over writes that file now.
        self.folder.still_ours()?;
        if !shard {
            self.folder.clean();
            return Ok(self.folder.write(&self.record)?);
        }
        let (never, progress) = (Stop::never(), self.progress);
        let busy = if self.stop.asked() { LAST_PATIENCE } else { SHARD_PATIENCE };
        let _lock = match self.folder.lock(Waiting { busy, stop: &never, progress }) {
            Err(FolderError::Lock(held @ LockError::Held { .. })) => {
                self.progress.say(&format!("{held}; what this shard did is not in its history"));
                return Ok(());
            }
            lock => lock?,
        };
        if let (Some(mut record), Some(own)) =
            (self.folder.record()?, self.record.sessions.last().cloned())
        {
            let at = |s: &Session| (s.pid, s.host.clone(), s.started.clone());
            record.sessions.retain(|session| at(session) != at(&own));
            record.sessions.push(own);
            self.folder.write(&record)?;
        }
        Ok(())
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
