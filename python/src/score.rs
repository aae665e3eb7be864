//! Scores of two sets of rows.

use llmpr::score::{ScoreOptions, score};
use pyo3::prelude::*;

use crate::{arrays, errors, work::work};

/// Adds what this file has for Python.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(score_rows, module)?)
}

/// The score of two arrays as the JSON of `llmpr score`. `options` are a JSON object of the fields of `ScoreOptions`.
#[pyfunction]
#[pyo3(signature = (reference, samples, options, threads=None))]
fn score_rows(
    py: Python<'_>,
    reference: &Bound<'_, PyAny>,
    samples: &Bound<'_, PyAny>,
    options: &str,
    threads: Option<usize>,
) -> PyResult<String> {
    let sets = arrays::sides(reference, samples)?;
    let options: ScoreOptions =
        serde_json::from_str(options).map_err(|error| errors::raised(&error))?;
    let options = options.checked().map_err(|error| errors::raised(&error))?;
    let made = work(py, threads, || {
        score(sets.as_ref(), None, None, &options)
            .map(|score| serde_json::to_string(&score).unwrap_or_default())
            .map_err(|error| match error.side() {
                Some(side) => format!("{}: {error}", arrays::name(side)),
                None => error.to_string(),
            })
    })?;
    made.map_err(errors::wrong)
}
