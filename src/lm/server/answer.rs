//! What a server answered, as a completion or as the reason why there is none.

use serde::Deserialize;
use serde_json::Value;

use super::{
    ask::Ask,
    dialect::{Dialect, Prefill},
    reply::Reply,
};
use crate::{
    data::secret::Secrets,
    lm::generate::{Completion, FinishReason},
};

/// What one answer comes to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A completion, with or without a text.
    Done(Box<Completion>),
    /// It may go better later, and why.
    Later(String),
    /// This request will not be served, and others may be.
    Refused(String),
    /// No request will be served.
    Never(String),
}

/// An answer of either path.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    pub choices: Vec<Choice>,
    #[serde(default)]
    pub usage: Option<Value>,
    #[serde(default)]
    pub system_fingerprint: Option<String>,
    #[serde(default)]
    pub error: Option<Value>,
}

/// One text of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub text: Option<String>,
    pub message: Option<Value>,
    pub finish_reason: Option<String>,
    pub stop_reason: Option<Value>,
    pub logprobs: Option<Value>,
}

impl Choice {
    /// Its text, where it has one.
    pub fn said(&self) -> Option<&str> {
        self.text.as_deref().or_else(|| self.message.as_ref()?.get("content")?.as_str())
    }

    /// Its text, or what a model thought before it came to one: enough to tell two draws apart.
    pub fn said_or_thought(&self) -> &str {
        let thought = |field: &str| self.message.as_ref()?.get(field)?.as_str();
        let said = self.said().filter(|said| !said.is_empty());
        said.or_else(|| thought("reasoning_content")).or_else(|| thought("reasoning")).unwrap_or("")
    }

    /// The log-probability of each token, where they are given: `content` of chats and of llama.cpp, or
    /// `token_logprobs` of completions.
    pub fn logprobs(&self) -> Option<Vec<f64>> {
        let all = self.logprobs.as_ref()?;
        if let Some(content) = all.get("content").and_then(Value::as_array) {
            return content.iter().map(|token| token.get("logprob")?.as_f64()).collect();
        }
        all.get("token_logprobs")?.as_array()?.iter().map(Value::as_f64).collect()
    }

    /// The greatest log-probability that is listed for the first token.
    pub fn greatest(&self) -> Option<f64> {
        let all = self.logprobs.as_ref()?;
        let mut listed: Vec<f64> = Vec::new();
        if let Some(first) = all.pointer("/content/0") {
            let top = first.get("top_logprobs").and_then(Value::as_array);
            let entries = std::iter::once(first).chain(top.into_iter().flatten());
            listed.extend(entries.filter_map(|token| token.get("logprob")?.as_f64()));
        } else {
            listed.extend(all.pointer("/token_logprobs/0").and_then(Value::as_f64));
            let top = all.pointer("/top_logprobs/0").and_then(Value::as_object);
            listed.extend(top.into_iter().flatten().filter_map(|(_, value)| value.as_f64()));
        }
        listed.into_iter().max_by(f64::total_cmp)
    }
}

/// Whether a body is a page for people: what proxies and wrong addresses answer.
fn is_page(reply: &Reply) -> bool {
    reply.html || reply.body.trim_start().starts_with('<')
}

/// An answer of the protocol, or why there is none.
pub(super) fn parse(reply: &Reply, secrets: &Secrets) -> Result<Answer, Verdict> {
    let status = reply.status;
    let said = || format!("status {status}: {}", told(reply, secrets));
    match status {
        200..=299 => {}
        408 | 409 | 425 | 429 | 500..=599 => return Err(Verdict::Later(said())),
        400 | 413 | 422 => return Err(Verdict::Refused(said())),
        404 => {
            let hint = "; the address goes up to and including /v1, and the name is one that the server knows";
            return Err(Verdict::Never(said() + hint));
        }
        401 | 403 => {
            let hint =
                "; the key is taken from OPENAI_API_KEY, or user and password from the address";
            return Err(Verdict::Never(said() + hint));
        }
        _ => return Err(Verdict::Never(said())),
    }
    if is_page(reply) {
        return Err(Verdict::Later(format!(
            "status {status} with a page of HTML instead of JSON; something else than the server answers there: {}",
            told(reply, secrets)
        )));
    }
    let answer: Answer = serde_json::from_str(&reply.body).map_err(|error| {
        Verdict::Later(format!("an answer that is broken off or no JSON ({error})"))
    })?;
    if let Some(error) = answer.error.as_ref().filter(|error| !error.is_null()) {
        let text = message(error).unwrap_or_else(|| error.to_string());
        return Err(Verdict::Later(format!(
            "status {status} with an error: {}",
            clip(&secrets.hide(&text))
        )));
    }
    Ok(answer)
}

/// What `reply` is to `ask`.
pub(super) fn read(ask: &Ask, reply: &Reply, dialect: &Dialect, secrets: &Secrets) -> Verdict {
    match parse(reply, secrets) {
        Ok(answer) => completion(ask, &answer, dialect, secrets),
        Err(verdict) => verdict,
    }
}

/// The completion in an answer.
pub(super) fn completion(
    ask: &Ask,
    answer: &Answer,
    dialect: &Dialect,
    secrets: &Secrets,
) -> Verdict {
    let Some(choice) = answer.choices.first() else {
        return Verdict::Refused("no `choices[0]` in the answer".to_owned());
    };
    let reason = choice.finish_reason.as_deref();
    if matches!(reason, Some("abort" | "error" | "cancelled")) {
        return Verdict::Later(format!(
            "the server gave up: finish_reason {}",
            reason.unwrap_or("")
        ));
    }
    let said = choice.said();
    if said.is_none() && reason.is_none() {
        return Verdict::Refused("neither `choices[0].text` nor a `finish_reason`".to_owned());
    }
    let filtered = matches!(reason, Some("content_filter" | "safety" | "refusal"));
    let mut text = secrets.replace(said.unwrap_or_default().to_owned());
    if let (Some(Prefill::Repeated), Some(start)) = (dialect.prefill, ask.prompt.start())
        && let Some(rest) = text.strip_prefix(&start)
    {
        text = rest.to_owned();
    }
    if let (true, super::ask::ServerPrompt::Text(prompt)) = (dialect.repeats_prompt, &ask.prompt)
        && let Some(rest) = text.strip_prefix(&**prompt)
    {
        text = rest.to_owned();
    }
    // Some servers leave the stop string in the text.
    let at = ask.stop.iter().filter_map(|stop| text.find(stop.as_str())).min();
    if let Some(at) = at {
        text.truncate(at);
    }
    let logprobs = choice.logprobs().filter(|_| dialect.logprobs.is_some());
    let usage = answer.usage.as_ref().and_then(|usage| usage.get("completion_tokens")?.as_u64());
    let count = usage.map(|n| n as usize).or(logprobs.as_ref().map(Vec::len)).unwrap_or(0);
    let stopped = at.is_some() || choice.stop_reason.as_ref().is_some_and(Value::is_string);
    let finish_reason = match reason {
        _ if filtered => FinishReason::Filtered,
        _ if stopped => FinishReason::Stop,
        Some("length" | "max_tokens" | "max_output_tokens") => FinishReason::Length,
        Some("stop" | "eos" | "eos_token" | "end_turn") => FinishReason::Eos,
        Some("stop_sequence") => FinishReason::Stop,
        None if count > 0 && count < ask.max_new_tokens => FinishReason::Eos,
        None if count >= ask.max_new_tokens => FinishReason::Length,
        _ => FinishReason::Unknown,
    };
    let total = logprobs.map(|all| all.iter().sum::<f64>());
    let (sampling, model) = dialect.logprobs.map_or((false, false), |kind| ask.logprobs_are(kind));
    let sum = |known: bool| total.filter(|_| known).unwrap_or(f64::NAN);
    Verdict::Done(Box::new(Completion {
        tag: ask.tag,
        tokens: Vec::new(),
        count,
        text,
        without_text: filtered || said.is_none(),
        finish_reason,
        logprob: sum(sampling),
        logprob_model: sum(model),
        entropy: f64::NAN,
    }))
}

/// The message of an error's body.
fn message(error: &Value) -> Option<String> {
    let text = error["message"].as_str().or_else(|| error.as_str());
    text.map(str::to_owned)
}

/// At most 300 characters on one line.
fn clip(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "no reason given".to_owned() } else { text.chars().take(300).collect() }
}

/// What a body says: the message of an error, the title of a page, or the body.
fn told(reply: &Reply, secrets: &Secrets) -> String {
    if is_page(reply) {
        let title =
            reply.body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        return clip(&secrets.hide(title.map_or("a page without a title", |(title, _)| title)));
    }
    let json: Option<Value> = serde_json::from_str(&reply.body).ok();
    let said = json.as_ref().and_then(|json| {
        message(&json["error"])
            .or_else(|| json["message"].as_str().map(str::to_owned))
            .or_else(|| Some(json.get("detail")?.to_string()))
    });
    clip(&secrets.hide(said.as_deref().unwrap_or(&reply.body)))
}
