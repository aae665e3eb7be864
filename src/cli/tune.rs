//! `llmpr tune`: the settings of a run for a wanted precision, recall or F-score.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, bail};

use crate::report::{
    record::{CellResult, Results},
    score::number,
};

/// Arguments of `llmpr tune`.
#[derive(clap::Args)]
pub struct Args {
    /// A run: a folder with results.json
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// What is to be as large as possible: a measure of the run, or `f:B` for the F-score of precision
    /// and recall that counts recall B times as much
    #[arg(long, default_value = "recall", value_name = "MEASURE|f:B")]
    maximize: Goal,
    /// Cells are kept that reach this, such as `precision>=0.6` or `mauve>=0.9`; may be repeated
    #[arg(long = "require", value_name = "MEASURE>=VALUE")]
    requirements: Vec<Requirement>,
    /// How many cells are shown
    #[arg(long, default_value_t = 5)]
    top: usize,
}

/// What is to be large.
#[derive(Clone, Debug, PartialEq)]
enum Goal {
    Measure(String),
    F(f64),
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("f:") {
            None => Ok(Self::Measure(text.to_owned())),
            Some(b) => match b.parse::<f64>() {
                Ok(b) if b > 0.0 && b.is_finite() => Ok(Self::F(b)),
                _ => Err(format!("`{b}` is no positive number; write f:1 or f:2")),
            },
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Measure(name) => f.write_str(name),
            Self::F(b) => write!(f, "F_{b} of precision and recall"),
        }
    }
}

/// A bound that a cell has to keep.
#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    measure: String,
    at_least: bool,
    bound: f64,
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no requirement; write precision>=0.6 or kl<=1");
        let (measure, bound, at_least) = match (text.split_once(">="), text.split_once("<=")) {
            (Some((measure, bound)), _) => (measure, bound, true),
            (None, Some((measure, bound))) => (measure, bound, false),
            (None, None) => return Err(wrong()),
        };
        let bound = bound.trim().parse().map_err(|_| wrong())?;
        Ok(Self { measure: measure.trim().to_owned(), at_least, bound })
    }
}

/// Finds the cells and prints them.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = args.run.join("results.json");
    let bytes = std::fs::read(&file)
        .with_context(|| format!("cannot read the results in `{}`", file.display()))?;
    let results: Results = serde_json::from_slice(&bytes)
        .with_context(|| format!("`{}` is no list of results", file.display()))?;
    for name in wanted(args) {
        if !results.cells.iter().any(|cell| cell.score.metrics.contains_key(&name)) {
            let known: Vec<&str> = results
                .cells
                .first()
                .map(|cell| cell.score.metrics.keys().map(String::as_str).collect())
                .unwrap_or_default();
            bail!(
                "no cell of `{}` has `{name}`; there are {}",
                args.run.display(),
                known.join(", ")
            );
        }
    }
    let mut kept: Vec<(f64, &CellResult)> = results
        .cells
        .iter()
        .filter(|cell| args.requirements.iter().all(|requirement| keeps(cell, requirement)))
        .filter_map(|cell| Some((reached(cell, &args.maximize)?, cell)))
        .collect();
    if kept.is_empty() {
        bail!("{}", nearest_miss(&results, args));
    }
    kept.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    super::to_stdout(&table(&kept, args, results.cells.len()))?;
    Ok(())
}

/// The measures that the arguments speak of.
fn wanted(args: &Args) -> Vec<String> {
    let goal = match &args.maximize {
        Goal::Measure(name) => vec![name.clone()],
        Goal::F(_) => vec!["precision".to_owned(), "recall".to_owned()],
    };
    goal.into_iter().chain(args.requirements.iter().map(|r| r.measure.clone())).collect()
}

fn value(cell: &CellResult, name: &str) -> Option<f64> {
    cell.score.metrics.get(name).map(|estimate| estimate.value).filter(|value| !value.is_nan())
}

fn keeps(cell: &CellResult, requirement: &Requirement) -> bool {
    value(cell, &requirement.measure).is_some_and(|value| match requirement.at_least {
        true => value >= requirement.bound,
        false => value <= requirement.bound,
    })
}

fn reached(cell: &CellResult, goal: &Goal) -> Option<f64> {
    match goal {
        Goal::Measure(name) => value(cell, name),
        Goal::F(b) => {
            let (p, r) = (value(cell, "precision")?, value(cell, "recall")?);
            let total = b * b * p + r;
            Some(if total > 0.0 { (1.0 + b * b) * p * r / total } else { 0.0 })
        }
    }
}

/// What to say where no cell keeps the requirements: how near the run came to the first broken one.
fn nearest_miss(results: &Results, args: &Args) -> String {
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

fn table(kept: &[(f64, &CellResult)], args: &Args, cells: usize) -> String {
    let mut out = format!(
        "{} of {cells} cells keep the requirements; largest {} first\n",
        kept.len(),
        args.maximize
    );
    for (reached, cell) in kept.iter().take(args.top.max(1)) {
        out += &format!("  {:>9}  {}\n", number(*reached), cell.cell.label());
        for name in ["precision", "recall", "coverage"] {
            if let Some(estimate) = cell.score.metrics.get(name) {
                let interval = match (estimate.low, estimate.high) {
                    (Some(low), Some(high)) => format!("  {} … {}", number(low), number(high)),
                    _ => String::new(),
                };
                out += &format!("             {name} {}{interval}\n", number(estimate.value));
            }
        }
    }
    if let [(best, first), (second, next), ..] = kept
        && let Goal::Measure(name) = &args.maximize
        && let Some(low) = first.score.metrics.get(name).and_then(|estimate| estimate.low)
        && *second >= low
    {
        out += &format!(
            "{} at {} lies inside the interval of {} at {}: these settings are not told apart\n",
            next.cell.label(),
            number(*second),
            first.cell.label(),
            number(*best)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_and_goals_are_read_or_refused_with_a_sentence() {
        let read: Requirement = "precision >= 0.6".parse().unwrap();
        assert_eq!(read, Requirement { measure: "precision".into(), at_least: true, bound: 0.6 });
        assert!("kl<=1".parse::<Requirement>().is_ok());
        assert!("precision=0.6".parse::<Requirement>().unwrap_err().contains("precision>=0.6"));
        assert_eq!("f:2".parse(), Ok(Goal::F(2.0)));
        assert!("f:zero".parse::<Goal>().is_err());
    }
}
