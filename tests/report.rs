//! A report from a run folder, as a reader and a browser see it.

#[path = "report/browser.rs"]
mod browser;
#[path = "report/fabricate.rs"]
mod fabricate;
#[cfg(all(feature = "cli", feature = "lm"))]
#[path = "report/judged.rs"]
mod judged;
#[cfg(all(feature = "cli", feature = "lm"))]
#[path = "report/served.rs"]
mod served;
#[path = "../src/shared_data.rs"]
#[allow(dead_code, reason = "no test here needs data")]
mod shared_data;
#[cfg(all(feature = "cli", feature = "lm"))]
#[path = "report/tables.rs"]
mod tables;

use std::{collections::BTreeMap, path::Path};

use llmpr::{
    report::browse::Limits,
    run::{
        publish::{PublishError, Published, publish},
        show::{Which, Wish, show},
    },
};

fn report(runs: &[&Path], out: &Path) -> Result<Published, PublishError> {
    let runs: Vec<_> = runs.iter().map(|run| run.to_path_buf()).collect();
    publish(&runs, out, Limits { texts_per_cell: 12, ..Limits::default() })
}

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_report_is_the_same_bytes_whenever_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let first = report(&[&run], &dir.path().join("a")).unwrap();
    report(&[&run], &dir.path().join("b")).unwrap();
    report(&[&run], &dir.path().join("b")).unwrap();
    let (a, b) = (files(&dir.path().join("a")), files(&dir.path().join("b")));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    assert!(a == b, "some file differs");
    assert_eq!(first.cells, 2 * 2 * 5);
    let pixels: Vec<_> = a.iter().filter(|(name, _)| name.ends_with(".png")).collect();
    // All, or none where the machine has no fonts.
    assert_eq!(pixels.len(), first.pixels);
    assert!(first.pixels == first.figures || first.pixels == 0, "{} pictures", first.pixels);
    assert!(pixels.iter().all(|(_, bytes)| bytes.starts_with(b"\x89PNG")));
    for name in [
        "results.csv",
        "results_long.csv",
        "results.json",
        "report.html",
        "figures/precision_recall_vs_temperature.svg",
        "figures/precision_recall_vs_temperature.vl.json",
        "figures/precision_recall_plane.svg",
        "figures/precision_recall_vs_shots.svg",
        "figures/truth_vs_estimate.svg",
        "figures/divergence_frontiers.svg",
    ] {
        assert!(a.contains_key(name), "{name} is missing; there are {:?}", a.keys());
    }
}

#[test]
fn marks_at_the_texts_add_up_to_the_precision_and_recall_of_their_cell() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let out = dir.path().join("out");
    let all =
        Limits { texts: 100_000, texts_per_cell: 1000, uncovered_per_cell: 1000, characters: 50 };
    publish(&[run], &out, all).unwrap();
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    let data = html.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let results = std::fs::read_to_string(out.join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    for (cell, result) in
        data["cells"].as_array().unwrap().iter().zip(results["cells"].as_array().unwrap())
    {
        let texts = cell["texts"].as_array().unwrap();
        let inside = texts.iter().filter(|t| t["balls"].as_u64().unwrap() > 0).count();
        let precision = result["score"]["metrics"]["precision"]["value"].as_f64().unwrap();
        assert!((inside as f64 / texts.len() as f64 - precision).abs() < 1e-9, "{}", cell["label"]);
        let n = result["score"]["reference"]["n"].as_f64().unwrap();
        let recall = result["score"]["metrics"]["recall"]["value"].as_f64().unwrap();
        let uncovered = cell["uncovered"].as_f64().unwrap();
        assert!((1.0 - uncovered / n - recall).abs() < 1e-9, "{}", cell["label"]);
    }
}

#[test]
fn texts_cannot_break_out_of_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "ti\"ny<b>", 1.0);
    let out = dir.path().join("out");
    report(&[&run], &out).unwrap();
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    // Every text of the fabricated run holds this.
    assert!(!html.contains("</script><img"), "a text ended the data");
    assert!(html.contains("\\u003c/script>\\u003cimg"));
    assert!(!html.contains("ti\"ny<b>"), "a model's name is markup");
    assert_eq!(html.matches("</script>").count(), 3, "two of data, one of code");
    assert!(
        !html.contains("http://")
            || html.matches("http://").count() == html.matches("http://www.w3.org").count()
    );
}

#[test]
fn several_runs_become_one_report_that_says_what_cannot_be_compared() {
    let dir = tempfile::tempdir().unwrap();
    let a = fabricate::run(dir.path(), "a", "tiny", 1.0);
    let b = fabricate::run(dir.path(), "b", "other", 1.3);
    let out = dir.path().join("out");
    assert_eq!(report(&[&a, &b, &a], &out).unwrap().cells, 40, "a cell is shown once");
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.contains("other-chat") && html.contains("tiny-chat"));
    assert!(!html.contains("must not be compared"));
    let mut record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(b.join("run.json")).unwrap()).unwrap();
    record["shared"]["reference_hash"] = "else".into();
    std::fs::write(b.join("run.json"), record.to_string()).unwrap();
    report(&[&a, &b], &out).unwrap();
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        html.contains("The runs differ in their reference, so their numbers must not be compared")
    );
}

#[test]
fn runs_that_cannot_be_compared_are_drawn_apart_and_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let a = fabricate::run(dir.path(), "a", "tiny", 1.0);
    let b = fabricate::run(dir.path(), "b", "tiny", 1.0);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let (whole, scores) = (read(&b.join("run.json")), read(&b.join("results.json")));
    for (field, value, what) in [
        ("/shared/task_hash", "else", "task"),
        ("/shared/embedder_hash", "else", "embedder"),
        ("/scoring/k", "9", "settings of scores"),
        ("/models/0/dtype", "f16", "type of numbers or device"),
    ] {
        let mut record: serde_json::Value = serde_json::from_str(&whole).unwrap();
        let old = record.pointer_mut(field).unwrap();
        *old = if old.is_number() { value.parse::<u64>().unwrap().into() } else { value.into() };
        std::fs::write(b.join("run.json"), record.to_string()).unwrap();
        // Cells of other numbers or another embedder have signatures of their own.
        let results = scores.replace("\"signature\":\"", "\"signature\":\"other|");
        let results = results.replace("\"signature\": \"", "\"signature\": \"other|");
        std::fs::write(b.join("results.json"), results).unwrap();
        let out = dir.path().join("out");
        let published = report(&[&a, &b], &out).unwrap();
        assert_eq!(published.cells, 40, "{what}");
        let said =
            format!("The runs differ in their {what}, so their numbers must not be compared");
        assert!(
            published.notes.iter().any(|note| note.starts_with(&said)),
            "{:?}",
            published.notes
        );
        let svg = read(&out.join("figures/precision_recall_vs_temperature.svg"));
        assert!(svg.contains("tiny (run 2)") && svg.contains("tiny-chat (run 2)"), "{what}");
    }
}

#[test]
fn one_cell_has_a_report_and_so_have_texts_of_a_megabyte_and_of_other_scripts() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let path = run.join("results.json");
    let mut results: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    results["cells"].as_array_mut().unwrap().truncate(1);
    std::fs::write(&path, results.to_string()).unwrap();
    let record = run.join("run.json");
    let mut whole: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    whole["cells"].as_array_mut().unwrap().truncate(1);
    std::fs::write(&record, whole.to_string()).unwrap();
    let id = results["cells"][0]["cell"]["id"].as_str().unwrap().to_owned();
    let samples = run.join("cells").join(&id).join("samples.jsonl");
    let lines = std::fs::read_to_string(&samples).unwrap();
    let odd = |line: &str| {
        let mut sample: serde_json::Value = serde_json::from_str(line).unwrap();
        sample["text"] =
            format!("שלום \u{202e}<script>alert(1)</script> {}", "word ".repeat(200_000)).into();
        sample.to_string() + "\n"
    };
    // Three of that length are enough for a page.
    let all = lines.lines().enumerate();
    let all = all.map(|(at, line)| if at < 3 { odd(line) } else { format!("{line}\n") });
    std::fs::write(&samples, all.collect::<String>()).unwrap();
    let out = dir.path().join("out");
    assert_eq!(report(&[&run], &out).unwrap().cells, 1);
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    assert!(!html.contains("<script>alert"), "a text is markup");
    assert!(out.join("texts/0.json").is_file(), "what does not fit stands beside the page");
}

#[test]
fn a_half_run_says_how_many_cells_of_the_plan_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let out = dir.path().join("out");
    assert_eq!(report(&[&run], &out).unwrap().notes, [""; 0]);
    for id in ["tiny03", "tiny06", "tinychat29"] {
        std::fs::remove_file(run.join("cells").join(id).join("scores.json")).unwrap();
    }
    std::fs::remove_file(run.join("results.json")).unwrap();
    let published = report(&[&run], &out).unwrap();
    let word = "The run is not whole: 3 of the 20 cells of the plan have no score";
    assert_eq!(published.cells, 17);
    assert!(published.notes[0].starts_with(word), "{:?}", published.notes);
    assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains(word));
}

#[test]
fn a_race_whose_record_cannot_be_read_is_left_out_with_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let (file, out) = (run.join("tune.json"), dir.path().join("out"));
    let record = |schema: &str| {
        serde_json::json!({
            "schema": schema, "goal": "largest recall", "requirements": [], "n": 80, "within": 0.02, "sure": 0.95,
            "budget": 400, "texts": 0, "grid_texts": 1600, "tokens": 0, "seconds": 0.0, "settled": false,
            "rounds": [], "cells": []
        })
        .to_string()
    };
    let cases = [
        ("{\"schema\":".to_owned(), "is damaged (EOF while parsing a value"),
        ("{}".to_owned(), "is damaged (missing field `schema`"),
        (record("llmpr.race/9"), "is of the form `llmpr.race/9`, not `llmpr.race/1`;"),
        (record("llmpr.race/1"), "has no settings;"),
    ];
    for (text, what) in cases {
        std::fs::write(&file, text).unwrap();
        let said = format!("race of settings came to is left out: `{}` {what}", file.display());
        let published = report(&[&run], &out).unwrap();
        let [note] = published.notes.as_slice() else { panic!("{:?}", published.notes) };
        assert!(
            note.contains(&said) && note.contains("; run the same `llmpr tune` again"),
            "{note}"
        );
        let html = std::fs::read_to_string(out.join("report.html")).unwrap();
        assert!(html.contains("What the race of settings came to is left out"), "{what}");
        assert_eq!(published.cells, 20);
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let notes = report(&[&run], &out).unwrap().notes;
    assert!(notes.len() == 1 && notes[0].contains("tune.json` cannot be read ("), "{notes:?}");
}

#[test]
fn texts_that_cannot_be_read_are_left_out_with_a_word_and_asked_for_by_name_they_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let out = dir.path().join("out");
    let whole = report(&[&run], &out).unwrap().notes;
    let cell = std::fs::read_dir(run.join("cells")).unwrap().next().unwrap().unwrap();
    let (id, samples) =
        (cell.file_name().into_string().unwrap(), cell.path().join("samples.jsonl"));
    let sound = std::fs::read_to_string(&samples).unwrap();
    std::fs::write(&samples, format!("{{\"id\"\n{sound}")).unwrap();
    let published = report(&[&run], &out).unwrap();
    let said = format!("`{}`, line 1: ", samples.display());
    let told = |notes: &[String], said: &str| {
        notes.iter().any(|note| note.contains(" are left out: ") && note.contains(said))
    };
    assert!(told(&published.notes, &said), "{:?}", published.notes);
    assert_eq!((published.cells, published.notes.len()), (20, whole.len() + 1));
    assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("are left out: "));
    let wish = Wish { which: Which::Any, texts: 1, nearest: 1 };
    let error = show(&run, &id, wish).unwrap_err().to_string();
    assert!(error.contains(&said), "{error}");
    std::fs::write(&samples, sound).unwrap();
    let reference = run.join("reference/texts.jsonl");
    let sound = std::fs::read_to_string(&reference).unwrap();
    std::fs::write(&reference, format!("[]\n{sound}")).unwrap();
    let notes = report(&[&run], &out).unwrap().notes;
    assert!(told(&notes, &format!("`{}` is damaged: line 1: ", reference.display())), "{notes:?}");
    std::fs::remove_file(&reference).unwrap();
    assert_eq!(report(&[&run], &out).unwrap().notes.len(), whole.len());
}

#[test]
fn scores_beside_their_cells_are_shown_where_the_list_of_results_is_older() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let path = run.join("results.json");
    let mut results: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    results["cells"].as_array_mut().unwrap().truncate(10);
    std::fs::write(&path, results.to_string()).unwrap();
    let published = report(&[&run], &dir.path().join("out")).unwrap();
    assert_eq!((published.cells, published.notes.len()), (20, 0));
}

#[test]
fn what_is_no_run_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let message = report(&[dir.path()], &out).unwrap_err().to_string();
    assert!(
        message.ends_with("is no run folder: it has no run.json; name the --out of a sweep"),
        "{message}"
    );
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    std::fs::remove_file(run.join("results.json")).unwrap();
    assert_eq!(report(&[&run], &out).unwrap().cells, 20, "scores stand beside their cells");
    std::fs::remove_dir_all(run.join("cells")).unwrap();
    let message = report(&[&run], &out).unwrap_err().to_string();
    assert!(message.contains("has no scores yet"), "{message}");
}

#[test]
fn without_features_or_texts_there_is_still_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    std::fs::remove_file(run.join("reference/features.npy")).unwrap();
    let out = dir.path().join("out");
    report(&[&run], &out).unwrap();
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.contains("Cells without features at hand"));
    std::fs::remove_dir_all(run.join("reference")).unwrap();
    report(&[&run], &out).unwrap();
}
