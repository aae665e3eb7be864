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

/// What a message says: a text, or the texts of its parts. Thoughts are not said.
pub(super) fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(said).collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        _ => None,
    }
}

/// The text of a part that is said, not thought.
fn said(part: &Value) -> Option<&str> {
    let is_thought = part.get("thought").and_then(Value::as_bool).unwrap_or_default()
        || part.get("type").and_then(Value::as_str).is_some_and(|kind| {
            ["reasoning", "reasoning_text", "thinking", "redacted_thinking", "summary_text"]
                .contains(&kind)
        });
    part.as_str().or_else(|| part.get("text")?.as_str()).filter(|_| !is_thought)
}

/// The last answer of a conversation that is a list of strings, the person's first, and what came before it.
pub(super) fn last_of_alternating(value: &Value) -> Option<(String, Option<String>)> {
    let turns = value.as_array().filter(|turns| turns.len() >= 2)?;
    let turns = turns.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
    let last = turns.len() / 2 * 2 - 1;
    Some((turns[last].to_owned(), Some(Value::from(&turns[..last]).to_string())))
}

/// The texts of a list of strings or of objects such as vLLM's outputs, each with what its object says beside
/// what `facts` says of all; `None` where anything else is in it.
pub(super) fn listed(value: &Value, facts: &Text) -> Option<Vec<Text>> {
    let Value::Array(items) = value else { return None };
    let mut texts = Vec::new();
    for item in items {
        let more = item.as_object().map(self::facts).unwrap_or_default();
        for text in strings(item)? {
            texts.push(Text {
                text,
                finish_reason: more.finish_reason.clone().or_else(|| facts.finish_reason.clone()),
                tokens: more.tokens.clone().or_else(|| facts.tokens.clone()),
                logprob: more.logprob.or(facts.logprob),
                ..facts.clone()
            });
        }
    }
    Some(texts)
}

/// Fields that name a text, the first that is there.
const IDS: [&str; 6] = ["custom_id", "id", "doc_id", "task_id", "question_id", "request_id"];

/// Fields that name the prompt of a text.
const PROMPT_IDS: [&str; 4] = ["prompt_id", "custom_id", "task_id", "question_id"];

/// Fields that say why a text ended.
const REASONS: [&str; 3] = ["finish_reason", "stop_type", "stop_reason"];

/// A reason why a text ended; whatever a tool calls its limit of tokens is `length`.
pub(super) fn reason(said: String) -> String {
    let limits = ["length", "limit", "max_tokens", "max_output_tokens", "model_length"];
    if limits.iter().any(|limit| said.eq_ignore_ascii_case(limit)) {
        return "length".to_owned();
    }
    said
}

/// The prompt of rows as Alpaca and Dolly write them: an instruction and what it is about.
fn instruction(object: &Map<String, Value>) -> Option<String> {
    let word = |name: &str| object.get(name).and_then(Value::as_str).filter(|s| !s.is_empty());
    let about = word("input").or_else(|| word("context"));
    Some(match (word("instruction")?, about) {
        (instruction, Some(about)) => format!("{instruction}\n\n{about}"),
        (instruction, None) => instruction.to_owned(),
    })
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
    let tokens = object.get("tokens").or_else(|| object.get("token_ids")).and_then(Value::as_array);
    let asked = object.get("arguments").and_then(|a| {
        a.pointer("/gen_args_0/arg_0").or_else(|| a.pointer("/0/0")).and_then(Value::as_str)
    });
    let turns = object.get("prompt").filter(|prompt| prompt.is_array()).map(Value::to_string);
    let logprob = object.get("logprob").or_else(|| object.get("cumulative_logprob"));
    Text {
        text: String::new(),
        // A batch's own ids count its lines; its `custom_id` is what the person called the request.
        id: word(&IDS),
        title: word(&["title"]),
        label: word(&["label"]),
        prompt: word(&["prompt", "full_prompt"])
            .or_else(|| asked.map(str::to_owned))
            .or(turns)
            .or_else(|| instruction(object)),
        // Completions of one request or document answer one prompt.
        prompt_id: word(&PROMPT_IDS)
            .or_else(|| object.get("resps").and_then(|_| word(&["doc_id"]))),
        tokens: tokens.and_then(|ids| {
            ids.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
        }),
        finish_reason: word(&REASONS).map(reason),
        logprob: logprob.and_then(Value::as_f64),
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
