//! Features and histograms in files: `.npy`, `.npz[:key]`, `.safetensors[:tensor]`.
//!
//! A size that a header promises is held against the bytes that are there before anything of that
//! size is allocated, so a truncated or hostile file costs no more memory than its own length (times
//! the most that deflate can expand, for `.npz`).

mod array;
mod float;
mod tensors;
mod write;

use array::Npy;
use std::{fs::File, io::BufReader, path::Path};
pub use write::{write_npy, write_safetensors};

use crate::data::{
    matrix::{Matrix, MatrixError},
    memory,
};

/// Why a file holds no feature matrix and no histogram.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum FeatureError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The extension is not one of ours.
    #[error("`{path}` is not named .npy, .npz or .safetensors")]
    Extension { path: String },
    /// The bytes are not what the extension says.
    #[error("not a {format} file: {why}")]
    Format { format: &'static str, why: String },
    /// The header promises more than the file holds.
    #[error("the header promises {promised} bytes of values, but only {held} follow it")]
    Truncated { promised: u128, held: u64 },
    /// The array has no or more than two axes.
    #[error("the array has shape {shape:?}; rows and columns (or one axis) are needed")]
    Shape { shape: Vec<u64> },
    /// The values are of a type that features cannot have.
    #[error("the values are of type {dtype}; features are f16, bf16, f32 or f64")]
    NotFloat { dtype: String },
    /// The values are of a type that counts cannot have.
    #[error("the values are of type {dtype}; a histogram holds integer counts")]
    NotInteger { dtype: String },
    /// Integers in rows and columns, which are neither counts nor features.
    #[error(
        "{rows} × {cols} values of type {dtype}: a histogram has one axis, and features are f16, bf16, f32 or f64"
    )]
    NotBins { rows: usize, cols: usize, dtype: String },
    /// A count below zero.
    #[error("bin {bin} holds {count}; counts start at 0")]
    NegativeCount { bin: usize, count: i64 },
    /// A double beyond what `f32` holds.
    #[error("row {row}, column {col} holds {value:e}, which is beyond the range of f32")]
    TooLarge { row: usize, col: usize, value: f64 },
    /// Several arrays and no key, or a key that is not there.
    #[error("{}: it holds {}", match key {
        Some(key) => format!("there is no array `{key}`"),
        None => "name one array as FILE:KEY".to_owned(),
    }, list(names))]
    Key { key: Option<String>, names: Vec<String> },
    /// A value is NaN or infinite, or the shape does not fit.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "no arrays".to_owned(),
        n if n > SHOWN => format!("{} and {} more", quoted.join(", "), n - SHOWN),
        _ => quoted.join(", "),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Npy,
    Npz,
    Safetensors,
}

impl Format {
    fn of(path: &str) -> Option<Self> {
        let extension = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "npy" => Some(Self::Npy),
            "npz" => Some(Self::Npz),
            "safetensors" => Some(Self::Safetensors),
            _ => None,
        }
    }
}

/// `FILE` and, for `FILE:KEY`, its key; `None` when `FILE` is not named like a feature file.
fn split(path: &str) -> Option<(Format, &str, Option<&str>)> {
    if let Some(format) = Format::of(path) {
        return Some((format, path, None));
    }
    // A key may itself hold a colon, so every colon is a place where the file name could end.
    path.match_indices(':').find_map(|(at, _)| match Format::of(&path[..at])? {
        Format::Npy => None,
        format => Some((format, &path[..at], Some(&path[at + 1..]))),
    })
}

/// Whether `path` is named like a feature file: `.npy`, `.npz[:key]` or `.safetensors[:tensor]`.
pub fn is_feature_path(path: &str) -> bool {
    split(path).is_some()
}

/// The feature matrix in `path`: one row per text, rounded to `f32`.
///
/// Below a limit on memory ([`crate::data::memory`]) rows of little-endian `f32` in C order stay in their file.
///
/// # Arguments
///
/// * `path`: `FILE.npy`, `FILE.npz[:key]` or `FILE.safetensors[:tensor]`. The key may be left out
///   where the file holds one array. Values are f16, bf16 (safetensors), f32 or f64, of any byte
///   and axis order; an array of one axis becomes a matrix of one column.
///
/// # Errors
///
/// [`FeatureError`], in one sentence without the path.
pub fn read_features(path: &str) -> Result<Matrix, FeatureError> {
    let (format, file, key) =
        split(path).ok_or_else(|| FeatureError::Extension { path: path.to_owned() })?;
    match format {
        Format::Npy => {
            let (mut source, held) = open(file)?;
            let npy = Npy::read_header(&mut source, held)?;
            let (shape, plain) = (npy.shape(), npy.plain());
            match plain.map(|start| left_in_place(file, start, shape)).transpose()?.flatten() {
                Some(matrix) => Ok(matrix),
                None => npy.into_matrix(),
            }
        }
        Format::Npz => array::in_archive(File::open(file)?, key, |npy| npy.into_matrix()),
        Format::Safetensors => {
            let (mut source, held) = open(file)?;
            let tensor = tensors::Tensor::read_header(&mut source, held, key)?;
            let plain = tensor.plain();
            match plain
                .map(|start| left_in_place(file, start, tensor.shape()))
                .transpose()?
                .flatten()
            {
                Some(matrix) => Ok(matrix),
                None => tensor.into_matrix(source),
            }
        }
    }
}

/// Rows and columns of the features in `path`, whose values are not read.
///
/// # Errors
///
/// [`FeatureError`], in one sentence without the path.
pub fn shape(path: &str) -> Result<(usize, usize), FeatureError> {
    match split(path).ok_or_else(|| FeatureError::Extension { path: path.to_owned() })? {
        (Format::Safetensors, file, key) => {
            let (mut source, held) = open(file)?;
            Ok(tensors::Tensor::read_header(&mut source, held, key)?.shape())
        }
        _ => Ok(with_npy(path, |npy| Ok(npy.shape()))?.unwrap_or_default()),
    }
}

/// Rows that stay in `file`, where a limit on memory holds.
fn left_in_place(
    file: &str,
    start: u64,
    (rows, cols): (usize, usize),
) -> Result<Option<Matrix>, FeatureError> {
    if memory::limit().is_none() {
        return Ok(None);
    }
    let values = memory::map(&File::open(file)?, start, rows * cols)?;
    Ok(values.map(|values| Matrix::held(cols, values)).transpose()?)
}

/// The counts in `path` (`.npy` or `.npz[:key]`): an integer array of one axis, or of one row or column.
///
/// # Errors
///
/// [`FeatureError`], in one sentence without the path.
pub fn read_histogram(path: &str) -> Result<Vec<u64>, FeatureError> {
    with_npy(path, |npy| npy.into_counts())?
        .ok_or_else(|| FeatureError::NotInteger { dtype: "safetensors".to_owned() })
}

/// Whether `path` holds integers, and so a histogram rather than features; only its header is read.
///
/// # Errors
///
/// [`FeatureError`], in one sentence without the path.
pub fn is_histogram(path: &str) -> Result<bool, FeatureError> {
    Ok(with_npy(path, |npy| Ok(npy.holds_integers()))?.unwrap_or(false))
}

/// `f` of the array in `path`, or `None` for a safetensors file.
fn with_npy<T>(
    path: &str,
    f: impl FnOnce(Npy<&mut dyn std::io::Read>) -> Result<T, FeatureError>,
) -> Result<Option<T>, FeatureError> {
    match split(path).ok_or_else(|| FeatureError::Extension { path: path.to_owned() })? {
        (Format::Npy, file, _) => {
            let (mut source, held) = open(file)?;
            Npy::read_header(&mut source as &mut dyn std::io::Read, held).and_then(f).map(Some)
        }
        (Format::Npz, file, key) => array::in_archive(File::open(file)?, key, f).map(Some),
        (Format::Safetensors, ..) => Ok(None),
    }
}

fn open(file: &str) -> Result<(BufReader<File>, u64), FeatureError> {
    let file = File::open(file)?;
    if file.metadata()?.is_dir() {
        return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory).into());
    }
    let held = file.metadata()?.len();
    Ok((BufReader::new(file), held))
}

#[cfg(test)]
mod tests;
