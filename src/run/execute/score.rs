//! The second half of a sweep: features and scores of what has been drawn.

use std::{collections::HashSet, sync::OnceLock};

use indexmap::IndexMap;
use rayon::prelude::*;

use super::{ExecuteError, Execution};
use crate::{
    lm::LmError,
    report::{
        published,
        record::{CellRecord, CellResult, RESULTS_SCHEMA, Results, SampleRecord},
        results::{to_csv, to_long_csv},
    },
    run::{
        features::{EmbedError, cache_folder, texts_hash},
        lock::Attempt,
        plan::draws,
        progress::{Progress, Quiet},
        sampling::is_complete,
        scoring::{EmbeddedCell, EmbeddedReference, Scoring, ScoringError, Truth},
        store::{StoreError, read_json, read_log, write_json, write_whole},
        sweep::Sweep,
        truth::Truths,
    },
    score::ScoreOptions,
};

/// Texts up to which cells are scored side by side.
const FEW: usize = 2000;

impl Execution<'_> {
    /// Embeds the cells of a shard that are drawn, so that whoever scores the run finds their features; whether a
    /// stop was asked for. The first shard embeds the reference, too.
    pub(super) fn embed_part(&mut self, first: bool) -> Result<bool, ExecuteError> {
        let planned = self.sweep.cells().map(|cell| cell.record.clone());
        let cells: Vec<CellRecord> =
            planned.filter(|cell| is_complete(&self.folder, cell)).collect();
        let n: usize = cells.iter().map(|cell| cell.n_samples).sum();
        let texts = n + if first { self.sweep.reference.len() } else { 0 };
        self.progress.begin("embedding", "texts", texts as u64, 0);
        if first && self.embed_reference()?.is_none() {
            return Ok(true);
        }
        self.announce(&cells)?;
        for cell in &cells {
            // Who holds it embeds it.
            let Attempt::Taken(_lock) = self.folder.try_cell(&cell.id)? else { continue };
            match self.embed(cell, self.progress) {
                Ok(_) => {}
                Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(true),
                Err(EmbedError::Store(error)) => return Err(error.into()),
                Err(error) => self.fail(cell, format!("cannot be embedded: {error}")),
            }
        }
        self.progress.end();
        Ok(false)
    }

    /// Embeds and scores all complete cells of the folder; `None` when a stop was asked for.
    pub(super) fn score(&mut self) -> Result<Option<Results>, ExecuteError> {
        let cells = self.complete_cells()?;
        let n: u64 = cells.iter().map(|cell| cell.n_samples as u64).sum();
        let total = n + self.sweep.reference.len() as u64;
        self.progress.begin("embedding", "texts", total, 0);
        let Some(reference) = self.embed_reference()? else { return Ok(None) };
        let options = ScoreOptions {
            embedder: self.sweep.features.facts().map_err(|e| ExecuteError::Reference(e.into()))?,
            reference: Some(self.sweep.shared.reference_hash.clone()),
            prompts: Some(self.sweep.shared.prompts_content()),
            ..self.sweep.settings.score.clone()
        };
        let pca_fit = self.sweep.settings.pca_fit;
        let (settings, embedder) = (options.clone(), self.sweep.features.name());
        let grammar = self.sweep.grammar.clone();
        let truths = grammar.as_ref().map(|grammar| Truths::new(grammar, options.seed));
        let exact = |texts: &[&str]| truths.as_ref().map_or_else(IndexMap::new, |of| of.of(texts));
        let truth: Option<Truth<'_>> = truths.is_some().then_some(&exact);
        let radius = OnceLock::new();
        let texts = self.sweep.reference.clone();
        let (options, reference) = (&options, &reference);
        let scoring = Scoring { options, pca_fit, reference, truth, texts: &texts, radius };
        self.announce(&cells)?;
        let quota = scoring.quota(cells.len());
        let mut parts = Vec::with_capacity(cells.len());
        let mut embedded = Vec::with_capacity(cells.len());
        for cell in cells {
            self.folder.still_ours()?;
            match self.embed(&cell, self.progress) {
                Ok(full) => {
                    parts.push((full.origin(), full.evenly(quota)));
                    embedded.push(cell);
                }
                Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(None),
                Err(EmbedError::Store(error)) => return Err(error.into()),
                Err(error) => self.fail(&cell, format!("cannot be embedded: {error}")),
            }
        }
        self.progress.end();
        let basis = scoring.basis(&parts)?;
        drop(parts);
        self.progress.begin("scoring", "cells", embedded.len() as u64, 0);
        let mut scored: Vec<CellResult> = Vec::new();
        for some in embedded.chunks(side_by_side(reference, &embedded)) {
            let mut full = Vec::with_capacity(some.len());
            for cell in some {
                if self.stop.asked() {
                    return Ok(None);
                }
                match self.embed(cell, &Quiet) {
                    Ok(cell) => full.push(cell),
                    Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(None),
                    Err(error) => self.fail(cell, error.to_string()),
                }
            }
            self.folder.still_ours()?;
            let (folder, features) = (&self.folder, &self.sweep.features);
            let (stop, progress) = (self.stop, self.progress);
            let score = |cell: &EmbeddedCell| {
                if stop.asked() {
                    return None;
                }
                let result = scoring.cell(folder, &basis, cell, &|text| features.ids(text));
                progress.advance(1, 0);
                Some(result)
            };
            let found: Vec<_> = full.par_iter().with_max_len(1).map(score).collect();
            for (EmbeddedCell { record, .. }, result) in full.iter().zip(found) {
                match result {
                    None => return Ok(None),
                    Some(Ok(result)) => {
                        scored.push(published::beside(result, &settings, &embedder))
                    }
                    Some(Err(ScoringError::Store(error))) => return Err(error.into()),
                    Some(Err(error)) => self.fail(record, format!("cannot be scored: {error}")),
                }
            }
        }
        self.progress.end();
        if self.prefixes(&mut scored)? || self.reference_nll(&mut scored)? {
            return Ok(None);
        }
        let results = Results {
            schema: RESULTS_SCHEMA.to_owned(),
            task: self.sweep.task.name.clone(),
            reference: self.sweep.shared.reference.clone(),
            reference_n: self.sweep.reference.len(),
            embedder: self.sweep.features.name(),
            cells: scored,
            failed: self.failed.values().cloned().collect(),
        };
        self.folder.still_ours()?;
        write_json(&self.folder.root().join("results.json"), &results)?;
        write_whole(&self.folder.root().join("results.csv"), to_csv(&results).as_bytes())?;
        let long = self.folder.root().join("results_long.csv");
        write_whole(&long, to_long_csv(&results).as_bytes())?;
        Ok(Some(results))
    }

    /// The plan's cells that have all completions, then those of earlier plans in this folder.
    fn complete_cells(&self) -> Result<Vec<CellRecord>, StoreError> {
        let complete = |cell: &CellRecord| is_complete(&self.folder, cell);
        let mut seen = HashSet::new();
        let mut cells: Vec<CellRecord> = Vec::new();
        for cell in self.sweep.cells() {
            if seen.insert(cell.record.id.clone()) && complete(&cell.record) {
                cells.push(cell.record.clone());
            }
        }
        let mut others: Vec<CellRecord> = Vec::new();
        for id in self.folder.cell_ids() {
            if !seen.contains(&id)
                && let Some(cell) = read_json::<CellRecord>(&self.folder.cell(&id, "cell.json"))?
                && complete(&cell)
            {
                others.push(cell);
            }
        }
        others.sort_by(|a, b| {
            let key = |cell: &CellRecord| (cell.model.clone(), cell.shots, cell.seed);
            let temperatures = a.decoding.temperature.total_cmp(&b.decoding.temperature);
            key(a).cmp(&key(b)).then(temperatures).then(a.id.cmp(&b.id))
        });
        cells.extend(others);
        Ok(cells)
    }

    pub(super) fn embed_reference(&mut self) -> Result<Option<EmbeddedReference>, ExecuteError> {
        let Sweep { reference, features, settings, .. } = &mut *self.sweep;
        let texts: Vec<&str> = reference.iter().map(String::as_str).collect();
        let path = self.folder.reference(&self.file);
        let cache = cache_folder().filter(|_| settings.cache);
        let rows = features.of(&texts, &path, cache.as_deref(), self.stop, self.progress);
        let rows = match rows {
            Ok(rows) => rows,
            Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(None),
            Err(EmbedError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(ExecuteError::Reference(error)),
        };
        let ids: Result<Vec<_>, _> = texts.iter().map(|text| features.ids(text)).collect();
        let ids = ids.map_err(|error| ExecuteError::Reference(error.into()))?;
        let origin = format!("{}:{}", features.key(), texts_hash(&texts));
        Ok(Some(EmbeddedReference { origin, ids, features: rows }))
    }

    /// Tells the embedder which texts come, so that what several cells wrote is embedded once.
    fn announce(&mut self, cells: &[CellRecord]) -> Result<(), StoreError> {
        let mut texts = Vec::new();
        for cell in cells {
            let samples = self.samples(cell)?;
            texts.extend(samples.into_iter().filter_map(|sample| sample.text));
        }
        self.sweep.features.announce(texts.iter().map(String::as_str));
        Ok(())
    }

    /// A cell's completions in the order of their draws, each once.
    pub(super) fn samples(&self, cell: &CellRecord) -> Result<Vec<SampleRecord>, StoreError> {
        let path = self.folder.cell(&cell.id, "samples.jsonl");
        let mut by_draw: IndexMap<(u32, u32), SampleRecord> = IndexMap::new();
        for sample in read_log::<SampleRecord>(&path)? {
            by_draw.entry((sample.prompt_index, sample.sample)).or_insert(sample);
        }
        let prompts = self.sweep.shared.prompts;
        let wanted = draws(cell.n_samples, prompts);
        Ok(wanted.filter_map(|d| by_draw.swap_remove(&(d.prompt, d.sample))).collect())
    }

    pub(super) fn embed(
        &mut self,
        cell: &CellRecord,
        progress: &dyn Progress,
    ) -> Result<EmbeddedCell, EmbedError> {
        let (samples, without): (Vec<_>, Vec<_>) =
            self.samples(cell)?.into_iter().partition(|sample| sample.text.is_some());
        let mut without_text = IndexMap::new();
        for sample in without {
            *without_text.entry(sample.finish_reason).or_insert(0) += 1;
        }
        let texts: Vec<&str> = samples.iter().map(SampleRecord::text).collect();
        let path = self.folder.cell(&cell.id, &self.file);
        let Self { sweep, stop, .. } = self;
        let features = sweep.features.of(&texts, &path, None, stop, progress)?;
        Ok(EmbeddedCell { record: cell.clone(), samples, without_text, features })
    }

    /// The token ids of a cell's texts.
    pub(super) fn tokens(&self, cell: &EmbeddedCell) -> Result<Vec<Vec<u32>>, LmError> {
        cell.samples.iter().map(|sample| self.sweep.features.ids(sample.text())).collect()
    }
}

/// How many cells are scored side by side. One of few texts has too little to share among threads; one of many
/// occupies them all, and its memory.
fn side_by_side(reference: &EmbeddedReference, cells: &[CellRecord]) -> usize {
    let most = cells.iter().map(|cell| cell.n_samples).max().unwrap_or(0);
    let rows = most.max(reference.features.rows());
    if rows <= FEW { 2 * rayon::current_num_threads() } else { 1 }
}
