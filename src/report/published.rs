//! What papers say of a model under the settings of a preset, to stand beside what is measured.

use super::record::{CellRecord, CellResult, Published, short_name};
use crate::{
    decode::Decoding,
    score::{Clusters, ScoreOptions},
};

/// Numbers of one paper under one set of settings.
struct Paper {
    task: &'static str,
    temperature: f64,
    top_k: Option<usize>,
    top_p: Option<f64>,
    repetition_penalty: Option<f64>,
    n_samples: usize,
    max_new_tokens: usize,
    /// Whether the score's settings are the paper's.
    scored: fn(&ScoreOptions) -> bool,
    names: &'static [&'static str],
    models: &'static [(&'static str, &'static [f64])],
    source: &'static str,
}

const ACL: &str = "Le Bronnec et al., ACL 2024 (arXiv 2402.10693), read off Figure 1, ±0.001; its texts and seeds are others";
const MAUVE: &str = "Pillutla et al., NeurIPS 2021 (arXiv 2102.01454): MAUVE of its notebook, Bradley-Terry strengths of \
    the paper; its texts go on to 1024 tokens from prompts of 35, and texts and seeds are others";

/// Everything that is known: precision and recall of base and chat models, MAUVE and what people preferred.
const PAPERS: [Paper; 5] = [
    Paper {
        task: "webtext",
        temperature: 0.6,
        top_k: Some(50),
        top_p: Some(0.9),
        repetition_penalty: Some(1.18),
        n_samples: 4000,
        max_new_tokens: 615,
        scored: |options| options.k == 4,
        names: &["precision", "recall"],
        models: &[
            ("Llama-2-7b-hf", &[0.365, 0.792]),
            ("Llama-2-13b-hf", &[0.366, 0.810]),
            ("Llama-2-70b-hf", &[0.361, 0.814]),
            ("Llama-2-7b-chat-hf", &[0.399, 0.703]),
            ("Llama-2-13b-chat-hf", &[0.410, 0.703]),
            ("Llama-2-70b-chat-hf", &[0.383, 0.721]),
            ("vicuna-7b-v1.5", &[0.393, 0.686]),
        ],
        source: ACL,
    },
    Paper {
        task: "webtext",
        temperature: 0.7,
        top_k: Some(50),
        top_p: None,
        repetition_penalty: Some(1.18),
        n_samples: 4000,
        max_new_tokens: 590,
        scored: |options| options.k == 4,
        names: &["precision", "recall"],
        models: &[
            ("Mistral-7B-v0.1", &[0.344, 0.789]),
            ("Mistral-7B-Instruct-v0.2", &[0.370, 0.697]),
        ],
        source: ACL,
    },
    mauve(
        None,
        &[
            ("gpt2-xl", &[0.88157, 8.97, 7.75, 9.53]),
            ("gpt2-large", &[0.84500, -6.93, -7.11, -1.53]),
            ("gpt2-medium", &[0.37279, -30.77, -32.00, -34.32]),
            ("gpt2", &[0.58904, -27.52, -37.81, -15.49]),
        ],
    ),
    mauve(
        Some(0.95),
        &[
            ("gpt2-xl", &[0.93963, 15.66, 31.89, 23.05]),
            ("gpt2-large", &[0.93588, 12.55, 8.78, 6.79]),
        ],
    ),
    mauve(
        Some(0.9),
        &[
            ("gpt2-medium", &[0.91460, -3.43, -7.29, -12.82]),
            ("gpt2", &[0.87753, -15.78, -7.44, -0.70]),
        ],
    ),
];

const fn mauve(top_p: Option<f64>, models: &'static [(&'static str, &'static [f64])]) -> Paper {
    Paper {
        task: "webtext-long",
        temperature: 1.0,
        top_k: None,
        top_p,
        repetition_penalty: None,
        n_samples: 5000,
        max_new_tokens: 896,
        scored: |options| options.clusters == Clusters::Fixed(500) && options.scaling == 5.0,
        names: &["mauve", "human_like", "sensible", "interesting"],
        models,
        source: MAUVE,
    }
}

/// What embeds in both papers, under the name that [`beside`] is told.
const EMBEDDER: &str = "gpt2-large";

impl Paper {
    fn values(&self, cell: &CellRecord, options: &ScoreOptions) -> Option<&'static [f64]> {
        let Self { temperature, top_k, top_p, repetition_penalty, .. } = *self;
        let decoding =
            Decoding { temperature, top_k, top_p, repetition_penalty, ..Decoding::default() };
        let same = cell.task == self.task
            && cell.shots == 0
            && cell.decoding == decoding
            && cell.n_samples == self.n_samples
            && cell.max_new_tokens == self.max_new_tokens
            && (self.scored)(options);
        let named = short_name(&cell.model).split('@').next().unwrap_or_default();
        let model = |(name, _): &&(&str, _)| named.eq_ignore_ascii_case(name);
        self.models.iter().filter(|_| same).find(model).map(|(_, values)| *values)
    }
}

/// The result with what was published of its model under its task, sampling settings, numbers of texts and tokens, and
/// settings of the score, where `embedder` is the papers'.
pub fn beside(result: CellResult, options: &ScoreOptions, embedder: &str) -> CellResult {
    let found = PAPERS.iter().filter(|_| embedder == EMBEDDER).find_map(|paper| {
        let values = paper.values(&result.cell, options)?;
        let values = paper.names.iter().map(|name| (*name).to_owned()).zip(values.iter().copied());
        Some(Published { source: paper.source.to_owned(), values: values.collect() })
    });
    CellResult { published: found, ..result }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::{cell, result};

    fn published(cell: CellRecord, options: &ScoreOptions, embedder: &str) -> Option<Published> {
        beside(result(cell), options, embedder).published
    }

    /// The settings of `acl2024-webtext`.
    fn webtext(model: &str) -> CellRecord {
        let decoding = Decoding {
            temperature: 0.6,
            top_k: Some(50),
            top_p: Some(0.9),
            repetition_penalty: Some(1.18),
            ..Decoding::default()
        };
        CellRecord {
            task: "webtext".to_owned(),
            shots: 0,
            decoding,
            n_samples: 4000,
            max_new_tokens: 615,
            ..cell(model, 0.6)
        }
    }

    #[test]
    fn a_model_under_the_paper_s_settings_has_the_paper_s_values_beside_it() {
        let options = ScoreOptions::default();
        let found = published(webtext("meta-llama/Llama-2-13b-chat-hf@main"), &options, EMBEDDER);
        let found = found.unwrap();
        assert_eq!((found.values["precision"], found.values["recall"]), (0.410, 0.703));
        assert!(found.source.contains("Figure 1"));
    }

    #[test]
    fn another_setting_model_or_embedder_has_none() {
        let options = ScoreOptions::default();
        let usual = webtext("Llama-2-7b-hf");
        assert!(published(usual.clone(), &options, EMBEDDER).is_some());
        assert!(published(usual.clone(), &options, "gpt2").is_none());
        assert!(
            published(usual.clone(), &ScoreOptions { k: 5, ..options.clone() }, EMBEDDER).is_none()
        );
        assert!(published(webtext("Llama-2-7b"), &options, EMBEDDER).is_none());
        let changes: [fn(&mut CellRecord); 5] = [
            |c| c.decoding.temperature = 0.7,
            |c| c.n_samples = 64,
            |c| c.max_new_tokens = 590,
            |c| c.shots = 1,
            |c| c.task = "news".to_owned(),
        ];
        for change in changes {
            let mut other = usual.clone();
            change(&mut other);
            assert_eq!(published(other.clone(), &options, EMBEDDER), None, "{other:?}");
        }
    }
}
