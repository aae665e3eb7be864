//! Feature files out: whole or not at all.

use std::{
    io::{self, Write},
    path::Path,
};

use super::FeatureError;
use crate::data::{matrix::Matrix, whole::Whole};

/// Writes `matrix` as a `.npy` of little-endian f32 in C order.
///
/// The file appears under its name only when it is complete and on disk.
///
/// # Errors
///
/// [`FeatureError::Io`].
pub fn write_npy(path: &Path, matrix: &Matrix) -> Result<(), FeatureError> {
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
        matrix.rows(),
        matrix.cols()
    );
    // The values start at a multiple of 64, after the magic, the version and the length.
    header.push_str(&" ".repeat(63 - (10 + header.len()) % 64));
    header.push('\n');
    let mut file = Whole::create(path)?;
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(header.len() as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    write_values(&mut file, matrix)?;
    Ok(file.finish()?)
}

/// Writes `matrix` as the f32 tensor `features` of a safetensors file.
///
/// # Arguments
///
/// * `metadata`: facts kept in the header, such as the model and the pooling.
///
/// # Errors
///
/// [`FeatureError::Io`].
pub fn write_safetensors(
    path: &Path,
    matrix: &Matrix,
    metadata: &[(&str, &str)],
) -> Result<(), FeatureError> {
    let bytes = 4 * matrix.rows() * matrix.cols();
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        let facts = metadata.iter().map(|&(name, value)| (name.to_owned(), value.into()));
        header.insert("__metadata__".to_owned(), serde_json::Value::Object(facts.collect()));
    }
    header.insert(
        "features".to_owned(),
        serde_json::json!({
            "dtype": "F32", "shape": [matrix.rows(), matrix.cols()], "data_offsets": [0, bytes],
        }),
    );
    let mut header = serde_json::Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = Whole::create(path)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    write_values(&mut file, matrix)?;
    Ok(file.finish()?)
}

fn write_values(file: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    matrix.as_slice().iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
}
