//! `llmpr status`: how far a run is, from any machine.

use std::{fmt::Write, path::PathBuf};

use anyhow::Context;

use super::{Exit, progress, to_stdout};
use crate::run::{
    folder::{FolderError, RunFolder},
    lock::LockError,
    signals::Stop,
    status::{CellStatus, State, Status, status},
};

/// Arguments of `llmpr status`.
#[derive(clap::Args)]
#[command(after_help = "Cells of jobs that wait in a queue are missing: nobody has begun them.")]
pub struct Args {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// One line a cell
    Csv,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let found = status(&RunFolder::new(&args.run), &stop, &*progress::for_stderr());
    let found = match found {
        Err(FolderError::Lock(stopped @ LockError::Stopped { .. })) => {
            return Err(Exit { code: 75, message: stopped.to_string() }.into());
        }
        found => found?,
    };
    let text = match args.format {
        Form::Table => table(&found),
        Form::Json => serde_json::to_string_pretty(&found)? + "\n",
        Form::Csv => csv(&found),
    };
    Ok(to_stdout(&text)?)
}

/// Who has a cell, and as which job.
fn holder(cell: &CellStatus) -> String {
    let Some(holder) = &cell.holder else { return String::new() };
    let job = holder.job.as_ref().map(|job| format!(", job {}", job.id)).unwrap_or_default();
    format!("{holder}{job}")
}

fn table(status: &Status) -> String {
    let mut out = String::new();
    let said = State::ALL.map(|state| format!("{} {}", status.counts[state.name()], state.name()));
    let _ = writeln!(out, "{}: {} cells, {}\n", status.run, status.cells.len(), said.join(", "));
    for cell in &status.cells {
        let drawn = format!("{}/{}", cell.drawn, cell.n_samples);
        let scored = match (cell.scored, cell.embedded) {
            (true, _) => "scored",
            (false, true) => "embedded",
            (false, false) => "",
        };
        let label = cell.label.as_deref().unwrap_or("(not begun)");
        let line = format!(
            "{:8}{drawn:>12}  {scored:8}  {}  {label}  {}",
            cell.state.name(),
            cell.id,
            holder(cell)
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if let (Some(parts), Some(array)) = (&status.parts, &status.array) {
        let said = match array.is_empty() {
            true => "nothing to queue again".to_owned(),
            false => format!("to queue again: --array={array}"),
        };
        let _ = writeln!(out, "\nparts {parts}; {said}");
    }
    out
}

fn csv(status: &Status) -> String {
    let mut out = "id,state,drawn,n_samples,embedded,scored,label,holder\n".to_owned();
    for cell in &status.cells {
        let field = |text: &str| match text.contains([',', '"', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{},{}",
            cell.id,
            cell.state.name(),
            cell.drawn,
            cell.n_samples,
            cell.embedded,
            cell.scored,
            field(cell.label.as_deref().unwrap_or("")),
            field(&holder(cell))
        );
    }
    out
}
