//! What no measure may depend on: the unit of the features, the order of rows, a turn of the space, and how
//! often both sides were written down.

use llmpr::{
    cloud::{Clouds, neighbors::Ties},
    data::{matrix::Matrix, sides::Sides},
    metric::{
        curve::pr_curve,
        divergence::Divergence,
        frontier::{Settings, mauve},
        histogram::{Smoothing, shares},
        prdc::prdc,
        sliced::{sliced_w_approx, sliced_wasserstein},
        vendi::vendi,
    },
    rng,
    score::{Normalize, Reduce, ScoreOptions, record::Score, score},
};

/// `n` rows of `d` numbers, nearly Gaussian, around `at`.
fn cloud(name: &str, n: usize, d: usize, at: f64) -> Matrix {
    let mut rng = rng::named(4, name);
    let mut normal = || (0..12).map(|_| rng::next_unit(&mut rng)).sum::<f64>() - 6.0;
    Matrix::new(d, (0..n * d).map(|_| (at + normal()) as f32).collect()).unwrap()
}

fn sets() -> Sides<Matrix> {
    Sides { reference: cloud("p", 240, 6, 0.0), model: cloud("q", 240, 6, 0.4) }
}

/// Every measure of features as they are.
fn all(sets: Sides<&Matrix>) -> Score {
    let options = ScoreOptions {
        metrics: "all".parse().unwrap(),
        normalize: Normalize::None,
        pca: Reduce::None,
        resamples: 0,
        permutations: 0,
        ..ScoreOptions::default()
    };
    score(sets, None, None, &options).unwrap()
}

fn map(rows: &Matrix, of: impl Fn(&[f32]) -> Vec<f32>) -> Matrix {
    Matrix::new(rows.cols(), rows.iter_rows().flat_map(of).collect()).unwrap()
}

/// Holds every value, and every ceiling, of `got` against that of `want`; `power` is how often the unit stands in
/// a measure, `None` where it is not defined by the unit alone.
fn check(got: &Score, want: &Score, unit: f64, power: fn(&str) -> Option<i32>, within: f64) {
    assert!(got.metrics.keys().eq(want.metrics.keys()));
    let mut held = 0;
    for (name, want) in &want.metrics {
        let Some(power) = power(name) else { continue };
        let got = &got.metrics[name];
        let pairs = [(Some(got.value), Some(want.value)), (got.ceiling, want.ceiling)];
        for (got, want) in pairs {
            let (Some(got), Some(want)) = (got, want.map(|want| want * unit.powi(power))) else {
                assert_eq!(got.is_some(), want.is_some(), "{name}");
                continue;
            };
            // Shares are held to what they are shares of.
            let size = if power == 0 { want.abs().max(0.1) } else { want.abs() };
            let both_undefined = got.is_nan() && want.is_nan();
            let same = got == want || both_undefined || (got - want).abs() <= within * size;
            assert!(same, "{name} at unit {unit:e}: {got}, and {want} was expected");
            held += 1;
        }
    }
    assert!(held > 60, "{held} values were held");
}

/// How often the unit of the features stands in a measure.
fn power(name: &str) -> Option<i32> {
    match name {
        "frechet_distance" | "frechet_null" => Some(2),
        "sliced_wasserstein" | "sliced_w_approx" => Some(1),
        // Its kernel adds 1 to a product: another unit is another kernel.
        "kernel_distance" => None,
        _ => Some(0),
    }
}

#[test]
fn a_power_of_two_as_unit_changes_no_more_than_last_bits() {
    let (sets, want) = (sets(), all(sets().as_ref()));
    for unit in [2f32.powi(60), 2f32.powi(-90)] {
        let scaled =
            sets.as_ref().map(|rows| map(rows, |row| row.iter().map(|x| x * unit).collect()));
        check(&all(scaled.as_ref()), &want, f64::from(unit), power, 1e-12);
    }
}

#[test] // features of 24 bits are rounded once more: 6e-8 of each, and no count of these rows is so close
fn any_unit_changes_nothing_but_the_rounding_of_features() {
    let (sets, want) = (sets(), all(sets().as_ref()));
    for unit in [1e20f32, 1e-30] {
        let scaled =
            sets.as_ref().map(|rows| map(rows, |row| row.iter().map(|x| x * unit).collect()));
        check(&all(scaled.as_ref()), &want, f64::from(unit), power, 2e-5);
    }
}

#[test]
fn the_order_of_rows_is_of_no_matter_where_nothing_is_drawn() {
    let (sets, want) = (sets(), all(sets().as_ref()));
    let mut rng = rng::named(5, "order");
    let turned = sets.as_ref().map(|rows| {
        let mut order: Vec<usize> = (0..rows.rows()).collect();
        rng::shuffle(&mut rng, &mut order);
        rows.select(&order)
    });
    let got = all(turned.as_ref());
    let mut held = 0;
    for (name, want) in &want.metrics {
        // Clusters start from drawn rows, classifiers are fitted in folds of rows, TopP&R draws rows.
        let fixed =
            ["support", "moments", "diversity"].contains(&family(name)) || FREE.contains(&&**name);
        if fixed {
            let got = got.metrics[name].value;
            assert!(
                (got - want.value).abs() <= 1e-10 * want.value.abs(),
                "{name}: {got}, {want:?}"
            );
            held += 1;
        }
    }
    assert!(held >= 25, "{held} values were held");
}

/// Measures of the extra family in which nothing is drawn.
const FREE: [&str; 2] = ["realism_share", "nn_accuracy"];

fn family(name: &str) -> &'static str {
    llmpr::score::catalog::family(name).name()
}

/// An orthogonal turn of the space: plane by plane, by angles that are no multiple of another.
fn turned(rows: &Matrix) -> Matrix {
    map(rows, |row| {
        let mut row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        for i in 0..row.len() {
            for j in 0..i {
                let (sin, cos) = (1.0 + i as f64 * 0.7 + j as f64 * 0.31).sin_cos();
                (row[i], row[j]) = (cos * row[i] - sin * row[j], sin * row[i] + cos * row[j]);
            }
        }
        row.into_iter().map(|x| x as f32).collect()
    })
}

#[test]
fn a_turn_of_the_space_changes_nothing_but_the_rounding_of_features() {
    let (sets, want) = (sets(), all(sets().as_ref()));
    let got = all(sets.as_ref().map(turned).as_ref());
    let mut held = 0;
    for (name, want) in &want.metrics {
        // Directions of the sliced distance and TopP&R's axes are drawn; ties of a classifier's folds are not.
        let free = ["support", "diversity"].contains(&family(name))
            || ["frechet_distance", "frechet_null", "kernel_distance", "sliced_w_approx"]
                .contains(&&**name)
            || FREE.contains(&&**name);
        if free {
            let got = got.metrics[name].value;
            assert!((got - want.value).abs() <= 2e-5 * want.value.abs(), "{name}: {got}, {want:?}");
            held += 1;
        }
    }
    assert!(held >= 24, "{held} values were held");
}

#[test] // of two copies of every row, the 2k-th neighbor is the k-th of one
fn writing_both_sides_twice_changes_no_measure_of_distributions() {
    let sets = sets();
    let twice = sets.as_ref().map(|rows| rows.stack(rows));
    let (one, two) = (Clouds::new(sets.as_ref()).unwrap(), Clouds::new(twice.as_ref()).unwrap());
    for ties in [Ties::Strict, Ties::Inclusive] {
        for k in [1, 4] {
            assert_eq!(prdc(two, 2 * k, ties).unwrap(), prdc(one, k, ties).unwrap());
        }
    }
    let near = |name: &str, got: f64, want: f64| {
        assert!((got - want).abs() <= 1e-9 * want.abs(), "{name}: {got}, {want}");
    };
    near("sliced", sliced_wasserstein(two, 50, 1), sliced_wasserstein(one, 50, 1));
    near("approximate", sliced_w_approx(two), sliced_w_approx(one));
    let orders = [0.5, 1.0, 2.0, f64::INFINITY];
    let [two, one] = [&twice.model, &sets.model].map(|rows| vendi(rows, &orders).unwrap());
    two.iter().zip(one).for_each(|(two, one)| near("vendi", *two, one));
}

#[test]
fn counting_all_texts_twice_changes_no_measure_of_shares() {
    let counts = Sides { reference: vec![40u64, 9, 3, 0, 1], model: vec![30, 2, 9, 5, 0] };
    let twice = counts.as_ref().map(|counts| counts.iter().map(|c| 2 * c).collect::<Vec<_>>());
    let both = [&counts, &twice].map(|counts| counts.as_ref().map(Vec::as_slice));
    let [one, two] = both.map(|counts| shares(counts, Smoothing::None).unwrap());
    let [one, two] = [&one, &two].map(|shares| shares.as_ref().map(Vec::as_slice));
    assert_eq!(pr_curve(one, &[0.2, 1.0, 5.0]), pr_curve(two, &[0.2, 1.0, 5.0]));
    for (spec, divergence) in Divergence::NAMED {
        assert_eq!(divergence.between(one), divergence.between(two), "{}", spec.name);
    }
    let [one, two] = both.map(|counts| mauve(counts, &Settings::default()).unwrap());
    assert_eq!((one.mauve, one.frontier_integral), (two.mauve, two.frontier_integral));
}
