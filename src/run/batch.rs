//! A sweep whose requests are answered elsewhere: they go out in one file and come back in another.
//!
//! The files are those of OpenAI's batch API and of vLLM's `run-batch`. A request is called by its cell and its draw
//! (`3f2a…:12-0`), so answers may come in any order, in parts, and twice.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader, Write},
    path::Path,
    time::Duration,
};

use serde_json::Value;

use super::{
    folder::{FolderError, ModelRecord, RunFolder, Session, directory, now},
    lock::{Waiting, host},
    models::{ask_of, server_facts},
    plan::{PlannedCell, draws},
    progress::Quiet,
    sampling::{Open, SampleError, is_complete, sample_record},
    signals::Stop,
    store::{StoreError, read_log, write_error},
    sweep::{Group, Sweep},
};
use crate::{
    data::{secret::without_logins, whole::Whole},
    lm::server::{BatchAnswer, Dialect, Server},
    report::record::SampleRecord,
    rng::Draw,
};

/// What OpenAI takes in one file.
const MOST: (usize, u64) = (50_000, 200_000_000);
/// Requests that are named where something is wrong with many.
const NAMED: usize = 5;

/// Why a batch cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum BatchError {
    /// A model that is no server.
    #[error("`{name}` is no server: batches are for models behind openai:URL#NAME")]
    NoServer { name: String },
    /// Nothing is left to be asked.
    #[error(
        "nothing is open: all completions are drawn, and the same `llmpr sweep` without the flag scores them"
    )]
    NothingOpen,
    /// A file of answers that cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read { path: String, source: std::io::Error },
    /// A line that is no answer.
    #[error("`{path}`, line {line}: {what}; nothing was taken from the file")]
    BadLine { path: String, line: usize, what: String },
    /// No line of the file is of this sweep.
    #[error(
        "`{path}`: none of its {n} custom_ids is of this sweep (the first is `{first}`); give the flags that the requests were written with"
    )]
    Foreign { path: String, n: usize, first: String },
    /// The run folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file of it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A cell of it.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Requests.
    pub requests: usize,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Completions that are new.
    pub taken: usize,
    /// Answers that the run has already.
    pub known: usize,
    /// Completions that are still open.
    pub open: usize,
    /// Requests that failed or were answered wrongly, and why.
    pub failed: Vec<(String, String)>,
    /// `custom_id`s that are not of this sweep.
    pub unknown: Vec<String>,
}

impl Imported {
    /// Sentences for the person who started.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = vec![format!(
            "{} completions taken, {} were there already, {} are open",
            self.taken, self.known, self.open
        )];
        let named = |all: &[String]| {
            let more = all.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ") + &more
        };
        if !self.failed.is_empty() {
            let all: Vec<String> =
                self.failed.iter().map(|(id, why)| format!("`{id}` ({why})")).collect();
            said.push(format!("{} requests failed and stay open: {}", all.len(), named(&all)));
        }
        if !self.unknown.is_empty() {
            let all: Vec<String> = self.unknown.iter().map(|id| format!("`{id}`")).collect();
            said.push(format!(
                "{} custom_ids are not of this sweep and were left out: {}",
                all.len(),
                named(&all)
            ));
        }
        said
    }
}

/// Locks are waited for as long as somebody holds one for moments.
fn waiting(stop: &Stop) -> Waiting<'_> {
    Waiting { busy: Duration::from_secs(1), stop, progress: &Quiet }
}

fn custom_id(cell: &PlannedCell, draw: Draw) -> String {
    format!("{}:{}-{}", cell.record.id, draw.prompt, draw.sample)
}

/// The server of a group, and how it is spoken to as far as the run knows.
fn speech(group: &Group) -> Result<(&Server, Dialect), BatchError> {
    let name = || group.record.name.clone();
    let server = group.model.server().ok_or_else(|| BatchError::NoServer { name: name() })?;
    let known = server_facts(&group.record).filter(|facts| facts.seed.is_some());
    let dialect = known.map(|facts| Dialect::from_facts(&facts)).unwrap_or_default();
    Ok((server, dialect))
}

/// The draws of a cell that have no completion yet.
fn open_draws(folder: &RunFolder, cell: &PlannedCell) -> Result<Vec<Draw>, StoreError> {
    let path = folder.cell(&cell.record.id, "samples.jsonl");
    let there: HashSet<Draw> = match path.exists() {
        true => read_log::<SampleRecord>(&path)?
            .iter()
            .map(|r| Draw { prompt: r.prompt_index, sample: r.sample })
            .collect(),
        false => HashSet::new(),
    };
    let all = draws(cell.record.n_samples, cell.prompts.prompts.len());
    Ok(all.filter(|draw| !there.contains(draw)).collect())
}

/// Writes the request of every completion that is open to `path`; the run folder is begun, so that the answers
/// find it. No server is asked anything.
///
/// # Errors
///
/// [`BatchError`].
pub fn export(sweep: &Sweep, command: Vec<String>, path: &Path) -> Result<Exported, BatchError> {
    for group in &sweep.groups {
        speech(group)?;
    }
    let folder = RunFolder::new(&sweep.settings.out);
    let never = Stop::never();
    let _lock = folder.lock(waiting(&never))?;
    let failed = |source| BatchError::from(write_error(path, source));
    let mut out = Whole::create(path).map_err(failed)?;
    let (mut requests, mut bytes, mut models) = (0, 0u64, HashSet::new());
    for group in &sweep.groups {
        let (server, dialect) = speech(group)?;
        for cell in &group.cells {
            let stop: std::sync::Arc<[String]> = cell.record.stop.as_slice().into();
            for draw in open_draws(&folder, cell)? {
                let ask = ask_of(cell, draw, 0, stop.clone());
                let line = server.batch_line(&custom_id(cell, draw), &ask, &dialect);
                bytes += line.len() as u64 + 1;
                requests += 1;
                models.insert(server.model().to_owned());
                writeln!(out, "{line}").map_err(failed)?;
            }
        }
    }
    if requests == 0 {
        return Err(BatchError::NothingOpen);
    }
    out.finish().map_err(failed)?;
    note_session(sweep, &folder, command, &format!("exported {requests} requests"), 0)?;
    let mut notes = Vec::new();
    if requests > MOST.0 || bytes > MOST.1 {
        notes.push(format!(
            "{requests} requests in {} MB: OpenAI takes {} requests and {} MB a file, so split it by lines",
            bytes / 1_000_000,
            MOST.0,
            MOST.1 / 1_000_000
        ));
    }
    if models.len() > 1 {
        notes.push(format!(
            "requests for {} models: OpenAI takes one model a file, so split it by `model`",
            models.len()
        ));
    }
    Ok(Exported { requests, notes })
}

/// Takes the answers in `path`: what the run has already is passed over, what failed stays open.
///
/// # Errors
///
/// [`BatchError`]; a line that is no JSON or has no `custom_id` refuses the file before anything is taken.
pub fn import(sweep: &Sweep, command: Vec<String>, path: &Path) -> Result<Imported, BatchError> {
    for group in &sweep.groups {
        speech(group)?;
    }
    let answers = read_answers(path)?;
    let folder = RunFolder::new(&sweep.settings.out);
    let never = Stop::never();
    let _lock = folder.lock(waiting(&never))?;
    let cells: HashMap<&str, (&Group, &PlannedCell)> = sweep
        .groups
        .iter()
        .flat_map(|group| {
            group.cells.iter().map(move |cell| (cell.record.id.as_str(), (group, cell)))
        })
        .collect();
    let mut imported = Imported::default();
    let mut by_cell: indexmap::IndexMap<&str, Vec<(Draw, &Value, &str)>> =
        indexmap::IndexMap::new();
    for (id, line) in &answers {
        match place(id, &cells) {
            Some((cell, draw)) => by_cell.entry(cell).or_default().push((draw, line, id)),
            None => imported.unknown.push(id.clone()),
        }
    }
    if by_cell.is_empty() {
        let (path, n) = (path.display().to_string(), answers.len());
        let first = imported.unknown.first().cloned().unwrap_or_default();
        return Err(BatchError::Foreign { path, n, first });
    }
    for (cell, lines) in by_cell {
        let Some((group, cell)) = cells.get(cell) else { continue };
        take(sweep, &folder, group, cell, lines, &mut imported)?;
    }
    for cell in sweep.cells().filter(|cell| !is_complete(&folder, &cell.record)) {
        imported.open += open_draws(&folder, cell)?.len();
    }
    let outcome = format!("imported {} completions", imported.taken);
    note_session(sweep, &folder, command, &outcome, imported.taken as u64)?;
    Ok(imported)
}

/// The answers of one cell.
fn take(
    sweep: &Sweep,
    folder: &RunFolder,
    group: &Group,
    cell: &PlannedCell,
    lines: Vec<(Draw, &Value, &str)>,
    imported: &mut Imported,
) -> Result<(), BatchError> {
    let (server, dialect) = speech(group)?;
    let stop: std::sync::Arc<[String]> = cell.record.stop.as_slice().into();
    let never = Stop::never();
    let lock = folder.lock_cell(&cell.record.id, waiting(&never))?;
    let (mut open, _) = Open::new(folder, cell, lock)?;
    let mut missing: HashSet<Draw> = open.missing.iter().copied().collect();
    for (draw, line, id) in lines {
        if !missing.contains(&draw) {
            imported.known += 1;
            continue;
        }
        let ask = ask_of(cell, draw, 0, stop.clone());
        let said = line["response"]["body"]["model"].as_str();
        let asked = server.model();
        if let Some(other) = said.filter(|said| !said.starts_with(asked) && !asked.ends_with(*said))
        {
            let why = format!("answered by `{other}`, and `{asked}` was asked");
            imported.failed.push((id.to_owned(), without_logins(&why)));
            continue;
        }
        match server.batch_answer(&ask, line, &dialect) {
            BatchAnswer::Done(completion) => {
                missing.remove(&draw);
                open.keep(&sample_record(&sweep.task, cell, draw, *completion))?;
                imported.taken += 1;
            }
            BatchAnswer::Failed(why) => imported.failed.push((id.to_owned(), why)),
        }
    }
    Ok(open.close()?)
}

/// The cell and the draw that a `custom_id` names.
fn place<'a>(
    id: &str,
    cells: &HashMap<&'a str, (&'a Group, &'a PlannedCell)>,
) -> Option<(&'a str, Draw)> {
    let (cell, draw) = id.split_once(':')?;
    let (cell, (_, planned)) = cells.get_key_value(cell)?;
    let (prompt, sample) = draw.split_once('-')?;
    let draw = Draw { prompt: prompt.parse().ok()?, sample: sample.parse().ok()? };
    let (n, prompts) = (planned.record.n_samples, planned.prompts.prompts.len());
    let at = draw.sample as usize * prompts + draw.prompt as usize;
    ((draw.prompt as usize) < prompts && at < n).then_some((*cell, draw))
}

/// The lines of a file by their `custom_id`.
fn read_answers(path: &Path) -> Result<Vec<(String, Value)>, BatchError> {
    let shown = || path.display().to_string();
    let read = |source| BatchError::Read { path: shown(), source };
    let file = BufReader::new(std::fs::File::open(path).map_err(read)?);
    let mut answers = Vec::new();
    for (at, line) in file.lines().enumerate() {
        let line = line.map_err(read)?;
        if line.trim().is_empty() {
            continue;
        }
        let bad = |what: String| BatchError::BadLine { path: shown(), line: at + 1, what };
        let json: Value = serde_json::from_str(&line).map_err(|error| bad(error.to_string()))?;
        let id = json["custom_id"].as_str().map(str::to_owned);
        let id = id.ok_or_else(|| bad("no `custom_id`".to_owned()))?;
        if json.get("response").is_none() && json.get("error").is_none() {
            return Err(bad(
                "neither `response` nor `error`; answers are wanted, not requests".to_owned()
            ));
        }
        answers.push((id, json));
    }
    Ok(answers)
}

/// Begins `run.json`, or goes on with it, and writes down what was done.
fn note_session(
    sweep: &Sweep,
    folder: &RunFolder,
    command: Vec<String>,
    outcome: &str,
    completions: u64,
) -> Result<(), BatchError> {
    let mut record = folder.begin(&sweep.shared)?;
    let models: Vec<&ModelRecord> = sweep.groups.iter().map(|group| &group.record).collect();
    models.into_iter().for_each(|model| record.keep(model));
    record.cells = sweep.cells().map(|cell| cell.record.id.clone()).collect();
    record.scoring = serde_json::to_value(&sweep.settings.score).unwrap_or_default();
    record.sessions.push(Session {
        started: now(),
        host: host(),
        pid: std::process::id(),
        shard: None,
        command: command.iter().map(|word| without_logins(word)).collect(),
        directory: directory(),
        seconds: 0.0,
        completions,
        tokens: 0,
        sampling_seconds: 0.0,
        torn_lines: 0,
        outcome: outcome.to_owned(),
    });
    Ok(folder.write(&record)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::settings::SweepSettings;

    #[test]
    fn an_answer_has_a_place_where_its_draw_was_asked_for() {
        let mut settings = SweepSettings::new("synthetic-bio", &["tiny-bio"]);
        (settings.n_samples, settings.prompts) = (12, Some(5));
        let sweep = Sweep::plan(settings).unwrap();
        let group = &sweep.groups[0];
        let cells = HashMap::from([("a", (group, &group.cells[0]))]);
        // Twelve draws of five prompts: the first two of them a third time.
        for (id, prompt, sample) in [("a:0-0", 0, 0), ("a:4-1", 4, 1), ("a:1-2", 1, 2)] {
            assert_eq!(place(id, &cells), Some(("a", Draw { prompt, sample })), "{id}");
        }
        for id in ["a:2-2", "a:0-3", "a:5-0", "b:0-0", "a:0", "a0-0", "a:-1-0", "a:0-x"] {
            assert_eq!(place(id, &cells), None, "{id}");
        }
    }
}
