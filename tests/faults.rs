//! Runs that something happens to: processes killed at any moment, files cut and gone, folders moved, clocks that jump.
//! Afterwards the same command ends with the same bytes, or a sentence says what to do.
//!
//! `LLMPR_FAULTS=N` kills at N moments of each kind of sweep instead of a few, `LLMPR_FAULTS_SEED=S` at others.
#![cfg(all(feature = "cli", feature = "lm", unix))]

mod common;

#[path = "faults/cuts.rs"]
mod cuts;
#[path = "faults/folder.rs"]
mod folder;
#[path = "faults/kills.rs"]
mod kills;
#[path = "cli/sweep/serving.rs"]
#[allow(dead_code, reason = "other tests ask it more")]
mod serving;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// The program; another build of it where `LLMPR_FAULTS_PROGRAM` names one, such as an optimized one for hours.
pub fn program() -> Command {
    let own = env!("CARGO_BIN_EXE_llmpr").to_owned();
    let mut command = Command::new(std::env::var("LLMPR_FAULTS_PROGRAM").unwrap_or(own));
    command.env("NO_COLOR", "1").env("XDG_CACHE_HOME", "/nonexistent");
    command
}

/// A sweep of the bundled world: two cells of one model, in about a second.
pub fn sweep(out: &Path, more: &[&str]) -> Command {
    sweep_of("tiny-bio", out, more)
}

/// The same of another model.
pub fn sweep_of(model: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = program();
    command.args(["sweep", "--models", model, "--temps", "0.5,1", "--shots", "0"]);
    command.args(["-n", "16", "--max-new-tokens", "12", "--resamples", "0", "--permutations", "0"]);
    command.args(["--metrics", "support", "--batch", "2", "--out"]).arg(out).args(more);
    // What processes that were killed held is free at once.
    command.env("LLMPR_LOCK_PATIENCE", "2");
    command
}

/// Exit code and what was said.
pub fn ran(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().unwrap_or(-1), said)
}

/// Runs what ends well.
pub fn done(command: &mut Command) {
    let (code, said) = ran(command);
    assert_eq!(code, 0, "{said}");
}

/// What a run comes to: tables, results and the texts, by name. Whatever else lies there can be made of these.
pub fn outcome(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in ["results.csv", "results.json", "results_long.csv", "reference/texts.jsonl"] {
        found.insert(PathBuf::from(name), std::fs::read(run.join(name)).unwrap());
    }
    for cell in cells(run) {
        for name in ["cell.json", "samples.jsonl", "scores.json", "features.npy"] {
            let path = Path::new("cells").join(&cell).join(name);
            let bytes = std::fs::read(run.join(&path)).unwrap();
            // A score that is read again is not written again for a line's end.
            let end =
                if name == "scores.json" { bytes.trim_ascii_end().len() } else { bytes.len() };
            found.insert(path, bytes[..end].to_vec());
        }
    }
    found
}

/// Fails where two runs came to something else, and names what.
pub fn assert_same(
    found: &BTreeMap<PathBuf, Vec<u8>>,
    wanted: &BTreeMap<PathBuf, Vec<u8>>,
    what: &str,
) {
    let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(found), names(wanted), "{what}");
    let other: Vec<_> = wanted
        .iter()
        .filter(|(name, bytes)| found[*name] != **bytes)
        .map(|(name, _)| name)
        .collect();
    assert!(other.is_empty(), "{what}: {other:?} are not the same");
}

/// Names of the cells.
pub fn cells(run: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(run.join("cells")).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whole lines of completions, by cell and place.
pub fn lines(run: &Path) -> Vec<((String, u64, u64), String)> {
    let mut all = Vec::new();
    for cell in cells(run) {
        let path = run.join("cells").join(&cell).join("samples.jsonl");
        let bytes = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let at = |name: &str| json[name].as_u64().unwrap();
            all.push(((cell.clone(), at("prompt_index"), at("sample")), line.to_owned()));
        }
    }
    all
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        match path.is_dir() {
            true => copy(&path, &to),
            false => assert!(std::fs::copy(path, to).is_ok()),
        }
    }
}
