//! Rejection sampling and the inception score.

use crate::read::{assert_close, json, numbers};
use serde_json::Value;

use llmpr::{
    data::sides::Sides,
    metric::{
        curve::{pr_curve, pr_divergence},
        inception::inception_score,
        rejection::{drs, drs_gamma_at_percentile, drs_gamma_for_budget, obrs, obrs_weighted},
    },
};

const TOLERANCE: f64 = 1e-9;

#[track_caller]
fn assert_all_close(what: &str, got: &[f64], expected: &Value) {
    let expected = numbers(expected);
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (&got, expected)) in got.iter().zip(expected).enumerate() {
        assert_close(&format!("{what}[{i}]"), got, &expected.into(), TOLERANCE);
    }
}

fn entries(block: &Value) -> impl Iterator<Item = (f64, &Value)> {
    let number = |key: &String| key.parse().expect("a number");
    block.as_object().expect("entries").iter().map(move |(key, value)| (number(key), value))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test] // formulas of the papers, numpy 2.4.6
fn optimal_acceptances_agree_at_every_budget() {
    let Some(file) = json("rejection_sampling.json") else { return };
    let ratios = numbers(&file["r"]);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    for (budget, block) in entries(&file["obrs"]) {
        let got = obrs(&ratios, budget).expect("valid ratios");
        let what = format!("K = {budget}");
        assert_all_close(&what, &got.acceptance, &block["a"]);
        assert_close(&what, got.scale, &block["scale_c_over_M"], TOLERANCE);
        assert_close(&what, got.scale * most, &block["c_K"], TOLERANCE);
        assert_close(&what, mean(&got.acceptance), &block["mean_a"], TOLERANCE);
    }
}

#[test] // formulas of the papers, numpy 2.4.6
fn discriminator_rejection_agrees_at_shifts_budgets_and_percentiles() {
    let Some(file) = json("rejection_sampling.json") else { return };
    let ratios = numbers(&file["r"]);
    for (gamma, block) in entries(&file["drs_gamma"]) {
        let got = drs(&ratios, gamma).expect("valid ratios");
        assert_all_close(&format!("γ = {gamma}"), &got, &block["a"]);
    }
    for (budget, block) in entries(&file["drs_budget"]) {
        let gamma = drs_gamma_for_budget(&ratios, budget).expect("valid ratios");
        assert_close(&format!("γ at K = {budget}"), gamma, &block["gamma"], TOLERANCE);
        let got = drs(&ratios, gamma).expect("valid ratios");
        assert_all_close(&format!("K = {budget}"), &got, &block["a"]);
    }
    let block = &file["drs_gamma_percentile80"];
    let gamma = drs_gamma_at_percentile(&ratios, 80.0).expect("valid ratios");
    assert_close("γ at 80 %", gamma, &block["gamma"], TOLERANCE);
    let kept = mean(&drs(&ratios, gamma).expect("valid ratios"));
    assert_close("mean at 80 %", kept, &block["mean_a"], TOLERANCE);
}

#[test] // formulas of the papers, numpy 2.4.6
fn filtered_distributions_have_the_expected_curves() {
    let Some(file) = json("rejection_sampling.json") else { return };
    let block = &file["discrete"];
    let (p, q) = (numbers(&block["p"]), numbers(&block["phat"]));
    let ratios: Vec<f64> = p.iter().zip(&q).map(|(p, q)| p / q).collect();
    let check = |what: &str, model: &[f64], points: &Value| {
        for (lambda, point) in entries(points) {
            let shares = Sides { reference: &p[..], model };
            let what = format!("{what}, λ = {lambda}");
            let got = pr_curve(shares, &[lambda])[0];
            assert_close(&what, pr_divergence(shares, lambda), &point["D"], TOLERANCE);
            assert_close(&what, got.alpha, &point["alpha"], TOLERANCE);
            assert_close(&what, got.beta, &point["beta"], TOLERANCE);
        }
    };
    check("before", &q, &block["pr_divergence_before"]);
    for (budget, expected) in entries(&block["budgets"]) {
        let what = format!("K = {budget}");
        let got = obrs_weighted(&ratios, &q, budget).expect("valid ratios");
        assert_all_close(&what, &got.acceptance, &expected["a"]);
        let model: Vec<f64> = got.acceptance.iter().zip(&q).map(|(a, q)| budget * a * q).collect();
        assert_all_close(&what, &model, &expected["ptilde"]);
        check(&what, &model, &expected["pr_divergence_after"]);
    }
}

#[test] // dgm-eval 74c79f7 without its shuffle
fn inception_scores_agree_for_every_number_of_parts() {
    let Some(file) = json("inception_score.json") else { return };
    let rows = file["probs"].as_array().expect("rows");
    let probabilities: Vec<f64> = rows.iter().flat_map(numbers).collect();
    for splits in [1, 5, 10] {
        let got = inception_score(&probabilities, probabilities.len() / rows.len(), splits)
            .expect("distributions");
        let block = &file[format!("splits_{splits}")];
        let what = format!("{splits} parts");
        assert_close(&what, got.mean, &block["mean"], TOLERANCE);
        assert_close(&what, got.std, &block["std"], TOLERANCE);
        assert_all_close(&what, &got.per_split, &block["per_split"]);
    }
}
