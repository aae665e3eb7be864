//! `llmpr texts`.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use anyhow::Context;
use rayon::prelude::*;
use serde_json::json;

use super::flags::{FactsFlag, FactsFormat, GapFlags, OutFlag};
use crate::text::{Reading, Text, count_blank};

/// The form of the JSON; grows when fields change.
const SCHEMA: &str = "llmpr.texts/1";

/// Letters of a text that are shown.
const SHOWN: usize = 100;

/// Arguments of `llmpr texts`.
#[derive(clap::Args)]
pub struct Args {
    /// Texts (.jsonl, .json, .txt, .csv, .parquet, .arrow, .eval, a folder of save_to_disk, each with an optional
    /// :field), or `-`
    #[arg(value_name = "FILE[:FIELD]")]
    file: String,
    #[command(flatten)]
    gaps: GapFlags,
    /// How many of the texts are shown
    #[arg(long, value_name = "N", default_value_t = 3)]
    first: usize,
    #[command(flatten)]
    format: FactsFlag,
    /// Write the texts there as JSONL, each with what is known about it
    #[command(flatten)]
    out: OutFlag,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    args.out.check(&[&args.file])?;
    let reading = args.gaps.reading(&args.file)?;
    if args.out.file().is_some() {
        let lines: Result<Vec<String>, _> =
            reading.texts.iter().map(serde_json::to_string).collect();
        let lines = lines.context("cannot write texts as JSON")?;
        args.out.write(&(lines.join("\n") + "\n"))?;
    }
    let shown = match args.format.format {
        FactsFormat::Table => table(&reading, args.first),
        FactsFormat::Json => serde_json::to_string_pretty(&object(&reading, args.first))? + "\n",
    };
    Ok(super::to_stdout(&shown)?)
}

/// How many texts there are when equal ones count once. Hashes are made by all threads; texts of one hash are
/// compared.
fn different(reading: &Reading) -> usize {
    let hash = |text: &Text| {
        let mut hasher = DefaultHasher::new();
        text.text.hash(&mut hasher);
        hasher.finish()
    };
    let hashes: Vec<u64> = reading.texts.par_iter().map(hash).collect();
    let (mut first, mut others) = (HashMap::with_capacity(hashes.len()), HashSet::new());
    for (hash, text) in hashes.into_iter().zip(&reading.texts) {
        let text = text.text.as_str();
        if *first.entry(hash).or_insert(text) != text {
            others.insert(text);
        }
    }
    first.len() + others.len()
}

fn table(reading: &Reading, first: usize) -> String {
    let texts = &reading.texts;
    let names = |names: &[String]| match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    let groups = match reading.groups() {
        Some(groups) => format!("{groups}, by the prompts that the texts answer"),
        None => "none: not every text names its prompt".to_owned(),
    };
    let mut left = reading.unanswered();
    if !reading.missing.is_empty() {
        left.push(format!("{} rows without a text", reading.missing.len()));
    }
    if reading.skipped_blank > 0 {
        left.push(format!("{} empty texts", reading.skipped_blank));
    }
    if reading.repeated > 0 {
        left.push(format!("{} rows that repeat a document", reading.repeated));
    }
    let taken = if reading.taken.is_empty() { "whole lines" } else { &reading.taken };
    let rows = [
        ("texts", texts.len().to_string()),
        ("different", different(reading).to_string()),
        ("empty", count_blank(texts).to_string()),
        ("groups", groups),
        ("taken", taken.to_owned()),
        ("not taken", names(&reading.not_taken)),
        ("left out", if left.is_empty() { "nothing".to_owned() } else { left.join("; ") }),
    ];
    let mut out = String::new();
    for (name, value) in rows {
        out.push_str(&format!("{name:<11}{value}\n"));
    }
    for text in texts.iter().take(first) {
        let short: String = text.text.chars().take(SHOWN).collect();
        let more = if short.len() < text.text.len() { " …" } else { "" };
        let id = text.id.as_deref().map(|id| format!("{id}: ")).unwrap_or_default();
        out.push_str(&format!("- {id}{short:?}{more}\n"));
    }
    out
}

fn object(reading: &Reading, first: usize) -> serde_json::Value {
    let failed = |(name, why): &(String, String)| json!({"request": name, "reason": why});
    json!({
        "schema": SCHEMA,
        "n": reading.texts.len(),
        "different": different(reading),
        "empty": count_blank(&reading.texts),
        "groups": reading.groups(),
        "taken": reading.taken,
        "not_taken": reading.not_taken,
        "failed": reading.failed.iter().map(failed).collect::<Vec<_>>(),
        "without_content": reading.without_content,
        "rows_without_text": reading.missing,
        "skipped_empty": reading.skipped_blank,
        "repeated_rows": reading.repeated,
        "first": reading.texts.iter().take(first).collect::<Vec<_>>(),
    })
}
