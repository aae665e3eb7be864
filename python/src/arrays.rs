//! Arrays of numpy as rows of the library, and back.

use std::sync::Arc;

use llmpr::data::{
    matrix::Matrix,
    sides::{Side, Sides},
};
use numpy::{PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::{exceptions::PyTypeError, prelude::*};

use crate::errors;

/// The values of a C-ordered array, which cannot go away as long as this lives.
///
/// Another thread of Python may still write to them. What is computed meanwhile is of some mixture of old and new
/// values, as it is in numpy; the documentation of `llmpr.score` says so.
struct Borrowed {
    _array: Py<PyArray2<f32>>,
    values: *const f32,
    len: usize,
}

// SAFETY: the array's memory belongs to no thread, and `Borrowed` only reads it; dropping a `Py` without the
// interpreter's lock is put off by pyo3 until it is held.
#[allow(unsafe_code, reason = "memory of numpy is read in place")]
unsafe impl Send for Borrowed {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "memory of numpy is read in place")]
unsafe impl Sync for Borrowed {}

impl AsRef<[f32]> for Borrowed {
    #[allow(unsafe_code, reason = "memory of numpy is read in place")]
    fn as_ref(&self) -> &[f32] {
        // SAFETY: `of` took pointer and length from a contiguous array, which `_array` keeps alive.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }
}

/// Rows of a two-dimensional array of `float32` in C order, read in place: `llmpr._arrays.features` brings whatever
/// a person gives into this form.
///
/// # Errors
///
/// `TypeError` for anything else; `llmpr.InputError` for a value that is no finite number, with its row.
pub fn rows(array: &Bound<'_, PyAny>, name: &str) -> PyResult<Matrix> {
    let no_rows = || PyTypeError::new_err(format!("{name} is no two-dimensional array of float32"));
    let array = array.cast::<PyArray2<f32>>().map_err(|_| no_rows())?;
    if !array.is_c_contiguous() {
        return Err(no_rows());
    }
    let (len, cols) = (array.len(), array.shape()[1]);
    let values = if len == 0 { std::ptr::NonNull::dangling().as_ptr() } else { array.data() };
    let held = Borrowed { _array: array.clone().unbind(), values, len };
    Matrix::held(cols, Arc::new(held)).map_err(|error| errors::wrong(format!("{name}: {error}")))
}

/// Both sides.
///
/// # Errors
///
/// Those of [`rows`].
pub fn sides(reference: &Bound<'_, PyAny>, samples: &Bound<'_, PyAny>) -> PyResult<Sides<Matrix>> {
    Ok(Sides { reference: rows(reference, "reference")?, model: rows(samples, "samples")? })
}

/// What a side is called by people who write Python.
pub fn name(side: Side) -> &'static str {
    match side {
        Side::Reference => "reference",
        Side::Model => "samples",
    }
}
