//! How a server wants to be spoken to: which field is which setting, and what it does unasked.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::decode::{
    Decoding,
    knobs::{KNOBS, Knob},
};

/// Which program serves, as far as it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// llama.cpp's own server.
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    /// vLLM, and what is made of it.
    #[serde(rename = "vllm")]
    Vllm,
    /// SGLang.
    #[serde(rename = "sglang")]
    Sglang,
    /// Something else that speaks the protocol.
    #[default]
    #[serde(rename = "unknown")]
    Unknown,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::LlamaCpp => "llama.cpp",
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::Unknown => "a server of unknown kind",
        })
    }
}

/// Which distribution a server's log-probabilities are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Logprobs {
    /// The model's own: the temperature does not move them.
    Model,
    /// The one that tokens were drawn from.
    Sampling,
}

/// What becomes of an answer that is begun by its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefill {
    /// The server goes on from there, and answers with the rest.
    Continued,
    /// The same, and the answer repeats the beginning.
    Repeated,
    /// The server begins another answer.
    Ignored,
}

/// How one server is spoken to. The default is OpenAI's protocol with the fields that vLLM adds, and nothing
/// said of what is not set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dialect {
    /// The program.
    pub kind: Kind,
    /// The field of each setting, by its column, where it is not the usual one.
    pub fields: IndexMap<String, String>,
    /// Sent with every request: settings that are off there only where it is said, such as llama.cpp's top-k of 40.
    pub neutral: Map<String, Value>,
    /// Which log-probabilities are asked for.
    pub logprobs: Option<Logprobs>,
    /// What becomes of an answer that is begun.
    pub prefill: Option<Prefill>,
    /// Whether a completion begins with its prompt although nobody asked for that.
    pub repeats_prompt: bool,
    /// How the seed is called there; empty where none is taken.
    pub seed: Option<&'static str>,
    /// Whether the length is called `max_completion_tokens`.
    pub completion_tokens: bool,
    /// Columns of settings that are not sent, or that have no effect.
    pub ignored: Vec<String>,
}

impl Dialect {
    /// What a kind of server does unasked, switched off: its own defaults would cut the distribution in silence.
    /// llama.cpp draws with temperature last unless it is told the order, and looks back 64 tokens for a penalty.
    pub fn neutral_of(kind: Kind) -> Map<String, Value> {
        let fields = match kind {
            Kind::LlamaCpp => json!({
                "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "top_n_sigma": -1.0,
                "repeat_penalty": 1.0, "repeat_last_n": -1,
                "presence_penalty": 0.0, "frequency_penalty": 0.0,
                "dry_multiplier": 0.0, "xtc_probability": 0.0, "mirostat": 0, "dynatemp_range": 0.0,
                "samplers": ["penalties", "top_n_sigma", "temperature", "top_k", "top_p", "min_p", "typ_p"],
            }),
            Kind::Vllm | Kind::Sglang => json!({
                "top_k": -1, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0,
                "presence_penalty": 0.0, "frequency_penalty": 0.0,
            }),
            Kind::Unknown => json!({"top_k": 0, "top_p": 1.0, "min_p": 0.0}),
        };
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    /// The field of the seed, where one is taken.
    pub fn seed_field(&self) -> Option<&'static str> {
        Some(self.seed.unwrap_or("seed")).filter(|field| !field.is_empty())
    }

    /// What has to stand beside a setting for it to have an effect: llama.cpp's server asks for mirostat's version, and
    /// passes over samplers that its list does not name.
    pub fn beside(&self, knob: &Knob) -> Map<String, Value> {
        let all = json!([
            "penalties",
            "dry",
            "top_n_sigma",
            "temperature",
            "top_k",
            "top_p",
            "min_p",
            "typ_p",
            "xtc",
        ]);
        let listed = self.neutral.contains_key("samplers");
        match knob.column {
            "mirostat_tau" => Map::from_iter([("mirostat".to_owned(), json!(2))]),
            "dry_multiplier" | "xtc_probability" if listed => {
                Map::from_iter([("samplers".to_owned(), all)])
            }
            _ => Map::new(),
        }
    }

    /// The field of a setting there.
    pub fn field<'a>(&'a self, knob: &Knob) -> &'a str {
        let own = self.fields.get(knob.column).map(String::as_str);
        own.or(knob.server.first().copied()).unwrap_or(knob.column)
    }

    /// The fields of `decoding`, those that are off as this server wants to hear it.
    pub fn settings(&self, decoding: &Decoding) -> Map<String, Value> {
        let mut fields = self.neutral.clone();
        for knob in KNOBS {
            let Some(value) = knob.get(decoding) else { continue };
            if self.ignored.iter().any(|column| column == knob.column) {
                continue;
            }
            let value = if knob.whole { json!(value as u64) } else { json!(value) };
            fields.insert(self.field(knob).to_owned(), value);
            fields.extend(self.beside(knob));
        }
        fields
    }
}

/// What a server was found to be and to do: for `run.json` and for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerFacts {
    /// Where it was, without user and password.
    pub address: String,
    /// The program.
    pub kind: Kind,
    /// The name that was asked for.
    pub asked: String,
    /// What it calls its model.
    pub model: Option<String>,
    /// Facts about its weights, where it gives some.
    pub weights: Option<String>,
    /// Its `system_fingerprint`.
    pub fingerprint: Option<String>,
    /// Whether the same seed gave the same text, and another one another; nothing where nobody asked it yet.
    pub seed: Option<bool>,
    /// Whether temperature 0 gave the same text under two seeds.
    pub temperature: Option<bool>,
    /// The field of each setting that has effect.
    pub fields: IndexMap<String, String>,
    /// Settings that are not in effect, by their columns; the sweep was told to go on without.
    pub ignored: Vec<String>,
    /// Which log-probabilities it offers.
    pub logprobs: Option<Logprobs>,
    /// What becomes of an answer that is begun.
    pub prefill: Option<Prefill>,
    /// Whether it repeats a prompt where `echo` asks for that.
    pub echo: Option<bool>,
    /// What is sent although it is not set.
    pub neutral: Map<String, Value>,
}

impl ServerFacts {
    /// A sentence for the person who started.
    pub fn sentence(&self) -> String {
        let mut said = vec![match &self.model {
            Some(model) => format!("{} serving `{model}`", self.kind),
            None => self.kind.to_string(),
        }];
        said.push(match self.seed {
            Some(true) => "honors seeds".to_owned(),
            Some(false) => "ignores seeds, so the same texts cannot be drawn again".to_owned(),
            None => "seeds untold".to_owned(),
        });
        said.push(match self.logprobs {
            Some(Logprobs::Model) => "gives the model's log-probabilities".to_owned(),
            Some(Logprobs::Sampling) => "gives log-probabilities of what is drawn from".to_owned(),
            None => "gives no log-probabilities".to_owned(),
        });
        if !self.fields.is_empty() {
            let called: Vec<String> = self
                .fields
                .iter()
                .map(|(column, field)| match column == field {
                    true => field.clone(),
                    false => format!("{column} as {field}"),
                })
                .collect();
            said.push(format!("has {}", called.join(", ")));
        }
        match self.prefill {
            Some(Prefill::Continued | Prefill::Repeated) => {
                said.push("continues an answer that is begun".to_owned());
            }
            Some(Prefill::Ignored) => said.push("does not continue an answer".to_owned()),
            None => {}
        }
        if self.echo == Some(true) {
            said.push("echoes prompts".to_owned());
        }
        if !self.ignored.is_empty() {
            said.push(format!("IGNORES {}, as was allowed", self.ignored.join(", ")));
        }
        said.join("; ")
    }
}
