//! One file into the cache: one process at a time, resumed where it stopped, checked, and only then visible.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    HubId, Progress,
    remote::{Answer, Remote, encoded_path},
};
use crate::{
    data::hex::hex,
    lm::{LmError, checkpoint::notes},
};

/// What the hub says about a file.
struct About {
    etag: String,
    size: Option<u64>,
}

/// A file on its way.
struct Transfer<'a> {
    name: &'a str,
    url: &'a str,
    id: &'a HubId,
    about: &'a About,
}

/// How a body ended.
enum Ending {
    Whole,
    Broken(String),
}

impl Remote<'_> {
    /// Downloads one file into `blobs`, from where an earlier attempt stopped.
    pub(super) fn blob(
        &self,
        id: &HubId,
        commit: &str,
        name: &str,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf, LmError> {
        let (page, path) = (id.page(), encoded_path(name));
        let url = format!("{}/{page}/resolve/{commit}/{path}", self.hub.endpoint);
        // What a refusal is about is this file.
        let asked = HubId { file: Some(name.to_owned()), ..id.clone() };
        let about = self.describe(&asked, &url)?;
        let blob = self.hub.repository(id).join("blobs").join(&about.etag);
        if blob.exists() {
            return Ok(blob);
        }
        create_parent(&blob)?;
        let lock = format!(".locks/{}/{}.lock", id.folder(), about.etag);
        let _lock = lock_file(&self.hub.cache.join(lock), name)?;
        if blob.exists() {
            return Ok(blob);
        }
        let transfer = Transfer { name, url: &url, id: &asked, about: &about };
        let mut partial = with_ending(&blob, "incomplete");
        self.download(&transfer, &partial, progress)?;
        if check(&partial, &about, &url).is_err() {
            // A part from elsewhere, or one that two wrote where locks do nothing: once more, alone.
            remove(&partial)?;
            partial = with_ending(&blob, &format!("{}.incomplete", std::process::id()));
            remove(&partial)?;
            self.download(&transfer, &partial, progress)?;
            if let Err(wrong) = check(&partial, &about, &url) {
                remove(&partial)?;
                return Err(wrong);
            }
        }
        match fs::rename(&partial, &blob) {
            // Somebody else was faster in spite of the lock.
            Err(_) if blob.exists() => Ok(blob),
            made => made.map(|()| blob.clone()).map_err(|source| failed(&blob, source)),
        }
    }

    /// Hash and size of a file, from the hub itself: what it redirects to tells another hash.
    fn describe(&self, id: &HubId, url: &str) -> Result<About, LmError> {
        let answer = self.head(url)?;
        let redirected = answer.response.status().is_redirection();
        let answer = if redirected { answer } else { self.accepted(answer, id)? };
        let [linked, linked_size] = answer.linked();
        let etag = linked.or(answer.header("etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if etag.is_empty() || etag.len() > 128 || !etag.chars().all(plain) {
            let why = "the answer has no usable ETag".into();
            return Err(LmError::Fetch { what: url.into(), why });
        }
        let length = answer.header("content-length").filter(|_| !redirected);
        let size = linked_size.or(length).and_then(|text| text.parse().ok());
        Ok(About { etag, size })
    }

    /// Brings `partial` to its full size; a connection that breaks is taken up again.
    fn download(
        &self,
        transfer: &Transfer<'_>,
        partial: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<(), LmError> {
        let Transfer { name, url, id, about } = *transfer;
        let mut patience = self.patience();
        loop {
            let have = partial.metadata().map_or(0, |metadata| metadata.len());
            if about.size == Some(have) && (have > 0 || partial.exists()) {
                return Ok(());
            }
            // More than there is is no beginning of it.
            let from = if about.size.is_some_and(|size| have > size) { 0 } else { have };
            let mut answer = self.get(url, from)?;
            if answer.status() == 416 {
                answer = self.get(url, 0)?;
            }
            let mut answer = self.accepted(answer, id)?;
            let resumed = answer.status() == 206 && begins_at(&answer, from);
            if answer.status() == 206 && !resumed {
                remove(partial)?;
                answer = self.accepted(self.get(url, 0)?, id)?;
            }
            let from = if resumed { from } else { 0 };
            let mut hear = |have| progress(name, have, about.size);
            hear(from);
            let read = receive(answer, partial, from, &mut hear)?;
            let now = partial.metadata().map_or(0, |metadata| metadata.len());
            let why = match read {
                Ending::Whole if about.size.is_none_or(|size| size == now) => return Ok(()),
                Ending::Whole => "it ended early".to_owned(),
                Ending::Broken(why) => why,
            };
            if now > have {
                patience = self.patience();
            }
            let of = about.size.map_or_else(String::new, |size| format!(" of {size}"));
            let why = format!("the connection broke after {now}{of} bytes of {name} ({why})");
            if !patience.again(&why, None) {
                let why = format!("{why}; run it again to continue");
                return Err(LmError::Fetch { what: url.into(), why });
            }
        }
    }
}

/// Whether a part begins where it was asked to; without a `Content-Range` it is believed.
fn begins_at(answer: &Answer, from: u64) -> bool {
    let range = answer.header("content-range").and_then(|range| range.strip_prefix("bytes "));
    let start = range.and_then(|range| range.split('-').next()?.trim().parse::<u64>().ok());
    start.is_none_or(|start| start == from)
}

/// Writes a body behind the first `have` bytes of `partial`.
fn receive(
    mut answer: Answer,
    partial: &Path,
    mut have: u64,
    hear: &mut dyn FnMut(u64),
) -> Result<Ending, LmError> {
    let written = |source| failed(partial, source);
    // Again: another process may have failed and taken the empty folder away.
    create_parent(partial)?;
    let mut file = OpenOptions::new()
        .create(true)
        .append(have > 0)
        .write(true)
        .truncate(have == 0)
        .open(partial)
        .map_err(written)?;
    let mut body = answer.response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 18];
    let end = loop {
        match body.read(&mut buffer) {
            Ok(0) => break Ending::Whole,
            Ok(read) => {
                file.write_all(&buffer[..read]).map_err(written)?;
                have += read as u64;
                hear(have);
            }
            Err(error) => break Ending::Broken(error.to_string()),
        }
    };
    file.sync_all().map_err(written)?;
    Ok(end)
}

/// Size and, where the ETag is one, SHA-256 of the file or SHA-1 of git's blob.
fn check(partial: &Path, about: &About, url: &str) -> Result<(), LmError> {
    let wrong = |why: String| Err(LmError::Fetch { what: url.into(), why });
    let read = |source| failed(partial, source);
    let mut file = File::open(partial).map_err(read)?;
    let have = file.metadata().map_err(read)?.len();
    if let Some(size) = about.size.filter(|size| *size != have) {
        return wrong(format!("{have} of {size} bytes arrived; run it again to continue"));
    }
    let hexadecimal = about.etag.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let kind = if hexadecimal { about.etag.len() } else { 0 };
    if kind != 64 && kind != 40 {
        return Ok(());
    }
    let mut sha256 = Sha256::new();
    let mut git = Sha1::new_with_prefix(format!("blob {have}\0"));
    let mut plain = Sha1::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(read)?;
        match &buffer[..read] {
            [] => break,
            bytes if kind == 64 => sha256.update(bytes),
            bytes => {
                git.update(bytes);
                plain.update(bytes);
            }
        }
    }
    let (name, hash) = match kind {
        64 => ("SHA-256", hex(sha256.finalize())),
        _ => ("git's SHA-1", hex(git.finalize())),
    };
    // Mirrors that are no git tell the SHA-1 of the file alone.
    if hash == about.etag || (kind == 40 && hex(plain.finalize()) == about.etag) {
        return Ok(());
    }
    wrong(format!("the file that arrived has {name} {hash}, not {}", about.etag))
}

/// The lock that Python's huggingface_hub takes for the same file, held until it is dropped; none where the file
/// system has no locks.
fn lock_file(path: &Path, name: &str) -> Result<Option<File>, LmError> {
    create_parent(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o664);
    let file = options.open(path).map_err(|source| failed(path, source))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut told, true) {
                    notes::tell(&format!("another process is fetching {name}; waiting for it"));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn remove(path: &Path) -> Result<(), LmError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

pub(super) fn failed(path: &Path, source: std::io::Error) -> LmError {
    LmError::Write { path: path.display().to_string(), source }
}

pub(super) fn create_parent(path: &Path) -> Result<(), LmError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|source| failed(parent, source))
}
