//! Texts drawn from a grammar, where files of texts could stand.

use super::{llmpr, score_json, value};

#[test]
fn a_model_that_never_writes_of_two_countries_loses_recall_and_not_precision() {
    let score = score_json(&[
        "--reference",
        "synthetic-bio?n=150",
        "--samples",
        "synthetic-bio?n=150&seed=1&drop=country=Norway&drop=country=Ireland",
        "--embedder",
        "tiny-gpt2",
        "--metrics",
        "support",
        "--resamples",
        "4",
        "--permutations",
        "9",
    ]);
    let (precision, recall) = (value(&score, "precision"), value(&score, "recall"));
    assert!(precision > 0.8 && recall < precision - 0.1, "{precision} {recall}");
}

#[test]
fn a_grammar_that_cannot_be_drawn_from_gets_a_sentence() {
    let complaint = |spec: &str| {
        let ran =
            llmpr(&["score", "--reference", spec, "--samples", spec, "--embedder", "tiny-gpt2"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
        ran.stderr
    };
    assert!(complaint("synthetic-bio?drop=job=baker").contains("`job=baker` fits no mode"));
    assert!(complaint("synthetic-bio?n=many").contains("`n=many`: n is a whole number"));
    assert!(complaint("no.grammar").contains("cannot read the grammar `no.grammar`"));
}

#[test]
fn progress_goes_on_from_the_texts_to_their_score() {
    let of = |spec: &'static str| ["--reference", "synthetic-bio?n=20", "--samples", spec];
    let rest = ["--embedder", "tiny-gpt2", "--metrics", "precision", "--resamples", "0"];
    let ran = llmpr(&[&["score"], &of("synthetic-bio?n=24&seed=1")[..], &rest].concat());
    let at =
        |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("{words}: {}", ran.stderr));
    assert!(at("embedding 24 model texts") < at("scoring 24 against 20"), "{}", ran.stderr);
    assert!(at("scoring 24 against 20: 1 of 1 scores") > 0, "{}", ran.stderr);
}
