//! On a Markov model small enough to list every text.

use super::*;
use crate::{metric::curve::pr_curve, rng};

const TOKENS: usize = 4;
const LONGEST: usize = 5;
const LAMBDAS: [f64; 5] = [0.1, 0.5, 1.0, 2.0, 10.0];

/// Next-token shares from each state; state `TOKENS` is the start, token 0 ends a text.
type Markov = [[f64; TOKENS]; TOKENS + 1];

/// Softmax at a temperature of logits drawn once.
fn at_temperature(temperature: f64) -> Markov {
    let mut rng = rng::named(11, "markov");
    let mut chain = [[0.0; TOKENS]; TOKENS + 1];
    for row in &mut chain {
        row.iter_mut().for_each(|x| *x = (3.0 * rng::next_unit(&mut rng) / temperature).exp());
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|x| *x /= total);
    }
    chain
}

/// The two likeliest tokens of every state, renormalised.
fn top_two(chain: &Markov) -> Markov {
    chain.map(|row| {
        let mut sorted = row;
        sorted.sort_by(|a, b| b.total_cmp(a));
        let kept = row.map(|x| if x >= sorted[1] { x } else { 0.0 });
        let total: f64 = kept.iter().sum();
        kept.map(|x| x / total)
    })
}

/// All texts up to [`LONGEST`] tokens: those that end, and those that are cut.
fn texts() -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let mut open = vec![Vec::new()];
    for length in 1..=LONGEST {
        let mut longer = Vec::new();
        for text in &open {
            for token in 0..TOKENS {
                let next: Vec<usize> = [text, &[token][..]].concat();
                if token == 0 || length == LONGEST { all.push(next) } else { longer.push(next) }
            }
        }
        open = longer;
    }
    all
}

fn ln_probability(chain: &Markov, text: &[usize]) -> f64 {
    let states = std::iter::once(&TOKENS).chain(text);
    states.zip(text).map(|(&state, &token)| chain[state][token].ln()).sum()
}

fn probabilities(chain: &Markov) -> Vec<f64> {
    texts().iter().map(|text| ln_probability(chain, text).exp()).collect()
}

fn draw(shares: &[f64], n: usize, name: &str) -> Vec<usize> {
    let mut rng = rng::named(4, name);
    let pick = |mut u: f64| {
        let at = shares.iter().position(|share| {
            u -= share;
            u < 0.0
        });
        at.unwrap_or(0)
    };
    (0..n).map(|_| pick(rng::next_unit(&mut rng))).collect()
}

#[test] // exact enumeration
fn the_expected_estimate_is_the_exact_curve_on_every_text() {
    let (p, q) = (probabilities(&at_temperature(1.0)), probabilities(&at_temperature(0.6)));
    assert!(
        (p.iter().sum::<f64>() - 1.0).abs() < 1e-12 && (q.iter().sum::<f64>() - 1.0).abs() < 1e-12
    );
    for lambda in LAMBDAS {
        let exact = pr_curve(Sides { reference: &p, model: &q }, &[lambda])[0].alpha;
        let alone = |p: f64, q: f64, side: Side| {
            let text = [LogProbs { ln_p: p.ln(), ln_q: q.ln() }];
            let sides = match side {
                Side::Reference => Sides { reference: &text[..], model: &[] },
                Side::Model => Sides { reference: &[][..], model: &text },
            };
            LikelihoodRatios::new(sides).unwrap().curve(&[lambda])[0].point.alpha
        };
        // Σ_x Q(x) · (the estimate from x alone), and the same over P.
        let pairs = || p.iter().copied().zip(q.iter().copied());
        let over_q: f64 = pairs().map(|(p, q)| q * alone(p, q, Side::Model)).sum();
        assert!((over_q - exact).abs() < 1e-12, "λ = {lambda}: {over_q}, {exact}");
        let over_p: f64 = pairs().map(|(p, q)| p * (-(p / q).ln()).exp().min(lambda)).sum();
        assert!((over_p - exact).abs() < 1e-12, "λ = {lambda}: {over_p}, {exact}");
    }
}

#[test] // exact enumeration
fn drawn_texts_give_the_exact_curve_within_their_error() {
    let (p, q) = (probabilities(&at_temperature(1.0)), probabilities(&at_temperature(0.6)));
    let of = |texts: Vec<usize>| -> Vec<LogProbs> {
        texts.into_iter().map(|i| LogProbs { ln_p: p[i].ln(), ln_q: q[i].ln() }).collect()
    };
    let drawn = Sides { reference: of(draw(&p, 4000, "p")), model: of(draw(&q, 4000, "q")) };
    let none: &[LogProbs] = &[];
    let both = drawn.as_ref().map(Vec::as_slice);
    for texts in [both, Sides { reference: none, ..both }, Sides { model: none, ..both }] {
        for measured in LikelihoodRatios::new(texts).unwrap().curve(&LAMBDAS) {
            let lambda = measured.point.lambda;
            let exact = pr_curve(Sides { reference: &p, model: &q }, &[lambda])[0].alpha;
            let off = (measured.point.alpha - exact).abs();
            assert!(off <= 4.0 * measured.alpha_error + 1e-12, "{measured:?}, exact {exact}");
        }
    }
}

#[test]
fn points_by_one_sort_are_those_of_the_curve() {
    let text = |ln_p, ln_q| LogProbs { ln_p, ln_q };
    let p = [text(-1.0, -1.5), text(-3.0, -0.5), text(-2.0, f64::NEG_INFINITY)];
    let q = [text(f64::NEG_INFINITY, -4.0), text(-2.0, -2.0), text(-1.0, -3.0), text(-5.0, -1.0)];
    for (reference, model) in [(&p[..], &q[..]), (&p[..], &[][..]), (&[][..], &q[..])] {
        let ratios = LikelihoodRatios::new(Sides { reference, model }).unwrap();
        for (got, want) in ratios.points(&LAMBDAS).iter().zip(ratios.curve(&LAMBDAS)) {
            let want = want.point;
            assert!((got.alpha - want.alpha).abs() < 1e-15, "{got:?}, {want:?}");
            assert!((got.beta - want.beta).abs() < 1e-15, "{got:?}, {want:?}");
        }
    }
}

#[test] // closed form
fn a_restricted_model_has_the_truncation_curve() {
    let p = probabilities(&at_temperature(1.0));
    let kept = probabilities(&top_two(&at_temperature(1.0)));
    let pi: f64 = p.iter().zip(&kept).filter(|pair| *pair.1 > 0.0).map(|pair| pair.0).sum();
    let restricted: Vec<f64> =
        p.iter().zip(&kept).map(|(p, &kept)| if kept > 0.0 { p / pi } else { 0.0 }).collect();
    for lambda in LAMBDAS {
        let exact = pr_curve(Sides { reference: &p, model: &restricted }, &[lambda])[0];
        let closed = truncation(pi, lambda);
        assert!((closed.alpha - exact.alpha).abs() < 1e-12, "{closed:?}, {exact:?}");
        assert!((closed.beta - exact.beta).abs() < 1e-12, "{closed:?}, {exact:?}");
    }
    // Renormalising token by token is another distribution on the same texts: the ends of the curve stay.
    let ends = pr_curve(Sides { reference: &p, model: &kept }, &[1e-9, 1e9]);
    assert!((ends[0].beta - pi).abs() < 1e-12 && (ends[1].alpha - 1.0).abs() < 1e-12, "{ends:?}");
}

#[test]
fn texts_that_the_other_model_cannot_write_count_as_missed() {
    let cannot =
        [LogProbs { ln_p: f64::NEG_INFINITY, ln_q: -1.0 }, LogProbs { ln_p: -1.0, ln_q: -1.0 }];
    let ratios = LikelihoodRatios::new(Sides { reference: &[], model: &cannot }).unwrap();
    assert_eq!(ratios.curve(&[1.0])[0].point.alpha, 0.5);
}

#[test]
fn impossible_texts_and_empty_sides_get_a_sentence() {
    let own = [LogProbs { ln_p: -1.0, ln_q: f64::NEG_INFINITY }];
    let error = LikelihoodRatios::new(Sides { reference: &[], model: &own }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "text 0 of the model side has ln P = -1 and ln Q = -inf; the side that wrote it must give it a probability"
    );
    assert!(LikelihoodRatios::new(Sides { reference: &own, model: &[] }).is_ok());
    assert_eq!(
        LikelihoodRatios::new(Sides { reference: &[], model: &[] }).unwrap_err(),
        LikelihoodError::Empty
    );
}
