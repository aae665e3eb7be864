//! `llmpr compare`: scores held against each other.

mod base;
mod difference;
mod pairing;
mod print;
mod ranks;
mod read;

use anyhow::bail;
use difference::{Difference, correct, difference};
use pairing::Pairing;
use ranks::agreements;
use read::{Named, read};
use std::{collections::HashSet, path::PathBuf};

use super::flags::OutFlag;
use crate::{
    data::signature,
    metric::{
        frechet::FRECHET_DISTANCE,
        frontier::MAUVE,
        prdc::{COVERAGE, DENSITY, PRECISION, RECALL},
        spec::Spec,
    },
    score::Metrics,
};

/// Measures that are compared where none is named.
const HEADLINES: [&Spec; 6] = [&PRECISION, &RECALL, &DENSITY, &COVERAGE, &MAUVE, &FRECHET_DISTANCE];

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
    /// Hold the other models' cells against this model's of the same settings, a row a setting: a base model against
    /// its instruction-tuned ones
    #[arg(long, value_name = "MODEL", conflicts_with = "against")]
    base: Option<String>,
    /// Say how alike runs of the same texts, by other embedders or poolings, put the cells in order: Kendall's and
    /// Spearman's rank correlation of each measure
    #[arg(long, conflicts_with_all = ["against", "base", "anyway"])]
    ranks: bool,
    /// Only cells whose settings contain this, such as shots=0; may be repeated
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Compare what is not comparable too, such as scores against two references, and say what differs
    #[arg(long)]
    anyway: bool,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    #[command(flatten)]
    out: OutFlag,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// One line a difference
    Csv,
    /// A table for a page or an issue
    #[value(alias = "md")]
    Markdown,
}

/// Compares and prints.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let files = args.paths.iter().filter_map(|path| path.to_str());
    args.out.check(&files.collect::<Vec<_>>())?;
    let mut scores = Vec::new();
    for path in &args.paths {
        scores.extend(read(path)?);
    }
    scores.retain(|score| args.only.iter().all(|part| says(&score.label, part)));
    let wanted = |metric: &str| match &args.metrics {
        None => HEADLINES.iter().any(|spec| spec.name == metric),
        Some(asked) => asked.keeps_key(metric),
    };
    if args.ranks {
        return args.out.write(&print::agreements(&agreements(&scores, wanted)?, args.format)?);
    }
    let pairs = match &args.base {
        Some(base) => base::pairs(&scores, base)?,
        None => pairs(&scores, args)?,
    };
    let mut spreads = Pairing::default();
    let mut differences = Vec::new();
    let mut said = HashSet::new();
    for &(first, second) in &pairs {
        let (a, b) = (&scores[first], &scores[second]);
        let apart = apart(a, b, args.anyway, &mut said)?;
        let shared: Vec<&String> = a
            .score
            .metrics
            .keys()
            .filter(|metric| wanted(metric) && b.score.metrics.contains_key(*metric))
            .collect();
        let spread = spreads.of(a, b, &shared)?;
        for metric in shared {
            let values = [&a.score.metrics[metric], &b.score.metrics[metric]];
            let found = difference([a, b], metric, values, spread.get(metric));
            differences.push(Difference { differs_in: apart.clone(), ..found });
        }
    }
    if differences.is_empty() {
        let asked = args.metrics.as_ref().map_or(String::new(), |asked| format!(" {asked}"));
        bail!("the scores share none of the measures{}", asked.replace(',', ", "));
    }
    correct(&mut differences);
    let of_models = || base::tables(&differences, &scores, &pairs);
    let text = match args.format {
        Form::Markdown if args.base.is_some() => print::models(&of_models(), &differences, true),
        Form::Table if args.base.is_some() => print::models(&of_models(), &differences, false),
        Form::Markdown => print::markdown(&differences),
        Form::Json => serde_json::to_string_pretty(&differences)? + "\n",
        Form::Csv => print::csv(&differences),
        Form::Table => print::table(&differences),
    };
    args.out.write(&text)
}

/// In what two scores differ that keeps them apart; said once, and refused unless it is asked for `anyway`.
fn apart(
    a: &Named,
    b: &Named,
    anyway: bool,
    said: &mut HashSet<String>,
) -> anyhow::Result<Vec<String>> {
    let signatures = [a, b].map(|named| named.score.signature.as_str());
    let differences = signature::differences(signatures[0], signatures[1]);
    let apart: Vec<String> = differences.iter().map(ToString::to_string).collect();
    let nameless: Vec<&Named> =
        [a, b].into_iter().filter(|n| !signature::identifies(&n.score.signature)).collect();
    let why = match (apart.as_slice(), nameless.as_slice()) {
        ([], []) => return Ok(apart),
        ([], _) => {
            let word = format!(
                "`{}` and `{}` were signed by version 0.1.0, which does not say by content what the \
                 reference and the embedder were: nothing shows that the two are comparable",
                a.name, b.name
            );
            // One word a pair of runs, not one a pair of cells.
            if said.insert(format!("{} {}", a.source.display(), b.source.display())) {
                say!("llmpr: {word}");
            }
            return Ok(apart);
        }
        (_, [old]) => format!(
            "`{}` was signed by version 0.1.0, which does not say by content what the reference and the \
             embedder were; score it again (of a run, the same `llmpr sweep` does)",
            old.name
        ),
        _ => format!("`{}` and `{}` differ in {}", a.name, b.name, apart.join(", ")),
    };
    if !anyway {
        bail!(
            "not comparable: {why}; --anyway computes the differences all the same, and --ranks holds the orders \
             against each other in which runs of the same texts put their cells"
        );
    }
    if said.insert(apart.join(", ")) {
        say!("llmpr: not comparable: {why}");
    }
    Ok(apart)
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
