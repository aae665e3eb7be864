//! The forms in which tools write what a model said.

use serde_json::{Map, Value};

use crate::text::Text;

/// The strings of a list of strings or of lists of them; a list of objects gives their `text` or `content`.
/// `None` where anything else is in it.
pub(super) fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => {
            let parts = items.iter().map(strings).collect::<Option<Vec<_>>>()?;
            Some(parts.concat())
        }
        Value::Object(object) => {
            let text = ["text", "generated_text", "content"].iter().find_map(|f| object.get(*f))?;
            text.as_str().map(|text| vec![text.to_owned()])
        }
        _ => None,
    }
}

/// The last turn of the assistant and the turns before it, as `{role, content}` or ShareGPT's `{from, value}`.
pub(super) fn last_answer(value: &Value) -> Option<(String, Option<String>)> {
    let turns = value.as_array()?;
    let role = |turn: &Value| {
        let role = turn.get("role").or_else(|| turn.get("from"))?.as_str()?;
        Some(["assistant", "gpt", "model", "chatbot"].contains(&role))
    };
    let roles: Vec<bool> = turns.iter().map(role).collect::<Option<_>>()?;
    let last = roles.iter().rposition(|is_answer| *is_answer)?;
    let text = content(turns[last].get("content").or_else(|| turns[last].get("value"))?)?;
    let before = &turns[..last];
    let before = (!before.is_empty()).then(|| Value::from(before).to_string());
    Some((text, before))
}

/// What a message says: a text, or the texts of its parts.
fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> =
                parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        _ => None,
    }
}

/// Whether it is a line of a batch's output, or one answer of a server.
pub(super) fn is_batch(object: &Map<String, Value>) -> bool {
    object.contains_key("choices")
        || object.contains_key("custom_id")
        || object.get("response").is_some_and(Value::is_object)
}

/// A text and the reason why it ended, where they are there.
pub(super) type Answer = (Option<String>, Option<String>);

/// The texts of a request's answer with the reason why each ended; a text that is not there is `None`.
///
/// # Errors
///
/// Why the request failed: the code of the error or the status.
pub(super) fn answers(object: &Map<String, Value>) -> Result<Vec<Answer>, String> {
    let whole = Value::Object(object.clone());
    let answer = object.get("response").or_else(|| object.get("result"));
    let body = answer.map_or(&whole, |answer| {
        answer.get("body").or_else(|| answer.get("message")).unwrap_or(answer)
    });
    let word = |value: &Value, field: &str| Some(value.get(field)?.as_str()?.to_owned());
    if let Some(choices) = body.get("choices").and_then(Value::as_array) {
        let text = |choice: &Value| {
            let said = choice.get("text").or_else(|| choice.pointer("/message/content"));
            (said.and_then(content), word(choice, "finish_reason"))
        };
        return Ok(choices.iter().map(text).collect());
    }
    // Messages of Anthropic's batches, and of OpenAI's responses.
    if let Some(said) = body.get("content").filter(|said| said.is_array()) {
        return Ok(vec![(content(said), word(body, "stop_reason"))]);
    }
    if let Some(items) = body.get("output").and_then(Value::as_array) {
        let said: Vec<String> =
            items.iter().filter_map(|item| content(item.get("content")?)).collect();
        return Ok(vec![((!said.is_empty()).then(|| said.concat()), word(body, "status"))]);
    }
    let code = |value: &Value| match value {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    };
    let reasons = [
        whole.pointer("/error/code"),
        whole.pointer("/response/status_code"),
        whole.pointer("/result/type"),
        whole.pointer("/error/message"),
    ];
    let reason = reasons.into_iter().flatten().find_map(code);
    Err(reason.unwrap_or_else(|| "no answer".to_owned()))
}

/// What is known about a text beside itself.
pub(super) fn facts(object: &Map<String, Value>) -> Text {
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
    let turns = object.get("prompt").filter(|prompt| prompt.is_array()).map(Value::to_string);
    Text {
        text: String::new(),
        // A batch's own ids count its lines; its `custom_id` is what the person called the request.
        id: word(&["custom_id", "id", "doc_id"]),
        title: word(&["title"]),
        label: word(&["label"]),
        prompt: word(&["prompt"]).or_else(|| asked.map(str::to_owned)).or(turns),
        // Completions of one request or document answer one prompt.
        prompt_id: word(&["prompt_id", "custom_id"])
            .or_else(|| object.get("resps").and_then(|_| word(&["doc_id"]))),
        tokens: tokens.and_then(|ids| {
            ids.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
        }),
        finish_reason: word(&["finish_reason"]),
        logprob: object.get("logprob").and_then(Value::as_f64),
    }
}

pub(super) fn names(object: &Map<String, Value>) -> String {
    let names: Vec<String> = object.keys().take(12).map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "no fields at all".to_owned() } else { names.join(", ") }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
