//! Whether another process lives, judged from wherever one is.
//!
//! What is certain decides at once: the process itself where it can be seen, an earlier attempt of the own Slurm
//! job, a kernel's lock where it excludes both. Else its sign of life is watched, and one that does not change for a while on
//! *this* process's own clock belongs to a dead one; clocks of two machines are never compared.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{LockError, holder::Holder, mounts::Reach};

/// What is known of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lives.
    Alive,
    /// It has ended, or everyone acts as if it had.
    Dead,
    /// Its sign of life has to be watched for longer.
    Unsure,
}

/// How long signs of life may stay away, and what is believed beside them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// After this long without a sign a process is dead.
    pub patience: Duration,
    /// Whether kernels' locks are taken and believed.
    pub kernel: bool,
}

impl Rules {
    /// 30 seconds and the kernel's locks, unless `LLMPR_LOCK_PATIENCE` (seconds) and `LLMPR_LOCKS` (`kernel`, or
    /// `heartbeat` where a file system's locks cannot be trusted) say otherwise.
    ///
    /// # Errors
    ///
    /// [`LockError::Setting`].
    pub fn from_environment() -> Result<Self, LockError> {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, LockError> {
        let bad = |name, value: &str, wanted| LockError::Setting {
            name,
            value: value.to_owned(),
            wanted,
        };
        let patience = match env("LLMPR_LOCK_PATIENCE") {
            None => 30.0,
            Some(text) => match text.parse::<f64>() {
                Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => seconds,
                _ => return Err(bad("LLMPR_LOCK_PATIENCE", &text, "seconds from 0.1 to 86400")),
            },
        };
        let kernel = match env("LLMPR_LOCKS").as_deref() {
            None | Some("kernel") => cfg!(unix),
            Some("heartbeat") => false,
            Some(other) => return Err(bad("LLMPR_LOCKS", other, "kernel or heartbeat")),
        };
        Ok(Self { patience: Duration::from_secs_f64(patience), kernel })
    }

    /// Time between two signs of life.
    pub fn interval(&self) -> Duration {
        (self.patience / 10).min(Duration::from_secs(3))
    }
}

/// A sign of life as it was last seen.
struct Seen {
    sign: Option<(Vec<u8>, Option<SystemTime>)>,
    /// When it was first seen so.
    since: Instant,
    /// Whether it was ever seen to change.
    changed: bool,
}

/// What one process knows of others that work on a run.
pub struct Watch {
    folder: PathBuf,
    rules: Rules,
    here: Holder,
    seen: Mutex<HashMap<String, Seen>>,
}

impl Watch {
    /// One that finds signs of life in `folder`.
    pub fn new(folder: PathBuf, rules: Rules, here: Holder) -> Self {
        Self { folder, rules, here, seen: Mutex::default() }
    }

    /// How long it watches at most.
    pub fn patience(&self) -> Duration {
        self.rules.patience
    }

    /// Whether `other` lives, by what can be known now; asked again while it is [`Verdict::Unsure`].
    pub fn judge(&self, other: &Holder) -> Verdict {
        if tombstone(&self.folder, &other.token).exists() || self.here.succeeds(other) {
            return Verdict::Dead;
        }
        if self.here.sees(other) {
            return if other.lives() { Verdict::Alive } else { Verdict::Dead };
        }
        self.by_kernel(other).unwrap_or_else(|| self.by_signs(other))
    }

    /// What the kernel's lock on the other's sign of life says, where it excludes both processes.
    fn by_kernel(&self, other: &Holder) -> Option<Verdict> {
        if !self.rules.kernel || other.reach == Reach::Nobody {
            return None;
        }
        let one_kernel = self.here.shares_kernel(other);
        let everyone = other.reach == Reach::Cluster && Reach::of(&self.folder) == Reach::Cluster;
        if !one_kernel && !everyone {
            return None;
        }
        let file = OpenOptions::new().read(true).write(true).open(sign(&self.folder, &other.token));
        match file.ok()?.try_lock() {
            Ok(()) => Some(Verdict::Dead),
            // A server may keep the lock of a machine that has gone; its own kernel does not.
            Err(std::fs::TryLockError::WouldBlock) if one_kernel => Some(Verdict::Alive),
            Err(_) => None,
        }
    }

    fn by_signs(&self, other: &Holder) -> Verdict {
        let now = look(&sign(&self.folder, &other.token));
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Seen { sign: now.clone(), since: Instant::now(), changed: false };
        let seen = all.entry(other.token.clone()).or_insert_with(new);
        if seen.sign != now {
            // A sign that went away is no sign of life: who ends well takes its locks along.
            let changed = now.is_some();
            *seen = Seen { sign: now, since: Instant::now(), changed };
        }
        match seen.since.elapsed() < self.rules.patience {
            true if seen.changed => Verdict::Alive,
            true => Verdict::Unsure,
            false => Verdict::Dead,
        }
    }

    /// Makes it known that `other` is dead: from now on everyone acts so, and it itself stops when it wakes.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn bury(&self, other: &Holder) -> std::io::Result<()> {
        let path = tombstone(&self.folder, &other.token);
        if path.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)?;
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(mut file) => file.write_all(serde_json::to_string(&self.here)?.as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes what dead processes left that hold nothing any more.
    ///
    /// * `held`: whether a process of that token still holds something.
    pub fn clean(&self, held: impl Fn(&str) -> bool) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        for name in names.collect::<Vec<_>>() {
            let bare = name.trim_start_matches('.');
            let bare = bare.strip_suffix(".dead").or_else(|| bare.strip_suffix(".tmp"));
            let token = bare.unwrap_or(&name).to_owned();
            if token == self.here.token || held(&token) {
                continue;
            }
            let its = sign(&self.folder, &token);
            let other = std::fs::read(&its).ok().map(|bytes| signer(&bytes));
            if name.ends_with(".dead")
                || other.is_none_or(|other| self.judge(&other) == Verdict::Dead)
            {
                // The sign first: one that wakes and misses it stops as one that finds its tombstone.
                let _ = std::fs::remove_file(its);
                let _ = std::fs::remove_file(self.folder.join(&name));
            }
        }
    }
}

/// Where a process shows that it lives.
pub fn sign(folder: &Path, token: &str) -> PathBuf {
    folder.join(token)
}

/// Where it stands that it is dead.
pub fn tombstone(folder: &Path, token: &str) -> PathBuf {
    folder.join(format!("{token}.dead"))
}

/// Who gives a sign of life.
pub fn signer(sign: &[u8]) -> Holder {
    Holder::read(sign.split(|&byte| byte == b'\n').next().unwrap_or_default())
}

/// A sign of life as it is now. It is opened each time, since a network's file system looks then.
fn look(path: &Path) -> Option<(Vec<u8>, Option<SystemTime>)> {
    let mut file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes).ok()?;
    Some((bytes, file.metadata().and_then(|facts| facts.modified()).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(token: &str) -> Holder {
        Holder { pid: 1, host: "elsewhere".into(), token: token.into(), ..Holder::default() }
    }

    fn watch(folder: &Path, patience: u64) -> Watch {
        let rules = Rules { patience: Duration::from_millis(patience), kernel: true };
        Watch::new(folder.to_owned(), rules, Holder::here())
    }

    #[test]
    fn a_sign_that_changes_is_life_and_one_that_stays_for_the_time_is_death() {
        let dir = tempfile::tempdir().unwrap();
        let watch = watch(dir.path(), 120);
        let path = sign(dir.path(), "far");
        std::fs::write(&path, "1").unwrap();
        assert_eq!(watch.judge(&far("far")), Verdict::Unsure);
        std::fs::write(&path, "2").unwrap();
        assert_eq!(watch.judge(&far("far")), Verdict::Alive);
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(watch.judge(&far("far")), Verdict::Dead);
        std::fs::write(&path, "3").unwrap();
        assert_eq!(watch.judge(&far("far")), Verdict::Alive);
        watch.bury(&far("far")).unwrap();
        assert_eq!(watch.judge(&far("far")), Verdict::Dead, "a buried one stays dead");
        watch.clean(|token| token == "far");
        assert!(path.exists());
        watch.clean(|_| false);
        assert!(!tombstone(dir.path(), "far").exists());
    }

    #[test]
    fn clocks_that_differ_do_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let watch = watch(dir.path(), 80);
        let path = sign(dir.path(), "far");
        std::fs::write(&path, "1").unwrap();
        let set = |at| File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        let year = Duration::from_secs(31_536_000);
        set(SystemTime::now() + year);
        assert_eq!(watch.judge(&far("far")), Verdict::Unsure, "a year ahead");
        set(SystemTime::now() - year);
        assert_eq!(watch.judge(&far("far")), Verdict::Alive, "it changed, backward or not");
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(watch.judge(&far("far")), Verdict::Dead);
    }

    #[test]
    fn settings_that_are_none_are_named() {
        let of = |name: &'static str, value: &'static str| {
            Rules::of(&move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(of("LLMPR_LOCK_PATIENCE", "2").unwrap().patience, Duration::from_secs(2));
        assert!(!of("LLMPR_LOCKS", "heartbeat").unwrap().kernel);
        let message = of("LLMPR_LOCK_PATIENCE", "soon").unwrap_err().to_string();
        assert_eq!(message, "LLMPR_LOCK_PATIENCE=soon: it takes seconds from 0.1 to 86400");
        assert!(of("LLMPR_LOCKS", "off").is_err());
    }
}
