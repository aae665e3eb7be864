//! Finding out what a server does, by what it answers: a dozen requests of a few tokens.
//!
//! A server passes over fields that it does not know, so a setting is believed only where it shows. One that
//! leaves a single token (top-k 1, a nucleus of nothing) must make a hot draw the same under two seeds; a
//! penalty must change what is repeated; others must change a hot draw under one seed.

use serde_json::{Map, Value, json};

use super::{
    Server, Session,
    answer::{Answer, Verdict},
    ask::{ServerPrompt, body, want_logprobs},
    dialect::{Dialect, Kind, Logprobs, Prefill, ServerFacts},
    identity::Served,
};
use crate::{
    decode::knobs::{KNOBS, Knob, TEMPERATURE},
    lm::LmError,
};

/// Tokens of an answer that two draws are compared by.
const TOKENS: usize = 12;
/// Temperatures at which two draws differ, the hotter one where it is allowed.
const HOT: [f64; 2] = [2.0, 1.0];
/// Times that two draws which should be alike are drawn before they are taken to differ: kernels of servers are
/// not always the same to the last bit.
const PAIRS: u32 = 2;
/// An answer that is begun, and how it goes on in any language model.
const BEGUN: (&str, &str) = ("Qx7: 1, 2, 3, 4, 5, 6, 7,", "8");

/// What a sweep wants of a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// Whether prompts are turns.
    pub chat: bool,
    /// Whether answers are begun.
    pub begun: bool,
    /// The settings that are set somewhere.
    pub knobs: Vec<&'static Knob>,
}

/// Why a server cannot do what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lacking {
    /// Columns of settings without effect, with what was seen.
    pub settings: Vec<(String, String)>,
}

/// One server while it is found out.
pub(super) struct Probe<'a, 'h> {
    server: &'a Server,
    session: &'a mut Session<'h>,
    chat: bool,
    hot: f64,
    dialect: Dialect,
    fingerprint: Option<String>,
}

/// A request that was refused, in the server's words.
struct Refusal(String);

type Said<T> = Result<Result<T, Refusal>, LmError>;

/// How a setting shows that it has an effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Evidence {
    /// At this value one token is left, so that a hot draw is the same under two seeds.
    Single(f64),
    /// At the second value what is repeated comes out otherwise than at the first.
    Repeats(f64, f64),
    /// At this value a hot draw is another one under the same seed.
    Moves(f64),
    /// In no way.
    None,
}

fn evidence(knob: &Knob) -> Evidence {
    match knob.flag {
        "top-k" | "min-p" => Evidence::Single(1.0),
        "top-p" | "typical-p" | "top-n-sigma" | "mirostat-tau" => Evidence::Single(1e-6),
        "epsilon-cutoff" => Evidence::Single(0.999_999),
        "repetition-penalty" => Evidence::Repeats(1.0, 2.0),
        "frequency-penalty" | "presence-penalty" | "no-repeat-ngram-size" => {
            Evidence::Repeats(0.0, 2.0)
        }
        "dry-multiplier" => Evidence::Repeats(0.0, 5.0),
        "eta-cutoff" => Evidence::Moves(0.999),
        "xtc-probability" => Evidence::Moves(1.0),
        "dynatemp-range" => Evidence::Moves(1.5),
        _ => Evidence::None,
    }
}

/// What is said of a setting without effect.
fn no_effect(field: &str) -> String {
    format!("`{field}` changes nothing there")
}

impl<'a, 'h> Probe<'a, 'h> {
    /// A probe of `server` through `session`.
    pub fn new(
        server: &'a Server,
        session: &'a mut Session<'h>,
        chat: bool,
        served: &Served,
    ) -> Self {
        let neutral = Dialect::neutral_of(served.kind);
        let dialect = Dialect { kind: served.kind, neutral, ..Dialect::default() };
        Self { server, session, chat, hot: HOT[0], dialect, fingerprint: None }
    }

    /// Everything that `wants` needs, as a dialect and facts; what lacks is said beside them.
    pub fn run(mut self, wants: &Wants) -> Result<(Dialect, ServerFacts, Lacking), LmError> {
        let mut lacking = Vec::new();
        let first = self.adapt()?;
        let again = self.hot_text(1)?.unwrap_or_default();
        let other = self.hot_text(2)?.unwrap_or_default();
        let seed = first == again;
        let varied = first != other;
        // Seeds that are honored and make no difference are one text for all draws.
        if !varied && !first.is_empty() {
            let what =
                format!("it answers the same text under two seeds at temperature {}", self.hot);
            lacking.push(("seed".to_owned(), what));
        }
        let mut temperature = None;
        if varied {
            let cold = |probe: &mut Self| probe.alike(0.0, Map::new());
            temperature = match cold(&mut self)? {
                Ok(alike) => Some(alike),
                Err(Refusal(why)) => {
                    lacking.push(("temperature".to_owned(), why));
                    None
                }
            };
            if temperature == Some(false) {
                let what = "at temperature 0 two seeds still give two texts".to_owned();
                lacking.push(("temperature".to_owned(), what));
            }
        }
        let mut fields = indexmap::IndexMap::<String, String>::new();
        self.session.daring = true;
        for &knob in wants.knobs.iter().filter(|knob| ***knob != TEMPERATURE) {
            if let Some(shapes) = &knob.shapes {
                let shown = fields.contains_key(shapes.of.column);
                match knob.server.first().filter(|_| shown) {
                    Some(field) => drop(fields.insert(knob.column.to_owned(), (*field).to_owned())),
                    None => {
                        let why = format!("there is no `{}` that it could shape", shapes.of.column);
                        lacking.push((knob.column.to_owned(), why));
                    }
                }
                continue;
            }
            match self.knob(knob, varied, seed)? {
                Ok(field) => drop(fields.insert(knob.column.to_owned(), field)),
                Err(Refusal(why)) => lacking.push((knob.column.to_owned(), why)),
            }
        }
        self.dialect.fields = fields.clone();
        let logprobs = self.logprobs()?;
        let echo = if self.chat { None } else { self.echo()? };
        let prefill = if wants.begun { Some(self.prefill()?) } else { None };
        (self.dialect.logprobs, self.dialect.prefill) = (logprobs, prefill);
        let facts = ServerFacts {
            kind: self.dialect.kind,
            fingerprint: self.fingerprint.take(),
            seed: (!first.is_empty()).then_some(seed && varied),
            temperature,
            fields,
            logprobs,
            prefill,
            echo,
            neutral: self.dialect.neutral.clone(),
            ..ServerFacts::default()
        };
        Ok((self.dialect, facts, Lacking { settings: lacking }))
    }

    /// The first hot draw, by which fields that are refused are found and left out.
    fn adapt(&mut self) -> Result<String, LmError> {
        loop {
            let why = match self.hot_text(1)? {
                Ok(text) => {
                    if let ServerPrompt::Text(prompt) = self.prompt() {
                        self.dialect.repeats_prompt = text.starts_with(&*prompt);
                    }
                    return Ok(text);
                }
                Err(Refusal(why)) => why,
            };
            if why.contains("max_completion_tokens") && !self.dialect.completion_tokens {
                self.dialect.completion_tokens = true;
            } else if why.contains("seed") && self.dialect.seed != Some("") {
                // Mistral's name, then none.
                let next = if self.dialect.seed.is_none() { "random_seed" } else { "" };
                self.dialect.seed = Some(next);
            } else if self.dialect.neutral.len() > 1 && !why.contains("temperature") {
                // top_p is OpenAI's own; the others may be unknown.
                self.dialect.neutral.retain(|name, _| name == "top_p");
            } else if self.hot == HOT[0] {
                self.hot = HOT[1];
            } else if !self.dialect.neutral.is_empty() {
                self.dialect.neutral.clear();
            } else {
                return Err(self.server.error(format!("it refuses the simplest request: {why}")));
            }
        }
    }

    fn prompt(&self) -> ServerPrompt {
        let text = "Once upon a time";
        match self.chat {
            true => {
                let turns = json!([{"role": "user", "content": "Write a story of one paragraph."}]);
                ServerPrompt::Turns(turns.to_string().into())
            }
            false => ServerPrompt::Text(text.into()),
        }
    }

    /// What is repeated, so that a penalty shows.
    fn repeating(&self) -> ServerPrompt {
        match self.chat {
            true => {
                let turns =
                    json!([{"role": "user", "content": "Write the word apple twenty times."}]);
                ServerPrompt::Turns(turns.to_string().into())
            }
            false => ServerPrompt::Text("one two three ".repeat(6).trim_end().into()),
        }
    }

    /// One request; `Err` inside where the server refuses it.
    fn ask(
        &mut self,
        prompt: &ServerPrompt,
        more: Map<String, Value>,
        tokens: usize,
        begun: bool,
    ) -> Said<Answer> {
        let mut fields = self.dialect.neutral.clone();
        fields.extend(more);
        if let Some(field) = self.dialect.seed_field() {
            // Some servers require it.
            fields.entry(field).or_insert(json!(1));
        }
        let body = body(&self.server.model, prompt, fields, (tokens, &self.dialect), begun);
        let path = prompt.path();
        let reply = self.server.patiently(self.session, path, Some(&body), 0, &|reply| {
            match super::answer::parse(reply, &self.server.secrets) {
                Ok(answer) => Ok(Ok(answer)),
                Err(Verdict::Refused(why)) => Ok(Err(Refusal(why))),
                Err(other) => Err(other),
            }
        });
        // A server may fall over a field that it does not know, which is an answer, too.
        let reply = match reply {
            Err(LmError::Server { what, .. }) if self.session.daring => Err(Refusal(what)),
            reply => reply?,
        };
        if let Ok(answer) = &reply
            && let Some(print) = &answer.system_fingerprint
        {
            self.fingerprint = Some(self.server.secrets.hide(print));
        }
        Ok(reply)
    }

    fn text(
        &mut self,
        prompt: &ServerPrompt,
        seed: u32,
        temperature: f64,
        more: Map<String, Value>,
    ) -> Said<String> {
        let mut fields = more;
        if let Some(field) = self.dialect.seed_field() {
            fields.insert(field.to_owned(), json!(seed));
        }
        fields.insert("temperature".to_owned(), json!(temperature));
        let answer = self.ask(prompt, fields, TOKENS, false)?;
        let said = |answer: Answer| {
            answer.choices.first().map(|choice| choice.said_or_thought().to_owned())
        };
        Ok(answer.map(|answer| said(answer).unwrap_or_default()))
    }

    fn hot_text(&mut self, seed: u32) -> Said<String> {
        let (prompt, hot) = (self.prompt(), self.hot);
        self.text(&prompt, seed, hot, Map::new())
    }

    /// Whether two seeds give one text.
    fn alike(&mut self, temperature: f64, more: Map<String, Value>) -> Said<bool> {
        let prompt = self.prompt();
        for pair in 0..PAIRS {
            let seed = 11 + 2 * pair;
            let a = match self.text(&prompt, seed, temperature, more.clone())? {
                Ok(text) => text,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let b = match self.text(&prompt, seed + 1, temperature, more.clone())? {
                Ok(text) => text,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if a == b {
                return Ok(Ok(true));
            }
        }
        Ok(Ok(false))
    }

    /// The field by which `knob` has effect, or why none has.
    fn knob(&mut self, knob: &'static Knob, varied: bool, seed: bool) -> Said<String> {
        let mut refusal = None;
        let mut seen = no_effect(knob.column);
        for field in knob.server {
            let number = |value: f64| if knob.whole { json!(value as u64) } else { json!(value) };
            let with = |value: f64| {
                let mut more = self.dialect.beside(knob);
                let shaping = KNOBS.iter().filter_map(|other| {
                    let shapes = other.shapes.as_ref().filter(|shapes| shapes.of == knob)?;
                    let usual =
                        if other.whole { json!(shapes.usual as u64) } else { json!(shapes.usual) };
                    Some(((*other.server.first()?).to_owned(), usual))
                });
                more.extend(shaping);
                more.insert((*field).to_owned(), number(value));
                more
            };
            let found = match evidence(knob) {
                Evidence::None => return Ok(Ok((*field).to_owned())),
                Evidence::Repeats(off, on) => {
                    let (off, on) = (with(off), with(on));
                    let prompt = self.repeating();
                    self.moves(&prompt, 0.0, [off, on])?
                }
                Evidence::Single(_) if !varied => {
                    seen = "all draws are alike there, so that it cannot be seen".to_owned();
                    continue;
                }
                Evidence::Single(value) => {
                    let more = with(value);
                    self.alike(self.hot, more)?
                }
                Evidence::Moves(_) if !(varied && seed) => {
                    seen = "draws of one seed differ there, so that it cannot be seen".to_owned();
                    continue;
                }
                Evidence::Moves(value) => {
                    let more = with(value);
                    let prompt = self.prompt();
                    self.moves(&prompt, self.hot, [Map::new(), more])?
                }
            };
            match found {
                Ok(true) => return Ok(Ok((*field).to_owned())),
                Ok(false) => seen = no_effect(field),
                Err(Refusal(why)) => refusal = Some(why),
            }
        }
        Ok(Err(Refusal(refusal.unwrap_or(seen))))
    }

    /// Whether two ways of asking give two texts under one seed.
    fn moves(
        &mut self,
        prompt: &ServerPrompt,
        temperature: f64,
        ways: [Map<String, Value>; 2],
    ) -> Said<bool> {
        let mut texts = Vec::new();
        for more in ways {
            match self.text(prompt, 1, temperature, more)? {
                Ok(text) => texts.push(text),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(texts[0] != texts[1]))
    }

    /// Which log-probabilities are given: whether those of the first token move with the temperature.
    fn logprobs(&mut self) -> Result<Option<Logprobs>, LmError> {
        let prompt = self.prompt();
        let mut greatest = Vec::new();
        for temperature in [1.0, 0.5] {
            let mut fields = Map::new();
            want_logprobs(&mut fields, &prompt);
            fields.insert("temperature".to_owned(), json!(temperature));
            let Ok(answer) = self.ask(&prompt, fields, 1, false)? else { return Ok(None) };
            let choice = answer.choices.first();
            let given = choice.is_some_and(|c| c.logprobs().is_some_and(|all| !all.is_empty()));
            let value = choice.and_then(super::answer::Choice::greatest).filter(|_| given);
            let Some(value) = value else { return Ok(None) };
            greatest.push(value);
        }
        let moved = (greatest[0] - greatest[1]).abs() > 1e-3 + 0.02 * greatest[0].abs();
        Ok(Some(if moved { Logprobs::Sampling } else { Logprobs::Model }))
    }

    /// Whether a prompt is repeated on request.
    fn echo(&mut self) -> Result<Option<bool>, LmError> {
        let prompt = self.prompt();
        let ServerPrompt::Text(text) = &prompt else { return Ok(None) };
        let fields = Map::from_iter([("echo".to_owned(), json!(true))]);
        let answer = self.ask(&prompt, fields, 1, false)?;
        let begins = |answer: Answer| {
            answer.choices.first().is_some_and(|c| c.said().is_some_and(|s| s.starts_with(&**text)))
        };
        Ok(Some(answer.is_ok_and(begins) && !self.dialect.repeats_prompt))
    }

    /// What becomes of an answer that is begun.
    fn prefill(&mut self) -> Result<Prefill, LmError> {
        let (start, next) = BEGUN;
        let turns = json!([
            {"role": "user", "content": "Write the numbers from 1 to 20."},
            {"role": "assistant", "content": start},
        ]);
        let prompt = ServerPrompt::Turns(turns.to_string().into());
        let fields = Map::from_iter([("temperature".to_owned(), json!(0.0))]);
        let Ok(answer) = self.ask(&prompt, fields.clone(), TOKENS, true)? else {
            return Ok(Prefill::Ignored);
        };
        let choice = answer.choices.first();
        let text = choice.and_then(|choice| choice.said()).unwrap_or_default().to_owned();
        if text.starts_with(start) {
            return Ok(Prefill::Repeated);
        }
        if text.trim_start().starts_with(next) {
            return Ok(Prefill::Continued);
        }
        // A model that cannot count: a server that knows the field refuses what contradicts it.
        let mut fields = fields;
        fields.insert("continue_final_message".to_owned(), json!(true));
        fields.insert("add_generation_prompt".to_owned(), json!(true));
        let known = matches!(self.dialect.kind, Kind::Vllm | Kind::Sglang)
            && self.ask(&prompt, fields, 1, false)?.is_err();
        Ok(if known { Prefill::Continued } else { Prefill::Ignored })
    }
}

/// The settings of decodings that are set somewhere.
pub fn set_somewhere<'d>(
    decodings: impl IntoIterator<Item = &'d crate::decode::Decoding>,
) -> Vec<&'static Knob> {
    let decodings: Vec<_> = decodings.into_iter().collect();
    let set = |knob: &&&'static Knob| decodings.iter().any(|d| knob.get(d).is_some());
    KNOBS.iter().filter(set).copied().collect()
}
