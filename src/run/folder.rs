//! The run folder: where things are, what the run is, and whether another run was there before.

mod strangers;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use strangers::is_cell_id;

use super::{
    lock::{self, Alive, Attempt, Lock, LockError, Waiting},
    store::{StoreError, make_folder, read_json, write_json},
};
use crate::data::signature::content;

/// The name and version of `run.json`.
pub const RUN_SCHEMA: &str = "llmpr.run/1";

/// What becomes of a run whose `run.json` cannot be used.
const CURE: &str =
    "take it from a copy, or delete it, and the same `llmpr sweep` goes on with what is drawn";

/// Why a folder cannot be used for a run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum FolderError {
    /// Reading or writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Someone else is writing.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A sweep that cannot be continued by this one.
    #[error(
        "`{path}` holds another sweep: its {what} is {theirs}, and this one's {ours}; choose another --out"
    )]
    OtherSweep { path: String, what: &'static str, theirs: String, ours: String },
    /// A folder with other things in it.
    #[error("`{path}` is not empty and holds no run.json; choose another --out")]
    NotARun { path: String },
    /// A folder without a run.
    #[error("`{path}` holds no run.json; name the --out of a sweep that has begun")]
    NoRun { path: String },
    /// A name of a cell that would leave the folder.
    #[error("`{path}` is damaged: `{id}` is no cell's id; {CURE}")]
    CellId { path: String, id: String },
    /// A `run.json` that is none.
    #[error("`{path}` is damaged: {what}; {CURE}")]
    Damaged { path: String, what: String },
    /// A `run.json` of another program.
    #[error(
        "`{path}` is not of llmpr: it has no `schema`; name the --out of a sweep, or for a new one a folder without it"
    )]
    Foreign { path: String },
    /// A folder of a later version.
    #[error(
        "`{path}` was written in the form `{schema}`, and this version knows {RUN_SCHEMA}; use the llmpr that wrote it"
    )]
    Schema { path: String, schema: String },
}

/// What all cells of a run folder share; a sweep that differs in any of it needs a folder of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    /// The task's name.
    pub task: String,
    /// SHA-256 of the task.
    pub task_hash: String,
    /// The reference as it was named.
    pub reference: String,
    /// SHA-256 of the reference texts.
    pub reference_hash: String,
    /// Reference texts that are compared.
    pub reference_n: usize,
    /// The embedder as it was named.
    pub embedder: String,
    /// SHA-256 of its weights and tokenizer.
    pub embedder_hash: String,
    /// `last` or `mean`.
    pub pooling: String,
    /// Tokens after which a text is cut before it is embedded.
    pub embed_tokens: usize,
    /// Completions a cell.
    pub n_samples: usize,
    /// Tokens after which a completion is cut.
    pub max_new_tokens: usize,
    /// Different prompts a cell.
    pub prompts: usize,
    /// Seed of the parting of texts and of the prompts.
    pub prompt_seed: u64,
}

impl Shared {
    /// What stands in signatures for the prompts of all cells: the task and how its prompts are drawn.
    /// How each model reads them, and with how many examples, is a setting of the cell.
    pub fn prompts_content(&self) -> String {
        let drawn = format!("{} under {}", self.prompts, self.prompt_seed);
        content([&self.task_hash, &drawn])
    }

    /// The first thing that keeps `theirs` and these apart: its name and both values.
    fn differs(&self, theirs: &Self) -> Option<(&'static str, String, String)> {
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        let pairs = [
            ("task", theirs.task.clone(), self.task.clone()),
            ("task's hash", short(&theirs.task_hash), short(&self.task_hash)),
            ("number of completions", theirs.n_samples.to_string(), self.n_samples.to_string()),
            ("token limit", theirs.max_new_tokens.to_string(), self.max_new_tokens.to_string()),
            ("number of prompts", theirs.prompts.to_string(), self.prompts.to_string()),
            ("prompt seed", theirs.prompt_seed.to_string(), self.prompt_seed.to_string()),
            (
                "number of reference texts",
                theirs.reference_n.to_string(),
                self.reference_n.to_string(),
            ),
            ("reference's hash", short(&theirs.reference_hash), short(&self.reference_hash)),
            ("embedder's hash", short(&theirs.embedder_hash), short(&self.embedder_hash)),
            ("pooling", theirs.pooling.clone(), self.pooling.clone()),
            ("embedding length", theirs.embed_tokens.to_string(), self.embed_tokens.to_string()),
        ];
        pairs.into_iter().find(|(_, theirs, ours)| theirs != ours)
    }
}

/// A model of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// As it was named.
    pub name: String,
    /// SHA-256 of its weights and configuration.
    pub hash: String,
    /// SHA-256 of its tokenizer.
    pub tokenizer_hash: String,
    /// Type of weights and products.
    pub dtype: String,
    /// `cpu`, `cuda` or `server`.
    pub device: String,
    /// What a server was found to be and to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<serde_json::Value>,
}

/// One process that worked on the run; nothing in it influences a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// When it began, RFC 3339.
    pub started: String,
    /// Where.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// The command line.
    pub command: Vec<String>,
    /// The folder that relative names of the command begin in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The part of the cells that it was given, where it was a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Completions it drew.
    pub completions: u64,
    /// Tokens it drew.
    pub tokens: u64,
    /// Seconds of drawing.
    pub sampling_seconds: f64,
    /// Completions whose torn lines it cut, to be drawn again.
    pub torn_lines: u64,
    /// `done`, `stopped`, `failed`, or `running` while it lives or after a kill.
    pub outcome: String,
}

/// `run.json`: what the run is, and its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RUN_SCHEMA`].
    pub schema: String,
    /// The version of llmpr that wrote it last.
    pub llmpr: String,
    /// What all cells share.
    pub shared: Shared,
    /// How cells were scored last.
    #[serde(default)]
    pub scoring: serde_json::Value,
    /// Models, in the order in which they came.
    pub models: Vec<ModelRecord>,
    /// Cells of the last plan, in its order.
    pub cells: Vec<String>,
    /// Processes that worked on it.
    pub sessions: Vec<Session>,
}

impl RunRecord {
    /// Keeps `model`: in place of what was known of the same model, else behind the others.
    pub fn keep(&mut self, model: &ModelRecord) {
        let same = |known: &&mut ModelRecord| {
            let key = |m: &ModelRecord| {
                (m.hash.clone(), m.tokenizer_hash.clone(), m.dtype.clone(), m.device.clone())
            };
            known.name == model.name && key(known) == key(model)
        };
        match self.models.iter_mut().find(same) {
            Some(known) if model.server.is_some() || known.server.is_none() => {
                *known = model.clone()
            }
            Some(_) => {}
            None => self.models.push(model.clone()),
        }
    }

    /// What to say of cells of the last plan that have no score; `None` where all have one.
    ///
    /// * `scored`: whether the cell of an id has one.
    pub fn missing(&self, scored: impl Fn(&str) -> bool) -> Option<String> {
        let (all, missing) = (self.cells.len(), self.cells.iter().filter(|id| !scored(id)).count());
        (missing > 0).then(|| {
            let verb = if missing == 1 { "has" } else { "have" };
            format!(
                "{missing} of the {all} cells of the plan {verb} no score; the same `llmpr sweep` goes on"
            )
        })
    }
}

/// A run folder: where things are, and, once it has been entered, this process as one that works there.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    alive: Arc<Mutex<Option<Arc<Alive>>>>,
}

impl RunFolder {
    /// The folder at `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), alive: Arc::default() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `run.json`.
    pub fn run_json(&self) -> PathBuf {
        self.root.join("run.json")
    }

    /// A file in `reference/`.
    pub fn reference(&self, name: &str) -> PathBuf {
        self.root.join("reference").join(name)
    }

    /// A file of a cell.
    pub fn cell(&self, id: &str, name: &str) -> PathBuf {
        self.root.join("cells").join(id).join(name)
    }

    /// Ids of all cells that have a folder, sorted.
    pub fn cell_ids(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join("cells")).into_iter().flatten().flatten();
        let mut ids: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.sort();
        ids
    }

    /// Reads `run.json`, if there is one.
    ///
    /// # Errors
    ///
    /// [`FolderError::Schema`]; [`FolderError::Damaged`] and [`FolderError::CellId`] for what llmpr did not write;
    /// [`FolderError::Store`] when it cannot be read.
    pub fn record(&self) -> Result<Option<RunRecord>, FolderError> {
        let path = self.run_json();
        let shown = path.display().to_string();
        let json = match read_json::<serde_json::Value>(&path) {
            Err(StoreError::BadFile { path, what }) => {
                return Err(FolderError::Damaged { path, what });
            }
            json => json?,
        };
        let Some(json) = json else { return Ok(None) };
        let Some(schema) = json.get("schema").and_then(|s| s.as_str()) else {
            return Err(FolderError::Foreign { path: shown });
        };
        if schema != RUN_SCHEMA {
            return Err(FolderError::Schema { path: shown, schema: schema.to_owned() });
        }
        let record: RunRecord = serde_json::from_value(json).map_err(|error| {
            FolderError::Damaged { path: shown.clone(), what: error.to_string() }
        })?;
        // Ids become names of folders.
        match record.cells.iter().find(|id| !is_cell_id(id)) {
            Some(id) => Err(FolderError::CellId { path: shown, id: id.clone() }),
            None => Ok(Some(record)),
        }
    }

    /// Where the processes that work on the run show that they live.
    pub fn signs(&self) -> PathBuf {
        self.root.join("alive")
    }

    /// The file that is a cell's lock, or, of `None`, the folder's.
    pub fn lock_file(&self, cell: Option<&str>) -> PathBuf {
        cell.map_or_else(|| self.root.join("lock"), |id| self.cell(id, "lock"))
    }

    /// Begins to work here, making the folder if need be.
    ///
    /// # Errors
    ///
    /// [`FolderError::NotARun`] for a folder with other things in it; [`FolderError::Lock`].
    pub fn enter(&self) -> Result<Arc<Alive>, FolderError> {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(alive) = &*alive {
            return Ok(alive.clone());
        }
        make_folder(&self.root)?;
        self.refuse_strangers()?;
        Ok(alive.insert(Arc::new(Alive::begin(&self.signs())?)).clone())
    }

    /// Takes the folder's lock.
    ///
    /// # Errors
    ///
    /// [`FolderError::Lock`], and those of [`RunFolder::enter`].
    pub fn lock(&self, waiting: Waiting<'_>) -> Result<Lock, FolderError> {
        Ok(Lock::acquire(&self.lock_file(None), &self.enter()?, waiting)?)
    }

    /// Takes the lock of one cell if it is free, making the cell's folder if need be.
    ///
    /// # Errors
    ///
    /// [`FolderError::Lock`], [`FolderError::Store`].
    pub fn try_cell(&self, id: &str) -> Result<Attempt, FolderError> {
        make_folder(&self.root.join("cells").join(id))?;
        Ok(Lock::attempt(&self.lock_file(Some(id)), &self.enter()?)?)
    }

    /// Takes the lock of one cell, making the cell's folder if need be.
    ///
    /// # Errors
    ///
    /// [`FolderError::Lock`], [`FolderError::Store`].
    pub fn lock_cell(&self, id: &str, waiting: Waiting<'_>) -> Result<Lock, FolderError> {
        make_folder(&self.root.join("cells").join(id))?;
        Ok(Lock::acquire(&self.lock_file(Some(id)), &self.enter()?, waiting)?)
    }

    /// Looks once at who holds the locks of these cells, so that whether they live is known soonest.
    ///
    /// # Errors
    ///
    /// Those of [`RunFolder::enter`].
    pub fn watch<'a>(&self, cells: impl Iterator<Item = &'a str>) -> Result<(), FolderError> {
        let alive = self.enter()?;
        for id in cells {
            if let Ok(Some(holder)) = lock::read(&self.lock_file(Some(id))) {
                alive.watch.judge(&holder);
            }
        }
        Ok(())
    }

    /// Whether nobody has taken over what this process holds here; asked before anything is written.
    ///
    /// # Errors
    ///
    /// [`LockError::Lost`].
    pub fn still_ours(&self) -> Result<(), FolderError> {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(alive.as_ref().map_or(Ok(()), |alive| alive.check())?)
    }

    /// Removes what dead processes left in [`RunFolder::signs`] and hold nothing by.
    pub fn clean(&self) {
        let Ok(alive) = self.enter() else { return };
        let cells = self.cell_ids();
        let files = cells.iter().map(|id| Some(id.as_str())).chain([None]);
        let held: Vec<String> = files
            .filter_map(|cell| lock::read(&self.lock_file(cell)).ok()?)
            .map(|holder| holder.token)
            .collect();
        alive.watch.clean(|token| held.iter().any(|other| other == token));
    }

    /// Whether the run `shared` could begin or go on here; nothing is written.
    ///
    /// # Errors
    ///
    /// Those of [`RunFolder::enter`] and [`RunFolder::begin`].
    pub fn accepts(&self, shared: &Shared) -> Result<(), FolderError> {
        self.refuse_strangers()?;
        self.begin(shared).map(|_| ())
    }

    /// Begins or continues the run `shared`: the record to go on with.
    ///
    /// # Errors
    ///
    /// [`FolderError::OtherSweep`] says in what the folder's run differs; [`FolderError::NotARun`] for cells without a
    /// `run.json` that are of another sweep.
    pub fn begin(&self, shared: &Shared) -> Result<RunRecord, FolderError> {
        let llmpr = env!("CARGO_PKG_VERSION").to_owned();
        match self.record()? {
            Some(old) => {
                if let Some((what, theirs, ours)) = shared.differs(&old.shared) {
                    let path = self.root.display().to_string();
                    return Err(FolderError::OtherSweep { path, what, theirs, ours });
                }
                Ok(RunRecord { llmpr, ..old })
            }
            None if self.has_strangers() && !self.is_orphan_of(shared) => Err(self.not_a_run()),
            None => Ok(RunRecord {
                schema: RUN_SCHEMA.to_owned(),
                llmpr,
                shared: shared.clone(),
                scoring: serde_json::Value::Null,
                models: Vec::new(),
                cells: Vec::new(),
                sessions: Vec::new(),
            }),
        }
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`].
    pub fn write(&self, record: &RunRecord) -> Result<(), StoreError> {
        write_json(&self.run_json(), record)
    }
}

/// The folder that this process's relative names begin in.
pub fn directory() -> Option<String> {
    std::env::current_dir().ok().map(|folder| folder.display().to_string())
}

/// The time as RFC 3339 in UTC; that of `SOURCE_DATE_EPOCH` where it is set.
pub fn now() -> String {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = given.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    });
    rfc3339(seconds)
}

/// Seconds since 1970 as a date and time. Years are counted from March, so that a leap day is the
/// last day of its year (Hinnant's days_from_civil, inverted).
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
pub(super) mod tests;
