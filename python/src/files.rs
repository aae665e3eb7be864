//! Files of features, in and out.

use std::path::{Path, PathBuf};

use llmpr::npy::{self, write_npy, write_safetensors};
use numpy::PyArray2;
use pyo3::prelude::*;

use crate::{arrays, errors, score::array_of};

/// Adds what this file has for Python.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(save_features, module)?)?;
    module.add_function(wrap_pyfunction!(load_features, module)?)
}

/// Writes rows, whole or not at all.
#[pyfunction]
fn save_features(
    py: Python<'_>,
    path: PathBuf,
    rows: &Bound<'_, PyAny>,
    facts: Vec<(String, String)>,
) -> PyResult<()> {
    let rows = arrays::rows(rows, "features")?;
    let facts: Vec<(&str, &str)> = facts.iter().map(|(name, fact)| (&**name, &**fact)).collect();
    let written = py.detach(|| match path.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => Some(write_safetensors(&path, &rows, &facts)),
        Some("npy") => Some(write_npy(Path::new(&path), &rows)),
        _ => None,
    });
    match written {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(errors::of_path(&path.display().to_string(), &error)),
        None => Err(errors::wrong(format!(
            "`{}` ends neither in .npy nor in .safetensors, which features are saved as",
            path.display()
        ))),
    }
}

/// Reads rows, as the command line does.
#[pyfunction]
fn load_features<'py>(py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let rows =
        py.detach(|| npy::read_features(path)).map_err(|error| errors::of_path(path, &error))?;
    array_of(py, &rows)
}
