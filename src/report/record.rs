//! What a run folder holds, as data: a cell's settings, its completions, its result, all results.
//!
//! These are the contents of `cell.json`, `samples.jsonl`, `scores.json` and `results.json`. None holds
//! a date, a host or a duration, so that a second run writes the same bytes; those are in `run.json`.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    decode::{Decoding, knobs},
    score::record::{Estimate, Score},
};

/// The name and version of `cell.json`.
pub const CELL_SCHEMA: &str = "llmpr.cell/1";
/// The name and version of `cells/<id>/scores.json`.
pub const RESULT_SCHEMA: &str = "llmpr.result/1";
/// The name and version of `results.json`.
pub const RESULTS_SCHEMA: &str = "llmpr.results/1";

/// One point of a sweep: everything that determines its completions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// [`CELL_SCHEMA`].
    pub schema: String,
    /// Short hash of the other fields, names and paths left out.
    pub id: String,
    /// The model as it was named.
    pub model: String,
    /// SHA-256 of its weights and configuration.
    pub model_hash: String,
    /// SHA-256 of its tokenizer.
    pub tokenizer_hash: String,
    /// The task's name.
    pub task: String,
    /// SHA-256 of the task.
    pub task_hash: String,
    /// SHA-256 of the prompts' token ids, in order.
    pub prompts_hash: String,
    /// Whether prompts went through the model's chat template.
    pub chat: bool,
    /// In-context examples asked for.
    pub shots: usize,
    /// How tokens were drawn.
    pub decoding: Decoding,
    /// Seed of the draws.
    pub seed: u64,
    /// Completions.
    pub n_samples: usize,
    /// Tokens after which a completion is cut.
    pub max_new_tokens: usize,
    /// Strings that end a completion.
    pub stop: Vec<String>,
    /// Version of the engine's arithmetic.
    pub engine: String,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Type of weights and products, such as `f32`.
    pub dtype: String,
    /// Settings that have no effect on the server that drew, by their columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Faults of published code that were imitated, see `run::quirks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quirks: Vec<String>,
}

impl CellRecord {
    /// The settings that tell this cell from others of its sweep, such as `tiny-bio T=0.7 shots=2`.
    pub fn label(&self) -> String {
        let decoding = &self.decoding;
        let mut label = format!("{} T={} shots={}", self.model, decoding.temperature, self.shots);
        for knob in knobs::optional() {
            if let Some(value) = knob.text(decoding) {
                label.push_str(&format!(" {}={value}", knob.flag));
            }
        }
        if self.seed != 0 {
            label.push_str(&format!(" seed={}", self.seed));
        }
        if !self.quirks.is_empty() {
            label.push_str(&format!(" quirks={}", self.quirks.join(",")));
        }
        label
    }

    /// Whether `name` means this cell: its id, the first four letters of that or more, or some of the words of its
    /// [`label`](Self::label).
    pub fn is_called(&self, name: &str) -> bool {
        let label = self.label();
        let words: Vec<&str> = label.split_whitespace().collect();
        let asked: Vec<&str> = name.split_whitespace().collect();
        let said = !asked.is_empty() && asked.iter().all(|word| words.contains(word));
        said || (name.len() >= 4 && self.id.starts_with(name))
    }
}

/// The last part of a model's path or hub id.
pub fn short_name(model: &str) -> &str {
    model.trim_end_matches('/').rsplit('/').next().unwrap_or(model)
}

/// The last part of a model's path or hub id, or as many parts as tell it from the `others`.
pub fn telling_name<'a>(model: &'a str, others: &[&str]) -> &'a str {
    let whole = model.trim_end_matches('/');
    let others: Vec<&str> = others.iter().map(|other| other.trim_end_matches('/')).collect();
    let shared = |tail: &str| {
        let slashed = format!("/{tail}");
        others.iter().any(|o| *o != whole && (*o == tail || o.ends_with(&slashed)))
    };
    let starts = whole.match_indices('/').map(|(at, _)| at + 1).rev();
    starts.map(|at| &whole[at..]).find(|tail| !shared(tail)).unwrap_or(whole)
}

/// A completion: one line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRecord {
    /// `<prompt index>-<sample>`, unique in its cell.
    pub id: String,
    /// The prompt's name in its task.
    pub prompt_id: String,
    /// The prompt as the model read it; completions of several cells may hold it together.
    #[serde(serialize_with = "shared", deserialize_with = "own")]
    pub prompt: Arc<str>,
    /// What is compared with the reference; nothing where a server answered without a text.
    pub text: Option<String>,
    /// What the model wrote, where the task has something else compared, or a filter broke it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// The tokens drawn, end-of-text left out; empty where a server drew them.
    pub tokens: Vec<u32>,
    /// How many a server says it drew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_tokens: Option<usize>,
    /// `eos`, `stop` or `length`; of a server also `content_filter` and `unknown`.
    pub finish_reason: String,
    /// Sum of log-probabilities under the sampling distribution, nats.
    #[serde(with = "crate::data::json_number")]
    pub logprob: f64,
    /// The same under the untempered, untruncated model.
    #[serde(with = "crate::data::json_number")]
    pub logprob_model: f64,
    /// Sum over positions of the sampling distribution's entropy, nats.
    #[serde(with = "crate::data::json_number")]
    pub entropy: f64,
    /// How tokens were drawn; its fields stand among the others, those that are off left out.
    #[serde(flatten)]
    pub decoding: Decoding,
    /// Seed of the draw.
    pub seed: u64,
    /// Index of the prompt.
    pub prompt_index: u32,
    /// Index among the completions of the prompt.
    pub sample: u32,
    /// In-context examples that fitted.
    pub shots_used: usize,
}

fn shared<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn own<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(deserializer).map(Arc::from)
}

impl SampleRecord {
    /// Tokens drawn, as far as that is known.
    pub fn count(&self) -> usize {
        self.n_tokens.unwrap_or(self.tokens.len())
    }

    /// Its text; empty where there is none.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Whether a server said how many tokens it drew, or they are there.
    pub fn is_counted(&self) -> bool {
        self.n_tokens.is_some() || !self.tokens.is_empty() || self.text().is_empty()
    }
}

/// A reference text as a model read it: one line of `reference/nll-<hash>.jsonl`. Several lines of one text have different
/// temperatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadRecord {
    /// Its index among the reference texts.
    pub text: usize,
    /// Tokens that were read behind the prompt; none where the text continues no prompt of the task.
    pub tokens: usize,
    /// Bytes of UTF-8 that these tokens are.
    pub bytes: usize,
    /// The temperatures.
    pub temperatures: Vec<f64>,
    /// Negative log-likelihood of all of these tokens at each of them, nats.
    #[serde(with = "crate::data::json_number::list")]
    pub nll: Vec<f64>,
}

/// What a cell's texts look like before any embedding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextFacts {
    /// Completions.
    pub n: usize,
    /// Distinct texts.
    pub unique: usize,
    /// Texts that are empty.
    pub empty: usize,
    /// Answers of a server without a text, which no measure sees.
    #[serde(default, skip_serializing_if = "is_none")]
    pub without_text: usize,
    /// Mean length in tokens, of the completions of which it is known.
    #[serde(with = "crate::data::json_number")]
    pub mean_tokens: f64,
    /// Completions that ended with the model's end-of-text token, a stop string, the token limit.
    pub ended: IndexMap<String, usize>,
    /// Completions whose prompt lost in-context examples because it did not fit.
    pub shortened_prompts: usize,
    /// Mean log-probability a token under the untempered model, nats.
    #[serde(with = "crate::data::json_number")]
    pub logprob_per_token: f64,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// A cell with its score: `cells/<id>/scores.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// [`RESULT_SCHEMA`].
    pub schema: String,
    /// The settings.
    pub cell: CellRecord,
    /// SHA-256 of everything that determined the measures: features, settings, version.
    pub inputs: String,
    /// What its texts look like.
    pub texts: TextFacts,
    /// The measures.
    pub score: Score,
    /// Exact values (`precision`, `recall`, …) where the task knows its true distribution.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub truth: IndexMap<String, Estimate>,
    /// How varied the completions of one prompt are, and as many of different prompts, where prompts have several:
    /// [`crate::metric::within`].
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub per_prompt: IndexMap<String, Estimate>,
    /// What became of in-context examples, where there are any: copied, dropped, met again in the reference.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub examples: IndexMap<String, Estimate>,
    /// Measures of the texts' beginnings as `name_first_N`, both sides cut after `N` tokens.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub prefixes: IndexMap<String, Estimate>,
    /// How well the model fits the reference at this temperature, truncations and penalties left out:
    /// [`crate::metric::reference_nll`], and how many texts were read.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub reference_nll: IndexMap<String, Estimate>,
    /// What was published of the same model under the same settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
}

impl CellResult {
    /// What was published of that measure, where it was.
    pub fn published(&self, measure: &str) -> Option<f64> {
        self.published.as_ref()?.values.get(measure).copied()
    }
}

/// Numbers of a paper, and where in it they stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Where they come from, and what of the settings there is known to differ.
    pub source: String,
    /// Values by the names of measures.
    pub values: IndexMap<String, f64>,
}

/// A cell that has no score, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedCell {
    /// Its id, where it got so far as to have one.
    pub id: String,
    /// Its settings in words.
    pub label: String,
    /// What went wrong.
    pub message: String,
}

/// All cells of a run folder: `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`RESULTS_SCHEMA`].
    pub schema: String,
    /// The task's name.
    pub task: String,
    /// The reference texts' file as it was named.
    pub reference: String,
    /// Reference texts that were compared.
    pub reference_n: usize,
    /// The embedder with its pooling.
    pub embedder: String,
    /// Results in the order of the plan.
    pub cells: Vec<CellResult>,
    /// Cells without a score.
    #[serde(default)]
    pub failed: Vec<FailedCell>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::score::record::{Curves, SetFacts};

    /// A cell to test with.
    pub(crate) fn cell(model: &str, temperature: f64) -> CellRecord {
        CellRecord {
            schema: CELL_SCHEMA.to_owned(),
            id: format!("{model}-{temperature}"),
            model: model.to_owned(),
            model_hash: "m".to_owned(),
            tokenizer_hash: "t".to_owned(),
            task: "wikipedia-bio".to_owned(),
            task_hash: "k".to_owned(),
            prompts_hash: "p".to_owned(),
            chat: false,
            shots: 2,
            decoding: Decoding { temperature, top_p: Some(0.9), ..Decoding::default() },
            seed: 3,
            n_samples: 10,
            max_new_tokens: 64,
            stop: vec!["\n#".to_owned()],
            engine: "1".to_owned(),
            device: "cpu".to_owned(),
            dtype: "f32".to_owned(),
            ignored: Vec::new(),
            quirks: Vec::new(),
        }
    }

    /// A result without measures.
    pub(crate) fn result(cell: CellRecord) -> CellResult {
        CellResult {
            schema: RESULT_SCHEMA.to_owned(),
            cell,
            inputs: String::new(),
            texts: TextFacts { n: 10, unique: 10, ..TextFacts::default() },
            score: Score {
                schema: crate::score::record::SCHEMA.to_owned(),
                signature: "llmpr".to_owned(),
                reference: SetFacts::default(),
                samples: SetFacts::default(),
                pca: None,
                metrics: IndexMap::new(),
                curves: Curves::default(),
                warnings: Vec::new(),
            },
            truth: IndexMap::new(),
            per_prompt: IndexMap::new(),
            examples: IndexMap::new(),
            prefixes: IndexMap::new(),
            reference_nll: IndexMap::new(),
            published: None,
        }
    }

    /// Results of two cells, in one of which every knob is turned.
    pub(crate) fn turned() -> Results {
        let mut other = cell("tiny", 0.7);
        for knob in knobs::KNOBS {
            knob.set(&mut other.decoding, if knob.whole { 7.0 } else { 0.25 });
        }
        Results {
            schema: RESULTS_SCHEMA.to_owned(),
            task: "bio".to_owned(),
            reference: "r.jsonl".to_owned(),
            reference_n: 10,
            embedder: "gpt2".to_owned(),
            cells: vec![result(cell("tiny", 0.7)), result(other)],
            failed: Vec::new(),
        }
    }

    #[test]
    fn a_label_names_what_differs_from_the_neutral_settings() {
        assert_eq!(cell("tiny", 0.7).label(), "tiny T=0.7 shots=2 top-p=0.9 seed=3");
    }

    #[test]
    fn a_label_names_every_knob_that_is_turned() {
        let label = turned().cells[1].cell.label();
        for knob in knobs::KNOBS {
            let name = if *knob == knobs::TEMPERATURE { knob.short } else { knob.flag };
            let value = if knob.whole { "7" } else { "0.25" };
            assert!(label.contains(&format!(" {name}={value}")), "{label}");
        }
    }

    #[test]
    fn a_completion_s_line_is_that_of_runs_on_disk() {
        let line = r#"{"id":"4-1","prompt_id":"bio/0/4","prompt":"A","text":"B","tokens":[5,6],"#
            .to_owned()
            + r#""finish_reason":"eos","logprob":-1.5,"logprob_model":-2.0,"entropy":0.5,"#
            + r#""temperature":0.7,"top_k":50,"top_p":0.9,"min_p":0.05,"typical_p":0.95,"#
            + r#""repetition_penalty":1.2,"seed":0,"prompt_index":4,"sample":1,"shots_used":0}"#;
        let record: SampleRecord = serde_json::from_str(&line).unwrap();
        let decoding = Decoding {
            temperature: 0.7,
            top_k: Some(50),
            top_p: Some(0.9),
            min_p: Some(0.05),
            typical_p: Some(0.95),
            repetition_penalty: Some(1.2),
            ..Decoding::default()
        };
        assert_eq!((record.decoding, record.seed), (decoding, 0));
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
        let plain = SampleRecord { decoding: Decoding::default(), ..record };
        let text = serde_json::to_string(&plain).unwrap();
        assert!(text.contains(r#""entropy":0.5,"temperature":1.0,"seed":0,"#), "{text}");
        assert_eq!(serde_json::from_str::<SampleRecord>(&text).unwrap(), plain);
    }

    #[test]
    fn a_models_name_is_as_long_as_tells_it_from_the_others() {
        let models = ["/runs/a/best", "/runs/b/best/", "org/tiny", "tiny-bio"];
        let names = models.map(|model| telling_name(model, &models));
        assert_eq!(names, ["a/best", "b/best", "tiny", "tiny-bio"]);
        assert_eq!(telling_name("best", &["best", "b/best"]), "best");
        assert_eq!(telling_name("/best", &["/best"]), "best");
    }

    #[test]
    fn a_cell_survives_its_file() {
        let text = serde_json::to_string(&cell("tiny", 0.7)).unwrap();
        assert_eq!(serde_json::from_str::<CellRecord>(&text).unwrap(), cell("tiny", 0.7));
    }
}
