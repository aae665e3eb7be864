//! What a server is asked, as bytes of a request.

use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::dialect::{Dialect, Logprobs};
use crate::{
    decode::Decoding,
    rng::{self, Draw},
};

/// What a server's model reads.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerPrompt {
    /// Text to be continued: `/completions`.
    Text(Arc<str>),
    /// Turns, as JSON of the protocol's `messages`: `/chat/completions`. A last turn of the assistant's
    /// is what the answer begins with.
    Turns(Arc<str>),
}

impl ServerPrompt {
    /// Where it is posted, below the address.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Text(_) => "/completions",
            Self::Turns(_) => "/chat/completions",
        }
    }

    /// What the answer is made to begin with, where it is begun.
    pub fn start(&self) -> Option<String> {
        let Self::Turns(turns) = self else { return None };
        // Most turns end with the user's, which a look at the text shows.
        if !turns.contains("\"assistant\"") {
            return None;
        }
        let turns: Value = serde_json::from_str(turns).ok()?;
        let last = turns.as_array()?.last()?;
        (last["role"] == "assistant").then(|| last["content"].as_str().unwrap_or("").to_owned())
    }
}

/// One completion that is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Returned with the completion.
    pub tag: u64,
    /// The prompt.
    pub prompt: ServerPrompt,
    /// How tokens are drawn.
    pub decoding: Decoding,
    /// The run's seed.
    pub seed: u64,
    /// Which draw under it this is; the server gets a seed made of both.
    pub draw: Draw,
    /// Tokens after which the completion is cut.
    pub max_new_tokens: usize,
    /// Strings that end the completion.
    pub stop: Arc<[String]>,
}

/// The body of a request for `prompt`, whatever else stands in `fields`.
pub(super) fn body(
    model: &str,
    prompt: &ServerPrompt,
    fields: Map<String, Value>,
    limit: (usize, &Dialect),
    begun: bool,
) -> Vec<u8> {
    let (most, dialect) = limit;
    let mut out = common(model, fields, most, dialect, begun);
    put_prompt(&mut out, prompt);
    out
}

/// An object of `fields`, model and length, which lacks its end.
fn common(
    model: &str,
    mut fields: Map<String, Value>,
    most: usize,
    dialect: &Dialect,
    begun: bool,
) -> Vec<u8> {
    let name = if dialect.completion_tokens { "max_completion_tokens" } else { "max_tokens" };
    fields.insert("model".to_owned(), json!(model));
    fields.insert(name.to_owned(), json!(most));
    if begun {
        fields.insert("continue_final_message".to_owned(), json!(true));
        fields.insert("add_generation_prompt".to_owned(), json!(false));
    }
    // A map of strings and finite numbers always has a JSON form.
    let mut out = serde_json::to_vec(&fields).unwrap_or_default();
    out.pop();
    out
}

/// Ends an object with its prompt.
fn put_prompt(out: &mut Vec<u8>, prompt: &ServerPrompt) {
    match prompt {
        ServerPrompt::Text(text) => {
            out.extend_from_slice(b",\"prompt\":");
            out.extend_from_slice(&serde_json::to_vec(&**text).unwrap_or_default());
        }
        ServerPrompt::Turns(turns) => {
            out.extend_from_slice(b",\"messages\":");
            out.extend_from_slice(turns.as_bytes());
        }
    }
    out.push(b'}');
}

/// Bodies of a worker's requests: what the last one and this one have in common is written once.
#[derive(Default)]
pub(super) struct Bodies {
    known: Option<(Decoding, usize, Arc<[String]>, &'static str)>,
    /// The object up to the seed.
    common: Vec<u8>,
}

impl Bodies {
    /// The body of `ask`'s request.
    pub fn of(&mut self, ask: &Ask, model: &str, dialect: &Dialect) -> Vec<u8> {
        let path = ask.prompt.path();
        let same = self.known.as_ref().is_some_and(|(decoding, most, stop, of)| {
            (*decoding, *most, *of) == (ask.decoding, ask.max_new_tokens, path)
                && (Arc::ptr_eq(stop, &ask.stop) || *stop == ask.stop)
        });
        if !same {
            let fields = ask.fields(dialect);
            self.common = common(model, fields, ask.max_new_tokens, dialect, false);
            self.known = Some((ask.decoding, ask.max_new_tokens, ask.stop.clone(), path));
        }
        let mut out = Vec::with_capacity(self.common.len() + 4096);
        out.extend_from_slice(&self.common);
        if let Some(field) = dialect.seed_field() {
            out.extend_from_slice(format!(",\"{field}\":{}", ask.server_seed()).as_bytes());
        }
        if ask.prompt.start().is_some() {
            let begun = b",\"continue_final_message\":true,\"add_generation_prompt\":false";
            out.extend_from_slice(begun);
        }
        put_prompt(&mut out, &ask.prompt);
        out
    }
}

impl Ask {
    /// The seed that the server gets: servers take 32-bit seeds, some of them signed.
    pub fn server_seed(&self) -> u32 {
        (rng::uniform(self.seed, self.draw, 0) * f64::from(1u32 << 31)) as u32
    }

    /// The body of its request.
    pub fn body(&self, model: &str, dialect: &Dialect) -> Vec<u8> {
        Bodies::default().of(self, model, dialect)
    }

    /// Everything but the seed and the prompt, which draws of a cell have in common.
    fn fields(&self, dialect: &Dialect) -> Map<String, Value> {
        let mut fields = dialect.settings(&self.decoding);
        if !self.stop.is_empty() {
            fields.insert("stop".to_owned(), json!(&self.stop[..]));
        }
        if dialect.logprobs.is_some() {
            want_logprobs(&mut fields, &self.prompt);
        }
        fields
    }

    /// Whether log-probabilities of that kind are of the sampling distribution and of the model:
    /// without any stage the two are one.
    pub fn logprobs_are(&self, kind: Logprobs) -> (bool, bool) {
        let plain = self.decoding == Decoding::default();
        (kind == Logprobs::Sampling || plain, kind == Logprobs::Model || plain)
    }
}

/// Asks for the log-probability of each token that is drawn.
pub(super) fn want_logprobs(fields: &mut Map<String, Value>, prompt: &ServerPrompt) {
    match prompt {
        ServerPrompt::Text(_) => {
            fields.insert("logprobs".to_owned(), json!(1));
        }
        ServerPrompt::Turns(_) => {
            fields.insert("logprobs".to_owned(), json!(true));
            fields.insert("top_logprobs".to_owned(), json!(1));
        }
    }
}
