//! Histograms: values that are exact functions of counts.

use std::io::Write;

use serde_json::Value;

use super::{assert_near, number, score_json, shared, value};

/// Writes counts as a `.npy` of one axis.
fn write_counts(path: &std::path::Path, counts: &[i64]) {
    let header =
        format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({},), }}", counts.len());
    let padding = 64 - (10 + header.len() + 1) % 64;
    let header = format!("{header}{}\n", " ".repeat(padding));
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    counts.iter().for_each(|count| file.write_all(&count.to_le_bytes()).unwrap());
}

#[test] // golden: mauve-text 0.4.0 and the authors' PRD code, see ../shared/golden/README.md
fn histograms_have_the_values_of_the_peers() {
    let Some(golden) = shared("golden/histograms.json") else { return };
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (p, q) = (folder.path().join("p.npy"), folder.path().join("q.npy"));
    for (case, want) in golden["histograms"].as_object().unwrap() {
        let counts = |key: &str| -> Vec<i64> {
            want[key].as_array().unwrap().iter().map(|c| c.as_i64().unwrap()).collect()
        };
        write_counts(&p, &counts("counts_p"));
        write_counts(&q, &counts("counts_q"));
        let (p, q) = (p.to_str().unwrap(), q.to_str().unwrap());
        let got = score_json(&[
            "--reference",
            p,
            "--samples",
            q,
            "--resamples",
            "0",
            "--permutations",
            "0",
        ]);
        let near = |name: &str, want: &Value, allowed| {
            assert_near(&format!("{case} {name}"), value(&got, name), number(want), allowed);
        };
        for name in ["frontier_integral", "frontier_integral_star"] {
            near(name, &want[name], 1e-12);
        }
        // Points of equal x are sorted by falling y: a single bin gives 1 where mauve-text's sort gives 0.75.
        for name in ["mauve", "mauve_star"] {
            let want = number(&want[name]);
            let want = if case == "single_bin" { 1.0 } else { want };
            assert_near(&format!("{case} {name}"), value(&got, name), want, 1e-12);
        }
        let prd = &want["prd_sajjadi_1001"];
        near("max_f8_recall", &prd["max_f8_recall"], 1e-12);
        near("max_f1_8_precision", &prd["max_f1_8_precision"], 1e-12);
        for (suffix, block) in [("", "f_divergences"), ("_smoothed", "f_divergences_smoothed")] {
            for (name, key) in [
                ("kl", "kl"),
                ("reverse_kl", "reverse_kl"),
                ("js", "js"),
                ("chi2", "chi2_pearson"),
                ("hellinger2", "hellinger_sq"),
                ("tv", "tv"),
            ] {
                let want = number(&want[block][key]);
                let allowed = 1e-12 * want.abs().max(1.0);
                let name = format!("{name}{suffix}");
                assert_near(&format!("{case} {name}"), value(&got, &name), want, allowed);
            }
        }
        for (lambda, point) in want["pr_divergence"].as_object().unwrap() {
            near(&format!("alpha@{lambda}"), &point["alpha"], 1e-12);
            near(&format!("beta@{lambda}"), &point["beta"], 1e-12);
            near(&format!("pr_divergence@{lambda}"), &point["D"], 1e-12);
        }
    }
}

#[test]
fn draws_stand_beside_values_and_undefined_is_never_nan() {
    let folder = tempfile::tempdir().unwrap();
    let (p, q) = (folder.path().join("p.npy"), folder.path().join("q.npy"));
    write_counts(&p, &[40, 30, 20, 10]);
    write_counts(&q, &[10, 20, 30, 40]);
    let args = ["--reference", p.to_str().unwrap(), "--samples", q.to_str().unwrap()];
    let got = score_json(&args);
    let tv = &got["metrics"]["tv"];
    assert_near("tv", number(&tv["value"]), 0.4, 1e-12);
    assert!(number(&tv["low"]) < 0.4 && number(&tv["high"]) > 0.4, "{tv}");
    assert!(number(&tv["ceiling"]) < 0.2, "two halves of one side are near each other: {tv}");
    assert!(number(&tv["p_value"]) < 0.01, "{tv}");
    assert_eq!(got, score_json(&args), "the same seed gives the same score");
}
