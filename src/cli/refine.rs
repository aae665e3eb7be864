//! `llmpr refine`: one in K of the completions, chosen to be nearest to the reference.

mod mixture;

use anyhow::bail;
use std::path::PathBuf;

use super::{
    flags::{
        self, DeviceFlags, EmbedFlags, FactsFlag, FactsFormat, GapFlags, OutFlag, ReferenceFlag,
        SeedFlag, SpaceFlags, score_defaults,
    },
    score::{FILES, input},
};
use crate::{
    cloud::{Clouds, neighbors::Ties},
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
    metric::{
        prdc::{COVERAGE, DENSITY, PRECISION, RECALL, prdc},
        ratio::{Folds, Logistic, Scores, cross_fitted},
        rejection::{
            drs, drs_gamma_for_budget, effective_size, keep_evenly, metropolis_hastings, obrs,
            refined,
        },
        spec::Spec,
    },
    report::number::number,
    rng,
    score::{ScoreOptions, prepared_clouds},
};

/// Rows of the model are scored by a classifier that learnt from the other folds.
const FOLDS: usize = 5;
/// Reference rows below which none is held out to judge by.
const LEAST_HELD_OUT: usize = 40;
/// Calibration error above which ratios promise nothing: a chance `p/(p + q)` of 0.6 in place of 0.5 is a
/// ratio of 1.5 in place of 1.
const MOST_OFF: f64 = 0.1;
/// Half of a normal 95 % interval, in standard deviations.
const Z: f64 = 1.959_963_984_540_054;
/// The fewest rows of a comparison.
const LEAST: usize = 10;

/// Arguments of `llmpr refine`.
#[derive(clap::Args)]
#[command(
    mut_arg("seed", |arg| arg.alias("score-seed")),
    mut_arg("reference", |arg| arg.required_unless_present("mixture")),
    mut_args(flags::defaults(usual())),
    after_help = format!("{KEPT}. {FILES}")
)]
pub struct Args {
    #[command(flatten)]
    reference: ReferenceFlag,
    /// What the model wrote, in the same form as the reference
    #[arg(long, value_name = "FILE[:FIELD]", required_unless_present = "mixture")]
    samples: Option<String>,
    /// One in K is kept
    #[arg(long, value_name = "K", required_unless_present = "mixture")]
    budget: Option<f64>,
    /// Instead of choosing completions, mix the settings of this finished run onto the best PR-curve, and measure the
    /// mixtures on texts that they were not fitted to
    #[arg(long, value_name = "RUN", conflicts_with_all = ["reference", "samples", "budget", "method"])]
    mixture: Option<PathBuf>,
    /// How they are chosen: optimal budgeted rejection, discriminator rejection, or Metropolis–Hastings
    /// chains over K completions each
    #[arg(long, value_enum, default_value_t = Method::Obrs)]
    method: Method,
    #[command(flatten)]
    format: FactsFlag,
    #[command(flatten)]
    out: OutFlag,
    #[command(flatten)]
    gaps: GapFlags,
    #[command(flatten)]
    space: SpaceFlags,
    #[command(flatten)]
    seed: SeedFlag,
    #[command(flatten)]
    embed: EmbedFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

/// What is written.
const KEPT: &str =
    "Kept completions are written as JSONL, of features the numbers of the kept rows, from 0";

/// What leaving out a flag means.
fn usual() -> flags::Defaults {
    let score = score_defaults(&ScoreOptions::default());
    [score, EmbedFlags::defaults(), DeviceFlags::defaults()].concat()
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    Obrs,
    Drs,
    Mh,
}

/// Estimates density ratios, keeps rows by them, writes what is kept, and says what that did on reference
/// rows that the ratios were not fitted to.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.seed;
    if let Some(run) = &args.mixture {
        args.out.check(&[])?;
        let json = args.format.format == FactsFormat::Json;
        return mixture::run(run, seed, json, &args.out);
    }
    if args.format.format != FactsFormat::Table {
        bail!("--format is of --mixture; kept completions are written as JSONL");
    }
    let usual = ScoreOptions { seed, ..ScoreOptions::default() };
    let options = args.space.clone().over(usual).checked()?;
    let named = (&args.reference.reference, &args.samples, args.budget);
    let (Some(reference), Some(samples), Some(budget)) = named else {
        bail!(
            "name what the completions come near to, and how many are kept: --reference FILE --samples FILE --budget K"
        );
    };
    let specs = Sides { reference: reference.as_str(), model: samples.as_str() };
    args.out.check(&[specs.reference, specs.model])?;
    let read = input::read(specs, args.gaps, &args.embed, &args.device, &|_, _| Ok(()))?;
    let input::Input::Clouds { features, completions, .. } = read else {
        bail!("refine chooses among texts or features; histograms have no rows to keep");
    };
    let clouds = prepared_clouds(features.as_ref(), &options)?;
    let n = clouds.reference.rows();
    let (fitted, held_out) = split(n, seed);
    let fitted = clouds.reference.select(&fitted);
    let sets = Sides { reference: &fitted, model: &clouds.model };
    let folds = Folds::alternating(sets.map(Matrix::rows), FOLDS)?;
    let scores = cross_fitted(Clouds::new(sets)?, &Logistic::default(), &folds)?;
    // A ratio beyond this is noise of the fit, and one row must not spend the whole budget.
    let ratios: Vec<f64> = scores.ratios().model.iter().map(|ratio| ratio.min(1e12)).collect();
    let (kept, spread) = choose(&ratios, budget, args)?;
    if kept.is_empty() {
        let n = ratios.len();
        bail!(
            "one in {budget} of {n} completions is none: give --budget a number below {n}, or more completions"
        );
    }

    let mut out = String::new();
    if let Some(completions) = completions {
        for &row in &kept {
            out += &serde_json::to_string(&completions[row])?;
            out.push('\n');
        }
    } else {
        kept.iter().for_each(|row| out += &format!("{row}\n"));
    }
    args.out.write(&out)?;
    say!(
        "kept {} of {} completions (one in {} was asked for){}; the classifier has AUC {:.3} and \
         calibration error {:.3} on rows it did not see",
        kept.len(),
        ratios.len(),
        budget,
        spread.map(|n| format!(", chosen among about {n:.0}")).unwrap_or_default(),
        scores.auc(),
        scores.calibration_error()
    );
    let prospect = || prospect(&scores, budget);
    judge(&clouds, &held_out, &kept, prospect, args, options.k)
}

/// Reference rows to fit ratios to, and others to judge by; all and none where there are few.
fn split(n: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut rows: Vec<usize> = (0..n).collect();
    if n < 2 * LEAST_HELD_OUT {
        return (rows, Vec::new());
    }
    rng::shuffle(&mut rng::named(seed, "refine split"), &mut rows);
    let mut held_out = rows.split_off(n / 2);
    rows.sort_unstable();
    held_out.sort_unstable();
    (rows, held_out)
}

/// The kept rows, and over about how many rows their acceptances spread, where rows have such.
fn choose(ratios: &[f64], budget: f64, args: &Args) -> anyhow::Result<(Vec<usize>, Option<f64>)> {
    let acceptance = match args.method {
        Method::Obrs => obrs(ratios, budget)?.acceptance,
        Method::Drs => drs(ratios, drs_gamma_for_budget(ratios, budget)?)?,
        Method::Mh => {
            let length = budget.round() as usize;
            if (budget - budget.round()).abs() > 1e-9 || length < 1 {
                bail!("a chain has a whole number of completions; --budget {} has not", budget);
            }
            return Ok((metropolis_hastings(ratios, length, args.seed.seed)?, None));
        }
    };
    let spread = effective_size(&acceptance);
    Ok((keep_evenly(&acceptance, args.seed.seed), Some(spread)))
}

/// Says what the choice did to the measures on reference rows that it was not fitted to.
fn judge(
    clouds: &Sides<Matrix>,
    held_out: &[usize],
    kept: &[usize],
    prospect: impl Fn() -> anyhow::Result<String>,
    args: &Args,
    k: usize,
) -> anyhow::Result<()> {
    let count = kept.len().min(held_out.len());
    if count < LEAST.max(k + 2) {
        let side = if kept.len() < held_out.len() { Side::Model } else { Side::Reference };
        say!(
            "too few rows of the {side} side are left to judge the choice; score the kept completions \
             against reference texts that were not used here"
        );
        return Ok(());
    }
    let mut rng = rng::named(args.seed.seed, "refine judge");
    let mut draw = |rows: &[usize]| {
        let mut rows = rows.to_vec();
        rng::shuffle(&mut rng, &mut rows);
        rows.truncate(count);
        rows
    };
    let all: Vec<usize> = (0..clouds.model.rows()).collect();
    let reference = clouds.reference.select(&draw(held_out));
    let measured = |rows: &[usize]| {
        let model = clouds.model.select(rows);
        prdc(Clouds::new(Sides { reference: &reference, model: &model })?, k, Ties::Strict)
    };
    let (before, after) = (measured(&draw(&all))?, measured(&draw(kept))?);
    say!("on {count} reference texts that were held out, {count} completions of each kind:");
    say!("  {:10} {:>8} {:>8}", "", "any", "kept");
    let rows = [
        (&PRECISION, before.precision, after.precision),
        (&RECALL, before.recall, after.recall),
        (&DENSITY, before.density, after.density),
        (&COVERAGE, before.coverage, after.coverage),
    ];
    for (Spec { name, .. }, before, after) in rows {
        say!("  {name:10} {:>8} {:>8}", number(before), number(after));
    }
    if args.method == Method::Obrs {
        say!("{}", prospect()?);
    }
    Ok(())
}

/// What exact ratios would make of the PR-curve, or why these ones promise nothing.
fn prospect(scores: &Scores, budget: f64) -> anyhow::Result<String> {
    let (auc, off) = (scores.auc(), scores.calibration_error());
    let Sides { reference: n, model: m } = scores.log_ratios().map(|of| of.len() as f64);
    // Standard deviation of the AUC of rows that nothing tells apart (Mann–Whitney).
    let by_chance = 0.5 + Z * ((n + m + 1.0) / (12.0 * n * m)).sqrt();
    let mut why = Vec::new();
    if auc <= by_chance {
        why.push(format!(
            "AUC {auc:.3} is not above the {by_chance:.3} that chance reaches on {n} and {m} rows, so the \
             kept completions are as good as drawn at random"
        ));
    }
    if off > MOST_OFF {
        why.push(format!(
            "calibration error {off:.3} is above {MOST_OFF}, so ratios are off by half and more"
        ));
    }
    if !why.is_empty() {
        return Ok(format!("α and β are not known to improve: {}", why.join("; ")));
    }
    let point = scores.envelope()?.points(&[1.0])[0];
    let after = refined(point, budget);
    Ok(format!(
        "were the ratios exact, α = {} at β = {} would become α = {} at the same β; the lines above are \
         what was seen",
        number(point.alpha),
        number(point.beta),
        number(after.alpha)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of 100 rows a side that says each with the chance `p` of being the reference's; a share `own` of
    /// its rows has `p`, the others `1 − p`.
    fn scores(p: f64, own: f64) -> Scores {
        let side = |own: f64| {
            let said = |i: usize| if (i as f64) < (100.0 * own).round() { p } else { 1.0 - p };
            (0..100).map(|i| (said(i) / (1.0 - said(i))).ln()).collect::<Vec<f64>>()
        };
        Scores::new(Sides { reference: side(own), model: side(1.0 - own) })
    }

    #[test] // by hand: α(1) = FNR + FPR = 0.2 + 0.2, twice that is 0.8
    fn calibrated_ratios_that_tell_the_sides_apart_have_a_prospect() {
        let said = prospect(&scores(0.8, 0.8), 2.0).unwrap();
        assert!(said.starts_with("were the ratios exact, α = 0.4000 at β = 0.4000"), "{said}");
        assert!(said.contains("would become α = 0.8000"), "{said}");
    }

    #[test] // by hand: AUC ½ + (2 · 0.45 − 1)/2 = 0.45; chance reaches ½ + 1.96 √(201/120000) = 0.580
    fn ratios_no_better_than_chance_promise_nothing() {
        let said = prospect(&scores(0.55, 0.45), 4.0).unwrap();
        assert!(
            said.starts_with("α and β are not known to improve: AUC 0.450 is not above the 0.580"),
            "{said}"
        );
        assert!(said.contains("as good as drawn at random") && !said.contains("become"), "{said}");
    }

    #[test] // by hand: 0.95 is said where 0.65 is so
    fn ratios_out_of_calibration_promise_nothing() {
        let said = prospect(&scores(0.95, 0.65), 4.0).unwrap();
        assert!(said.contains("calibration error 0.300 is above 0.1"), "{said}");
        assert!(!said.contains("AUC") && !said.contains("become"), "{said}");
    }

    #[test]
    fn a_large_reference_is_split_in_two_and_a_small_one_is_not() {
        let (fitted, held_out) = split(100, 3);
        assert_eq!((fitted.len(), held_out.len()), (50, 50));
        assert!(fitted.iter().all(|row| !held_out.contains(row)));
        assert_eq!(split(60, 3), ((0..60).collect(), Vec::new()));
    }
}
