//! `llmpr selftest`.

use super::score::{Ran, llmpr};

#[test]
fn the_world_is_seen_by_every_embedder_and_drawn_once() {
    let embedders = ["--embedders", "tiny-gpt2,tiny-gpt2:mean"];
    let args = [&["selftest", "--world", "-n", "10"][..], &embedders].concat();
    let Ran { code, stdout, stderr } = llmpr(&args);
    assert_eq!(code, 0, "{stderr}");
    let seen: Vec<&str> =
        stdout.lines().filter(|line| line.contains("cells of 10 texts")).collect();
    assert_eq!(seen.len(), 2, "{stdout}");
    for measure in ["precision", "recall", "coverage", "mauve"] {
        let rows = stdout.lines().filter(|line| line.trim_start().starts_with(measure)).count();
        assert!(rows >= 2, "{measure}: {stdout}");
    }
    let drawn = stderr.matches("sampling tiny-bio:").count();
    assert_eq!(drawn, 2, "a line at the beginning and one at the end: {stderr}");
}
