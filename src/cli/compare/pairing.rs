//! Two cells of one reference, drawn from together.

use anyhow::Context;
use indexmap::IndexMap;
use std::{collections::HashMap, path::PathBuf};

use super::read::{Files, Named};
use crate::{
    data::matrix::Matrix,
    npy,
    report::record::SampleRecord,
    run::store::read_log,
    score::{Metrics, ScoreOptions, Spread, paired_spreads},
};

/// Features that have been read, and spreads of differences from them.
#[derive(Default)]
pub struct Pairing {
    read: HashMap<PathBuf, Matrix>,
    prompts: HashMap<PathBuf, Vec<String>>,
}

impl Pairing {
    /// The spread of each of `metrics` between two cells; empty where they cannot be paired.
    pub fn of(
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
        // Features are in the order of the draws; an answer without a text has none.
        samples.retain(|sample| sample.text.is_some());
        samples.sort_by_key(|sample| (sample.sample, sample.prompt_index));
        samples.dedup_by_key(|sample| (sample.sample, sample.prompt_index));
        let prompts: Vec<String> = samples.iter().map(|sample| sample.prompt.to_string()).collect();
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
