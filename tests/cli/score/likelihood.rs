//! `llmpr score --likelihood` with bundled models.

use super::{llmpr, number, score_json, shared, value};

const SMALL: [&str; 8] =
    ["--prompt", "- Biography of", "-n", "60", "--max-new-tokens", "6", "--resamples", "20"];

fn likelihood(p: &str, q: &str) -> serde_json::Value {
    score_json(&[&["--likelihood", p, q][..], &SMALL].concat())
}

#[test]
fn a_model_against_itself_scores_its_ceiling_exactly() {
    let score = likelihood("tiny-bio@T=0.9", "tiny-bio@T=0.9");
    for (name, metric) in score["metrics"].as_object().unwrap() {
        let (got, ceiling) = (number(&metric["value"]), number(&metric["ceiling"]));
        assert!((got - ceiling).abs() < 1e-9, "{name}: {metric}");
    }
    assert_eq!(score["schema"], "llmpr.score/1");
    let signature = score["signature"].as_str().unwrap();
    let (_, facts) = signature.split_once("|likelihood|P:").unwrap();
    let (hash, rest) = facts.split_once("@T=0.9|Q:").unwrap();
    assert!(hash.len() == 12 && rest.starts_with(&format!("{hash}@T=0.9|ref:")), "{signature}");
}

#[test]
fn temperatures_differ_and_share_their_support() {
    let score = likelihood("tiny-bio@T=0.7", "tiny-bio@T=1.4");
    assert_eq!((value(&score, "precision"), value(&score, "recall")), (1.0, 1.0));
    let alpha = &score["metrics"]["alpha@1"];
    let (low, got, high) =
        (number(&alpha["low"]), value(&score, "alpha@1"), number(&alpha["high"]));
    assert!(0.0 < low && low <= got && got <= high && high < 1.0, "{alpha}");
    assert!((value(&score, "tv") - (1.0 - got)).abs() < 1e-12);
    let prefix = score["curves"]["prefix"]["tv"].as_array().unwrap();
    assert_eq!(prefix.len(), 4, "{prefix:?}");
    assert!(score["curves"]["pr"]["alpha"].as_array().unwrap().len() > 100);
}

#[test]
fn a_truncated_model_is_precise_and_misses_what_it_cannot_write() {
    let score = likelihood("tiny-bio", "tiny-bio@top-k=2");
    assert_eq!(value(&score, "precision"), 1.0);
    let recall = value(&score, "recall");
    assert!(recall < 1.0, "{recall}");
    assert_eq!(value(&score, "kl"), f64::INFINITY);
    assert!(value(&score, "reverse_kl").is_finite());
    assert!(score["warnings"].to_string().contains("cannot write some text"));
    // The other way round nothing of the truncated model is lost.
    let turned = likelihood("tiny-bio@top-k=2", "tiny-bio");
    assert_eq!(value(&turned, "recall"), 1.0);
}

#[test]
fn a_model_reads_the_reference_as_in_a_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let own = ["--task", "synthetic-bio", "--shots", "0", "-n", "12", "--max-new-tokens", "8"];
    let sweep = [
        "sweep",
        "--models",
        "tiny-bio",
        "--temps",
        "0.5,1",
        "--reference-nll",
        "--metrics",
        "support",
    ];
    let none = ["--resamples", "0", "--permutations", "0", "--out", out.to_str().unwrap()];
    let swept = llmpr(&[&sweep[..], &own, &none].concat());
    assert_eq!(swept.code, 0, "{}", swept.stderr);
    let results = std::fs::read_to_string(out.join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let both = ["--likelihood", "tiny-bio", "tiny-bio@T=0.7", "--reference-nll-at", "0.5,1"];
    let score = score_json(&[&both[..], &own, &["--resamples", "20"]].concat());
    for cell in results["cells"].as_array().unwrap() {
        let temperature = cell["cell"]["decoding"]["temperature"].as_f64().unwrap();
        for name in ["reference_nll", "reference_bits_per_byte"] {
            let (read, swept) =
                (&score["metrics"][format!("{name}@{temperature}")], &cell["reference_nll"][name]);
            for key in ["value", "low", "high"] {
                let (a, b) = (number(&read[key]), number(&swept[key]));
                // The same sums, of batches of other sizes.
                assert!((a - b).abs() < 1e-9, "{name} at {temperature}, {key}: {a} and {b}");
            }
        }
    }
    assert!(!score.to_string().contains("_of_p@"), "one model is read once");
    assert!(score["signature"].as_str().unwrap().contains("|nll:"), "{}", score["signature"]);
}

#[test]
fn what_cannot_be_compared_gets_a_sentence() {
    let complaint = |args: &[&str]| {
        let ran = llmpr(&[&["score", "--likelihood"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
        ran.stderr
    };
    let said = complaint(&["tiny-bio", "tiny-bio@T=2"]);
    assert!(said.contains("--task NAME, --prompt TEXT or --prompts FILE"), "{said}");
    let said = complaint(&["tiny-bio", "nowhere/at/all", "--prompt", "a"]);
    assert!(said.contains("nowhere/at/all"), "{said}");
    if let Some(other) = shared("models/stories260K-hf") {
        let said = complaint(&["tiny-bio", other.to_str().unwrap(), "--prompt", "a"]);
        assert!(said.contains("different vocabularies"), "{said}");
    }
    let said = complaint(&["tiny-bio", "tiny-bio@T=2", "--prompt", "a", "--reference-nll-at", "1"]);
    assert!(said.contains("name it with --task NAME"), "{said}");
    let cold = ["tiny-bio", "tiny-bio", "--task", "synthetic-bio", "--reference-nll-at", "0,1"];
    let said = complaint(&cold);
    assert!(said.contains("--reference-nll-at 0 gives all texts but one no probability"), "{said}");
    let wrong = llmpr(&["score", "--likelihood", "tiny-bio", "tiny-bio@T=hot", "--prompt", "a"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("`hot` is no number"), "{}", wrong.stderr);
}
