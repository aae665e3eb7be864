//! Pairing takes out what the models share, and stays honest.

use super::*;
use crate::{rng, score::score};

fn cloud(seed: u64, name: &str, n: usize, d: usize, shift: f64) -> Matrix {
    let mut rng = rng::named(seed, name);
    let mut gaussian = || (0..12).map(|_| rng::next_unit(&mut rng)).sum::<f64>() - 6.0;
    let values = (0..n * d).map(|_| (gaussian() + shift) as f32).collect();
    Matrix::new(d, values).unwrap()
}

fn options(metrics: &str) -> ScoreOptions {
    ScoreOptions {
        metrics: metrics.parse().unwrap(),
        resamples: 60,
        permutations: 0,
        pca: crate::score::Reduce::None,
        normalize: crate::score::Normalize::None,
        k: 3,
        ..ScoreOptions::default()
    }
}

#[test]
fn a_model_against_itself_differs_by_nothing() {
    let (p, q) = (cloud(0, "p", 60, 3, 0.0), cloud(0, "q", 60, 3, 0.2));
    let metrics = "support,frontier,curve,divergence,moments,diversity";
    let found = paired_spreads(&p, [&q, &q], [&[], &[]], &options(metrics)).unwrap();
    assert!(found.len() > 40, "{:?}", found.keys());
    for (name, spread) in found {
        // k-means cuts both alike, and the same halves are drawn of both.
        assert!(spread.deviation < 1e-12, "{name}: {spread:?}");
    }
}

#[test]
fn pairing_narrows_the_difference_of_two_models_that_share_a_reference_and_prompts() {
    let p = cloud(0, "p", 100, 3, 0.0);
    let a = cloud(0, "q", 100, 3, 0.3);
    // The second model's texts are near the first's, prompt by prompt.
    let noise = cloud(0, "noise", 100, 3, 0.0);
    let near = a.as_slice().iter().zip(noise.as_slice()).map(|(x, e)| x + 0.1 * e).collect();
    let b = Matrix::new(3, near).unwrap();
    let settings = options("support");
    let paired = paired_spreads(&p, [&a, &b], [&[], &[]], &settings).unwrap();
    let alone = |q: &Matrix| {
        let got = score(Sides { reference: &p, model: q }, None, None, &settings).unwrap();
        let estimate = &got.metrics["density"];
        (estimate.high.unwrap() - estimate.low.unwrap()) / (2.0 * 1.96)
    };
    let unpaired = alone(&a).hypot(alone(&b));
    let paired = paired["density"].deviation;
    assert!(paired < 0.7 * unpaired, "paired {paired}, unpaired {unpaired}");
}

#[test] // simulated: two models of one distribution differ by 0; 95 % within 4 standard errors of a count
fn paired_intervals_cover_no_difference_as_often_as_they_say() {
    let experiments = 150;
    let names = ["precision", "recall", "density", "coverage"];
    let mut hits = [0usize; 4];
    for seed in 0..experiments {
        let p = cloud(seed, "p", 80, 2, 0.0);
        let [a, b] = ["a", "b"].map(|name| cloud(seed, name, 80, 2, 0.5));
        let settings = options("support");
        let spreads = paired_spreads(&p, [&a, &b], [&[], &[]], &settings).unwrap();
        let value = |q: &Matrix| {
            let sets = Sides { reference: &p, model: q };
            let settings = ScoreOptions { resamples: 0, ..settings.clone() };
            score(sets, None, None, &settings).unwrap().metrics
        };
        let (a, b) = (value(&a), value(&b));
        for (hit, name) in hits.iter_mut().zip(names) {
            let Spread { deviation, quantile } = spreads[name];
            let difference = b[name].value - a[name].value;
            *hit += usize::from(difference.abs() <= quantile * deviation);
        }
    }
    let allowed = 4.0 * (0.95 * 0.05 / experiments as f64).sqrt();
    for (name, hits) in names.iter().zip(hits) {
        let share = hits as f64 / experiments as f64;
        assert!((share - 0.95).abs() <= allowed, "{name}: {share}, 0.95 ± {allowed}");
    }
}
