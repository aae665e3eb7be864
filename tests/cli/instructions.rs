//! The numbers do not depend on the vector instructions, and `LLMPR_ISA` chooses them.

use super::{
    score::Ran,
    sweep::{done, ran},
};
use std::{path::Path, process::Command};

use llmpr::{
    data::matrix::Matrix,
    npy::write_npy,
    rng::{named, next_unit},
};

/// The binary on instructions `isa`, or on the widest where it is empty, with a cache in `dir` of its own:
/// another's would hold vectors that are not computed again.
fn llmpr(isa: &str, dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    let cache = dir.join(format!("cache-{isa}"));
    command.args(args).env("NO_COLOR", "1").env("XDG_CACHE_HOME", cache).env("LLMPR_ISA", isa);
    command
}

/// Stdout is the same on all instructions.
fn same_on_all(args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let on = |isa| done(&mut llmpr(isa, dir.path(), args)).stdout;
    let widest = on("");
    for isa in ["portable", "avx2", "avx512"] {
        assert_eq!(on(isa), widest, "{isa}: {args:?}");
    }
    widest
}

#[test]
fn every_measure_of_features_prints_the_same_bytes_on_all_instructions() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, at: f64| {
        let mut rng = named(1, name);
        // A sum of three is near a Gaussian, so that clusters and components differ in weight.
        let mut draw = || (0..3).map(|_| next_unit(&mut rng)).sum::<f64>() + at;
        let values = (0..90 * 21).map(|_| draw() as f32).collect();
        let path = dir.path().join(name);
        write_npy(&path, &Matrix::new(21, values).unwrap()).unwrap();
        path.display().to_string()
    };
    let (reference, samples) = (file("reference.npy", 0.0), file("samples.npy", 0.2));
    let files = ["score", "--reference", &reference, "--samples", &samples, "--format", "json"];
    let less = ["--metrics", "all", "--resamples", "10", "--permutations", "10"];
    let printed = same_on_all(&[&files[..], &less].concat());
    let scores: serde_json::Value = serde_json::from_str(&printed).unwrap();
    for metric in ["precision", "mauve", "frechet_distance", "vendi_score"] {
        assert!(scores["metrics"][metric].is_object(), "there is no {metric} in {printed}");
    }
}

#[test]
fn a_model_writes_and_a_model_embeds_the_same_bytes_on_all_instructions() {
    let prompt = ["sample", "--model", "tiny-bio", "--prompt", "- Biography of", "-n", "6"];
    let chain = ["--temperature", "0.9", "--top-p", "0.95", "--max-new-tokens", "24"];
    let texts = same_on_all(&[&prompt[..], &chain].concat());
    assert_eq!(texts.lines().count(), 6);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("texts.jsonl");
    std::fs::write(&file, texts).unwrap();
    let file = file.to_str().unwrap();
    let features = |isa| {
        let out = dir.path().join(format!("features-{isa}.npy"));
        let args = ["embed", file, "--embedder", "tiny-gpt2", "-o", out.to_str().unwrap()];
        done(&mut llmpr(isa, dir.path(), &args));
        std::fs::read(out).unwrap()
    };
    let widest = features("");
    assert!(["portable", "avx2"].into_iter().all(|isa| features(isa) == widest));
}

#[test]
fn instructions_that_do_not_exist_are_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let Ran { code, stdout, stderr } = ran(&mut llmpr("sse9", dir.path(), &["selftest"]));
    assert_eq!((code, stdout.as_str()), (2, ""));
    insta::assert_snapshot!(stderr, @"llmpr: LLMPR_ISA is `sse9`, and must be `portable`, `avx2` or `avx512`");
}
