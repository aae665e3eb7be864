//! The sign of life of this process: one file a run, whatever it holds there, renewed by one thread.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    LockError,
    holder::Holder,
    mounts::Reach,
    watch::{Rules, Watch, sign, tombstone},
};

/// This process, as others see that it works on a run; dropping it takes the sign away.
pub struct Alive {
    inner: Arc<Inner>,
    bell: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// What it knows of others.
    pub watch: Watch,
    locks: AtomicU64,
    /// Dead holders that were spoken of.
    told: Mutex<HashSet<String>>,
}

struct Inner {
    folder: PathBuf,
    holder: Holder,
    /// Held open, with the kernel's lock on it.
    file: Mutex<File>,
    /// Bytes before the counter.
    head: u64,
    /// Whether other machines see what is written only once it has left this one.
    far: bool,
    interval: Duration,
    /// When it was last certain that nobody has taken over.
    certain: Mutex<Instant>,
    lost: AtomicBool,
}

impl Alive {
    /// Begins to show in `folder` that this process lives.
    ///
    /// # Errors
    ///
    /// [`LockError::Io`], [`LockError::Setting`].
    pub fn begin(folder: &Path) -> Result<Self, LockError> {
        Self::begin_as(folder, Holder::here(), Rules::from_environment()?)
    }

    pub(super) fn begin_as(
        folder: &Path,
        mut holder: Holder,
        rules: Rules,
    ) -> Result<Self, LockError> {
        let path = sign(folder, &holder.token);
        let io = |error| LockError::io(&path, error);
        let mut file = made(folder, &path).map_err(io)?;
        if rules.kernel && file.try_lock().is_ok() {
            holder.reach = Reach::of(folder);
        }
        let text = format!("{}\n", serde_json::to_string(&holder).map_err(|e| io(e.into()))?);
        let written = file.write_all(format!("{text}{}", counter(0)).as_bytes());
        if let Err(error) = written {
            let _ = std::fs::remove_file(&path);
            return Err(io(error));
        }
        let watch = Watch::new(folder.to_owned(), rules, holder.clone());
        let inner = Arc::new(Inner {
            folder: folder.to_owned(),
            holder,
            file: Mutex::new(file),
            head: text.len() as u64,
            far: Reach::of(folder) != Reach::Machine,
            interval: rules.interval(),
            certain: Mutex::new(Instant::now()),
            lost: AtomicBool::new(false),
        });
        let (bell, ring) = mpsc::channel::<()>();
        let own = inner.clone();
        let thread = std::thread::Builder::new().name("sign of life".to_owned()).spawn(move || {
            for beat in 1u64.. {
                if ring.recv_timeout(own.interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                own.renew(beat);
            }
        });
        let thread = thread.map_err(io)?;
        let (bell, thread, locks) = (Some(bell), Some(thread), AtomicU64::new(0));
        Ok(Self { inner, bell, thread, watch, locks, told: Mutex::default() })
    }

    /// Who this is.
    pub fn holder(&self) -> &Holder {
        &self.inner.holder
    }

    /// Whether `dead` was not spoken of before.
    pub(super) fn is_news(&self, dead: &Holder) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(dead.token.clone())
    }

    /// A number that no other lock of this process has.
    pub(super) fn next(&self) -> u64 {
        self.locks.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether nobody has taken over what this process holds; asked before anything is written.
    ///
    /// # Errors
    ///
    /// [`LockError::Lost`], for ever.
    pub fn check(&self) -> Result<(), LockError> {
        let inner = &self.inner;
        let certain = *inner.certain.lock().unwrap_or_else(PoisonError::into_inner);
        // A process that was stopped for a while wakes here before its thread has looked.
        if certain.elapsed() > inner.interval * 2 {
            inner.look();
        }
        if inner.lost.load(Ordering::Relaxed) {
            let by = std::fs::read(tombstone(&inner.folder, &inner.holder.token));
            return Err(LockError::Lost { by: Holder::read(&by.unwrap_or_default()).to_string() });
        }
        Ok(())
    }
}

impl Inner {
    /// Gives the next sign, and sees whether others believe in it.
    fn renew(&self, beat: u64) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut write = || {
            file.seek(SeekFrom::Start(self.head))?;
            file.write_all(counter(beat).as_bytes())?;
            if self.far { file.sync_data() } else { Ok(()) }
        };
        // On a full disk the time of the file goes on changing; what it says is nobody's business.
        if write().is_err() {
            let at = std::time::UNIX_EPOCH + Duration::from_secs(beat);
            let _ = file.set_modified(at);
        }
        drop(file);
        self.look();
    }

    /// Looks for one's own tombstone.
    fn look(&self) {
        // A network's file system may remember for a minute that a file was not there, until this machine
        // changes something in the folder.
        let probe = self.folder.join(format!(".{}.tmp", self.holder.token));
        let _ = File::create(&probe).and_then(|_| std::fs::remove_file(&probe));
        let gone = |path: &Path| {
            std::fs::metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
        };
        if tombstone(&self.folder, &self.holder.token).exists()
            || gone(&sign(&self.folder, &self.holder.token))
        {
            self.lost.store(true, Ordering::Relaxed);
        }
        *self.certain.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        drop(self.bell.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let Inner { folder, holder, .. } = &*self.inner;
        let _ = std::fs::remove_file(sign(folder, &holder.token));
        // Gone with the last one; a folder with others in it stays.
        let _ = std::fs::remove_dir(folder);
    }
}

impl std::fmt::Debug for Alive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alive").field("holder", &self.inner.holder).finish()
    }
}

/// Of one length, so that a new number takes the place of the old one.
fn counter(beat: u64) -> String {
    format!("{beat:012}\n")
}

/// Makes the file, and its folder as often as another process that ends takes it away.
fn made(folder: &Path, path: &Path) -> std::io::Result<File> {
    let mut attempts = 0;
    loop {
        std::fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && attempts < 100 => {
                attempts += 1;
            }
            result => return result,
        }
    }
}
