//! Reads the reference with every local model, once for all temperatures.

use indexmap::IndexMap;

use super::{ExecuteError, Execution};
use crate::{
    lm::{
        Lm, LmError,
        logprob::{Continued, tempered::tempered},
    },
    report::record::{CellResult, ReadRecord, short_name},
    run::{
        models::Drawer,
        reference_nll::{Known, Reading, file_name},
        store::{Log, StoreError, write_error},
    },
};

/// Texts whose likelihoods are kept together; a stop loses at most so many.
const CHUNK: usize = 64;

/// What one reading of the reference is for.
struct Wanted {
    /// Its file.
    file: String,
    /// Places of the results that it belongs to.
    results: Vec<usize>,
    temperatures: Vec<f64>,
}

impl Execution<'_> {
    /// Adds to each result how well its model fits the reference at its temperature; whether a stop was asked for.
    ///
    /// What was read is kept in `reference/nll-….jsonl`, so that a model reads a text at a temperature once. Cells of
    /// temperature 0, to which all texts but one are impossible, get nothing, nor do those of servers.
    pub(super) fn reference_nll(
        &mut self,
        results: &mut [CellResult],
    ) -> Result<bool, ExecuteError> {
        if !self.sweep.settings.reference_nll {
            return Ok(false);
        }
        let n = self.sweep.pools.reference.len();
        let mut loaded: Option<(usize, Box<Lm>)> = None;
        for wanted in self.wanted(results) {
            let path = self.folder.reference(&wanted.file);
            let mut known = Known::read(&path)?;
            let open = (0..n).any(|text| !known.missing(text, &wanted.temperatures).is_empty());
            let own = |group: &crate::run::sweep::Group| {
                let of = |cell: &crate::run::plan::PlannedCell| {
                    file_name(&cell.record, &self.sweep.shared) == wanted.file
                };
                group.model.checkpoint().is_some() && group.cells.iter().any(of)
            };
            let group = self.sweep.groups.iter().position(own).filter(|_| open);
            if let Some(group) = group {
                let shots = results[wanted.results[0]].cell.shots;
                match self.read_reference(group, shots, &wanted, &mut known, &mut loaded) {
                    Ok(()) => {}
                    Err(ReadingError::Lm(LmError::Interrupted)) => return Ok(true),
                    Err(ReadingError::Execute(error)) => return Err(error),
                    Err(ReadingError::Lm(error)) => {
                        let name = &self.sweep.groups[group].record.name;
                        self.progress.say(&format!("{name} cannot read the reference: {error}"));
                    }
                }
            }
            for &at in &wanted.results {
                let temperature = results[at].cell.decoding.temperature;
                results[at].reference_nll = known.estimates(n, temperature);
            }
        }
        Ok(false)
    }

    /// What the cells of `results` need, those of one model behind one another.
    fn wanted(&self, results: &[CellResult]) -> Vec<Wanted> {
        let mut all: IndexMap<String, Wanted> = IndexMap::new();
        for (at, result) in results.iter().enumerate() {
            let temperature = result.cell.decoding.temperature;
            let is_local = !["server", "function"].contains(&result.cell.device.as_str());
            if temperature > 0.0 && is_local {
                let file = file_name(&result.cell, &self.sweep.shared);
                let wanted = all.entry(file.clone()).or_insert_with(|| Wanted {
                    file,
                    results: Vec::new(),
                    temperatures: Vec::new(),
                });
                wanted.results.push(at);
                if !wanted.temperatures.contains(&temperature) {
                    wanted.temperatures.push(temperature);
                }
            }
        }
        let mut all: Vec<Wanted> = all.into_values().collect();
        all.sort_by_key(|wanted| {
            let model = &results[wanted.results[0]].cell.model;
            results.iter().position(|result| &result.cell.model == model)
        });
        all
    }

    /// Reads what is missing of one model's texts and keeps it.
    fn read_reference(
        &self,
        group: usize,
        shots: usize,
        wanted: &Wanted,
        known: &mut Known,
        loaded: &mut Option<(usize, Box<Lm>)>,
    ) -> Result<(), ReadingError> {
        let own = &self.sweep.groups[group];
        let name = short_name(&own.record.name).to_owned();
        let all = Reading::all(self.sweep, &own.model, shots)
            .map_err(|error| LmError::Model { model: name.clone(), what: error.to_string() })?;
        let path = self.folder.reference(&wanted.file);
        let mut opened = Log::open::<ReadRecord>(&path);
        if let Err(StoreError::BadLine { .. }) = opened {
            // A damaged file counts for nothing, and nothing of it is kept.
            std::fs::remove_file(&path).map_err(|source| write_error(&path, source))?;
            opened = Log::open(&path);
        }
        let (mut log, _) = opened?;
        // Texts that lack the same temperatures are read together, those of one prompt behind one another.
        let mut parts: IndexMap<Vec<u64>, Vec<usize>> = IndexMap::new();
        for text in 0..all.len() {
            let missing = known.missing(text, &wanted.temperatures);
            if !missing.is_empty() {
                let bits = missing.iter().map(|t| t.to_bits()).collect();
                parts.entry(bits).or_default().push(text);
            }
        }
        let model = match loaded {
            Some((at, model)) if *at == group => model,
            _ => {
                // The one before goes first: both may not fit.
                *loaded = None;
                self.progress.say(&format!("loading {name}"));
                let settings = &self.sweep.settings;
                let Drawer::Lm(model) = own.model.load(settings.device, settings.dtype)? else {
                    return Ok(());
                };
                &mut loaded.insert((group, model)).1
            }
        };
        let left: usize = parts.values().map(Vec::len).sum();
        let what = format!("reading the reference as {name}");
        self.progress.begin(&what, "texts", all.len() as u64, (all.len() - left) as u64);
        for (bits, mut texts) in parts {
            let temperatures: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
            texts.sort_by(|&a, &b| all[a].prompt.cmp(&all[b].prompt).then(a.cmp(&b)));
            for chunk in texts.chunks(CHUNK) {
                self.read_chunk(model, &temperatures, chunk, &all, known, &mut log)?;
            }
        }
        self.progress.end();
        log.sync()?;
        let (counted, n) = (known.counted(), all.len());
        if counted < n {
            self.progress.say(&format!(
                "{name}: {} of {n} reference texts continue no prompt of the task, and its reference NLL is of the others",
                n - counted
            ));
        }
        Ok(())
    }

    fn read_chunk(
        &self,
        model: &Lm,
        temperatures: &[f64],
        chunk: &[usize],
        all: &[Reading],
        known: &mut Known,
        log: &mut Log,
    ) -> Result<(), ReadingError> {
        let (with, without): (Vec<usize>, Vec<usize>) =
            chunk.iter().partition(|&&text| !all[text].tokens.is_empty());
        let texts: Vec<Continued<'_>> = with.iter().map(|&text| all[text].continued()).collect();
        let mut told = 0;
        let mut hear = |done: usize, _all: usize| {
            self.progress.advance(0, (done - told) as u64);
            told = done;
        };
        let interrupt = self.stop.interrupt();
        let sums = tempered(model.network(), temperatures, &texts, &interrupt, &mut hear)?;
        self.folder.still_ours().map_err(ExecuteError::from)?;
        let nothing = without.into_iter().map(|text| (text, vec![0.0; temperatures.len()]));
        for (text, ln_p) in with.into_iter().zip(sums).chain(nothing) {
            let line = ReadRecord {
                text,
                tokens: all[text].tokens.len(),
                bytes: all[text].bytes,
                temperatures: temperatures.to_vec(),
                nll: ln_p.into_iter().map(|ln_p| 0.0 - ln_p).collect(),
            };
            log.append(&line)?;
            known.add(&line);
        }
        self.progress.advance(chunk.len() as u64, 0);
        Ok(())
    }
}

/// Why the reference was not read to its end.
enum ReadingError {
    /// Of the model's making.
    Lm(LmError),
    /// Of the folder's.
    Execute(ExecuteError),
}

impl From<LmError> for ReadingError {
    fn from(error: LmError) -> Self {
        Self::Lm(error)
    }
}

impl From<StoreError> for ReadingError {
    fn from(error: StoreError) -> Self {
        Self::Execute(error.into())
    }
}

impl From<ExecuteError> for ReadingError {
    fn from(error: ExecuteError) -> Self {
        Self::Execute(error)
    }
}
