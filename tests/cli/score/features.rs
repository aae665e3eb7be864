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

#[test] // golden: prdc 0.2 and a float64 implementation
fn balls_on_raw_rows_have_the_values_of_the_peers() {
    balls_agree(&["--pca", "none", "--normalize", "none"], "knn_raw");
}

#[test] // golden: the preprocessing of pr-4-llm and MAUVE
fn balls_on_reduced_rows_have_the_values_of_the_peers() {
    balls_agree(&["--pca", "0.9", "--normalize", "l2"], "knn_pca");
}
