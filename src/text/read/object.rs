//! From one JSON value to the texts it holds.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    answers,
    forms::{self, kind},
    reading::Reading,
};
use crate::text::Text;

/// Fields in which a text is looked for when none is named.
pub(super) const FIELDS: [&str; 8] = [
    "text",
    "completion",
    "generated_text",
    "prediction",
    "response",
    "output",
    "content",
    "solution",
];

/// Fields that hold a conversation.
const TURNS: [&str; 3] = ["messages", "conversation", "conversations"];

/// Fields that hold several completions of one prompt.
const LISTS: [&str; 5] = ["outputs", "predictions", "responses", "generations", "completions"];

/// Fields of texts of which people preferred one.
const PAIRS: [[&str; 2]; 2] = [["chosen", "rejected"], ["response_a", "response_b"]];

/// Reads values one by one.
pub(super) struct Reader<'a> {
    field: Option<&'a str>,
    /// What was read so far.
    pub(super) reading: Reading,
    /// The filter under which each document of lm-eval was met first.
    filters: HashMap<String, String>,
    /// Rows so far.
    rows: usize,
}

/// What a row holds.
enum Found {
    Texts(Vec<Text>),
    /// No text where one belongs.
    Missing,
}

impl<'a> Reader<'a> {
    pub(super) fn new(field: Option<&'a str>) -> Self {
        Self { field, reading: Reading::default(), filters: HashMap::new(), rows: 0 }
    }

    pub(super) fn done(self) -> Reading {
        self.reading
    }

    /// Whether a row said where texts are taken from.
    pub(super) fn has_begun(&self) -> bool {
        !self.reading.taken.is_empty()
    }

    /// Adds the text of a row to which no rule applies that looks at other rows.
    pub(super) fn add_plain(&mut self, text: Text) {
        self.rows += 1;
        if self.field.is_none() && !begins_with_prompt(&text.text, &text) {
            self.reading.all_repeat_prompt = false;
        }
        self.reading.texts.push(text);
    }

    /// Adds the texts of `value`; the error is the sentence to put after `file:line:`.
    pub(super) fn read(&mut self, value: Value) -> Result<(), String> {
        self.rows += 1;
        match self.found(value)? {
            Found::Texts(texts) => self.reading.texts.extend(texts),
            Found::Missing => self.reading.missing.push(self.rows),
        }
        Ok(())
    }

    fn found(&mut self, value: Value) -> Result<Found, String> {
        let mut object = match value {
            Value::String(text) if self.field.is_none() => {
                return Ok(Found::Texts(vec![Text::new(text)]));
            }
            Value::Null if self.field.is_none() => return Ok(Found::Missing),
            Value::Object(object) => object,
            other => return Err(format!("{} where an object is needed", kind(&other))),
        };
        let facts = forms::facts(&object);
        let with = |text: String| Text { text, ..facts.clone() };
        if self.is_read_already(&object, &facts) {
            self.reading.repeated += 1;
            return Ok(Found::Texts(Vec::new()));
        }
        if let Some(field) = self.field {
            let value = match object.get(field) {
                Some(value) => value.clone(),
                None => {
                    let names = forms::names(&object);
                    let at = format!("/{}", field.replace('.', "/"));
                    let found = Value::Object(object.clone()).pointer(&at).cloned();
                    found.ok_or_else(|| format!("no field `{field}`; there are {names}"))?
                }
            };
            self.take(format!("`{field}`"), &object, &[]);
            return named(field, &value, &facts);
        }
        if let Some(resps) = object.get("resps") {
            self.take("`resps`".to_owned(), &object, &["filtered_resps"]);
            let texts = forms::strings(resps).filter(|texts| !is_likelihood(&object, texts)).ok_or(
                "`resps` holds log-likelihoods and no texts; only generation tasks of lm-eval and lmms-eval hold texts",
            )?;
            return Ok(Found::Texts(texts.into_iter().map(with).collect()));
        }
        if let Some(said) = object.get("model_response").and_then(|said| said.get("text")) {
            return self.lighteval(&object, said, facts);
        }
        if let Some(output) = object.get("output").and_then(Value::as_object)
            && answers::is_answer(output)
        {
            return self.inspect(&object, output, facts);
        }
        if answers::is_answer(&object) {
            return self.answers(&object, &object, "the answers of a batch", &facts);
        }
        if answers::is_request(&object) {
            return Err(
                "this is a request of a batch; the answers are in its output file".to_owned()
            );
        }
        // Alpaca's `text` is the whole of instruction and output.
        let is_alpaca = object.contains_key("instruction") && object.contains_key("output");
        let first = FIELDS.into_iter().find(|field| object.contains_key(*field));
        if let Some(field) = if is_alpaca { Some("output") } else { first } {
            let others = FIELDS.iter().chain(&TURNS).chain(&LISTS).chain(PAIRS.as_flattened());
            let others = others.filter(|other| **other != field);
            let first = self.reading.taken.is_empty();
            self.take(format!("`{field}`"), &object, &others.copied().collect::<Vec<_>>());
            if first {
                self.reading.all_repeat_prompt = true;
            }
            let value = object.remove(field).unwrap_or_default();
            if value.as_str().is_some_and(|text| !begins_with_prompt(text, &facts)) {
                self.reading.all_repeat_prompt = false;
            }
            return match forms::last_answer(&value) {
                Some((text, _)) => Ok(Found::Texts(vec![with(text)])),
                None => one(field, value, &facts),
            };
        }
        if let Some(field) = TURNS.into_iter().find(|field| object.contains_key(*field)) {
            let others: Vec<&str> = LISTS.iter().chain(PAIRS.as_flattened()).copied().collect();
            self.take(format!("the last answer of `{field}`"), &object, &others);
            return match forms::last_answer(&object[field]) {
                Some((text, before)) => {
                    let prompt = facts.prompt.clone().or(before);
                    Ok(Found::Texts(vec![Text { prompt, ..with(text) }]))
                }
                None => Ok(Found::Missing),
            };
        }
        if let Some((text, before)) = object.get("data").and_then(forms::last_of_alternating) {
            self.take("the last answer of `data`".to_owned(), &object, &LISTS);
            let prompt = facts.prompt.clone().or(before);
            return Ok(Found::Texts(vec![Text { prompt, ..with(text) }]));
        }
        if let Some(field) = LISTS.into_iter().find(|field| object.contains_key(*field)) {
            let others: Vec<&str> = LISTS.into_iter().filter(|other| *other != field).collect();
            self.take(format!("`{field}`"), &object, &others);
            return named(field, &object[field], &facts);
        }
        if let Some(pair) =
            PAIRS.into_iter().find(|pair| pair.iter().all(|f| object.contains_key(*f)))
        {
            let [a, b] = pair;
            return Err(format!(
                "`{a}` and `{b}` are texts to choose between; name one of them, as FILE:{a}"
            ));
        }
        Err(format!(
            "no text field; there are {}, and one of them can be named as FILE:FIELD",
            forms::names(&object)
        ))
    }

    /// lm-eval writes a document once for each of its filters, with the same responses: only the first counts.
    fn is_read_already(&mut self, object: &Map<String, Value>, facts: &Text) -> bool {
        let filter = object.get("filter").and_then(Value::as_str);
        let (Some(filter), Some(document), true) =
            (filter, &facts.id, object.contains_key("resps"))
        else {
            return false;
        };
        let first = self.filters.entry(document.clone()).or_insert_with(|| filter.to_owned());
        first != filter
    }

    /// Notes where texts come from, once, and which of `others` are there as well.
    fn take(&mut self, what: String, object: &Map<String, Value>, others: &[&str]) {
        let reading = &mut self.reading;
        if reading.taken.is_empty() {
            reading.taken = what;
            let left = others.iter().filter(|name| object.contains_key(**name));
            reading.not_taken = left.map(|name| (*name).to_owned()).collect();
        }
    }

    /// A row of lighteval's details: the model's response beside the document that was asked about.
    fn lighteval(
        &mut self,
        object: &Map<String, Value>,
        said: &Value,
        facts: Text,
    ) -> Result<Found, String> {
        self.take("`model_response.text`".to_owned(), object, &[]);
        let doc = |name: &str| Some(object.get("doc")?.get(name)?.as_str()?.to_owned());
        let prompt = doc("query").or_else(|| facts.prompt.clone());
        let (id, prompt_id) = (doc("id").or_else(|| facts.id.clone()), doc("id"));
        named("model_response.text", said, &Text { id, prompt, prompt_id, ..facts })
    }

    /// A sample of Inspect's logs; its epochs answer one prompt.
    fn inspect(
        &mut self,
        sample: &Map<String, Value>,
        output: &Map<String, Value>,
        facts: Text,
    ) -> Result<Found, String> {
        let input = sample.get("input").filter(|input| !input.is_null());
        let input =
            input.map(|input| input.as_str().map_or_else(|| input.to_string(), str::to_owned));
        let (prompt, prompt_id) = (facts.prompt.clone().or(input), facts.id.clone());
        let facts = Text { prompt, prompt_id, ..facts };
        self.answers(output, sample, "the answers of an Inspect log", &facts)
    }

    /// The texts of a server's answer; what it did not answer is noted.
    fn answers(
        &mut self,
        answer: &Map<String, Value>,
        row: &Map<String, Value>,
        what: &str,
        facts: &Text,
    ) -> Result<Found, String> {
        self.take(what.to_owned(), row, &[]);
        let key = || Some(row.get("key")?.as_str()?.to_owned());
        let name = facts.id.clone().or_else(key);
        let prompt_id = facts.prompt_id.clone().or_else(key);
        let facts = Text { id: name.clone(), prompt_id, ..facts.clone() };
        let name = name.unwrap_or_else(|| format!("row {}", self.rows));
        match answers::answers(answer) {
            Err(why) => self.reading.failed.push((name, why)),
            Ok(answers) => {
                let mut texts = Vec::new();
                if answers.is_empty() {
                    self.reading.without_content.push(name.clone());
                }
                for (text, reason) in answers {
                    match text {
                        Some(text) => {
                            let finish_reason = reason.or_else(|| facts.finish_reason.clone());
                            texts.push(Text { text, finish_reason, ..facts.clone() });
                        }
                        None => self.reading.without_content.push(name.clone()),
                    }
                }
                return Ok(Found::Texts(texts));
            }
        }
        Ok(Found::Texts(Vec::new()))
    }
}

/// Whether strings of `resps` are log-likelihoods, which lm-eval writes as strings: the request names a
/// continuation instead of settings, or none, and every string is a number or a truth value.
fn is_likelihood(row: &Map<String, Value>, strings: &[String]) -> bool {
    let settings = row.get("arguments").and_then(|arguments| {
        arguments.pointer("/gen_args_0/arg_1").or_else(|| arguments.pointer("/0/1"))
    });
    let is_number = |text: &String| {
        text.parse::<f64>().is_ok() || ["True", "False", "true", "false"].contains(&&text[..])
    };
    !settings.is_some_and(Value::is_object)
        && strings
            .iter()
            .any(|text| text.parse::<f64>().is_ok_and(|x| x <= 0.0 && text.contains('.')))
        && strings.iter().all(is_number)
        && (settings.is_some() || strings.len() > 1 || row.contains_key("arguments"))
}

fn begins_with_prompt(text: &str, facts: &Text) -> bool {
    facts.prompt.as_ref().is_some_and(|prompt| text.starts_with(prompt.as_str()))
}

/// The text of a field, or the texts of a list of them.
fn named(field: &str, value: &Value, facts: &Text) -> Result<Found, String> {
    if let Some((text, before)) = forms::last_answer(value) {
        let prompt = facts.prompt.clone().or(before);
        return Ok(Found::Texts(vec![Text { text, prompt, ..facts.clone() }]));
    }
    match value {
        Value::Array(_) => {
            let texts = forms::listed(value, facts).ok_or_else(|| {
                format!("field `{field}` is a list that holds other things than texts")
            })?;
            Ok(Found::Texts(texts))
        }
        other => one(field, other.clone(), facts),
    }
}

fn one(field: &str, value: Value, facts: &Text) -> Result<Found, String> {
    match value {
        Value::String(text) => Ok(Found::Texts(vec![Text { text, ..facts.clone() }])),
        Value::Null => Ok(Found::Missing),
        other => Err(format!("field `{field}` is {}, not a string", kind(&other))),
    }
}
