//! Who holds a lock: enough to tell from any machine whether that process has ended.

use std::{
    hash::{BuildHasher, Hasher},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::mounts::Reach;
use crate::data::hex::hex;

/// A job of Slurm, as far as it tells one attempt from the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The cluster's name.
    pub cluster: String,
    /// `12_3` for a task of an array, `15` for a job of its own.
    pub id: String,
    /// How often it was queued again.
    pub restarts: u32,
}

impl Job {
    /// The job that this process is a part of.
    pub fn here() -> Option<Self> {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let task = env("SLURM_ARRAY_JOB_ID").zip(env("SLURM_ARRAY_TASK_ID"));
        let id = task.map(|(job, task)| format!("{job}_{task}")).or_else(|| env("SLURM_JOB_ID"))?;
        let restarts = env("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok());
        let cluster = env("SLURM_CLUSTER_NAME").unwrap_or_default();
        Some(Self { cluster, id, restarts: restarts.unwrap_or(0) })
    }

    /// Whether this is an earlier attempt of `later`: Slurm queues a job again only once it has ended.
    fn is_before(&self, later: &Self) -> bool {
        (&self.cluster, &self.id) == (&later.cluster, &later.id) && self.restarts < later.restarts
    }
}

/// Who holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// Host.
    pub host: String,
    /// Names this process among all that ever were; empty where version 0.1 wrote it.
    #[serde(default)]
    pub token: String,
    /// The boot of the machine's kernel.
    #[serde(default)]
    pub boot: String,
    /// Whose process numbers `pid` is one of: containers count their own.
    #[serde(default)]
    pub space: String,
    /// When the process began, in ticks of its machine: numbers of processes come again.
    #[serde(default)]
    pub began: u64,
    /// Its job, where Slurm started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// Whom the kernel's lock on its sign of life excludes.
    #[serde(default)]
    pub reach: Reach,
}

impl Holder {
    /// This process.
    pub fn here() -> Self {
        let pid = std::process::id();
        let line = |path: &str| {
            std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
        };
        let space = std::fs::read_link("/proc/self/ns/pid").ok();
        let mut holder = Self {
            pid,
            host: host(),
            token: String::new(),
            boot: line("/proc/sys/kernel/random/boot_id"),
            space: space.map(|at| at.display().to_string()).unwrap_or_default(),
            began: stat(pid).ok().and_then(|stat| began(&stat)).unwrap_or(0),
            job: Job::here(),
            reach: Reach::Nobody,
        };
        holder.token = holder.new_token();
        holder
    }

    fn new_token(&self) -> String {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        // Keyed by the operating system's randomness, and differently each time.
        let chance = std::hash::RandomState::new().build_hasher().finish();
        let all = format!("{self:?} {clock} {chance}");
        hex(Sha256::digest(all))[..16].to_owned()
    }

    /// What a lock file says. Of a file that is no whole holder the bytes themselves are the name.
    pub fn read(bytes: &[u8]) -> Self {
        let mut holder: Self = serde_json::from_slice(bytes).unwrap_or_default();
        // It names files: what is no token of ours names none.
        if !holder.token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            holder = Self::default();
        }
        if holder.token.is_empty() {
            holder.token = format!("bytes-{}", &hex(Sha256::digest(bytes))[..16]);
        }
        holder
    }

    /// Whether version 0.1 wrote it, which gave no signs of life.
    pub fn is_old(&self) -> bool {
        self.token.starts_with("bytes-") && !self.host.is_empty()
    }

    /// Whether both run on one kernel, whatever they call the machine.
    pub fn shares_kernel(&self, other: &Self) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }

    /// Whether the other's process can be looked up from here. Where the first process of all cannot be, other people's
    /// are hidden (`hidepid`).
    pub fn sees(&self, other: &Self) -> bool {
        let same = (&self.space, &self.host) == (&other.space, &other.host);
        same && !self.space.is_empty() && self.shares_kernel(other) && Path::new("/proc/1").exists()
    }

    /// Whether the process lives; for one that can be [seen](Self::sees).
    pub fn lives(&self) -> bool {
        match stat(self.pid) {
            Ok(stat) => began(&stat).is_some_and(|began| self.began == 0 || began == self.began),
            // Of another person, perhaps: then it can be seen and not read.
            Err(_) => Path::new("/proc").join(self.pid.to_string()).exists(),
        }
    }

    /// Whether it is an earlier attempt of the job that `self` is.
    pub fn succeeds(&self, other: &Self) -> bool {
        self.job.as_ref().zip(other.job.as_ref()).is_some_and(|(own, its)| its.is_before(own))
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.is_empty() {
            true => write!(f, "a process that left no name"),
            false => write!(f, "process {} on {}", self.pid, self.host),
        }
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

fn stat(pid: u32) -> std::io::Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
}

/// When a process began, in ticks after the boot: the 22nd field of its `stat`, counted behind the name, which
/// may hold anything. `None` for one that has ended and whose parent has not asked how.
fn began(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_is_seen_and_one_with_its_number_is_not_taken_for_it() {
        let here = Holder::here();
        assert!(here.sees(&here) && here.lives());
        assert!(!Holder { began: here.began + 1, ..here.clone() }.lives());
        assert!(!Holder { pid: u32::MAX, ..here.clone() }.lives());
        assert_ne!(here.token, Holder::here().token);
        assert!(!here.sees(&Holder { host: "elsewhere".into(), ..here.clone() }));
        assert!(!here.sees(&Holder { boot: "another".into(), ..here.clone() }));
    }

    #[test]
    fn a_token_that_would_name_a_file_elsewhere_is_none() {
        for token in ["../x", "/tmp/x", "a/b", "."] {
            let holder =
                Holder::read(format!(r#"{{"pid":1,"host":"h","token":"{token}"}}"#).as_bytes());
            assert!(holder.token.starts_with("bytes-") && holder.host.is_empty(), "{holder:?}");
        }
        assert_eq!(Holder::read(br#"{"pid":1,"host":"h","token":"a1-b"}"#).token, "a1-b");
    }

    #[test]
    fn one_that_has_ended_is_dead_before_its_parent_asks_how() {
        if !Path::new("/proc/self/stat").exists() {
            crate::shared_data::skipped("holder", "there is no /proc");
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let holder = Holder { pid: child.id(), began: 0, ..Holder::here() };
        assert!(holder.lives());
        child.kill().unwrap();
        let started = std::time::Instant::now();
        while holder.lives() && started.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        assert!(!holder.lives());
        child.wait().unwrap();
    }

    #[test]
    fn a_job_s_earlier_attempt_has_ended_and_another_task_s_has_not() {
        let job = |task: &'static str, restarts: &'static str| {
            Job::of(&move |name| match name {
                "SLURM_ARRAY_JOB_ID" => Some("12".to_owned()),
                "SLURM_ARRAY_TASK_ID" => Some(task.to_owned()),
                "SLURM_RESTART_COUNT" => Some(restarts.to_owned()).filter(|n| n != "0"),
                "SLURM_JOB_ID" => Some("99".to_owned()),
                _ => None,
            })
        };
        let holder = |job| Holder { job, ..Holder::here() };
        let again = holder(job("3", "2"));
        assert_eq!(again.job.clone().unwrap().id, "12_3");
        assert!(again.succeeds(&holder(job("3", "1"))) && again.succeeds(&holder(job("3", "0"))));
        assert!(!again.succeeds(&holder(job("3", "2"))) && !again.succeeds(&holder(job("4", "0"))));
        assert!(!again.succeeds(&holder(None)) && !holder(None).succeeds(&again));
        assert_eq!(Job::of(&|name| (name == "SLURM_JOB_ID").then(|| "7".into())).unwrap().id, "7");
    }

    #[test]
    fn an_earlier_attempt_of_a_slurm_job_comes_before_a_later_one_and_no_other_job_does() {
        let job = |cluster: &str, id: &str, restarts| Job {
            cluster: cluster.into(),
            id: id.into(),
            restarts,
        };
        let later = job("a", "1_7", 2);
        assert!(job("a", "1_7", 1).is_before(&later));
        for other in
            [job("a", "1_7", 2), job("a", "1_7", 3), job("a", "1_8", 1), job("b", "1_7", 1)]
        {
            assert!(!other.is_before(&later), "{other:?}");
        }
    }
}
