//! `llmpr sweep --reference-nll`: the bundled model, which was trained on texts of the world that it reads.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;

use super::{World, done, ran, serving::Serving};
use crate::schema::check;

/// A sweep of the bundled model, 16 texts a cell.
fn sweep(out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(["sweep", "--models", "tiny-bio", "--shots", "0", "-n", "16", "--reference-nll"]);
    command.args(["--resamples", "0", "--permutations", "0", "--metrics", "support", "--out"]);
    command.arg(out).args(more).env("NO_COLOR", "1").env("XDG_CACHE_HOME", "/nonexistent");
    command
}

fn results(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap()
}

/// The NLL of each temperature with its interval.
fn nll(out: &Path) -> BTreeMap<String, (f64, f64, f64)> {
    let results = results(out);
    let of = |cell: &Value| {
        let nll = &cell["reference_nll"]["reference_nll"];
        let [value, low, high] = ["value", "low", "high"].map(|key| nll[key].as_f64());
        let temperature = cell["cell"]["decoding"]["temperature"].to_string();
        Some((temperature, (value?, low?, high?)))
    };
    results["cells"].as_array().unwrap().iter().filter_map(of).collect()
}

/// The one file of what was read, and its path.
fn kept(out: &Path) -> (std::path::PathBuf, String) {
    let files = std::fs::read_dir(out.join("reference")).unwrap().map(|file| file.unwrap().path());
    let is_it = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "jsonl");
    let named = files.filter(is_it).filter(|path| !path.ends_with("texts.jsonl"));
    let [path] = named.collect::<Vec<_>>().try_into().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn a_model_fits_the_world_it_was_trained_on_best_as_it_is_and_reads_each_text_once() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let more = ["--temps", "0,0.5,1,1.5", "--top-p", "0.9,1", "--max-new-tokens", "24"];
    let ran = done(&mut sweep(&out, &more));
    assert!(ran.stdout.contains(" nll ") && ran.stdout.contains("nll: nats"), "{}", ran.stdout);
    let all = nll(&out);
    assert_eq!(all.len(), 3, "temperature 0 has none: {all:?}");
    let at = |temperature: &str| all[temperature];
    for other in ["0.5", "1.5"] {
        assert!(at("1.0").0 < at(other).0, "{all:?}");
    }
    assert!(all.values().all(|(value, low, high)| low < value && value < high), "{all:?}");
    let cells = results(&out);
    for cell in cells["cells"].as_array().unwrap() {
        // Truncation is left out: both cells of a temperature have one value.
        let twin = cells["cells"].as_array().unwrap().iter().find(|other| {
            let key = |cell: &Value| cell["cell"]["decoding"]["temperature"].clone();
            other["cell"]["id"] != cell["cell"]["id"] && key(other) == key(cell)
        });
        assert_eq!(twin.unwrap()["reference_nll"], cell["reference_nll"]);
    }
    check("results", &cells);
    let (_, lines) = kept(&out);
    assert_eq!(lines.lines().count(), 16);
    lines.lines().for_each(|line| check("read", &serde_json::from_str(line).unwrap()));
    let csv = std::fs::read_to_string(out.join("results.csv")).unwrap();
    let header = "reference_nll,reference_nll_low,reference_nll_high,reference_bits_per_byte";
    assert!(csv.lines().next().unwrap().contains(header), "{csv}");
}

#[test]
fn what_was_read_is_read_again_only_where_it_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let short = ["--max-new-tokens", "8", "--temps"];
    let said = done(&mut sweep(&out, &[&short[..], &["0.5,1"]].concat())).stderr;
    assert!(said.contains("reading the reference as tiny-bio"), "{said}");
    let (before, (path, lines)) = (nll(&out), kept(&out));
    let again = |more: &[&str]| done(&mut sweep(&out, &[&short[..], more].concat())).stderr;
    let idle = again(&["0.5,1", "--no-draw"]);
    assert!(!idle.contains("reading the reference"), "{idle}");
    // A kill left five lines and a part of the sixth.
    let mut cut: String = lines.lines().take(5).map(|line| format!("{line}\n")).collect();
    cut.push_str(&lines.lines().nth(5).unwrap()[..20]);
    std::fs::write(&path, &cut).unwrap();
    again(&["0.5,1", "--no-draw"]);
    assert_eq!((nll(&out), kept(&out).1), (before.clone(), lines.clone()));
    // A line in the middle that is none: nothing of the file counts.
    std::fs::write(&path, lines.replacen("{\"text\":3", "{\"text\":x", 1)).unwrap();
    again(&["0.5,1", "--no-draw"]);
    assert_eq!((nll(&out), kept(&out).1), (before.clone(), lines.clone()));
    again(&["0.5,1,1.2"]);
    let (after, (_, more)) = (nll(&out), kept(&out));
    assert_eq!((after.len(), &after["0.5"]), (3, &before["0.5"]));
    assert!(more.starts_with(&lines) && more.lines().count() == 32, "one reading more");
    let off: Vec<&str> = short.iter().copied().chain(["0.5,1,1.2"]).collect();
    let mut plain = sweep(&out, &off);
    plain.arg("--reference-nll=false");
    assert_eq!(ran(&mut plain).code, 2, "given twice");
}

#[test]
fn what_cannot_be_read_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let texts = dir.path().join("texts.jsonl");
    let lines: String =
        (0..40).map(|i| format!("{{\"text\": \"A text, the {i}th.\"}}\n")).collect();
    std::fs::write(&texts, lines).unwrap();
    let of = |task: &str, model: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
        command.args(["sweep", "--reference-nll", "--dry-run", "--embedder", "tiny-gpt2"]);
        command.args(["--temps", "1", "-n", "12", "--models", model, "--task", task, "--out"]);
        command.arg(dir.path().join("none")).arg("--reference").arg(&texts);
        ran(command.env("NO_COLOR", "1"))
    };
    let many = of("creative", "tiny-bio");
    assert_eq!(many.code, 1);
    let why = "task `creative` has 50 instructions, and which of them a reference text follows is not known";
    assert!(many.stderr.contains(why), "{}", many.stderr);
    let served = of("news", &Serving::words().model());
    let note = "openai:words: no logits of the reference's texts can be had";
    assert!(served.code == 0 && served.stderr.contains(note), "{}", served.stderr);
}

#[test]
fn stories_that_do_not_begin_as_the_prompt_does_are_left_out() {
    let Some(world) = World::new() else { return };
    let said = done(&mut world.sweep("a", &["--reference-nll"])).stderr;
    let cell = results(&world.out("a"))["cells"][0].clone();
    let read = cell["reference_nll"]["reference_texts"]["value"].as_f64().unwrap();
    assert!(read > 0.0 && read <= 24.0, "{read}");
    let left = 24 - read as usize;
    let note = format!("{left} of 24 reference texts continue no prompt of the task");
    assert_eq!(said.contains(&note), left > 0, "{said}");
}
