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
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

fn malformed(why: impl Into<String>) -> FeatureError {
    FeatureError::Format { format: ".safetensors", why: why.into() }
}

/// The tensor `key`, or the only one, as rows of `f32`; the file holds `held` bytes.
pub(super) fn read(
    mut source: impl Read,
    held: u64,
    key: Option<&str>,
) -> Result<Matrix, FeatureError> {
    let mut length = [0; 8];
    source.read_exact(&mut length).map_err(|_| malformed("it ends within its header"))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER.min(held.saturating_sub(8)) {
        return Err(malformed(format!("its header claims {length} bytes, but it holds {held}")));
    }
    let mut header = vec![0; length as usize];
    source.read_exact(&mut header).map_err(|_| malformed("it ends within its header"))?;
    let mut tensors: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|why| malformed(format!("its header: {why}")))?;
    tensors.remove("__metadata__");
    let key = match key {
        None if tensors.len() == 1 => tensors.keys().next().cloned(),
        key => key.map(str::to_owned),
    };
    let Some(entry) = key.as_ref().and_then(|key| tensors.remove(key)) else {
        return Err(FeatureError::Key { key, names: tensors.into_keys().collect() });
    };
    let Tensor { dtype: name, shape, data_offsets: [start, end] } =
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
        return Err(malformed(format!("{shape:?} of {name} does not span bytes {start}..{end}")));
    }
    if end > data {
        return Err(FeatureError::Truncated { promised: end.into(), held: data });
    }
    std::io::copy(&mut source.by_ref().take(start), &mut std::io::sink())?;
    let at = |i: usize| (i / cols, i % cols);
    Ok(Matrix::new(cols, read_floats(&mut source, dtype, false, rows * cols, at)?)?)
}
