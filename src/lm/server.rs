//! Completions from a server that speaks OpenAI's protocol (vLLM, llama.cpp, and others).

use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use super::{
    LmError,
    checkpoint::http,
    engine::network::Interrupt,
    generate::{Completion, Event, FinishReason, Totals},
};
use crate::{
    decode::{Decoding, knobs::KNOBS},
    rng::{self, Draw},
};

#[cfg(test)]
mod tests;

/// Requests in flight where the caller names no number.
const IN_FLIGHT: usize = 16;
/// Times a request is tried while the server says that it is busy or breaks the connection.
const TRIES: u32 = 5;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// A model behind `openai:URL#NAME`; the environment's `OPENAI_API_KEY` is sent where it is set.
pub struct Server {
    url: String,
    model: String,
    key: Option<String>,
    agent: ureq::Agent,
    pause: Duration,
}

/// What a server's model reads.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerPrompt {
    /// Text to be continued: `/completions`.
    Text(Arc<str>),
    /// Turns, as JSON of the protocol's `messages`: `/chat/completions`. A last turn of the assistant's
    /// is what the answer begins with.
    Turns(Arc<str>),
}

/// One completion that is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Returned with the completion.
    pub tag: u64,
    /// The prompt.
    pub prompt: ServerPrompt,
    /// How tokens are drawn; fields of vLLM's and llama.cpp's servers beyond OpenAI's own are sent only
    /// where they are set.
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

/// How one request ended.
enum Answer {
    Done(Box<Completion>),
    /// The server will not serve this request, and may serve others.
    Refused(LmError),
    /// No request will be served.
    Broken(LmError),
}

impl Server {
    /// A client of `url`, which goes up to and including `/v1`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Certificates of `SSL_CERT_FILE` that cannot be read.
    pub fn new(url: &str, model: &str) -> Result<Self, LmError> {
        let key = std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.is_empty());
        let (url, model) = (url.to_owned(), model.to_owned());
        let pause = Duration::from_secs(1);
        Ok(Self { url, model, key, agent: http::agent(0, PATIENCE)?, pause })
    }

    /// What decides its texts, as far as a client can know: address and name.
    pub fn identity(&self) -> String {
        format!("openai:{}#{}", self.url, self.model)
    }

    /// Asks for every completion, `in_flight` at a time, and reports each as soon as it is there.
    ///
    /// The texts are as reproducible as the server makes them: it gets one seed a completion.
    ///
    /// # Errors
    ///
    /// [`LmError::Server`] when it cannot be reached, or answers with something else than the
    /// protocol's. A request that it refuses is an [`Event::Failed`].
    pub fn generate(
        &self,
        asks: Vec<Ask>,
        in_flight: Option<usize>,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Totals, LmError> {
        let workers = in_flight.unwrap_or(IN_FLIGHT).clamp(1, asks.len().max(1));
        let queue = Mutex::new(VecDeque::from(asks));
        let ended = AtomicBool::new(false);
        let halted = || ended.load(Ordering::Relaxed) || interrupt.is_raised();
        let mut totals = Totals::default();
        let mut broken = None;
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let send = send.clone();
                let (queue, halted) = (&queue, &halted);
                scope.spawn(move || {
                    while !halted() {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                        let Some(ask) = next else { break };
                        let answer = self.patiently(&ask, halted);
                        if send.send((ask.tag, answer)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            for (tag, answer) in receive {
                let event = match answer {
                    Answer::Done(completion) => {
                        let new_tokens = completion.count;
                        totals.finished += 1;
                        totals.new_tokens += new_tokens;
                        let step = Event::Step { rows: workers, new_tokens, prompt_tokens: 0 };
                        let _ = on_event(step);
                        Event::Finished(*completion)
                    }
                    Answer::Refused(error) => {
                        totals.failed += 1;
                        Event::Failed { tag, error }
                    }
                    Answer::Broken(LmError::Interrupted) => continue,
                    Answer::Broken(error) => {
                        ended.store(true, Ordering::Relaxed);
                        broken.get_or_insert(error);
                        continue;
                    }
                };
                if on_event(event).is_break() {
                    ended.store(true, Ordering::Relaxed);
                }
            }
        });
        totals.stopped = halted();
        broken.map_or(Ok(totals), Err)
    }

    /// One request, tried again while the server is busy, with a longer pause each time.
    fn patiently(&self, ask: &Ask, halted: &dyn Fn() -> bool) -> Answer {
        let mut pause = self.pause;
        for attempt in 1.. {
            let why = match self.once(ask) {
                Ok(answer) => return answer,
                Err(why) => why,
            };
            if attempt == TRIES {
                let what = format!("{why}, {TRIES} times; what is finished is kept");
                return Answer::Broken(self.error(what));
            }
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if halted() {
                    return Answer::Broken(LmError::Interrupted);
                }
                std::thread::sleep(Duration::from_millis(20).min(pause));
            }
            pause *= 2;
        }
        Answer::Broken(LmError::Interrupted)
    }

    /// One request; `Err` says in words why it may succeed later.
    fn once(&self, ask: &Ask) -> Result<Answer, String> {
        let (path, body) = self.body(ask);
        let url = format!("{}/{path}", self.url);
        let mut request = self.agent.post(&url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", &format!("Bearer {key}"));
        }
        let mut response = request.send(body.to_string()).map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().map_err(|e| e.to_string())?;
        let said = || format!("status {status} from `{url}`: {}", told(&text));
        Ok(match status {
            200 => match read(ask, &text) {
                Ok(completion) => Answer::Done(Box::new(completion)),
                Err(what) => {
                    Answer::Refused(self.error(format!("{what} in the answer of `{url}`")))
                }
            },
            408 | 425 | 429 | 500 | 502..=504 => return Err(said()),
            400 | 413 | 422 => Answer::Refused(self.error(said())),
            _ => Answer::Broken(self.error(said())),
        })
    }

    fn error(&self, what: String) -> LmError {
        LmError::Server { server: self.identity(), what }
    }

    /// Path and body of a request.
    fn body(&self, ask: &Ask) -> (&'static str, Value) {
        // Servers take 32-bit seeds, some of them signed.
        let seed = (rng::uniform(ask.seed, ask.draw, 0) * f64::from(1u32 << 31)) as u32;
        let mut body = json!({
            "model": self.model,
            "max_tokens": ask.max_new_tokens,
            "seed": seed,
        });
        for knob in KNOBS {
            if let (Ok(field), Some(value)) = (knob.server, knob.get(&ask.decoding)) {
                body[field] = if knob.whole { json!(value as u64) } else { json!(value) };
            }
        }
        if !ask.stop.is_empty() {
            body["stop"] = json!(&ask.stop[..]);
        }
        match &ask.prompt {
            ServerPrompt::Text(text) => {
                body["prompt"] = json!(&text[..]);
                ("completions", body)
            }
            ServerPrompt::Turns(messages) => {
                let messages: Value = serde_json::from_str(messages).unwrap_or_default();
                let last = messages.as_array().and_then(|turns| turns.last());
                if last.is_some_and(|turn| turn["role"] == "assistant") {
                    body["continue_final_message"] = true.into();
                    body["add_generation_prompt"] = false.into();
                }
                body["messages"] = messages;
                ("chat/completions", body)
            }
        }
    }
}

/// The completion in an answer, or what is missing there.
fn read(ask: &Ask, text: &str) -> Result<Completion, String> {
    let answer: Value = serde_json::from_str(text).map_err(|e| format!("no JSON ({e})"))?;
    let choice = &answer["choices"][0];
    let found = choice["text"].as_str().or_else(|| choice["message"]["content"].as_str());
    let mut text = found.ok_or("no `choices[0].text`")?.to_owned();
    // Some servers leave the stop string in the text.
    let at = ask.stop.iter().filter_map(|stop| text.find(stop.as_str())).min();
    if let Some(at) = at {
        text.truncate(at);
    }
    let stopped = at.is_some() || choice["stop_reason"].is_string();
    let finish_reason = match choice["finish_reason"].as_str() {
        Some("length") if at.is_none() => FinishReason::Length,
        Some("length" | "stop") if stopped => FinishReason::Stop,
        Some("stop") => FinishReason::Eos,
        other => {
            return Err(format!("`finish_reason` {other:?}, which is neither stop nor length"));
        }
    };
    let counted = answer["usage"]["completion_tokens"].as_u64();
    Ok(Completion {
        tag: ask.tag,
        tokens: Vec::new(),
        count: counted.ok_or("no `usage.completion_tokens`")? as usize,
        text,
        finish_reason,
        logprob: f64::NAN,
        logprob_model: f64::NAN,
        entropy: f64::NAN,
    })
}

/// The message of an error's body, at most 300 characters of it.
fn told(body: &str) -> String {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let message = json.as_ref().and_then(|json| {
        let error = &json["error"];
        error["message"].as_str().or_else(|| error.as_str()).or_else(|| json["message"].as_str())
    });
    let text = message.unwrap_or(body).split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "no reason given".to_owned() } else { text.chars().take(300).collect() }
}
