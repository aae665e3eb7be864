//! Requests and answers in files, as OpenAI's batch API and vLLM's `run-batch` have them.

use serde_json::{Value, json};

use super::{
    Ask, Server, ServerFacts,
    answer::{Answer, Verdict, completion},
    dialect::Dialect,
};
use crate::lm::generate::Completion;

/// What stands in one line of a batch's answers.
#[derive(Debug)]
pub enum BatchAnswer {
    /// A completion.
    Done(Box<Completion>),
    /// The request failed, and why; it stays open.
    Failed(String),
}

impl Dialect {
    /// What earlier facts say of how requests are written; the protocol's own where there are none.
    pub fn from_facts(facts: &ServerFacts) -> Self {
        Self {
            kind: facts.kind,
            fields: facts.fields.clone(),
            neutral: facts.neutral.clone(),
            logprobs: facts.logprobs,
            prefill: facts.prefill,
            ignored: facts.ignored.clone(),
            ..Self::default()
        }
    }
}

impl Server {
    /// The line of a request: `custom_id`, method, path and body.
    pub fn batch_line(&self, custom_id: &str, ask: &Ask, dialect: &Dialect) -> String {
        let body = String::from_utf8(ask.body(&self.model, dialect)).unwrap_or_default();
        let id = json!(custom_id);
        let url = json!(format!("/v1{}", ask.prompt.path()));
        format!("{{\"custom_id\":{id},\"method\":\"POST\",\"url\":{url},\"body\":{body}}}")
    }

    /// The answer in a line whose `custom_id` is that of `ask`.
    pub fn batch_answer(&self, ask: &Ask, line: &Value, dialect: &Dialect) -> BatchAnswer {
        let failed = |why: String| BatchAnswer::Failed(self.secrets.hide(&why));
        let said =
            |value: &Value| match value["message"].as_str().or_else(|| value["code"].as_str()) {
                Some(text) => text.to_owned(),
                None => value.to_string(),
            };
        if !line["error"].is_null() {
            return failed(said(&line["error"]));
        }
        let status = line["response"]["status_code"].as_u64().unwrap_or(200);
        let body = &line["response"]["body"];
        if status != 200 {
            let why = if body["error"].is_null() { body } else { &body["error"] };
            return failed(format!("status {status}: {}", said(why)));
        }
        let answer: Answer = match serde_json::from_value(body.clone()) {
            Ok(answer) => answer,
            Err(error) => return failed(format!("its `response.body` is no answer: {error}")),
        };
        match completion(ask, &answer, dialect, &self.secrets) {
            Verdict::Done(completion) => BatchAnswer::Done(completion),
            Verdict::Later(why) | Verdict::Refused(why) | Verdict::Never(why) => failed(why),
        }
    }
}
