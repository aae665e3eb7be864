//! One writer at a time, on any file system: a lock file that names its holder and does not outlive it.
//!
//! A lock is a file that nobody else can make: it is linked into place whole. Its holder shows in the run's folder `alive/`
//! that it lives, one file for everything it holds, and [`Watch`] tells from any machine whether it does. Who finds a lock
//! of a dead holder says so in a tombstone, which the holder obeys should it wake, and writes a link behind the
//! dead lock, `lock.after-TOKEN`. Only one process can make that file: it is the new holder, and it puts its own lock in
//! the place of the old one.
//! Kernels' locks are evidence, never the exclusion itself, so that file systems without them are as safe.

mod alive;
mod holder;
mod mounts;
mod watch;

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

pub use alive::Alive;
pub use holder::{Holder, Job, host};
pub use mounts::Reach;
use serde::{Deserialize, Serialize};
pub use watch::{Rules, Verdict, Watch};

use super::{progress::Progress, signals::Stop};
use crate::data::whole::temporary_beside;

/// Why a lock was not obtained, or is no longer held.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum LockError {
    /// Someone else is writing.
    #[error("`{path}` is held by {holder}; wait until it ends, or choose another --out")]
    Held { path: String, holder: String },
    /// Version 0.1 left it on another machine, and gave no signs of life.
    #[error(
        "`{path}` was left by {holder}, which cannot be asked from here; \
         if it has ended, delete that file"
    )]
    OtherHost { path: String, holder: String },
    /// Others saw no sign of life of this process and went on in its place.
    #[error(
        "this process was taken for dead, and {by} goes on in its place; what it had finished is kept, \
         and nothing more is written here"
    )]
    Lost { by: String },
    /// A stop was asked for while it waited.
    #[error("stopped while waiting for `{path}`")]
    Stopped { path: String },
    /// The file cannot be made.
    #[error("cannot lock `{path}`: {source}{hint}")]
    Io { path: String, source: std::io::Error, hint: &'static str },
    /// An environment variable that says nothing.
    #[error("{name}={value}: it takes {wanted}")]
    Setting { name: &'static str, value: String, wanted: &'static str },
}

impl LockError {
    /// The error for a file that cannot be read or made.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        let hint = super::store::hint(&source);
        Self::Io { path: path.display().to_string(), source, hint }
    }

    /// The error for a lock of a living holder.
    pub fn held(path: &Path, holder: &Holder) -> Self {
        Self::Held { path: path.display().to_string(), holder: holder.to_string() }
    }
}

/// What came of trying to take a lock.
#[derive(Debug)]
pub enum Attempt {
    /// It is held.
    Taken(Lock),
    /// Someone else holds it and lives.
    Busy(Holder),
    /// Someone else holds it, and whether they live shows only with time: to be tried again.
    Unsure(Holder),
}

/// What a lock file says.
#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(flatten)]
    holder: Holder,
    /// Which of its holder's locks it is.
    number: u64,
}

/// How to wait for a lock.
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    /// How long a living holder is waited for.
    pub busy: Duration,
    /// Ends the waiting.
    pub stop: &'a Stop,
    /// Told what is waited for.
    pub progress: &'a dyn Progress,
}

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    text: Vec<u8>,
    alive: Arc<Alive>,
    /// Whose lock was taken over, because it is dead.
    pub taken_over: Option<Holder>,
}

impl Lock {
    /// Takes the lock at `path`, over from a dead holder if need be, waiting as `waiting` says.
    ///
    /// # Errors
    ///
    /// [`LockError`].
    pub fn acquire(
        path: &Path,
        alive: &Arc<Alive>,
        waiting: Waiting<'_>,
    ) -> Result<Self, LockError> {
        let (started, mut said) = (Instant::now(), false);
        let mut say = |holder: &Holder| {
            // Most holders hold for moments.
            if !said && started.elapsed() > Duration::from_secs(1) {
                said = true;
                waiting.progress.say(&format!("waiting for {holder}, which holds this run"));
            }
        };
        loop {
            match Self::attempt(path, alive)? {
                Attempt::Taken(lock) => return Ok(lock),
                Attempt::Busy(holder) if started.elapsed() >= waiting.busy => {
                    return Err(LockError::held(path, &holder));
                }
                Attempt::Busy(holder) | Attempt::Unsure(holder) => say(&holder),
            }
            if waiting.stop.asked() {
                return Err(LockError::Stopped { path: path.display().to_string() });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes the lock at `path` if nobody holds it or its holder is dead.
    ///
    /// # Errors
    ///
    /// [`LockError::OtherHost`], [`LockError::Lost`], [`LockError::Io`].
    pub fn attempt(path: &Path, alive: &Arc<Alive>) -> Result<Attempt, LockError> {
        let io = |error: std::io::Error| LockError::io(path, error);
        alive.check()?;
        let content = Content { holder: alive.holder().clone(), number: alive.next() };
        let text = serde_json::to_vec(&content).map_err(|error| io(error.into()))?;
        let taken = |taken_over| {
            let (path, alive) = (path.to_owned(), alive.clone());
            Attempt::Taken(Self { path, text: text.clone(), alive, taken_over })
        };
        // A file that changes while it is read is read again.
        loop {
            let Some(first) = read(path).map_err(io)? else {
                if make(path, &text).map_err(io)? {
                    return Ok(taken(None));
                }
                continue;
            };
            if first.is_old() {
                by_old_rules(path, &first, alive)?;
            }
            let mut links = vec![first];
            while let Some(next) = read(&after(path, last(&links))).map_err(io)? {
                links.push(next);
            }
            let holder = last(&links).clone();
            match if holder.is_old() { Verdict::Dead } else { alive.watch.judge(&holder) } {
                Verdict::Alive => return Ok(Attempt::Busy(holder)),
                Verdict::Unsure => return Ok(Attempt::Unsure(holder)),
                Verdict::Dead => {}
            }
            alive.watch.bury(&holder).map_err(io)?;
            let link = after(path, &holder);
            if !make(&link, &text).map_err(io)? {
                continue;
            }
            // Had another takeover ended between reading and linking, this link hangs on nothing.
            if read(path).map_err(io)?.as_ref().map(|now| &now.token) != Some(&links[0].token) {
                let _ = std::fs::remove_file(&link);
                continue;
            }
            replace(path, &text).map_err(io)?;
            for dead in &links {
                let _ = std::fs::remove_file(after(path, dead));
            }
            return Ok(taken(Some(holder)));
        }
    }

    /// Says whose lock it was, once for all locks of one dead holder.
    pub fn introduce(&self, progress: &dyn Progress) {
        if let Some(dead) = &self.taken_over
            && self.alive.is_news(dead)
        {
            progress.say(&format!("going on after {dead}, which ended early"));
        }
    }

    /// Whether it is still held; asked before anything is written.
    ///
    /// # Errors
    ///
    /// [`LockError::Lost`].
    pub fn check(&self) -> Result<(), LockError> {
        self.alive.check()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that was taken over is another's.
        if std::fs::read(&self.path).is_ok_and(|now| now == self.text) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Who holds the lock at `path`, dead or alive.
///
/// # Errors
///
/// When it cannot be read.
pub fn read(path: &Path) -> std::io::Result<Option<Holder>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(Holder::read(&bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who holds the lock at `path` after all that were taken over, dead or alive.
///
/// # Errors
///
/// When it cannot be read.
pub fn holder(path: &Path) -> std::io::Result<Option<Holder>> {
    let mut found = read(path)?;
    while let Some(next) =
        found.as_ref().map(|dead| read(&after(path, dead))).transpose()?.flatten()
    {
        found = Some(next);
    }
    Ok(found)
}

fn last(links: &[Holder]) -> &Holder {
    &links[links.len() - 1]
}

/// Where the one stands that takes the lock at `path` over from `dead`.
fn after(path: &Path, dead: &Holder) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".after-{}", dead.token));
    name.into()
}

/// Whether a lock of version 0.1 is free: its holder keeps the kernel's lock on the file itself.
fn by_old_rules(path: &Path, holder: &Holder, alive: &Arc<Alive>) -> Result<(), LockError> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let locked = match file.map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(std::fs::TryLockError::WouldBlock)) => return Err(LockError::held(path, holder)),
        _ => false,
    };
    if holder.host != alive.holder().host {
        let (path, holder) = (path.display().to_string(), holder.to_string());
        return Err(LockError::OtherHost { path, holder });
    }
    if !locked && holder.lives() { Err(LockError::held(path, holder)) } else { Ok(()) }
}

/// Makes a file whole where there is none; whether it did. A link is made by one process alone on network file
/// systems, too.
fn make(path: &Path, text: &[u8]) -> std::io::Result<bool> {
    let temporary = temporary_beside(path);
    let linked =
        std::fs::write(&temporary, text).and_then(|()| std::fs::hard_link(&temporary, path));
    let _ = std::fs::remove_file(&temporary);
    match linked {
        Ok(()) => Ok(true),
        // An answer that was lost on the way is asked for again, and then finds the link that was made.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(std::fs::read(path).is_ok_and(|there| there == text))
        }
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::NotFound
            ) =>
        {
            Err(error)
        }
        // Not every file system has links.
        Err(_) => match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(mut file) => file.write_all(text).map(|()| true).inspect_err(|_| {
                let _ = std::fs::remove_file(path);
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
    }
}

/// Puts `text` in the place of a file, whole.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let temporary = temporary_beside(path);
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests;
