//! `llmpr compare`: scores held against each other.

mod read;

use anyhow::{Context, bail};
use indexmap::IndexMap;
use read::{Files, Named, read};
use std::{collections::HashMap, path::PathBuf};

use super::flags::{Format, FormatFlag, OutFlag};
use crate::{
    data::matrix::Matrix,
    math::special::normal_cdf,
    metric::{
        frechet::FRECHET_DISTANCE,
        frontier::MAUVE,
        prdc::{COVERAGE, DENSITY, PRECISION, RECALL},
        spec::Spec,
    },
    npy,
    report::{
        number::{exact, number},
        record::SampleRecord,
    },
    run::store::read_log,
    score::{Metrics, ScoreOptions, Spread, paired_spreads, record::Estimate},
};

/// Measures that are compared where none is named.
const HEADLINES: [&Spec; 6] = [&PRECISION, &RECALL, &DENSITY, &COVERAGE, &MAUVE, &FRECHET_DISTANCE];
/// Half of a normal 95 % interval, in standard deviations.
const Z: f64 = 1.959_963_984_540_054;

/// Arguments of `llmpr compare`.
#[derive(clap::Args)]
pub struct Args {
    /// Scores: files of `llmpr score --format json`, cells (a folder with scores.json) or runs (a folder
    /// with results.json). Of several runs, cells of the same settings are compared; else the others are
    /// held against the first
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Measures to compare and families of them, or `all` that the scores share [default: precision,
    /// recall, density, coverage, mauve, frechet_distance]
    #[arg(long, value_name = "LIST|all")]
    metrics: Option<Metrics>,
    /// Hold the others against the cell whose settings contain this, such as T=1
    #[arg(long, value_name = "TEXT")]
    against: Option<String>,
    /// Only cells whose settings contain this, such as shots=0; may be repeated
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    out: OutFlag,
}

/// One measure of a score against that of the first.
#[derive(serde::Serialize)]
struct Difference {
    first: String,
    second: String,
    metric: String,
    #[serde(with = "crate::data::json_number")]
    a: f64,
    #[serde(with = "crate::data::json_number")]
    b: f64,
    #[serde(with = "crate::data::json_number")]
    difference: f64,
    #[serde(with = "crate::data::json_number::option")]
    low: Option<f64>,
    #[serde(with = "crate::data::json_number::option")]
    high: Option<f64>,
    #[serde(with = "crate::data::json_number::option")]
    p_value: Option<f64>,
    /// Whether both were drawn from the same halves of reference and prompts.
    paired: bool,
}

/// Compares and prints.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut scores = Vec::new();
    for path in &args.paths {
        scores.extend(read(path)?);
    }
    scores.retain(|score| args.only.iter().all(|part| says(&score.label, part)));
    let pairs = pairs(&scores, args)?;
    let mut spreads = Pairing::default();
    let mut differences = Vec::new();
    let mut warned = false;
    for &(first, second) in &pairs {
        let (a, b) = (&scores[first], &scores[second]);
        if let Some((one, other)) = settings_differ(&a.score.signature, &b.score.signature)
            && !std::mem::replace(&mut warned, true)
        {
            eprintln!(
                "llmpr: `{}` was made with {one} and `{}` with {other}: differences may come from that",
                a.name, b.name
            );
        }
        let wanted = |metric: &str| match &args.metrics {
            None => HEADLINES.iter().any(|spec| spec.name == metric),
            Some(asked) => asked.keeps_key(metric),
        };
        let shared: Vec<&String> = a
            .score
            .metrics
            .keys()
            .filter(|metric| wanted(metric) && b.score.metrics.contains_key(*metric))
            .collect();
        let spread = spreads.of(a, b, &shared)?;
        for metric in shared {
            let values = [&a.score.metrics[metric], &b.score.metrics[metric]];
            differences.push(difference([a, b], metric, values, spread.get(metric)));
        }
    }
    if differences.is_empty() {
        let asked = args.metrics.as_ref().map_or(String::new(), |asked| format!(" {asked}"));
        bail!("the scores share none of the measures{}", asked.replace(',', ", "));
    }
    let text = match args.format.format {
        Format::Json => serde_json::to_string_pretty(&differences)? + "\n",
        Format::Csv => csv(&differences),
        Format::Table => table(&differences),
    };
    args.out.write(&text)
}

/// Whether the settings of a cell contain `part`, not in the middle of a value: `T=1` is not in `T=1.2`.
fn says(label: &str, part: &str) -> bool {
    let words: Vec<&str> = label.split_whitespace().collect();
    part.split_whitespace().all(|part| words.contains(&part))
}

/// Which scores are held against which, by index: the first of a pair is the base.
fn pairs(scores: &[Named], args: &Args) -> anyhow::Result<Vec<(usize, usize)>> {
    if scores.is_empty() {
        match args.only.is_empty() {
            true => bail!("no score was found"),
            false => bail!("no cell's settings contain {}", args.only.join(" and ")),
        }
    }
    if let Some(part) = &args.against {
        let base = scores.iter().position(|score| says(&score.label, part));
        let Some(base) = base else { bail!("no cell's settings contain `{part}`") };
        let others = (0..scores.len()).filter(|&i| i != base);
        return Ok(others.map(|i| (base, i)).collect());
    }
    // Cells of the same settings in several runs.
    let own: Vec<usize> =
        (0..scores.len()).filter(|&i| scores[i].source == scores[0].source).collect();
    let mut matched = Vec::new();
    for &base in own.iter().filter(|_| own.len() > 1) {
        let twin = |&i: &usize| {
            scores[i].source != scores[base].source && scores[i].label == scores[base].label
        };
        matched.extend((0..scores.len()).filter(twin).map(|i| (base, i)));
    }
    if !matched.is_empty() {
        return Ok(matched);
    }
    if scores.len() == 1 {
        bail!("`{}` is one score; name two or more to compare", scores[0].name);
    }
    Ok((1..scores.len()).map(|i| (0, i)).collect())
}

/// Features that have been read, and spreads of differences from them.
#[derive(Default)]
struct Pairing {
    read: HashMap<PathBuf, Matrix>,
    prompts: HashMap<PathBuf, Vec<String>>,
}

impl Pairing {
    /// The spread of each of `metrics` between two cells; empty where they cannot be paired.
    fn of(
        &mut self,
        a: &Named,
        b: &Named,
        metrics: &[&String],
    ) -> anyhow::Result<IndexMap<String, Spread>> {
        let (Some(first), Some(second)) = (&a.files, &b.files) else { return Ok(IndexMap::new()) };
        for file in [&first.reference, &second.reference, &first.features, &second.features] {
            self.read_features(file)?;
        }
        let read = |file: &PathBuf| &self.read[file];
        let (reference, other) = (read(&first.reference), read(&second.reference));
        if reference != other || reference.cols() != read(&second.features).cols() {
            return Ok(IndexMap::new());
        }
        let Some(metrics) = Metrics::of_keys(metrics.iter().map(|key| key.as_str())) else {
            return Ok(IndexMap::new());
        };
        let options = ScoreOptions { metrics, ..first.options.clone() };
        let [one, two] = [first, second].map(|files| self.prompts_of(files));
        let (one, two) = (one?, two?);
        let models = [&self.read[&first.features], &self.read[&second.features]];
        let numbers = blocks([&one, &two]);
        let prompts = [0, 1].map(|at| numbers[at].as_slice());
        paired_spreads(&self.read[&first.reference], models, prompts, &options)
            .with_context(|| format!("`{}` and `{}`", a.name, b.name))
    }

    fn read_features(&mut self, file: &PathBuf) -> anyhow::Result<()> {
        if !self.read.contains_key(file) {
            let rows = npy::read_features(&file.display().to_string())
                .with_context(|| format!("cannot read features from `{}`", file.display()))?;
            self.read.insert(file.clone(), rows);
        }
        Ok(())
    }

    /// The prompt of each completion.
    fn prompts_of(&mut self, files: &Files) -> anyhow::Result<Vec<String>> {
        let file = &files.samples;
        if let Some(known) = self.prompts.get(file) {
            return Ok(known.clone());
        }
        let mut samples = read_log::<SampleRecord>(file)
            .with_context(|| format!("cannot read completions from `{}`", file.display()))?;
        // Features are in the order of the draws.
        samples.sort_by_key(|sample| (sample.sample, sample.prompt_index));
        samples.dedup_by_key(|sample| (sample.sample, sample.prompt_index));
        let prompts: Vec<String> = samples.into_iter().map(|sample| sample.prompt).collect();
        self.prompts.insert(file.clone(), prompts.clone());
        Ok(prompts)
    }
}

/// Numbers of prompts, one numbering for both; empty for one where none repeats or there is but one.
fn blocks(prompts: [&[String]; 2]) -> [Vec<u64>; 2] {
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    prompts.map(|prompts| {
        let mut own = std::collections::HashSet::new();
        let of: Vec<u64> = prompts
            .iter()
            .map(|prompt| {
                let next = numbers.len() as u64;
                let number = *numbers.entry(prompt).or_insert(next);
                own.insert(number);
                number
            })
            .collect();
        if own.len() > 1 && own.len() < of.len() { of } else { Vec::new() }
    })
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

/// `b − a`. With a `spread` its interval is that of a paired comparison; without, as if the two were independent:
/// on a shared reference they vary together, so that interval is wider and the p-value larger, never the reverse.
fn difference(
    named: [&Named; 2],
    metric: &str,
    estimates: [&Estimate; 2],
    spread: Option<&Spread>,
) -> Difference {
    let [a, b] = estimates;
    let difference = b.value - a.value;
    let error = |estimate: &Estimate| Some((estimate.high? - estimate.low?) / (2.0 * Z));
    let apart = || error(a).zip(error(b)).map(|(a, b)| (a.hypot(b), Z));
    let paired = spread.map(|spread| (spread.deviation, spread.quantile));
    let found = paired.or_else(apart).filter(|_| difference.is_finite());
    let p_value = |(error, quantile): (f64, f64)| match error > 0.0 {
        // As many normal deviations as it is in its own quantiles.
        true => 2.0 * normal_cdf(-(difference / error * Z / quantile).abs()),
        false => f64::from(difference == 0.0),
    };
    Difference {
        first: named[0].name.clone(),
        second: named[1].name.clone(),
        metric: metric.to_owned(),
        a: a.value,
        b: b.value,
        difference,
        low: found.map(|(error, quantile)| difference - quantile * error),
        high: found.map(|(error, quantile)| difference + quantile * error),
        p_value: found.map(p_value),
        paired: spread.is_some(),
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
    out + &notes(differences)
}

/// How the intervals were made, and how many small p-values chance alone would give.
fn notes(differences: &[Difference]) -> String {
    let (all, paired) = (differences.len(), differences.iter().filter(|d| d.paired).count());
    let how = match paired {
        0 => {
            "intervals as if the two were independent: there are no features to pair them by".into()
        }
        _ if paired == all => {
            "paired: both seen with the same halves of reference and prompts".into()
        }
        _ => format!("{paired} of {all} paired; the others as if the two were independent"),
    };
    let tested = differences.iter().filter_map(|d| d.p_value).collect::<Vec<f64>>();
    let small = tested.iter().filter(|p| **p < 0.05).count();
    let by_chance = match tested.len() {
        0..20 => String::new(),
        count => format!(
            "; {small} of {count} p-values are below 0.05, about {:.0} would be without any difference",
            0.05 * count as f64
        ),
    };
    format!("{how}{by_chance}\n")
}

fn csv(differences: &[Difference]) -> String {
    let mut out = String::from("first,second,metric,a,b,difference,low,high,p_value,paired\n");
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for d in differences {
        let numbers = [Some(d.a), Some(d.b), Some(d.difference), d.low, d.high, d.p_value];
        let numbers = numbers.map(|value| value.map(exact).unwrap_or_default()).join(",");
        let (first, second) = (quoted(&d.first), quoted(&d.second));
        out += &format!("{first},{second},{},{numbers},{}\n", d.metric, d.paired);
    }
    out
}
