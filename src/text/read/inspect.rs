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
        let mut names = Vec::new();
        for index in 0..archive.len() {
            let file = archive.by_index_raw(index).map_err(damaged)?;
            let name = file.name().map_err(damaged)?;
            if is_sample(&name) {
                names.push((name.into_owned(), index));
            }
        }
        if names.is_empty() {
            return Err(wrong(
                "an archive without samples/*.json, so no log of Inspect".to_owned(),
            ));
        }
        names.sort_by_cached_key(|(name, _)| in_order(name));
        let mut texts = object::Reader::new(field);
        for (name, index) in names {
            let file = archive.by_index(index).map_err(damaged)?;
            let mut json = Vec::new();
            file.take(MOST + 1)
                .read_to_end(&mut json)
                .map_err(|error| wrong(format!("{name}: a damaged archive ({error})")))?;
            if json.len() as u64 > MOST {
                return Err(wrong(format!("{name} has more than 256 MiB, which no sample has")));
            }
            let sample = serde_json::from_slice(&json)
                .map_err(|error| wrong(format!("{name}: not JSON ({error})")))?;
            texts.read(whole(sample)).map_err(|what| wrong(format!("{name}: {what}")))?;
        }
        Ok(texts.done())
    };
    caught(read).unwrap_or_else(|panic| Err(wrong(format!("a damaged archive ({panic})"))))
}

/// A sample in which long contents stand where they belong; logs keep them apart, under a name.
fn whole(mut sample: Value) -> Value {
    let Some(kept) = sample.get_mut("attachments").map(Value::take) else { return sample };
    let Value::Object(kept) = kept else { return sample };
    for place in ["input", "output"] {
        if let Some(value) = sample.get_mut(place) {
            put_back(value, &kept);
        }
    }
    sample
}

fn put_back(value: &mut Value, kept: &Map<String, Value>) {
    match value {
        Value::String(text) => {
            let content = text.strip_prefix("attachment://").and_then(|name| kept.get(name));
            if let Some(content) = content.and_then(Value::as_str) {
                content.clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put_back(item, kept)),
        Value::Object(fields) => fields.values_mut().for_each(|field| put_back(field, kept)),
        _ => {}
    }
}

/// What `samples/ID_epoch_N.json` is sorted by: N, then ID so that `9` comes before `10`, digits by how many there
/// are, then as they are.
fn in_order(name: &str) -> Vec<(usize, String)> {
    let (name, epoch) = name.rsplit_once("_epoch_").unwrap_or((name, ""));
    let mut parts: Vec<(usize, String)> = vec![(epoch.len(), epoch.to_owned())];
    let mut before = None;
    for c in name.chars() {
        let digit = c.is_ascii_digit();
        if before != Some(digit) {
            parts.push((0, String::new()));
        }
        before = Some(digit);
        if let Some((digits, part)) = parts.last_mut() {
            part.push(c);
            *digits = if digit { part.len() } else { 0 };
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_in_order() {
        let mut names =
            ["s/10_epoch_1", "s/9_epoch_2", "s/9_epoch_10", "s/a_epoch_1", "s/9_epoch_1"];
        names.sort_by_cached_key(|name| in_order(name));
        let expected =
            ["s/9_epoch_1", "s/10_epoch_1", "s/a_epoch_1", "s/9_epoch_2", "s/9_epoch_10"];
        assert_eq!(names, expected);
    }
}
