//! What servers answer: lines of a batch's output, and single answers.
//!
//! OpenAI's completions, chat completions and responses, which vLLM, llama.cpp and others speak, Anthropic's messages
//! and Gemini's contents. What a model only thought is never taken for what it said.

use serde_json::{Map, Value};

use super::forms::{content, reason};

/// Whether it is a line of a batch's output, or one answer of a server.
pub(super) fn is_answer(object: &Map<String, Value>) -> bool {
    let is_object = |name: &str| object.get(name).is_some_and(Value::is_object);
    let of_objects = |name: &str| {
        let items = object.get(name).and_then(Value::as_array);
        items.is_some_and(|items| items.iter().all(Value::is_object))
    };
    let is_kind = |kind: &str| object.get("type").is_some_and(|said| said == kind);
    let is_named = object.contains_key("custom_id") || object.contains_key("key");
    is_object("response")
        || of_objects("choices")
        || of_objects("candidates")
        || (is_kind("message") && of_objects("content"))
        || (of_objects("output") && object.get("object").is_some_and(|kind| kind == "response"))
        || (is_named && (is_object("result") || is_object("error")))
}

/// Whether it is a request of a batch, not its answer.
pub(super) fn is_request(object: &Map<String, Value>) -> bool {
    let has = |name: &str| object.contains_key(name);
    has("custom_id") && (has("body") || has("params")) && !is_answer(object)
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
    let answer = answer.filter(|answer| answer.is_object());
    let body = answer.map_or(&whole, |answer| {
        answer.get("body").or_else(|| answer.get("message")).unwrap_or(answer)
    });
    let word = |value: &Value, field: &str| Some(reason(value.get(field)?.as_str()?.to_owned()));
    let ended = |item: &Value| {
        ["finish_reason", "stop_reason", "finishReason"].iter().find_map(|why| word(item, why))
    };
    let each = |items: &[Value], text: &dyn Fn(&Value) -> Option<String>| {
        Ok(items.iter().map(|item| (text(item), ended(item))).collect())
    };
    if let Some(choices) = body.get("choices").and_then(Value::as_array) {
        let text = |choice: &Value| {
            // MT-bench writes the answers of all turns; the last one is compared.
            let last = || choice.get("turns")?.as_array()?.last();
            let said = choice.get("text").or_else(|| choice.pointer("/message/content"));
            said.or_else(last).and_then(content)
        };
        return each(choices, &text);
    }
    if let Some(candidates) = body.get("candidates").and_then(Value::as_array) {
        let text = |candidate: &Value| candidate.pointer("/content/parts").and_then(content);
        return each(candidates, &text);
    }
    if let Some(said) = body.get("content").filter(|said| said.is_array()) {
        return Ok(vec![(content(said), ended(body))]);
    }
    let failed = body.get("error").is_some_and(Value::is_object);
    if let (Some(items), false) = (body.get("output").and_then(Value::as_array), failed) {
        let is_message = |item: &&Value| item.get("type").is_none_or(|kind| kind == "message");
        let said: Vec<String> = items
            .iter()
            .filter(is_message)
            .filter_map(|item| content(item.get("content")?))
            .collect();
        let cut = body.get("incomplete_details").and_then(|details| word(details, "reason"));
        let ended = cut.or_else(|| word(body, "status"));
        return Ok(vec![((!said.is_empty()).then(|| said.concat()), ended)]);
    }
    let code = |value: &Value| match value {
        Value::String(code) if !code.is_empty() => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    };
    let reasons = [
        whole.pointer("/error/code"),
        body.pointer("/error/code"),
        whole.pointer("/response/status_code"),
        whole.pointer("/result/error/error/type"),
        whole.pointer("/result/type"),
        whole.pointer("/error/message"),
        body.pointer("/promptFeedback/blockReason"),
    ];
    let reason = reasons.into_iter().flatten().find_map(code);
    Err(reason.unwrap_or_else(|| "no answer".to_owned()))
}
