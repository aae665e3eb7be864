//! Completions from a server that speaks OpenAI's protocol (vLLM, llama.cpp, and others).
//!
//! A server is its model, not its address: see [`Server::identity`]. What it does with a request is found out
//! before the first one that counts ([`Server::meet`]), and whatever it says goes through
//! [`Secrets`] before it is kept or shown.

mod address;
mod answer;
mod ask;
mod batch;
mod dialect;
mod identity;
mod line;
mod patience;
mod probe;
mod reply;
#[cfg(test)]
mod tests;
mod wire;

use serde_json::Value;
use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use super::{
    LmError,
    checkpoint::notes,
    engine::network::Interrupt,
    generate::{Completion, Event, Totals},
};
use crate::data::secret::Secrets;
use address::Address;
use answer::Verdict;
use identity::Served;
use line::Line;
use patience::{Pauses, spoken};
use reply::{Broken, Reply, Terms};

pub use ask::{Ask, ServerPrompt};
pub use batch::BatchAnswer;
pub use dialect::{Dialect, Kind, Logprobs, Prefill, ServerFacts};
pub use patience::{Patience, PatienceError};
pub use probe::{Wants, set_somewhere};

/// Requests in flight where the caller names no number.
const IN_FLIGHT: usize = 16;
/// Longest wait for one answer.
const READ: Duration = Duration::from_secs(600);
/// How long answers on their way are waited for once a stop was asked for.
const GRACE: Duration = Duration::from_secs(5);
/// The same for a run that has failed: no answer will be kept.
const NO_GRACE: Duration = Duration::from_millis(500);
/// How long a server is waited for that breaks on a request which it need not understand.
const DARING: Duration = Duration::from_secs(5);

/// How a person wants servers to be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerTerms {
    /// How long a request may go without progress.
    pub patience: Patience,
    /// Whether settings without effect are put up with.
    pub allow_ignored: bool,
}

/// A model behind `openai:URL#NAME`; the environment's `OPENAI_API_KEY` is sent where it is set, or user and
/// password of the address.
pub struct Server {
    address: Address,
    model: String,
    alias: Option<String>,
    authorization: Option<String>,
    secrets: Secrets,
    patience: AtomicU64,
    first_pause: Duration,
    met: OnceLock<(Dialect, ServerFacts)>,
    /// Before which time nothing is asked, as the server wished.
    gate: Mutex<Option<Instant>>,
    waiting: AtomicBool,
}

/// A line that is asked through, and when to stop.
struct Session<'h> {
    line: Line,
    bodies: ask::Bodies,
    halted: &'h dyn Fn() -> bool,
    grace: &'h dyn Fn() -> Duration,
    /// Whether what is asked may be beyond the server: then one that breaks on it is not waited for.
    daring: bool,
}

/// How one request ended.
enum Ended {
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
    /// [`LmError::Model`] for an address or a key that cannot be used.
    pub fn new(url: &str, model: &str, alias: Option<&str>) -> Result<Self, LmError> {
        let key = std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.trim().is_empty());
        Self::with_key(url, model, alias, key.as_deref().map(str::trim))
    }

    fn with_key(
        url: &str,
        model: &str,
        alias: Option<&str>,
        key: Option<&str>,
    ) -> Result<Self, LmError> {
        let (address, login) = Address::parse(url)?;
        if key.is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            let what = "OPENAI_API_KEY holds blanks or other signs that no key has".to_owned();
            return Err(LmError::Model { model: format!("openai:{}", address.url()), what });
        }
        let key_header = key.map(|key| format!("Bearer {key}"));
        // Who names a user means that one, not the key of another service.
        let authorization = login.header.clone().or(key_header);
        let secrets = login.secrets.into_iter().chain(key.map(str::to_owned));
        Ok(Self {
            address,
            model: model.to_owned(),
            alias: alias.map(str::to_owned),
            authorization,
            secrets: Secrets::new(secrets),
            patience: AtomicU64::new(Patience::default().0.as_millis() as u64),
            first_pause: patience::FIRST,
            met: OnceLock::new(),
            gate: Mutex::new(None),
            waiting: AtomicBool::new(false),
        })
    }

    /// How it is called in records: `openai:` and the name that a person gave it, or that requests bear.
    pub fn name(&self) -> String {
        format!("openai:{}", self.alias.as_deref().unwrap_or(&self.model))
    }

    /// Whether a person said which model it is.
    pub fn is_named(&self) -> bool {
        self.alias.is_some()
    }

    /// The name that requests bear.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What decides its texts, as far as a client can know: the name given by `as=`; else its own name of its
    /// model and what it says of the weights, or the name that is asked for as long as it was not met. Neither
    /// address nor build is a part of it.
    pub fn identity(&self) -> String {
        let served = self.met.get().map(|(_, facts)| Served {
            kind: facts.kind,
            model: facts.model.clone(),
            weights: facts.weights.clone(),
        });
        identity::identity(self.alias.as_deref(), &self.model, served.as_ref())
    }

    /// What was found out about it; nothing before [`Server::meet`].
    pub fn facts(&self) -> Option<&ServerFacts> {
        self.met.get().map(|(_, facts)| facts)
    }

    /// What is known of it without asking.
    pub fn bare_facts(&self) -> ServerFacts {
        ServerFacts {
            address: self.address.url(),
            asked: self.model.clone(),
            ..ServerFacts::default()
        }
    }

    /// Finds out which model it serves and what it does with the settings that are wanted.
    ///
    /// # Errors
    ///
    /// [`LmError::Server`] when it cannot be reached for as long as patience lasts, or a setting has no effect and
    /// that is not allowed, or it does not continue an answer that is to be begun.
    pub fn meet(&self, wants: &Wants, terms: ServerTerms) -> Result<&ServerFacts, LmError> {
        self.patience.store(terms.patience.0.as_millis() as u64, Ordering::Relaxed);
        if let Some((_, facts)) = self.met.get() {
            return Ok(facts);
        }
        let mut session = self.session(&|| false, &|| GRACE)?;
        let served = self.served(&mut session)?;
        let probe = probe::Probe::new(self, &mut session, wants.chat, &served);
        let (mut dialect, mut facts, lacking) = probe.run(wants)?;
        if !lacking.settings.is_empty() && !terms.allow_ignored {
            let named = lacking.settings.iter().map(|(column, why)| format!("{column} ({why})"));
            let named: Vec<String> = named.collect();
            return Err(self.error(format!(
                "no effect of {}; leave that out, or go on all the same with --allow-ignored, which scores then say",
                named.join(", ")
            )));
        }
        if wants.begun && facts.prefill == Some(Prefill::Ignored) {
            let what = "the task begins the answer (its `chat.start`), and this server does not go on from there; \
                        use --chat never, or a task without it";
            return Err(self.error(what.to_owned()));
        }
        let ignored: Vec<String> = lacking.settings.into_iter().map(|(column, _)| column).collect();
        dialect.ignored.clone_from(&ignored);
        facts.ignored = ignored;
        (facts.address, facts.asked) = (self.address.url(), self.model.clone());
        facts.model = served.model.map(|model| self.secrets.hide(&model));
        facts.weights = served.weights.map(|weights| self.secrets.hide(&weights));
        Ok(&self.met.get_or_init(|| (dialect, facts)).1)
    }

    /// Which model it says that it serves; little where it has no list of models.
    fn served(&self, session: &mut Session<'_>) -> Result<Served, LmError> {
        self.patiently(session, "/models", None, 0, &|reply| {
            let server = reply.server.as_deref();
            match reply.status {
                400 | 404 | 405 | 501 => return Ok(Served::of(&Value::Null, server, &self.model)),
                200..=299 => {}
                _ => {
                    answer::parse(reply, &self.secrets)?;
                }
            }
            match serde_json::from_str::<Value>(&reply.body) {
                Ok(models) => Ok(Served::of(&models, server, &self.model)),
                Err(_) => Err(match answer::parse(reply, &self.secrets) {
                    Err(verdict) => verdict,
                    Ok(_) => Verdict::Later("no list of models".to_owned()),
                }),
            }
        })
    }

    fn session<'h>(
        &self,
        halted: &'h dyn Fn() -> bool,
        grace: &'h dyn Fn() -> Duration,
    ) -> Result<Session<'h>, LmError> {
        let line = Line::new(self.address.clone(), self.authorization.clone(), READ)?;
        Ok(Session { line, bodies: ask::Bodies::default(), halted, grace, daring: false })
    }

    /// Asks for every completion, `in_flight` at a time, and reports each as soon as it is there.
    ///
    /// The texts are as reproducible as the server makes them: it gets one seed a completion.
    ///
    /// # Errors
    ///
    /// [`LmError::Server`] when it cannot be reached for as long as patience lasts, or answers with something else
    /// than the protocol's. A request that it refuses is an [`Event::Failed`].
    pub fn generate(
        &self,
        asks: Vec<Ask>,
        in_flight: Option<usize>,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Totals, LmError> {
        let workers = in_flight.unwrap_or(IN_FLIGHT).clamp(1, asks.len().max(1));
        let unmet = (Dialect::default(), ServerFacts::default());
        let (dialect, _) = self.met.get().unwrap_or(&unmet);
        let queue = Mutex::new(VecDeque::from(asks));
        let (ended, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let halted = || ended.load(Ordering::Relaxed) || interrupt.is_raised();
        let grace = || if failed.load(Ordering::Relaxed) { NO_GRACE } else { GRACE };
        let mut totals = Totals::default();
        let mut broken = None;
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let send = send.clone();
                let (queue, halted, grace) = (&queue, &halted, &grace);
                scope.spawn(move || {
                    let mut session = match self.session(halted, grace) {
                        Ok(session) => session,
                        Err(error) => return drop(send.send((0, Ended::Broken(error)))),
                    };
                    while !halted() {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                        let Some(ask) = next else { break };
                        let answer = self.complete(&ask, dialect, &mut session);
                        if send.send((ask.tag, answer)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            for (tag, answer) in receive {
                let event = match answer {
                    Ended::Done(completion) => {
                        let new_tokens = completion.count;
                        totals.finished += 1;
                        totals.new_tokens += new_tokens;
                        let step = Event::Step { rows: workers, new_tokens, prompt_tokens: 0 };
                        let _ = on_event(step);
                        Event::Finished(*completion)
                    }
                    Ended::Refused(error) => {
                        totals.failed += 1;
                        Event::Failed { tag, error }
                    }
                    Ended::Broken(LmError::Interrupted) => continue,
                    Ended::Broken(error) => {
                        failed.store(true, Ordering::Relaxed);
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

    fn complete(&self, ask: &Ask, dialect: &Dialect, session: &mut Session<'_>) -> Ended {
        let body = session.bodies.of(ask, &self.model, dialect);
        let (path, salt) = (ask.prompt.path(), ask.tag + 1);
        let judged = self.patiently(session, path, Some(&body), salt, &|reply| match answer::read(
            ask,
            reply,
            dialect,
            &self.secrets,
        ) {
            Verdict::Done(completion) => Ok(Ended::Done(completion)),
            Verdict::Refused(why) => Ok(Ended::Refused(self.error(why))),
            other => Err(other),
        });
        judged.unwrap_or_else(Ended::Broken)
    }

    /// One request, tried again for as long as patience lasts; `judge` says what its answer is.
    fn patiently<T>(
        &self,
        session: &mut Session<'_>,
        path: &str,
        body: Option<&[u8]>,
        salt: u64,
        judge: &dyn Fn(&Reply) -> Result<T, Verdict>,
    ) -> Result<T, LmError> {
        let patience = Duration::from_millis(self.patience.load(Ordering::Relaxed));
        let target = format!("{}{path}", self.address.path);
        let mut pauses: Option<Pauses> = None;
        let mut since: Option<Instant> = None;
        loop {
            self.wait_at_gate(session)?;
            let terms = Terms { read: READ, halted: session.halted, grace: (session.grace)() };
            let mut broke = true;
            let (why, wait) = match session.line.ask(&target, body, &terms) {
                Ok(reply) => match judge(&reply) {
                    Ok(done) => {
                        self.waiting.store(false, Ordering::Relaxed);
                        return Ok(done);
                    }
                    Err(Verdict::Later(why)) => (why, reply.retry_after),
                    Err(Verdict::Refused(why) | Verdict::Never(why)) => {
                        return Err(self.error(why));
                    }
                    Err(Verdict::Done(_)) => return Err(self.error("no answer".to_owned())),
                },
                Err(Broken::Halted) => return Err(LmError::Interrupted),
                Err(Broken::Elsewhere(why)) => return Err(self.error(why)),
                Err(Broken::Unreachable(why)) => {
                    broke = false;
                    (format!("cannot be reached: {why}"), None)
                }
                Err(Broken::Closed(why) | Broken::Silent(why) | Broken::Garbled(why)) => {
                    (why, None)
                }
            };
            let why = self.secrets.hide(&why);
            let begun = *since.get_or_insert_with(Instant::now);
            let dared = broke && session.daring;
            let patience = if dared { patience.min(DARING) } else { patience };
            let left = patience.saturating_sub(begun.elapsed());
            if let Some(wait) = wait.filter(|wait| *wait > left) {
                return Err(self.error(format!(
                    "{why}; it asks for a pause of {}, which is longer than the --server-patience of {}; what is finished is kept",
                    spoken(Duration::from_secs(wait.as_secs())),
                    spoken(patience)
                )));
            }
            if left.is_zero() {
                return Err(self.error(format!(
                    "{why}, for {} now; what is finished is kept, and --server-patience says how long to wait",
                    spoken(patience)
                )));
            }
            if !dared && !self.waiting.swap(true, Ordering::Relaxed) {
                let patience = spoken(patience);
                notes::tell(&format!("`{}`: {why}; trying again for {patience}", self.shown()));
            }
            let pauses = pauses.get_or_insert_with(|| Pauses::new(self.first_pause, salt));
            let pause = wait.unwrap_or_else(|| pauses.next()).min(left);
            if wait.is_some() {
                let until = Instant::now() + pause;
                let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
                *gate = Some(gate.map_or(until, |known| known.max(until)));
            } else {
                nap(Instant::now() + pause, session)?;
            }
        }
    }

    /// Waits until the server wants to be asked again.
    fn wait_at_gate(&self, session: &Session<'_>) -> Result<(), LmError> {
        let until = *self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Ok(()), |until| nap(until, session))
    }

    fn shown(&self) -> String {
        format!("openai:{}#{}", self.address.url(), self.model)
    }

    fn error(&self, what: String) -> LmError {
        LmError::Server { server: self.shown(), what: self.secrets.hide(&what) }
    }
}

/// Sleeps until then, or until the work is to end.
fn nap(until: Instant, session: &Session<'_>) -> Result<(), LmError> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        if (session.halted)() {
            return Err(LmError::Interrupted);
        }
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}
