//! PR-curves of classifiers fitted on even rows and scored on odd ones.

use crate::{
    histograms::check_curve,
    read::{CASES, assert_close, cloud, expected, number, numbers},
};
use serde_json::Value;

use llmpr::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
    metric::{
        curve::sajjadi_lambdas,
        envelope::Envelope,
        ratio::{Classifier, KnnVote, Logistic},
    },
};

/// A case's expected values with its rows of one parity.
fn halves(case: &str) -> Option<(Value, Sides<Matrix>, Sides<Matrix>)> {
    let expected = expected(case)?;
    let half = |matrix: &Matrix, first: usize| {
        matrix.select(&(first..matrix.rows()).step_by(2).collect::<Vec<_>>())
    };
    let whole = Sides { reference: cloud(case, "p"), model: cloud(case, "q") };
    let part = |first| whole.as_ref().map(|matrix| half(matrix, first));
    Some((expected, part(0), part(1)))
}

fn curve(classifier: &dyn Classifier, train: &Sides<Matrix>, test: &Sides<Matrix>) -> Envelope {
    let train = Clouds::new(train.as_ref()).expect("one space");
    let score = |matrix| classifier.log_ratios(train, matrix).expect("enough rows");
    let scores = test.as_ref().map(score);
    Envelope::of_scores(scores.as_ref().map(Vec::as_slice)).expect("finite scores")
}

#[test] // the recipe in scikit-learn 1.9.1
fn logistic_curves_agree() {
    for case in CASES {
        let Some((expected, train, test)) = halves(case) else { return };
        let block = &expected["classifier_pr_curves"]["logistic"];
        let fit = Logistic::default().fit(Clouds::new(train.as_ref()).expect("one space"));
        let norm = fit.weights.iter().map(|w| w * w).sum::<f64>().sqrt();
        assert_close(&format!("{case}/coef_norm"), norm, &block["coef_norm"], 1e-5);
        assert_close(&format!("{case}/intercept"), fit.intercept, &block["intercept"], 1e-5);
        // Scores within solver tolerance of each other may swap: two texts of the smaller test half.
        let tolerance = 2.0 / test.reference.rows().min(test.model.rows()) as f64;
        let points = curve(&Logistic::default(), &train, &test).points(&sajjadi_lambdas(1001));
        check_curve(&format!("{case}/logistic"), block, &points, tolerance);
    }
}

#[test] // brute force in numpy 2.4.6
fn neighbor_votes_agree() {
    for case in CASES {
        let Some((expected, train, test)) = halves(case) else { return };
        for (key, k) in [("knn_sqrt_n", None), ("knn_10", Some(10))] {
            let block = &expected["classifier_pr_curves"][key];
            let rows = (train.reference.rows() + train.model.rows()) as f64;
            let by_default = rows.sqrt().round_ties_even();
            assert_eq!(k.map_or(by_default, |k| k as f64), number(&block["k"]), "{case}/{key}/k");
            let points = curve(&KnnVote { k }, &train, &test).points(&sajjadi_lambdas(1001));
            check_curve(&format!("{case}/{key}"), block, &points, 1e-9);
        }
    }
}

#[test] // Simon's estimatePRD
fn the_curve_of_a_bare_score_agrees() {
    for case in CASES {
        let Some(expected) = expected(case) else { return };
        let Some(block) = expected.get("score_coord0_201") else { continue };
        let first = |side| cloud(case, side).iter_rows().map(|row| f64::from(row[0])).collect();
        let scores: Sides<Vec<f64>> = Sides { reference: first("p"), model: first("q") };
        let curve = Envelope::of_scores(scores.as_ref().map(Vec::as_slice)).expect("finite scores");
        let points = curve.points(&sajjadi_lambdas(201));
        let (precision, recall) = (numbers(&block["precision"]), numbers(&block["recall"]));
        for (i, point) in points.iter().step_by(20).enumerate() {
            assert_close(
                &format!("{case}, α of point {i}"),
                point.alpha,
                &precision[i].into(),
                1e-9,
            );
            assert_close(&format!("{case}, β of point {i}"), point.beta, &recall[i].into(), 1e-9);
        }
    }
}
