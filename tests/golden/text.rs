//! Measures of token ids: `text.json`.

use llmpr::metric::{
    ngram::{Ngrams, distinct},
    repetition::{ends_in_a_loop, repetition},
    self_bleu::{bleu, self_bleu},
    zipf::zipf,
};
use serde_json::Value;

use crate::read::{assert_close, json, numbers};

const TOLERANCE: f64 = 1e-12;

fn sequences(file: &Value) -> Vec<Vec<u32>> {
    let sequence = |ids: &Value| numbers(ids).into_iter().map(|id| id as u32).collect();
    file["sequences"].as_array().expect("sequences").iter().map(sequence).collect()
}

fn check_scores(what: &str, got: &[f64], block: &Value) {
    for (i, (&got, expected)) in got.iter().zip(numbers(&block["per_sentence"])).enumerate() {
        assert_close(&format!("{what}, text {i}"), got, &expected.into(), TOLERANCE);
    }
    let mean = got.iter().sum::<f64>() / got.len() as f64;
    assert_close(what, mean, &block["mean"], TOLERANCE);
}

#[test] // nltk 3.10.4, SmoothingFunction().method1
fn self_bleu_agrees_with_nltk_text_by_text() {
    let Some(file) = json("text.json") else { return };
    let texts = sequences(&file);
    for order in 1..=5 {
        let got = self_bleu(&texts, order).expect("several texts");
        check_scores(&format!("bleu_{order}"), &got, &file["self_bleu"][format!("bleu_{order}")]);
    }
    let (references, hypotheses) = texts.split_at(texts.len() / 2);
    let got = bleu(hypotheses, references, 4).expect("references");
    check_scores("second half against first", &got, &file["bleu4_second_half_vs_first_half"]);
}

#[test] // numpy 2.4.6
fn distinct_ngrams_agree() {
    let Some(file) = json("text.json") else { return };
    let texts = sequences(&file);
    for (n, ngrams) in (1..).zip(Ngrams::up_to(&texts, 5)) {
        let block = &file["distinct"][format!("distinct_{n}")];
        assert_eq!(ngrams.distinct as u64, block["unique"].as_u64().expect("a count"), "n = {n}");
        assert_eq!(ngrams.total() as u64, block["total"].as_u64().expect("a count"), "n = {n}");
        let share = ngrams.distinct_share().expect("long enough texts");
        assert_close(&format!("n = {n}"), share, &block["fraction"], TOLERANCE);
        if n <= 4 {
            assert_eq!(distinct(&texts)[n - 1], Some(share), "n = {n}");
        }
    }
}

#[test] // mauve-experiments d1753fd
fn repetition_and_the_zipf_slope_agree() {
    let Some(file) = json("text.json") else { return };
    let texts = sequences(&file);
    let flags = numbers(&file["repetition"]["flags"]);
    for (i, (text, flag)) in texts.iter().zip(flags).enumerate() {
        assert_eq!(ends_in_a_loop(text), flag == 1.0, "text {i}");
    }
    let share = repetition(&texts).expect("texts");
    assert_close("repetition", share, &file["repetition"]["fraction"], TOLERANCE);
    assert_close("zipf", zipf(&texts).expect("tokens"), &file["zipf"]["slope"], TOLERANCE);
}
