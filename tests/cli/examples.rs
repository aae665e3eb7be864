//! The programs of `examples/`, run small.
#![allow(dead_code, reason = "their `main` functions print")]

#[path = "../../examples/own_task.rs"]
mod own_task;
#[path = "../../examples/score_npy.rs"]
mod score_npy;
#[path = "../../examples/sweep_from_code.rs"]
mod sweep_from_code;

use std::{path::Path, process::Command};

use llmpr::{data::matrix::Matrix, npy::write_npy};

use super::{
    common::skipped,
    sweep::{done, samples},
};

#[test]
fn the_example_scores_two_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, at: f32| {
        let values = (0..240).map(|i| at + (i * i % 37) as f32 / 37.0).collect();
        let path = dir.path().join(name);
        write_npy(&path, &Matrix::new(3, values).unwrap()).unwrap();
        path.display().to_string()
    };
    let (people, model) = (file("people.npy", 0.0), file("model.npy", -50.0));
    let same = score_npy::scored(&people, &people).unwrap();
    assert!(same.starts_with("100 % of the model's texts lie where people's do"), "{same}");
    let apart = score_npy::scored(&people, &model).unwrap();
    assert!(apart.starts_with("0 % of the model's texts lie where people's do"), "{apart}");
    assert!(apart.contains("mauve"), "{apart}");
}

#[test]
fn the_example_sweeps_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let results = sweep_from_code::swept(12, dir.path()).unwrap();
    assert_eq!(results.cells.len(), 3);
    assert!(results.cells.iter().all(|cell| cell.truth.contains_key("recall_accepted")));
    assert_eq!(sweep_from_code::swept(12, dir.path()).unwrap(), results);
}

#[test]
fn the_example_s_task_asks_with_two_shots_and_keeps_first_sentences() {
    let dir = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (prompt, results) = own_task::tried(&examples, dir.path()).unwrap();
    assert!(prompt.starts_with("Write biographies") && prompt.ends_with("- Biography of"));
    assert_eq!(prompt.matches("- Biography of").count(), 3);
    assert_eq!(results.cells.len(), 2);
    assert!(results.cells.iter().all(|cell| cell.truth.is_empty() && cell.texts.n == 40));
}

/// The flags of a small sweep of four cells.
const SMALL: &str = "--task synthetic-bio --temps 0.5,1 --shots 0 -n 12 --max-new-tokens 8 --resamples 0 \
                     --permutations 0 --metrics support --out";

/// A program of `examples/` with a sweep's flags, which finds `llmpr` on its path.
fn cluster_example(program: &str, file: &str, out: &Path) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_llmpr")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file));
    command.args(SMALL.split_whitespace()).arg(out);
    command
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("XDG_CACHE_HOME", "/nonexistent");
    command
}

/// Runs it, and holds what it wrote against one process.
fn as_one_process(mut example: Command, out: &Path, dir: &Path) {
    let ran = done(&mut example);
    assert!(ran.stdout.contains("shard done: 12 completions drawn into"), "{}", ran.stdout);
    let whole = dir.join("whole");
    let mut sweep = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    sweep.arg("sweep").args(SMALL.split_whitespace()).arg(&whole);
    done(sweep.env("XDG_CACHE_HOME", "/nonexistent"));
    assert_eq!(samples(out), samples(&whole));
    let table = |run: &Path| std::fs::read_to_string(run.join("results.csv")).unwrap();
    assert_eq!(table(out), table(&whole));
}

#[test]
fn the_example_sweeps_under_gnu_parallel() {
    let version = Command::new("parallel").arg("--version").output();
    if !version.is_ok_and(|said| said.stdout.starts_with(b"GNU parallel")) {
        skipped("the example for GNU parallel", "there is no GNU parallel");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a run");
    as_one_process(cluster_example("bash", "sweep_parallel.sh", &out), &out, dir.path());
}

#[test]
fn the_example_sweeps_as_a_dask_bag() {
    let python = std::env::var("LLMPR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import dask.bag"]).output();
    if !there.is_ok_and(|said| said.status.success()) {
        skipped("the example for Dask", "there is no Python with dask");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a run");
    as_one_process(cluster_example(&python, "sweep_dask.py", &out), &out, dir.path());
}
