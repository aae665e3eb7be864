//! On distributions that can be written down.

use super::*;
use crate::{
    rng,
    score::{Metrics, warnings::Code},
};

const P: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
const Q: [f64; 4] = [0.1, 0.2, 0.3, 0.4];

/// Texts of one position, each outcome `round(n · share)` times: the means are exact.
fn texts(p: &[f64], q: &[f64], n: f64) -> Sides<Vec<LikelihoodText>> {
    let of = |shares: &[f64]| -> Vec<LikelihoodText> {
        let copies = |i: usize| (n * shares[i]).round() as usize;
        let text =
            |i: usize| LikelihoodText { ln_p: vec![p[i].ln()], ln_q: vec![q[i].ln()], prompt: 0 };
        (0..shares.len()).flat_map(|i| vec![text(i); copies(i)]).collect()
    };
    Sides { reference: of(p), model: of(q) }
}

fn scored(texts: &Sides<Vec<LikelihoodText>>, resamples: usize) -> Score {
    let options = ScoreOptions { resamples, ..ScoreOptions::default() };
    let unique = Sides { reference: 4, model: 4 };
    let texts = texts.as_ref().map(Vec::as_slice);
    score_likelihood(texts, unique, Signature::default(), &options).unwrap()
}

#[test] // closed form
fn four_texts_in_reversed_order_score_what_is_done_by_hand() {
    let got = scored(&texts(&P, &Q, 1000.0), 0);
    let expected = [
        ("precision", 1.0),
        ("recall", 1.0),
        ("alpha@0.1", 0.1),
        ("alpha@0.5", 0.4),
        ("alpha@1", 0.6),
        ("beta@2", 0.4),
        ("tv", 0.4),
        ("kl", 0.456_434_819_1),
        ("reverse_kl", 0.456_434_819_1),
        ("js", 0.106_440_135_3),
        ("chi2", P.iter().zip(Q).map(|(p, q)| (p - q) * (p - q) / q).sum()),
        ("hellinger2", 1.0 - P.iter().zip(Q).map(|(p, q)| (p * q).sqrt()).sum::<f64>()),
        ("frontier_integral", 0.143_763_374_0),
        ("mauve", 0.653_854),
    ];
    for (name, value) in expected {
        let found = got.metrics[name].value;
        assert!((found - value).abs() < 1e-6, "{name}: {found}, {value}");
    }
    assert_eq!(got.metrics["mauve"].ceiling, Some(1.0));
    assert_eq!(got.metrics["beta@2"].ceiling, Some(0.5));
}

#[test] // closed form: Q writes only the first of two texts
fn a_model_that_cannot_write_half_of_the_texts_has_half_the_recall() {
    let got = scored(&texts(&[0.5, 0.5], &[1.0, 0.0], 100.0), 20);
    let value = |name: &str| got.metrics[name].value;
    assert_eq!((value("precision"), value("recall")), (1.0, 0.5));
    assert_eq!((value("kl"), value("chi2")), (f64::INFINITY, f64::INFINITY));
    assert!((value("reverse_kl") - 2f64.ln()).abs() < 1e-12);
    assert!((value("frontier_integral") - (1.0 - 2f64.ln())).abs() < 1e-12);
    assert!(got.warnings.iter().any(|w| w.code == Code::Infinite), "{:?}", got.warnings);
    assert!(!serde_json::to_string(&got).unwrap().contains("NaN"));
}

#[test]
fn equal_models_score_their_ceiling_without_spread() {
    let got = scored(&texts(&P, &P, 50.0), 20);
    for (name, estimate) in &got.metrics {
        assert!((estimate.value - estimate.ceiling.unwrap()).abs() < 1e-9, "{name}: {estimate:?}");
        let width = estimate.high.unwrap() - estimate.low.unwrap();
        assert!(width < 1e-9, "{name}: {estimate:?}");
    }
}

/// `n` texts drawn from either side.
fn drawn(seed: u64, n: usize) -> Sides<Vec<LikelihoodText>> {
    let side = |name: &str, own: &[f64; 4]| -> Vec<LikelihoodText> {
        let mut rng = rng::named(seed, name);
        let mut text = || {
            let mut u = rng::next_unit(&mut rng);
            let at = own.iter().position(|share| {
                u -= share;
                u < 0.0
            });
            let at = at.unwrap_or(3);
            LikelihoodText { ln_p: vec![P[at].ln()], ln_q: vec![Q[at].ln()], prompt: 0 }
        };
        (0..n).map(|_| text()).collect()
    };
    Sides { reference: side("p", &P), model: side("q", &Q) }
}

#[test] // simulated: 300 experiments; 95 % within the limits of a binomial count at 4 standard errors
fn intervals_cover_the_truth_as_often_as_they_say() {
    let truth = [("alpha@1", 0.6), ("js", 0.106_440_135_3), ("kl", 0.456_434_819_1)];
    let (experiments, mut hits) = (300, [0usize; 3]);
    for seed in 0..experiments {
        let texts = drawn(seed, 200);
        let options = ScoreOptions {
            resamples: 60,
            lambdas: vec![1.0],
            metrics: "curve,divergence".parse::<Metrics>().unwrap(),
            ..ScoreOptions::default()
        };
        let unique = Sides { reference: 4, model: 4 };
        let texts = texts.as_ref().map(Vec::as_slice);
        let got = score_likelihood(texts, unique, Signature::default(), &options).unwrap();
        for (hit, (name, truth)) in hits.iter_mut().zip(truth) {
            let estimate = &got.metrics[name];
            *hit += usize::from(estimate.low.unwrap() <= truth && truth <= estimate.high.unwrap());
        }
    }
    let allowed = 4.0 * (0.95 * 0.05 / experiments as f64).sqrt();
    for (hits, (name, _)) in hits.into_iter().zip(truth) {
        let share = hits as f64 / experiments as f64;
        assert!((share - 0.95).abs() <= allowed, "{name}: {share}, 0.95 ± {allowed}");
    }
}

#[test]
fn long_texts_of_different_models_are_called_degenerate_and_their_beginnings_compared() {
    let text = |sign: f64| LikelihoodText {
        ln_p: vec![-1.0; 40],
        ln_q: vec![-1.0 + 0.5 * sign; 40],
        prompt: 0,
    };
    let texts = Sides { reference: vec![text(-1.0); 20], model: vec![text(1.0); 20] };
    let got = scored(&texts, 0);
    assert!(got.warnings.iter().any(|w| w.code == Code::Degenerate), "{:?}", got.warnings);
    let prefix = got.curves.prefix.unwrap();
    assert_eq!(prefix.tokens, [1, 2, 4, 8, 16, 32, 40]);
    assert!(prefix.tv.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", prefix.tv);
    assert!((prefix.tv[0] - (1.0 - (-0.5f64).exp())).abs() < 1e-12);
}

#[test]
fn a_side_without_texts_gets_a_sentence() {
    let all = texts(&P, &Q, 10.0);
    let none = Sides { model: &[][..], reference: all.reference.as_slice() };
    let unique = Sides { reference: 4, model: 0 };
    let error =
        score_likelihood(none, unique, Signature::default(), &ScoreOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "the model set is empty");
}
