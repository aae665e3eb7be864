//! Errors of the library as exceptions of Python, with the same sentences.

use pyo3::{exceptions::PyValueError, prelude::*, sync::PyOnceLock, types::PyType};
use std::{error::Error as StdError, io};

/// `llmpr.<name>`, which is written in Python.
fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module =
        MODULE.get_or_try_init(py, || PyModule::import(py, "llmpr._errors").map(Bound::unbind))?;
    Ok(module.bind(py).getattr(name)?.cast_into::<PyType>()?)
}

/// [`raised`], of a file that is named in front.
pub fn of_path(path: &str, error: &(dyn StdError + 'static)) -> PyErr {
    match error.to_string() {
        said if said.contains(path) => raised(error),
        said => {
            let found = raised(error);
            // Its class says whether the system failed.
            Python::attach(|py| {
                let number = found.value(py).getattr("errno").ok().and_then(|n| n.extract().ok());
                let sentence = format!("`{path}`: {said}");
                match number {
                    Some(number) => of_file(&sentence, Some(number)),
                    None => wrong(sentence),
                }
            })
        }
    }
}

/// What is wrong, with its causes: `llmpr.FileError` (an `OSError`) where a file or a connection failed, else
/// `llmpr.InputError` (a `ValueError`).
pub fn raised(error: &(dyn StdError + 'static)) -> PyErr {
    let mut sentence = String::new();
    let mut of_system = None;
    let mut next = Some(error);
    while let Some(cause) = next {
        let said = cause.to_string();
        if sentence.is_empty() {
            sentence = said;
        } else if !sentence.contains(&said) {
            sentence = format!("{sentence}: {said}");
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            of_system = Some(io.raw_os_error());
        }
        next = cause.source();
    }
    // An error that passes another on as it is hides it from `source`; the number is in what it says.
    let said = sentence.split_once("(os error ").and_then(|(_, rest)| rest.split(')').next());
    let said = said.and_then(|number| number.parse().ok());
    match of_system.or(said.map(Some)) {
        Some(number) => of_file(&sentence, number),
        None => wrong(sentence),
    }
}

/// An `llmpr.FileError` that says `sentence`.
fn of_file(sentence: &str, number: Option<i32>) -> PyErr {
    Python::attach(|py| match class(py, "FileError") {
        Ok(class) => match class.call1((sentence, number)) {
            Ok(value) => PyErr::from_value(value),
            Err(error) => error,
        },
        Err(error) => error,
    })
}

/// An `llmpr.InputError` that says `sentence`.
pub fn wrong(sentence: impl Into<String>) -> PyErr {
    let sentence = sentence.into();
    Python::attach(|py| match class(py, "InputError") {
        Ok(class) => PyErr::from_type(class, sentence),
        Err(_) => PyValueError::new_err(sentence),
    })
}
