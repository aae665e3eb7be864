//! One writer at a time: a lock file that names its holder and does not outlive it.
//!
//! The file holds the holder's process and host for people to read; the kernel's advisory lock on it
//! is what excludes, so a killed holder leaves nothing that has to be cleaned up. Where a file system
//! has no such locks, the named process is looked up instead.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Why a lock was not obtained.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum LockError {
    /// Someone else is writing.
    #[error(
        "`{path}` is held by process {pid} on {host}; wait until it ends, or choose another --out"
    )]
    Held { path: String, pid: u32, host: String },
    /// Another machine left it, and whether its process lives cannot be seen from here.
    #[error(
        "`{path}` was left by process {pid} on {host}, which cannot be asked from here; \
         if it has ended, delete that file"
    )]
    OtherHost { path: String, pid: u32, host: String },
    /// The file cannot be made.
    #[error("cannot lock `{path}`: {source}")]
    Io { path: String, source: std::io::Error },
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// Host.
    pub host: String,
}

impl Holder {
    /// This process.
    pub fn here() -> Self {
        Self { pid: std::process::id(), host: host() }
    }
}

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
    /// Whether a dead holder's lock was taken over.
    pub taken_over: Option<Holder>,
}

impl Lock {
    /// Takes the lock at `path`, over from a dead process of this host if need be.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`], [`LockError::OtherHost`], [`LockError::Io`].
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        loop {
            let io = |source| LockError::Io { path: path.display().to_string(), source };
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(io)?;
            let locked = match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => return Err(held(path, &read(&mut file))),
                Err(TryLockError::Error(_)) => false,
            };
            let before = read(&mut file);
            let here = Holder::here();
            match &before {
                Some(other) if other.host != here.host => {
                    let Holder { pid, host } = other.clone();
                    return Err(LockError::OtherHost {
                        path: path.display().to_string(),
                        pid,
                        host,
                    });
                }
                Some(other) if !locked && other.pid != here.pid && lives(other.pid) => {
                    return Err(held(path, &before));
                }
                _ => {}
            }
            // Whoever held it may have removed the file between our opening and our locking it.
            if !same_file(path, &file) {
                continue;
            }
            write(&mut file, &here).map_err(io)?;
            return Ok(Self { path: path.to_owned(), file, taken_over: before });
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still locked, so that nobody else's lock can be removed by mistake. An error
        // leaves a file that the next holder takes over.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// This machine's name, or `localhost`.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

fn held(path: &Path, holder: &Option<Holder>) -> LockError {
    let holder = holder.clone().unwrap_or(Holder { pid: 0, host: "this machine".to_owned() });
    LockError::Held { path: path.display().to_string(), pid: holder.pid, host: holder.host }
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(serde_json::to_string(holder)?.as_bytes())?;
    file.flush()
}

fn lives(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(unix)]
fn same_file(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(open)) => (there.dev(), there.ino()) == (open.dev(), open.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(path: &Path, _file: &File) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::acquire(&path).unwrap();
        let message = Lock::acquire(&path).unwrap_err().to_string();
        assert!(message.contains(&format!("process {} on", std::process::id())), "{message}");
        drop(first);
        assert!(!path.exists());
        assert!(Lock::acquire(&path).unwrap().taken_over.is_none());
    }

    #[test]
    fn a_dead_process_of_this_host_is_succeeded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let dead = Holder { pid: u32::MAX, host: host() };
        std::fs::write(&path, serde_json::to_string(&dead).unwrap()).unwrap();
        assert_eq!(Lock::acquire(&path).unwrap().taken_over, Some(dead));
    }

    #[test]
    fn a_lock_of_another_host_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, r#"{"pid":1,"host":"elsewhere.example"}"#).unwrap();
        let message = Lock::acquire(&path).unwrap_err().to_string();
        assert!(message.contains("process 1 on elsewhere.example"), "{message}");
        assert!(message.contains("delete that file"), "{message}");
    }

    #[test]
    fn a_half_written_lock_of_nobody_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, r#"{"pid":1,"ho"#).unwrap();
        assert!(Lock::acquire(&path).is_ok());
    }
}
