//! The reference as a model reads it: each text behind a prompt of the task, and what is known of its likelihood.

use std::{collections::HashMap, path::Path, sync::Arc};

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::{
    folder::Shared,
    models::{ModelError, SweepModel},
    prompts::Recipe,
    quirks::Quirk,
    store::{StoreError, read_log},
    sweep::Sweep,
};
use crate::{
    data::hex::hex,
    lm::{
        Lm, LmError,
        engine::network::Interrupt,
        logprob::{Continued, tempered::tempered},
    },
    metric::reference_nll::{REFERENCE_BITS_PER_BYTE, REFERENCE_NLL, ratio},
    report::record::{CellRecord, ReadRecord},
    score::record::Estimate,
    text::{
        Text,
        prompt::{Pools, render_within},
    },
};

/// A reference text as the continuation of a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Token ids of the prompt.
    pub prompt: Arc<[u32]>,
    /// Those of the text behind it; none where it continues no prompt of the task.
    pub tokens: Vec<u32>,
    /// Bytes of UTF-8 that these are.
    pub bytes: usize,
}

/// What reference texts are read behind.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// The prompts, and in its pools the reference.
    pub recipe: Recipe<'a>,
    /// In-context examples before each prompt.
    pub shots: usize,
    /// Tokens that are read of a text at most.
    pub most: usize,
    /// Whether prompts that do not fit lose their ends.
    pub cuts: bool,
}

impl Reading {
    /// Every reference text of a sweep as a cell of `shots` examples asks for completions.
    ///
    /// # Errors
    ///
    /// [`ModelError`].
    pub fn all(sweep: &Sweep, model: &SweepModel, shots: usize) -> Result<Vec<Self>, ModelError> {
        let Sweep { settings, task, shared, pools, .. } = sweep;
        let recipe = Recipe {
            task,
            style: model.style(settings.shots_as),
            count: shared.prompts,
            seed: settings.prompt_seed,
            pools,
            room: model.room(shared.max_new_tokens)?,
        };
        let cuts = settings.quirks.has(Quirk::CutPrompts);
        Self::behind(&Behind { recipe, shots, most: shared.max_new_tokens, cuts }, model)
    }

    /// The text behind its prompt.
    pub fn continued(&self) -> Continued<'_> {
        Continued { prompt: &self.prompt, tokens: &self.tokens, ended: false }
    }

    /// Every reference text behind the prompt that a completion of its index is drawn from: text `i` behind prompt `i`,
    /// counted around. A task whose prompts begin with words of a text begins them with the words of this one.
    ///
    /// What is read is what [`Task::continuation`](crate::text::task::Task::continuation) says, at most as many tokens as
    /// completions may have; the end of the text is not, which a model may write as end-of-text or as a stop string.
    ///
    /// # Errors
    ///
    /// [`ModelError`].
    pub fn behind(behind: &Behind<'_>, model: &SweepModel) -> Result<Vec<Self>, ModelError> {
        let Behind { recipe, shots, most, cuts } = *behind;
        let Recipe { task, style, count, seed, room, .. } = recipe;
        let mut pools = Pools { reference: Vec::new(), ..recipe.pools.clone() };
        let mut known: HashMap<String, (String, Arc<[u32]>)> = HashMap::new();
        let mut read = |(at, text): (usize, &Text)| -> Result<Self, ModelError> {
            if task.needs_prefixes() {
                pools.prefixes = vec![text.clone()];
                known.clear();
            }
            if text.text.trim().is_empty() {
                return Ok(Self::default());
            }
            let index = (at % count) as u32;
            let tokens = |prompt: &crate::text::prompt::Prompt| -> Result<usize, ModelError> {
                let key = format!("{:?}", prompt.body);
                if let Some((_, ids)) = known.get(&key) {
                    return Ok(ids.len());
                }
                let (text, ids) = match cuts {
                    true => {
                        model.encode_cut(&prompt.body, room).map(|(text, ids, _)| (text, ids))?
                    }
                    false => model.encode(&prompt.body)?,
                };
                let length = ids.len();
                known.insert(key, (text, ids.into()));
                Ok(length)
            };
            let prompt = render_within(task, style, shots, index, seed, &pools, room, tokens)?;
            let encoded = known.get(&format!("{:?}", prompt.body)).cloned();
            let (Some((before, ids)), Some(continuation)) =
                (encoded, task.continuation(text, &prompt))
            else {
                return Ok(Self::default());
            };
            let mut tokens = model.encode_behind(&prompt.body, (&before, &ids), &continuation)?;
            let mut bytes = continuation.len();
            if tokens.len() > most {
                tokens.truncate(most);
                bytes = model.decode_behind(&ids, &tokens)?.len();
            }
            Ok(Self { prompt: ids, tokens, bytes })
        };
        recipe.pools.reference.iter().enumerate().map(&mut read).collect()
    }
}

/// The name of the file of a cell's model, prompts and reference; cells that differ in nothing else share it.
pub fn file_name(cell: &CellRecord, shared: &Shared) -> String {
    let numbers = format!("{} {} {}", cell.chat, cell.shots, cell.max_new_tokens);
    let parts = [
        &cell.model_hash,
        &cell.tokenizer_hash,
        &cell.task_hash,
        &cell.prompts_hash,
        &numbers,
        &cell.engine,
        &cell.device,
        &cell.dtype,
        &shared.reference_hash,
        &shared.prompts_content(),
    ];
    let hash = hex(Sha256::digest(parts.map(String::as_str).join("\n")));
    format!("nll-{}.jsonl", &hash[..12])
}

/// What is known of the likelihood of reference texts under one model behind its prompts.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of each text its tokens and bytes, and its NLL by the bits of the temperature.
    texts: IndexMap<usize, (usize, usize, HashMap<u64, f64>)>,
}

impl Known {
    /// What the file at `path` says; nothing where there is none or it is damaged, since all of it can be read again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Read`] for a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let mut found = Self::default();
        if !path.exists() {
            return Ok(found);
        }
        match read_log::<ReadRecord>(path) {
            Ok(lines) => lines.iter().for_each(|line| found.add(line)),
            Err(StoreError::BadLine { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(found)
    }

    /// Adds a line.
    pub fn add(&mut self, line: &ReadRecord) {
        let (tokens, bytes, nll) = self.texts.entry(line.text).or_default();
        (*tokens, *bytes) = (line.tokens, line.bytes);
        nll.extend(line.temperatures.iter().map(|t| t.to_bits()).zip(line.nll.iter().copied()));
    }

    /// What `model` says of all of `readings` at each of `temperatures`, each above 0, of one pass; nothing is kept.
    ///
    /// # Errors
    ///
    /// Those of [`tempered`].
    pub fn of(
        model: &Lm,
        readings: &[Reading],
        temperatures: &[f64],
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, LmError> {
        let mut order: Vec<usize> = (0..readings.len()).collect();
        // Those of one prompt behind one another.
        order.sort_by(|&a, &b| readings[a].prompt.cmp(&readings[b].prompt).then(a.cmp(&b)));
        order.retain(|&text| !readings[text].tokens.is_empty());
        let texts: Vec<Continued<'_>> =
            order.iter().map(|&text| readings[text].continued()).collect();
        let sums = tempered(model.network(), temperatures, &texts, interrupt, progress)?;
        let mut ln_p = vec![vec![0.0; temperatures.len()]; readings.len()];
        order.into_iter().zip(sums).for_each(|(text, sums)| ln_p[text] = sums);
        let mut known = Self::default();
        for (text, (reading, ln_p)) in readings.iter().zip(ln_p).enumerate() {
            let nll = ln_p.into_iter().map(|ln_p| 0.0 - ln_p).collect();
            let (tokens, bytes) = (reading.tokens.len(), reading.bytes);
            let temperatures = temperatures.to_vec();
            known.add(&ReadRecord { text, tokens, bytes, temperatures, nll });
        }
        Ok(known)
    }

    /// The temperatures of `wanted` at which the text of that index was not read.
    pub fn missing(&self, text: usize, wanted: &[f64]) -> Vec<f64> {
        let known = self.texts.get(&text).map(|(.., nll)| nll);
        let lacks = |t: &&f64| !known.is_some_and(|nll| nll.contains_key(&t.to_bits()));
        wanted.iter().filter(lacks).copied().collect()
    }

    /// How many of `n` texts have tokens.
    pub fn counted(&self) -> usize {
        self.texts.values().filter(|(tokens, ..)| *tokens > 0).count()
    }

    /// Both measures at a temperature, with their intervals over texts, and how many texts that is of; nothing where some of
    /// `n` texts was not read at it or none has tokens.
    pub fn estimates(&self, n: usize, temperature: f64) -> IndexMap<String, Estimate> {
        let at = temperature.to_bits();
        let all: Option<Vec<(f64, usize, usize)>> = (0..n)
            .map(|text| {
                let (tokens, bytes, nll) = self.texts.get(&text)?;
                Some((*nll.get(&at)?, *tokens, *bytes))
            })
            .collect();
        let texts: Vec<(f64, usize, usize)> =
            all.into_iter().flatten().filter(|(_, tokens, _)| *tokens > 0).collect();
        if texts.is_empty() {
            return IndexMap::new();
        }
        let by_token: Vec<(f64, f64)> = texts.iter().map(|(a, b, _)| (*a, *b as f64)).collect();
        let bits = |nats: f64| nats / std::f64::consts::LN_2;
        let by_byte: Vec<(f64, f64)> =
            texts.iter().map(|(a, _, b)| (bits(*a), *b as f64)).collect();
        let measured = [(&REFERENCE_NLL, by_token), (&REFERENCE_BITS_PER_BYTE, by_byte)];
        let mut found: IndexMap<String, Estimate> = measured
            .into_iter()
            .map(|(spec, texts)| {
                let (value, interval) = ratio(&texts);
                let (low, high) = interval.unzip();
                (spec.name.to_owned(), Estimate { low, high, ..Estimate::bare(value) })
            })
            .collect();
        found.insert("reference_texts".to_owned(), Estimate::bare(texts.len() as f64));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::settings::SweepSettings, score::record::Estimate};

    fn sweep(change: impl FnOnce(&mut SweepSettings)) -> Sweep {
        let mut settings = SweepSettings::new("synthetic-bio", &["tiny-bio"]);
        settings.n_samples = 12;
        change(&mut settings);
        Sweep::plan(settings).unwrap()
    }

    #[test]
    fn texts_are_read_behind_the_prompts_that_completions_are_drawn_from() {
        let sweep = sweep(|settings| settings.prompts = Some(5));
        let group = &sweep.groups[0];
        for cell in &group.cells {
            let readings = Reading::all(&sweep, &group.model, cell.record.shots).unwrap();
            assert_eq!(readings.len(), 12);
            for (at, reading) in readings.iter().enumerate() {
                assert_eq!(reading.prompt, cell.prompts.prompts[at % 5].ids);
                let text = group.model.decode_behind(&reading.prompt, &reading.tokens).unwrap();
                assert_eq!(text.len(), reading.bytes);
                let scored = sweep.task.scored_completion(&text, "");
                assert_eq!(scored, sweep.reference[at], "{text}");
            }
        }
    }

    #[test]
    fn a_text_is_read_as_far_as_a_model_may_write() {
        let sweep = sweep(|settings| settings.max_new_tokens = Some(7));
        let model = &sweep.groups[0].model;
        for reading in Reading::all(&sweep, model, 0).unwrap() {
            assert_eq!(reading.tokens.len(), 7);
            let text = model.decode_behind(&reading.prompt, &reading.tokens).unwrap();
            assert_eq!(text.len(), reading.bytes);
        }
    }

    #[test]
    fn a_file_is_of_one_model_task_reference_and_seed() {
        let sweep = sweep(|_| {});
        let cell = sweep.groups[0].cells[0].record.clone();
        type Change<'a> = &'a dyn Fn(&mut CellRecord, &mut Shared);
        let name = |change: Change<'_>| {
            let (mut cell, mut shared) = (cell.clone(), sweep.shared.clone());
            change(&mut cell, &mut shared);
            file_name(&cell, &shared)
        };
        let own = name(&|_, _| {});
        assert_eq!(own, name(&|cell, _| cell.decoding.temperature = 9.0));
        assert_eq!(own, name(&|cell, _| (cell.seed, cell.id) = (9, "x".into())));
        let others: [Change<'_>; 6] = [
            &|cell, _| cell.model_hash = "x".into(),
            &|cell, _| cell.task_hash = "x".into(),
            &|cell, _| cell.prompts_hash = "x".into(),
            &|cell, _| cell.shots = 9,
            &|_, shared| shared.reference_hash = "x".into(),
            &|_, shared| shared.prompt_seed = 9,
        ];
        others.iter().for_each(|change| assert_ne!(own, name(change)));
    }

    #[test]
    fn texts_count_by_their_tokens_and_those_without_any_do_not() {
        let mut known = Known::default();
        let line = |text, tokens, nll: &[f64]| ReadRecord {
            text,
            tokens,
            bytes: 4 * tokens,
            temperatures: vec![0.5, 1.0],
            nll: nll.to_vec(),
        };
        known.add(&line(0, 1, &[4.0, 2.0]));
        known.add(&line(2, 3, &[4.0, 6.0]));
        assert_eq!(known.estimates(3, 1.0), IndexMap::new(), "text 1 is missing");
        assert_eq!(known.missing(1, &[0.5, 1.0]), [0.5, 1.0]);
        known.add(&line(1, 0, &[0.0, 0.0]));
        assert_eq!(known.missing(1, &[0.5, 0.7]), [0.7]);
        let found = known.estimates(3, 1.0);
        assert_eq!(found["reference_nll"], Estimate::bare(2.0));
        assert_eq!(found["reference_texts"].value, 2.0);
        let bits = found["reference_bits_per_byte"].value;
        assert!((bits - 0.5 / std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!((known.counted(), known.estimates(3, 0.7)), (2, IndexMap::new()));
    }
}
