//! `llmpr report`.

use std::path::PathBuf;

use super::sweep::note_missing_pixels;
use crate::{report::browse::Limits, run::publish::publish};

/// Arguments of `llmpr report`.
#[derive(clap::Args)]
pub struct Args {
    /// Folders that `llmpr sweep` wrote; several are merged into one report
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where to write; by default into the run's own folder, or `report` for several
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Texts to embed in the page
    #[arg(long, default_value_t = Limits::default().texts, value_name = "N")]
    texts: usize,
}

/// Runs it; prints the path of the page.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let out = match (&args.out, args.runs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.clone(),
        (None, _) => PathBuf::from("report"),
    };
    let limits = Limits { texts: args.texts, ..Limits::default() };
    let published = publish(&args.runs, &out, limits)?;
    note_missing_pixels(&published);
    for note in &published.notes {
        eprintln!("note: {note}");
    }
    eprintln!("{} cells, {} figures", published.cells, published.figures);
    println!("{}", published.page.display());
    Ok(())
}
