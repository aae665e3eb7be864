//! `llmpr` and a hub: several processes at once, a kill in the middle, certificates, Python beside it.

#[path = "hub/python.rs"]
mod python;
#[path = "../../src/lm/checkpoint/hub/tests/server.rs"]
pub mod server;
#[path = "hub/tls.rs"]
mod tls;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use super::score::Ran;
use server::{COMMIT, FakeHub, TOKEN, serve};

/// `llmpr` with a cache of its own and the hub at `endpoint`.
pub fn command(home: &Path, endpoint: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    for name in
        ["HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
    {
        command.env_remove(name);
    }
    command.args(args).env("HF_HOME", home).env("HF_ENDPOINT", endpoint).env("NO_COLOR", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn run(home: &Path, endpoint: &str, args: &[&str]) -> Ran {
    ended(command(home, endpoint, args).spawn().unwrap())
}

fn slow(pause: u64) -> Arc<FakeHub> {
    Arc::new(FakeHub { slow: Duration::from_millis(pause), ..FakeHub::new() })
}

/// Waits for a part of the weights in the cache, and gives its path.
pub fn part_of_weights(home: &Path) -> PathBuf {
    let blobs = home.join("hub/models--org--name/blobs");
    let since = Instant::now();
    loop {
        let found = std::fs::read_dir(&blobs).into_iter().flatten().flatten().find(|entry| {
            let large = entry.metadata().is_ok_and(|metadata| metadata.len() >= 20_000);
            large && entry.file_name().to_string_lossy().ends_with(".incomplete")
        });
        if let Some(found) = found {
            return found.path();
        }
        assert!(since.elapsed() < Duration::from_secs(60), "no part came in a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn three_pulls_at_once_fetch_every_file_once() {
    let home = tempfile::tempdir().unwrap();
    let hub = slow(40);
    let endpoint = serve(&hub);
    let pull = || command(home.path(), &endpoint, &["models", "pull", "org/name"]).spawn().unwrap();
    let children = [pull(), pull(), pull()];
    let ran = children.map(ended);
    for one in &ran {
        assert_eq!((one.code, &one.stdout), (0, &ran[0].stdout), "{}", one.stderr);
    }
    assert_eq!(hub.asked("GET /storage").len(), 1, "{:#?}", hub.asked(""));
    assert_eq!(hub.asked("GET /api/resolve-cache").len(), 2, "{:#?}", hub.asked(""));
    let waited = ran.iter().filter(|ran| ran.stderr.contains("another process is fetching"));
    assert_eq!(waited.count(), 2, "two waited for the weights");
    let weights = PathBuf::from(ran[0].stdout.trim()).join("model.safetensors");
    assert_eq!(std::fs::read(weights).unwrap(), hub.repositories["org/name"]["model.safetensors"]);
}

#[test]
fn a_pull_that_was_killed_goes_on_where_it_was() {
    let home = tempfile::tempdir().unwrap();
    let hub = slow(200);
    let endpoint = serve(&hub);
    let pull = ["models", "pull", "org/name"];
    let mut child = command(home.path(), &endpoint, &pull).spawn().unwrap();
    part_of_weights(home.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let offline = command(home.path(), &endpoint, &pull).env("HF_HUB_OFFLINE", "1").spawn();
    let ran = ended(offline.unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("`config.json` is not in the cache"), "{}", ran.stderr);
    let ran = run(home.path(), &endpoint, &pull);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let starts: Vec<String> =
        hub.asked("GET /storage").iter().map(|l| l.split(' ').nth(2).unwrap().into()).collect();
    assert!(starts.len() == 2 && starts[1].parse::<usize>().unwrap() >= 20_000, "{starts:?}");
    let folder = PathBuf::from(ran.stdout.trim());
    assert_eq!(folder.file_name().unwrap(), COMMIT);
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(weights, hub.repositories["org/name"]["model.safetensors"]);
    // Now it is there, also for who may open no connection.
    let requests = hub.asked("").len();
    let offline =
        command(home.path(), "http://127.0.0.1:1", &pull).env("HF_HUB_OFFLINE", "1").spawn();
    let offline = ended(offline.unwrap());
    assert_eq!((offline.code, offline.stdout), (0, ran.stdout), "{}", offline.stderr);
    assert!(offline.stderr.contains("in the cache; nothing was asked"), "{}", offline.stderr);
    assert_eq!(hub.asked("").len(), requests);
    let listed = run(home.path(), &endpoint, &["models", "list"]);
    assert!(
        listed.stdout.lines().any(|line| line.starts_with("org/name ") && line.contains("cached")),
        "{}",
        listed.stdout
    );
}

#[test]
fn who_holds_pythons_lock_is_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let hub = slow(0);
    let endpoint = serve(&hub);
    let weights = &hub.repositories["org/name"]["model.safetensors"];
    let etag: String = {
        use sha2::Digest;
        sha2::Sha256::digest(weights).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let folder = home.path().join("hub/.locks/models--org--name");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::File::create(folder.join(format!("{etag}.lock"))).unwrap();
    lock.lock().unwrap();
    let mut child =
        command(home.path(), &endpoint, &["models", "pull", "org/name"]).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let waits = said.find(|line| line.contains("another process is fetching model.safetensors"));
    assert!(waits.is_some());
    assert!(child.try_wait().unwrap().is_none() && hub.asked("GET /storage").is_empty());
    lock.unlock().unwrap();
    let rest: Vec<String> = said.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
}

#[test]
fn what_fails_does_not_keep_the_others_and_bundled_models_are_not_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let hub = slow(0);
    let endpoint = serve(&hub);
    let ran =
        run(home.path(), &endpoint, &["models", "pull", "org/nothing", "tiny-bio", "org/name"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("no model `org/nothing`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("not fetched: `org/nothing`"), "{}", ran.stderr);
    let token = command(home.path(), &endpoint, &["models", "pull", "org/name"])
        .env("HF_TOKEN", "hf_wrong")
        .spawn();
    let ran = ended(token.unwrap());
    assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("does not know this token") && !ran.stderr.contains("hf_wrong"),
        "{}",
        ran.stderr
    );
    let ran = run(home.path(), &endpoint, &["models", "pull", "org/name@v9"]);
    assert!(ran.stderr.contains("no revision `v9`; it has `main`, `v1.0`"), "{}", ran.stderr);
}

#[test]
fn texts_tasks_and_features_of_the_hub_stand_where_files_do() {
    let home = tempfile::tempdir().unwrap();
    let task =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/own_task.toml")).unwrap();
    let bios =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/own_task.jsonl")).unwrap();
    let prompts = b"{\"prompt\": \"Once upon a time\"}\n{\"prompt\": \"In the beginning\"}\n";
    let rows = |x: f32| {
        // 40 rows of one value each, in version 1.0 of the format.
        let mut header = "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 1), }".to_owned();
        header += &" ".repeat(128 - 10 - header.len() - 1);
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{header}\n").bytes());
        (0..40).for_each(|i| bytes.extend((x + i as f32).to_le_bytes()));
        bytes
    };
    let hub = FakeHub::new()
        .with("org/tasks", &[("own.toml", &task)])
        .with("datasets/org/bios", &[("own_task.jsonl", &bios)])
        .with(
            "datasets/org/p",
            &[("p.jsonl", prompts), ("a.npy", &rows(0.0)), ("b.npy", &rows(0.5))],
        );
    let hub = Arc::new(hub);
    let endpoint = serve(&hub);
    let run = |args: &[&str]| {
        let ran = run(home.path(), &endpoint, args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran
    };
    let spec = "hf:org/data@v1.0/data/some texts.jsonl:other";
    let ran = run(&["texts", spec, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["n"], &json["first"][1]["text"]), (&2.into(), &"2".into()), "{json}");
    assert_eq!(hub.asked("/api/datasets/org/data/revision/v1.0 ").len(), 1);
    assert!(home.path().join("hub/datasets--org--data/refs/v1.0").exists());
    // What is there is not asked for again.
    run(&["texts", spec]);
    assert_eq!(hub.asked("/api/datasets/org/data").len(), 1);
    let ran = run(&["prompt", "tiny-bio", "--prompts", "hf://datasets/org/p/p.jsonl"]);
    assert!(ran.stdout.contains("In the beginning"), "{}", ran.stdout);
    let ran =
        run(&["prompt", "tiny-bio", "--task", "hf:models/org/tasks/own.toml", "--shots", "0"]);
    assert!(ran.stdout.contains("Write biographies of various people."), "{}", ran.stdout);
    // A sweep records what was named, not where the cache lies.
    let out = home.path().join("run");
    let out = out.to_str().unwrap();
    let sweep = "sweep --models tiny-bio --task hf:models/org/tasks/own.toml --reference hf:org/bios/own_task.jsonl \
                 --embedder tiny-gpt2 --temps 1 --n 10 --max-new-tokens 4 --metrics precision --resamples 0 \
                 --permutations 0 --out";
    run(&sweep.split(' ').chain([out]).collect::<Vec<_>>());
    let record = std::fs::read_to_string(Path::new(out).join("run.json")).unwrap();
    assert!(record.contains("\"reference\": \"hf:org/bios/own_task.jsonl\""), "{record}");
    assert!(Path::new(out).join("results_long.csv").exists());
    let ran = run(&[
        "score",
        "--reference",
        "hf:org/p/a.npy",
        "--samples",
        "hf:org/p/b.npy",
        "--metrics",
        "precision,recall",
        "--resamples",
        "0",
        "--permutations",
        "0",
        "--normalize",
        "none",
        "--k",
        "2",
        "--pca",
        "none",
        "--format",
        "lm-eval",
    ]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["results"]["a"]["precision,none"], 1.0, "{json}");
    assert_eq!(
        (&json["model_name"], &json["results"]["a"]["recall_stderr,none"]),
        (&"b".into(), &"N/A".into())
    );
    let ran = ended(command(home.path(), &endpoint, &["texts", "hf:org/data"]).spawn().unwrap());
    assert!(
        ran.code == 1 && ran.stderr.contains("write hf:org/name[@revision]/path/to/file"),
        "{}",
        ran.stderr
    );
    let offline = command(home.path(), &endpoint, &["texts", "hf:org/data/x.txt"])
        .env("HF_HUB_OFFLINE", "1")
        .spawn();
    let ran = ended(offline.unwrap());
    assert!(
        ran.stderr.contains("run: llmpr models pull hf:datasets/org/data/x.txt"),
        "{}",
        ran.stderr
    );
}

/// The token that the tests' hub knows never stands in what is printed.
#[test]
fn the_token_is_sent_and_never_said() {
    let home = tempfile::tempdir().unwrap();
    let hub = Arc::new(FakeHub { wrong_hash: true, ..FakeHub::new() });
    let endpoint = serve(&hub);
    let child = command(home.path(), &endpoint, &["models", "pull", "org/name"])
        .env("HF_TOKEN", TOKEN)
        .spawn();
    let ran = ended(child.unwrap());
    assert!(ran.code == 1 && hub.asked(TOKEN).len() > 1);
    assert!(!(ran.stderr + &ran.stdout).contains(TOKEN));
}
