//! `llmpr score`: a reference and samples in, measures out.

pub mod input;
mod likelihood;

use std::{io::IsTerminal, path::PathBuf};

use anyhow::{Context, bail};

use crate::{
    metric::{
        neighbors::Ties,
        record::Score,
        score::{
            Clusters, Families, Normalize, Reduce, ScoreOptions, Unequal, score, score_histograms,
        },
    },
    report,
    sides::Sides,
};
use input::Input;

/// Arguments of `llmpr score`.
#[derive(clap::Args)]
pub struct Args {
    /// What the samples are held against: features (.npy, .npz[:key], .safetensors[:tensor]), texts
    /// (.jsonl, .json, .txt, .csv, .parquet, each with an optional :field), a 1-D integer .npy
    /// histogram, `-` for texts on stdin, or a grammar and how many texts of it, such as
    /// `synthetic-bio?n=500&seed=1&drop=job=painter&double=plan=prize`
    #[arg(long, value_name = "FILE", required_unless_present = "likelihood")]
    reference: Option<String>,
    /// What the model wrote, in the same form
    #[arg(long, value_name = "FILE", required_unless_present = "likelihood")]
    samples: Option<String>,
    #[command(flatten)]
    likelihood: likelihood::LikelihoodArgs,
    #[command(flatten)]
    measure: MeasureArgs,
    #[command(flatten)]
    embed: input::EmbedArgs,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write there instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The space of the rows, and what is near in it.
#[derive(clap::Args)]
pub struct SpaceArgs {
    /// Rank of the neighbor that sets a radius
    #[arg(long, default_value_t = 4)]
    pub k: usize,
    /// Principal components kept: a share of the variance, a number, or `none`
    #[arg(long, default_value = "0.9", value_name = "0.9|N|none")]
    pca: Reduce,
    /// How rows are scaled before the reduction
    #[arg(long, value_enum, default_value_t = NormalizeArg::L2)]
    normalize: NormalizeArg,
}

impl SpaceArgs {
    /// The settings, the others as usual.
    pub fn options(&self) -> ScoreOptions {
        let Self { k, pca, normalize } = *self;
        ScoreOptions { k, pca, normalize: normalize.into(), ..ScoreOptions::default() }
    }
}

/// What is measured and how.
#[derive(clap::Args)]
pub struct MeasureArgs {
    #[command(flatten)]
    space: SpaceArgs,
    /// Whether a point exactly on a radius is inside
    #[arg(long, value_enum, default_value_t = TiesArg::Strict)]
    ties: TiesArg,
    /// Draw the larger set down to the smaller one's size, or keep all rows
    #[arg(long, value_enum, default_value_t = UnequalArg::Subsample)]
    unequal: UnequalArg,
    /// Families of measures: support, frontier, curve, divergence, moments, diversity, ratio, or
    /// `all` (these and `extra`)
    #[arg(long, default_value_t = Families::default(), value_name = "LIST|all")]
    metrics: Families,
    /// Clusters of a quantization; auto is n/10 for MAUVE and 20 for curves and divergences
    #[arg(long, default_value = "auto", value_name = "auto|N")]
    clusters: Clusters,
    /// MAUVE's exponent c
    #[arg(long, default_value_t = 5.0)]
    scaling: f64,
    /// Slopes at which the PR-curve is reported
    #[arg(long, value_delimiter = ',', default_value = "0.1,0.2,0.5,1,2,5,10")]
    lambdas: Vec<f64>,
    /// Half-samples behind each interval; 0 for none. Costly measures use fewer, down to 20, and
    /// the signature says so
    #[arg(long, default_value_t = 200)]
    resamples: usize,
    /// Random relabelings behind each p-value; 0 for none
    #[arg(long, default_value_t = 1000)]
    permutations: usize,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One object
    Json,
    /// One line a measure
    Csv,
}

/// How rows are scaled.
#[derive(Clone, Copy, clap::ValueEnum)]
enum NormalizeArg {
    /// To length 1
    L2,
    /// Not at all
    None,
}

impl From<NormalizeArg> for Normalize {
    fn from(arg: NormalizeArg) -> Self {
        match arg {
            NormalizeArg::L2 => Self::L2,
            NormalizeArg::None => Self::None,
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum TiesArg {
    Strict,
    Inclusive,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum UnequalArg {
    Subsample,
    Keep,
}

impl MeasureArgs {
    /// The settings, checked.
    pub fn options(&self) -> anyhow::Result<ScoreOptions> {
        let options = ScoreOptions {
            ties: match self.ties {
                TiesArg::Strict => Ties::Strict,
                TiesArg::Inclusive => Ties::Inclusive,
            },
            unequal: match self.unequal {
                UnequalArg::Subsample => Unequal::Subsample,
                UnequalArg::Keep => Unequal::Keep,
            },
            metrics: self.metrics.clone(),
            clusters: self.clusters,
            scaling: self.scaling,
            resamples: self.resamples,
            permutations: self.permutations,
            seed: self.seed,
            lambdas: self.lambdas.clone(),
            ..self.space.options()
        };
        Ok(options.checked()?)
    }
}

/// Scores the samples against the reference and prints the result.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let options = args.measure.options()?;
    if let Some(score) = likelihood::score(args, &options)? {
        return print(&score, args);
    }
    let (Some(reference), Some(samples)) = (&args.reference, &args.samples) else {
        bail!("name what is compared with --reference FILE and --samples FILE");
    };
    let specs = Sides { reference: reference.as_str(), model: samples.as_str() };
    let score = match input::read(specs, &args.embed)? {
        Input::Histograms(counts) => score_histograms(counts.as_ref().map(Vec::as_slice), &options)
            .with_context(|| format!("`{}` and `{}`", specs.reference, specs.model))?,
        Input::Clouds { features, texts, embedder, .. } => {
            let options = ScoreOptions { embedder, ..options };
            score(features.as_ref(), texts.as_ref().map(Sides::as_ref), None, &options)
                .with_context(|| format!("`{}` and `{}`", specs.reference, specs.model))?
        }
    };
    print(&score, args)
}

fn print(score: &Score, args: &Args) -> anyhow::Result<()> {
    let styled = args.out.is_none() && stdout_is_styled();
    let text = match args.format {
        Format::Table => report::score::table(score, styled),
        Format::Json => serde_json::to_string_pretty(score)? + "\n",
        Format::Csv => report::score::csv(score),
    };
    match &args.out {
        Some(path) => Ok(crate::run::store::write_whole(path, text.as_bytes())?),
        None => Ok(super::to_stdout(&text)?),
    }
}

/// Whether stdout is a terminal that may get bold text.
pub fn stdout_is_styled() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !plain && std::io::stdout().is_terminal()
}
