//! Logs of Inspect: one JSON object with its samples, or `.eval`, an archive with a file for each.

use std::io::{Cursor, Read};

use serde_json::{Map, Value};
use zip::ZipArchive;

use super::{Reading, TextError, object};
use crate::data::panics::caught;

/// What an archive begins with.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// The most bytes of one sample.
const MOST: u64 = 256 << 20;

/// Whether a JSON object is a log.
pub(super) fn is_log(object: &Map<String, Value>) -> bool {
    object.get("samples").is_some_and(Value::is_array) && object.contains_key("eval")
}

/// The texts of a log's samples.
///
/// # Errors
///
/// [`TextError::Field`] naming the sample.
pub(super) fn log(
    path: &str,
    field: Option<&str>,
    mut log: Map<String, Value>,
) -> Result<Reading, TextError> {
    let samples = log.remove("samples").unwrap_or_default();
    let Value::Array(samples) = samples else { return Ok(Reading::default()) };
    let mut texts = object::Reader::new(field);
    for (index, sample) in samples.into_iter().enumerate() {
        texts.read(whole(sample)).map_err(|what| TextError::Field {
            path: path.to_owned(),
            line: 1,
            what: format!("sample {}: {what}", index + 1),
        })?;
    }
    Ok(texts.done())
}

/// The texts of an archive's samples, epoch by epoch, by the names of their files, numbers in order.
///
/// # Errors
///
/// [`TextError::Columns`] for what is no such archive, and for a sample of more than 256 MiB.
pub(super) fn archive(
    path: &str,
    field: Option<&str>,
    bytes: Vec<u8>,
) -> Result<Reading, TextError> {
    let wrong = |what: String| TextError::Columns { path: path.to_owned(), what };
    let read = || -> Result<Reading, TextError> {
        let damaged = |error: zip::result::ZipError| wrong(format!("a damaged archive ({error})"));
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        let is_sample = |name: &str| name.starts_with("samples/") && name.ends_with(".json");
        let mut names = ["s/10_epoch_1", "s/9_epoch_2", "s/9_epoch_10", "s/a_epoch_1", "s/9_epoch_1"];
        names.sort_by_cached_key(|name| in_order(name));
        let expected = ["s/9_epoch_1", "s/10_epoch_1", "s/a_epoch_1", "s/9_epoch_2", "s/9_epoch_10"];
        assert_eq!(names, expected);
    }
}
