//! Measures of the beginnings of texts: what is said after 16, 32, 64 … tokens.

use std::sync::OnceLock;

use super::{ExecuteError, Execution};
use crate::{
    lm::LmError,
    report::record::CellResult,
    run::{features::EmbedError, progress::Quiet, scoring::Scoring},
    score::{Metrics, ScoreOptions},
};

/// What is measured of beginnings.
const MEASURES: &str = "precision,recall,coverage";

impl Execution<'_> {
    /// Adds to each result the measures of its texts' beginnings, both sides cut alike; whether a stop was asked for.
    ///
    /// A length that the embedder does not exceed is the whole text's, and left out. Features of beginnings are kept as
    /// `features-N.npy` beside those of whole texts.
    pub(super) fn prefixes(&mut self, results: &mut [CellResult]) -> Result<bool, ExecuteError> {
        let whole = self.sweep.features.max_tokens();
        let lengths = self.sweep.settings.prefixes.clone();
        let mut lengths = lengths.into_iter().filter(|tokens| (1..whole).contains(tokens));
        let file = self.file.clone();
        let stopped = lengths.try_fold(false, |stopped, tokens| {
            if stopped {
                return Ok(true);
            }
            self.cut_to(tokens)?;
            self.file = format!("features-{tokens}.npy");
            self.prefix(tokens, results)
        });
        self.file = file;
        self.cut_to(whole)?;
        stopped
    }

    fn cut_to(&mut self, tokens: usize) -> Result<(), ExecuteError> {
        let cut = self.sweep.features.cut_to(tokens);
        cut.map_err(|error| ExecuteError::Reference(error.into()))
    }

    fn prefix(&mut self, tokens: usize, results: &mut [CellResult]) -> Result<bool, ExecuteError> {
        let n: usize = results.iter().map(|result| result.cell.n_samples).sum();
        let what = format!("embedding the first {tokens} tokens");
        self.progress.begin(&what, "texts", (n + self.sweep.reference.len()) as u64, 0);
        let Some(reference) = self.embed_reference()? else { return Ok(true) };
        // Names of measures that there are.
        let Ok(metrics) = MEASURES.parse::<Metrics>() else { return Ok(false) };
        let options = ScoreOptions {
            metrics,
            permutations: 0,
            embedder: self.sweep.features.facts().map_err(|e| ExecuteError::Reference(e.into()))?,
            ..self.sweep.settings.score.clone()
        };
        let (pca_fit, radius) = (self.sweep.settings.pca_fit, OnceLock::new());
        let (options, reference) = (&options, &reference);
        let scoring = Scoring { options, pca_fit, reference, truth: None, texts: &[], radius };
        let quota = scoring.quota(results.len());
        let mut parts = Vec::with_capacity(results.len());
        for result in results.iter() {
            match self.embed(&result.cell, self.progress) {
                Ok(full) => parts.push((full.origin(), full.evenly(quota))),
                Err(EmbedError::Lm(LmError::Interrupted)) => return Ok(true),
                Err(error) => return Err(ExecuteError::Reference(error)),
            }
        }
        self.progress.end();
        let basis = scoring.basis(&parts)?;
        for result in results.iter_mut() {
            if self.stop.asked() {
                return Ok(true);
            }
            let full = self.embed(&result.cell, &Quiet).map_err(ExecuteError::Reference)?;
            let ids = self.tokens(&full).map_err(|e| ExecuteError::Reference(e.into()))?;
            // Whole texts have been scored; of a beginning there may be too few kinds to score.
            let Ok(score) = scoring.measure(&basis, &full, &ids) else { continue };
            let named = |(name, estimate)| (format!("{name}_first_{tokens}"), estimate);
            result.prefixes.extend(score.metrics.into_iter().map(named));
        }
        Ok(false)
    }
}
