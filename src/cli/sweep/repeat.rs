//! `llmpr sweep --repeat RUN`: what a run recorded, drawn and scored again, and what differs.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

use super::{Args, Exit};
use crate::{
    cli::{flags, progress, to_stdout},
    data::whole::temporary_beside,
    report::number::exact,
    run::{
        execute,
        folder::{FolderError, RunFolder, RunRecord, Session},
        plan::Shard,
        repeat::{CellRepeated, Compared, Differing, Repeated, compare},
        settings::SweepSettings,
        signals::Stop,
        sweep::Sweep,
    },
};

/// The form of what is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Where the run is drawn again.
struct Place {
    path: PathBuf,
    /// Whether it goes with the process.
    passes: bool,
}

impl Place {
    fn new(out: Option<&Path>) -> Self {
        match out {
            Some(out) => Self { path: out.to_owned(), passes: false },
            None => {
                let path = temporary_beside(&std::env::temp_dir().join("llmpr-repeat"));
                Self { path, passes: true }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.passes {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Repeats the run, into `out` or a folder that does not stay, and prints what differs.
pub fn run(run: &Path, out: Option<&Path>, form: Form) -> anyhow::Result<()> {
    let absolute = |path: &Path| std::path::absolute(path).context("no current folder");
    let then = RunFolder::new(absolute(run)?);
    let path = run.display().to_string();
    let record = then.record()?.ok_or(FolderError::NoRun { path: path.clone() })?;
    let out = out.map(absolute).transpose()?;
    if out.as_ref().is_some_and(|out| out == then.root()) {
        bail!("`{path}` is the run itself; name another --out, or none");
    }
    let sweeps = recorded(&path, &record)?;
    let place = Place::new(out.as_deref());
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let progress = progress::for_stderr();
    let all = sweeps.len();
    for (at, (directory, settings)) in sweeps.into_iter().enumerate() {
        enter(directory.as_deref());
        // Cells of earlier commands are drawn; the last one scores them all, as it did.
        let shard = (at + 1 < all).then(whole).transpose()?;
        // Everything is computed again, features of the reference too.
        let out = place.path.clone();
        let settings = SweepSettings { out, shard, cache: false, ..settings };
        let mut sweep = Sweep::plan(settings)?;
        sweep.notes.iter().for_each(|note| say!("note: {note}"));
        let outcome = execute::run(&mut sweep, std::env::args().collect(), &stop, &*progress)?;
        if outcome.stopped {
            let message = match place.passes {
                true => "stopped; with --out DIR what is drawn stays, and the same command goes on",
                false => "stopped; the same command goes on",
            };
            return Err(Exit { code: 75, message: message.to_owned() }.into());
        }
        for cell in &outcome.failed {
            say!("failed: {} ({}): {}", cell.label, cell.id, cell.message);
        }
    }
    let found = compare(&then, &RunFolder::new(&place.path))?;
    to_stdout(&match form {
        Form::Json => serde_json::to_string_pretty(&found)? + "\n",
        Form::Table => table(&found),
    })?;
    if found.equal {
        return Ok(());
    }
    let differ = found.cells.iter().filter(|cell| !cell.is_equal()).count();
    let more = if place.passes { "; with --out DIR the repetition stays" } else { "" };
    let message = format!("{differ} of {} cells differ from `{path}`{more}", found.cells.len());
    Err(Exit { code: 3, message }.into())
}

/// All cells, without their scores.
fn whole() -> anyhow::Result<Shard> {
    Ok("0/1".parse::<Shard>()?)
}

/// Relative names of a command begin where it was given, if that is still there.
fn enter(directory: Option<&str>) {
    if let Some(directory) = directory.filter(|directory| Path::new(directory).is_dir()) {
        let _ = std::env::set_current_dir(directory);
    }
}

/// The sweeps that made the run, each once, in the order of their last time, and where each was started.
fn recorded(
    path: &str,
    record: &RunRecord,
) -> anyhow::Result<Vec<(Option<String>, SweepSettings)>> {
    let here = std::env::current_dir().ok();
    let mut sweeps: Vec<(String, Option<String>, SweepSettings)> = Vec::new();
    for session in &record.sessions {
        let Some(args) = asked(session) else { continue };
        enter(session.directory.as_deref());
        let settings = args.settings().with_context(|| format!("`{path}` cannot be repeated"));
        if let Some(here) = &here {
            let _ = std::env::set_current_dir(here);
        }
        let settings = SweepSettings { shard: None, draw: true, out: PathBuf::new(), ..settings? };
        let key = format!("{settings:?}");
        sweeps.retain(|(known, ..)| *known != key);
        sweeps.push((key, session.directory.clone(), settings));
    }
    if sweeps.is_empty() {
        let command = record.sessions.last().map(|session| session.command.join(" "));
        bail!(
            "`{path}` was made by `{}` and not by `llmpr sweep`, so its settings cannot be taken from there; run that \
             again into another folder, and hold the two against each other with `llmpr compare`",
            command.unwrap_or_default()
        );
    }
    Ok(sweeps.into_iter().map(|(_, directory, settings)| (directory, settings)).collect())
}

/// What a session's command asked for, if it was a sweep.
fn asked(session: &Session) -> Option<Args> {
    let at = session.command.iter().position(|word| word == "sweep")?;
    flags::parse::<Args>("sweep", &session.command[at + 1..])
        .ok()
        .filter(|args| args.repeat.is_none())
}

/// What differs, for people.
fn table(found: &Repeated) -> String {
    let mut out = String::new();
    let (cells, texts) =
        (found.cells.len(), found.cells.iter().map(|cell| cell.texts.of).sum::<usize>());
    if found.equal {
        return format!(
            "nothing differs: {cells} cells, {texts} texts, their features and values\n"
        );
    }
    for setting in &found.settings {
        out += &format!("the run's {}\n", changed(setting));
    }
    for cell in found.cells.iter().filter(|cell| !cell.is_equal()) {
        out += &format!("{} ({})\n", cell.label, cell.id);
        for line in lines(cell) {
            out += &format!("  {line}\n");
        }
    }
    let equal = found.cells.iter().filter(|cell| cell.is_equal()).count();
    out += &format!("nothing differs in {equal} of {cells} cells\n");
    if found.written_by != found.repeated_by {
        out +=
            &format!("the run is of llmpr {}, this is {}\n", found.written_by, found.repeated_by);
    }
    out
}

fn lines(cell: &CellRepeated) -> Vec<String> {
    if !cell.found {
        return vec!["it is not drawn any more: nothing has its model and settings".to_owned()];
    }
    let mut lines: Vec<String> = cell.settings.iter().map(changed).collect();
    let texts = &cell.texts;
    if texts.differ > 0 {
        let more = if texts.differ > texts.first.len() { ", …" } else { "" };
        let named = texts.first.join(", ");
        lines.push(format!("texts: {} of {} differ: {named}{more}", texts.differ, texts.of));
    }
    let parts = [
        ("log-probabilities of equal texts", Some(&texts.numbers)),
        ("features", cell.features.as_ref()),
        ("values", cell.values.as_ref()),
    ];
    for (name, compared) in parts {
        lines.extend(compared.filter(|compared| !compared.is_equal()).map(|c| apart(name, c)));
    }
    lines
}

fn apart(name: &str, compared: &Compared) -> String {
    let Compared { of, differ, digits, first } = compared;
    let digits = digits.map_or(String::new(), |n| format!(", equal to {n} digits"));
    let named: Vec<String> = first.iter().map(changed).collect();
    let more = if *differ > first.len() { "; …" } else { "" };
    let named =
        if named.is_empty() { String::new() } else { format!(": {}{more}", named.join("; ")) };
    format!("{name}: {differ} of {of} differ{digits}{named}")
}

/// A setting or value with what it was and what it is.
fn changed(found: &Differing) -> String {
    let word = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.chars().take(60).collect(),
        serde_json::Value::Null => "nothing".to_owned(),
        other => other.as_f64().map_or_else(|| other.to_string(), exact),
    };
    format!("{} was {} and is {}", found.name, word(&found.then), word(&found.now))
}
