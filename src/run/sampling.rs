//! Drawing a model's cells: all their completions as one stream through the model, each kept at once.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    folder::{FolderError, RunFolder},
    lock::{Attempt, Holder, Lock, LockError},
    models::Drawer,
    plan::{PlannedCell, draws},
    progress::Progress,
    quirks,
    signals::Stop,
    store::{Log, StoreError, read_log, sort_log, write_json},
};
use crate::{
    lm::{
        LmError,
        generate::{Completion, Event, FinishReason, GenerateOptions},
    },
    report::record::{CellRecord, SampleRecord, short_name},
    rng::Draw,
    text::task::Task,
};

/// Cells whose logs are open at a time: each takes two of the files that a process may open.
const CELLS_AT_A_TIME: usize = 200;

/// Why drawing ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The run folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file of it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A lock is no longer held.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The model or the device.
    #[error(transparent)]
    Lm(#[from] LmError),
}

/// What was drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// Completions.
    pub completions: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Time that took.
    pub time: Duration,
    /// Torn lines that were cut.
    pub torn: u64,
    /// Cells in which something failed: id and why.
    pub failed: Vec<(String, String)>,
    /// Cells that another process is drawing.
    pub busy: Vec<(String, Holder)>,
    /// Whether a stop was asked for before all was drawn.
    pub stopped: bool,
}

/// A cell that is being drawn.
pub(super) struct Open<'a> {
    pub(super) cell: &'a PlannedCell,
    path: PathBuf,
    /// Open as long as completions are to come.
    log: Option<Log>,
    pub(super) missing: Vec<Draw>,
    /// How many of them are still to come.
    left: usize,
    failure: Option<String>,
    lock: Lock,
}

/// Whether a cell has all its completions; nothing is opened for writing.
pub fn is_complete(folder: &RunFolder, cell: &CellRecord) -> bool {
    count_drawn(folder, cell) >= cell.n_samples
}

/// How many different completions of a cell there are; none where they cannot be read.
pub fn count_drawn(folder: &RunFolder, cell: &CellRecord) -> usize {
    let records = read_log::<SampleRecord>(&folder.cell(&cell.id, "samples.jsonl"));
    records.map_or(0, |records| present(&records).len())
}

/// Where a line of `samples.jsonl` stands; a tenth of the time that its whole record takes.
#[derive(serde::Deserialize)]
struct Place {
    prompt_index: u32,
    sample: u32,
}

/// Puts the completions of a file in the order of their ids, each once, so that the file does not depend on
/// which was finished first.
///
/// # Errors
///
/// Those of [`sort_log`].
pub fn sort_samples(path: &Path) -> Result<(), StoreError> {
    sort_log(path, |place: &Place| (place.prompt_index, place.sample))
}

/// Sorts a cell that has all its completions; a kill may have come between the last of them and that. Settings that were
/// lost or damaged since are written again, and a lock goes whose holder was killed before it gave it up.
///
/// One that another process holds is left to it: it is drawing more, and sorts in the end.
///
/// # Errors
///
/// [`SampleError::Folder`], [`SampleError::Store`].
pub fn settle(folder: &RunFolder, cell: &CellRecord) -> Result<(), SampleError> {
    let path = folder.cell(&cell.id, "samples.jsonl");
    let ids = |sample: &SampleRecord| (sample.prompt_index, sample.sample);
    if !read_log(&path)?.iter().map(ids).is_sorted_by(|a, b| a < b)
        && let Attempt::Taken(_lock) = folder.try_cell(&cell.id)?
    {
        sort_samples(&path)?;
    }
    let settings = folder.cell(&cell.id, "cell.json");
    let is_whole = std::fs::read(&settings).is_ok_and(|bytes| {
        bytes.ends_with(b"}\n") && serde_json::from_slice::<CellRecord>(&bytes).is_ok()
    });
    if !is_whole && let Attempt::Taken(_lock) = folder.try_cell(&cell.id)? {
        write_json(&settings, cell)?;
    }
    // Nothing is left to draw here, so that nobody else would take a dead process's lock.
    if folder.lock_file(Some(&cell.id)).exists() {
        drop(folder.try_cell(&cell.id)?);
    }
    Ok(())
}

fn present(records: &[SampleRecord]) -> HashSet<Draw> {
    records.iter().map(|r| Draw { prompt: r.prompt_index, sample: r.sample }).collect()
}

impl<'a> Open<'a> {
    /// Finds what is missing of a cell whose lock is held, cuts a torn line.
    pub(super) fn new(
        folder: &RunFolder,
        cell: &'a PlannedCell,
        lock: Lock,
    ) -> Result<(Self, u64), SampleError> {
        let record = &cell.record;
        write_json(&folder.cell(&record.id, "cell.json"), record)?;
        let path = folder.cell(&record.id, "samples.jsonl");
        let (log, found) = Log::open::<SampleRecord>(&path)?;
        let there = present(&found.records);
        let all = draws(cell.upto, cell.prompts.prompts.len());
        let missing: Vec<Draw> = all.filter(|draw| !there.contains(draw)).collect();
        let (left, log) = (missing.len(), Some(log));
        let mut open = Self { cell, path, log, missing, left, failure: None, lock };
        if left == 0 {
            open.close()?;
        }
        Ok((open, u64::from(found.torn > 0)))
    }

    /// Keeps a completion; with the last one the cell's file is put in order.
    pub(super) fn keep(&mut self, record: &SampleRecord) -> Result<(), SampleError> {
        self.lock.check()?;
        if let Some(log) = &mut self.log {
            log.append(record)?;
        }
        self.left -= 1;
        if self.left == 0 { self.close() } else { Ok(()) }
    }

    pub(super) fn close(&mut self) -> Result<(), SampleError> {
        if let Some(mut log) = self.log.take() {
            log.sync()?;
            if self.left == 0 {
                self.lock.check()?;
                sort_samples(&self.path)?;
            }
        }
        Ok(())
    }
}

/// The line of `samples.jsonl` for a completion.
pub fn sample_record(
    task: &Task,
    cell: &PlannedCell,
    draw: Draw,
    completion: Completion,
) -> SampleRecord {
    let prompt = &cell.prompts.prompts[draw.prompt as usize];
    let scored = task.scored_completion(&completion.text, &prompt.prefix);
    let scored = quirks::cut(&cell.record.quirks, scored);
    let text = (!completion.without_text).then_some(scored);
    let finish_reason = match completion.finish_reason {
        FinishReason::Eos => "eos",
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::Filtered => "content_filter",
        FinishReason::Unknown => "unknown",
    };
    // What a filter broke off is kept, and is no text.
    let differs = match &text {
        Some(text) => completion.text != *text,
        None => !completion.text.is_empty(),
    };
    SampleRecord {
        id: format!("{}-{}", draw.prompt, draw.sample),
        prompt_id: prompt.id.clone(),
        prompt: prompt.text.as_str().into(),
        completion: differs.then_some(completion.text),
        text,
        n_tokens: completion.tokens.is_empty().then_some(completion.count).filter(|n| *n > 0),
        tokens: completion.tokens,
        finish_reason: finish_reason.to_owned(),
        logprob: completion.logprob,
        logprob_model: completion.logprob_model,
        entropy: completion.entropy,
        decoding: cell.record.decoding,
        seed: cell.record.seed,
        prompt_index: draw.prompt,
        sample: draw.sample,
        shots_used: prompt.shots_used,
    }
}

/// Draws what is missing of `cells`, all of one model, and appends each completion to its cell's
/// `samples.jsonl` as it is finished; a file that has them all is sorted.
///
/// The requests go prompt by prompt, so that the cells which share a prompt meet in the model.
///
/// # Errors
///
/// [`SampleError`]: the folder, the disk or the device. What is finished by then is kept. A request
/// that cannot be served fails its cell alone, see [`Drawn::failed`].
pub fn draw_cells(
    drawer: &Drawer,
    task: &Task,
    folder: &RunFolder,
    cells: &[PlannedCell],
    batch: Option<usize>,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<Drawn, SampleError> {
    let mut drawn = Drawn::default();
    let total: usize = cells.iter().map(|cell| cell.upto).sum();
    let name = cells.first().map_or("", |cell| short_name(&cell.record.model));
    let mut begun = false;
    let mut found = 0;
    for part in cells.chunks(CELLS_AT_A_TIME) {
        let mut open = Vec::with_capacity(part.len());
        for (cell, lock) in taken(part, folder, stop, progress, &mut drawn)? {
            let (cell, torn) = Open::new(folder, cell, lock)?;
            drawn.torn += torn;
            found += cell.cell.upto - cell.missing.len();
            open.push(cell);
        }
        if drawn.stopped {
            break;
        }
        if open.iter().all(|cell| cell.missing.is_empty()) {
            continue;
        }
        if !begun {
            progress.begin(&format!("sampling {name}"), "texts", total as u64, found as u64);
            begun = true;
        }
        let result = draw_open(drawer, task, &mut open, batch, stop, progress, &mut drawn);
        for cell in &mut open {
            // What ended the drawing is said, rather than what it led to.
            let closed = cell.close();
            if result.is_ok() {
                closed?;
            }
            if let Some(why) = cell.failure.take() {
                drawn.failed.push((cell.cell.record.id.clone(), why));
            }
        }
        result?;
        if drawn.stopped {
            break;
        }
    }
    if begun {
        progress.end();
    }
    Ok(drawn)
}

/// The cells whose locks could be had. One that a living process holds is left to it, and where that is not certain,
/// all such are watched at once.
fn taken<'a>(
    cells: &'a [PlannedCell],
    folder: &RunFolder,
    stop: &Stop,
    progress: &dyn Progress,
    drawn: &mut Drawn,
) -> Result<Vec<(&'a PlannedCell, Lock)>, SampleError> {
    let (mut taken, mut said) = (Vec::with_capacity(cells.len()), false);
    let mut asked: Vec<usize> = (0..cells.len()).collect();
    loop {
        let (mut unsure, mut who) = (Vec::new(), None);
        for &at in &asked {
            let id = &cells[at].record.id;
            match folder.try_cell(id)? {
                Attempt::Taken(lock) => taken.push((at, lock)),
                Attempt::Busy(holder) => drawn.busy.push((id.clone(), holder)),
                Attempt::Unsure(holder) => {
                    unsure.push(at);
                    who = Some(holder);
                }
            }
        }
        let Some(who) = who else { break };
        if stop.asked() {
            drawn.stopped = true;
            break;
        }
        if !std::mem::replace(&mut said, true) {
            let count = unsure.len();
            progress.say(&format!(
                "watching whether {who} lives, which has left the locks of {count} cells"
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
        asked = unsure;
    }
    taken.sort_by_key(|&(at, _)| at);
    taken.iter().for_each(|(_, lock)| lock.introduce(progress));
    Ok(taken.into_iter().map(|(at, lock)| (&cells[at], lock)).collect())
}

fn draw_open(
    drawer: &Drawer,
    task: &Task,
    open: &mut [Open<'_>],
    batch: Option<usize>,
    stop: &Stop,
    progress: &dyn Progress,
    drawn: &mut Drawn,
) -> Result<(), SampleError> {
    let started = Instant::now();
    let mut asked: Vec<(usize, Draw)> = Vec::new();
    for (at, cell) in open.iter().enumerate() {
        asked.extend(cell.missing.iter().map(|&draw| (at, draw)));
    }
    // Cells of one number of shots read the same prompts, one after the other.
    asked.sort_by_key(|&(at, draw)| (open[at].cell.record.shots, draw.prompt, at, draw.sample));
    let requests: Vec<(&PlannedCell, Draw)> =
        asked.iter().map(|&(at, draw)| (open[at].cell, draw)).collect();
    let options =
        GenerateOptions { batch, interrupt: stop.interrupt(), ..GenerateOptions::default() };
    let mut failure: Option<SampleError> = None;
    let mut steps = 0;
    let mut on_event = |event| {
        match event {
            Event::Finished(completion) => {
                let (at, draw) = asked[completion.tag as usize];
                let cell = &mut open[at];
                drawn.completions += 1;
                drawn.tokens += completion.count as u64;
                let record = sample_record(task, cell.cell, draw, completion);
                if let Err(error) = cell.keep(&record) {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
                progress.advance(1, 0);
            }
            Event::Failed { tag, error } => {
                let (at, draw) = asked[tag as usize];
                let prompt = &open[at].cell.prompts.prompts[draw.prompt as usize].id;
                open[at].failure.get_or_insert_with(|| format!("prompt {prompt}: {error}"));
            }
            Event::Step { new_tokens, .. } => {
                steps += 1;
                progress.advance(0, new_tokens as u64);
            }
        }
        if stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let totals = drawer.draw(&requests, &options, &mut on_event);
    drawn.time += started.elapsed();
    if let Some(error) = failure {
        return Err(error);
    }
    drawn.stopped |= totals?.stopped;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::record::tests::cell, run::folder::tests::shared};

    #[test]
    fn settings_that_were_cut_anywhere_are_written_again_and_whole_ones_are_left() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(dir.path());
        folder.write(&folder.begin(&shared()).unwrap()).unwrap();
        let cell = cell("tiny", 0.5);
        let (settings, samples) =
            (folder.cell(&cell.id, "cell.json"), folder.cell(&cell.id, "samples.jsonl"));
        drop(folder.try_cell(&cell.id).unwrap());
        std::fs::write(samples, "").unwrap();
        write_json(&settings, &cell).unwrap();
        let whole = std::fs::read(&settings).unwrap();
        for cut in [0, 1, whole.len() - 2, whole.len() - 1] {
            std::fs::write(&settings, &whole[..cut]).unwrap();
            settle(&folder, &cell).unwrap();
            assert_eq!(std::fs::read(&settings).unwrap(), whole, "{cut} bytes");
        }
        let other = CellRecord { engine: "2".to_owned(), ..cell };
        settle(&folder, &other).unwrap();
        assert_eq!(std::fs::read(&settings).unwrap(), whole);
    }
}
