//! Published protocols: faults imitated, models held against models, and several completions a prompt.

use super::{World, done, ran, samples};

#[test]
fn quirks_change_the_texts_and_are_told_wherever_the_cell_is() {
    let Some(world) = World::new() else { return };
    let more = ["--temps", "1", "--repetition-penalty", "1.3"];
    let quirks = [&more[..], &["--quirks", "chars:20,penalized-eos,shared-texts"]].concat();
    done(&mut world.sweep("sound", &more));
    done(&mut world.sweep("faithful", &quirks));
    let texts = |name: &str| -> Vec<serde_json::Value> {
        let all = samples(&world.out(name));
        all.values().flatten().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (sound, faithful) = (texts("sound"), texts("faithful"));
    let length = |line: &serde_json::Value| line["text"].as_str().unwrap().chars().count();
    assert!(sound.iter().any(|line| length(line) > 20));
    assert!(faithful.iter().all(|line| length(line) <= 20));
    // What was cut is kept beside it.
    assert!(faithful.iter().any(|line| line["completion"].as_str().is_some()));
    let results = std::fs::read_to_string(world.out("faithful").join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let cell = &results["cells"][0];
    let told = serde_json::json!(["chars:20", "penalized-eos", "shared-texts"]);
    assert_eq!(cell["cell"]["quirks"], told);
    let signature = cell["score"]["signature"].as_str().unwrap();
    assert!(signature.ends_with("|quirks:chars:20,penalized-eos,shared-texts"), "{signature}");
    let sound = std::fs::read_to_string(world.out("sound").join("results.json")).unwrap();
    assert!(!sound.contains("quirks"));
}

#[test]
fn prompts_that_do_not_fit_lose_examples_or_with_the_quirk_their_ends() {
    let Some(world) = World::new() else { return };
    let path = world.dir.path().join("long.toml");
    let task = "name = \"long\"\nversion = 1\nshot = \"{text}\"\ncue = \"THE CUE:\"\n";
    std::fs::write(&path, task).unwrap();
    let prompt = |name: &str, more: &[&str]| {
        let out = world.out(name);
        let args = ["sweep", "--models", world.model.to_str().unwrap(), "--temps", "1", "-n", "12"];
        let files =
            ["--task", path.to_str().unwrap(), "--reference", world.reference.to_str().unwrap()];
        let rest = ["--embedder", world.embedder.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let small =
            ["--shots", "3", "--max-new-tokens", "8", "--resamples", "0", "--permutations", "0"];
        let ran = done(&mut world.command(&[&args[..], &files, &rest, &small, more].concat()));
        let all = samples(&out);
        let line: serde_json::Value =
            serde_json::from_str(&all.values().next().unwrap()[0]).unwrap();
        (
            line["prompt"].as_str().unwrap().to_owned(),
            line["shots_used"].as_u64().unwrap(),
            ran.stderr,
        )
    };
    let (sound, shots, said) = prompt("sound", &[]);
    assert!(sound.ends_with("THE CUE:") && shots < 3, "{shots}: {sound}");
    assert!(said.contains("lost whole examples"), "{said}");
    let (cut, shots, said) = prompt("cut", &["--quirks", "cut-prompts"]);
    assert!(!cut.contains("THE CUE") && shots == 3, "{shots}: {cut}");
    assert!(said.contains("did not fit and lost their ends, cue included"), "{said}");
}

#[test]
fn a_task_on_which_nobody_wrote_asks_for_another_model_s_texts() {
    let Some(world) = World::new() else { return };
    let (model, embedder) = (world.model.to_str().unwrap(), world.embedder.to_str().unwrap());
    let out = world.out("creative");
    let common =
        ["--models", model, "--preset", "acl2024-creative", "-n", "12", "--max-new-tokens", "12"];
    let more =
        ["--embedder", embedder, "--embed-tokens", "24", "--resamples", "0", "--permutations", "0"];
    let common = [&["sweep"], &common[..], &more, &["--out", out.to_str().unwrap()]].concat();
    let refused = ran(&mut world.command(&common));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let wanted = "nobody wrote texts on task `creative`: draw a model's with `llmpr sample --model A --task creative";
    assert!(refused.stderr.contains(wanted), "{}", refused.stderr);
    let other = world.dir.path().join("a.jsonl");
    let other = other.to_str().unwrap();
    let args =
        ["sample", "--model", model, "--task", "creative", "-n", "12", "--max-new-tokens", "12"];
    done(&mut world.command(&[&args[..], &["--seed", "1", "-o", other]].concat()));
    let ran = done(&mut world.command(&[&common[..], &["--reference", other]].concat()));
    assert!(ran.stdout.contains("precision"), "{}", ran.stdout);
}

#[test]
fn several_completions_a_prompt_are_held_against_those_of_other_prompts() {
    let Some(world) = World::new() else { return };
    // News do not begin alike, as stories do.
    let news = world.reference.with_file_name("bbc-news.jsonl");
    let (model, embedder) = (world.model.to_str().unwrap(), world.embedder.to_str().unwrap());
    let out = world.out("several");
    let what =
        ["sweep", "--models", model, "--task", "webtext", "--reference", news.to_str().unwrap()];
    let how = ["--temps", "0.5,1", "-n", "24", "--prompt-count", "6", "--max-new-tokens", "24"];
    let scored = ["--embedder", embedder, "--embed-tokens", "24", "--metrics", "precision"];
    let rest = ["--resamples", "0", "--permutations", "0", "--out", out.to_str().unwrap()];
    done(&mut world.command(&[&what[..], &how, &scored, &rest].concat()));
    let results = std::fs::read_to_string(world.out("several").join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    for cell in results["cells"].as_array().unwrap() {
        let found = &cell["per_prompt"];
        // 24 completions of 6 prompts.
        assert_eq!(found["prompt_completions"]["value"], 4.0);
        for name in ["prompt_vendi", "across_vendi", "prompt_classes", "across_classes"] {
            let of = |part: &str| found[name][part].as_f64().unwrap();
            let (value, low, high) = (of("value"), of("low"), of("high"));
            assert!((1.0..=4.0 + 1e-9).contains(&value), "{name} {value}");
            assert!(low <= value && value <= high, "{name}: {low} {value} {high}");
        }
    }
    let csv = std::fs::read_to_string(world.out("several").join("results.csv")).unwrap();
    assert!(csv.lines().next().unwrap().contains("prompt_distance,prompt_distance_low"), "{csv}");
    let figures = world.out("several").join("figures");
    assert!(figures.join("per_prompt_diversity_vs_temperature.svg").exists());
    let long = std::fs::read_to_string(world.out("several").join("results_long.csv")).unwrap();
    assert!(long.contains(",across_distinct_2,"), "{long}");
}
