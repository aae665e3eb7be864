//! The command line: one file per subcommand, arguments in, library call, output out.

#[macro_use]
mod say;

mod blind;
mod compare;
mod completions;
mod embed;
mod flags;
mod layer;
mod missing;
mod models;
mod notes;
mod options;
mod progress;
mod prompt;
mod prompting;
mod refine;
mod report;
mod sample;
mod schema;
mod score;
mod selftest;
mod show;
mod slurm;
mod status;
mod sweep;
mod texts;
mod threads;
mod tune;

use std::{ffi::OsString, path::PathBuf, process::ExitCode, sync::OnceLock};

use clap::{CommandFactory, FromArgMatches, Parser, error::ContextKind};

use crate::{data::secret::without_logins, math::simd::Isa};

pub use sweep::{plan as sweep_plan, settings as sweep_settings};

/// Quality and diversity of language models, as two separate numbers.
#[derive(Parser)]
#[command(name = "llmpr", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// The main job: grid, samples, features, metrics, report
    Sweep(sweep::Args),
    /// Draw completions of one cell as JSONL
    Sample(sample::Args),
    /// Show a task's prompts as a model reads them
    Prompt(prompt::Args),
    /// Turn texts into features
    Embed(embed::Args),
    /// Show what is read from a file of texts
    Texts(texts::Args),
    /// Compare a reference with samples
    Score(score::Args),
    /// Render run folders as HTML, SVG and CSV
    Report(report::Args),
    /// Show the texts of a cell: inside or outside, nearest references, copies
    Show(show::Args),
    /// Hold cells or runs against each other, with intervals and p-values
    Compare(compare::Args),
    /// Find settings for a wanted precision, recall or F-beta
    Tune(tune::Args),
    /// Keep one in K of the completions by optimal budgeted rejection sampling
    Refine(refine::Args),
    /// Write the same sweep as a Slurm job array
    Slurm(slurm::Args),
    /// Show how far a run is, from any machine
    Status(status::Args),
    /// List, pull, inspect, check and time models
    Models(models::Args),
    /// Print the JSON Schema of what llmpr writes
    Schema(schema::Args),
    /// Check the measures against closed forms and published values
    Selftest(selftest::Args),
    /// Print shell completions
    Completions(completions::Args),
    /// Print the manual page
    Man,
}

/// An exit code other than 0, 1 and 2, with the sentence that explains it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Exit {
    /// 3: finished, some cells failed. 75: stopped by a signal, resumable.
    pub code: u8,
    /// What is printed to stderr.
    pub message: String,
}

/// Parses the command line, runs the subcommand, and turns its result into an exit code.
pub fn main() -> ExitCode {
    ExitCode::from(parsed(std::env::args_os()))
}

/// [`main`] for a program that has llmpr inside: `words` are the command line, the program's path first. What it gives is
/// the exit code; output goes to the process's own streams.
pub fn run_with(words: Vec<OsString>) -> u8 {
    let named = words.first().map(PathBuf::from).filter(|path| path.is_file());
    if let Some(path) = named.and_then(|path| path.canonicalize().ok()) {
        // A second command line of one process keeps the first one's.
        let _ = PROGRAM.set(path);
    }
    parsed(words)
}

/// Runs the command line that `words` are, or says what is wrong with it; the exit code.
fn parsed(words: impl IntoIterator<Item = OsString>) -> u8 {
    let mut parser = parser();
    let cli = parser.try_get_matches_from_mut(words).and_then(|matches| {
        Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut parser))
    });
    match cli {
        Ok(cli) => run(cli),
        Err(error) => {
            match no_number(&error) {
                Some(sentence) => {
                    say!("error: {sentence}\n\nFor more information, try '--help'.");
                }
                // A reader that has gone away is no error.
                None => drop(error.print()),
            }
            u8::try_from(error.exit_code()).unwrap_or(2)
        }
    }
}

/// What to write where a number was asked for: that a digit is invalid, as the standard library says, helps nobody.
fn no_number(error: &clap::Error) -> Option<String> {
    use std::{error::Error, num::IntErrorKind};
    let source = error.source()?;
    let wanted = match source.downcast_ref::<std::num::ParseIntError>().map(|error| error.kind()) {
        Some(IntErrorKind::PosOverflow) => "is too large for a whole number",
        Some(_) => "is no whole number from 0 up",
        None if source.is::<std::num::ParseFloatError>() => "is no number",
        None => return None,
    };
    let value = error.get(ContextKind::InvalidValue)?;
    let flag = error.get(ContextKind::InvalidArg)?;
    Some(format!("invalid value '{value}' for '{flag}': `{value}` {wanted}"))
}

/// The file by which this program was started, where that is not the executable itself.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The file that starts this program.
fn program() -> std::io::Result<PathBuf> {
    match PROGRAM.get() {
        Some(path) => Ok(path.clone()),
        None => std::env::current_exe()?.canonicalize(),
    }
}

/// Runs the subcommand; the exit code.
fn run(cli: Cli) -> u8 {
    if let Err(unknown) = Isa::check_wish() {
        say!("llmpr: {unknown}");
        return 2;
    }
    threads::obey_slurm();
    crate::lm::checkpoint::notes::listen(|note| say!("llmpr: {note}"));
    let result = match cli.command {
        Command::Sweep(args) => sweep::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Prompt(args) => prompt::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Texts(args) => texts::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Refine(args) => refine::run(&args),
        Command::Slurm(args) => slurm::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man => completions::man(),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            say!("llmpr: {}", without_logins(&sentence(&error)));
            error.downcast_ref::<Exit>().map_or(1, |exit| exit.code)
        }
    }
}

/// An error with its causes, each said once: a cause that the sentence holds is left out, and one that begins with the
/// whole sentence stands for it.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.is_empty() {
            true => cause,
            false if said.contains(&cause) => said,
            false if cause.starts_with(&said) => cause,
            false => format!("{said}: {cause}"),
        }
    })
}

/// Writes to stdout; a reader that has gone away, such as `head`, is no error.
fn to_stdout(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result
            .map_err(|e| std::io::Error::new(e.kind(), format!("cannot write to stdout: {e}"))),
    }
}

/// The parser; it knows the manual page and completions, too.
fn parser() -> clap::Command {
    with_negative_numbers(Cli::command())
}

/// Makes `--flag -1` a value that the flag may refuse, and not a flag `-1` that nobody knows.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let names: Vec<String> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| match arg.get_action().takes_values() {
        true if !arg.is_positional() && !arg.is_allow_hyphen_values_set() => {
            arg.allow_negative_numbers(true)
        }
        _ => arg,
    });
    names.iter().fold(command, |command, name| command.mut_subcommand(name, with_negative_numbers))
}
