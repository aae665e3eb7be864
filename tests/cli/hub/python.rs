//! The cache as Python's huggingface_hub sees it.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use super::{
    command, ended, part_of_weights,
    server::{FakeHub, TOKEN, serve},
};
use crate::common::skipped;

/// Python with huggingface_hub: `LLMPR_PYTHON`, else `python3`; none with a message.
fn python(test: &str) -> Option<String> {
    let python = std::env::var("LLMPR_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import huggingface_hub"]).output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skipped(
        test,
        "no Python with huggingface_hub (pip install huggingface_hub; LLMPR_PYTHON names another python3)",
    );
    None
}

/// What a script prints, with the cache below `home`.
fn said(python: &str, home: &Path, endpoint: &str, offline: bool, script: &str) -> String {
    let output = Command::new(python)
        .args(["-c", script])
        .env("HF_HOME", home)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_TOKEN", TOKEN)
        .env("HF_HUB_OFFLINE", if offline { "1" } else { "0" })
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}\n{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

/// Repositories and complaints of `scan_cache_dir`.
const SCAN: &str = "
from huggingface_hub import scan_cache_dir
found = scan_cache_dir()
for repo in sorted(found.repos, key=lambda repo: repo.repo_id):
    for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash):
        print(repo.repo_type, repo.repo_id, sorted(revision.refs), len(revision.files))
for warning in found.warnings:
    print('CORRUPTED', warning)
";

#[test]
fn nothing_that_is_left_is_called_corrupted() {
    let Some(python) = python("nothing_that_is_left_is_called_corrupted") else { return };
    let home = tempfile::tempdir().unwrap();
    let mut hub = FakeHub { slow: Duration::from_millis(100), ..FakeHub::new() }
        .with("org/gated", &[("config.json", b"{}"), ("model.safetensors", b"")])
        .with("org/pickle", &[("pytorch_model.bin", b"")])
        .with("org/quants", &[("a.gguf", b"GGUF"), ("b.gguf", b"GGUF")]);
    hub.moved.insert("gpt2".into(), "org/name".into());
    let hub = Arc::new(hub);
    let endpoint = serve(&hub);
    let scan = || said(&python, home.path(), &endpoint, true, SCAN);
    let pull = |id: &str| {
        let child =
            command(home.path(), &endpoint, &["models", "pull", id]).env("HF_TOKEN", TOKEN).spawn();
        ended(child.unwrap()).code
    };
    // Broken in the middle of the weights, and not taken up again.
    let mut child =
        command(home.path(), &endpoint, &["models", "pull", "org/name"]).spawn().unwrap();
    part_of_weights(home.path());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(scan(), "model org/name [] 2");
    for id in
        ["org/gated", "org/pickle", "org/quants", "org/nothing", "org/name@v9", "org/name/x.gguf"]
    {
        assert_eq!(pull(id), 1, "{id}");
    }
    assert_eq!(scan(), "model org/name [] 2");
    for id in [
        "gpt2",
        "org/name@refs/pr/1",
        "org/name",
        "org/quants/b.gguf",
        "hf:org/data/data/some texts.jsonl",
    ] {
        assert_eq!(pull(id), 0, "{id}");
    }
    let expected = "model gpt2 ['main'] 3
dataset org/data ['main'] 1
model org/name ['main', 'refs/pr/1'] 3
model org/quants ['main'] 1";
    assert_eq!(scan(), expected);
}

#[test]
fn llmpr_waits_for_a_file_that_python_is_fetching() {
    let Some(python) = python("llmpr_waits_for_a_file_that_python_is_fetching") else { return };
    let home = tempfile::tempdir().unwrap();
    let hub = Arc::new(FakeHub { slow: Duration::from_millis(200), ..FakeHub::new() });
    let endpoint = serve(&hub);
    let script = "
from huggingface_hub import hf_hub_download
print(hf_hub_download('org/name', 'model.safetensors'))";
    let paths = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| said(&python, home.path(), &endpoint, false, script));
        let since = std::time::Instant::now();
        while hub.asked("GET /storage").is_empty() {
            assert!(since.elapsed() < Duration::from_secs(60), "Python asks for nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
        let args = ["models", "pull", "org/name"];
        let ours = ended(command(home.path(), &endpoint, &args).spawn().unwrap());
        assert_eq!(ours.code, 0, "{}", ours.stderr);
        let waits = "another process is fetching model.safetensors";
        assert!(ours.stderr.contains(waits), "{}", ours.stderr);
        (theirs.join().unwrap(), ours.stdout)
    });
    assert!(paths.0.starts_with(paths.1.trim()), "{paths:?}");
    assert_eq!(hub.asked("GET /storage").len(), 1);
}

#[test]
fn what_one_fetched_the_other_reads() {
    let Some(python) = python("what_one_fetched_the_other_reads") else { return };
    let home = tempfile::tempdir().unwrap();
    let hub = Arc::new(FakeHub::new());
    let endpoint = serve(&hub);
    let args = ["models", "pull", "org/name"];
    assert_eq!(ended(command(home.path(), &endpoint, &args).spawn().unwrap()).code, 0);
    let script = "
from huggingface_hub import hf_hub_download, snapshot_download
print(hf_hub_download('org/name', 'model.safetensors'))
print(snapshot_download('org/name', allow_patterns=['*.json']))";
    let before = hub.asked("").len();
    let read = said(&python, home.path(), &endpoint, true, script);
    let lines: Vec<&str> = read.lines().collect();
    assert_eq!(std::fs::read(lines[0]).unwrap(), hub.repositories["org/name"]["model.safetensors"]);
    assert_eq!(hub.asked("").len(), before, "offline");
    // Python's own download, then llmpr without a connection.
    let other = tempfile::tempdir().unwrap();
    let script = "
from huggingface_hub import hf_hub_download
for name in ['config.json', 'tokenizer.json', 'model.safetensors']:
    print(hf_hub_download('org/name', name, revision='refs/pr/1'))
print(hf_hub_download('org/data', 'data/some texts.jsonl', repo_type='dataset'))";
    let theirs = said(&python, other.path(), &endpoint, false, script);
    for (id, path) in [("org/name@refs/pr/1", 0), ("hf:org/data/data/some texts.jsonl", 3)] {
        let child = command(other.path(), &endpoint, &["models", "pull", id])
            .env("HF_HUB_OFFLINE", "1")
            .spawn();
        let ran = ended(child.unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            theirs.lines().nth(path).unwrap().starts_with(ran.stdout.trim()),
            "{theirs} {}",
            ran.stdout
        );
    }
}
