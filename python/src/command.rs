//! The command line, which the wheel brings along.

use pyo3::prelude::*;

/// Adds what this file has for Python.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(command, module)?)
}

/// Runs `llmpr` with `words`, the file that was started first, and gives its exit code. Output goes to the process's own
/// streams.
#[pyfunction]
fn command(py: Python<'_>, words: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| llmpr::cli::run_with(words))
}
