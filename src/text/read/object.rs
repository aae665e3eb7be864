//! From one JSON value to the texts it holds.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::text::Text;

/// Fields in which a text is looked for when none is named.
const FIELDS: [&str; 7] =
    ["text", "completion", "generated_text", "prediction", "response", "output", "content"];

/// Reads values one by one; lm-eval's repeated filters are read once.
pub(super) struct Reader<'a> {
    field: Option<&'a str>,
    texts: Vec<Text>,
    documents: HashSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(field: Option<&'a str>) -> Self {
        Self { field, texts: Vec::new(), documents: HashSet::new() }
    }

    pub(super) fn done(self) -> Vec<Text> {
        self.texts
    }

    /// Adds the texts of `value`; the error is the sentence to put after `file:line:`.
    pub(super) fn read(&mut self, value: Value) -> Result<(), String> {
        let mut object = match value {
            Value::String(text) if self.field.is_none() => {
                self.texts.push(Text::new(text));
                return Ok(());
            }
            Value::Object(object) => object,
            other => return Err(format!("{} where an object is needed", kind(&other))),
        };
        let facts = facts(&object);
        let with = |text: String| Text { text, ..facts.clone() };
        if let Some(field) = self.field {
            let at = format!("/{}", field.replace('.', "/"));
            let value = match object.remove(field) {
                Some(value) => value,
                None => {
                    let names = names(&object);
                    let whole = Value::Object(object);
                    let found = whole.pointer(&at).cloned();
                    found.ok_or_else(|| format!("no field `{field}`; there are {names}"))?
                }
            };
            self.texts.push(with(string(field, value)?));
            return Ok(());
        }
        if let Some(resps) = object.get("resps") {
            let filter = object.get("filter").and_then(Value::as_str).unwrap_or_default();
            // One line a filter, each with the same responses.
            let key = format!("{}\0{}", facts.id.as_deref().unwrap_or_default(), resps);
            if filter.is_empty() || self.documents.insert(key) {
                self.texts.extend(lm_eval(resps)?.into_iter().map(with));
            }
            return Ok(());
        }
        let answer = object.get("response").filter(|r| r.is_object());
        if answer.is_some() || object.contains_key("choices") || object.contains_key("custom_id") {
            let name = facts.id.clone().unwrap_or_default();
            let body = match answer {
                Some(answer) => answer.get("body").unwrap_or(answer),
                None => &Value::Object(object.clone()),
            };
            let Some(choices) = body.get("choices").and_then(Value::as_array) else {
                let status = answer.and_then(|a| a.get("status_code")).map(Value::to_string);
                let status = status.unwrap_or_else(|| "no answer".to_owned());
                return Err(format!(
                    "request `{name}` failed ({status}); run it again, or remove the line"
                ));
            };
            for choice in choices {
                let text = choice.get("text").or_else(|| choice.pointer("/message/content"));
                let text = text.and_then(Value::as_str).ok_or("a choice without text")?;
                let reason = choice.get("finish_reason").and_then(Value::as_str);
                self.texts.push(Text {
                    finish_reason: reason.map(str::to_owned),
                    ..with(text.to_owned())
                });
            }
            return Ok(());
        }
        let Some(field) = FIELDS.into_iter().find(|field| object.contains_key(*field)) else {
            return Err(format!(
                "no text field; there are {}, and one of them can be named as FILE:FIELD",
                names(&object)
            ));
        };
        let text = string(field, object.remove(field).unwrap_or_default())?;
        self.texts.push(with(text));
        Ok(())
    }
}

fn string(field: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("field `{field}` is {}, not a string", kind(&other))),
    }
}

fn lm_eval(resps: &Value) -> Result<Vec<String>, String> {
    let wrong = || {
        "`resps` is not a list of lists of strings; only generation tasks of lm-eval hold texts"
            .to_owned()
    };
    let mut texts = Vec::new();
    for requests in resps.as_array().ok_or_else(wrong)? {
        for text in requests.as_array().ok_or_else(wrong)? {
            texts.push(text.as_str().ok_or_else(wrong)?.to_owned());
        }
    }
    Ok(texts)
}

/// What is known about a text beside itself.
fn facts(object: &Map<String, Value>) -> Text {
    let word = |names: &[&str]| {
        names.iter().find_map(|name| match object.get(*name)? {
            Value::String(s) => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        })
    };
    let tokens = object.get("tokens").and_then(Value::as_array);
    let asked = object.get("arguments").and_then(|a| {
        a.pointer("/gen_args_0/arg_0").or_else(|| a.pointer("/0/0")).and_then(Value::as_str)
    });
    Text {
        text: String::new(),
        id: word(&["id", "doc_id", "custom_id"]),
        title: word(&["title"]),
        label: word(&["label"]),
        prompt: word(&["prompt"]).or_else(|| asked.map(str::to_owned)),
        prompt_id: word(&["prompt_id"]),
        tokens: tokens.and_then(|ids| {
            ids.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
        }),
        finish_reason: word(&["finish_reason"]),
        logprob: object.get("logprob").and_then(Value::as_f64),
    }
}

fn names(object: &Map<String, Value>) -> String {
    let names: Vec<String> = object.keys().take(12).map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "no fields at all".to_owned() } else { names.join(", ") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
