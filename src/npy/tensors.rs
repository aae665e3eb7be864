//! The safetensors format: the length of a JSON header, the header, the tensors.

use serde::Deserialize;
use std::{collections::BTreeMap, io::Read};

use super::{
    FeatureError,
    array::{read_floats, rows_and_columns},
    float::Dtype,
};
use crate::data::matrix::Matrix;

/// Longest header that is read, as in the reference implementation.
const MAX_HEADER: u64 = 100_000_000;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// A tensor whose place and shape have been read.
pub(super) struct Tensor {
    dtype: Dtype,
    rows: usize,
    cols: usize,
    /// Bytes of the file before the values of all tensors.
    header: u64,
    /// Bytes of values before those of this one.
    before: u64,
}

fn malformed(why: impl Into<String>) -> FeatureError {
    FeatureError::Format { format: ".safetensors", why: why.into() }
}

impl Tensor {
    /// Reads the header of a file of `held` bytes up to the values, and finds the tensor `key` there, or the only one.
    pub(super) fn read_header(
        mut source: impl Read,
        held: u64,
        key: Option<&str>,
    ) -> Result<Self, FeatureError> {
        let mut length = [0; 8];
        source.read_exact(&mut length).map_err(|_| malformed("it ends within its header"))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER.min(held.saturating_sub(8)) {
            return Err(malformed(format!(
                "its header claims {length} bytes, but it holds {held}"
            )));
        }
        let mut header = vec![0; length as usize];
        source.read_exact(&mut header).map_err(|_| malformed("it ends within its header"))?;
        let mut tensors: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header)
            .map_err(|why| malformed(format!("its header: {why}")))?;
        tensors.remove("__metadata__");
        let key = match key {
            None if tensors.len() == 1 => tensors.keys().next().cloned(),
            key => key.map(str::to_owned),
        };
        let Some(entry) = key.as_ref().and_then(|key| tensors.remove(key)) else {
            return Err(FeatureError::Key { key, names: tensors.into_keys().collect() });
        };
        let Entry { dtype: name, shape, data_offsets: [start, end] } =
            serde_json::from_value(entry).map_err(|why| malformed(format!("a tensor: {why}")))?;
        let dtype = match name.as_str() {
            "F16" => Dtype::F16,
            "BF16" => Dtype::Bf16,
            "F32" => Dtype::F32,
            "F64" => Dtype::F64,
            _ => return Err(FeatureError::NotFloat { dtype: name }),
        };
        let (rows, cols) = rows_and_columns(&shape)?;
        let promised = rows as u128 * cols as u128 * dtype.size() as u128;
        let data = held - 8 - length;
        if end.checked_sub(start).map(u128::from) != Some(promised) {
            return Err(malformed(format!(
                "{shape:?} of {name} does not span bytes {start}..{end}"
            )));
        }
        if end > data {
            return Err(FeatureError::Truncated { promised: end.into(), held: data });
        }
        Ok(Self { dtype, rows, cols, header: 8 + length, before: start })
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Where in the file the values start, if they are `f32`.
    pub(super) fn plain(&self) -> Option<u64> {
        (self.dtype == Dtype::F32).then_some(self.header + self.before)
    }

    /// The values as rows of `f32`; `source` is where the header ends.
    pub(super) fn into_matrix(self, mut source: impl Read) -> Result<Matrix, FeatureError> {
        let Self { dtype, rows, cols, before, .. } = self;
        std::io::copy(&mut source.by_ref().take(before), &mut std::io::sink())?;
        let at = |i: usize| (i / cols, i % cols);
        Ok(Matrix::new(cols, read_floats(&mut source, dtype, false, rows * cols, at)?)?)
    }
}
