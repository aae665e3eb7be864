use super::{warnings::Code, *};
use crate::{
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
    rng,
};

/// `n` rows of `d` numbers that are nearly Gaussian, around `at`.
fn cloud(seed: u64, n: usize, d: usize, at: f32) -> Matrix {
    let mut rng = rng::named(seed, "score tests");
    let mut normal = || (0..12).map(|_| rng::next_unit(&mut rng)).sum::<f64>() - 6.0;
    let values = (0..n * d).map(|_| at + normal() as f32).collect();
    Matrix::new(d, values).unwrap()
}

fn options(metrics: &str) -> ScoreOptions {
    ScoreOptions {
        metrics: metrics.parse().unwrap(),
        normalize: Normalize::None,
        pca: Reduce::None,
        resamples: 40,
        permutations: 99,
        ..ScoreOptions::default()
    }
}

#[test]
fn equal_distributions_score_their_ceiling() {
    let sets = Sides { reference: cloud(1, 400, 8, 0.0), model: cloud(2, 400, 8, 0.0) };
    let got = score(sets.as_ref(), None, None, &options("support,frontier,curve")).unwrap();
    for name in ["precision", "recall", "coverage", "clipped_density", "mauve", "alpha@1"] {
        let estimate = &got.metrics[name];
        let ceiling = estimate.ceiling.unwrap();
        assert!((estimate.value - ceiling).abs() < 0.08, "{name}: {estimate:?}");
    }
    assert!(got.metrics["mauve"].p_value.unwrap() > 0.01, "{:?}", got.metrics["mauve"]);
}

#[test]
fn a_shifted_model_falls_below_its_ceiling_and_is_told_apart() {
    let sets = Sides { reference: cloud(1, 300, 6, 0.0), model: cloud(2, 300, 6, 0.8) };
    let got = score(sets.as_ref(), None, None, &options("all")).unwrap();
    for name in ["coverage", "mauve", "tv", "kernel_distance", "auc"] {
        let p = got.metrics[name].p_value.unwrap();
        assert!(p <= 0.02, "{name}: p = {p}");
    }
    let precision = &got.metrics["precision"];
    assert!(precision.value < precision.ceiling.unwrap(), "{precision:?}");
    for (name, estimate) in &got.metrics {
        let (low, high) =
            (estimate.low.unwrap_or(f64::NEG_INFINITY), estimate.high.unwrap_or(f64::INFINITY));
        assert!(low <= estimate.value && estimate.value <= high, "{name}: {estimate:?}");
    }
}

#[test]
fn what_these_rows_do_not_have_is_asked_for_in_vain() {
    let sets = Sides { reference: cloud(1, 30, 3, 0.0), model: cloud(2, 30, 3, 0.0) };
    let error =
        |options: &ScoreOptions| score(sets.as_ref(), None, None, options).unwrap_err().to_string();
    let of_texts = error(&options("precision,distinct_2"));
    assert!(of_texts.starts_with("distinct_2 is measured on texts, and these are features alone"));
    let fixed = ScoreOptions { clusters: Clusters::Fixed(5), ..options("mauve_20") };
    assert!(error(&fixed).starts_with("mauve_20 is measured over 20 clusters"));
    let counts = Sides { reference: &[4u64, 4][..], model: &[8, 0][..] };
    let error = score_histograms(counts, &options("tv,precision")).unwrap_err().to_string();
    assert!(error.starts_with("histograms have the families"), "{error}");
}

#[test]
fn a_side_that_is_too_small_is_named_before_the_other_is_drawn_down_to_it() {
    let sets = Sides { reference: cloud(1, 200, 64, 0.0), model: cloud(2, 1, 64, 0.0) };
    let error = score(sets.as_ref(), None, None, &ScoreOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "k = 4 needs 1 ≤ k < n, and the model set has n = 1 row");
    assert_eq!(error.side(), Some(Side::Model));
}

#[test]
fn a_set_against_itself_is_not_spread_wider_than_itself() {
    let rows = cloud(1, 400, 8, 0.0);
    let sets = Sides { reference: &rows, model: &rows };
    let got = score(sets, None, None, &options("support")).unwrap();
    assert_eq!(got.metrics["recall"].value, 1.0);
    assert!(!got.warnings.iter().any(|warning| warning.code == Code::OverDispersion));
}

#[test]
fn a_score_is_the_same_for_any_number_of_threads() {
    let sets = Sides { reference: cloud(1, 120, 5, 0.0), model: cloud(2, 120, 5, 0.2) };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = ScoreOptions { resamples: 8, permutations: 19, ..options("all") };
        pool.install(|| score(sets.as_ref(), None, None, &options).unwrap())
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&three).unwrap());
}

#[test]
fn the_larger_side_is_drawn_down_unless_all_rows_are_kept() {
    let sets = Sides { reference: cloud(1, 90, 3, 0.0), model: cloud(2, 50, 3, 0.0) };
    let sizes = |unequal| {
        let options = ScoreOptions { unequal, resamples: 0, permutations: 0, ..options("support") };
        let got = score(sets.as_ref(), None, None, &options).unwrap();
        assert!(got.warnings.iter().any(|warning| warning.code == Code::UnequalN));
        (got.reference.n, got.samples.n)
    };
    assert_eq!(sizes(Unequal::Subsample), (50, 50));
    assert_eq!(sizes(Unequal::Keep), (90, 50));
}

#[test]
fn texts_of_another_number_than_rows_are_refused() {
    let sets = Sides { reference: cloud(1, 30, 3, 0.0), model: cloud(2, 30, 3, 0.0) };
    let facts = |n| TextFacts { tokens: vec![vec![1, 2]; n], ..TextFacts::default() };
    let texts = Sides { reference: facts(30), model: facts(29) };
    let error = score(sets.as_ref(), Some(texts.as_ref()), None, &options("support")).unwrap_err();
    assert_eq!(error, ScoreError::TextsWithoutRows { side: Side::Model, texts: 29, rows: 30 });
}

#[test] // simulated: 60 pairs of one distribution; 95 % ± 4 standard errors of a count, and the mean as truth
fn intervals_of_precision_cover_its_mean() {
    let settings = ScoreOptions { k: 3, resamples: 40, permutations: 0, ..options("support") };
    let found: Vec<_> = (0..60)
        .map(|i| {
            let sets =
                Sides { reference: cloud(2 * i, 80, 3, 0.0), model: cloud(2 * i + 1, 80, 3, 0.3) };
            score(sets.as_ref(), None, None, &settings).unwrap().metrics["density"].clone()
        })
        .collect();
    let mean = found.iter().map(|estimate| estimate.value).sum::<f64>() / found.len() as f64;
    let covers =
        |e: &&crate::score::record::Estimate| e.low.unwrap() <= mean && mean <= e.high.unwrap();
    let share = found.iter().filter(covers).count() as f64 / found.len() as f64;
    // A short interval would show as a share far below; half-samples are slightly too wide.
    assert!(share >= 0.95 - 4.0 * (0.95f64 * 0.05 / 60.0).sqrt(), "{share}");
}

#[test] // simulated: under one distribution p ≤ 0.2 in one of five cases, ± 4 standard errors
fn p_values_over_clusters_are_uniform_under_one_distribution() {
    let settings = ScoreOptions { resamples: 0, permutations: 49, ..options("curve,divergence") };
    let experiments = 100;
    let below = (0..experiments)
        .filter(|&i| {
            let sets =
                Sides { reference: cloud(2 * i, 60, 2, 0.0), model: cloud(2 * i + 1, 60, 2, 0.0) };
            let got = score(sets.as_ref(), None, None, &settings).unwrap();
            got.metrics["js_smoothed"].p_value.unwrap() <= 0.2
        })
        .count();
    let share = below as f64 / experiments as f64;
    assert!((share - 0.2).abs() < 4.0 * (0.2f64 * 0.8 / experiments as f64).sqrt(), "{share}");
}

#[test] // golden: see ../shared/golden/README.md for packages and versions
fn scores_of_the_golden_clouds_are_those_of_the_peers() {
    const NAME: &str = "scores_of_the_golden_clouds_are_those_of_the_peers";
    let Some(folder) = crate::shared_data::shared("golden") else {
        return crate::shared_data::skipped(NAME, "../shared/golden");
    };
    let cases = [
        "a_small_gauss",
        "c_too_broad",
        "d_identical",
        "e_disjoint",
        "f_duplicates",
        "h_n_less_than_d",
    ];
    for case in cases {
        let read = |file: &str| {
            crate::npy::read_features(folder.join(case).join(file).to_str().unwrap()).unwrap()
        };
        let sets = Sides { reference: read("p.npy"), model: read("q.npy") };
        let expected = std::fs::read(folder.join(case).join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let reductions = [
            ("knn_raw", "raw", Normalize::None, Reduce::None),
            ("knn_pca", "pca", Normalize::L2, Reduce::Share(0.9)),
        ];
        for (balls, space, normalize, pca) in reductions {
            let settings = ScoreOptions {
                normalize,
                pca,
                unequal: Unequal::Keep,
                resamples: 0,
                permutations: 0,
                ..options("support,moments")
            };
            let got = score(sets.as_ref(), None, None, &settings).unwrap();
            for name in
                ["precision", "recall", "density", "coverage", "comp_precision", "sym_recall"]
            {
                let want = expected[balls]["4"]["exact_lt"][name].as_f64().unwrap();
                let value = got.metrics[name].value;
                assert!((value - want).abs() < 1e-12, "{case} {space} {name}: {value}, {want}");
            }
            let p_precision = if space == "raw" { "raw" } else { "pca_extra" };
            let want = expected[p_precision]["probabilistic_pr"]["a1.2_k4"]["p_precision"].as_f64();
            let value = got.metrics["p_precision"].value;
            assert!((value - want.unwrap()).abs() < 1e-8, "{case} {space}: {value}, {want:?}");
            let want = expected["frechet"][space]["fd"].as_f64().unwrap();
            let trace = expected["frechet"][space]["trace_p"].as_f64().unwrap();
            let value = got.metrics["frechet_distance"].value;
            let allowed = 1e-8 * want + 2e-7 * trace;
            assert!((value - want).abs() < allowed, "{case} {space}: {value}, {want}");
            let want = expected["kid_poly_mmd2"][space]["unbiased"].as_f64().unwrap();
            let value = got.metrics["kernel_distance"].value;
            assert!(
                (value - want).abs() < 1e-6 * want.abs().max(1e-3),
                "{case} {space}: {value}, {want}"
            );
        }
    }
}

#[test] // golden: mauve-text 0.4.0 under its own seeds
fn mauve_lies_where_its_package_puts_it() {
    const NAME: &str = "mauve_lies_where_its_package_puts_it";
    let Some(folder) = crate::shared_data::shared("golden") else {
        return crate::shared_data::skipped(NAME, "../shared/golden");
    };
    for case in ["a_small_gauss", "e_disjoint"] {
        let read = |file: &str| {
            crate::npy::read_features(folder.join(case).join(file).to_str().unwrap()).unwrap()
        };
        let sets = Sides { reference: read("p.npy"), model: read("q.npy") };
        let expected = std::fs::read(folder.join(case).join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let settings = ScoreOptions {
            normalize: Normalize::L2,
            pca: Reduce::Share(0.9),
            unequal: Unequal::Keep,
            resamples: 0,
            permutations: 0,
            ..options("frontier")
        };
        let got = score(sets.as_ref(), None, None, &settings).unwrap();
        for name in ["mauve", "mauve_star", "frontier_integral"] {
            let block = &expected["mauve_text_seeds"][name];
            let (mean, std) = (block["mean"].as_f64().unwrap(), block["std"].as_f64().unwrap());
            let value = got.metrics[name].value;
            assert!(
                (value - mean).abs() <= 3.0 * std + 0.01,
                "{case} {name}: {value}, {mean} ± {std}"
            );
        }
    }
}
