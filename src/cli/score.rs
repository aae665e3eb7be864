//! `llmpr score`: a reference and samples in, measures out.

pub mod input;
mod likelihood;
mod memory;

use anyhow::{Context, bail};
use input::Input;
use std::io::IsTerminal;

use super::{
    flags::{
        self, DeviceFlags, EmbedFlags, Format, FormatFlag, GapFlags, OutFlag, ReferenceFlag,
        ScoreFlags, SeedFlag, score_defaults,
    },
    progress,
};
use crate::{
    data::{
        matrix::Matrix,
        memory::{Bytes, Limited},
        sides::Sides,
    },
    report,
    score::{
        ScoreError, ScoreOptions, enough_rows,
        plan::{self, Pass},
        record::Score,
        score, score_histograms,
    },
};

/// Arguments of `llmpr score`.
#[derive(clap::Args)]
#[command(
    mut_arg("seed", |arg| arg.alias("score-seed")),
    mut_arg("reference", |arg| arg.required_unless_present("likelihood")),
    mut_args(flags::defaults(usual())),
    after_help = FILES
)]
pub struct Args {
    #[command(flatten)]
    reference: ReferenceFlag,
    /// What the model wrote, in the same form as the reference
    #[arg(long, value_name = "FILE[:FIELD]", required_unless_present = "likelihood")]
    samples: Option<String>,
    #[command(flatten)]
    gaps: GapFlags,
    #[command(flatten)]
    measure: ScoreFlags,
    /// Print the passes that this takes, with their flops, bytes and shares of the time, and measure nothing
    #[arg(long, conflicts_with = "likelihood")]
    explain: bool,
    /// Most main memory to take, such as 2G; larger rows stay in files, which are read in blocks. Left out: all there is
    #[arg(long, value_name = "SIZE", conflicts_with = "likelihood")]
    memory: Option<Bytes>,
    #[command(flatten)]
    seed: SeedFlag,
    #[command(flatten)]
    embed: EmbedFlags,
    #[command(flatten)]
    device: DeviceFlags,
    /// Show every measure in the table, not only those that matter first; csv and json always have all
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    out: OutFlag,
    #[command(flatten, next_help_heading = "With --likelihood")]
    likelihood: likelihood::LikelihoodFlags,
}

/// What else may stand on the two sides.
pub const FILES: &str = "Both sides may also be features (.npy, .npz[:key], .safetensors[:tensor]) or 1-D integer .npy \
    histograms; one of them may be `-`, texts on stdin";

/// What leaving out a flag means.
fn usual() -> flags::Defaults {
    let score = score_defaults(&ScoreOptions::default());
    [score, EmbedFlags::defaults(), DeviceFlags::defaults(), likelihood::usual()].concat()
}

/// Scores the samples against the reference and prints the result.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let usual = ScoreOptions { seed: args.seed.seed, ..ScoreOptions::default() };
    let options = args.measure.clone().over(usual).checked()?;
    let inputs = [&args.reference.reference, &args.samples].map(|input| input.as_deref());
    args.out.check(&inputs.into_iter().flatten().collect::<Vec<_>>())?;
    if let Some(score) = likelihood::score(args, &options)? {
        let [reference, model] = args.likelihood.names().unwrap_or_default();
        return print(&score, args, Sides { reference: &reference, model: &model });
    }
    let (Some(reference), Some(samples)) = (&args.reference.reference, &args.samples) else {
        bail!("name what is compared with --reference FILE and --samples FILE");
    };
    let specs = Sides { reference: reference.as_str(), model: samples.as_str() };
    let limited = args.memory.map(|most| Limited::to(most, memory::full)).transpose();
    let _limited = limited.context("--memory cannot be kept on this system; leave it out")?;
    let fits = |rows, dim| {
        // Texts are embedded once they are read, which takes longest of all.
        if dim == 0 {
            enough_rows(rows, &options).map_err(|error| of_files(error, specs))?;
        }
        memory::check(rows, dim, args.memory, &options)
    };
    let score = match input::read(specs, args.gaps, &args.embed, &args.device, &fits)? {
        Input::Histograms(_) if args.explain => {
            bail!("--explain is of features and texts, not of counts")
        }
        Input::Clouds { features, .. } if args.explain => {
            let passes = plan::passes(features.as_ref(), &options)?;
            let rows = features.as_ref().map(Matrix::rows);
            let memory = plan::Memory::of(rows, features.reference.cols(), &options);
            return args.out.write(&explained(&passes, memory));
        }
        Input::Histograms(counts) => score_histograms(counts.as_ref().map(Vec::as_slice), &options)
            .with_context(|| format!("`{}` and `{}`", specs.reference, specs.model))?,
        Input::Clouds { features, texts, made_of, .. } => {
            let options = made_of.sign(options);
            let texts = texts.as_ref().map(Sides::as_ref);
            // Texts have shown their progress so far; what is left takes as long where there are many.
            let progress = texts.as_ref().map(|_| progress::for_stderr());
            let Sides { reference: n, model: m } = features.as_ref().map(Matrix::rows);
            progress
                .iter()
                .for_each(|of| of.begin(&format!("scoring {m} against {n}"), "scores", 1, 0));
            let scored = score(features.as_ref(), texts, None, &options);
            progress.iter().for_each(|of| {
                of.advance(1, 0);
                of.end();
            });
            scored.map_err(|error| of_files(error, specs))?
        }
    };
    print(&score, args, specs)
}

/// `error` with the files that it is of.
fn of_files(error: ScoreError, specs: Sides<&str>) -> anyhow::Error {
    let files = match error.side() {
        Some(side) => format!("`{}`", specs.get(side)),
        None => format!("`{}` and `{}`", specs.reference, specs.model),
    };
    anyhow::Error::from(error).context(files)
}

/// A line for each pass, and one for the memory.
fn explained(passes: &[Pass], plan::Memory { rows, lists }: plan::Memory) -> String {
    let mut out = String::new();
    for Pass { name, times, flops, bytes, share } in passes {
        let (flops, bytes, share) = (flops / 1e9, bytes / (1u64 << 20) as f64, share * 100.0);
        let line =
            format!("{share:4.0} %  {flops:10.1} GF  {bytes:8.0} MiB  {times:>4} × {name}\n");
        out.push_str(&line);
    }
    let (rows, lists) = (Bytes(rows), Bytes(lists));
    out + &format!(
        "memory: {rows} of rows as they are read, {lists} of lists that --memory cannot put into files\n"
    )
}

/// Prints a score of the two that are called so.
fn print(score: &Score, args: &Args, names: Sides<&str>) -> anyhow::Result<()> {
    let styled = args.out.file().is_none() && stdout_is_styled();
    let text = match args.format.format {
        Format::Table if args.all => report::score::table(score, styled),
        Format::Table => report::score::summary(score, styled),
        Format::Json => serde_json::to_string_pretty(score)? + "\n",
        Format::Csv => report::score::csv(score),
        Format::Markdown => report::markdown::score(score, args.all),
        Format::LmEval => {
            let Sides { reference: task, model } = names.map(stem);
            serde_json::to_string_pretty(&report::lm_eval::score(score, task, model))? + "\n"
        }
    };
    args.out.write(&text)
}

/// What a file, here or of the hub, is called, without its folder and its ending; other names are left as they are.
fn stem(name: &str) -> &str {
    let path = std::path::Path::new(name);
    let is_file = path.is_file() || name.starts_with("hf:");
    let stem = is_file.then(|| path.file_stem().and_then(|stem| stem.to_str()));
    stem.flatten().unwrap_or(name)
}

/// Whether stdout is a terminal that may get bold text.
pub fn stdout_is_styled() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !plain && std::io::stdout().is_terminal()
}
