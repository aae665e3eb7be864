//! The programs of `examples/`, run small.
#![allow(dead_code, reason = "their `main` functions print")]

#[path = "../../examples/own_task.rs"]
mod own_task;
#[path = "../../examples/score_npy.rs"]
mod score_npy;
#[path = "../../examples/sweep_from_code.rs"]
mod sweep_from_code;

use std::path::Path;

use llmpr::{data::matrix::Matrix, npy::write_npy};

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
