//! The native half of the Python module `llmpr`. What people import and read about stands in `python/llmpr`.

mod arrays;
mod command;
mod errors;
mod files;
mod measures;
mod score;
mod sweep;
mod words;
mod work;

use pyo3::prelude::*;

/// Everything that `llmpr` (the Python package) calls; none of it is for people.
#[pymodule]
fn _llmpr(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    command::add_to(module)?;
    score::add_to(module)?;
    measures::add_to(module)?;
    words::add_to(module)?;
    sweep::add_to(module)?;
    files::add_to(module)?;
    module.add_class::<score::Facts>()?;
    Ok(())
}
