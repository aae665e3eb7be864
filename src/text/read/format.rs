//! Which format a file has, by its first bytes and its name.

use std::path::PathBuf;

use super::inspect;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jsonl,
    Json,
    Txt,
    Csv(u8),
    Parquet,
    Arrow,
    /// An archive of Inspect.
    Eval,
}

/// The format of the file `path` that begins with `bytes`.
pub(super) fn format_of(path: &str, bytes: &[u8]) -> Format {
    let mut name = PathBuf::from(path);
    let packed = |e: &std::ffi::OsStr| {
        ["gz", "zst", "zstd"].iter().any(|packed| e.eq_ignore_ascii_case(packed))
    };
    if name.extension().is_some_and(packed) {
        name.set_extension("");
    }
    let extension = name.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        _ if bytes.starts_with(b"PAR1") => Format::Parquet,
        _ if bytes.starts_with(b"ARROW1\0\0") => Format::Arrow,
        _ if bytes.starts_with(inspect::MAGIC) => Format::Eval,
        Some("jsonl" | "ndjson") => Format::Jsonl,
        Some("json") => Format::Json,
        Some("txt") => Format::Txt,
        Some("csv") => Format::Csv(b','),
        Some("tsv") => Format::Csv(b'\t'),
        Some("parquet" | "pq") => Format::Parquet,
        Some("arrow" | "feather" | "ipc") => Format::Arrow,
        Some("eval") => Format::Eval,
        _ => match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[') => Format::Json,
            Some(b'{') => Format::Jsonl,
            _ => Format::Txt,
        },
    }
}
