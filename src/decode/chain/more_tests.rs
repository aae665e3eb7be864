//! Methods that came later and stages that read the past, from their definitions by hand.

use proptest::prelude::*;

use super::*;
use crate::decode::knobs::{KNOBS, TEMPERATURE};

fn logits(p: &[f64]) -> Vec<f32> {
    p.iter().map(|p| p.ln() as f32).collect()
}

fn distribution(stages: &[Stage], logits: &[f32], past: Past<'_>) -> Vec<f64> {
    Chain::try_from(stages.to_vec()).unwrap().distribution(logits, past).unwrap()
}

fn check(stages: &[Stage], p: &[f64], past: Past<'_>, expected: &[f64]) {
    let got = distribution(stages, &logits(p), past);
    for (token, (got, expected)) in got.iter().zip(expected).enumerate() {
        // Logits are f32: 2⁻²⁴ of a logit below 4.
        assert!((got - expected).abs() < 1e-6, "{stages:?}, token {token}: {got} for {expected}");
    }
}

/// What is left of `p` where those tokens are kept.
fn left(p: &[f64], kept: &[usize]) -> Vec<f64> {
    let total: f64 = kept.iter().map(|&token| p[token]).sum();
    (0..p.len()).map(|token| if kept.contains(&token) { p[token] / total } else { 0.0 }).collect()
}

fn alone(stage: Stage, p: &[f64], kept: &[usize]) {
    check(&[stage], p, Past::default(), &left(p, kept));
}

const P: [f64; 4] = [0.55, 0.30, 0.12, 0.03];

#[test]
fn epsilon_keeps_what_is_probable_enough_or_the_most_probable() {
    alone(Stage::EpsilonCutoff(0.1), &P, &[0, 1, 2]);
    alone(Stage::EpsilonCutoff(0.13), &P, &[0, 1]);
    alone(Stage::EpsilonCutoff(0.9), &P, &[0]);
    // Of the first three 0.12 is 0.124.
    check(
        &[Stage::TopK(3), Stage::EpsilonCutoff(0.123)],
        &P,
        Past::default(),
        &left(&P, &[0, 1, 2]),
    );
}

#[test]
fn eta_falls_with_the_entropy() {
    // H = 1.0496, e^−H = 0.350; min(0.09, 0.3 · 0.350 = 0.105) = 0.09 keeps three, and
    // min(0.25, 0.5 · 0.350 = 0.175) = 0.175 two.
    alone(Stage::EtaCutoff(0.09), &P, &[0, 1, 2]);
    alone(Stage::EtaCutoff(0.25), &P, &[0, 1]);
    // min(0.5, 0.707 · 0.350 = 0.247) keeps the second, which an epsilon of 0.5 removes.
    alone(Stage::EtaCutoff(0.5), &P, &[0, 1]);
    alone(Stage::EpsilonCutoff(0.5), &P, &[0]);
    alone(Stage::EtaCutoff(0.99), &P, &[0]);
    alone(Stage::EtaCutoff(0.2), &[0.1; 10], &(0..10).collect::<Vec<_>>());
}

#[test]
fn p_less_keeps_what_is_at_least_as_probable_as_that_two_draws_agree() {
    // Σ p² = 0.3025 + 0.09 + 0.0144 + 0.0009 = 0.4078.
    alone(Stage::PLess(1), &P, &[0]);
    // 0.16 + 0.09 + 0.04 + 0.01 = 0.30, which the second reaches to the last bit or not: so a little more.
    alone(Stage::PLess(1), &[0.39, 0.31, 0.2, 0.1], &[0, 1]);
    alone(Stage::PLess(1), &[0.25; 4], &[0, 1, 2, 3]);
}

#[test]
fn mirostat_cuts_at_mu_and_moves_it_by_the_surprise_before_the_cut() {
    let p = [0.5, 0.25, 0.125, 0.125];
    let stage = Stage::Mirostat { tau: 1.2, eta: 0.5 };
    // μ = 2.4 at first: surprises are 1, 2, 3, 3 bits.
    alone(stage, &p, &[0, 1]);
    let at = |mu| Past { mu: Some(mu), ..Past::default() };
    check(&[stage], &p, at(3.1), &p);
    check(&[stage], &p, at(-4.0), &left(&p, &[0]));
    let chain = Chain::try_from(vec![stage]).unwrap();
    let draw = |past, u| chain.draw(&logits(&p), past, u, &mut Scratch::default()).unwrap();
    // The second token has 2 bits, not the 1.58 of what was left: 2.4 − 0.5 (2 − 1.2).
    let second = draw(Past::default(), 0.9);
    assert_eq!(second.token, 1);
    assert!((second.mu.unwrap() - 2.0).abs() < 1e-6, "{second:?}");
    assert!((second.logprob - (1.0f64 / 3.0).ln()).abs() < 1e-6, "{second:?}");
    let first = draw(at(0.3), 0.9);
    assert!(first.token == 0 && (first.mu.unwrap() - (0.3 - 0.5 * (1.0 - 1.2))).abs() < 1e-6);
    let behind = chain.mu_behind(&logits(&p), at(0.3), 3).unwrap().unwrap();
    assert!((behind - (0.3 - 0.5 * (3.0 - 1.2))).abs() < 1e-6, "{behind}");
    assert_eq!(Chain::default().mu_behind(&logits(&p), at(0.3), 3), Ok(None));
}

#[test]
fn mirostat_s_texts_have_the_surprise_that_is_asked_for() {
    // A Zipf-like vocabulary of 2000 tokens, as in the paper; the first has 2.6 bits, the entropy is 6.3.
    let logits: Vec<f32> = (1..=2000u16).map(|rank| -1.1 * f32::from(rank).ln()).collect();
    for tau in [3.0, 4.0, 5.0] {
        let chain = Chain::try_from(vec![Stage::Mirostat { tau, eta: 0.1 }]).unwrap();
        let (mut past, mut scratch, mut bits) = (Past::default(), Scratch::default(), 0.0);
        let n = 4000;
        for position in 0..n {
            let u = crate::rng::uniform(3, Default::default(), position);
            let pick = chain.draw(&logits, past, u, &mut scratch).unwrap();
            bits -= pick.logprob_model / std::f64::consts::LN_2;
            past.mu = pick.mu;
        }
        // Σ (S − tau) telescopes to (μ₀ − μ_n) / eta, a few dozen bits of 4000 tokens.
        assert!((bits / n as f64 - tau).abs() < 0.03, "{} for {tau}", bits / n as f64);
    }
}

#[test]
fn xtc_is_the_mixture_of_both_sides_of_its_coin() {
    let stage = |probability| Stage::Xtc { probability, threshold: 0.1 };
    // 0.55, 0.30 and 0.12 reach 0.1; 0.12 stays.
    alone(stage(1.0), &P, &[2, 3]);
    // A threshold between the last two is one of probabilities, not of weights, whatever these add up to.
    for threshold in [0.04, 0.11] {
        alone(Stage::Xtc { probability: 1.0, threshold }, &P, &[2, 3]);
    }
    let mixed: Vec<f64> =
        left(&P, &[2, 3]).iter().zip(P).map(|(x, p)| 0.25 * x + 0.75 * p).collect();
    check(&[stage(0.25)], &P, Past::default(), &mixed);
    // One alone above the threshold stays, and so does the last of equals.
    let sharp = [0.9, 0.05, 0.05];
    check(&[stage(0.5)], &sharp, Past::default(), &sharp);
    let (half, even) = (Stage::Xtc { probability: 1.0, threshold: 0.5 }, [0.5, 0.5]);
    check(&[half], &even, Past::default(), &[0.0, 1.0]);
    // What top-k removed stays removed.
    let cut: Vec<f64> = left(&P, &[0, 1, 2]);
    let expected: Vec<f64> =
        (0..4).map(|i| 0.75 * cut[i] + if i == 2 { 0.25 } else { 0.0 }).collect();
    check(&[Stage::TopK(3), stage(0.25)], &P, Past::default(), &expected);
    // A draw's log-probability is the mixture's.
    let chain = Chain::try_from(vec![stage(0.25)]).unwrap();
    let pick = chain.draw(&logits(&P), Past::default(), 0.0, &mut Scratch::default()).unwrap();
    assert!((pick.logprob - mixed[0].ln()).abs() < 1e-6);
    let entropy: f64 = mixed.iter().map(|p| -p * p.ln()).sum();
    assert!((pick.entropy - entropy).abs() < 1e-6, "{} for {entropy}", pick.entropy);
}

#[test]
fn the_temperature_follows_the_entropy() {
    let dynamic =
        |temperature, range, exponent| [Stage::DynamicTemperature { temperature, range, exponent }];
    let entropy: f64 = P.iter().map(|p| -p * p.ln()).sum();
    for (temperature, range, exponent) in [(1.0, 0.5, 1.0), (0.7, 0.7, 2.0), (0.3, 0.9, 0.5)] {
        let (low, high) = (f64::max(0.0, temperature - range), temperature + range);
        let t = low + (high - low) * (entropy / 4f64.ln()).powf(exponent);
        let expected = distribution(&[Stage::Temperature(t)], &logits(&P), Past::default());
        check(&dynamic(temperature, range, exponent), &P, Past::default(), &expected);
    }
    // Equal tokens are at the upper end, where they stay equal; a single one has no entropy.
    check(&dynamic(1.0, 0.5, 1.0), &[0.5, 0.5], Past::default(), &[0.5, 0.5]);
    let single = [f32::NEG_INFINITY, 2.0];
    assert_eq!(distribution(&dynamic(0.5, 0.5, 1.0), &single, Past::default()), [0.0, 1.0]);
    // Where all but one token have no weight to speak of, the temperature is 0.
    let sure = [900.0, 0.0, -900.0];
    assert_eq!(distribution(&dynamic(0.5, 0.5, 1.0), &sure, Past::default()), [1.0, 0.0, 0.0]);
}

/// The softmax of `x`.
fn softmax(x: &[f64]) -> Vec<f64> {
    let total: f64 = x.iter().map(|x| x.exp()).sum();
    x.iter().map(|x| x.exp() / total).collect()
}

#[track_caller]
fn moved(stage: Stage, past: Past<'_>, expected: [f64; 4]) {
    let got = distribution(&[stage], &[1.0, 0.5, -1.0, 0.0], past);
    for (got, expected) in got.iter().zip(softmax(&expected)) {
        assert!((got - expected).abs() < 1e-12, "{stage:?}: {got} for {expected}");
    }
}

#[test]
fn frequency_and_presence_count_what_was_drawn_and_not_the_prompt() {
    let context = [3, 3, 0, 2, 0, 0];
    let past = Past { prompt: 2, ..Past::of(&context) };
    moved(Stage::FrequencyPenalty(0.5), past, [1.0 - 1.5, 0.5, -1.5, 0.0]);
    moved(Stage::PresencePenalty(0.5), past, [0.5, 0.5, -1.5, 0.0]);
    moved(Stage::FrequencyPenalty(-0.5), past, [2.5, 0.5, -0.5, 0.0]);
    moved(Stage::FrequencyPenalty(0.5), Past::of(&context), [1.0, 0.5, -1.0, 0.0]);
}

#[test]
fn no_run_of_n_tokens_is_written_twice() {
    const GONE: f64 = f64::NEG_INFINITY;
    let past = Past::of(&[1, 2, 3, 1, 2]);
    moved(Stage::NoRepeatNgram(3), past, [1.0, 0.5, -1.0, GONE]);
    moved(Stage::NoRepeatNgram(2), past, [1.0, 0.5, -1.0, GONE]);
    moved(Stage::NoRepeatNgram(4), past, [1.0, 0.5, -1.0, 0.0]);
    moved(Stage::NoRepeatNgram(1), past, [1.0, GONE, GONE, GONE]);
    // All four would go: none does.
    moved(Stage::NoRepeatNgram(1), Past::of(&[0, 1, 2, 3]), [1.0, 0.5, -1.0, 0.0]);
    // The greatest by far goes, and the others are told apart all the same.
    let far = distribution(&[Stage::NoRepeatNgram(1)], &[700.0, 1.0, 0.0], Past::of(&[0]));
    assert!((far[1] - softmax(&[1.0, 0.0])[0]).abs() < 1e-12, "{far:?}");
}

#[test]
fn dry_lowers_what_makes_a_repetition_longer_by_a_power_of_its_length() {
    let stage = Stage::Dry { multiplier: 0.8, base: 1.75, allowed_length: 2 };
    // "1 2" stood before 3, and "0 1 2" before 0; "2" alone before 1 is shorter than what is allowed.
    let context = [1, 2, 3, 2, 1, 0, 1, 2, 0, 0, 1, 2];
    let past = Past::of(&context);
    moved(stage, past, [1.0 - 0.8 * 1.75, 0.5, -1.0, -0.8]);
    // A breaker ends what counts as the end: behind the last 0 there are two tokens.
    moved(stage, Past { breakers: &[0], ..past }, [1.0, 0.5, -1.0, -0.8]);
    // One that follows a repetition is not lowered, and behind a breaker nothing is.
    moved(stage, Past { breakers: &[3], ..past }, [1.0 - 0.8 * 1.75, 0.5, -1.0, 0.0]);
    moved(stage, Past { breakers: &[2], ..past }, [1.0, 0.5, -1.0, 0.0]);
    // The power does not overflow, whatever repeats.
    let long = vec![1; 3000];
    let got = distribution(&[stage], &[1.0, 2.0], Past::of(&long));
    assert_eq!(got, [1.0, 0.0]);
    // It stops at the whole power below the greatest 32-bit number: 3⁸⁰ here.
    let faint = Stage::Dry { multiplier: 3f64.powi(-80), base: 3.0, allowed_length: 1 };
    let got = distribution(&[faint], &[0.0, 0.0], Past::of(&long));
    assert!((got[1] / got[0] - (-1f64).exp()).abs() < 1e-12, "{got:?}");
    let all = distribution(&[stage], &[1.0], Past::of(&[0; 3000]));
    assert_eq!(all, [1.0]);
}

#[test]
fn later_stages_stand_where_their_authors_have_them() {
    let mut all = Decoding { temperature: 0.7, ..Decoding::default() };
    for knob in KNOBS.into_iter().filter(|knob| **knob != TEMPERATURE && knob.shapes.is_none()) {
        knob.set(&mut all, if knob.whole { 1.0 } else { 0.5 });
    }
    let chain = Chain::new(all.completed()).unwrap();
    let json = serde_json::to_value(&chain).unwrap();
    let names: Vec<String> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage.as_object().unwrap().keys().next().unwrap().clone())
        .collect();
    assert_eq!(
        names.join(" "),
        "repetition_penalty frequency_penalty presence_penalty no_repeat_ngram dry top_n_sigma \
         dynamic_temperature p_less top_k top_p min_p typical_p epsilon_cutoff eta_cutoff mirostat xtc"
    );
    assert_eq!(serde_json::from_value::<Chain>(json).unwrap(), chain);
}

#[test]
fn later_settings_out_of_range_are_refused() {
    let wrong = [
        ("epsilon-cutoff=1", "epsilon_cutoff = 1 is outside (0, 1)"),
        ("eta-cutoff=-0.1", "eta_cutoff = -0.1 is outside (0, 1)"),
        ("p-less=2", "p_less = 2 is outside {1}"),
        ("mirostat-tau=-1", "mirostat_tau = -1 is outside (0, ∞)"),
        ("mirostat-tau=3,mirostat-eta=2", "mirostat_eta = 2 is outside (0, 1]"),
        ("xtc-probability=1.5", "xtc_probability = 1.5 is outside (0, 1]"),
        ("xtc=0.5,xtc-threshold=0.6", "xtc_threshold = 0.6 is outside (0, 0.5]"),
        ("dynatemp-range=-1", "dynatemp_range = -1 is outside (0, ∞)"),
        ("dynatemp=1,dynatemp-exponent=0", "dynatemp_exponent = 0 is outside (0, ∞)"),
        ("frequency-penalty=2.5", "frequency_penalty = 2.5 is outside [−2, 2]"),
        ("presence-penalty=-3", "presence_penalty = -3 is outside [−2, 2]"),
        ("dry=1,dry-base=0.5", "dry_base = 0.5 is outside [1, ∞)"),
        ("dry=1,dry-allowed-length=0", "dry_allowed_length = 0 is outside [1, ∞)"),
        ("dry=-1", "dry_multiplier = -1 is outside (0, ∞)"),
    ];
    for (settings, message) in wrong {
        let error = Chain::new(settings.parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), message, "{settings}");
    }
}

#[test]
fn neutral_values_leave_the_chain_empty() {
    let mut decoding = Decoding::default();
    for knob in KNOBS {
        if let Some(neutral) = knob.neutral {
            knob.set(&mut decoding, neutral);
        }
    }
    assert_eq!(Chain::new(decoding.completed()).unwrap(), Chain::default());
    let zero = vec![Stage::FrequencyPenalty(0.0), Stage::PresencePenalty(0.0)];
    assert_eq!(Chain::try_from(zero).unwrap(), Chain::default());
}

#[test]
fn a_chain_says_what_it_reads_of_the_past() {
    let reads = |settings: &str| {
        let chain = Chain::new(settings.parse().unwrap()).unwrap();
        (chain.needs_context(), chain.needs_breakers(), chain.needs_mu())
    };
    for settings in ["", "T=0.5,top-k=3", "xtc=0.5", "top-nσ=1,p-less=1", "dynatemp=0.2"] {
        assert_eq!(reads(settings), (false, false, false), "{settings}");
    }
    for settings in ["penalty=1.2", "frequency=1", "presence=-1", "no-repeat=3"] {
        assert_eq!(reads(settings), (true, false, false), "{settings}");
    }
    assert_eq!(reads("dry=0.8"), (true, true, false));
    assert_eq!(reads("mirostat=3"), (false, false, true));
}

fn any_stage() -> impl Strategy<Value = Stage> {
    let (share, more) = (0.01..0.99f64, 0.05..3.0f64);
    prop_oneof![
        share.clone().prop_map(Stage::EpsilonCutoff),
        share.clone().prop_map(Stage::EtaCutoff),
        Just(Stage::PLess(1)),
        (more.clone(), share.clone()).prop_map(|(tau, eta)| Stage::Mirostat { tau, eta }),
        (share.clone(), 0.01..0.5f64)
            .prop_map(|(probability, threshold)| Stage::Xtc { probability, threshold }),
        (0.0..2.0f64, more.clone(), more.clone()).prop_map(|(temperature, range, exponent)| {
            Stage::DynamicTemperature { temperature, range, exponent }
        }),
        (-2.0..2.0f64).prop_map(Stage::FrequencyPenalty),
        (-2.0..2.0f64).prop_map(Stage::PresencePenalty),
        (1usize..4).prop_map(Stage::NoRepeatNgram),
        (more.clone(), 1.0..40.0f64, 1usize..4).prop_map(|(multiplier, base, allowed_length)| {
            Stage::Dry { multiplier, base, allowed_length }
        }),
        more.prop_map(Stage::Temperature),
        (1usize..4).prop_map(Stage::TopK),
        share.prop_map(Stage::TopP),
    ]
}

proptest! {
    #[test]
    fn in_any_order_a_token_is_left_and_the_shares_add_up(
        stages in proptest::collection::vec(any_stage(), 1..5),
        logits in proptest::collection::vec(-40.0..40.0f32, 1..6),
        context in proptest::collection::vec(0u32..6, 0..30),
        mu in proptest::option::of(-20.0..20.0f64),
        prompt in 0usize..9,
    ) {
        let context: Vec<u32> = context.iter().map(|t| t % logits.len() as u32).collect();
        let past = Past { context: &context, prompt, breakers: &[2], mu };
        let chain = Chain::try_from(stages).unwrap();
        let p = chain.distribution(&logits, past).unwrap();
        prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", p);
        prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)), "{:?}", p);
        let pick = chain.draw(&logits, past, 0.5, &mut Scratch::default()).unwrap();
        prop_assert!((pick.logprob - p[pick.token as usize].ln()).abs() < 1e-9, "{:?}", pick);
        prop_assert_eq!(pick.mu, chain.mu_behind(&logits, past, pick.token).unwrap());
        prop_assert!(pick.mu.is_none_or(f64::is_finite));
    }
}
