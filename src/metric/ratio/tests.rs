use super::*;
use crate::{
    cloud::neighbors::Ties,
    math::special::normal_cdf,
    metric::{divergence::Divergence, prdc::prdc},
    rng,
};

/// `n` rows of `d` independent normals of mean 0, but for `shift` in the first coordinate; `scale` wide.
fn gaussian(n: usize, d: usize, shift: f32, scale: f32, name: &str) -> Matrix {
    let mut rng = rng::named(1, name);
    let mut normal = || {
        let (u, v) = (1.0 - rng::next_unit(&mut rng), rng::next_unit(&mut rng));
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    };
    let values = (0..n * d).map(|i| normal() * scale + if i % d == 0 { shift } else { 0.0 });
    Matrix::new(d, values.collect()).unwrap()
}

fn scores(sets: &Sides<Matrix>, classifier: &dyn Classifier) -> Scores {
    let folds = Folds::alternating(sets.as_ref().map(Matrix::rows), 5).unwrap();
    cross_fitted(Clouds::new(sets.as_ref()).unwrap(), classifier, &folds).unwrap()
}

fn shifted(n: usize, d: usize) -> Sides<Matrix> {
    Sides { reference: gaussian(n, d, 0.0, 1.0, "p"), model: gaussian(n, d, 1.0, 1.0, "q") }
}

#[test] // closed form
fn a_linear_classifier_finds_the_curve_of_shifted_gaussians() {
    let curve = scores(&shifted(2000, 8), &Logistic::default()).envelope().unwrap();
    for lambda in [0.1f64, 0.5, 1.0, 2.0, 10.0] {
        let t = 0.5 + lambda.ln();
        let exact = lambda * normal_cdf(-t) + normal_cdf(t - 1.0);
        let got = curve.alpha(lambda);
        // 2000 texts a side: a standard deviation of about 0.01.
        assert!((got - exact).abs() < 0.035, "λ = {lambda}: {got}, exact {exact}");
    }
}

#[test]
fn quadratic_terms_see_a_change_of_spread_that_linear_ones_do_not() {
    let sets = Sides {
        reference: gaussian(1500, 6, 0.0, 1.0, "p"),
        model: gaussian(1500, 6, 0.0, 1.5, "q"),
    };
    let linear = scores(&sets, &Logistic::default()).auc();
    let quadratic = scores(&sets, &Logistic::QUADRATIC).auc();
    let votes = scores(&sets, &KnnVote::default()).auc();
    assert!((linear - 0.5).abs() < 0.05, "{linear}");
    assert!(quadratic > 0.75 && votes > 0.7, "{quadratic}, {votes}");
}

#[test]
fn no_classifier_finds_a_difference_where_there_is_none() {
    let sets = Sides {
        reference: gaussian(800, 4, 0.0, 1.0, "p"),
        model: gaussian(800, 4, 0.0, 1.0, "q"),
    };
    let union = BallUnion { k: 3, ties: Ties::Strict };
    let classifiers: [&dyn Classifier; 4] =
        [&Logistic::default(), &Logistic::QUADRATIC, &KnnVote::default(), &union];
    for (i, classifier) in classifiers.into_iter().enumerate() {
        let scores = scores(&sets, classifier);
        let test = scores.two_sample_test();
        assert!((scores.auc() - 0.5).abs() < 0.05, "{i}: {}", scores.auc());
        assert!(test.p_value > 0.01 && (test.accuracy - 0.5).abs() < 0.04, "{i}: {test:?}");
        let kl = scores.dual_bound(Divergence::Kl).unwrap();
        assert!(kl.low < 0.0, "{i}: {kl:?}");
    }
}

#[test] // closed form
fn dual_bounds_stay_below_the_divergences_of_shifted_gaussians() {
    let scores = scores(&shifted(2000, 4), &Logistic::default());
    let tv = 2.0 * normal_cdf(0.5) - 1.0;
    let cases = [
        (Divergence::Kl, 0.5),
        (Divergence::Js, 0.111421),
        (Divergence::Hellinger2, 1.0 - (-0.125f64).exp()),
        (Divergence::Tv, tv),
    ];
    for (divergence, exact) in cases {
        let bound = scores.dual_bound(divergence).unwrap();
        assert!(
            bound.low < exact && bound.value > 0.7 * exact,
            "{divergence:?}: {bound:?}, {exact}"
        );
    }
    let bound = scores.tv_lower_bound();
    assert!(bound.low < tv && tv < bound.high + 0.02, "{bound:?}, {tv}");
    assert!(scores.two_sample_test().p_value < 1e-30);
    assert!(scores.calibration_error() < 0.05, "{}", scores.calibration_error());
}

#[test] // closed form
fn the_dual_bound_is_the_gain_less_the_cost_of_the_witness() {
    use std::f64::consts::LN_2;
    // Of KL, T = 1 + ln r̂ and f*(T) = r̂.
    let bound = |reference: &[f64], model: &[f64]| {
        let log_ratios = Sides { reference: reference.to_vec(), model: model.to_vec() };
        Scores::new(log_ratios).dual_bound(Divergence::Kl).unwrap()
    };
    let sure = bound(&[LN_2; 3], &[-LN_2; 2]);
    let want = 1.0 + LN_2 - 0.5;
    for got in [sure.value, sure.low, sure.high] {
        assert!((got - want).abs() < 1e-15, "{sure:?}");
    }
    // Means of 1 + ln 2 and 1 + 2 ln 2, of 1 and 2: their errors are half of the differences.
    let spread = bound(&[LN_2, 2.0 * LN_2], &[0.0, LN_2]);
    let half = 1.959_963_984_540_054 * (LN_2 * LN_2 / 4.0 + 0.25).sqrt();
    for (got, off) in [(spread.value, 0.0), (spread.low, -half), (spread.high, half)] {
        assert!((got - (1.5 * LN_2 - 0.5 + off)).abs() < 1e-14, "{spread:?}");
    }
}

#[test] // Siry et al. 2023; slides, theorem 1.5
fn precision_and_recall_are_the_ends_of_the_curve_of_the_ball_union() {
    let sets = Sides {
        reference: gaussian(300, 3, 0.0, 1.0, "p"),
        model: gaussian(200, 3, 1.5, 0.6, "q"),
    };
    let clouds = Clouds::new(sets.as_ref()).unwrap();
    let support = prdc(clouds, 3, Ties::Strict).unwrap();
    let union = BallUnion { k: 3, ties: Ties::Strict };
    // On the rows that span the balls.
    let levels = sets.as_ref().try_map(|set| union.log_ratios(clouds, set)).unwrap();
    let curve = Scores::new(levels).envelope().unwrap();
    assert_eq!(curve.alpha(1e9), support.precision);
    assert!((curve.alpha(1e-9) / 1e-9 - support.recall).abs() < 1e-12);
    for lambda in [0.1, 1.0, 3.0] {
        let exact = (lambda * support.recall).min(support.precision);
        assert!((curve.alpha(lambda) - exact).abs() < 1e-12, "λ = {lambda}");
    }
}

#[test]
fn the_sizes_of_the_sides_do_not_shift_the_ratio() {
    let sets = Sides {
        reference: gaussian(400, 2, 0.0, 1.0, "p"),
        model: gaussian(1600, 2, 0.0, 1.0, "q"),
    };
    let classifiers: [&dyn Classifier; 2] = [&Logistic::default(), &KnnVote::default()];
    for classifier in classifiers {
        let ratios = scores(&sets, classifier).ratios();
        // E_Q[p/q] = 1.
        let mean = ratios.model.iter().sum::<f64>() / 1600.0;
        assert!((mean - 1.0).abs() < 0.15, "{mean}");
    }
}

#[test] // closed form
fn fishers_test_counts_the_tables() {
    // Three of three P above, three of three Q below: 1 of C(6,3) = 20 labellings.
    let scores = Scores::new(Sides { reference: vec![1.0; 3], model: vec![-1.0; 3] });
    let test = scores.two_sample_test();
    assert_eq!(test.accuracy, 1.0);
    assert!((test.p_value - 0.05).abs() < 1e-14, "{test:?}");
}

#[test] // by hand
fn a_tie_at_a_ratio_of_one_is_called_the_model_s() {
    // Right are one of four of P and both of Q.
    let reference = vec![0.0, 0.0, 0.0, 1.0];
    let scores = Scores::new(Sides { reference, model: vec![0.0, -1.0] });
    assert_eq!(scores.two_sample_test().accuracy, 0.625);
    assert_eq!(scores.tv_lower_bound().value, 0.25);
}

#[test]
fn rows_of_one_prompt_stay_in_one_fold() {
    let groups = Sides { reference: vec![7, 7, 8, 9], model: vec![7, 8, 8, 8] };
    let folds = Folds::grouped(groups, 2).unwrap();
    assert_eq!(folds.rows(1, true), Sides { reference: vec![0, 1, 3], model: vec![0] });
    assert_eq!(folds.rows(1, false), Sides { reference: vec![2], model: vec![1, 2, 3] });
}

#[test]
fn too_many_folds_and_foreign_groups_get_a_sentence() {
    let error = Folds::alternating(Sides { reference: 9, model: 3 }, 5).unwrap_err();
    assert_eq!(error.to_string(), "5 folds need 2 ≤ folds ≤ n, and the model set has n = 3 rows");
    let sets = shifted(6, 1);
    let folds = Folds::alternating(Sides { reference: 6, model: 5 }, 2).unwrap();
    let error = cross_fitted(Clouds::new(sets.as_ref()).unwrap(), &Logistic::default(), &folds)
        .unwrap_err();
    assert_eq!(error.to_string(), "the model set has 6 rows and 5 group labels");
}

#[test]
fn constant_features_leave_the_logistic_fit_undecided() {
    let same = Matrix::new(2, vec![1.0; 20]).unwrap();
    let sets = Sides { reference: same.clone(), model: same };
    let scores = scores(&sets, &Logistic::default());
    assert!(scores.log_ratios().reference.iter().all(|x| x.abs() < 1e-12));
    assert_eq!(scores.auc(), 0.5);
}
