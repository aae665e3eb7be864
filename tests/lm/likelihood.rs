//! `score --likelihood` on models small enough to list every text.

use std::ops::ControlFlow;

use llmpr::{
    data::{sides::Sides, signature::Signature},
    decode::{Chain, Decoding},
    lm::{
        engine::{network::Interrupt, toy::Toy},
        generate::{Event, GenerateOptions, Request, run},
        logprob::{Continued, log_probs},
    },
    metric::{
        curve::pr_curve,
        likelihood::{LikelihoodRatios, LogProbs},
    },
    rng::Draw,
    score::{LikelihoodText, ScoreOptions, score_likelihood},
};

const LENGTH: usize = 4;
const LAMBDAS: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

fn toy() -> Toy {
    let logits = (0..25).map(|i| ((i * 7 + i / 5 * 3) % 11) as f32 * 0.35).collect();
    Toy::new(5, logits)
}

fn read(chain: &Chain, texts: &[Vec<u32>]) -> Vec<Vec<f64>> {
    let asked: Vec<Continued<'_>> =
        texts.iter().map(|tokens| Continued { prompt: &[3], tokens, ended: false }).collect();
    log_probs(&toy(), &[], chain, &[], &asked, &Interrupt::default(), &mut |_, _| {}).unwrap()
}

fn settings() -> [(Decoding, Decoding); 4] {
    let at = |temperature| Decoding { temperature, ..Decoding::default() };
    let top_k = |k| Decoding { top_k: Some(k), ..Decoding::default() };
    let top_p = |p| Decoding { top_p: Some(p), ..Decoding::default() };
    [(at(1.0), at(0.6)), (at(1.0), top_k(2)), (top_p(0.8), top_k(3)), (at(1.3), top_p(0.5))]
}

#[test] // exact enumeration: every text weighted by its probability gives the closed form
fn the_curve_from_log_probabilities_is_the_exact_one_for_temperatures_and_truncations() {
    for (p, q) in settings() {
        let chains = [p, q].map(|decoding| Chain::new(decoding).unwrap());
        let all: Vec<Vec<u32>> = toy()
            .texts(&Chain::new(Decoding::default()).unwrap(), &[3], LENGTH)
            .unwrap()
            .into_iter()
            .map(|(text, _)| text)
            .collect();
        let [ln_p, ln_q] = chains.map(|chain| {
            read(&chain, &all).iter().map(|list| list.iter().sum()).collect::<Vec<f64>>()
        });
        let shares = [&ln_p, &ln_q].map(|of| of.iter().map(|x| x.exp()).collect::<Vec<f64>>());
        for lambda in LAMBDAS {
            let exact = pr_curve(Sides { reference: &shares[0], model: &shares[1] }, &[lambda])[0];
            let mut alphas = [0.0; 2];
            for i in 0..all.len() {
                let text = [LogProbs { ln_p: ln_p[i], ln_q: ln_q[i] }];
                let none: &[LogProbs] = &[];
                for (alpha, share, sides) in [
                    (0, shares[0][i], Sides { reference: &text[..], model: none }),
                    (1, shares[1][i], Sides { reference: none, model: &text[..] }),
                ] {
                    if share > 0.0 {
                        let ratios = LikelihoodRatios::new(sides).unwrap();
                        let measured = ratios.curve(&[lambda])[0].point.alpha;
                        assert!((measured - ratios.points(&[lambda])[0].alpha).abs() < 1e-12);
                        alphas[alpha] += share * measured;
                    }
                }
            }
            // min(λ, 1/r) of one text may exceed 1 and is cut in its point, so for λ ≤ 1 only.
            if lambda <= 1.0 {
                assert!(
                    (alphas[0] - exact.alpha).abs() < 1e-12,
                    "{p:?} {q:?}: {alphas:?} {exact:?}"
                );
            }
            assert!((alphas[1] - exact.alpha).abs() < 1e-12, "{p:?} {q:?}: {alphas:?} {exact:?}");
        }
    }
}

#[test] // drawn by the engine; closed forms within the intervals widened to 4 standard errors
fn drawn_texts_score_the_closed_forms_of_the_enumerated_models() {
    for (p, q) in settings() {
        let chains = Sides { reference: p, model: q }.map(|decoding| Chain::new(decoding).unwrap());
        let Sides { reference, model } = chains.as_ref();
        let drawn = Sides { reference: (reference, 5), model: (model, 6) }.map(|(chain, seed)| {
            let request = |sample: u32| Request {
                tag: u64::from(sample),
                prompt: [3].into(),
                chain: chain.clone(),
                seed,
                draw: Draw { prompt: 0, sample },
                max_new_tokens: LENGTH,
                stop: [].into(),
            };
            let mut texts = Vec::new();
            run(&toy(), None, &[], (0..3000).map(request), &GenerateOptions::default(), &mut |e| {
                if let Event::Finished(completion) = e {
                    texts.push((completion.tokens, completion.logprob));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
            texts
        });
        let texts = drawn.as_ref().map(|drawn| {
            let tokens: Vec<Vec<u32>> = drawn.iter().map(|(tokens, _)| tokens.clone()).collect();
            let (ln_p, ln_q) = (read(&chains.reference, &tokens), read(&chains.model, &tokens));
            let lists = ln_p.into_iter().zip(ln_q);
            lists.map(|(ln_p, ln_q)| LikelihoodText { ln_p, ln_q, prompt: 0 }).collect::<Vec<_>>()
        });
        // What the engine says of its own draw is what reading it back says.
        for (text, (_, logprob)) in texts.reference.iter().zip(&drawn.reference) {
            let sum: f64 = text.ln_p.iter().sum();
            assert!((sum - logprob).abs() < 1e-9, "{sum}, {logprob}");
        }
        let slices = texts.as_ref().map(Vec::as_slice);
        let unique = Sides { reference: 1, model: 1 };
        let options = ScoreOptions { resamples: 100, ..ScoreOptions::default() };
        let got = score_likelihood(slices, unique, Signature::default(), &options).unwrap();
        let whole = chains.as_ref().map(|chain| toy().texts(chain, &[3], LENGTH).unwrap());
        let mut index = std::collections::BTreeMap::new();
        for (text, _) in whole.reference.iter().chain(&whole.model) {
            let next = index.len();
            index.entry(text.clone()).or_insert(next);
        }
        let shares = whole.map(|texts| {
            let mut shares = vec![0.0; index.len()];
            texts.into_iter().for_each(|(text, p)| shares[index[&text]] = p);
            shares
        });
        let shares = shares.as_ref().map(Vec::as_slice);
        let support = |of: &[f64], by: &[f64]| -> f64 {
            of.iter().zip(by).filter(|(_, by)| **by > 0.0).map(|(of, _)| of).sum()
        };
        let mut exact = vec![
            ("precision".to_owned(), support(shares.model, shares.reference)),
            ("recall".to_owned(), support(shares.reference, shares.model)),
        ];
        for point in pr_curve(shares, &LAMBDAS) {
            exact.push((format!("alpha@{}", point.lambda), point.alpha));
            exact.push((format!("beta@{}", point.lambda), point.beta));
        }
        for (name, exact) in exact {
            let estimate = &got.metrics[&name];
            let error = (estimate.high.unwrap() - estimate.low.unwrap()) / (2.0 * 1.96);
            let off = (estimate.value - exact).abs();
            // An interval of no width belongs to a value that no draw can change.
            assert!(off <= 4.0 * error + 1e-9, "{p:?} {q:?} {name}: {estimate:?}, exact {exact}");
        }
    }
}
