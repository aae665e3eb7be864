//! Feature files out: whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::FeatureError;
use crate::data::matrix::Matrix;

/// Writes `matrix` as a `.npy` of little-endian f32 in C order.
///
/// The file appears under its name only when it is complete and on disk.
///
/// # Errors
///
/// [`FeatureError::Io`].
pub fn write_npy(path: &Path, matrix: &Matrix) -> Result<(), FeatureError> {
    atomically(path, |file| {
        let mut header = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
            matrix.rows(),
            matrix.cols()
        );
        // The values start at a multiple of 64, after the magic, the version and the length.
        header.push_str(&" ".repeat(63 - (10 + header.len()) % 64));
        header.push('\n');
        file.write_all(b"\x93NUMPY\x01\x00")?;
        file.write_all(&(header.len() as u16).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        write_values(file, matrix)
    })
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
    atomically(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        write_values(file, matrix)
    })
}

fn write_values(file: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    matrix.as_slice().iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
}

/// Lets `fill` write a temporary file beside `path`, syncs it and renames it to `path`.
fn atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), FeatureError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display()))
    })?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    // Numbers of processes are those of one machine, and a folder may be several machines'.
    let chance = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
    hidden.push(format!(".{}-{chance:016x}.tmp", std::process::id()));
    let temporary: PathBuf = folder.join(hidden);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&temporary)?);
        fill(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)?;
        // The rename itself is on disk once the folder is; not every system can sync a folder.
        File::open(folder).and_then(|folder| folder.sync_all()).or_else(|error| {
            match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => Ok(()),
                _ => Err(error),
            }
        })
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    Ok(written?)
}
