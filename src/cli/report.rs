//! `llmpr report`.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::{blind, flags::OutFlag, notes::note, sweep::note_missing_pixels, to_stdout};
use crate::{
    report::{
        browse::Limits,
        lm_eval, markdown,
        record::Results,
        results::{to_csv, to_long_csv},
    },
    run::{
        finished::results,
        publish::publish,
        serve::Server,
        store::{make_folder, write_json},
    },
};

/// Arguments of `llmpr report`.
#[derive(clap::Args)]
pub struct Args {
    /// Folders that `llmpr sweep` wrote; several are merged into one report
    #[arg(required_unless_present = "votes", value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where to write: the page's folder, by default the run's own, or `report` for several; with another --format a
    /// file, by default stdout, and for lm-eval a folder
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Texts to embed in the page
    #[arg(long, default_value_t = Limits::default().texts, value_name = "N")]
    texts: usize,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Write results.parquet, results_long.parquet, texts.parquet and references.parquet beside the page, too
    #[arg(long)]
    parquet: bool,
    /// Serve the page on 127.0.0.1 until Ctrl-C, with all texts; of a run that is being written it tells how far it is
    #[arg(long, conflicts_with_all = ["format", "parquet"])]
    serve: bool,
    /// Port to serve on [default: a free one]
    #[arg(long, requires = "serve", value_name = "PORT")]
    port: Option<u16>,
    #[command(flatten)]
    blind: blind::Flags,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// report.html, figures, results.csv, results_long.csv and results.json
    #[default]
    Page,
    /// A table for a page or an issue
    #[value(alias = "md")]
    Markdown,
    /// One line a cell, as results.csv
    Csv,
    /// One line a cell and measure, as results_long.csv
    LongCsv,
    /// As results.json
    Json,
    /// The JSON of lm-evaluation-harness, one file a model
    LmEval,
}

/// Runs it; prints the path of the page, or what was asked for instead.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.blind.is_meant() {
        if args.blind.reads_votes() && !matches!(args.format, Form::Page | Form::Json) {
            bail!("votes are printed as a table, or with --format json");
        }
        return args.blind.run(&args.runs, args.out.as_deref(), args.format == Form::Json);
    }
    if args.format != Form::Page {
        if args.parquet {
            bail!("--parquet goes with the page; leave out --format");
        }
        let (results, notes) = results(&args.runs)?;
        note(&notes);
        return print(args, &results);
    }
    let out = match (&args.out, args.runs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.clone(),
        (None, _) => PathBuf::from("report"),
    };
    let limits = Limits { texts: args.texts, ..Limits::default() };
    if args.serve {
        let server = Server::bind(&args.runs, &out, limits, args.port.unwrap_or(0))?;
        to_stdout(&format!("{}\n", server.url()))?;
        server.run();
        return Ok(());
    }
    let published = publish(&args.runs, &out, limits)?;
    note_missing_pixels(&published);
    for note in &published.notes {
        say!("note: {note}");
    }
    say!("{} cells, {} figures", published.cells, published.figures);
    tell!("{}", published.page.display())?;
    if args.parquet {
        for path in parquet(&args.runs, &out)? {
            tell!("{}", path.display())?;
        }
    }
    Ok(())
}

fn print(args: &Args, results: &Results) -> anyhow::Result<()> {
    let out = OutFlag { out: args.out.clone() };
    let text = match args.format {
        Form::Markdown => markdown::results(results),
        Form::Csv => to_csv(results),
        Form::LongCsv => to_long_csv(results),
        Form::LmEval => return lm_eval_files(results, &out),
        Form::Page | Form::Json => serde_json::to_string_pretty(results)? + "\n",
    };
    out.write(&text)
}

/// A file a model, where lm-eval would put it, or the one model's to stdout.
fn lm_eval_files(results: &Results, out: &OutFlag) -> anyhow::Result<()> {
    let models = lm_eval::models(results);
    let Some(folder) = out.file() else {
        let [model] = models.as_slice() else {
            bail!(
                "the runs hold {} models, and a file of lm-eval one; name a folder for them with -o DIR",
                models.len()
            );
        };
        return out
            .write(&(serde_json::to_string_pretty(&lm_eval::results(results, model))? + "\n"));
    };
    for model in models {
        let path = folder.join(lm_eval::file_name(model));
        make_folder(path.parent().unwrap_or(folder))?;
        write_json(&path, &lm_eval::results(results, model))?;
        tell!("{}", path.display())?;
    }
    Ok(())
}

#[cfg(feature = "parquet")]
fn parquet(runs: &[PathBuf], out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    Ok(crate::run::tables::write_parquet(runs, out)?)
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &[PathBuf], _: &Path) -> anyhow::Result<Vec<PathBuf>> {
    bail!("this llmpr was built without the feature `parquet`")
}
