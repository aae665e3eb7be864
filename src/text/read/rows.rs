//! Line by line, element by element, row by row.

use serde_json::{Map, Value};

use super::{Reading, TextError, object};

pub(super) fn jsonl(path: &str, field: Option<&str>, content: &str) -> Result<Reading, TextError> {
    let mut texts = object::Reader::new(field);
    let ends = content.ends_with('\n');
    let last = content.lines().count();
    for (index, line) in content.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let line_no = index + 1;
        let value: Value = serde_json::from_str(line).map_err(|error| {
            let torn = !ends && line_no == last && error.is_eof();
            let what = if torn {
                "the last line breaks off; it was cut while it was written, so remove it".to_owned()
            } else {
                format!("not JSON ({})", brief(&error))
            };
            TextError::Json { path: path.to_owned(), line: line_no, what }
        })?;
        texts.read(value).map_err(|what| TextError::Field {
            path: path.to_owned(),
            line: line_no,
            what,
        })?;
    }
    Ok(texts.done())
}

pub(super) fn json(path: &str, field: Option<&str>, content: &str) -> Result<Reading, TextError> {
    if content.trim().is_empty() {
        return Ok(Reading::default());
    }
    let value: Value = serde_json::from_str(content).map_err(|error| TextError::Json {
        path: path.to_owned(),
        line: error.line(),
        what: format!("not JSON ({})", brief(&error)),
    })?;
    let what = match value {
        Value::Array(elements) => {
            let mut texts = object::Reader::new(field);
            for (index, element) in elements.into_iter().enumerate() {
                texts.read(element).map_err(|what| TextError::Field {
                    path: path.to_owned(),
                    line: 1,
                    what: format!("element {}: {what}", index + 1),
                })?;
            }
            return Ok(texts.done());
        }
        Value::Object(_) => "an object",
        Value::String(_) => "a string",
        _ => "neither a list nor an object",
    };
    Err(TextError::NotAList { path: path.to_owned(), what })
}

pub(super) fn csv(
    path: &str,
    field: Option<&str>,
    content: &str,
    delimiter: u8,
) -> Result<Reading, TextError> {
    let table = |line, what| TextError::Table { path: path.to_owned(), line, what };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(content.as_bytes());
    let header = reader.headers().map_err(|error| table(1, error.to_string()))?.clone();
    let mut texts = object::Reader::new(field);
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            let what = match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    format!("{len} columns where the header has {expected_len}; quote texts that hold the delimiter")
                }
                _ => error.to_string(),
            };
            table(line, what)
        })?;
        let line = record.position().map_or(1, csv::Position::line);
        let cells = header.iter().zip(record.iter());
        let row: Map<String, Value> =
            cells.map(|(name, cell)| (name.to_owned(), Value::from(cell))).collect();
        texts.read(Value::Object(row)).map_err(|what| table(line, what))?;
    }
    Ok(texts.done())
}

/// The error without the position that the file's line replaces.
fn brief(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let reason = message.split(" at line ").next().unwrap_or_default();
    format!("{reason} at column {}", error.column())
}
