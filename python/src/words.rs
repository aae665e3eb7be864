//! Measures of texts as lists of tokens.

use std::collections::HashMap;

use llmpr::metric::{ngram, repetition::repetition, self_bleu::self_bleu, zipf::zipf};
use pyo3::{prelude::*, types::PyDict};

use crate::{errors, work::work};

/// Adds what this file has for Python.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(words, module)?)
}

/// Texts as numbers of their words; what a word is, Python says.
fn numbered(texts: Vec<Vec<String>>) -> Vec<Vec<u32>> {
    let mut numbers = HashMap::new();
    let mut number = |word| {
        let next = numbers.len() as u32;
        *numbers.entry(word).or_insert(next)
    };
    texts.into_iter().map(|text| text.into_iter().map(&mut number).collect()).collect()
}

/// One group of measures of texts, by name, as a dictionary of lists of numbers; NaN where there is none. `order` is the
/// longest n-gram of self-BLEU.
#[pyfunction]
#[pyo3(signature = (name, texts, order=4, threads=None))]
fn words<'py>(
    py: Python<'py>,
    name: &str,
    texts: Vec<Vec<String>>,
    order: usize,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let found = work(py, threads, || {
        let texts = numbered(texts);
        Ok(match name {
            "self_bleu" => self_bleu(&texts, order).map_err(|error| error.to_string())?,
            "distinct" => ngram::distinct(&texts).map(or_nan).to_vec(),
            "repetition" => vec![or_nan(repetition(&texts))],
            "zipf" => vec![or_nan(zipf(&texts))],
            "unique_fraction" => vec![or_nan(ngram::unique_fraction(&texts))],
            "mean_tokens" => vec![or_nan(ngram::mean_tokens(&texts))],
            "ngram_vendi" => {
                let found = ngram::ngram_vendi(&texts, order).map_err(|error| error.to_string())?;
                vec![or_nan(found)]
            }
            _ => return Err(format!("there is no measure of texts `{name}`")),
        })
    })?
    .map_err(errors::wrong)?;
    let out = PyDict::new(py);
    out.set_item(name, found)?;
    Ok(out)
}
