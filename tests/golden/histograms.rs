//! Curves and divergences of counts: `histograms.json` and the histogram of each case.

use crate::read::{CASES, assert_close, expected, json, numbers};
use serde_json::Value;

use llmpr::{
    data::sides::Sides,
    metric::{
        curve::{Point, pr_curve, pr_divergence, sajjadi_lambdas, summary, verine_lambdas},
        divergence::Divergence,
        frontier::{Frontier, Settings, mauve},
        histogram::{Smoothing, shares},
    },
};

/// Every histogram with its name and expected values.
fn histograms() -> Vec<(String, Value)> {
    let Some(file) = json("histograms.json") else { return Vec::new() };
    let named = file["histograms"].as_object().expect("histograms by name").clone();
    let of_case = |case: &&str| {
        let block = expected(case)?["fixed_histogram_seed25"].clone();
        Some((format!("{case}/fixed_histogram_seed25"), block))
    };
    named.into_iter().chain(CASES.iter().filter_map(of_case)).collect()
}

fn counts(block: &Value) -> Sides<Vec<u64>> {
    let side = |key: &str| numbers(&block[key]).into_iter().map(|count| count as u64).collect();
    Sides { reference: side("counts_p"), model: side("counts_q") }
}

/// The shares of a block, borrowed for the length of `test`.
fn with_shares(block: &Value, smoothing: Smoothing, test: impl FnOnce(Sides<&[f64]>)) {
    let counts = counts(block);
    let shares = shares(counts.as_ref().map(Vec::as_slice), smoothing).expect("shared bins");
    test(shares.as_ref().map(Vec::as_slice));
}

#[test] // Sajjadi's prd and pr-4-llm, on mauve-text 0.4.0's clusters
fn pr_curves_and_their_summaries_agree_with_both_authors() {
    for (name, block) in histograms() {
        with_shares(&block, Smoothing::None, |shares| {
            for (key, lambdas) in [
                ("prd_sajjadi_1001", sajjadi_lambdas(1001)),
                ("prd_verine_999", verine_lambdas(999)),
            ] {
                check_curve(
                    &format!("{name}/{key}"),
                    &block[key],
                    &pr_curve(shares, &lambdas),
                    1e-12,
                );
            }
        });
    }
}

/// The listed points and the two F-scores of `block`.
#[track_caller]
pub fn check_curve(what: &str, block: &Value, points: &[Point], tolerance: f64) {
    let close = |key: &str, got, expected: &Value| {
        assert_close(&format!("{what}/{key}"), got, expected, tolerance);
    };
    for (i, index) in numbers(&block["index"]).into_iter().enumerate() {
        let point = points[index as usize];
        close("alpha", point.alpha, &block["alpha"][i]);
        close("beta", point.beta, &block["beta"][i]);
    }
    let got = summary(points);
    close("max_f8_recall", got.max_f8_recall, &block["max_f8_recall"]);
    close("max_f1_8_precision", got.max_f1_8_precision, &block["max_f1_8_precision"]);
}

#[test] // float64 formulas of the papers, numpy 2.4.6
fn divergences_agree_with_and_without_smoothing() {
    let keys = [
        ("kl", Divergence::Kl),
        ("reverse_kl", Divergence::ReverseKl),
        ("js", Divergence::Js),
        ("chi2_pearson", Divergence::Chi2),
        ("chi2_neyman", Divergence::NeymanChi2),
        ("hellinger_sq", Divergence::Hellinger2),
        ("tv", Divergence::Tv),
    ];
    for (name, block) in histograms() {
        for (family, smoothing) in [
            ("f_divergences", Smoothing::None),
            ("f_divergences_smoothed", Smoothing::KrichevskyTrofimov),
        ] {
            with_shares(&block, smoothing, |shares| {
                for (key, divergence) in keys {
                    let what = format!("{name}/{family}/{key}");
                    assert_close(&what, divergence.between(shares), &block[family][key], 1e-12);
                }
            });
        }
    }
}

#[test] // float64 formulas of the papers, numpy 2.4.6
fn pr_divergences_agree_at_every_slope() {
    for (name, block) in histograms() {
        with_shares(&block, Smoothing::None, |shares| {
            for (slope, point) in block["pr_divergence"].as_object().expect("slopes") {
                let lambda: f64 = slope.parse().expect("a slope");
                let what = format!("{name}/pr_divergence/{slope}");
                let got = pr_curve(shares, &[lambda])[0];
                assert_close(&what, pr_divergence(shares, lambda), &point["D"], 1e-12);
                assert_close(&what, got.alpha, &point["alpha"], 1e-12);
                assert_close(&what, got.beta, &point["beta"], 1e-12);
            }
        });
    }
}

#[test] // mauve-text 0.4.0
fn mauve_and_the_frontier_integral_agree_with_and_without_smoothing() {
    for (name, block) in histograms() {
        let counts = counts(&block);
        let got = mauve(counts.as_ref().map(Vec::as_slice), &Settings::default()).expect("bins");
        for (key, got) in [
            ("mauve", got.mauve),
            ("mauve_star", got.mauve_star),
            ("frontier_integral", got.frontier_integral),
            ("frontier_integral_star", got.frontier_integral_star),
        ] {
            // One bin on both sides: 1 for us, 0.75 for mauve-text, whose sort leaves the ties in any order.
            let by_ties = name == "single_bin" && key.starts_with("mauve");
            let expected = if by_ties { Value::from(1.0) } else { block[key].clone() };
            assert_close(&format!("{name}/{key}"), got, &expected, 1e-12);
        }
    }
}

#[test] // mauve-text 0.4.0
fn divergence_frontiers_agree_point_by_point() {
    for (name, block) in histograms() {
        with_shares(&block, Smoothing::None, |shares| {
            let frontier = Frontier::of_shares(shares, &Settings::default());
            let expected = block["divergence_curve"].as_array().expect("points");
            assert_eq!(frontier.points().len(), expected.len(), "{name}");
            for (i, (&(x, y), point)) in frontier.points().iter().zip(expected).enumerate() {
                assert_close(&format!("{name}, x of point {i}"), x, &point[0], 1e-12);
                assert_close(&format!("{name}, y of point {i}"), y, &point[1], 1e-12);
            }
        });
    }
}
