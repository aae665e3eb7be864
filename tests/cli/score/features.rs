//! Features: golden values through the front door.

use serde_json::Value;

use super::{assert_near, number, score_json, shared, value};

const CASES: [&str; 8] = [
    "a_small_gauss",
    "b_dropped_modes",
    "c_too_broad",
    "d_identical",
    "e_disjoint",
    "f_duplicates",
    "g_gpt2like",
    "h_n_less_than_d",
];
const BALLS: [&str; 7] =
    ["precision", "recall", "density", "coverage", "comp_precision", "sym_precision", "sym_recall"];

fn golden(case: &str) -> Option<(String, String, Value)> {
    let folder = shared(&format!("golden/{case}"))?;
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    Some((file("p.npy"), file("q.npy"), serde_json::from_slice(&expected).unwrap()))
}

fn balls_agree(reduction: &[&str], block: &str) {
    for case in CASES {
        let Some((p, q, want)) = golden(case) else { return };
        for k in ["3", "4", "5", "10"] {
            for (ties, exact) in [("strict", "exact_lt"), ("inclusive", "exact_le")] {
                let mut args = vec![
                    "--reference",
                    &p,
                    "--samples",
                    &q,
                    "--k",
                    k,
                    "--ties",
                    ties,
                    "--unequal",
                    "keep",
                    "--metrics",
                    "support",
                    "--resamples",
                    "0",
                    "--permutations",
                    "0",
                ];
                args.extend(reduction);
                let got = score_json(&args);
                for name in BALLS {
                    let want = number(&want[block][k][exact][name]);
                    assert_near(
                        &format!("{case} k={k} {ties} {name}"),
                        value(&got, name),
                        want,
                        1e-12,
                    );
                }
            }
        }
    }
}

#[test]
fn every_name_of_the_contract_is_there() {
    let Some((p, q, _)) = golden("a_small_gauss") else { return };
    let args = ["--reference", &p, "--samples", &q, "--metrics", "all", "--resamples", "4"];
    let score = score_json(&[&args[..], &["--permutations", "9"]].concat());
    let names = "precision recall density coverage comp_precision sym_precision sym_recall \
        clipped_density clipped_coverage p_precision p_recall cover_precision cover_recall \
        alpha_precision beta_recall authenticity recall_extrapolated modes_reached mauve mauve_star frontier_integral \
        frontier_integral_star mauve_20 frontier_integral_20 max_f8_recall max_f1_8_precision alpha@0.1 \
        beta@10 pr_divergence@1 kl reverse_kl js chi2 hellinger2 tv kl_smoothed reverse_kl_smoothed \
        js_smoothed chi2_smoothed hellinger2_smoothed tv_smoothed frechet_distance frechet_null \
        kernel_distance sliced_wasserstein vendi_score vendi_score_reference vendi_score@2 auc \
        c2st_accuracy tv_lower_bound calibration_error inception_score inception_entropy \
        inception_conditional_entropy mauve_laplace mauve_braess_sauer mauve_good_turing neyman_chi2 gan \
        renyi@2 kl_bound reverse_kl_bound js_bound chi2_bound hellinger2_bound tv_bound mauve_ratio \
        mauve_knn frontier_integral_ratio top_precision top_recall top_f1 realism_share";
    for name in names.split_whitespace() {
        let got = value(&score, name);
        assert!(!got.is_nan(), "{name}: {}", score["warnings"]);
    }
    for name in ["js_bound", "tv_bound", "mauve_ratio", "inception_score", "top_precision"] {
        let metric = &score["metrics"][name];
        let [low, high] = ["low", "high"].map(|end| number(&metric[end]));
        assert!(low <= value(&score, name) && value(&score, name) <= high, "{name}: {metric}");
    }
    let by_size = &score["curves"]["by_size"];
    assert_eq!(by_size["samples"].as_array().unwrap().last().unwrap(), 200, "{by_size}");
}

#[test] // golden: prdc 0.2 and a float64 implementation
fn balls_on_raw_rows_have_the_values_of_the_peers() {
    balls_agree(&["--pca", "none", "--normalize", "none"], "knn_raw");
}

#[test] // golden: the preprocessing of pr-4-llm and MAUVE
fn balls_on_reduced_rows_have_the_values_of_the_peers() {
    balls_agree(&["--pca", "0.9", "--normalize", "l2"], "knn_pca");
}
