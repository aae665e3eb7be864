//! What a person gets wrong, and the sentence they get.

use std::process::Command;

use super::{World, done, ran};

fn refused(world: &World, more: &[&str], code: i32, wanted: &str) {
    let ran = ran(&mut world.sweep("bad", more));
    assert_eq!(ran.code, code, "{more:?}: {}", ran.stderr);
    assert!(ran.stderr.contains(wanted), "{more:?}: {}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(!world.out("bad").exists(), "{more:?} left a folder");
}

#[test]
fn settings_that_make_no_sense_get_a_sentence_before_anything_is_written() {
    let Some(world) = World::new() else { return };
    refused(&world, &["--temps", "1.5..0.2"], 2, "`1.5..0.2` is descending; write 0.2..1.5");
    refused(&world, &["--temps", "warm"], 2, "`warm` is no number");
    refused(&world, &["--shots", "0.5"], 2, "`0.5` is not whole");
    refused(&world, &["--batch", "0"], 2, "use auto or a number from 1 up");
    refused(&world, &["-n", "0"], 1, "n = 0 draws nothing");
    refused(&world, &["--max-new-tokens", "0"], 1, "--max-new-tokens 0 writes nothing");
    refused(&world, &["--top-p", "1.5"], 1, "1.5");
    refused(&world, &["--max-new-tokens", "4000"], 1, "leave no room for a prompt in a context of");
    refused(&world, &["--shots", "500"], 1, "500 shots need as many texts");
    refused(&world, &["--k", "0"], 1, "k = 0");
    refused(&world, &["--shard", "4/4"], 2, "`4/4` is no shard");
    refused(&world, &["--preset", "none"], 1, "no preset `none`; there are");
    refused(&world, &["--device", "tpu"], 2, "`tpu` is no device");
}

#[test]
fn what_is_not_there_is_named() {
    let Some(world) = World::new() else { return };
    let world_args = |models: &str, task: &str, reference: &str, embedder: &str| {
        let out = world.out("bad");
        let out = out.to_str().unwrap().to_owned();
        let args = ["sweep", "--models", models, "--task", task, "--reference", reference];
        let more = ["--embedder", embedder, "--out", &out, "--temps", "1"];
        let ran = ran(&mut world.command(&[&args[..], &more[..]].concat()));
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        ran.stderr
    };
    let (model, embedder) = (world.model.to_str().unwrap(), world.embedder.to_str().unwrap());
    let reference = world.reference.to_str().unwrap();
    let message = world_args("./no-model", "tinystories", reference, embedder);
    assert!(message.contains("model `./no-model`: "), "{message}");
    let message = world_args(model, "limericks", reference, embedder);
    assert!(message.contains("no task `limericks`; bundled are"), "{message}");
    let message = world_args(model, "tinystories", "no.jsonl", embedder);
    assert!(message.contains("cannot read texts from `no.jsonl`"), "{message}");
    let message = world_args(model, "tinystories", reference, "./no-embedder");
    assert!(message.contains("embedder `./no-embedder`: "), "{message}");
}

#[test]
fn an_empty_folder_does_not_hide_what_is_bundled_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["tiny-bio", "tiny-gpt2", "synthetic-bio"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("notes.txt"), "mine").unwrap();
    }
    let planned = |model: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
        command.current_dir(dir.path()).env("NO_COLOR", "1").env("XDG_CACHE_HOME", dir.path());
        command.args(["sweep", "--dry-run", "--temps", "1", "-n", "12", "--shots", "0"]);
        command.args(["--task", "synthetic-bio", "--reference", "synthetic-bio"]);
        ran(command.args(["--embedder", "tiny-gpt2", "--out", "none", "--models", model]))
    };
    let bundled = planned("tiny-bio");
    assert_eq!(bundled.code, 0, "{}", bundled.stderr);
    let own = planned("./tiny-bio");
    assert_eq!(own.code, 1);
    assert!(own.stderr.contains("cannot read `./tiny-bio/config.json`"), "{}", own.stderr);
    // Half a model is one that somebody means.
    std::fs::write(dir.path().join("tiny-bio/model.safetensors"), "").unwrap();
    let half = planned("tiny-bio");
    assert!(half.code == 1 && half.stderr.contains("`tiny-bio/config.json`"), "{}", half.stderr);
}

#[test]
fn a_model_without_a_tokenizer_says_so() {
    let Some(world) = World::new() else { return };
    let bare = world.out("bare");
    std::fs::create_dir(&bare).unwrap();
    for file in std::fs::read_dir(&world.model).unwrap().flatten() {
        if !file.file_name().to_string_lossy().contains("token") {
            std::fs::copy(file.path(), bare.join(file.file_name())).unwrap();
        }
    }
    let mut command = world.command(&["sample", "--prompt", "Once", "--model"]);
    let ran = ran(command.arg(&bare));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("has no tokenizer (no tokenizer.json)"), "{}", ran.stderr);
}

#[test]
fn a_folder_of_another_sweep_or_of_something_else_is_left_alone() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("a", &["--temps", "1"]));
    let ran_other = ran(&mut world.sweep("a", &["-n", "30"]));
    assert_eq!(ran_other.code, 1);
    let wanted = "holds another sweep: its number of completions is 24, and this one's 30";
    assert!(ran_other.stderr.contains(wanted), "{}", ran_other.stderr);
    let mine = world.out("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("thesis.tex"), "").unwrap();
    let ran_mine = ran(&mut world.sweep("mine", &[]));
    assert_eq!(ran_mine.code, 1);
    assert!(ran_mine.stderr.contains("holds no run.json"), "{}", ran_mine.stderr);
    assert_eq!(std::fs::read_dir(&mine).unwrap().count(), 1);
}

#[test]
fn a_prompt_longer_than_the_context_is_counted_and_refused() {
    let Some(world) = World::new() else { return };
    let long = "word ".repeat(2000);
    let model = world.model.to_str().unwrap();
    let ran = ran(&mut world.command(&["sample", "--model", model, "--prompt", &long]));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("prompt prompt has"), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is room for"), "{}", ran.stderr);
}

#[test]
fn a_cell_that_cannot_be_scored_is_named_and_the_others_go_on() {
    let Some(world) = World::new() else { return };
    // At temperature 0 all completions are one text; k = 23 of 24 needs no more than that many rows.
    let ran = ran(&mut world.sweep("a", &["--temps", "0,1", "--k", "24"]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be scored: k = 24"), "{}", ran.stderr);
    assert!(ran.stderr.contains("2 cells failed, each named above"), "{}", ran.stderr);
}
