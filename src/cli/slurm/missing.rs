//! What of a run is to be queued again.

use std::path::Path;

use anyhow::{Context, bail};

use super::{Args, size};
use crate::{
    cli::progress,
    run::{
        folder::RunFolder,
        plan::Parts,
        signals::Stop,
        status::{State, Status, open_parts, parts, status},
        sweep::Sweep,
    },
};

/// A run with work left.
pub struct Found {
    status: Status,
    parts: Option<Parts>,
}

/// The flags of the run's sweep, or those that are given, and how far it is.
///
/// # Errors
///
/// What [`status`] cannot read, and a run whose flags are not known.
pub fn of(run: &Path, given: &[String]) -> anyhow::Result<(Vec<String>, Found)> {
    let folder = RunFolder::new(run);
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let status = status(&folder, &stop, &*progress::for_stderr())?;
    let record = folder.record()?;
    let parts = record.as_ref().and_then(parts);
    let sessions = record.as_ref().map_or(&[][..], |record| &record.sessions);
    let known = sessions.iter().rev().find_map(|session| match &session.command[..] {
        [_, name, flags @ ..] if name == "sweep" => Some(flags.to_vec()),
        _ => None,
    });
    let words = match (given.is_empty(), known) {
        (false, _) => given.to_vec(),
        (true, Some(words)) => words,
        (true, None) => {
            bail!(
                "`{}` does not say with which flags it was swept; give them after --",
                run.display()
            )
        }
    };
    let mut words = without(words, &["--shard", "--out", "-o"], &["--no-draw", "--dry-run"]);
    words.extend(["--out".to_owned(), run.display().to_string()]);
    Ok((words, Found { status, parts }))
}

/// Flags but those named, which take a value, or none.
fn without(words: Vec<String>, valued: &[&str], bare: &[&str]) -> Vec<String> {
    let mut kept = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if valued.contains(&word.as_str()) {
            words.next();
        } else if !bare.contains(&word.as_str())
            && !valued
                .iter()
                .any(|flag| word.strip_prefix(flag).is_some_and(|r| r.starts_with('=')))
        {
            kept.push(word);
        }
    }
    kept
}

impl Found {
    /// The parts of the run and which are open: those it was cut into before, unless `--jobs` asks for others.
    ///
    /// # Errors
    ///
    /// Where nothing is open.
    pub fn parts(
        self,
        args: &Args,
        sweep: &Sweep,
        seconds: f64,
    ) -> anyhow::Result<(Parts, Option<Vec<usize>>)> {
        let models = sweep.groups.len();
        let before = self.parts.filter(|parts| {
            args.jobs.is_none() && (parts.models() == 1 || parts.models() == models)
        });
        let parts = before.map_or_else(|| size::parts(args, sweep, seconds), Ok)?;
        let state = |id: &str| {
            let cell = self.status.cells.iter().find(|cell| cell.id == id);
            cell.map_or(State::Missing, |cell| cell.state)
        };
        let states: Vec<State> = sweep.cells().map(|cell| state(&cell.record.id)).collect();
        let open = open_parts(&parts, &states);
        if open.is_empty() {
            let running = states.contains(&State::Running);
            let run = &self.status.run;
            match running {
                true => {
                    bail!("nothing of `{run}` is to be queued again: what is open is being drawn")
                }
                false => bail!("nothing of `{run}` is missing; `llmpr sweep` scores it"),
            }
        }
        Ok((parts, Some(open)))
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn flags_of_a_part_are_left_out() {
        let words =
            ["-n", "3", "--shard", "0/2", "--out=a", "--no-draw", "-o", "b", "--temps", "1"];
        let words = words.map(str::to_owned).to_vec();
        let kept = without(words, &["--shard", "--out", "-o"], &["--no-draw"]);
        assert_eq!(kept, ["-n", "3", "--temps", "1"]);
    }
}
