//! From features to numbers: one set of components for the run, one score a cell, each kept at once.

use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

use super::{
    examples::examples,
    features::texts_hash,
    folder::RunFolder,
    settings::PcaFit,
    store::{StoreError, read_json, write_json},
};
use crate::{
    cloud::pca::{Keep, Pca, PcaError},
    data::{hex::hex, matrix::Matrix, rows::UnitRows, sides::Sides},
    lm::LmError,
    metric::within::{self, Groups, Mean},
    report::record::{CellRecord, CellResult, RESULT_SCHEMA, SampleRecord, TextFacts},
    score::{
        self, Normalize, Reduce, ScoreError, ScoreOptions,
        record::{Estimate, Score, Warning},
        warnings::Code,
    },
};

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoringError {
    /// The sets cannot be compared.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The features cannot be reduced.
    #[error(transparent)]
    Pca(#[from] PcaError),
    /// A text has no token ids.
    #[error(transparent)]
    Tokens(#[from] LmError),
    /// A file of the run folder.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A cell that is embedded.
pub struct EmbeddedCell {
    /// Its settings.
    pub record: CellRecord,
    /// Its completions with a text in the order of their draws, row `i` beside row `i` of the features.
    pub samples: Vec<SampleRecord>,
    /// How often each reason stands with an answer that has no text.
    pub without_text: IndexMap<String, usize>,
    /// One row a text.
    pub features: Matrix,
}

/// The reference side.
pub struct EmbeddedReference {
    /// Hash of its texts and of the embedder.
    pub origin: String,
    /// Token ids of its texts.
    pub ids: Vec<Vec<u32>>,
    /// One row a text.
    pub features: Matrix,
}

/// Exact values of texts.
pub type Truth<'a> = &'a (dyn Fn(&[&str]) -> IndexMap<String, Estimate> + Sync);

/// What is measured and how, for all cells of a run alike.
pub struct Scoring<'a> {
    /// Checked settings.
    pub options: &'a ScoreOptions,
    /// What principal components are fitted on.
    pub pca_fit: PcaFit,
    /// The human side.
    pub reference: &'a EmbeddedReference,
    /// Exact values of a cell's texts, where the task knows its true distribution.
    pub truth: Option<Truth<'a>>,
    /// The reference's texts.
    pub texts: &'a [String],
    /// The reference's [`within::radius`], once it is asked for.
    pub radius: OnceLock<f64>,
}

/// Components fitted once for a run, and the hash of what they were fitted on.
pub struct Basis {
    pca: Option<Pca>,
    hash: String,
}

impl Scoring<'_> {
    /// How many rows of each of `cells` cells the components are fitted on.
    pub fn quota(&self, cells: usize) -> usize {
        self.reference.features.rows().div_ceil(cells.max(1))
    }

    /// Fits the run's components on the reference and, together as many, rows taken evenly from all
    /// cells: `parts` are these rows, with the hash of the cell's texts. With [`PcaFit::Joint`] nothing
    /// is fitted here.
    ///
    /// # Errors
    ///
    /// [`ScoringError::Pca`].
    pub fn basis(&self, parts: &[(String, Matrix)]) -> Result<Basis, ScoringError> {
        let rows = &self.reference.features;
        let keep = match (self.pca_fit, self.options.pca) {
            (PcaFit::Joint, _) | (_, Reduce::None) => None,
            (PcaFit::Run, Reduce::Share(share)) => Some(Keep::Share(share)),
            (PcaFit::Run, Reduce::Components(count)) => {
                let all = rows.rows() + parts.iter().map(|(_, part)| part.rows()).sum::<usize>();
                Some(Keep::Components(count.min(rows.cols()).min(all)))
            }
        };
        let Some(keep) = keep.filter(|_| !parts.is_empty()) else {
            return Ok(Basis { pca: None, hash: String::new() });
        };
        let mut hasher = Sha256::new();
        parts.iter().for_each(|(origin, _)| hasher.update(origin));
        let all = std::iter::once(rows).chain(parts.iter().map(|(_, part)| part));
        let pca = match self.options.normalize {
            Normalize::L2 => {
                let unit: Vec<UnitRows> = all.map(UnitRows::of).collect();
                Pca::fit(&unit.iter().collect::<Vec<_>>(), keep)?
            }
            Normalize::None => Pca::fit(&all.collect::<Vec<_>>(), keep)?,
        };
        // Rows that are all alike have no directions; the score then says so.
        let pca = Some(pca).filter(|pca| pca.total_variance() > 0.0);
        Ok(Basis { pca, hash: hex(hasher.finalize()) })
    }

    /// The score of one cell: that in its `scores.json` if it was made of the same, else computed and
    /// written there. `tokens` gives the ids of a text, and is asked only then.
    ///
    /// # Errors
    ///
    /// [`ScoringError`].
    pub fn cell(
        &self,
        folder: &RunFolder,
        basis: &Basis,
        cell: &EmbeddedCell,
        tokens: &dyn Fn(&str) -> Result<Vec<u32>, LmError>,
    ) -> Result<CellResult, ScoringError> {
        let inputs = self.inputs(basis, cell);
        let path = folder.cell(&cell.record.id, "scores.json");
        if let Ok(Some(old)) = read_json::<CellResult>(&path)
            && old.inputs == inputs
        {
            let renamed = CellRecord { model: cell.record.model.clone(), ..old.cell.clone() };
            return Ok(CellResult { cell: renamed, ..old });
        }
        let written: Vec<&str> = cell.samples.iter().map(SampleRecord::text).collect();
        let ids = written.iter().map(|text| tokens(text)).collect::<Result<Vec<_>, _>>()?;
        let score = self.measure(basis, cell, &ids)?;
        let result = CellResult {
            schema: RESULT_SCHEMA.to_owned(),
            cell: cell.record.clone(),
            inputs,
            texts: cell.facts(),
            score,
            truth: self.truth.map(|truth| truth(&written)).unwrap_or_default(),
            per_prompt: self.per_prompt(cell, &ids)?,
            examples: examples(&cell.samples, cell.record.shots, self.texts),
            prefixes: IndexMap::new(),
            reference_nll: IndexMap::new(),
            published: None,
        };
        write_json(&path, &result)?;
        Ok(result)
    }

    /// The measures of one cell, computed; `ids` are the token ids of its texts.
    ///
    /// # Errors
    ///
    /// [`ScoringError::Score`].
    pub fn measure(
        &self,
        basis: &Basis,
        cell: &EmbeddedCell,
        ids: &[Vec<u32>],
    ) -> Result<Score, ScoringError> {
        let EmbeddedReference { ids: of_reference, features, .. } = self.reference;
        let texts = Sides {
            reference: score::TextFacts { tokens: of_reference.clone(), ..Default::default() },
            model: score::TextFacts {
                tokens: ids.to_vec(),
                cut: cell.samples.iter().map(|s| s.finish_reason == "length").collect(),
                blank: cell.samples.iter().map(|s| s.text().trim().is_empty()).collect(),
                prompts: prompts(&cell.samples),
            },
        };
        let sets = Sides { reference: features, model: &cell.features };
        let pca = basis.pca.as_ref();
        let mut score = score::score(sets, Some(texts.as_ref()), pca, self.options)?;
        score.warnings.extend(without_text(&cell.without_text, cell.record.n_samples));
        if !cell.record.ignored.is_empty() {
            score.signature.push_str(&format!("|ignored:{}", cell.record.ignored.join(",")));
        }
        if !cell.record.quirks.is_empty() {
            score.signature.push_str(&format!("|quirks:{}", cell.record.quirks.join(",")));
        }
        Ok(score)
    }

    /// How varied the completions of one prompt are, beside as many of different prompts.
    fn per_prompt(
        &self,
        cell: &EmbeddedCell,
        ids: &[Vec<u32>],
    ) -> Result<IndexMap<String, Estimate>, ScoringError> {
        let Some(groups) = Groups::of(&prompts(&cell.samples)) else { return Ok(IndexMap::new()) };
        let radius = *self.radius.get_or_init(|| within::radius(&self.reference.features));
        let means = within::within(&cell.features, ids, &groups, radius);
        let size = groups.within.first().map_or(0, Vec::len) as f64;
        let mut found: IndexMap<String, Estimate> =
            [("prompt_completions".to_owned(), Estimate::bare(size))].into_iter().collect();
        let mut means = means.map_err(ScoreError::from)?;
        if let Some(truth) = self.truth {
            let modes = |sets: &[Vec<usize>]| -> Vec<f64> {
                let of = |set: &Vec<usize>| {
                    let texts: Vec<&str> =
                        set.iter().map(|&row| cell.samples[row].text()).collect();
                    truth(&texts).get("modes").map_or(f64::NAN, |modes| modes.value)
                };
                sets.iter().map(of).collect()
            };
            let (prompt, across) = within::EXACT;
            means.push(within::mean(prompt, &modes(&groups.within)));
            means.push(within::mean(across, &modes(&groups.across)));
        }
        for Mean { spec, value, interval } in means {
            let (low, high) = interval.unzip();
            found.insert(spec.name.to_owned(), Estimate { low, high, ..Estimate::bare(value) });
        }
        Ok(found)
    }

    /// Hash of everything that determines a cell's score.
    fn inputs(&self, basis: &Basis, cell: &EmbeddedCell) -> String {
        let options = serde_json::to_string(self.options).unwrap_or_default();
        let parts = [
            env!("CARGO_PKG_VERSION"),
            &options,
            if self.pca_fit == PcaFit::Run { "run" } else { "joint" },
            &basis.hash,
            &self.reference.origin,
            &cell.record.id,
            &cell.origin(),
            if self.truth.is_some() { "truth" } else { "" },
        ];
        let parts = parts.join("|");
        let more = if prompts(&cell.samples).is_empty() { "" } else { "|per prompt" };
        let shown = if cell.record.shots > 0 { "|examples" } else { "" };
        let parts = format!("{parts}{more}{shown}");
        if !cell.without_text.is_empty() {
            let without = serde_json::to_string(&cell.without_text).unwrap_or_default();
            return hex(Sha256::digest(format!("{parts}|{without}")));
        }
        hex(Sha256::digest(parts))
    }
}

impl Basis {
    /// The components, where any were fitted.
    pub fn pca(&self) -> Option<&Pca> {
        self.pca.as_ref()
    }
}

impl EmbeddedCell {
    /// What its texts look like, answers without a text beside them.
    fn facts(&self) -> TextFacts {
        let mut facts = facts(&self.samples, self.record.shots);
        for (reason, count) in &self.without_text {
            facts.without_text += count;
            *facts.ended.entry(reason.clone()).or_insert(0) += count;
        }
        facts
    }

    /// Its id and the hash of its texts.
    pub fn origin(&self) -> String {
        let texts: Vec<&str> = self.samples.iter().map(SampleRecord::text).collect();
        format!("{}:{}", self.record.id, texts_hash(&texts))
    }

    /// At most `quota` of its features, taken evenly.
    pub fn evenly(&self, quota: usize) -> Matrix {
        let (n, quota) = (self.features.rows(), quota.min(self.features.rows()));
        let rows: Vec<usize> = (0..quota).map(|i| i * n / quota).collect();
        self.features.select(&rows)
    }
}

/// The prompt of each completion, where some prompts have several and there is more than one; else
/// nothing, since completions of one prompt are as independent as those of as many prompts.
fn prompts(samples: &[SampleRecord]) -> Vec<u64> {
    let mut numbers: IndexMap<&str, u64> = IndexMap::new();
    let prompts: Vec<u64> = samples
        .iter()
        .map(|s| {
            let next = numbers.len() as u64;
            *numbers.entry(&*s.prompt).or_insert(next)
        })
        .collect();
    let blocked = numbers.len() > 1 && numbers.len() < samples.len();
    if blocked { prompts } else { Vec::new() }
}

/// `no_text`: answers of a server in which there is nothing to compare.
fn without_text(reasons: &IndexMap<String, usize>, n: usize) -> Option<Warning> {
    let all: usize = reasons.values().sum();
    (all > 0).then(|| {
        let of: Vec<String> = reasons.iter().map(|(why, count)| format!("{count} {why}")).collect();
        let message = format!(
            "{all} of {n} answers have no text ({}); they are in samples.jsonl, and no measure sees them",
            of.join(", ")
        );
        Warning { code: Code::NoText, message }
    })
}

/// What a cell's texts look like.
pub fn facts(samples: &[SampleRecord], shots: usize) -> TextFacts {
    let n = samples.len();
    let texts: std::collections::HashSet<&str> = samples.iter().map(SampleRecord::text).collect();
    let counted = samples.iter().filter(|s| s.is_counted());
    let (of, tokens) = counted.fold((0, 0), |(of, all), s| (of + 1, all + s.count()));
    // The token that ends a text is in the log-probability, too; servers count it themselves.
    let ends = |s: &&SampleRecord| s.finish_reason == "eos" && s.n_tokens.is_none();
    let scored = tokens + samples.iter().filter(ends).count();
    let mut ended: IndexMap<String, usize> =
        ["eos", "stop", "length"].into_iter().map(|how| (how.to_owned(), 0)).collect();
    samples.iter().for_each(|s| *ended.entry(s.finish_reason.clone()).or_insert(0) += 1);
    let logprob: f64 = samples.iter().map(|s| s.logprob_model).sum();
    TextFacts {
        n,
        unique: texts.len(),
        empty: samples.iter().filter(|s| s.text().trim().is_empty()).count(),
        without_text: 0,
        mean_tokens: if of == 0 && n > 0 { f64::NAN } else { tokens as f64 / of.max(1) as f64 },
        ended,
        shortened_prompts: samples.iter().filter(|s| s.shots_used < shots).count(),
        logprob_per_token: logprob / scored.max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::examples::tests::sample;

    #[test]
    fn prompts_are_blocks_where_some_have_several_completions_and_there_are_several() {
        let of = |all: &[&str]| prompts(&all.iter().map(|p| sample(p, "", 0)).collect::<Vec<_>>());
        assert_eq!(of(&["a", "b", "a", "c", "b"]), [0, 1, 0, 2, 1]);
        assert!(of(&["a", "b", "c"]).is_empty() && of(&["a", "a"]).is_empty());
    }

    #[test]
    fn rows_that_are_all_alike_have_no_components() {
        let found = |cells: &[f32]| {
            let rows = || Matrix::new(2, cells.to_vec()).unwrap();
            let (origin, ids) = (String::new(), Vec::new());
            let reference = EmbeddedReference { origin, ids, features: rows() };
            let options = &ScoreOptions { normalize: Normalize::None, ..ScoreOptions::default() };
            let scoring = Scoring {
                options,
                pca_fit: PcaFit::Run,
                reference: &reference,
                truth: None,
                texts: &[],
                radius: OnceLock::new(),
            };
            scoring.basis(&[("cell".to_owned(), rows())]).unwrap().pca
        };
        assert!(found(&[0.0, 0.0, 1.0, 2.0]).is_some_and(|pca| pca.total_variance() > 0.0));
        assert!(found(&[1.0, 2.0, 1.0, 2.0]).is_none());
    }

    #[test]
    fn tokens_are_counted_a_text_and_log_probabilities_a_token_and_its_end() {
        let of = |tokens: usize, logprob_model: f64| SampleRecord {
            tokens: vec![5; tokens],
            logprob_model,
            ..sample("a", "b", 2)
        };
        let found = facts(&[of(3, -4.0), of(4, -5.0)], 3);
        assert_eq!((found.n, found.unique, found.shortened_prompts), (2, 1, 2));
        assert_eq!((found.mean_tokens, found.logprob_per_token), (3.5, -1.0));
        assert_eq!(found.ended["eos"], 2);
    }

    #[test] // a score that is there is computed again where these words change
    fn only_a_cell_with_examples_has_them_among_its_inputs() {
        let (origin, ids, features) =
            ("r".to_owned(), Vec::new(), Matrix::new(1, vec![0.0]).unwrap());
        let reference = EmbeddedReference { origin, ids, features: features.clone() };
        let options = &ScoreOptions::default();
        let (pca_fit, radius) = (PcaFit::Run, OnceLock::new());
        let scoring =
            Scoring { options, pca_fit, reference: &reference, truth: None, texts: &[], radius };
        let basis = Basis { pca: None, hash: "b".to_owned() };
        for (shots, more) in [(0, ""), (1, "|examples")] {
            let mut record = crate::report::record::tests::cell("tiny", 0.5);
            record.shots = shots;
            let (samples, without_text) = (Vec::new(), IndexMap::new());
            let features = features.clone();
            let cell = EmbeddedCell { record, samples, without_text, features };
            let (version, settings) =
                (env!("CARGO_PKG_VERSION"), serde_json::to_string(options).unwrap());
            let (id, texts) = (&cell.record.id, cell.origin());
            let words = format!("{version}|{settings}|run|b|r|{id}|{texts}|{more}");
            assert_eq!(scoring.inputs(&basis, &cell), hex(Sha256::digest(words)));
        }
    }
}
