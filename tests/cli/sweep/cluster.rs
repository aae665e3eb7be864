//! Several machines on one run: a machine that died, two that live, a full disk.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{csv, done, ran, samples, session};
use crate::score::Ran;

/// A sweep of the bundled world in `out`: six cells of two models.
pub fn sweep(out: &Path, more: &[&str]) -> Command {
    on_this_host(&words(out, more))
}

fn words(out: &Path, more: &[&str]) -> Vec<String> {
    let words = ["sweep", "--temps", "0.5,1,1.3", "--shots", "0", "--max-new-tokens", "8"];
    let more_words = ["--resamples", "0", "--permutations", "0", "--metrics", "support", "--out"];
    let mut all: Vec<&str> = [&words[..], &more_words[..]].concat();
    all.push(out.to_str().unwrap());
    if !more.contains(&"-n") {
        all.extend(["-n", "12"]);
    }
    all.extend(more);
    all.into_iter().map(str::to_owned).collect()
}

fn on_this_host(words: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(words);
    quick(&mut command);
    command
}

/// The same under another name of the machine.
fn on_host(host: &str, words: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--uts", "sh", "-c", "hostname \"$0\" && exec \"$@\"", host]);
    command.arg(env!("CARGO_BIN_EXE_llmpr")).args(words);
    quick(&mut command);
    command
}

/// Without the kernel's locks, as on a file system where they do nothing, and with little patience.
fn quick(command: &mut Command) {
    command.env("NO_COLOR", "1").env("LLMPR_LOCKS", "heartbeat");
    command.env("LLMPR_LOCK_PATIENCE", "3").env("XDG_CACHE_HOME", "/nonexistent");
}

/// Whether a machine may be renamed here.
fn hosts_can_be_named() -> bool {
    let mut command = Command::new("unshare");
    let tried = command.args(["--uts", "hostname", "another"]).stderr(Stdio::null()).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        crate::common::skipped("cluster", "`unshare --uts hostname` is not permitted here");
    }
    can
}

/// Of how many completions a cell has to be, for the same sweep to draw for so many seconds, whether this program is
/// optimized or not.
pub fn lasting(seconds: f64, out: &Path, n: usize) -> usize {
    let took = session(out)["sampling_seconds"].as_f64().unwrap();
    ((n as f64 * seconds / took) as usize).clamp(16, 2000)
}

/// The flags of a sweep that draws for some seconds, a row at a time, so that a kill comes in the middle.
fn slow(dir: &Path, seconds: f64) -> Vec<String> {
    let out = dir.join("trial");
    done(&mut sweep(&out, &["--batch", "1"]));
    let n = lasting(seconds, &out, 12).to_string();
    ["--batch", "1", "-n", &n].map(str::to_owned).to_vec()
}

fn lines(out: &Path) -> usize {
    samples(out).values().map(Vec::len).sum()
}

/// Waits until completions are drawn.
fn drawing(out: &Path) {
    let patience = Instant::now();
    while lines(out) == 0 && patience.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a process a signal, such as `-STOP`: what it holds stays held, however fast the machine is.
fn signal(process: &Child, name: &str) {
    let id = process.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

fn refused(ran: &Ran, code: i32, wanted: &str) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert!(ran.stderr.contains(wanted), "{}", ran.stderr);
}

#[test]
fn what_one_machine_left_when_it_died_another_finishes_to_the_same_bytes() {
    if !hosts_can_be_named() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [whole, out] = ["whole", "parts"].map(|name| dir.path().join(name));
    let more = slow(dir.path(), 14.0);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    done(&mut sweep(&whole, &more));
    let all = lines(&whole);
    for (host, next) in [("node-a", "node-b"), ("node-b", "node-c")] {
        let before = lines(&out);
        let mut child = on_host(host, &words(&out, &more));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let patience = Instant::now();
        while lines(&out) < before + all / 6 && patience.elapsed() < Duration::from_secs(300) {
            std::thread::sleep(Duration::from_millis(5));
        }
        // While it lives nobody else may.
        let other = ran(&mut on_host(next, &words(&out, &more)));
        refused(&other, 1, &format!("on {host}; wait until it ends"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(out.join("lock").exists() && lines(&out) < all);
    }
    let last = done(&mut on_host("node-c", &words(&out, &more)));
    assert!(last.stderr.contains("on node-b, which ended early"), "{}", last.stderr);
    assert_eq!(samples(&out), samples(&whole));
    assert_eq!(csv(&out), csv(&whole));
    let json = |run: &Path| std::fs::read(run.join("results.json")).unwrap();
    assert_eq!(json(&out), json(&whole));
    assert!(!out.join("lock").exists() && !out.join("alive").exists());
}

#[test]
fn a_lock_that_was_left_on_a_finished_cell_goes_with_its_holder() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    done(&mut sweep(&out, &[]));
    let cell = out.join("cells").join(samples(&out).keys().next().unwrap());
    let holder = r#"{"pid":1,"host":"node-z","token":"0123456789abcdef","number":1}"#;
    let alive = out.join("alive");
    std::fs::create_dir(&alive).unwrap();
    std::fs::write(cell.join("lock"), holder).unwrap();
    std::fs::write(alive.join("0123456789abcdef"), format!("{holder}\n000000000007\n")).unwrap();
    std::fs::write(alive.join("0123456789abcdef.dead"), holder).unwrap();
    std::fs::write(alive.join(".0123456789abcdef.tmp"), "").unwrap();
    done(&mut sweep(&out, &[]));
    assert!(!cell.join("lock").exists() && !alive.exists());
}

#[test]
fn two_arrays_at_once_draw_each_completion_once_and_leave_cells_to_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let [whole, out] = ["whole", "parts"].map(|name| dir.path().join(name));
    let more = slow(dir.path(), 8.0);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    done(&mut sweep(&whole, &more));
    let with = |shard| [&more[..], &["--shard", shard]].concat();
    let mut first = sweep(&out, &with("0/1+1"));
    let first = first.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drawing(&out);
    signal(&first, "-STOP");
    // Another array, cut differently: its part overlaps with the first one's.
    let second = done(&mut sweep(&out, &with("0/1")));
    signal(&first, "-CONT");
    assert!(second.stdout.contains("3 cells left to others"), "{}", second.stdout);
    let left = second.stderr.matches(" is left to process ").count();
    assert_eq!(left, 3, "{}", second.stderr);
    assert!(first.wait_with_output().unwrap().status.success());
    assert_eq!(samples(&out), samples(&whole));
    // All of it was embedded by those that drew it.
    for id in samples(&out).keys() {
        assert!(out.join("cells").join(id).join("features.npy").exists(), "{id}");
    }
    assert!(out.join("reference/features.npy").exists());
    let scored = done(&mut sweep(&out, &[&more[..], &["--no-draw"]].concat()));
    assert!(!scored.stderr.contains("sampling"), "{}", scored.stderr);
    assert_eq!(csv(&out), csv(&whole));
}

#[test]
fn a_whole_sweep_beside_a_shard_scores_the_rest_and_names_what_the_other_draws() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("parts");
    let more = slow(dir.path(), 8.0);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let mut shard = sweep(&out, &[&more[..], &["--shard", "0/1+1"]].concat());
    let shard = shard.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drawing(&out);
    signal(&shard, "-STOP");
    let whole = ran(&mut sweep(&out, &more[2..]));
    signal(&shard, "-CONT");
    refused(&whole, 3, "is drawing it; the same command goes on when that has ended");
    let rows = csv(&out).lines().count();
    assert!((4..7).contains(&rows), "{}", csv(&out));
    let shard = shard.wait_with_output().unwrap();
    assert!(shard.status.success(), "{}", String::from_utf8_lossy(&shard.stderr));
    done(&mut sweep(&out, &more));
    assert_eq!(csv(&out).lines().count(), 7);
}

#[test]
fn what_is_there_is_scored_and_what_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("parts");
    done(&mut sweep(&out, &["--shard", "0/1+3"]));
    done(&mut sweep(&out, &["--shard", "2/1+3"]));
    let scored = ran(&mut sweep(&out, &["--no-draw"]));
    refused(&scored, 3, "2 cells failed, each named above");
    let wanted = "0 of its 12 completions are drawn; `llmpr sweep` without --no-draw goes on";
    assert_eq!(scored.stderr.matches(wanted).count(), 2, "{}", scored.stderr);
    assert_eq!(csv(&out).lines().count(), 1 + 4, "{}", csv(&out));
    let other = ran(&mut sweep(&out, &["--shard", "0/1+3+2"]));
    refused(&other, 1, "1+3+2 counts the parts of 3 models, and the sweep has 2");
}

#[test]
fn a_process_that_was_taken_for_dead_writes_no_more() {
    if !hosts_can_be_named() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [whole, out] = ["whole", "parts"].map(|name| dir.path().join(name));
    let more = slow(dir.path(), 8.0);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    done(&mut sweep(&whole, &more));
    let mut slow = on_host("slow", &words(&out, &more));
    let slow = slow.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drawing(&out);
    // As a job that its scheduler suspends.
    signal(&slow, "-STOP");
    let other = done(&mut on_host("quick", &words(&out, &more)));
    assert!(other.stderr.contains("on slow, which ended early"), "{}", other.stderr);
    let before = samples(&out);
    signal(&slow, "-CONT");
    let woken = slow.wait_with_output().unwrap();
    let stderr = String::from_utf8(woken.stderr).unwrap();
    assert_eq!(woken.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("this process was taken for dead"), "{stderr}");
    assert_eq!(samples(&out), before);
    assert_eq!(before, samples(&whole));
    assert_eq!(csv(&out), csv(&whole));
}

/// A small file system of its own.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        crate::common::skipped("a full disk", "a tmpfs cannot be mounted here");
        None
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let mut mount = Command::new("mount");
        assert!(mount.args(["-o", &options]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_said_and_the_run_goes_on_when_there_is_room() {
    let Some(disk) = Disk::new("8m") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), disk.0.path().join("run"));
    done(&mut sweep(&whole, &[]));
    for size in ["40k", "80k", "120k", "200k"] {
        disk.resize(size);
        let full = ran(&mut sweep(&out, &[]));
        refused(&full, 1, "No space left on device");
        refused(&full, 1, "make room and run the same command again");
        assert!(!full.stderr.contains("panicked"), "{}", full.stderr);
    }
    disk.resize("8m");
    done(&mut sweep(&out, &[]));
    assert_eq!(samples(&out), samples(&whole));
    assert_eq!(csv(&out), csv(&whole));
}
