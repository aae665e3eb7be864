//! `llmpr tune`: settings for a wanted precision, recall or F-score, out of a run or by drawing.

mod answer;
mod race;

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

use super::{
    flags::{self, Format, FormatFlag, OutFlag},
    missing::note_missing,
    sweep,
};
use crate::{
    metric::{
        prdc::{COVERAGE, PRECISION, RECALL},
        spec::Spec,
    },
    report::{
        markdown,
        number::number,
        record::{CellResult, Results},
    },
    run::tune::{
        wish::{Goal, Requirement, Wish},
        words::command,
    },
};

/// Measures shown of each cell.
const SHOWN: [&Spec; 3] = [&PRECISION, &RECALL, &COVERAGE];

/// Arguments of `llmpr tune`.
#[derive(clap::Args)]
#[command(mut_args(of_draws(flags::defaults(sweep::usual()))), after_help = AFTER)]
pub struct Args {
    /// A finished run, a folder with results.json, whose cells are chosen from. Without it settings race: texts are
    /// drawn as by `llmpr sweep`, and where they tell which setting is best
    #[arg(value_name = "RUN")]
    run: Option<PathBuf>,
    /// What is to be as large as possible: a measure, or `f:B` for the F-score of precision and recall that counts
    /// recall B times as much [default: recall]
    #[arg(long, value_name = "MEASURE|f:B")]
    maximize: Option<Goal>,
    /// What is to be as small as possible, such as kl or frechet_distance
    #[arg(long, value_name = "MEASURE", conflicts_with = "maximize")]
    minimize: Option<String>,
    /// Cells are kept that reach this, such as `precision>=0.6` or `mauve>=0.9`; may be repeated
    #[arg(long = "require", value_name = "MEASURE>=VALUE")]
    requirements: Vec<Requirement>,
    /// What has to reach a requirement: the whole interval, so that chance alone does not keep a cell, or
    /// the value itself. A measure without an interval is taken by its value
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// How many cells are shown
    #[arg(long, default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    race: race::RaceFlags,
    #[command(flatten)]
    options: sweep::Options,
}

/// What the help says at its end.
const AFTER: &str = "Without RUN the flags of `llmpr sweep` name models, task and grid; without any setting the grid \
    is one of temperatures, top-p, min-p and top-n-sigma. The run folder is that of the sweep: run again, the race \
    goes on; `llmpr sweep` with the same flags draws the rest of the grid. exact:precision and the like are what \
    the bundled world knows of its texts. `llmpr refine --mixture RUN` mixes all cells of a finished sweep";

/// Makes RUN refuse every flag that would draw.
fn of_draws(mut change: impl FnMut(clap::Arg) -> clap::Arg) -> impl FnMut(clap::Arg) -> clap::Arg {
    move |arg| {
        match arg.get_id().as_str() {
        "run" | "maximize" | "minimize" | "requirements" | "by" | "top" | "format" => arg,
        "out" => arg.help(
            "The run folder of a race, continued if it is there; with RUN the file that is written instead of stdout",
        ),
        _ => change(arg).conflicts_with("run"),
    }
    }
}

impl Args {
    fn wish(&self) -> Wish {
        Wish { goal: self.goal(), requirements: self.requirements.clone() }
    }

    fn goal(&self) -> Goal {
        match (&self.minimize, &self.maximize) {
            (Some(name), _) => Goal::Least(name.clone()),
            (None, Some(goal)) => goal.clone(),
            (None, None) => Goal::Measure(RECALL.name.to_owned()),
        }
    }
}

/// What of a measure has to reach a requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// The end of the interval that is nearer to breaking it.
    #[default]
    Interval,
    /// The value.
    Value,
}

/// Finds the cells and prints them.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.run {
        Some(run) => choose(args, run),
        None => race::run(args),
    }
}

/// Chooses among the cells of a finished run.
fn choose(args: &Args, run: &Path) -> anyhow::Result<()> {
    let file = run.join("results.json");
    let bytes = std::fs::read(&file)
        .with_context(|| match run.join("run.json").is_file() {
            true => "its sweep writes it at its end; run the same `llmpr sweep` again".to_owned(),
            false => format!("`{}` is no run folder", run.display()),
        })
        .with_context(|| format!("cannot read the results in `{}`", file.display()))?;
    let results: Results = serde_json::from_slice(&bytes)
        .with_context(|| format!("`{}` is no list of results", file.display()))?;
    note_missing(run, &results);
    for name in args.wish().measures() {
        if !results.cells.iter().any(|cell| cell.score.metrics.contains_key(&name)) {
            let known: Vec<&str> = results
                .cells
                .first()
                .map(|cell| cell.score.metrics.keys().map(String::as_str).collect())
                .unwrap_or_default();
            bail!("no cell of `{}` has `{name}`; there are {}", run.display(), known.join(", "));
        }
    }
    let goal = args.goal().checked()?;
    let mut kept: Vec<(f64, &CellResult)> = results
        .cells
        .iter()
        .filter_map(|cell| Some((reached(cell, &goal)?, cell)))
        .filter(|(_, cell)| args.requirements.iter().all(|r| keeps(cell, r, By::Value)))
        .collect();
    kept.sort_by(|(a, _), (b, _)| match goal {
        Goal::Least(_) => a.total_cmp(b),
        Goal::Measure(_) | Goal::F(_) => b.total_cmp(a),
    });
    let by_value = kept.clone();
    kept.retain(|(_, cell)| args.requirements.iter().all(|r| keeps(cell, r, args.by)));
    if kept.is_empty() {
        bail!("{}", nearest_miss(&results, args, &by_value));
    }
    let text = match args.format.format {
        Format::Table => {
            let given_up = given_up(&kept, &by_value, args);
            table(&kept, args, run, results.cells.len()) + &given_up
        }
        Format::Json => {
            let cells: Vec<_> =
                kept.iter().take(args.top.max(1)).map(|&(v, c)| shown(v, c)).collect();
            serde_json::to_string_pretty(&cells)? + "\n"
        }
        Format::Csv => csv(&kept, args.top.max(1)),
        Format::Markdown => {
            let cells = kept.iter().take(args.top.max(1)).map(|(_, cell)| (*cell).clone());
            markdown::results(&Results { cells: cells.collect(), ..results.clone() })
        }
        Format::LmEval => {
            bail!("lm-eval's files hold whole runs: llmpr report RUN --format lm-eval")
        }
    };
    OutFlag { out: args.options.out.clone() }.write(&text)
}

fn value(cell: &CellResult, name: &str) -> Option<f64> {
    cell.score.metrics.get(name).map(|estimate| estimate.value).filter(|value| !value.is_nan())
}

fn keeps(cell: &CellResult, requirement: &Requirement, by: By) -> bool {
    let Requirement { measure, at_least, bound } = requirement;
    let Some(value) = value(cell, measure) else { return false };
    let estimate = &cell.score.metrics[measure];
    let end = if *at_least { estimate.low } else { estimate.high };
    let judged = end.filter(|_| by == By::Interval).unwrap_or(value);
    if *at_least { judged >= *bound } else { judged <= *bound }
}

/// What requiring whole intervals costs: the best cell that reaches the requirements by its values alone.
fn given_up(kept: &[(f64, &CellResult)], by_value: &[(f64, &CellResult)], args: &Args) -> String {
    let (Some((best, _)), Some((more, cell))) = (kept.first(), by_value.first()) else {
        return String::new();
    };
    let lost = by_value.len() - kept.len();
    if lost == 0 {
        return String::new();
    }
    let also = if more == best {
        "none of them is better".to_owned()
    } else {
        format!("the best of them reaches {} ({})", number(*more), cell.cell.label())
    };
    format!(
        "{lost} more cell{} the requirements by {} alone, not by the whole interval; {also}; --by value \
         takes them too\n",
        if lost == 1 { " keeps" } else { "s keep" },
        args.requirements.iter().map(|r| r.measure.as_str()).collect::<Vec<_>>().join(" and "),
    )
}

fn reached(cell: &CellResult, goal: &Goal) -> Option<f64> {
    goal.value(|name| value(cell, name))
}

/// What to say where no cell keeps the requirements: the best that does by its values, else how near the
/// run came to the first broken one.
fn nearest_miss(results: &Results, args: &Args, by_value: &[(f64, &CellResult)]) -> String {
    if let Some((reached, cell)) = by_value.first() {
        return format!(
            "none of {} cells keeps all requirements with the whole of its intervals; {} by the values \
             alone, the best of them {} with {} (--by value); more completions (-n) make intervals narrower",
            results.cells.len(),
            if by_value.len() == 1 {
                "1 does".to_owned()
            } else {
                format!("{} do", by_value.len())
            },
            cell.cell.label(),
            number(*reached)
        );
    }
    let broken = args.requirements.iter().find_map(|requirement| {
        let values = results.cells.iter().filter_map(|cell| value(cell, &requirement.measure));
        let best = match requirement.at_least {
            true => values.fold(f64::NEG_INFINITY, f64::max),
            false => values.fold(f64::INFINITY, f64::min),
        };
        let misses = match requirement.at_least {
            true => best < requirement.bound,
            false => best > requirement.bound,
        };
        misses.then(|| format!("; the best {} of the run is {}", requirement.measure, number(best)))
    });
    format!(
        "none of {} cells keeps all requirements{}",
        results.cells.len(),
        broken.unwrap_or_default()
    )
}

/// A cell as JSON: its settings, what it reached, and its supports.
fn shown(reached: f64, cell: &CellResult) -> serde_json::Value {
    let metrics: serde_json::Map<String, serde_json::Value> = SHOWN
        .iter()
        .filter_map(|spec| {
            let estimate = serde_json::to_value(cell.score.metrics.get(spec.name)?).ok()?;
            Some((spec.name.to_owned(), estimate))
        })
        .collect();
    let reached = if reached.is_finite() { reached.into() } else { serde_json::Value::from("inf") };
    serde_json::json!({
        "cell": cell.cell.id,
        "label": cell.cell.label(),
        "model": cell.cell.model,
        "shots": cell.cell.shots,
        "decoding": cell.cell.decoding,
        "reached": reached,
        "metrics": metrics,
    })
}

fn csv(kept: &[(f64, &CellResult)], top: usize) -> String {
    let heads = SHOWN.map(|spec| spec.name).join(",");
    let mut out = format!("cell,settings,reached,{heads}\n");
    for (reached, cell) in kept.iter().take(top) {
        let values =
            SHOWN.map(|spec| value(cell, spec.name).map_or_else(String::new, |v| v.to_string()));
        let label = cell.cell.label().replace('"', "\"\"");
        out += &format!("{},\"{label}\",{reached},{}\n", cell.cell.id, values.join(","));
    }
    out
}

fn table(kept: &[(f64, &CellResult)], args: &Args, run: &Path, cells: usize) -> String {
    let goal = &args.goal();
    let mut out = match args.requirements.is_empty() {
        true => format!("{cells} cells; {goal} first\n"),
        false => format!("{} of {cells} cells keep the requirements; {goal} first\n", kept.len()),
    };
    for (reached, cell) in kept.iter().take(args.top.max(1)) {
        out += &format!("  {:>9}  {}\n", number(*reached), cell.cell.label());
        for Spec { name, .. } in SHOWN {
            if let Some(estimate) = cell.score.metrics.get(*name) {
                let interval = match (estimate.low, estimate.high) {
                    (Some(low), Some(high)) => format!("  {} … {}", number(low), number(high)),
                    _ => String::new(),
                };
                let exact = cell.truth.get(*name).map(|exact| number(exact.value));
                let exact = exact.map(|exact| format!(", exactly {exact}")).unwrap_or_default();
                out +=
                    &format!("             {name} {}{interval}{exact}\n", number(estimate.value));
            }
        }
        for requirement in &args.requirements {
            if let Some(exact) = breaks_exactly(cell, requirement) {
                out += &format!(
                    "             {} is exactly {}: the estimate keeps {} by its bias\n",
                    requirement.measure,
                    number(exact),
                    number(requirement.bound)
                );
            }
            if let Some(end) = may_miss(cell, requirement) {
                out += &format!(
                    "             {} may miss {}: its interval reaches {}\n",
                    requirement.measure,
                    number(requirement.bound),
                    number(end)
                );
            }
        }
    }
    let [(best, first), others @ ..] = kept else { return out };
    if let Some(name) = measure_of(goal)
        && let Some(estimate) = first.score.metrics.get(name)
        && let (Some(low), Some(high)) = (estimate.low, estimate.high)
    {
        let alike = others.iter().filter(|(value, _)| low <= *value && *value <= high).count();
        if alike > 0 {
            out += &format!(
                "{alike} other{} inside the interval of the first ({} … {} about {}): these settings are \
                 not told apart by {name}; llmpr compare {} --against '{}' --metrics {name} pairs them\n",
                if alike == 1 { " lies" } else { "s lie" },
                number(low),
                number(high),
                number(*best),
                run.display(),
                first.cell.label(),
            );
        }
    }
    out + &format!("settings of the first: {}\n", command(&first.cell))
}

fn measure_of(goal: &Goal) -> Option<&str> {
    match goal {
        Goal::Measure(name) | Goal::Least(name) => Some(name),
        Goal::F(_) => None,
    }
}

/// The exact value that breaks a requirement which the estimate keeps, where it is known.
fn breaks_exactly(cell: &CellResult, requirement: &Requirement) -> Option<f64> {
    let exact = cell.truth.get(&requirement.measure)?.value;
    let breaks = match requirement.at_least {
        true => exact < requirement.bound,
        false => exact > requirement.bound,
    };
    breaks.then_some(exact)
}

/// The end of a kept measure's interval that breaks the requirement, where one does.
fn may_miss(cell: &CellResult, requirement: &Requirement) -> Option<f64> {
    let estimate = cell.score.metrics.get(&requirement.measure)?;
    match requirement.at_least {
        true => estimate.low.filter(|low| *low < requirement.bound),
        false => estimate.high.filter(|high| *high > requirement.bound),
    }
}

#[cfg(test)]
mod tests;
