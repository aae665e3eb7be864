//! How far a run is, seen from any machine: nothing is written.

use std::{collections::HashMap, time::Duration};

use serde::Serialize;

use super::{
    folder::{FolderError, RunFolder, RunRecord},
    lock::{self, Holder, LockError, Rules, Verdict, Watch},
    plan::{Parts, Shard},
    progress::Progress,
    sampling::count_drawn,
    signals::Stop,
    store::read_json,
};
use crate::report::record::CellRecord;

/// The name and version of a status as JSON.
pub const STATUS_SCHEMA: &str = "llmpr.status/1";

/// Where a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All its completions are drawn.
    Done,
    /// A living process is drawing it.
    Running,
    /// The process that was drawing it has ended.
    Dead,
    /// Completions are missing, and nobody has it.
    Missing,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Done, Self::Running, Self::Dead, Self::Missing];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Running => "running",
            Self::Dead => "dead",
            Self::Missing => "missing",
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Dead | Self::Missing)
    }
}

/// One cell of the last plan.
#[derive(Clone, Debug, Serialize)]
pub struct CellStatus {
    /// Its id.
    pub id: String,
    /// Its settings, once it has begun.
    pub label: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Different completions there are.
    pub drawn: usize,
    /// Of how many.
    pub n_samples: usize,
    /// Whether features lie beside them.
    pub embedded: bool,
    /// Whether a score does.
    pub scored: bool,
    /// Who has its lock, dead or alive.
    pub holder: Option<Holder>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// [`STATUS_SCHEMA`].
    pub schema: &'static str,
    /// Its folder.
    pub run: String,
    /// How many cells are in each state.
    pub counts: HashMap<&'static str, usize>,
    /// Into which parts the run was last divided, `4+2`.
    pub parts: Option<String>,
    /// Parts with cells that are dead or missing and none that is running, as `sbatch --array` takes them; empty
    /// where there are none, `None` where the run was not divided.
    pub array: Option<String>,
    /// Its cells, in the order of the plan.
    pub cells: Vec<CellStatus>,
}

/// How far the run in `folder` is. Whether a process of another machine lives may take a while to see; `progress` hears of
/// that.
///
/// # Errors
///
/// [`FolderError`]: no run, a file that cannot be read, a stop that was asked for.
pub fn status(
    folder: &RunFolder,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<Status, FolderError> {
    let run = folder.root().display().to_string();
    let record = folder.record()?.ok_or_else(|| FolderError::NoRun { path: run.clone() })?;
    let mut cells = Vec::with_capacity(record.cells.len());
    for id in &record.cells {
        cells.push(look(folder, &record, id)?);
    }
    judge(folder, &mut cells, stop, progress)?;
    let count = |state| cells.iter().filter(|cell: &&CellStatus| cell.state == state).count();
    let counts = State::ALL.into_iter().map(|state| (state.name(), count(state))).collect();
    let parts = parts(&record);
    let states: Vec<State> = cells.iter().map(|cell| cell.state).collect();
    let array = parts.as_ref().map(|parts| listed(&open_parts(parts, &states)));
    let parts = parts.map(|parts| parts.to_string());
    Ok(Status { schema: STATUS_SCHEMA, run, counts, parts, array, cells })
}

/// A cell by its files; one with a lock is running until the lock is judged.
fn look(folder: &RunFolder, record: &RunRecord, id: &str) -> Result<CellStatus, FolderError> {
    let cell: Option<CellRecord> = read_json(&folder.cell(id, "cell.json"))?;
    let (drawn, n_samples) = match &cell {
        Some(cell) => (count_drawn(folder, cell), cell.n_samples),
        None => (0, record.shared.n_samples),
    };
    let path = folder.lock_file(Some(id));
    let holder = lock::holder(&path).map_err(|source| LockError::io(&path, source))?;
    let state = match &holder {
        _ if drawn >= n_samples => State::Done,
        Some(_) => State::Running,
        None => State::Missing,
    };
    let there = |name| folder.cell(id, name).exists();
    Ok(CellStatus {
        id: id.to_owned(),
        label: cell.map(|cell| cell.label()),
        state,
        drawn,
        n_samples,
        embedded: there("features.npy"),
        scored: there("scores.json"),
        holder,
    })
}

/// Finds the dead among those that seem to run, all at once.
fn judge(
    folder: &RunFolder,
    cells: &mut [CellStatus],
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<(), FolderError> {
    let rules = Rules::from_environment()?;
    let watch = Watch::new(folder.signs(), rules, Holder::here());
    let (mut known, mut said): (HashMap<String, Verdict>, bool) = (HashMap::new(), false);
    let holders = cells.iter().filter(|cell| cell.state == State::Running);
    let mut asked: Vec<Holder> = holders.filter_map(|cell| cell.holder.clone()).collect();
    asked.sort_by(|a, b| a.token.cmp(&b.token));
    asked.dedup_by(|a, b| a.token == b.token);
    // Version 0.1 gave no signs; a person has to look.
    asked.retain(|holder| !holder.is_old());
    while !asked.is_empty() {
        asked.retain(|holder| {
            let verdict = watch.judge(holder);
            if verdict != Verdict::Unsure {
                known.insert(holder.token.clone(), verdict);
            }
            verdict == Verdict::Unsure
        });
        if asked.is_empty() {
            break;
        }
        if stop.asked() {
            let path = folder.root().display().to_string();
            return Err(LockError::Stopped { path }.into());
        }
        if !std::mem::replace(&mut said, true) {
            let (count, time) = (asked.len(), watch.patience().as_secs_f64());
            progress.say(&format!("watching for {time} s whether {count} process(es) live"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    for cell in cells.iter_mut().filter(|cell| cell.state == State::Running) {
        let token = cell.holder.as_ref().map_or("", |holder| &holder.token);
        if known.get(token) == Some(&Verdict::Dead) {
            cell.state = State::Dead;
        }
    }
    Ok(())
}

/// Into which parts the run was last divided.
pub fn parts(record: &RunRecord) -> Option<Parts> {
    let shard = record.sessions.iter().rev().find_map(|session| session.shard.as_deref())?;
    shard.parse::<Shard>().ok().map(|shard| shard.parts)
}

/// The parts that have cells which are dead or missing and none that is running.
///
/// * `states`: those of all cells, in the order of the plan; models have equally many each.
pub fn open_parts(parts: &Parts, states: &[State]) -> Vec<usize> {
    let models = vec![states.len() / parts.models(); parts.models()];
    let ranges = parts.ranges(&models).unwrap_or_default();
    let is_open = |states: &[State]| {
        states.iter().any(|state| state.is_open()) && !states.contains(&State::Running)
    };
    let open = ranges
        .into_iter()
        .enumerate()
        .filter(|(_, range)| states.get(range.clone()).is_some_and(is_open));
    open.map(|(index, _)| index).collect()
}

/// `0,2,5-7`.
pub fn listed(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let said = runs.iter().map(|&(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    });
    said.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_open_where_work_is_left_and_nobody_is_at_it() {
        use State::{Dead, Done, Missing, Running};
        let parts = |text: &str| format!("0/{text}").parse::<Shard>().unwrap().parts;
        let states = [Done, Done, Done, Dead, Missing, Running, Missing, Missing];
        assert_eq!(open_parts(&parts("2+4"), &states), [1, 2, 4, 5]);
        assert_eq!(open_parts(&parts("2+2"), &states), [1, 3]);
        assert_eq!(open_parts(&parts("8"), &states), [3, 4, 6, 7]);
        assert_eq!(listed(&[0, 2, 5, 6, 7, 9, 10]), "0,2,5-7,9-10");
        assert_eq!(listed(&[]), "");
    }
}
