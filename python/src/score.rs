//! Scores of two sets of rows, of texts, and of histograms, and what each row has to do with the other side.

use std::{collections::HashMap, error::Error, str::FromStr};

use llmpr::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides, signature::content, stop},
    lm::{
        LmError,
        embed::{EMBED_TOKENS, Embedder, Pooling},
        engine::{
            device::{DeviceChoice, DtypeChoice},
            network::Interrupt,
        },
    },
    metric::support::{SupportOptions, support},
    report,
    run::features::texts_hash,
    score::{
        ScoreError, ScoreOptions, TextFacts, prepared_clouds, record::Score, score,
        score_histograms,
    },
};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::{prelude::*, types::PyDict};

use crate::{arrays, errors, work::work};

/// Adds what this file has for Python.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(score_rows, module)?)?;
    module.add_function(wrap_pyfunction!(score_counts, module)?)?;
    module.add_function(wrap_pyfunction!(embed_texts, module)?)?;
    module.add_function(wrap_pyfunction!(embed_ids, module)?)?;
    module.add_function(wrap_pyfunction!(row_facts, module)?)?;
    module.add_function(wrap_pyfunction!(first_measures, module)?)?;
    module.add_function(wrap_pyfunction!(score_table, module)?)
}

/// Options from JSON, with the command line's checks.
fn options_of(json: &str) -> PyResult<ScoreOptions> {
    let options: ScoreOptions = serde_json::from_str(json).map_err(|error| {
        // The place within the JSON is of no use to who never wrote it.
        let said = error.to_string();
        errors::wrong(said.split(" at line ").next().unwrap_or(&said).to_owned())
    })?;
    options.checked().map_err(|error| errors::raised(&error))
}

/// What is wrong, with the side that is at fault as people who write Python call it.
fn sentence(error: &ScoreError) -> String {
    match error.side() {
        Some(side) => format!("{}: {error}", arrays::name(side)),
        None => error.to_string(),
    }
}

fn json(score: Result<Score, ScoreError>) -> PyResult<String> {
    let score = score.map_err(|error| errors::wrong(sentence(&error)))?;
    serde_json::to_string(&score).map_err(|error| errors::raised(&error))
}

/// Prompts as numbers: those of one text are equal.
fn prompts_of(names: Option<Vec<String>>) -> Vec<u64> {
    let mut numbers = HashMap::new();
    let number = |name| {
        let next = numbers.len() as u64;
        *numbers.entry(name).or_insert(next)
    };
    names.into_iter().flatten().map(number).collect()
}

/// The score of two arrays as the JSON of `llmpr score`. `options` are a JSON object of the fields of `ScoreOptions`;
/// `prompts` name the prompt of each sample; `facts` are what [`embed_texts`] gave of both sides' texts.
#[pyfunction]
#[pyo3(signature = (reference, samples, options, prompts=None, facts=None, threads=None))]
fn score_rows(
    py: Python<'_>,
    reference: &Bound<'_, PyAny>,
    samples: &Bound<'_, PyAny>,
    options: &str,
    prompts: Option<Vec<String>>,
    facts: Option<[PyRef<'_, Facts>; 2]>,
    threads: Option<usize>,
) -> PyResult<String> {
    let sets = arrays::sides(reference, samples)?;
    let mut options = options_of(options)?;
    let mut texts = match facts {
        Some([reference, model]) => {
            options.embedder.clone_from(&reference.embedder);
            options.reference = Some(reference.hash.clone());
            Some(Sides { reference: reference.facts.clone(), model: model.facts.clone() })
        }
        None => None,
    };
    if let Some(prompts) = prompts {
        let mut sorted = prompts.clone();
        sorted.sort_unstable();
        options.prompts = Some(content(sorted));
        let numbers = prompts_of(Some(prompts));
        let facts = texts.get_or_insert_default();
        facts.model.prompts = numbers;
    }
    json(work(py, threads, || {
        score(sets.as_ref(), texts.as_ref().map(Sides::as_ref), None, &options)
    })?)
}

/// The score of two histograms over the same bins.
#[pyfunction]
fn score_counts(
    py: Python<'_>,
    reference: Vec<u64>,
    samples: Vec<u64>,
    options: &str,
) -> PyResult<String> {
    let options = options_of(options)?;
    let counts = Sides { reference, model: samples };
    json(work(py, Some(1), || score_histograms(counts.as_ref().map(Vec::as_slice), &options))?)
}

/// What measures and signatures read of one side's texts.
#[pyclass(module = "llmpr._llmpr", frozen)]
pub struct Facts {
    facts: TextFacts,
    embedder: String,
    hash: String,
}

/// How texts are embedded.
struct How {
    pooling: Pooling,
    max_tokens: usize,
    device: DeviceChoice,
    dtype: DtypeChoice,
}

impl How {
    fn new(
        pooling: Option<&str>,
        max_tokens: Option<usize>,
        device: Option<&str>,
        dtype: Option<&str>,
    ) -> PyResult<Self> {
        fn parsed<T: FromStr<Err: Error + 'static> + Default>(word: Option<&str>) -> PyResult<T> {
            let parse = |word: &str| word.parse().map_err(|error: T::Err| errors::raised(&error));
            word.map_or_else(|| Ok(T::default()), parse)
        }
        let max_tokens = max_tokens.unwrap_or(EMBED_TOKENS);
        if max_tokens == 0 {
            return Err(errors::wrong("max_tokens = 0 leaves nothing to embed; give 1 or more"));
        }
        Ok(Self {
            pooling: parsed(pooling)?,
            max_tokens,
            device: parsed(device)?,
            dtype: parsed(dtype)?,
        })
    }

    /// The model of that name, which stops where the thread's work is stopped.
    fn open(&self, embedder: &str) -> Result<Embedder, LmError> {
        let interrupt = stop::watched().map(|token| Interrupt::on(token.flag()));
        let Self { pooling, max_tokens, device, dtype } = *self;
        let opened = Embedder::open(embedder, device, dtype, pooling, max_tokens)?;
        Ok(opened.with_interrupt(interrupt.unwrap_or_default()))
    }
}

/// Rows and facts of texts, embedded by the model of that name.
#[pyfunction]
#[pyo3(signature = (texts, embedder, pooling=None, max_tokens=None, device=None, dtype=None, threads=None))]
#[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
fn embed_texts<'py>(
    py: Python<'py>,
    texts: Vec<String>,
    embedder: &str,
    pooling: Option<&str>,
    max_tokens: Option<usize>,
    device: Option<&str>,
    dtype: Option<&str>,
    threads: Option<usize>,
) -> PyResult<(Bound<'py, PyArray2<f32>>, Facts)> {
    let how = How::new(pooling, max_tokens, device, dtype)?;
    let (rows, facts) = work(py, threads, || {
        let embedder = how.open(embedder)?;
        let tokens = texts.iter().map(|text| embedder.ids(text)).collect::<Result<Vec<_>, _>>()?;
        let rows = embedder.embed_ids(&tokens, &mut |_, _| stop::check())?;
        let cut = tokens.iter().map(|ids| ids.len() >= embedder.max_tokens()).collect();
        let blank = texts.iter().map(|text| text.trim().is_empty()).collect();
        let read: Vec<&str> = texts.iter().map(String::as_str).collect();
        let facts = Facts {
            hash: texts_hash(&read),
            embedder: embedder.facts()?,
            facts: TextFacts { tokens, cut, blank, prompts: Vec::new() },
        };
        Ok::<_, LmError>((rows, facts))
    })?
    .map_err(|error| errors::raised(&error))?;
    Ok((array_of(py, &rows)?, facts))
}

/// Rows of token ids, embedded by the model of that name.
#[pyfunction]
#[pyo3(signature = (ids, embedder, max_tokens=None, device=None, threads=None))]
fn embed_ids<'py>(
    py: Python<'py>,
    mut ids: Vec<Vec<u32>>,
    embedder: &str,
    max_tokens: Option<usize>,
    device: Option<&str>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let how = How::new(None, max_tokens, device, None)?;
    let rows = work(py, threads, || {
        let embedder = how.open(embedder)?;
        ids.iter_mut().for_each(|ids| ids.truncate(embedder.max_tokens()));
        embedder.embed_ids(&ids, &mut |_, _| stop::check())
    })?
    .map_err(|error| errors::raised(&error))?;
    array_of(py, &rows)
}

/// Rows as an array of their own.
pub fn array_of<'py>(py: Python<'py>, rows: &Matrix) -> PyResult<Bound<'py, PyArray2<f32>>> {
    PyArray1::from_slice(py, rows.as_slice()).reshape([rows.rows(), rows.cols()])
}

/// What each row has to do with the other side, all rows of both sides kept, in the space of the score: a dictionary of
/// arrays.
#[pyfunction]
#[pyo3(signature = (reference, samples, options, threads=None))]
fn row_facts<'py>(
    py: Python<'py>,
    reference: &Bound<'_, PyAny>,
    samples: &Bound<'_, PyAny>,
    options: &str,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let sets = arrays::sides(reference, samples)?;
    let options = options_of(options)?;
    let found = work(py, threads, || {
        let prepared = prepared_clouds(sets.as_ref(), &options)?;
        let clouds = Clouds::new(prepared.as_ref())?;
        let asked =
            SupportOptions { ks: vec![options.k], ties: options.ties, ..SupportOptions::default() };
        Ok::<_, ScoreError>(support(clouds, &asked)?)
    })?
    .map_err(|error| errors::wrong(sentence(&error)))?;
    let (p, q) = (&found.reference, &found.model);
    let out = PyDict::new(py);
    let flags = |values: Vec<bool>| PyArray1::from_vec(py, values);
    let places = |values: Vec<i64>| PyArray1::from_vec(py, values);
    let numbers = |values: Vec<f64>| PyArray1::from_vec(py, values);
    out.set_item("inside", flags(q.iter().map(|row| row.balls > 0).collect()))?;
    out.set_item("balls", places(q.iter().map(|row| i64::from(row.balls)).collect()))?;
    out.set_item("nearest", places(q.iter().map(|row| row.nearest as i64).collect()))?;
    out.set_item("distance", numbers(q.iter().map(|row| row.distance).collect()))?;
    let realism = |row: &llmpr::metric::support::ModelRow| row.realism.unwrap_or(f64::NAN);
    out.set_item("realism", numbers(q.iter().map(realism).collect()))?;
    out.set_item("recalled", flags(p.iter().map(|row| row.balls > 0).collect()))?;
    out.set_item("covered", flags(p.iter().map(|row| row.covered_by > 0).collect()))?;
    out.set_item("nearest_sample", places(p.iter().map(|row| row.nearest as i64).collect()))?;
    out.set_item("distance_to_sample", numbers(p.iter().map(|row| row.distance).collect()))?;
    Ok(out)
}

/// A score's table, of the measures that matter first or of all.
#[pyfunction]
fn score_table(score: &str, all: bool) -> PyResult<String> {
    let score: Score = serde_json::from_str(score).map_err(|error| errors::raised(&error))?;
    Ok(match all {
        true => report::score::table(&score, false),
        false => report::score::summary(&score, false),
    })
}

/// The measures that matter first, in the order of the table.
#[pyfunction]
fn first_measures(score: &str) -> PyResult<Vec<String>> {
    let score: Score = serde_json::from_str(score).map_err(|error| errors::raised(&error))?;
    Ok(report::score::first(&score).into_iter().map(str::to_owned).collect())
}
