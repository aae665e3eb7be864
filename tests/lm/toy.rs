//! Exact distributions: what is drawn against what can be written down.

use std::{collections::BTreeMap, ops::ControlFlow};

use llmpr::{
    decode::{Chain, Decoding},
    lm::{
        LmError,
        engine::{
            kv::{Piece, Span, Want},
            network::{Depth, Network, Session},
            toy::Toy,
        },
        generate::{Event, GenerateOptions, Request, run},
    },
    rng::Draw,
};

const LENGTH: usize = 3;
const PROMPT: [u32; 2] = [1, 3];

fn toy() -> Toy {
    let logits = (0..25).map(|i| ((i * 7 + i / 5 * 3) % 11) as f32 * 0.35).collect();
    Toy::new(5, logits)
}

fn drawn(toy: &Toy, chain: &Chain, count: u32, rows: usize) -> BTreeMap<Vec<u32>, f64> {
    let request = |sample| Request {
        tag: u64::from(sample),
        prompt: PROMPT.into(),
        chain: chain.clone(),
        seed: 11,
        draw: Draw { prompt: 0, sample },
        max_new_tokens: LENGTH,
        stop: [].into(),
    };
    let options = GenerateOptions { batch: Some(rows), ..GenerateOptions::default() };
    let mut counts = BTreeMap::new();
    let mut on_event = |event| {
        if let Event::Finished(c) = event {
            *counts.entry(c.tokens).or_insert(0.0) += 1.0;
        }
        ControlFlow::Continue(())
    };
    run(toy, None, &[], (0..count).map(request), &options, &mut on_event).unwrap();
    counts
}

/// How many standard deviations χ² is above its mean, by Wilson and Hilferty: its cube root is nearly normal.
fn deviations(chi2: f64, df: f64) -> f64 {
    let spread = 2.0 / (9.0 * df.max(1.0));
    ((chi2 / df.max(1.0)).cbrt() - 1.0 + spread) / spread.sqrt()
}

/// χ² of the counts, and its degrees of freedom; texts expected fewer than five times are one class.
fn chi_square(counts: &BTreeMap<Vec<u32>, f64>, texts: &[(Vec<u32>, f64)], n: f64) -> (f64, f64) {
    let (mut chi2, mut classes, mut rare) = (0.0, 0, (0.0, 0.0));
    for (text, p) in texts {
        let (found, expected) = (counts.get(text).copied().unwrap_or(0.0), n * p);
        if expected < 5.0 {
            rare = (rare.0 + found, rare.1 + expected);
        } else {
            chi2 += (found - expected).powi(2) / expected;
            classes += 1;
        }
    }
    if rare.1 >= 5.0 {
        chi2 += (rare.0 - rare.1).powi(2) / rare.1;
        classes += 1;
    }
    (chi2, f64::from(classes) - 1.0)
}

#[test]
fn completions_follow_the_enumerated_distribution_under_every_truncation() {
    let (toy, n) = (toy(), 20_000);
    for temperature in [0.4, 1.0, 1.7] {
        let plain = Decoding { temperature, ..Decoding::default() };
        for decoding in [
            plain,
            Decoding { top_k: Some(3), ..plain },
            Decoding { top_p: Some(0.7), ..plain },
            Decoding { top_k: Some(4), top_p: Some(0.8), ..plain },
            Decoding { top_n_sigma: Some(1.2), ..plain },
        ] {
            let chain = Chain::new(decoding).unwrap();
            let texts = toy.texts(&chain, &PROMPT, LENGTH).unwrap();
            let total: f64 = texts.iter().map(|(_, p)| p).sum();
            assert!((total - 1.0).abs() < 1e-9, "{total}");
            let counts = drawn(&toy, &chain, n, 64);
            let outside = counts.keys().find(|text| texts.iter().all(|(t, _)| t != *text));
            assert_eq!(outside, None, "{decoding:?} drew what has no probability");
            let (chi2, df) = chi_square(&counts, &texts, f64::from(n));
            let z = deviations(chi2, df);
            assert!(
                df == 0.0 || z < 4.0,
                "{decoding:?}: χ² = {chi2:.1} at {df} degrees of freedom"
            );
        }
    }
}

/// Settings of every method beside the usual truncations; those that read the past see the prompt, too.
const METHODS: [&str; 14] = [
    "epsilon-cutoff=0.08",
    "eta-cutoff=0.3",
    "p-less=1,T=1.5",
    "mirostat-tau=1.5,mirostat-eta=0.4",
    "mirostat-tau=1.4,top-k=4",
    "xtc=0.5,xtc-threshold=0.15",
    "xtc=1,xtc-threshold=0.1,top-p=0.9",
    "dynatemp-range=0.6,dynatemp-exponent=1.5",
    "frequency-penalty=1.2",
    "presence-penalty=-0.8,min-p=0.02",
    "no-repeat-ngram-size=2",
    "dry=0.9,dry-allowed-length=1",
    "repetition-penalty=1.5,xtc=0.3",
    "dry=0.5,dry-allowed-length=1,mirostat-tau=2,xtc=0.4,frequency-penalty=0.3",
];

#[test]
fn completions_follow_the_enumerated_distribution_under_every_method() {
    let (toy, n) = (toy(), 8_000);
    for settings in METHODS {
        let chain = Chain::new(settings.parse().unwrap()).unwrap();
        let texts = toy.texts(&chain, &PROMPT, LENGTH).unwrap();
        let total: f64 = texts.iter().map(|(_, p)| p).sum();
        assert!((total - 1.0).abs() < 1e-9, "{settings}: {total}");
        let plain = toy.texts(&Chain::default(), &PROMPT, LENGTH).unwrap();
        assert!(texts.len() < plain.len() || texts.iter().zip(&plain).any(|(a, b)| a.1 != b.1));
        let counts = drawn(&toy, &chain, n, 64);
        let outside = counts.keys().find(|text| texts.iter().all(|(t, _)| t != *text));
        assert_eq!(outside, None, "{settings} drew what has no probability");
        let (chi2, df) = chi_square(&counts, &texts, f64::from(n));
        let z = deviations(chi2, df);
        assert!(df > 0.0 && z < 4.0, "{settings}: χ² = {chi2:.1} at {df} degrees of freedom");
    }
}

#[test]
fn what_hangs_on_the_past_hangs_on_the_row_s_own_whoever_shares_the_batch() {
    let toy = toy();
    for settings in METHODS {
        let chain = Chain::new(settings.parse().unwrap()).unwrap();
        let alone = texts_of(&toy, &chain, 1, 0);
        for (rows, from) in [(7, 0), (64, 0), (5, 40)] {
            let together = texts_of(&toy, &chain, rows, from);
            let same = together.iter().all(|(tag, text)| alone[tag] == *text);
            assert!(same && together.len() == 60 - from as usize, "{settings}: {rows} rows");
        }
    }
}

/// Texts of 12 tokens and their log-probabilities to the bit, samples `from..60`.
fn texts_of(toy: &Toy, chain: &Chain, rows: usize, from: u32) -> BTreeMap<u64, (Vec<u32>, u64)> {
    let request = |sample| Request {
        tag: u64::from(sample),
        prompt: PROMPT.into(),
        chain: chain.clone(),
        seed: 11,
        draw: Draw { prompt: 0, sample },
        max_new_tokens: 12,
        stop: [].into(),
    };
    let options = GenerateOptions { batch: Some(rows), ..GenerateOptions::default() };
    let mut texts = BTreeMap::new();
    let mut on_event = |event| {
        if let Event::Finished(c) = event {
            texts.insert(c.tag, (c.tokens, c.logprob.to_bits()));
        }
        ControlFlow::Continue(())
    };
    run(toy, None, &[], (from..60).map(request), &options, &mut on_event).unwrap();
    texts
}

#[test]
fn a_token_that_counts_as_seen_is_penalized_as_if_it_stood_before_the_prompt() {
    let toy = toy();
    let plain = Chain::new("T=1,repetition-penalty=1.5".parse().unwrap()).unwrap();
    let seen = plain.clone().with_seen(&[4]);
    assert_eq!(seen.stages(), plain.stages());
    let n = 20_000;
    let exact = toy.texts(&plain, &[&[4], &PROMPT[..]].concat(), LENGTH).unwrap();
    let (chi2, df) = chi_square(&drawn(&toy, &seen, n, 64), &exact, f64::from(n));
    assert!(deviations(chi2, df) < 4.0, "χ² {chi2} of {df}");
    // Without it the same texts are as far from these as can be told apart.
    let (chi2, df) = chi_square(&drawn(&toy, &plain, n, 64), &exact, f64::from(n));
    assert!(deviations(chi2, df) > 10.0, "χ² {chi2} of {df}");
}

#[test]
fn the_argmax_text_is_the_only_one_at_temperature_zero() {
    let toy = toy();
    let greedy = Chain::new(Decoding { temperature: 0.0, ..Decoding::default() }).unwrap();
    let texts = toy.texts(&greedy, &PROMPT, LENGTH).unwrap();
    assert_eq!(texts.len(), 1);
    assert_eq!(drawn(&toy, &greedy, 10, 4).keys().collect::<Vec<_>>(), [&texts[0].0]);
}

/// A network whose state of one token is NaN after layer 2.
struct Spoiled(Toy);

impl Network for Spoiled {
    fn config(&self) -> &llmpr::lm::ModelConfig {
        self.0.config()
    }
    fn weight_bytes(&self) -> usize {
        0
    }
    fn kv_shape(&self) -> llmpr::lm::engine::kv::KvShape {
        self.0.kv_shape()
    }
    fn forward(
        &self,
        session: &mut Session,
        spans: &[Span<'_>],
        depth: Depth,
    ) -> Result<llmpr::lm::engine::network::States, LmError> {
        let mut states = self.0.forward(session, spans, depth)?;
        for (fault, span) in states.faults.iter_mut().zip(spans) {
            *fault = (span.tokens == [4]).then_some(2);
        }
        Ok(states)
    }
    fn logits(&self, s: &mut Session, states: &[f32], out: &mut Vec<f32>) -> Result<(), LmError> {
        self.0.logits(s, states, out)
    }
}

#[test]
fn a_row_that_becomes_nan_is_named_with_its_layer_and_the_others_go_on() {
    let network = Spoiled(toy());
    let request = |sample| Request {
        tag: u64::from(sample),
        prompt: [1, 3].into(),
        chain: Chain::default(),
        seed: 11,
        draw: Draw { prompt: 0, sample },
        max_new_tokens: 4,
        stop: [].into(),
    };
    let (mut finished, mut failed) = (0, Vec::new());
    run(&network, None, &[], (0..60).map(request), &GenerateOptions::default(), &mut |event| {
        match event {
            Event::Finished(c) => {
                assert!(c.tokens[..3].iter().all(|token| *token != 4), "{:?}", c.tokens);
                finished += 1;
            }
            Event::Failed { error, .. } => failed.push(error.to_string()),
            Event::Step { .. } => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(finished > 5 && finished + failed.len() == 60, "{finished} finished, {failed:?}");
    assert!(failed.iter().all(|text| text.contains("NaN or infinite after layer 2")), "{failed:?}");
}

#[test]
fn a_session_counts_the_memory_of_its_segments() {
    let toy = toy();
    let mut session = Session::new(&toy);
    let a = session.kv.allocate(20).unwrap();
    let held = session.kv.bytes();
    assert_eq!(held, toy.kv_shape().bytes(32));
    session.kv.release(a);
    assert_eq!((session.kv.bytes(), session.kv.peak()), (0, held));
    let own = Piece { id: session.kv.allocate(1).unwrap(), used: 0 };
    let span = Span { tokens: &[2], prefix: &[], own, want: Want::Last };
    assert_eq!(toy.forward(&mut session, &[span], Depth::Full).unwrap().data, [2.0]);
}
