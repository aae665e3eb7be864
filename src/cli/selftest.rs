//! `llmpr selftest`: the measures against known answers, as a table.

use anyhow::Context;

use super::flags::SeedFlag;
use crate::{
    cli::progress,
    lm::embed::Pooling,
    report::number::number,
    run::{
        self,
        settings::{SweepSettings, WORLD},
        signals::Stop,
    },
    score::selftest::{Check, closed_forms, sanity_panel},
};

/// Arguments of `llmpr selftest`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    seed: SeedFlag,
    /// Leave out the sanity panel, which takes seconds
    #[arg(long)]
    closed_forms_only: bool,
    /// Instead: sweep the bundled world, whose truth is known, and tell how well each measure follows it
    #[arg(long, conflicts_with = "closed_forms_only")]
    world: bool,
    /// Completions of each model under each setting
    #[arg(short, long, value_name = "N", default_value_t = usual_n(), requires = "world")]
    n: usize,
    /// With --world: embedders, each MODEL or MODEL:mean
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "tiny-gpt2,tiny-gpt2:mean,tiny-bio:mean",
        requires = "world"
    )]
    embedders: Vec<String>,
}

/// Completions a cell of the bundled world.
fn usual_n() -> usize {
    SweepSettings::new(WORLD, &[]).n_samples
}

/// Runs every check, prints the table, and fails when one does.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.world {
        return world(args);
    }
    let mut checks = closed_forms();
    if !args.closed_forms_only {
        checks.extend(sanity_panel(args.seed.seed)?);
    }
    super::to_stdout(&table(&checks))?;
    let failed = checks.iter().filter(|check| !check.passed()).count();
    if failed > 0 {
        anyhow::bail!("{failed} of {} checks failed", checks.len());
    }
    Ok(())
}

/// What the table means.
const KEY: &str = "\
precision: share of the texts that the grammar accepts
recall: probability of the modes that texts reach, faulty texts by what they settle on before the fault
recall_accepted: probability of the modes of accepted texts alone
alpha@1: Σ min(p, q) over modes, q the share of texts accepted in each
Spearman: 1 says that the measure puts the cells in their true order; bias: above 0 it flatters the model
tiny-gpt2 was trained to tell country, profession and plan, which make the modes: it sees the world better
than an embedder can be expected to see real texts. tiny-bio is one of the models under test.
";

/// Sweeps the bundled world and prints how well each measure follows the truth.
fn world(args: &Args) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("llmpr-world-{}", std::process::id()));
    let eye = |name: &String| match name.strip_suffix(":mean") {
        Some(model) => (model.to_owned(), Pooling::Mean),
        None => (name.trim_end_matches(":last").to_owned(), Pooling::Last),
    };
    let eyes: Vec<_> = args.embedders.iter().map(eye).collect();
    let settings = super::sweep::world_settings(args.n, args.seed.seed, folder.clone())?;
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let progress = progress::for_stderr();
    let seen = run::world::world(&settings, &eyes, &folder, &stop, &*progress);
    let _ = std::fs::remove_dir_all(&folder);
    let mut out = String::new();
    for (trackings, results) in seen? {
        out +=
            &format!("{} ({} cells of {} texts)\n", results.embedder, results.cells.len(), args.n);
        out += "  measure             held against     Spearman     bias  farthest off\n";
        for row in trackings {
            let worst = row.worst.map_or_else(String::new, |(label, estimate, truth)| {
                format!("{} where {} is true: {label}", number(estimate), number(truth))
            });
            out += &format!(
                "  {:18}  {:15}  {:>8}  {:>7}  {worst}\n",
                row.measure,
                row.truth,
                number(row.spearman),
                row.bias.map_or_else(|| "-".to_owned(), number),
            );
        }
    }
    out += KEY;
    super::to_stdout(&out)?;
    Ok(())
}

fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.measure.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    let mut case = "";
    for check in checks {
        if check.case != case {
            case = check.case;
            out += &format!("{case}\n");
        }
        let verdict = if check.passed() { "ok" } else { "FAILED" };
        let (got, expected) = (number(check.got), number(check.expected));
        let padding = " ".repeat(width - check.measure.chars().count());
        out += &format!(
            "  {verdict:6}  {}{padding}  {got:>10}  expected {expected:>10} ± {}\n",
            check.measure,
            number(check.allowed)
        );
    }
    let passed = checks.iter().filter(|check| check.passed()).count();
    out + &format!("{passed} of {} checks passed\n", checks.len())
}
