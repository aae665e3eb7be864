//! Texts from files: which format a file has, and what is said when it is not that.

mod answers;
mod columns;
mod format;
mod forms;
mod inspect;
mod object;
mod plain;
mod reading;
mod rows;
mod source;
#[cfg(test)]
mod tests;

use std::{io::Read, path::Path};

use format::{Format, format_of};
pub use reading::{Gaps, Reading};
use source::Source;

use super::{
    Text,
    grammar::{Grammar, GrammarError},
};

/// Why texts cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum TextError {
    /// A file that cannot be opened or read.
    #[error("cannot read texts from `{path}`: {source}")]
    Open { path: String, source: std::io::Error },
    /// A folder where a file was expected.
    #[error("`{path}` is a folder{hint}")]
    Folder { path: String, hint: String },
    /// Bytes that are no UTF-8.
    #[error(
        "{path}:{line}: byte {byte} of the line is not UTF-8; convert the file first, such as by `iconv -t UTF-8`"
    )]
    NotUtf8 { path: String, line: usize, byte: usize },
    /// Another encoding or compression, known by its first bytes.
    #[error("`{path}` is {what}; {remedy}")]
    Encoding { path: String, what: &'static str, remedy: &'static str },
    /// A line or element that is no JSON.
    #[error("{path}:{line}: {what}")]
    Json { path: String, line: usize, what: String },
    /// A JSON file that is no list of texts.
    #[error(
        "`{path}` holds {what}; a .json file is a list of texts or of objects with a text field, and one object a line is .jsonl"
    )]
    NotAList { path: String, what: &'static str },
    /// An object without the text.
    #[error("{path}:{line}: {what}")]
    Field { path: String, line: usize, what: String },
    /// A row of a table that cannot be read.
    #[error("{path}:{line}: {what}")]
    Table { path: String, line: u64, what: String },
    /// A file of columns or an archive that cannot be read.
    #[error("`{path}`: {what}")]
    Columns { path: String, what: String },
    /// A grammar that gives no texts.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
    /// Texts that are null.
    #[error(
        "`{path}`: {n} of {of} texts are null, the first in row {first}; leave them out with --skip-missing, or by \
         `llmpr texts {path} --skip-missing -o FILE.jsonl` where a command has no such flag"
    )]
    Missing { path: String, n: usize, of: usize, first: usize },
    /// Requests without an answer, where all are wanted.
    #[error("`{path}`: {what}; {remedy}")]
    Unanswered { path: String, what: String, remedy: &'static str },
    /// Nothing in the file.
    #[error("`{path}` is empty: it holds no text")]
    Empty { path: String },
}

/// The texts of the file that `spec` names: `path` or `path:field`, `-` for standard input.
///
/// By extension: `.jsonl` one object (or string) a line, `.json` a list of them or a log of Inspect, `.txt` one
/// text a line, `.csv` and `.tsv` with a header, `.parquet`, `.arrow` and `.feather`, `.eval`; any of them compressed by
/// gzip or zstd, which are known by their first bytes. Other names are told apart by their contents. A folder is a
/// data set of `save_to_disk`, and of several splits `FOLDER:SPLIT` names one.
///
/// Without a `field` it is the first of `text`, `completion`, `generated_text`, `prediction`, `response`, `output`,
/// `content`, `solution` that is there; the samples of lm-eval and lmms-eval (`resps`), details of lighteval
/// (`model_response`), answers of servers, alone or as lines of a batch (OpenAI's completions, chats and responses,
/// Anthropic's messages, Gemini's contents), conversations (the last answer of `messages`, `conversations`, `data`)
/// and lists of completions (`outputs`) are understood. A field may be a path such as `doc.question`.
///
/// Blank lines between texts are skipped; a blank text in a field is kept. A grammar's name gives texts
/// drawn from it, as [`Grammar::drawn`] says.
///
/// # Errors
///
/// [`TextError`], which names the file, the line, and what would be right. A file without any text
/// is an error.
pub fn read_texts(spec: &str) -> Result<Vec<Text>, TextError> {
    Ok(read(spec, Gaps::default())?.texts)
}

/// As [`read_texts`], with what a person should know about the file; `gaps` says what is done where texts
/// are missing.
///
/// # Errors
///
/// [`TextError`].
pub fn read(spec: &str, gaps: Gaps) -> Result<Reading, TextError> {
    if Grammar::is_meant(spec) {
        let texts = Grammar::drawn(spec)?.into_iter().map(Text::new).collect();
        return Ok(Reading { texts, ..Reading::default() });
    }
    let (path, field) = split_spec(spec);
    let open = |source| TextError::Open { path: path.to_owned(), source };
    if path == "-" {
        return parse(path, field, std::io::stdin().lock(), gaps);
    }
    if Path::new(path).is_dir() {
        if !columns::is_dataset(path) {
            let hint = ", not a file of texts".to_owned();
            return Err(TextError::Folder { path: path.to_owned(), hint });
        }
        return finished(path, columns::dataset(path, field)?, gaps);
    }
    parse(path, field, std::fs::File::open(path).map_err(open)?, gaps)
}

/// The texts in `bytes`, read as the file `path` would be.
///
/// # Errors
///
/// Those of [`read_texts`].
pub fn parse_texts(
    path: &str,
    field: Option<&str>,
    bytes: Vec<u8>,
) -> Result<Vec<Text>, TextError> {
    Ok(parse(path, field, bytes.as_slice(), Gaps::default())?.texts)
}

fn parse(
    path: &str,
    field: Option<&str>,
    stream: impl Read,
    gaps: Gaps,
) -> Result<Reading, TextError> {
    let file = || path.to_owned();
    let open = |source| TextError::Open { path: file(), source };
    let mut source = Source::new(stream).map_err(open)?;
    let encoding = |what, remedy| Err(TextError::Encoding { path: file(), what, remedy });
    match source.head.as_slice() {
        head if source::is_zstd(head) => {
            return encoding("compressed by zstd", "unpack it first: `zstd -d`");
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            return encoding("an array of NumPy", "name a file of texts");
        }
        [b'G', b'G', b'U', b'F', ..] => {
            return encoding("a model (GGUF)", "name a file of texts");
        }
        [b'%', b'P', b'D', b'F', b'-', ..] => {
            return encoding("a PDF", "take the text out of it first: `pdftotext`");
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            return encoding("compressed by xz", "unpack it first: `xz -d`");
        }
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => {
            return encoding("compressed by bzip2", "unpack it first: `bzip2 -d`");
        }
        [b'F', b'E', b'A', b'1', ..] => {
            return encoding("Feather of version 1", "write it again as version 2 or as Parquet");
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return encoding("UTF-16", "convert it first: `iconv -f UTF-16 -t UTF-8`");
        }
        [0xef, 0xbb, 0xbf, ..] => drop(source.head.drain(..3)),
        _ => {}
    }
    let reading = match format_of(path, &source.head) {
        Format::Parquet => columns::parquet(path, field, source.whole().map_err(open)?)?,
        Format::Arrow => columns::arrow(path, field, source)?,
        Format::Eval => inspect::archive(path, field, source.whole().map_err(open)?)?,
        Format::Jsonl => rows::jsonl(path, field, source)?,
        format => {
            let bytes = source.whole().map_err(open)?;
            let content = utf8(path, &bytes, 0)?;
            match format {
                Format::Json => rows::json(path, field, content)?,
                Format::Csv(delimiter) => rows::csv(path, field, content, delimiter)?,
                _ => {
                    let lines = content.lines().filter(|line| !line.trim().is_empty());
                    Reading { texts: lines.map(Text::new).collect(), ..Reading::default() }
                }
            }
        }
    };
    finished(path, reading, gaps)
}

/// What was read of `path`, or what is wrong with it as a whole.
fn finished(path: &str, mut reading: Reading, gaps: Gaps) -> Result<Reading, TextError> {
    let file = || path.to_owned();
    if let (Some(&first), false) = (reading.missing.first(), gaps.skip_missing) {
        let n = reading.missing.len();
        let of = reading.texts.len() + n;
        return Err(TextError::Missing { path: file(), n, of, first });
    }
    let unanswered = reading.unanswered();
    if gaps.strict && !unanswered.is_empty() {
        let (what, remedy) = (unanswered.join("; "), "run it again, or leave out --strict");
        return Err(TextError::Unanswered { path: file(), what, remedy });
    }
    if gaps.skip_missing {
        let before = reading.texts.len();
        reading.texts.retain(|text| !text.is_blank());
        reading.skipped_blank = before - reading.texts.len();
    }
    match reading.texts.is_empty() {
        false => Ok(reading),
        true if unanswered.is_empty() => Err(TextError::Empty { path: file() }),
        true => {
            let (what, remedy) = (unanswered.join("; "), "no text is left, so run it again");
            Err(TextError::Unanswered { path: file(), what, remedy })
        }
    }
}

/// Path and field of `path[:field]`. A file whose name holds a colon is found as it is.
fn split_spec(spec: &str) -> (&str, Option<&str>) {
    if Path::new(spec).exists() {
        return (spec, None);
    }
    match spec.rsplit_once(':') {
        Some((path, field))
            if !field.is_empty() && path.len() > 1 && !field.contains(['/', '\\']) =>
        {
            (path, Some(field))
        }
        Some(("-", field)) => ("-", Some(field)),
        _ => (spec, None),
    }
}

/// The text of `bytes`, which follow `lines` lines of the file.
fn utf8<'a>(path: &str, bytes: &'a [u8], lines: usize) -> Result<&'a str, TextError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        let line = lines + valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let start = valid.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        TextError::NotUtf8 { path: path.to_owned(), line, byte: valid.len() - start + 1 }
    })
}
