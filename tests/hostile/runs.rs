//! Run folders, one file of which is damaged: they are listed, read and reported on.

use std::path::{Path, PathBuf};

use llmpr::{
    report::browse::Limits,
    run::{
        finished::results, folder::RunFolder, progress::Quiet, publish::publish, signals::Stop,
        status::status,
    },
};

use super::trial::{Form, Kind, folder, hostile};

/// The run that is kept of the form of today.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/1")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => assert!(std::fs::copy(path, to.join(name)).is_ok()),
        }
    }
}

fn cell() -> String {
    let mut all = RunFolder::new(kept()).cell_ids();
    all.sort();
    all.remove(0)
}

/// Tries one file of a run; whatever is in it, nothing outside of the run is read or written.
fn file(name: &str, path: &str, form: Form, share: u64) {
    let dir = folder();
    let (run, out) = (dir.path().join("runs/a"), dir.path().join("out"));
    copy(&kept(), &run);
    // A cell that is none of the run's, with a model that nobody swept.
    let outside = dir.path().join("outside");
    copy(&run.join("cells").join(cell()), &outside);
    let foreign = std::fs::read_to_string(outside.join("scores.json")).unwrap();
    std::fs::write(outside.join("scores.json"), foreign.replace("tiny-bio", "outsider")).unwrap();
    let absolute = outside.display().to_string();
    let words = [
        "../../../outside",
        &absolute,
        "..",
        "llmpr.run/1",
        "llmpr.run/2",
        "",
        "cells",
        "schema",
        "model",
        "score",
        "metrics",
        "precision",
        "<script>alert(1)</script>",
    ];
    let path = run.join(path.replace("CELL", &cell()));
    let seed = std::fs::read(&path).unwrap();
    let kind = Kind { name, seeds: vec![seed], form, words: &words, share, ..Kind::default() };
    let mut turn = 0;
    hostile(&kind, |bytes| {
        turn += 1;
        std::fs::write(&path, bytes).unwrap();
        let kept = RunFolder::new(&run);
        if let Ok(status) = status(&kept, &Stop::never(), &Quiet) {
            let _ = serde_json::to_string(&status).unwrap();
        }
        if let Ok((results, _)) = results(std::slice::from_ref(&run)) {
            assert!(
                results.cells.iter().all(|cell| cell.cell.model != "outsider"),
                "a cell outside was read"
            );
        }
        // Figures and the page take longer; fonts are read once.
        if turn % 25 == 1 && publish(std::slice::from_ref(&run), &out, Limits::default()).is_ok() {
            let page = std::fs::read_to_string(out.join("report.html")).unwrap();
            assert!(
                !page.contains("<script>alert(1)"),
                "a text of the run is a part of the page's program"
            );
        }
        let above: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            above.iter().all(|name| ["runs", "out", "outside"].iter().any(|own| name == own)),
            "{above:?}"
        );
    });
}

#[test]
fn records_of_runs() {
    file("run.json", "run.json", Form::Json, 4);
}

#[test]
fn settings_of_cells() {
    file("cell.json", "cells/CELL/cell.json", Form::Json, 4);
}

#[test]
fn completions() {
    file("samples.jsonl", "cells/CELL/samples.jsonl", Form::Lines, 4);
}

#[test]
fn scores() {
    std::fs::metadata(kept().join("results.json")).unwrap();
    file("scores.json", "cells/CELL/scores.json", Form::Json, 4);
}

#[test]
fn results_of_runs() {
    file("results.json", "results.json", Form::Json, 4);
}

#[test]
fn features_and_what_they_were_made_of() {
    file("features.npy", "cells/CELL/features.npy", Form::Bytes, 10);
    file("features.json", "cells/CELL/features.json", Form::Json, 10);
}

#[test]
fn references() {
    file("texts.jsonl", "reference/texts.jsonl", Form::Lines, 10);
}
