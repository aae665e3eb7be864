//! `llmpr texts`: what is read from files of many tools.

use serde_json::Value;

use super::score::{llmpr, shared};

fn texts(args: &[&str]) -> Value {
    let ran = llmpr(&[&["texts", "--format", "json"], args].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn counts(args: &[&str]) -> (u64, Option<u64>) {
    let found = texts(args);
    (found["n"].as_u64().unwrap(), found["groups"].as_u64())
}

#[test]
fn files_of_other_tools_hold_as_many_texts_and_groups_as_was_written_down() {
    let Some(cases) = shared("cases/inputs") else { return };
    let file = |name: &str| cases.join(name).to_str().unwrap().to_owned();
    for (name, n, groups) in [
        ("samples_flat.jsonl", 40, Some(40)),
        ("samples_lmeval_repeats.jsonl", 120, Some(40)),
        ("samples_lmeval_filters.jsonl", 40, Some(40)),
        ("samples_lmeval_filters.jsonl:resps", 40, Some(40)),
        ("samples_lmeval_filters.jsonl:filtered_resps", 40, Some(40)),
        ("batch.jsonl", 80, Some(40)),
        ("batch_reason.jsonl", 30, Some(30)),
        ("messages.jsonl", 40, Some(1)),
        ("empty_some.jsonl", 40, None),
        ("completion_prompt.jsonl", 40, Some(40)),
    ] {
        assert_eq!(counts(&[&file(name)]), (n, groups), "{name}");
    }
    let refused = |args: &[&str]| {
        let ran = llmpr(&[&["texts"], args].concat());
        assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
        ran.stderr
    };
    assert!(refused(&[&file("samples_ll.jsonl")]).contains("`resps` holds log-likelihoods"));
    let null = refused(&[&file("null_some.jsonl")]);
    assert!(null.contains("8 of 40 texts are null, the first in row 1"), "{null}");
    assert!(null.contains("--skip-missing"), "{null}");
    assert_eq!(counts(&[&file("null_some.jsonl"), "--skip-missing"]).0, 32);
    assert_eq!(counts(&[&file("empty_some.jsonl"), "--skip-missing"]).0, 32);
    let batch = refused(&[&file("batch.jsonl"), "--strict"]);
    assert!(batch.contains("2 requests failed: r99 (batch_expired), r98 (429)"), "{batch}");
    assert!(
        refused(&[&file("batch_reason.jsonl"), "--strict"]).contains("10 answers have no content")
    );
}

#[test]
fn what_is_taken_and_left_out_is_shown_and_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.jsonl");
    let lines = r#"{"id": "a", "prompt": "P", "text": "P one", "completion": " one"}
{"id": "b", "prompt": "P", "text": "P two", "completion": " two"}
{"id": "c", "prompt": "Q", "text": "Q", "completion": ""}
"#;
    std::fs::write(&file, lines).unwrap();
    let name = file.to_str().unwrap();
    let ran = llmpr(&["texts", name, "--first", "1"]);
    let wanted = "\
texts      3
different  3
empty      0
groups     2, by the prompts that the texts answer
taken      `text`
not taken  `completion`
left out   nothing
- a: \"P one\"
";
    assert_eq!(ran.stdout, wanted);
    let note = format!(
        "note: `{name}`: texts are `text`; also there: `completion`; every text begins with its prompt; \
         FILE:FIELD names another\n"
    );
    assert_eq!(ran.stderr, note);
    let ran = llmpr(&["texts", &format!("{name}:completion")]);
    assert!(
        ran.stderr.contains("1 of 3 texts are empty and count like the others"),
        "{}",
        ran.stderr
    );
    let out = dir.path().join("clean.jsonl");
    let out = out.to_str().unwrap();
    llmpr(&["texts", &format!("{name}:completion"), "--skip-missing", "-o", out]);
    assert_eq!(counts(&[out]), (2, Some(1)));
}

/// A Python that has the tools that write files of texts: `LLMPR_PYTHON`, else `python3`.
fn python() -> Option<String> {
    let python = std::env::var("LLMPR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let ran = std::process::Command::new(&python).args(["-c", "import pyarrow"]).output();
    ran.is_ok_and(|ran| ran.status.success()).then_some(python)
}

#[test] // files by pyarrow, polars, datasets, Inspect and openai, as far as they are installed
fn files_of_the_tools_own_writers_hold_the_texts_that_were_written() {
    let Some(python) = python() else {
        return crate::common::skipped("texts", "no Python with pyarrow (LLMPR_PYTHON names one)");
    };
    let dir = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/write-texts.py");
    let ran = std::process::Command::new(python).arg(script).arg(dir.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let expected = std::fs::read(dir.path().join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let files = expected["files"].as_array().unwrap();
    assert!(files.len() >= 13, "{files:?}");
    for file in files {
        let file = format!("{}/{}", dir.path().display(), file.as_str().unwrap());
        let found = texts(&[&file, "--first", "20"]);
        let said: Vec<&Value> =
            found["first"].as_array().unwrap().iter().map(|text| &text["text"]).collect();
        assert_eq!(
            said,
            expected["texts"].as_array().unwrap().iter().collect::<Vec<_>>(),
            "{file}"
        );
    }
}
