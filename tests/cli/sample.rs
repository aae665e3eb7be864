//! `llmpr sample` and `llmpr embed`.

use super::sweep::{World, done, ids, ran, sorted};

#[test]
fn a_prompt_is_continued_and_a_file_is_not_drawn_twice() {
    let Some(world) = World::new() else { return };
    let (model, out) = (world.model.to_str().unwrap().to_owned(), world.out("s.jsonl"));
    let out = out.to_str().unwrap().to_owned();
    let args = ["sample", "--model", &model, "--prompt", "Once upon a time", "--max-new-tokens"];
    let stdout = done(&mut world.command(&[&args[..], &["20", "-n", "3"]].concat())).stdout;
    assert_eq!(stdout.lines().count(), 3);
    let first: serde_json::Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert!(!first["text"].as_str().unwrap().is_empty());
    done(&mut world.command(&[&args[..], &["20", "-n", "2", "-o", &out]].concat()));
    let two = std::fs::read_to_string(&out).unwrap();
    done(&mut world.command(&[&args[..], &["20", "-n", "3", "-o", &out]].concat()));
    let three = std::fs::read_to_string(&out).unwrap();
    assert!(three.starts_with(&two) && three.lines().count() == 3, "{three}");
    let other = ["20", "-n", "3", "-o", &out, "--temperature", "0.5"];
    let other = ran(&mut world.command(&[&args[..], &other].concat()));
    assert!(other.stderr.contains("holds completions of other settings"), "{}", other.stderr);
}

#[test]
fn a_file_is_sorted_by_id_whatever_the_batch_and_however_often_it_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let command = |out: &str, batch: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_llmpr"));
        command.args(["sample", "--model", "tiny-bio", "--task", "synthetic-bio", "-n", "60"]);
        command.args(["--max-new-tokens", "60", "--batch", batch, "-o", out]);
        command.env("NO_COLOR", "1").env("XDG_CACHE_HOME", dir.path());
        command
    };
    let [one, seven, killed] = ["one.jsonl", "seven.jsonl", "killed.jsonl"].map(file);
    let started = std::time::Instant::now();
    done(&mut command(&seven, "7"));
    let whole = started.elapsed();
    done(&mut command(&one, "1"));
    let bytes = std::fs::read_to_string(&seven).unwrap();
    let lines: Vec<String> = bytes.lines().map(str::to_owned).collect();
    assert_eq!(ids(&lines), sorted(ids(&lines)));
    assert_eq!(lines.len(), 60);
    assert!(bytes == std::fs::read_to_string(&one).unwrap());
    for i in 1..=5u32 {
        let mut child = command(&killed, "8").stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64((f64::from(i) * 0.618).fract()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    done(&mut command(&killed, "8"));
    assert!(bytes == std::fs::read_to_string(&killed).unwrap());
    // All drawn and killed before the file was sorted.
    let reversed: Vec<&str> = bytes.lines().rev().collect();
    std::fs::write(&killed, reversed.join("\n") + "\n").unwrap();
    done(&mut command(&killed, "8"));
    assert!(bytes == std::fs::read_to_string(&killed).unwrap());
}

#[test]
fn zero_completions_and_two_sources_are_refused() {
    let Some(world) = World::new() else { return };
    let model = world.model.to_str().unwrap();
    let zero = ran(&mut world.command(&["sample", "--model", model, "--prompt", "a", "-n", "0"]));
    assert_eq!(
        (zero.code, zero.stderr.contains("n = 0 draws nothing")),
        (1, true),
        "{}",
        zero.stderr
    );
    let two = ["sample", "--model", model, "--prompt", "a", "--task", "news"];
    assert_eq!(ran(&mut world.command(&two)).code, 2);
}

#[test]
fn token_ids_and_texts_become_features() {
    let Some(world) = World::new() else { return };
    let ids = world.out("ids.jsonl");
    std::fs::write(&ids, "[1,2,3]\n[4]\n[1,2,3]\n").unwrap();
    let (embedder, ids) = (world.embedder.to_str().unwrap(), ids.to_str().unwrap());
    let out = world.out("f.npy");
    let args = ["embed", ids, "--token-ids", "--embedder", embedder, "-o", out.to_str().unwrap()];
    done(&mut world.command(&args));
    let features = llmpr::npy::read_features(out.to_str().unwrap()).unwrap();
    assert_eq!(features.rows(), 3);
    assert_eq!(features.row(0), features.row(2));
    assert_ne!(features.row(0), features.row(1));
    // An older name of --embed-tokens: cut to nothing but the first token, two lists are one.
    let cut = world.out("cut.npy");
    let short = ["embed", ids, "--token-ids", "--embedder", embedder, "--max-tokens", "1", "-o"];
    done(&mut world.command(&[&short[..], &[cut.to_str().unwrap()]].concat()));
    let cut = llmpr::npy::read_features(cut.to_str().unwrap()).unwrap();
    assert_eq!(cut.row(0), cut.row(2));
    assert_ne!(cut.row(0), features.row(0));
    std::fs::write(world.out("bad.jsonl"), "[1]\n[\"a\"]\n").unwrap();
    let bad = world.out("bad.jsonl");
    let args =
        ["embed", bad.to_str().unwrap(), "--token-ids", "--embedder", embedder, "-o", "x.npy"];
    let refused = ran(&mut world.command(&args));
    assert!(refused.stderr.contains("bad.jsonl:2: not a list of token ids"), "{}", refused.stderr);
}
