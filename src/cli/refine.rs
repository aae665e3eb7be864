//! `llmpr refine`: one in K of the completions, chosen to be nearest to the reference.

use std::path::PathBuf;

use anyhow::Context;

use super::score::{MeasureArgs, input};
use crate::{
    matrix::Matrix,
    metric::{
        Clouds,
        ratio::{Folds, Logistic, cross_fitted},
        rejection::obrs,
        score::prepared_clouds,
    },
    rng,
    sides::Sides,
    text::read_texts,
};

/// Rows of a side are scored by a classifier that learnt from the other folds.
const FOLDS: usize = 5;

/// Arguments of `llmpr refine`.
#[derive(clap::Args)]
pub struct Args {
    /// Texts or features to come near to
    #[arg(long, value_name = "FILE")]
    reference: String,
    /// Completions to choose from, or their features
    #[arg(long, value_name = "FILE")]
    samples: String,
    /// One in K is kept
    #[arg(long, value_name = "K")]
    budget: f64,
    #[command(flatten)]
    measure: MeasureArgs,
    #[command(flatten)]
    embed: input::EmbedArgs,
    /// Where the kept completions go as JSONL, or for features the numbers of the kept rows, from 0
    #[arg(short = 'o', long, value_name = "FILE")]
    out: PathBuf,
}

/// Estimates density ratios, keeps rows by them, writes what is kept.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let options = args.measure.options()?;
    let specs = Sides { reference: args.reference.as_str(), model: args.samples.as_str() };
    let input::Input::Clouds { features, texts, .. } = input::read(specs, &args.embed)? else {
        anyhow::bail!("refine chooses among texts or features; histograms have no rows to keep");
    };
    let clouds = prepared_clouds(features.as_ref(), &options)?;
    let sizes = clouds.as_ref().map(Matrix::rows);
    let folds = Folds::alternating(sizes, FOLDS)?;
    let classifier = Logistic::default();
    let scores = cross_fitted(Clouds::new(clouds.as_ref())?, &classifier, &folds)?;
    // A ratio beyond this is noise of the fit, and one row must not spend the whole budget.
    let ratios: Vec<f64> = scores.ratios().model.iter().map(|ratio| ratio.min(1e12)).collect();
    let chosen = obrs(&ratios, args.budget)?;
    let mut rng = rng::named(options.seed, "refine");
    let kept: Vec<usize> = (0..ratios.len())
        .filter(|&row| rng::next_unit(&mut rng) < chosen.acceptance[row])
        .collect();

    let mut out = String::new();
    if texts.is_some() {
        let texts = read_texts(&args.samples)?;
        for &row in &kept {
            out += &serde_json::to_string(&texts[row])?;
            out.push('\n');
        }
    } else {
        kept.iter().for_each(|row| out += &format!("{row}\n"));
    }
    crate::run::store::write_whole(&args.out, out.as_bytes())
        .with_context(|| format!("cannot write `{}`", args.out.display()))?;
    let (sum, squares) =
        chosen.acceptance.iter().fold((0.0, 0.0), |(sum, squares), a| (sum + a, squares + a * a));
    eprintln!(
        "kept {} of {} completions (one in {} was asked for); their weights are worth {:.0} even \
         ones; the classifier has AUC {:.3} and calibration error {:.3} on rows it did not see",
        kept.len(),
        ratios.len(),
        args.budget,
        sum * sum / squares,
        scores.auc(),
        scores.calibration_error()
    );
    eprintln!(
        "score the kept completions against reference texts that were not used here: these have \
         been fitted to"
    );
    Ok(())
}
