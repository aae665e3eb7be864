//! SIGKILL at any moment of a sweep: alone, in shards, with a server.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{assert_same, cells, done, lines, outcome, program, serving::Serving, sweep, sweep_of};

/// Moments of each kind of sweep unless `LLMPR_FAULTS` says another number.
const USUAL: u64 = 8;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Shares of a sweep's time (SplitMix64), so that a seed makes the moments again.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What came of all moments.
#[derive(Debug, Default)]
struct Count {
    moments: u64,
    kills: u64,
    lost: u64,
    twice: u64,
}

type Lines = BTreeMap<(String, u64, u64), String>;

impl Count {
    /// Looks at what a kill left: nothing of what was there may be gone or another text, and nothing may be there
    /// twice.
    fn look(&mut self, run: &Path, known: &mut Lines) {
        let now = lines(run);
        let mut seen = Lines::new();
        for (at, line) in now {
            self.twice += u64::from(seen.insert(at, line).is_some());
        }
        self.lost += known.iter().filter(|(at, line)| seen.get(*at) != Some(line)).count() as u64;
        known.extend(seen);
    }
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills what `begin` starts at moments of a whole run's time, several times a run, until there were `moments`; each
/// run ends by `end` with what `whole` came to.
fn kill(
    name: &str,
    whole: &Path,
    took: Duration,
    begin: &dyn Fn(&Path) -> Vec<Child>,
    end: &dyn Fn(&Path),
) {
    kill_until(name, &outcome, whole, took, begin, end);
}

/// The same where a run comes to what `outcome` says.
fn kill_until(
    name: &str,
    outcome: &dyn Fn(&Path) -> BTreeMap<PathBuf, Vec<u8>>,
    whole: &Path,
    took: Duration,
    begin: &dyn Fn(&Path) -> Vec<Child>,
    end: &dyn Fn(&Path),
) {
    let wanted = outcome(whole);
    let moments = setting("LLMPR_FAULTS", USUAL);
    let mut chance = Moments(setting("LLMPR_FAULTS_SEED", 1) ^ name.len() as u64);
    let mut count = Count::default();
    while count.moments < moments {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let mut known = Lines::new();
        for _ in 0..1 + (chance.next() * 4.0) as u64 {
            let started = Instant::now();
            let mut children = begin(&run);
            for child in &mut children {
                let moment = took.mul_f64(1.05 * chance.next());
                std::thread::sleep(moment.saturating_sub(started.elapsed()));
                count.moments += 1;
                count.kills += u64::from(child.try_wait().unwrap().is_none());
                child.kill().unwrap();
            }
            for child in &mut children {
                child.wait().unwrap();
            }
            count.look(&run, &mut known);
        }
        end(&run);
        count.look(&run, &mut known);
        assert_same(&outcome(&run), &wanted, name);
        let left: Vec<_> =
            ["lock", "alive"].iter().filter(|name| run.join(name).exists()).collect();
        assert!(left.is_empty(), "{left:?} stay");
    }
    println!(
        "faults, {name}: {} moments tried, {} processes killed, {} texts lost, {} drawn twice",
        count.moments, count.kills, count.lost, count.twice
    );
    assert_eq!((count.lost, count.twice), (0, 0));
    assert!(count.kills > 0);
}

/// A whole run and how long it takes.
fn timed(out: &Path, more: &[&str]) -> Duration {
    let started = Instant::now();
    done(&mut sweep(out, more));
    started.elapsed()
}

#[test]
fn a_sweep_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let took = timed(&whole, &[]);
    let begin = |run: &Path| vec![start(&mut sweep(run, &[]))];
    kill("a sweep", &whole, took, &begin, &|run| done(&mut sweep(run, &[])));
}

#[test]
fn shards_killed_at_any_moment_end_as_if_they_had_not_been() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let took = timed(&whole, &[]);
    let shards = ["0/2", "1/2"];
    let begin = |run: &Path| {
        shards.iter().map(|shard| start(&mut sweep(run, &["--shard", shard]))).collect()
    };
    let end = |run: &Path| {
        let mut all: Vec<Child> = begin(run);
        all.iter_mut().for_each(|shard| assert!(shard.wait().unwrap().success()));
        done(&mut sweep(run, &[]));
    };
    kill("shards", &whole, took, &begin, &end);
}

#[test]
fn a_sweep_by_a_server_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let server = Serving::answering(|_, body| {
        // Long enough for a kill to come between.
        std::thread::sleep(Duration::from_millis(8));
        (200, super::serving::words(body).to_string())
    });
    let model = server.model();
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let more = ["--task", "synthetic-bio", "--server-patience", "10s"];
    let by_server = |run: &Path| sweep_of(&model, run, &more);
    let started = Instant::now();
    done(&mut by_server(&whole));
    let took = started.elapsed();
    let begin = |run: &Path| vec![start(&mut by_server(run))];
    kill("a server", &whole, took, &begin, &|run| done(&mut by_server(run)));
}

/// A race of four settings and of mixtures of them.
fn race(out: &Path) -> Command {
    let mut command = program();
    command.args(["tune", "--models", "tiny-bio", "--temps", "0.3,0.8,1.5,3", "--shots", "0"]);
    command.args(["--maximize", "coverage", "--mixtures", "--budget", "130", "-n", "40"]);
    command.args(["--max-new-tokens", "12", "--resamples", "0", "--permutations", "0"]);
    command.args(["--batch", "2", "--out"]).arg(out).env("LLMPR_LOCK_PATIENCE", "2");
    command
}

/// What a race comes to: its record without the time that it took, the texts, and the scores of those cells that have all
/// of theirs.
fn raced(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let bytes = std::fs::read(run.join("tune.json")).unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert!(record.as_object_mut().unwrap().remove("seconds").is_some());
    let mut texts: Vec<String> = lines(run).into_iter().map(|(_, line)| line).collect();
    texts.sort();
    let mut found = BTreeMap::from([
        (PathBuf::from("tune.json"), serde_json::to_vec_pretty(&record).unwrap()),
        (PathBuf::from("texts"), texts.concat().into_bytes()),
    ]);
    for cell in cells(run) {
        let path = Path::new("cells").join(cell).join("scores.json");
        if let Ok(bytes) = std::fs::read(run.join(&path)) {
            found.insert(path, bytes.trim_ascii_end().to_vec());
        }
    }
    found
}

#[test]
fn a_race_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let started = Instant::now();
    done(&mut race(&whole));
    let took = started.elapsed();
    let begin = |run: &Path| vec![start(&mut race(run))];
    kill_until("a race", &raced, &whole, took, &begin, &|run| done(&mut race(run)));
    // Run again, it draws nothing and writes the same bytes, the time included.
    let written = std::fs::read(whole.join("tune.json")).unwrap();
    done(&mut race(&whole));
    assert!(std::fs::read(whole.join("tune.json")).unwrap() == written);
}
