//! An example that runs on every measure.

use std::path::Path;

use super::{ROOT, files};

/// The doc lines of each public function at the top of a file, with the function's own line.
fn documented(text: &str) -> Vec<(String, &str)> {
    let (mut docs, mut found) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(doc) = line.strip_prefix("///") {
            docs += doc;
            docs.push('\n');
        } else if !line.starts_with("#[") {
            if line.starts_with("pub fn ") {
                found.push((docs.clone(), line));
            }
            docs.clear();
        }
    }
    found
}

/// Whether a doc comment has a block that is compiled and run.
fn has_example(docs: &str) -> bool {
    // Every second fence opens a block; the word behind it says what the block is.
    let fences = docs.lines().filter_map(|line| line.trim().strip_prefix("```"));
    fences.step_by(2).any(|kind| kind.is_empty())
}

/// All doc comments of a file.
fn docs_of(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("///"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A file and, where it is a part of a measure's module, the files that hold that module.
fn holder(path: &Path) -> Vec<String> {
    let folder = path.parent().filter(|folder| !folder.ends_with("metric"));
    let above = folder.map(|folder| [folder.with_extension("rs"), folder.join("mod.rs")]);
    let files = std::iter::once(path.to_owned()).chain(above.into_iter().flatten());
    files.filter_map(|file| std::fs::read_to_string(Path::new(ROOT).join(file)).ok()).collect()
}

#[test]
fn every_measure_has_an_example_that_runs() {
    let (mut without, mut measures) = (Vec::new(), 0);
    for (path, text) in files("src/metric") {
        for (docs, line) in documented(&text) {
            if docs.contains("# Cost and sources") {
                measures += 1;
                if !has_example(&docs) {
                    without.push(format!("{}: {line}", path.display()));
                }
            }
        }
        if text.contains(": Spec = ")
            && !holder(&path).iter().any(|text| has_example(&docs_of(text)))
        {
            without.push(format!("{}: declares a Spec", path.display()));
        }
    }
    assert!(measures > 15, "only {measures} measures say their cost and sources");
    assert!(without.is_empty(), "no example:\n{}", without.join("\n"));
}

#[test]
fn an_example_is_a_block_that_runs() {
    assert!(has_example("```text\nformula\n```\n\n```\nassert!(true);\n```"));
    assert!(!has_example("```text\nformula\n```"));
    assert!(!has_example("```ignore\nassert!(true);\n```"));
    assert!(!has_example("```no_run\nassert!(true);\n```"));
}
