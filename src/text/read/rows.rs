//! Line by line, element by element, row by row.

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::{Reading, TextError, inspect, object, plain, source::Source, utf8};
use crate::text::Text;

/// Bytes that a thread reads at once, up to the end of their last line.
const PART: usize = 1 << 17;

/// What a line is, before the rules that look at the rows before it.
enum Line {
    Blank,
    Plain(Box<Text>),
    Json(Value),
    NoJson(serde_json::Error),
}

impl Line {
    fn read(line: &str, field: Option<&str>) -> Self {
        if line.trim().is_empty() {
            return Self::Blank;
        }
        match plain::text_of(line, field) {
            Some(text) => Self::Plain(Box::new(text)),
            None => Self::json(line),
        }
    }

    fn json(line: &str) -> Self {
        serde_json::from_str(line).map_or_else(Self::NoJson, Self::Json)
    }
}

/// The lines of a block, in their order; `None` where it is not UTF-8.
fn read_lines(block: &[u8], field: Option<&str>) -> Option<Vec<Line>> {
    let mut parts = Vec::with_capacity(block.len() / PART + 1);
    let mut rest = block;
    while !rest.is_empty() {
        let end = rest.get(PART..).and_then(|after| after.iter().position(|&byte| byte == b'\n'));
        let (part, after) = rest.split_at(end.map_or(rest.len(), |end| PART + end + 1));
        parts.push(part);
        rest = after;
    }
    let read = |part: &&[u8]| -> Option<Vec<Line>> {
        let content = std::str::from_utf8(part).ok()?;
        Some(content.lines().map(|line| Line::read(line, field)).collect())
    };
    let read: Option<Vec<Vec<Line>>> = parts.par_iter().map(read).collect();
    Some(read?.into_iter().flatten().collect())
}

/// One value a line. Lines are read by all threads, in their order.
///
/// Cost: memory for the texts and a few blocks of the file.
pub(super) fn jsonl(
    path: &str,
    field: Option<&str>,
    source: Source<'_>,
) -> Result<Reading, TextError> {
    let mut texts = object::Reader::new(field);
    let mut before = 0;
    for block in source.blocks() {
        let block = block.map_err(|source| TextError::Open { path: path.to_owned(), source })?;
        let Some(read) = read_lines(&block, field) else {
            // Some bytes are no UTF-8, and which is said by the whole block.
            return utf8(path, &block, before).map(|_| texts.done());
        };
        let count = read.len();
        for (index, line) in read.into_iter().enumerate() {
            let at = before + index + 1;
            let wrong = |what| TextError::Field { path: path.to_owned(), line: at, what };
            // The first row is read by the rules, which note where texts are taken from.
            let line = match line {
                Line::Plain(_) if !texts.has_begun() => Line::json(
                    std::str::from_utf8(&block)
                        .ok()
                        .and_then(|c| c.lines().nth(index))
                        .unwrap_or_default(),
                ),
                line => line,
            };
            match line {
                Line::Blank => {}
                Line::Plain(text) => texts.add_plain(*text),
                Line::Json(value) => texts.read(value).map_err(wrong)?,
                Line::NoJson(error) => {
                    let torn = !block.ends_with(b"\n") && index + 1 == count && error.is_eof();
                    let what = if torn {
                        "the last line breaks off; it was cut while it was written, so remove it"
                            .to_owned()
                    } else {
                        format!("not JSON ({})", brief(&error))
                    };
                    return Err(TextError::Json { path: path.to_owned(), line: at, what });
                }
            }
        }
        before += count;
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
        Value::Object(object) if inspect::is_log(&object) => {
            return inspect::log(path, field, object);
        }
        // One answer of a server, say.
        Value::Object(object) => {
            let mut texts = object::Reader::new(field);
            let is_row = texts.read(Value::Object(object)).is_ok();
            let reading = texts.done();
            if is_row && !(reading.texts.is_empty() && reading.unanswered().is_empty()) {
                return Ok(reading);
            }
            "an object"
        }
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
