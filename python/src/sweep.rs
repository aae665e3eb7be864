//! Sweeps, with functions of Python in place of models.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use llmpr::{
    cli::{sweep_plan as described, sweep_settings as settings},
    decode::knobs::KNOBS,
    lm::{
        LmError,
        generate::FinishReason,
        generator::{Generator, Written},
        server::{Ask, ServerPrompt},
    },
    report::browse::Limits,
    run::{
        execute::{Outcome, run},
        progress::Progress,
        publish::publish,
        signals::Stop,
        sweep::Sweep,
    },
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyDict, PyList, PyString},
};

use crate::{
    errors,
    work::{Caller, Watch, work, work_with},
};

/// Adds what this file has for Python.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sweep, module)?)?;
    module.add_function(wrap_pyfunction!(sweep_plan, module)?)
}

/// Functions of Python by the names of models: each with what tells its version.
type Functions = BTreeMap<String, (Py<PyAny>, String)>;

/// A function of Python that writes completions.
struct Function {
    name: String,
    function: Arc<Py<PyAny>>,
    version: String,
    caller: Option<Caller>,
    /// What it raised.
    failure: Arc<Mutex<Option<PyErr>>>,
    stop: Stop,
}

impl Generator for Function {
    fn version(&self) -> &str {
        &self.version
    }

    fn generate(&self, asks: &[Ask]) -> Result<Vec<Written>, LmError> {
        let (function, name, asks) = (self.function.clone(), self.name.clone(), asks.to_vec());
        let written = self
            .caller
            .as_ref()
            .and_then(|caller| caller.call(move |py| called(py, function.bind(py), &name, &asks)));
        match written {
            Some(Ok(written)) => Ok(written),
            Some(Err(error)) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                self.stop.ask();
                Err(LmError::Interrupted)
            }
            None => Err(LmError::Interrupted),
        }
    }
}

/// What a function writes for requests of one cell.
fn called(
    py: Python<'_>,
    function: &Bound<'_, PyAny>,
    name: &str,
    asks: &[Ask],
) -> PyResult<Vec<Written>> {
    let Some(first) = asks.first() else { return Ok(Vec::new()) };
    let prompts = PyList::empty(py);
    for ask in asks {
        match &ask.prompt {
            ServerPrompt::Text(text) => prompts.append(&**text)?,
            ServerPrompt::Turns(turns) => {
                let loads = PyModule::import(py, "json")?.getattr("loads")?;
                prompts.append(loads.call1((&**turns,))?)?;
            }
        }
    }
    let given = PyDict::new(py);
    given.set_item("temperature", first.decoding.temperature)?;
    for knob in KNOBS {
        if let Some(value) = knob.get(&first.decoding) {
            given.set_item(knob.column, value)?;
        }
    }
    given.set_item("max_new_tokens", first.max_new_tokens)?;
    given.set_item("stop", first.stop.to_vec())?;
    let seeds: Vec<u32> = asks.iter().map(Ask::server_seed).collect();
    let answer = function.call1((prompts, given, seeds))?;
    if answer.is_instance_of::<PyString>() {
        return Err(wrong_type(name, "one text", "a list of them, one a prompt"));
    }
    let answers: Vec<Bound<'_, PyAny>> = match answer.try_iter() {
        Ok(answers) => answers.collect::<PyResult<_>>()?,
        Err(_) => {
            return Err(wrong_type(name, &kind(&answer), "a list of texts, one a prompt"));
        }
    };
    if answers.len() != asks.len() {
        let (n, m) = (answers.len(), asks.len());
        return Err(errors::wrong(format!(
            "model `{name}`: it wrote {n} completions where {m} were asked for; one a prompt is needed"
        )));
    }
    answers.iter().enumerate().map(|(at, answer)| written(name, at, answer)).collect()
}

fn kind(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "something".to_owned(), |name| name.to_string())
}

fn wrong_type(name: &str, found: &str, wanted: &str) -> PyErr {
    PyTypeError::new_err(format!("model `{name}`: it gave {found}; it must give {wanted}"))
}

/// One completion: a text, or a dictionary of `text` and what else is known.
fn written(name: &str, at: usize, answer: &Bound<'_, PyAny>) -> PyResult<Written> {
    if let Ok(text) = answer.extract::<String>() {
        return Ok(Written::from(text));
    }
    let no_text = || {
        let found = format!("{} as completion {at}", kind(answer));
        wrong_type(name, &found, "a str, or a dict with a str as `text`")
    };
    let fields = answer.cast::<PyDict>().map_err(|_| no_text())?;
    let text = fields.get_item("text")?.and_then(|text| text.extract().ok()).ok_or_else(no_text)?;
    let field = |name: &str| fields.get_item(name).map(|value| value.filter(|v| !v.is_none()));
    let reason = match field("finish_reason")? {
        None => None,
        Some(word) => match word.extract::<String>()?.as_str() {
            "stop" | "eos" | "end_turn" => Some(FinishReason::Eos),
            "length" | "max_tokens" => Some(FinishReason::Length),
            "stop_sequence" => Some(FinishReason::Stop),
            _ => None,
        },
    };
    let tokens = match field("tokens")? {
        None => None,
        Some(count) => Some(count.extract().or_else(|_| count.len())?),
    };
    let logprob = field("logprob")?.map(|value| value.extract()).transpose()?;
    Ok(Written { text, tokens, finish_reason: reason, logprob })
}

/// What a run says of itself, until Python hears it.
#[derive(Default)]
struct Heard(Mutex<Vec<Told>>);

enum Told {
    Begin(String, &'static str, u64, u64),
    Advance(u64, u64),
    End,
    Say(String),
}

impl Heard {
    fn push(&self, told: Told) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(Told::Advance(steps, tokens)), Told::Advance(more, further)) =
            (all.last_mut(), &told)
        {
            *steps += more;
            *tokens += further;
            return;
        }
        all.push(told);
    }
}

impl Progress for Heard {
    fn begin(&self, phase: &str, unit: &'static str, total: u64, done: u64) {
        self.push(Told::Begin(phase.to_owned(), unit, total, done));
    }

    fn advance(&self, steps: u64, tokens: u64) {
        self.push(Told::Advance(steps, tokens));
    }

    fn end(&self) {
        self.push(Told::End);
    }

    fn say(&self, sentence: &str) {
        self.push(Told::Say(sentence.to_owned()));
    }
}

/// Carries what is heard to an object of Python.
struct Listener<'a> {
    heard: &'a Heard,
    stop: Stop,
    progress: Option<Py<PyAny>>,
}

impl Watch for Listener<'_> {
    fn tick(&mut self, py: Python<'_>) -> PyResult<()> {
        let told =
            std::mem::take(&mut *self.heard.0.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(progress) = &self.progress else { return Ok(()) };
        let progress = progress.bind(py);
        for told in told {
            match told {
                Told::Begin(phase, unit, total, done) => {
                    progress.call_method1("begin", (phase, unit, total, done))?
                }
                Told::Advance(steps, tokens) => {
                    progress.call_method1("advance", (steps, tokens))?
                }
                Told::End => progress.call_method0("end")?,
                Told::Say(sentence) => progress.call_method1("say", (sentence,))?,
            };
        }
        Ok(())
    }

    fn stop(&mut self) -> bool {
        self.stop.ask();
        true
    }
}

/// A sweep that is told `words`, the flags of `llmpr sweep`.
fn planned(
    words: &[String],
    functions: Functions,
    caller: Option<&Caller>,
    failure: &Arc<Mutex<Option<PyErr>>>,
    stop: &Stop,
) -> Result<Sweep, String> {
    let mut settings = settings(words).map_err(|error| format!("{error:#}"))?;
    for (name, (function, version)) in functions {
        let function = Function {
            name: name.clone(),
            function: Arc::new(function),
            version,
            caller: caller.cloned(),
            failure: failure.clone(),
            stop: stop.clone(),
        };
        settings.generators.insert(name, Arc::new(function));
    }
    Sweep::plan(settings).map_err(|error| said(&error))
}

/// An error with its causes, each once.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let mut sentence = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !sentence.contains(&more) {
            sentence = format!("{sentence}: {more}");
        }
        next = cause.source();
    }
    sentence
}

/// Runs a sweep, or goes on with it, and makes its report. Gives the folder, the cells that failed (id, label, message),
/// notes, and how many completions were drawn.
#[pyfunction]
#[pyo3(signature = (words, functions, progress=None, threads=None))]
#[allow(clippy::type_complexity, reason = "a tuple in Python")]
fn sweep(
    py: Python<'_>,
    words: Vec<String>,
    functions: Functions,
    progress: Option<Py<PyAny>>,
    threads: Option<usize>,
) -> PyResult<(PathBuf, Vec<(String, String, String)>, Vec<String>, u64)> {
    let (heard, stop) = (Heard::default(), Stop::never());
    let failure = Arc::new(Mutex::new(None));
    let mut listener = Listener { heard: &heard, stop: stop.clone(), progress };
    let work = |caller: Caller| {
        let mut sweep = planned(&words, functions, Some(&caller), &failure, &stop)?;
        let command = std::iter::once("llmpr.sweep".to_owned()).chain(words.clone()).collect();
        let outcome = run(&mut sweep, command, &stop, &heard).map_err(|error| said(&error))?;
        let folder = sweep.settings.out.clone();
        if outcome.results.is_some()
            && let Err(error) = publish(std::slice::from_ref(&folder), &folder, Limits::default())
        {
            sweep.notes.push(format!("no report: {error}"));
        }
        Ok::<_, String>((folder, outcome, sweep.notes))
    };
    let result = work_with(py, threads, &mut listener, work)?;
    if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    let (folder, Outcome { failed, drawn, .. }, notes) = result.map_err(errors::wrong)?;
    let failed = failed.into_iter().map(|cell| (cell.id, cell.label, cell.message)).collect();
    Ok((folder, failed, notes, drawn))
}

/// What `llmpr sweep --dry-run` prints, and the notes beside it.
#[pyfunction]
#[pyo3(signature = (words, functions, threads=None))]
fn sweep_plan(
    py: Python<'_>,
    words: Vec<String>,
    functions: Functions,
    threads: Option<usize>,
) -> PyResult<(String, Vec<String>)> {
    let (failure, stop) = (Arc::default(), Stop::never());
    let planned = work(py, threads, || {
        let mut sweep = planned(&words, functions, None, &failure, &stop)?;
        Ok::<_, String>((described(&mut sweep), sweep.notes))
    })?;
    planned.map_err(errors::wrong)
}
