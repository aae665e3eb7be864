//! `llmpr slurm` and `llmpr status`, on a Slurm of their own where one can be started.

#[path = "slurm/cluster.rs"]
mod cluster;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use super::{
    common::skipped,
    sweep::{cluster::lasting, done, ran, samples},
};
use cluster::Slurm;

fn llmpr(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(words).env("NO_COLOR", "1").env("XDG_CACHE_HOME", "/nonexistent");
    command
}

/// The flags of a sweep of twelve cells, six of each bundled model.
fn flags(out: &Path, n: usize) -> Vec<String> {
    let words = "--task synthetic-bio --temps 0.5,1,1.3 --shots 0,1 --max-new-tokens 8 --batch 1 --resamples 0 \
                 --permutations 0 --metrics support";
    let mut all: Vec<String> =
        words.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    all.extend(["-n".to_owned(), n.to_string(), "--out".to_owned(), out.display().to_string()]);
    all
}

fn with<'a>(before: &[&'a str], flags: &'a [String]) -> Vec<&'a str> {
    before.iter().copied().chain(flags.iter().map(String::as_str)).collect()
}

fn status(run: &Path) -> serde_json::Value {
    let run = run.to_str().unwrap();
    let mut command = llmpr(&["status", run, "--format", "json"]);
    let ran = done(command.env("LLMPR_LOCK_PATIENCE", "3").env("LLMPR_LOCKS", "heartbeat"));
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(400), "{what}: not in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Completions per cell so that a task takes a while on this machine.
fn long_enough(dir: &Path) -> usize {
    let trial = dir.join("trial");
    done(&mut llmpr(&with(&["sweep"], &flags(&trial, 12))));
    lasting(16.0, &trial, 12)
}

#[test]
fn an_array_with_a_killed_a_preempted_and_a_warned_task_ends_as_one_process_does() {
    let Some(slurm) = Slurm::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let [whole, run] = ["whole", "run"].map(|name| dir.path().join(name));
    let n = long_enough(dir.path());
    done(&mut llmpr(&with(&["sweep"], &flags(&whole, n))));

    let script = dir.path().join("array.sh");
    let written = flags(&run, n);
    let own = ["slurm", "--jobs", "4", "--cpus", "1", "--mem", "300M", "--time", "30", "--out"];
    let own = [&own[..], &[script.to_str().unwrap(), "--"]].concat();
    done(&mut llmpr(&with(&own, &written)));
    // Every attempt of a task is on a machine of its own.
    let program = slurm.on_machines_of_their_own(env!("CARGO_BIN_EXE_llmpr"));
    let text = read(script.clone());
    assert!(text.contains("/2+2") && text.contains("#SBATCH --array=0-3\n"), "{text}");
    std::fs::write(&script, text.replace(env!("CARGO_BIN_EXE_llmpr"), &program)).unwrap();
    let script = script.to_str().unwrap();
    let draw = slurm.sbatch(&[script]);
    let after = format!("--dependency=afterany:{draw}");
    let score = slurm.sbatch(&[&after, "--array=0", script, "score"]);

    // Who draws for a task, once it does.
    let drawer = |task: u32| {
        let id = format!("{draw}_{task}");
        let cells = std::fs::read_dir(run.join("cells")).into_iter().flatten().flatten();
        cells.map(|cell| cell.path()).find_map(|cell| {
            let lock = std::fs::read_to_string(cell.join("lock")).ok()?;
            let holder: serde_json::Value = serde_json::from_str(&lock).ok()?;
            let drawn = std::fs::read_to_string(cell.join("samples.jsonl")).ok()?;
            (holder["job"]["id"] == id.as_str() && drawn.lines().count() > 1).then_some(holder)
        })
    };
    for task in 0..4 {
        until("a task draws", || drawer(task).is_some());
        let id = format!("{draw}_{task}");
        let holder = drawer(task).unwrap();
        assert_eq!(holder["host"], format!("node-{task}-0"));
        let signal = |name: &str| {
            let pid = holder["pid"].to_string();
            assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        };
        match task {
            0 => signal("-KILL"),
            // As when its machine dies.
            1 => {
                signal("-KILL");
                slurm.run("scontrol", &["requeue", &id]);
            }
            // As when its time is nearly over.
            2 => slurm.run("scancel", &["--batch", "--signal=USR1", &id]),
            // As when another job needs its place.
            _ => slurm.run("scontrol", &["requeue", &id]),
        }
    }
    until("both jobs end", || slurm.has_ended(&draw) && slurm.has_ended(&score));
    let log = slurm.logs();
    assert!(log.contains("stopped; what is finished is in"), "{log}");
    assert!(log.contains("going on after process"), "{log}");
    assert!(log.contains("on node-1-0, which ended early"), "{log}");
    // What the killed task left is named, everything else is scored.
    assert!(
        log.contains("completions are drawn; `llmpr sweep` without --no-draw goes on"),
        "{log}"
    );
    let rows = read(run.join("results.csv")).lines().count();
    assert!((10..13).contains(&rows), "{rows} lines\n{log}");
    let left = status(&run);
    assert!(left["counts"]["dead"].as_u64() > Some(0), "{left}");
    assert_eq!((left["array"].as_str(), left["parts"].as_str()), (Some("0"), Some("2+2")));

    let missing = ["slurm", "--missing", run.to_str().unwrap(), "--cpus", "1", "--mem", "300M"];
    let mut missing = llmpr(&missing);
    missing.env("LLMPR_LOCK_PATIENCE", "3").env("LLMPR_LOCKS", "heartbeat");
    let text = done(&mut missing).stdout;
    assert!(text.contains("#SBATCH --array=0\n") && text.contains("/2+2"), "{text}");
    let again = dir.path().join("again.sh");
    std::fs::write(&again, text.replace(env!("CARGO_BIN_EXE_llmpr"), &program)).unwrap();
    let again = again.to_str().unwrap();
    let draw = slurm.sbatch(&[again]);
    let after = format!("--dependency=afterany:{draw}");
    let score = slurm.sbatch(&[&after, "--array=0", again, "score"]);
    until("both jobs end", || slurm.has_ended(&draw) && slurm.has_ended(&score));
    assert_eq!(samples(&run), samples(&whole), "{}", slurm.logs());
    assert_eq!(read(run.join("results.csv")), read(whole.join("results.csv")));
    assert!(!run.join("alive").exists());
    let nothing = ran(&mut missing);
    assert!(nothing.stderr.contains("is missing; `llmpr sweep` scores it"), "{}", nothing.stderr);
}

#[test]
fn submit_hands_over_both_jobs_and_words_arrive_as_they_were() {
    let Some(slurm) = Slurm::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("a run's $HOME \"x\"");
    let written = flags(&run, 12);
    let own =
        ["slurm", "--submit", "--cpus", "1", "--mem", "300M", "--time", "10", "--gres", "gpu:1"];
    let more = ["--mail-user", "me@example.org", "--sbatch", "comment=it's \"a\" b#c\\d", "--"];
    let mut command = llmpr(&with(&[&own[..], &more[..]].concat(), &written));
    let submitted = done(slurm.know(&mut command));
    assert!(
        submitted.stderr.contains("the jobs have GPUs, and there is none here"),
        "{}",
        submitted.stderr
    );
    let number = |line: usize| {
        let line = submitted.stdout.lines().nth(line).unwrap();
        line.split(' ').nth(2).unwrap().trim_end_matches(',').to_owned()
    };
    let (draw, score) = (number(0), number(1));
    let shown = slurm.shown(&draw);
    assert!(shown.contains("Comment=it's \"a\" b#c\\d"), "{shown}");
    assert!(shown.contains("gres:gpu:1") || shown.contains("gres/gpu"), "{shown}");
    until("both jobs end", || slurm.has_ended(&draw) && slurm.has_ended(&score));
    assert_eq!(read(run.join("results.csv")).lines().count(), 13, "{}", slurm.logs());
    // What sbatch refuses is said, and nothing is left behind.
    let mut refused =
        llmpr(&with(&["slurm", "--submit", "--partition", "none", "--jobs", "2", "--"], &written));
    let refused = ran(slurm.know(&mut refused));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("sbatch refuses the script: "), "{}", refused.stderr);
    assert!(refused.stderr.contains("nvalid partition"), "{}", refused.stderr);
}

#[test]
fn the_sweep_is_checked_and_cut_to_the_time_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let written = flags(&dir.path().join("run"), 12);
    let refused = |own: &[&str], more: &[&str], wanted: &str| {
        let ran = ran(llmpr(&with(&[&["slurm"], own, &["--"]].concat(), &written)).args(more));
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains(wanted) && ran.stdout.is_empty(), "{}", ran.stderr);
    };
    refused(&[], &["--models", "./no-model"], "model `./no-model`: ");
    refused(&[], &["--embedder", "./no-embedder"], "embedder `./no-embedder`: ");
    refused(&[], &["--shard", "0/2"], "leave --shard out");
    refused(&["--time", "soon"], &[], "--time soon is no time limit");
    refused(&["--jobs", "0"], &[], "--jobs 0 draws nothing");
    refused(&["--sbatch", "array=1"], &[], "the script's own");
    let secret = "openai:http://me:hunter2@127.0.0.1:9/v1#m";
    refused(&[], &["--models", secret], "write `openai:http://127.0.0.1:9/v1#m`");
    refused(&["--missing", "nowhere"], &[], "`nowhere` holds no run.json");
    let own = dir.path().to_str().unwrap();
    std::fs::write(dir.path().join("thesis.tex"), "").unwrap();
    let elsewhere = ["slurm", "--", "--task", "synthetic-bio", "--out", own];
    let elsewhere = ran(&mut llmpr(&elsewhere));
    assert!(
        elsewhere.stderr.contains("holds no run.json; choose another --out"),
        "{}",
        elsewhere.stderr
    );
    let all = done(&mut llmpr(&with(&["slurm", "--time", "1-00:00:00", "--"], &written)));
    assert!(all.stdout.contains("TASK_ID/1+1\""), "{}", all.stdout);
    assert!(all.stderr.contains("a cell of tiny-bio takes up to"), "{}", all.stderr);
    let short = done(&mut llmpr(&with(&["slurm", "--time", "0:01", "--"], &written)));
    let parts = short.stdout.split("TASK_ID/").nth(1).unwrap().split('"').next().unwrap();
    let parts: Vec<usize> = parts.split('+').map(|n| n.parse().unwrap()).collect();
    assert!(parts.len() == 2 && parts.iter().all(|n| (1..=6).contains(n)), "{parts:?}");
    assert!(!dir.path().join("run").exists());
}

#[test]
fn a_status_says_where_every_cell_stands() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let none = ran(&mut llmpr(&["status", run.to_str().unwrap()]));
    assert_eq!(none.code, 1);
    assert!(
        none.stderr.contains("holds no run.json; name the --out of a sweep"),
        "{}",
        none.stderr
    );
    done(llmpr(&with(&["sweep"], &flags(&run, 12))).args(["--shard", "1/2+2"]));
    let found = status(&run);
    assert_eq!(
        found["counts"],
        serde_json::json!({"done": 3, "running": 0, "dead": 0, "missing": 9})
    );
    assert_eq!(found["array"], "0,2-3");
    // A process that cannot live any more, on this machine.
    let cell = found["cells"][3]["id"].as_str().unwrap();
    assert_eq!(found["cells"][3]["embedded"], true);
    let lock = run.join("cells").join(cell).join("lock");
    let samples = run.join("cells").join(cell).join("samples.jsonl");
    let kept: String =
        read(samples.clone()).lines().take(5).map(|line| format!("{line}\n")).collect();
    std::fs::write(&samples, kept).unwrap();
    std::fs::write(&lock, r#"{"pid":7,"host":"far","token":"0123456789abcdef","boot":"b"}"#)
        .unwrap();
    let mut table = llmpr(&["status", run.to_str().unwrap()]);
    let table = done(table.env("LLMPR_LOCK_PATIENCE", "0.3"));
    assert!(table.stdout.contains("2 done, 0 running, 1 dead, 9 missing"), "{}", table.stdout);
    let row = table.stdout.lines().find(|line| line.contains(cell)).unwrap();
    assert!(
        row.starts_with("dead") && row.contains("5/12") && row.ends_with("process 7 on far"),
        "{row}"
    );
    assert!(table.stdout.contains("to queue again: --array=0-3"), "{}", table.stdout);
    assert!(lock.exists(), "looking changes nothing");
    let mut csv = llmpr(&["status", run.to_str().unwrap(), "--format", "csv"]);
    let csv = done(csv.env("LLMPR_LOCK_PATIENCE", "0.3")).stdout;
    assert_eq!(
        csv.lines().filter(|line| line.contains(",missing,0,12,false,false,")).count(),
        9,
        "{csv}"
    );
}

#[test]
fn slurm_s_cores_are_obeyed() {
    let threads = |cores: &str, own: Option<&str>| {
        let mut command =
            llmpr(&["models", "bench", "tiny-bio", "--rows", "1", "--new-tokens", "2"]);
        command.env("SLURM_CPUS_PER_TASK", cores).env_remove("RAYON_NUM_THREADS");
        if let Some(own) = own {
            command.env("RAYON_NUM_THREADS", own);
        }
        let ran = ran(&mut command);
        let at =
            ran.stdout.find(" threads").unwrap_or_else(|| panic!("{}{}", ran.stdout, ran.stderr));
        ran.stdout[..at].rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(threads("1", None), "1");
    assert_eq!(threads("1", Some("3")), "3");
    let allowed = std::thread::available_parallelism().unwrap().to_string();
    assert_eq!(threads("999", None), allowed);
}
