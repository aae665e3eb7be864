//! Runs that earlier versions wrote: one for each form, in `tests/runs`. They are never written anew.

use std::path::{Path, PathBuf};

use llmpr::{
    report::record::{CELL_SCHEMA, RESULT_SCHEMA, RESULTS_SCHEMA},
    run::folder::RUN_SCHEMA,
};

use crate::sweep::{done, samples};

fn kept() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs");
    let mut all: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn llmpr(words: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(words).env("NO_COLOR", "1").env("XDG_CACHE_HOME", "/nonexistent");
    command
}

#[test]
fn a_run_is_kept_of_the_form_that_is_written_now() {
    let mut forms = Vec::new();
    for run in kept() {
        let cell = run.join("cells").join(samples(&run).into_keys().next().unwrap());
        let files = [
            run.join("run.json"),
            run.join("results.json"),
            cell.join("cell.json"),
            cell.join("scores.json"),
        ];
        for file in files {
            let json: serde_json::Value =
                serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            forms.push(json["schema"].as_str().unwrap().to_owned());
        }
    }
    for form in [RUN_SCHEMA, CELL_SCHEMA, RESULT_SCHEMA, RESULTS_SCHEMA] {
        assert!(
            forms.iter().any(|kept| kept == form),
            "keep a small run with `{form}` in tests/runs"
        );
    }
}

#[test]
fn old_runs_are_reported_compared_looked_at_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    for old in kept() {
        let run = dir.path().join(old.file_name().unwrap());
        copy(&old, &run);
        let path = run.to_str().unwrap();
        let table = std::fs::read_to_string(old.join("results.csv")).unwrap();
        assert_eq!(done(&mut llmpr(&["report", path, "--format", "csv"])).stdout, table);
        assert!(done(&mut llmpr(&["status", path])).stdout.contains("2 cells, 2 done"), "{path}");
        done(&mut llmpr(&["compare", path, "--against", "T=1 "]));
        done(&mut llmpr(&["tune", path, "--maximize", "precision"]));
        let page = dir.path().join("page");
        done(&mut llmpr(&["report", path, "--out", page.to_str().unwrap()]));
        let drawn = samples(&run);
        let run_json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
        let words = run_json["sessions"][0]["command"].as_array().unwrap();
        let words: Vec<&str> = words[1..].iter().map(|word| word.as_str().unwrap()).collect();
        let mut words = words[..words.len() - 1].to_vec();
        words.push(path);
        done(&mut llmpr(&words));
        assert_eq!(samples(&run), drawn);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        match path.is_dir() {
            true => copy(&path, &to),
            false => assert!(std::fs::copy(path, to).is_ok()),
        }
    }
}
