//! `llmpr sweep` from flags to files: whole, killed, stopped, continued, refused.

#[path = "sweep/bad_input.rs"]
mod bad_input;
#[path = "sweep/batch.rs"]
mod batch;
#[path = "sweep/cluster.rs"]
pub mod cluster;
#[path = "sweep/llama_cpp.rs"]
mod llama_cpp;
#[path = "sweep/presets.rs"]
mod presets;
#[path = "sweep/reference_nll.rs"]
mod reference_nll;
#[path = "sweep/repeat.rs"]
mod repeat;
#[path = "sweep/resume.rs"]
mod resume;
#[path = "sweep/server.rs"]
mod server;
#[path = "sweep/serving.rs"]
mod serving;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use super::score::{Ran, shared};

/// Files a test sweep needs, and a folder for what it writes.
pub struct World {
    /// A small Llama model.
    pub model: PathBuf,
    /// A small GPT-2 that embeds.
    pub embedder: PathBuf,
    /// Stories by people's programs.
    pub reference: PathBuf,
    /// Removed at the end.
    pub dir: tempfile::TempDir,
}

impl World {
    /// `None` where the shared models are absent.
    pub fn new() -> Option<Self> {
        let models = shared("models")?;
        let reference = shared("data")?.join("tinystories.jsonl");
        Some(Self {
            model: models.join("stories260K-hf"),
            embedder: models.join("gpt2-tinystories-own-hf"),
            reference,
            dir: tempfile::tempdir().unwrap(),
        })
    }

    /// The run folder of that name.
    pub fn out(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary with an environment of its own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
        command.args(args).env("NO_COLOR", "1").env("XDG_CACHE_HOME", self.dir.path());
        command
    }

    /// A sweep of two temperatures in seconds; later flags of `more` stand beside these.
    pub fn sweep(&self, out: &str, more: &[&str]) -> Command {
        let (model, embedder) = (self.model.to_str().unwrap(), self.embedder.to_str().unwrap());
        let (reference, out) = (self.reference.to_str().unwrap(), self.out(out));
        let mut args = vec!["sweep", "--task", "tinystories"];
        args.extend(["--reference", reference, "--embedder", embedder]);
        args.extend(["--out", out.to_str().unwrap(), "--resamples", "20", "--permutations", "20"]);
        let defaults = [
            ("--models", model),
            ("--temps", "0.5,1"),
            ("-n", "24"),
            ("--max-new-tokens", "24"),
            ("--embed-tokens", "24"),
            ("--metrics", "support,frontier,diversity"),
        ];
        for (flag, value) in defaults {
            if !more.contains(&flag) {
                args.extend([flag, value]);
            }
        }
        args.extend(more);
        self.command(&args)
    }
}

/// What a command left behind.
pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a command left behind, which ended well.
pub fn done(command: &mut Command) -> Ran {
    let ran = ran(command);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

/// The lines of every `samples.jsonl` in the order of the file, by cell.
pub fn samples(out: &Path) -> BTreeMap<String, Vec<String>> {
    let cells = std::fs::read_dir(out.join("cells")).into_iter().flatten().flatten();
    cells
        .filter_map(|cell| {
            let text = std::fs::read_to_string(cell.path().join("samples.jsonl")).ok()?;
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            Some((cell.file_name().into_string().unwrap(), lines))
        })
        .collect()
}

/// Prompt and number of every completion.
pub fn ids(lines: &[String]) -> Vec<(u64, u64)> {
    let id = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let (prompt, sample) = line["id"].as_str().unwrap().split_once('-').unwrap();
        (prompt.parse().unwrap(), sample.parse().unwrap())
    };
    lines.iter().map(id).collect()
}

/// The same in order, each once.
pub fn sorted(mut ids: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ids.sort();
    ids.dedup();
    ids
}

fn csv(out: &Path) -> String {
    std::fs::read_to_string(out.join("results.csv")).unwrap()
}

/// The last session of `run.json`.
fn session(out: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(out.join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&text).unwrap();
    run["sessions"].as_array().unwrap().last().unwrap().clone()
}

#[test]
fn a_sweep_leaves_a_table_and_a_folder_that_reads_without_it() {
    let Some(world) = World::new() else { return };
    let ran = done(&mut world.sweep("a", &[]));
    let out = world.out("a");
    assert!(
        ran.stdout.contains("precision") && ran.stdout.contains("stories260K-hf"),
        "{}",
        ran.stdout
    );
    for file in [
        "run.json",
        "results.csv",
        "results_long.csv",
        "results.json",
        "reference/texts.jsonl",
        "reference/features.npy",
    ] {
        assert!(out.join(file).exists(), "{file}");
    }
    assert!(!out.join("lock").exists());
    let cells = samples(&out);
    assert_eq!(cells.len(), 2);
    for (id, lines) in cells {
        assert_eq!(lines.len(), 24, "{id}");
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        for field in [
            "id",
            "prompt_id",
            "prompt",
            "text",
            "tokens",
            "finish_reason",
            "logprob",
            "logprob_model",
            "entropy",
            "temperature",
            "seed",
            "sample",
            "shots_used",
        ] {
            assert!(!line[field].is_null(), "{field}: {line}");
        }
        for file in ["cell.json", "features.npy", "scores.json"] {
            assert!(out.join("cells").join(&id).join(file).exists(), "{id}/{file}");
        }
        assert!(!out.join("cells").join(&id).join("lock").exists());
    }
    assert_eq!(csv(&out).lines().count(), 3, "{}", csv(&out));
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_batch() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("a", &["--batch", "1"]));
    done(&mut world.sweep("b", &["--batch", "7"]));
    done(&mut world.sweep("c", &[]));
    done(&mut world.sweep("d", &["--seeds", "1"]));
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| world.out(name));
    for (id, lines) in samples(&a) {
        assert_eq!(ids(&lines), sorted(ids(&lines)), "{id}");
    }
    assert_eq!(samples(&a), samples(&b));
    assert_eq!(samples(&a), samples(&c));
    assert_eq!(csv(&a), csv(&b));
    assert_eq!(csv(&a), csv(&c));
    assert_ne!(samples(&a), samples(&d));
}

#[test]
fn a_finished_sweep_is_not_drawn_again_and_a_grid_can_be_extended() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("a", &[]));
    let out = world.out("a");
    let (first, table) = (samples(&out), csv(&out));
    done(&mut world.sweep("a", &[]));
    assert_eq!(session(&out)["completions"], 0);
    assert_eq!(csv(&out), table);
    done(&mut world.sweep("a", &["--temps", "0.5,1,1.5"]));
    assert_eq!(session(&out)["completions"], 24);
    let more = samples(&out);
    assert!(first.iter().all(|(id, lines)| &more[id] == lines));
    assert_eq!(csv(&out).lines().count(), 4);
    // The same grid at once gives the same table.
    done(&mut world.sweep("b", &["--temps", "0.5,1,1.5"]));
    assert_eq!(csv(&out), csv(&world.out("b")));
}

#[test]
fn slopes_and_unequal_sizes_are_asked_for_recorded_and_scored_again_when_they_change() {
    let Some(world) = World::new() else { return };
    let json = |file: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(world.out("a").join(file)).unwrap()).unwrap()
    };
    let has = |name: &str| !json("results.json")["cells"][0]["score"]["metrics"][name].is_null();
    let own = ["--metrics", "curve", "--lambdas", "0.5,3", "--unequal", "keep"];
    done(&mut world.sweep("a", &own));
    assert!(has("alpha@3") && !has("alpha@2"), "{}", json("results.json"));
    let scoring = &json("run.json")["scoring"];
    assert_eq!(scoring["lambdas"], serde_json::json!([0.5, 3.0]));
    assert_eq!(scoring["unequal"], "keep");
    done(&mut world.sweep("a", &own[..2]));
    assert!(has("alpha@2") && !has("alpha@3"), "{}", json("results.json"));
    assert_eq!(session(&world.out("a"))["completions"], 0);
}

#[test]
fn shards_draw_apart_and_one_sweep_scores_all() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("whole", &[]));
    for shard in ["0/2", "1/2"] {
        let ran = done(&mut world.sweep("parts", &["--shard", shard]));
        assert!(ran.stdout.contains("24 completions drawn"), "{}", ran.stdout);
    }
    done(&mut world.sweep("parts", &[]));
    assert_eq!(session(&world.out("parts"))["completions"], 0);
    assert_eq!(csv(&world.out("parts")), csv(&world.out("whole")));
}

#[test]
fn a_dry_run_names_cells_tokens_and_memory_and_writes_nothing() {
    let Some(world) = World::new() else { return };
    let ran = done(&mut world.sweep("a", &["--dry-run"]));
    for word in ["T=0.5", "T=1", "1 152 new", "of weights as f32", "measured now"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    assert!(!world.out("a").exists());
}
