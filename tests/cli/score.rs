//! `llmpr score`: golden values through the front door, and what bad input gets.

#[path = "score/bad_input.rs"]
mod bad_input;
#[path = "score/features.rs"]
mod features;
#[path = "score/grammar.rs"]
mod grammar;
#[path = "score/histograms.rs"]
mod histograms;
#[path = "score/likelihood.rs"]
mod likelihood;
#[path = "score/memory.rs"]
mod memory;

use std::path::PathBuf;

use serde_json::Value;

/// What a run left behind.
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// Runs `llmpr` with `args`.
pub fn llmpr(args: &[&str]) -> Ran {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_llmpr"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The JSON that `llmpr score` prints for these arguments.
pub fn score_json(args: &[&str]) -> Value {
    let all: Vec<&str> = ["score", "--format", "json"].iter().chain(args).copied().collect();
    let ran = llmpr(&all);
    assert_eq!(ran.code, 0, "{all:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// A folder of shared test data, or `None` with a note where it is absent.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(folder);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

/// A number as the JSON holds it: `"inf"` is infinite, `null` is NaN.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(word) if word == "inf" => f64::INFINITY,
        Value::String(word) if word == "-inf" => f64::NEG_INFINITY,
        Value::String(word) if word == "nan" => f64::NAN,
        value => value.as_f64().unwrap(),
    }
}

/// The value of a measure.
pub fn value(score: &Value, name: &str) -> f64 {
    let metric = &score["metrics"][name];
    assert!(metric.is_object(), "there is no {name} in {}", score["metrics"]);
    number(&metric["value"])
}

/// Asserts that two numbers agree, infinities included.
pub fn assert_near(what: &str, got: f64, want: f64, allowed: f64) {
    let near = got == want || (got - want).abs() <= allowed;
    assert!(near, "{what}: {got}, expected {want} ± {allowed}");
}
