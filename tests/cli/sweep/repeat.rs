//! A run drawn and scored again: nothing differs, or what does is said.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use super::{done, ran, samples};
use crate::schema;

/// The program with a temporary folder of its own.
fn llmpr(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(words).current_dir(dir).env("NO_COLOR", "1").env("XDG_CACHE_HOME", "/nonexistent");
    command.env("TMPDIR", dir.join("tmp"));
    command
}

/// A folder with a run in it, of the bundled world or another model.
fn swept(model: &str, more: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("tmp")).unwrap();
    sweep(dir.path(), model, more);
    dir
}

fn sweep(dir: &Path, model: &str, more: &[&str]) {
    let mut words =
        vec!["sweep", "--models", model, "--task", "synthetic-bio", "--shots", "0", "-n", "10"];
    words.extend(["--max-new-tokens", "8", "--resamples", "0", "--permutations", "0"]);
    words.extend(["--metrics", "support", "--out", "run"]);
    if !more.contains(&"--temps") {
        words.extend(["--temps", "0.5,1"]);
    }
    words.extend(more);
    done(&mut llmpr(dir, &words));
}

fn files(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => drop(found.insert(path.clone(), std::fs::read(path).unwrap())),
        }
    }
}

fn all(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(folder, &mut found);
    found
}

fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_run_repeated_differs_in_nothing_and_is_left_as_it_was() {
    let dir = swept("tiny-bio", &[]);
    let run = dir.path().join("run");
    let before = all(&run);
    // From anywhere: the command's own folder is in the record.
    let ran =
        done(llmpr(dir.path(), &["sweep", "--repeat", run.to_str().unwrap()]).current_dir("/"));
    assert_eq!(ran.stdout, "nothing differs: 2 cells, 20 texts, their features and values\n");
    assert!(all(&run) == before, "the run was changed");
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    let json = done(&mut llmpr(
        dir.path(),
        &["sweep", "--repeat", "run", "--format", "json", "--out", "again"],
    ));
    schema::check("repeat", &serde_json::from_str(&json.stdout).unwrap());
    let table = |run: &str| std::fs::read(dir.path().join(run).join("results.csv")).unwrap();
    assert_eq!(table("again"), table("run"));
}

#[test]
fn a_text_a_feature_and_a_value_that_were_altered_are_named() {
    let dir = swept("tiny-bio", &[]);
    let run = dir.path().join("run");
    let ids: Vec<String> = samples(&run).into_keys().collect();
    let file = |cell: usize, name: &str| run.join("cells").join(&ids[cell]).join(name);
    let line = samples(&run)[&ids[0]][3].clone();
    let text = serde_json::from_str::<serde_json::Value>(&line).unwrap()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = line
        .replace(&format!("\"text\":{}", serde_json::json!(text)), "\"text\":\"of another hand\"");
    change(&file(0, "samples.jsonl"), &line, &other);
    let mut features = std::fs::read(file(1, "features.npy")).unwrap();
    *features.last_mut().unwrap() ^= 1;
    std::fs::write(file(1, "features.npy"), features).unwrap();
    change(&file(1, "scores.json"), "\"unique\": 10", "\"unique\": 9");
    let ran = ran(&mut llmpr(dir.path(), &["sweep", "--repeat", "run"]));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout.contains("texts: 1 of 10 differ: 3-0\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("features: 1 of "), "{}", ran.stdout);
    assert!(ran.stdout.contains("values: 1 of "), "{}", ran.stdout);
    assert!(ran.stdout.contains(".unique was 9 and is 10"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("nothing differs in 0 of 2 cells\n"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("2 cells differ from `run`")
            || ran.stderr.contains("2 of 2 cells differ from `run`")
    );
    let json =
        super::ran(&mut llmpr(dir.path(), &["sweep", "--repeat", "run", "--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    schema::check("repeat", &json);
    assert_eq!((&json["equal"], &json["cells"][0]["texts"]["differ"]), (&false.into(), &1.into()));
}

#[test]
fn a_grid_that_grew_is_repeated_by_all_its_commands() {
    let dir = swept("tiny-bio", &["--temps", "0.5"]);
    sweep(dir.path(), "tiny-bio", &["--temps", "1,1.3"]);
    let ran = done(&mut llmpr(dir.path(), &["sweep", "--repeat", "run"]));
    assert_eq!(ran.stdout, "nothing differs: 3 cells, 30 texts, their features and values\n");
}

#[test]
fn a_model_that_is_another_now_or_gone_is_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("tmp")).unwrap();
    let (bundled, own) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tiny-bio"), dir.path().join("mine"));
    std::fs::create_dir(&own).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(bundled.join(name), own.join(name)).unwrap();
    }
    sweep(dir.path(), "./mine", &[]);
    let mut weights = std::fs::read(own.join("model.safetensors")).unwrap();
    *weights.last_mut().unwrap() ^= 0x40;
    std::fs::write(own.join("model.safetensors"), weights).unwrap();
    let ran = ran(&mut llmpr(dir.path(), &["sweep", "--repeat", "run"]));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout.contains("  model_hash was "), "{}", ran.stdout);
    std::fs::remove_dir_all(&own).unwrap();
    let ran = super::ran(&mut llmpr(dir.path(), &["sweep", "--repeat", "run"]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("mine") && ran.stderr.contains("no such folder"), "{}", ran.stderr);
}

#[test]
fn what_is_no_repetition_is_refused() {
    let dir = swept("tiny-bio", &["--temps", "1"]);
    let said = |words: &[&str], code: i32, wanted: &str| {
        let ran = ran(&mut llmpr(dir.path(), words));
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{words:?}: {}", ran.stderr);
    };
    said(&["sweep", "--repeat", "run", "--temps", "1"], 2, "cannot be used with");
    said(&["sweep", "--format", "json"], 2, "--repeat <RUN>");
    said(&["sweep", "--repeat", "nowhere"], 1, "`nowhere` holds no run.json");
    said(&["sweep", "--repeat", "run", "--out", "run"], 1, "name another --out");
    change(&dir.path().join("run/run.json"), "\"sweep\"", "\"from_code\"");
    said(&["sweep", "--repeat", "run"], 1, "and not by `llmpr sweep`");
}
