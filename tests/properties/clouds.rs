//! Measures of two clouds.

use proptest::prelude::*;

use llmpr::{
    cloud::{
        Clouds,
        kmeans::{KMeansOptions, kmeans},
        neighbors::Ties,
        pca::{Keep, Pca},
    },
    data::{matrix::Matrix, sides::Sides},
    metric::{
        prdc::{Prdc, prdc},
        support::{Support, SupportOptions, support},
    },
    rng,
};

/// Small integers, so that distances are exact and ties and copies are common.
fn sets() -> impl Strategy<Value = Sides<Matrix>> {
    (1usize..5).prop_flat_map(|d| {
        let rows = move || {
            prop::collection::vec(prop::collection::vec(-3i8..4, d), 6..40).prop_map(move |rows| {
                Matrix::new(d, rows.concat().into_iter().map(f32::from).collect()).unwrap()
            })
        };
        (rows(), rows()).prop_map(|(reference, model)| Sides { reference, model })
    })
}

fn both_ties() -> impl Strategy<Value = Ties> {
    prop_oneof![Just(Ties::Strict), Just(Ties::Inclusive)]
}

fn score(sets: Sides<&Matrix>, k: usize, ties: Ties) -> Prdc {
    prdc(Clouds::new(sets).unwrap(), k, ties).unwrap()
}

/// The definition, pair by pair.
fn by_definition(sets: Sides<&Matrix>, k: usize, ties: Ties) -> [f64; 5] {
    let squared = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
    };
    let radii = |rows: &Matrix| -> Vec<f64> {
        let of_row = |i: usize| {
            let others = (0..rows.rows()).filter(|&j| j != i);
            let mut all: Vec<f64> = others.map(|j| squared(rows.row(i), rows.row(j))).collect();
            all.sort_by(f64::total_cmp);
            all[k - 1]
        };
        (0..rows.rows()).map(of_row).collect()
    };
    let Sides { reference: p, model: q } = sets;
    let (r, s) = (radii(p), radii(q));
    let (n, m) = (p.rows(), q.rows());
    let in_p = |i: usize, j: usize| ties.inside(squared(p.row(i), q.row(j)), r[i]);
    let in_q = |i: usize, j: usize| ties.inside(squared(p.row(i), q.row(j)), s[j]);
    let share = |n: usize, fact: &dyn Fn(usize) -> bool| {
        (0..n).filter(|&i| fact(i)).count() as f64 / n as f64
    };
    let held: usize = (0..m).map(|j| (0..n).filter(|&i| in_p(i, j)).count()).sum();
    [
        share(m, &|j| (0..n).any(|i| in_p(i, j))),
        share(n, &|i| (0..m).any(|j| in_q(i, j))),
        held as f64 / (k * m) as f64,
        share(n, &|i| (0..m).any(|j| in_p(i, j))),
        share(m, &|j| (0..n).any(|i| in_q(i, j))),
    ]
}

fn values(score: Prdc) -> [f64; 5] {
    [score.precision, score.recall, score.density, score.coverage, score.comp_precision]
}

proptest! {
    #[test]
    fn every_count_is_that_of_the_definition(sets in sets(), k in 1usize..6, ties in both_ties()) {
        let got = values(score(sets.as_ref(), k, ties));
        prop_assert_eq!(got, by_definition(sets.as_ref(), k, ties));
    }

    #[test]
    fn swapping_the_sides_swaps_precision_and_recall(sets in sets(), k in 1usize..6, ties in both_ties()) {
        let there = score(sets.as_ref(), k, ties);
        let back = score(sets.as_ref().swapped(), k, ties);
        prop_assert_eq!((there.precision, there.recall), (back.recall, back.precision));
        prop_assert_eq!((there.coverage, there.comp_precision), (back.comp_precision, back.coverage));
    }

    #[test]
    fn the_order_of_rows_is_of_no_matter(sets in sets(), k in 1usize..6, seed: u64) {
        let mut rng = rng::named(seed, "order");
        let turned = sets.as_ref().map(|rows| {
            let mut order: Vec<usize> = (0..rows.rows()).collect();
            rng::shuffle(&mut rng, &mut order);
            rows.select(&order)
        });
        let ties = Ties::Strict;
        prop_assert_eq!(score(sets.as_ref(), k, ties), score(turned.as_ref(), k, ties));
    }

    #[test]
    fn scaling_and_turning_by_a_right_angle_change_nothing(sets in sets(), k in 1usize..6, power in -20i32..20) {
        let moved = sets.as_ref().map(|rows| {
            let d = rows.cols();
            let turned = rows.iter_rows().flat_map(|row| (0..d).map(|j| {
                let x = row[(j + 1) % d] * 2f32.powi(power);
                if j == 0 { -x } else { x }
            }));
            Matrix::new(d, turned.collect()).unwrap()
        });
        for ties in [Ties::Strict, Ties::Inclusive] {
            prop_assert_eq!(score(sets.as_ref(), k, ties), score(moved.as_ref(), k, ties));
        }
    }

    #[test]
    fn a_shift_of_both_clouds_changes_nothing(sets in sets(), k in 1usize..6, by in -1000i16..1000) {
        let moved = sets.as_ref().map(|rows| {
            let values = rows.as_slice().iter().map(|x| x + f32::from(by));
            Matrix::new(rows.cols(), values.collect()).unwrap()
        });
        let ties = Ties::Inclusive;
        prop_assert_eq!(score(sets.as_ref(), k, ties), score(moved.as_ref(), k, ties));
    }

    #[test]
    fn a_reference_against_itself_is_precise_and_covered_where_ties_are_inside(sets in sets(), k in 1usize..6) {
        let same = Sides { reference: &sets.reference, model: &sets.reference };
        let got = score(same, k, Ties::Inclusive);
        prop_assert_eq!((got.precision, got.recall, got.coverage), (1.0, 1.0, 1.0));
    }

    #[test]
    fn no_member_of_the_family_leaves_its_range(sets in sets(), k in 1usize..6) {
        let options = SupportOptions { ks: vec![k], ..SupportOptions::default() };
        let all = support(Clouds::new(sets.as_ref()).unwrap(), &options).unwrap();
        let unit = |x: f64| (0.0..=1.0).contains(&x);
        if let Some(soft) = all.soft {
            prop_assert!(unit(soft.precision) && unit(soft.recall), "{soft:?}");
        }
        if let Some(clipped) = all.clipped {
            prop_assert!(unit(clipped.coverage) && unit(clipped.raw_coverage), "{clipped:?}");
        }
        prop_assert!(unit(all.authenticity));
        for row in &all.model {
            prop_assert!(row.distance >= 0.0 && row.nearest < sets.reference.rows());
        }
    }
}

/// Rows with a decaying spectrum and a few copies.
fn noise(rows: usize, d: usize, name: &str) -> Matrix {
    let mut rng = rng::named(11, name);
    let draw = |i: usize| (rng::next_unit(&mut rng) as f32 - 0.5) / (1.0 + (i % d) as f32).sqrt();
    let mut order: Vec<usize> = (0..rows).collect();
    order[rows / 2..rows / 2 + 20].fill(3);
    Matrix::new(d, (0..rows * d).map(draw).collect()).unwrap().select(&order)
}

fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}

#[test]
fn one_thread_and_three_give_the_same_bits() {
    let sets = Sides { reference: noise(1300, 40, "p"), model: noise(1100, 40, "q") };
    let compute = || -> (Support, Matrix, Vec<u32>) {
        let pca = Pca::fit(&[&sets.reference, &sets.model], Keep::Share(0.9)).unwrap();
        let projected = sets.as_ref().map(|rows| pca.project(rows).unwrap());
        let clouds = Clouds::new(projected.as_ref()).unwrap();
        let clusters = kmeans(&projected.model, &KMeansOptions::new(40)).unwrap();
        let all = support(clouds, &SupportOptions::default()).unwrap();
        (all, projected.reference.clone(), clusters.labels)
    };
    assert!(with_threads(1, compute) == with_threads(3, compute));
}

/// A reference of 400 rows, and a model of 400 that draws from `texts` rows of another such cloud.
fn repeating(texts: usize) -> Sides<Matrix> {
    let mut rng = rng::named(2, "repeats");
    let mut gaussian = || (0..12).map(|_| rng::next_unit(&mut rng)).sum::<f64>() - 6.0;
    let mut rows =
        |n: usize| Matrix::new(64, (0..64 * n).map(|_| gaussian() as f32).collect()).unwrap();
    let (reference, written) = (rows(400), rows(texts));
    let model = written.select(&(0..400).map(|i| i % texts).collect::<Vec<_>>());
    Sides { reference, model }
}

#[test]
fn a_model_of_few_texts_many_times_recalls_nothing_yet_covers() {
    let got = score(repeating(40).as_ref(), 4, Ties::Strict);
    assert_eq!(got.recall, 0.0, "every ball of the model is a point");
    assert!(got.coverage > 0.1, "{got:?}");
}

#[test]
fn a_collapsed_model_with_a_few_strays_recalls_much_and_covers_little() {
    let Sides { reference, model } = repeating(400);
    // 396 copies of one text and four others: their balls reach to the pile and swallow the space.
    let order: Vec<usize> = (0..400).map(|i| if i < 396 { 0 } else { i }).collect();
    let model = model.select(&order);
    let got = score(Sides { reference: &reference, model: &model }, 4, Ties::Strict);
    assert!(got.recall > 0.5 && got.coverage < 0.1, "{got:?}");
    assert_eq!(got.sym_recall, got.coverage);
}
