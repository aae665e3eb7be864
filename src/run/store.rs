//! Files of a run folder: whole or not at all, and logs that grow by whole lines.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::data::whole::{self, Whole};

/// Why a run folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum StoreError {
    /// A file that cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read { path: String, source: std::io::Error },
    /// A file or folder that cannot be written.
    #[error("cannot write `{path}`: {source}{hint}")]
    Write { path: String, source: std::io::Error, hint: &'static str },
    /// A line that is no record, with others after it.
    #[error("`{path}`, line {line}: {what}; delete that line and its completion is drawn again")]
    BadLine { path: String, line: usize, what: String },
    /// A file that is no JSON of its kind.
    #[error(
        "`{path}` is damaged: {what}; take it from a copy, or delete it and run the same `llmpr sweep` again"
    )]
    BadFile { path: String, what: String },
}

/// The error of a failed write, with advice where the disk is full.
pub fn write_error(path: &Path, source: std::io::Error) -> StoreError {
    let hint = hint(&source);
    StoreError::Write { path: path.display().to_string(), source, hint }
}

/// What to do about a failed write, where that is known.
pub fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; what is finished is kept: make room and run the same command again"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "; make it writable, or choose another --out"
        }
        _ => "",
    }
}

fn read_error(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Read { path, source }
}

/// Makes a folder and those above it.
///
/// # Errors
///
/// [`StoreError::Write`].
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(path).map_err(|source| write_error(path, source))
}

/// Puts `bytes` at `path`, whole or not at all, as [`whole::replace`] does. A file that already holds these
/// bytes is left untouched.
///
/// # Errors
///
/// [`StoreError::Write`]; the old file is then still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    if whole::holds(path, bytes) {
        return Ok(());
    }
    whole::replace(path, bytes).map_err(|source| write_error(path, source))
}

/// [`write_whole`] of indented JSON with a newline at the end, which is never held as a whole.
///
/// # Errors
///
/// [`StoreError::Write`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    fn put(mut to: impl Write, value: &impl Serialize) -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut to, value)?;
        to.write_all(b"\n")
    }
    let write = || {
        if whole::holds_written(path, |file| put(file, value))? {
            return Ok(());
        }
        let mut file = Whole::create(path)?;
        put(&mut file, value)?;
        file.finish()
    };
    write().map_err(|source| write_error(path, source))
}

/// Reads a JSON file; `None` when there is none.
///
/// # Errors
///
/// [`StoreError::Read`], [`StoreError::BadFile`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read_error(path)(error)),
    };
    let bad = |error: serde_json::Error| StoreError::BadFile {
        path: path.display().to_string(),
        what: error.to_string(),
    };
    serde_json::from_str(&text).map(Some).map_err(bad)
}

/// What [`Log::open`] found.
#[derive(Debug)]
pub struct Found<T> {
    /// The records, in the order of the file.
    pub records: Vec<T>,
    /// Bytes of a torn last line that were cut.
    pub torn: u64,
}

/// A JSON-lines file that grows by whole lines.
///
/// Each line reaches the kernel in one write; it reaches the disk at the latest [`Log::SYNC_EVERY`]
/// after the first line that waits, and when the log is closed.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    waiting_since: Option<Instant>,
}

impl Log {
    /// The longest that a line waits to be synced while others follow it.
    pub const SYNC_EVERY: Duration = Duration::from_secs(1);

    /// Opens or makes the log, reads what it holds, and cuts a torn last line.
    ///
    /// # Errors
    ///
    /// [`StoreError::Read`], [`StoreError::Write`], and [`StoreError::BadLine`] for a line that is no
    /// record although others follow: a kill cannot do that, so a person should look.
    pub fn open<T: DeserializeOwned>(path: &Path) -> Result<(Self, Found<T>), StoreError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(|source| write_error(path, source))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(read_error(path))?;
        let (records, whole) = parse_lines(path, &bytes)?;
        let torn = (bytes.len() - whole) as u64;
        if torn > 0 {
            file.set_len(whole as u64).map_err(|source| write_error(path, source))?;
        }
        file.seek(SeekFrom::Start(whole as u64)).map_err(read_error(path))?;
        Ok((Self { path: path.to_owned(), file, waiting_since: None }, Found { records, torn }))
    }

    /// Adds a record as one line.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`]; a part of the line may then stand in the file, and is cut by the next
    /// [`Log::open`].
    pub fn append(&mut self, record: &impl Serialize) -> Result<(), StoreError> {
        let json = serde_json::to_string(record);
        let mut line =
            json.map_err(|error| write_error(&self.path, std::io::Error::other(error)))?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|source| write_error(&self.path, source))?;
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= Self::SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`].
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if self.waiting_since.take().is_some() {
            self.file.sync_data().map_err(|source| write_error(&self.path, source))?;
        }
        Ok(())
    }
}

/// Reads a log without opening it for writing; a torn last line is passed over.
///
/// # Errors
///
/// [`StoreError::Read`], [`StoreError::BadLine`].
pub fn read_log<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, StoreError> {
    let bytes = std::fs::read(path).map_err(read_error(path))?;
    Ok(parse_lines(path, &bytes)?.0)
}

/// Sorts a log by `key`, of lines with equal keys the first alone, and replaces it whole; a log in order is
/// left untouched, and so is what is no file, such as a pipe. Nobody may have it open for writing: what they write would go to the old file.
///
/// # Errors
///
/// [`StoreError::Read`], [`StoreError::BadLine`], [`StoreError::Write`].
pub fn sort_log<T: DeserializeOwned, K: Ord>(
    path: &Path,
    key: impl Fn(&T) -> K,
) -> Result<(), StoreError> {
    // Through links: the file itself is what a rename has to replace.
    let path = &path.canonicalize().map_err(read_error(path))?;
    if !path.is_file() {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(read_error(path))?;
    let (records, whole) = parse_lines::<T>(path, &bytes)?;
    let mut lines: Vec<(K, &[u8])> = records
        .iter()
        .map(key)
        .zip(bytes[..whole].split_inclusive(|&byte| byte == b'\n'))
        .collect();
    if lines.is_sorted_by(|a, b| a.0 < b.0) && whole == bytes.len() {
        return Ok(());
    }
    // Stable, so that the first of equals stays the first.
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines.dedup_by(|later, first| later.0 == first.0);
    let lines: Vec<&[u8]> = lines.into_iter().map(|(_, line)| line).collect();
    write_whole(path, &lines.concat())
}

/// The records of whole lines, and how many bytes those are.
fn parse_lines<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
) -> Result<(Vec<T>, usize), StoreError> {
    let mut records = Vec::new();
    let mut start = 0;
    while let Some(length) = bytes[start..].iter().position(|&b| b == b'\n') {
        let end = start + length + 1;
        match serde_json::from_slice(&bytes[start..end]) {
            Ok(record) => records.push(record),
            // A last line of garbage with a newline: a torn write on a disk that lost power.
            Err(_) if end == bytes.len() => break,
            Err(error) => {
                return Err(StoreError::BadLine {
                    path: path.display().to_string(),
                    line: records.len() + 1,
                    what: error.to_string(),
                });
            }
        }
        start = end;
    }
    Ok((records, start))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_json(&path, &[1, 2]).unwrap();
        write_json(&path, &[3]).unwrap();
        assert_eq!(read_json::<Vec<i32>>(&path).unwrap(), Some(vec![3]));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(read_json::<Vec<i32>>(&dir.path().join("b.json")).unwrap(), None);
    }

    #[test]
    fn a_damaged_line_among_others_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        std::fs::write(&path, "1\nx\n3\n").unwrap();
        let message = Log::open::<i32>(&path).unwrap_err().to_string();
        assert!(message.contains("log.jsonl`, line 2: expected value"), "{message}");
        assert!(message.contains("drawn again"), "{message}");
    }

    #[test]
    fn a_log_that_is_whole_is_opened_without_a_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        std::fs::write(&path, "1\n2\n").unwrap();
        let then = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        let (_, found) = Log::open::<i32>(&path).unwrap();
        assert_eq!((found.records, found.torn), (vec![1, 2], 0));
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), then);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let message = make_folder(&file.join("below")).unwrap_err().to_string();
        assert!(message.contains("cannot write `") && message.contains("below"), "{message}");
    }

    #[test]
    fn a_full_disk_is_said_to_be_resumable() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let message = write_error(Path::new("s.jsonl"), full).to_string();
        assert!(message.contains("what is finished is kept: make room"), "{message}");
    }

    #[test]
    fn a_sorted_log_has_each_key_once_in_its_old_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        std::fs::write(&path, "[2, \"b\"]\n[1,\"a\"]\n[2,\"c\"]\n[10,\"d\"]\n[3").unwrap();
        let sort = || sort_log(&path, |(key, _): &(u32, String)| *key).unwrap();
        sort();
        let wanted = "[1,\"a\"]\n[2, \"b\"]\n[10,\"d\"]\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted);
        let written = || std::fs::metadata(&path).unwrap().modified().unwrap();
        let before = written();
        sort();
        assert_eq!(written(), before, "a log in order is not written again");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    proptest! {
        /// A log cut at any byte keeps its whole lines, loses the torn one, and goes on.
        #[test]
        fn a_log_killed_at_any_byte_goes_on(
            texts in proptest::collection::vec("\\PC{0,20}", 1..6), share in 0.0f64..1.0,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log.jsonl");
            let (mut log, _) = Log::open::<String>(&path).unwrap();
            texts.iter().for_each(|text| log.append(text).unwrap());
            drop(log);
            let bytes = std::fs::read(&path).unwrap();
            let cut = (bytes.len() as f64 * share) as usize;
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let (mut log, found) = Log::open::<String>(&path).unwrap();
            let kept = bytes[..cut].iter().filter(|&&b| b == b'\n').count();
            prop_assert_eq!(&found.records, &texts[..kept]);
            texts[kept..].iter().for_each(|text| log.append(text).unwrap());
            drop(log);
            prop_assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }
}
