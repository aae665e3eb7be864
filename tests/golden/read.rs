//! Reading `../shared/golden`.

use serde_json::Value;
use std::path::PathBuf;

use llmpr::data::matrix::Matrix;

/// The eight cases of point clouds.
pub const CASES: [&str; 8] = [
    "a_small_gauss",
    "b_dropped_modes",
    "c_too_broad",
    "d_identical",
    "e_disjoint",
    "f_duplicates",
    "g_gpt2like",
    "h_n_less_than_d",
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/golden")).join(name)
}

/// The JSON file `name`, or `None` with a note where the golden values are absent.
pub fn json(name: &str) -> Option<Value> {
    let path = path(name);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    let text = std::fs::read_to_string(&path).expect("golden values can be read");
    Some(serde_json::from_str(&text).expect("golden values are JSON"))
}

/// What a case expects, or `None` where the golden values are absent.
pub fn expected(case: &str) -> Option<Value> {
    json(&format!("{case}/expected.json"))
}

/// `side` (`p` or `q`) of a case: float32, C order.
pub fn cloud(case: &str, side: &str) -> Matrix {
    array(case, side)
}

/// The `.npy` file `name` of a case: float32, C order.
pub fn array(case: &str, name: &str) -> Matrix {
    let bytes = std::fs::read(path(&format!("{case}/{name}.npy"))).expect("clouds can be read");
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..10 + header_len]);
    assert!(header.contains("'<f4'") && header.contains("False"), "{header}");
    let shape = header.split_once("'shape': (").expect("a shape").1;
    let cols = shape.split([',', ')']).nth(1).expect("two axes").trim().parse().expect("columns");
    let values = bytes[10 + header_len..].chunks_exact(4);
    let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Matrix::new(cols, values).expect("finite rows")
}

/// A number, or one of the words `inf`, `-inf`, `nan` that stand for one.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::Number(x) => x.as_f64().expect("a float"),
        Value::String(word) => word.parse().expect("inf or nan"),
        other => panic!("{other} is no number"),
    }
}

/// A list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// Asserts `|got − expected| ≤ tolerance`, infinities being equal to themselves.
#[track_caller]
pub fn assert_close(what: &str, got: f64, expected: &Value, tolerance: f64) {
    let expected = number(expected);
    let close = got == expected || (got - expected).abs() <= tolerance;
    assert!(close, "{what}: {got}, expected {expected} ± {tolerance:e}");
}
