//! `llmpr compare`: scores held against each other.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{
    metric::record::{Estimate, Score},
    report::{
        record::{CellResult, Results},
        score::number,
    },
};

/// Arguments of `llmpr compare`.
#[derive(clap::Args)]
pub struct Args {
    /// Scores: files of `llmpr score --format json`, cells (a folder with scores.json) or runs (a folder
    /// with results.json). The others are held against the first
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Measures to compare; all that the scores share where none is named
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    metrics: Vec<String>,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = super::score::Format::Table)]
    format: super::score::Format,
}

/// A score with the name it is shown under.
struct Named {
    name: String,
    score: Score,
}

/// One measure of a score against that of the first.
#[derive(serde::Serialize)]
struct Difference {
    first: String,
    second: String,
    metric: String,
    #[serde(with = "crate::number")]
    a: f64,
    #[serde(with = "crate::number")]
    b: f64,
    #[serde(with = "crate::number")]
    difference: f64,
    #[serde(with = "crate::number::option")]
    low: Option<f64>,
    #[serde(with = "crate::number::option")]
    high: Option<f64>,
    #[serde(with = "crate::number::option")]
    p_value: Option<f64>,
}

/// Compares and prints.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut scores = Vec::new();
    for path in &args.paths {
        scores.extend(read(path)?);
    }
    let [first, others @ ..] = scores.as_slice() else { bail!("no score was found") };
    if others.is_empty() {
        bail!("`{}` is one score; name two or more to compare", first.name);
    }
    for other in others {
        if let Some((a, b)) = settings_differ(&first.score.signature, &other.score.signature) {
            eprintln!(
                "llmpr: `{}` was made with {a} and `{}` with {b}: differences may come from that",
                first.name, other.name
            );
        }
    }
    let mut differences = Vec::new();
    for other in others {
        for (metric, a) in &first.score.metrics {
            let wanted = args.metrics.is_empty() || args.metrics.contains(metric);
            if let Some(b) = other.score.metrics.get(metric).filter(|_| wanted) {
                differences.push(difference(&first.name, &other.name, metric, a, b));
            }
        }
    }
    if differences.is_empty() {
        bail!("the scores share none of the measures {}", args.metrics.join(", "));
    }
    let text = match args.format {
        super::score::Format::Json => serde_json::to_string_pretty(&differences)? + "\n",
        super::score::Format::Csv => csv(&differences),
        super::score::Format::Table => table(&differences),
    };
    Ok(super::to_stdout(&text)?)
}

/// The scores in a file or folder.
fn read(path: &Path) -> anyhow::Result<Vec<Named>> {
    let name = path.display().to_string();
    let (results, scores) = (path.join("results.json"), path.join("scores.json"));
    if results.is_file() {
        let results: Results = json(&results)?;
        let cells = results.cells.into_iter();
        return Ok(cells
            .map(|cell| Named { name: format!("{name}: {}", cell.cell.label()), score: cell.score })
            .collect());
    }
    let file = if scores.is_file() { scores } else { path.to_owned() };
    if path.is_dir() && !file.is_file() {
        bail!("`{name}` has neither results.json (a run) nor scores.json (a cell)");
    }
    let value: serde_json::Value = json(&file)?;
    let schema = value["schema"].as_str().unwrap_or_default().to_owned();
    let wrong = || format!("`{}` holds no score", file.display());
    let score = match schema.as_str() {
        crate::report::record::RESULT_SCHEMA => {
            let cell: CellResult = serde_json::from_value(value).with_context(wrong)?;
            return Ok(vec![Named { name: cell.cell.label(), score: cell.score }]);
        }
        crate::metric::record::SCHEMA => serde_json::from_value(value).with_context(wrong)?,
        _ => bail!("{}: its schema is `{schema}`, not {}", wrong(), crate::metric::record::SCHEMA),
    };
    Ok(vec![Named { name, score }])
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read scores from `{}`", path.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("`{}` is not what it should be", path.display()))
}

/// The first facts in which two signatures differ, sizes and seeds aside.
fn settings_differ(a: &str, b: &str) -> Option<(String, String)> {
    let facts = |signature: &str| -> Vec<String> {
        let skipped = ["n:", "seed:", "resamples:", "mauve-clusters:"];
        let kept = signature.split('|').filter(|fact| !skipped.iter().any(|s| fact.starts_with(s)));
        kept.map(str::to_owned).collect()
    };
    let (a, b) = (facts(a), facts(b));
    let differing = a.iter().zip(&b).find(|(a, b)| a != b);
    differing.map(|(a, b)| (a.clone(), b.clone()))
}

/// `b − a` as if the two were independent: on a shared reference they vary together, so the interval is
/// wider and the p-value larger than those of a paired comparison, never the reverse.
fn difference(first: &str, second: &str, metric: &str, a: &Estimate, b: &Estimate) -> Difference {
    let error = |estimate: &Estimate| Some((estimate.high? - estimate.low?) / (2.0 * 1.96));
    let difference = b.value - a.value;
    let error = error(a).zip(error(b)).map(|(a, b)| a.hypot(b)).filter(|_| difference.is_finite());
    Difference {
        first: first.to_owned(),
        second: second.to_owned(),
        metric: metric.to_owned(),
        a: a.value,
        b: b.value,
        difference,
        low: error.map(|error| difference - 1.96 * error),
        high: error.map(|error| difference + 1.96 * error),
        p_value: error.map(|error| match error > 0.0 {
            true => 2.0 * crate::metric::special::normal_cdf(-(difference / error).abs()),
            false => f64::from(difference == 0.0),
        }),
    }
}

fn table(differences: &[Difference]) -> String {
    let width = differences.iter().map(|d| d.metric.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut pair = String::new();
    for d in differences {
        let now = format!("{} against {}", d.second, d.first);
        if now != pair {
            out += &format!(
                "{now}\n  {:width$}  {:>9}  {:>9}  {:>10}  {:>21}  {:>7}\n",
                "measure", "first", "second", "difference", "95 % interval", "p"
            );
            pair = now;
        }
        let interval = match (d.low, d.high) {
            (Some(low), Some(high)) => format!("{} … {}", number(low), number(high)),
            _ => String::new(),
        };
        let p = d.p_value.map(|p| if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") });
        let line = format!(
            "  {:width$}  {:>9}  {:>9}  {:>10}  {interval:>21}  {:>7}",
            d.metric,
            number(d.a),
            number(d.b),
            number(d.difference),
            p.unwrap_or_default()
        );
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn csv(differences: &[Difference]) -> String {
    let mut out = String::from("first,second,metric,a,b,difference,low,high,p_value\n");
    let cell = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for d in differences {
        let numbers = [Some(d.a), Some(d.b), Some(d.difference), d.low, d.high, d.p_value];
        let numbers = numbers.map(|value| value.map(cell).unwrap_or_default()).join(",");
        out += &format!("{},{},{},{numbers}\n", quoted(&d.first), quoted(&d.second), d.metric);
    }
    out
}
