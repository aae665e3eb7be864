//! A Slurm of one node with files and ports of its own, started and ended by the test that uses it.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{skipped, until};

/// A running Slurm; its daemons end with it.
pub struct Slurm {
    dir: tempfile::TempDir,
    daemons: Vec<Child>,
}

/// Where daemons may be, which a person's search path often leaves out.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Slurm {
    /// `None` with a message where there is no Slurm or it may not be started.
    pub fn start() -> Option<Self> {
        let needed = ["slurmctld", "slurmd", "munged", "mungekey", "sbatch", "unshare"];
        if let Some(absent) = needed.iter().find(|name| program(name).is_none()) {
            skipped("slurm", &format!("there is no {absent}"));
            return None;
        }
        let id = Command::new("id").arg("-u").output().ok()?;
        if id.stdout != b"0\n" {
            skipped("slurm", "only root can start its daemons");
            return None;
        }
        let mut slurm = Self { dir: tempfile::tempdir().unwrap(), daemons: Vec::new() };
        slurm.configure();
        let (dir, socket) = (slurm.dir.path().to_owned(), slurm.file("munge.socket"));
        let key = dir.join("munge.key");
        let made =
            Command::new(program("mungekey")?).args(["--create", "--keyfile"]).arg(&key).status();
        assert!(made.unwrap().success());
        let mut munged = Command::new(program("munged")?);
        munged.args(["--foreground", "--force", "--socket"]).arg(&socket);
        munged.arg("--key-file").arg(&key).arg("--pid-file").arg(dir.join("munge.pid"));
        munged.arg("--seed-file").arg(dir.join("munge.seed"));
        slurm.daemon(munged, "munged.log");
        let waited = Instant::now();
        while !socket.exists() && waited.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut controller = Command::new(program("slurmctld")?);
        controller.args(["-D", "-c"]);
        slurm.daemon(controller, "slurmctld.out");
        let mut node = Command::new(program("slurmd")?);
        node.args(["-D", "-N", "localhost"]);
        slurm.daemon(node, "slurmd.out");
        let waited = Instant::now();
        while !slurm.said("sinfo", &["-h", "-o", "%T"]).contains("idle") {
            if waited.elapsed() > Duration::from_secs(60) {
                let log = |name: &str| fs::read_to_string(slurm.file(name)).unwrap_or_default();
                let logs = ["slurmctld.log", "slurmd.log", "munged.log"].map(log).join("\n");
                panic!("the node did not become idle\n{logs}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(slurm)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn configure(&self) {
        let dir = self.dir.path().display();
        let (control, node) = (free_port(), free_port());
        // A job that is queued again waits until its credentials have expired, two minutes unless said otherwise.
        let conf = format!(
            "ClusterName=test\nSlurmctldHost=localhost(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\n\
             SlurmctldPort={control}\nSlurmdPort={node}\nAuthType=auth/munge\n\
             AuthInfo=socket={dir}/munge.socket,cred_expire=5\nStateSaveLocation={dir}/state\n\
             SlurmdSpoolDir={dir}/spool\nSlurmctldPidFile={dir}/slurmctld.pid\n\
             SlurmdPidFile={dir}/slurmd.pid\nSlurmctldLogFile={dir}/slurmctld.log\n\
             SlurmdLogFile={dir}/slurmd.log\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
             JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core_Memory\nMinJobAge=3600\n\
             ReturnToService=2\nSlurmdParameters=config_overrides\nGresTypes=gpu\nKillWait=2\n\
             MailProg=/bin/true\nSchedulerParameters=sched_interval=1\n\
             NodeName=localhost NodeAddr=127.0.0.1 CPUs=4 RealMemory=2000 Gres=gpu:1 State=UNKNOWN\n\
             PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP\n"
        );
        fs::write(self.file("slurm.conf"), conf).unwrap();
        fs::write(self.file("gres.conf"), "NodeName=localhost Name=gpu File=/dev/zero\n").unwrap();
        for folder in ["state", "spool", "jobs"] {
            fs::create_dir(self.file(folder)).unwrap();
        }
    }

    fn daemon(&mut self, mut command: Command, log: &str) {
        let log = fs::File::create(self.file(log)).unwrap();
        let command = command.env("SLURM_CONF", self.file("slurm.conf"));
        let command = command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        self.daemons.push(command.spawn().unwrap());
    }

    /// Tells a command of this Slurm, and where its jobs' logs go.
    pub fn know<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SLURM_CONF", self.file("slurm.conf")).current_dir(self.file("jobs"));
        command.env("LLMPR_LOCKS", "heartbeat").env("LLMPR_LOCK_PATIENCE", "3")
    }

    /// What a command of Slurm prints.
    pub fn said(&self, name: &str, words: &[&str]) -> String {
        let output = self.know(Command::new(name).args(words)).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command of Slurm that has to succeed.
    pub fn run(&self, name: &str, words: &[&str]) {
        let output = self.know(Command::new(name).args(words)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {words:?}: {said}");
    }

    /// Submits, and gives the job's number.
    pub fn sbatch(&self, words: &[&str]) -> String {
        let output =
            self.know(Command::new("sbatch").arg("--parsable").args(words)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "sbatch {words:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What is known of a job and its tasks.
    pub fn shown(&self, job: &str) -> String {
        self.said("scontrol", &["show", "job", job])
    }

    /// Whether no task of a job waits or runs.
    pub fn has_ended(&self, job: &str) -> bool {
        let shown = self.shown(job);
        let states: Vec<&str> =
            shown.split_whitespace().filter_map(|word| word.strip_prefix("JobState=")).collect();
        let over = ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"];
        !states.is_empty() && states.iter().all(|state| over.contains(state))
    }

    /// The logs of all jobs, one after the other.
    pub fn logs(&self) -> String {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.file("jobs")).unwrap().flatten().map(|file| file.path()).collect();
        files.sort();
        let log = |path: &PathBuf| {
            format!("== {}\n{}", path.display(), fs::read_to_string(path).unwrap())
        };
        files.iter().map(log).collect()
    }

    /// A program that runs `program` on a machine whose name has the task's number and how often it was queued again.
    pub fn on_machines_of_their_own(&self, program: &str) -> String {
        let path = self.file("elsewhere");
        let text = format!(
            "#!/bin/bash\nhost=node-$SLURM_ARRAY_TASK_ID-${{SLURM_RESTART_COUNT:-0}}\n\
             exec unshare --uts sh -c 'hostname \"$0\" && exec \"$@\"' $host {program} \"$@\"\n"
        );
        fs::write(&path, text).unwrap();
        executable(&path);
        path.display().to_string()
    }
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Drop for Slurm {
    fn drop(&mut self) {
        self.run_quietly("scancel", &["--user", "root"]);
        if !std::thread::panicking() {
            until("no job runs", || self.said("squeue", &["-h"]).is_empty());
        }
        for daemon in self.daemons.iter_mut().rev() {
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

impl Slurm {
    fn run_quietly(&self, name: &str, words: &[&str]) {
        let _ = self.know(Command::new(name).args(words)).stderr(Stdio::null()).status();
    }
}
