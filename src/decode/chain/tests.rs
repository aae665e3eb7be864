use proptest::prelude::*;

use super::*;
use crate::rng::{Draw, uniform};

/// The past that most stages do not look at.
const NOTHING: Past<'static> = Past { context: &[], prompt: 0, breakers: &[], mu: None };

fn logits(p: &[f64]) -> Vec<f32> {
    p.iter().map(|p| p.ln() as f32).collect()
}

fn chain(stages: &[Stage]) -> Chain {
    Chain::try_from(stages.to_vec()).unwrap()
}

fn check(stages: &[Stage], p: &[f64], expected: &[f64]) {
    let got = chain(stages).distribution(&logits(p), NOTHING).unwrap();
    for (token, (got, expected)) in got.iter().zip(expected).enumerate() {
        // Logits are f32: 2⁻²⁴ of a logit below 4.
        assert!((got - expected).abs() < 1e-6, "{stages:?}, token {token}: {got} for {expected}");
    }
}

#[test]
fn order_matters() {
    let (p, sharpen, nucleus) = ([0.1, 0.2, 0.3, 0.4], Stage::Temperature(0.5), Stage::TopP(0.8));
    check(&[sharpen, nucleus], &p, &[0.0, 0.0, 9.0 / 25.0, 16.0 / 25.0]);
    check(&[nucleus, sharpen], &p, &[0.0, 4.0 / 29.0, 9.0 / 29.0, 16.0 / 29.0]);
}

#[test]
fn top_p_holds_the_renormalized_mass_after_top_k() {
    let p = [0.4, 0.3, 0.2, 0.1];
    // Of 0.4 and 0.3 alone, the first has 4/7 ≥ 0.55 of the mass; of all four it has 0.4.
    check(&[Stage::TopK(2), Stage::TopP(0.55)], &p, &[1.0, 0.0, 0.0, 0.0]);
    check(&[Stage::TopP(0.55)], &p, &[4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
}

#[test]
fn top_p_keeps_at_least_one_token_and_of_two_equal_ones_the_lower() {
    check(&[Stage::TopP(1e-9)], &[0.25, 0.5, 0.25], &[0.0, 1.0, 0.0]);
    check(&[Stage::TopP(0.75)], &[0.25, 0.5, 0.25], &[1.0 / 3.0, 2.0 / 3.0, 0.0]);
}

#[test]
fn top_k_keeps_ties_at_the_threshold() {
    check(&[Stage::TopK(2)], &[0.2, 0.4, 0.2, 0.2], &[0.2, 0.4, 0.2, 0.2]);
    check(&[Stage::TopK(1)], &[0.2, 0.4, 0.2, 0.2], &[0.0, 1.0, 0.0, 0.0]);
    check(&[Stage::TopK(9)], &[0.5, 0.5], &[0.5, 0.5]);
}

#[test]
fn min_p_is_relative_to_the_most_probable() {
    check(&[Stage::MinP(0.45)], &[0.5, 0.3, 0.2], &[0.625, 0.375, 0.0]);
    check(&[Stage::MinP(1.0)], &[0.5, 0.3, 0.2], &[1.0, 0.0, 0.0]);
}

#[test]
fn typical_keeps_what_is_as_surprising_as_expected() {
    // H = 1.0114; −ln p = 0.5978, 1.2040, 2.1203 (0.55, 0.30, 0.12), 3.5066 (0.03): the second is
    // nearest to H, then the first.
    let p = [0.55, 0.30, 0.12, 0.03];
    check(&[Stage::TypicalP(0.2)], &p, &[0.0, 1.0, 0.0, 0.0]);
    check(&[Stage::TypicalP(0.5)], &p, &[0.55 / 0.85, 0.30 / 0.85, 0.0, 0.0]);
}

/// Logits of mean 0 and standard deviation √5.
const SPREAD: [f32; 4] = [3.0, 1.0, -1.0, -3.0];

/// Which of `logits` have any probability.
fn kept(stages: &[Stage], logits: &[f32]) -> Vec<bool> {
    let p = chain(stages).distribution(logits, NOTHING).unwrap();
    p.iter().map(|p| *p > 0.0).collect()
}

#[test]
fn top_n_sigma_keeps_what_is_within_n_deviations_of_the_greatest() {
    let e = [3.0, 1.0, -1.0].map(f64::exp);
    // 3 − √5 = 0.76, and 3 − 2√5 = −1.47.
    for (n, left) in [(0.5, 1), (1.0, 2), (2.0, 3)] {
        let got = chain(&[Stage::TopNSigma(n)]).distribution(&SPREAD, NOTHING).unwrap();
        let total: f64 = e[..left].iter().sum();
        for (token, got) in got.iter().enumerate() {
            let expected = if token < left { e[token] / total } else { 0.0 };
            assert!((got - expected).abs() < 1e-12, "n = {n}, token {token}: {got}");
        }
    }
}

#[test]
fn sigma_is_of_all_logits_that_are_left_and_divides_by_their_number() {
    // Divided by V − 1 it would be 2.58 and keep the second at n = 0.8.
    assert_eq!(kept(&[Stage::TopNSigma(0.8)], &SPREAD), [true, false, false, false]);
    let masked = [3.0, 1.0, f32::NEG_INFINITY, -1.0, -3.0];
    assert_eq!(kept(&[Stage::TopNSigma(1.0)], &masked), [true, true, false, false, false]);
    // Of 3 and 1 alone it is 1.
    let (cut, near) = (Stage::TopK(2), Stage::TopNSigma(1.0));
    assert_eq!(kept(&[cut, near], &SPREAD), [true, false, false, false]);
    assert_eq!(kept(&[near, cut], &SPREAD), [true, true, false, false]);
    assert_eq!(kept(&[Stage::TopNSigma(0.1)], &[2.0; 3]), [true; 3]);
}

#[test]
fn what_top_n_sigma_keeps_does_not_depend_on_the_temperature() {
    let logits: Vec<f32> = (0..500u16).map(|i| f32::from(i * 37 % 251) * 0.05).collect();
    let near = Stage::TopNSigma(1.0);
    let set = kept(&[near], &logits);
    let count = |set: &[bool]| set.iter().filter(|kept| **kept).count();
    assert!((50..450).contains(&count(&set)), "{}", count(&set));
    let min_p = count(&kept(&[Stage::Temperature(1.0), Stage::MinP(0.1)], &logits));
    for t in [0.3, 0.9, 2.5, 100.0] {
        let decoding = Decoding { temperature: t, top_n_sigma: Some(1.0), ..Decoding::default() };
        let usual = Chain::new(decoding).unwrap();
        assert_eq!(usual.stages(), [near, Stage::Temperature(t)]);
        assert_eq!(kept(usual.stages(), &logits), set, "T = {t}");
        assert_eq!(kept(&[Stage::Temperature(t), near], &logits), set, "after T = {t}");
        let other = count(&kept(&[Stage::Temperature(t), Stage::MinP(0.1)], &logits));
        assert_ne!(other, min_p, "min-p keeps more at a higher temperature");
    }
    let greedy = Decoding { temperature: 0.0, top_n_sigma: Some(1.0), ..Decoding::default() };
    assert_eq!(Chain::new(greedy).unwrap().distribution(&[1.0, 3.0], NOTHING).unwrap(), [0.0, 1.0]);
}

#[test]
fn the_repetition_penalty_moves_each_seen_token_once() {
    let chain = chain(&[Stage::RepetitionPenalty(2.0)]);
    let got = chain.distribution(&[2.0, -1.0, 0.5], Past::of(&[0, 1, 1, 0, 0])).unwrap();
    let weights = [1.0f64.exp(), (-2.0f64).exp(), 0.5f64.exp()];
    let total: f64 = weights.iter().sum();
    for (got, w) in got.iter().zip(weights) {
        assert!((got - w / total).abs() < 1e-12, "{got}");
    }
    let outside = chain.distribution(&[2.0, -1.0], Past::of(&[7]));
    assert_eq!(outside, Err(DecodeError::UnknownToken { token: 7, vocabulary: 2 }));
}

#[test]
fn temperature_zero_is_argmax_with_the_lower_of_two() {
    let greedy = Chain::new(Decoding { temperature: 0.0, ..Decoding::default() }).unwrap();
    assert!(greedy.is_greedy());
    let pick = greedy.draw(&[1.0, 3.0, 3.0], NOTHING, 0.999, &mut Scratch::default()).unwrap();
    assert_eq!((pick.token, pick.logprob, pick.entropy), (1, 0.0, 0.0));
    let norm = (1f64.exp() + 2.0 * 3f64.exp()).ln();
    assert!((pick.logprob_model - (3.0 - norm)).abs() < 1e-12);
}

#[test]
fn a_temperature_of_nearly_zero_does_not_overflow() {
    let cold = chain(&[Stage::Temperature(1e-300)]);
    assert_eq!(cold.distribution(&[1e30, -1e30, 2.0], NOTHING).unwrap(), [1.0, 0.0, 0.0]);
}

#[test]
fn settings_come_in_hugging_faces_order_and_neutral_ones_go() {
    let all = Decoding {
        temperature: 0.7,
        top_k: Some(50),
        top_p: Some(0.9),
        min_p: Some(0.1),
        typical_p: Some(1.0),
        repetition_penalty: Some(1.2),
        top_n_sigma: Some(1.5),
        ..Decoding::default()
    };
    let stages = Chain::new(all).unwrap();
    let expected = [
        Stage::RepetitionPenalty(1.2),
        Stage::TopNSigma(1.5),
        Stage::Temperature(0.7),
        Stage::TopK(50),
        Stage::TopP(0.9),
        Stage::MinP(0.1),
    ];
    assert_eq!(stages.stages(), expected);
}

#[test]
fn settings_out_of_range_are_refused_from_code_and_from_a_file() {
    let wrong = [
        (Stage::Temperature(-0.1), "temperature = -0.1 is outside [0, ∞)"),
        (Stage::Temperature(f64::NAN), "temperature = NaN is outside [0, ∞)"),
        (Stage::TopK(0), "top_k = 0 is outside [1, ∞)"),
        (Stage::TopP(0.0), "top_p = 0 is outside (0, 1]"),
        (Stage::TopP(1.5), "top_p = 1.5 is outside (0, 1]"),
        (Stage::MinP(-1.0), "min_p = -1 is outside [0, 1]"),
        (Stage::TypicalP(2.0), "typical_p = 2 is outside (0, 1]"),
        (Stage::TopNSigma(0.0), "top_n_sigma = 0 is outside (0, ∞)"),
        (Stage::TopNSigma(f64::INFINITY), "top_n_sigma = inf is outside (0, ∞)"),
        (Stage::RepetitionPenalty(0.0), "repetition_penalty = 0 is outside (0, ∞)"),
        (
            Stage::Dry { multiplier: 0.0, base: 1.75, allowed_length: 2 },
            "dry_multiplier = 0 is outside (0, ∞)",
        ),
    ];
    for (stage, message) in wrong {
        assert_eq!(Chain::try_from(vec![stage]).unwrap_err().to_string(), message);
    }
    let file = serde_json::from_str::<Chain>(r#"[{"temperature": -1.0}]"#).unwrap_err();
    assert!(file.to_string().contains("temperature = -1 is outside [0, ∞)"), "{file}");
}

#[test]
fn logits_that_mean_nothing_are_errors_that_name_the_token() {
    let draw = |logits: &[f32]| {
        chain(&[Stage::TopP(0.9)]).draw(logits, NOTHING, 0.5, &mut Scratch::default())
    };
    assert_eq!(draw(&[0.0, f32::NAN]), Err(DecodeError::NanLogit { token: 1 }));
    assert_eq!(draw(&[f32::INFINITY, 0.0]), Err(DecodeError::InfiniteLogit { token: 0 }));
    assert_eq!(draw(&[f32::NEG_INFINITY; 3]), Err(DecodeError::NoToken { vocabulary: 3 }));
    assert_eq!(draw(&[]), Err(DecodeError::NoToken { vocabulary: 0 }));
    assert_eq!(draw(&[f32::NEG_INFINITY, 0.0]).unwrap().token, 1);
}

#[test]
fn draws_follow_the_distribution() {
    let p = [0.02, 0.3, 0.08, 0.25, 0.15, 0.2];
    let stages = [Stage::Temperature(1.3), Stage::TopK(5), Stage::TopP(0.9)];
    let (chain, logits) = (chain(&stages), logits(&p));
    let expected = chain.distribution(&logits, NOTHING).unwrap();
    let (n, mut counts, mut scratch) = (200_000, [0usize; 6], Scratch::default());
    let entropy: f64 = expected.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
    for i in 0..n {
        let u = uniform(5, Draw { prompt: 0, sample: i }, 0);
        let pick = chain.draw(&logits, NOTHING, u, &mut scratch).unwrap();
        let at = pick.token as usize;
        counts[at] += 1;
        assert!((pick.logprob - expected[at].ln()).abs() < 1e-12);
        assert!((pick.logprob_model - p[at].ln()).abs() < 1e-6);
        assert!((pick.entropy - entropy).abs() < 1e-12);
    }
    let cells = expected.iter().zip(counts).filter(|(p, _)| **p > 0.0);
    let chi2: f64 = cells
        .map(|(p, count)| {
            let mean = p * f64::from(n);
            (count as f64 - mean).powi(2) / mean
        })
        .sum();
    let impossible: usize =
        expected.iter().zip(counts).filter(|(p, _)| **p == 0.0).map(|(_, count)| count).sum();
    assert_eq!(impossible, 0);
    // 4 tokens stay, 3 degrees of freedom: exceeded once in 10⁵ seeds.
    assert!(chi2 < 26.1, "χ² = {chi2}, counts {counts:?}");
}

#[test]
fn the_number_is_a_quantile_in_index_order() {
    let (chain, logits) = (chain(&[]), logits(&[0.25, 0.5, 0.25]));
    let token = |u| chain.draw(&logits, NOTHING, u, &mut Scratch::default()).unwrap().token;
    let tokens = [0.0, 0.2499, 0.2501, 0.7499, 0.7501, 1.0 - f64::EPSILON / 2.0].map(token);
    assert_eq!(tokens, [0, 0, 1, 1, 2, 2]);
}

#[test] // 1 and 400 weights of 10⁻¹⁷: added one by one they stay 1, added up first they do not
fn where_rounding_leaves_the_number_unreached_no_removed_token_is_drawn() {
    let mut logits = vec![f32::NEG_INFINITY; 450];
    logits[0] = 0.0;
    logits[1..=400].fill(-39.0);
    let largest = 1.0 - f64::EPSILON / 2.0;
    let pick = chain(&[]).draw(&logits, NOTHING, largest, &mut Scratch::default()).unwrap();
    assert_eq!(pick.token, 400);
    assert!((pick.logprob + 39.0).abs() < 1e-12, "{pick:?}");
}

/// Top-p as Hugging Face writes it, by sorting.
fn sorted_top_p(weights: &[f64], p: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    let total: f64 = weights.iter().sum();
    let (mut keep, mut sum) = (vec![false; weights.len()], 0.0);
    for &token in &order {
        if sum >= p * total {
            break;
        }
        keep[token] = true;
        sum += weights[token];
    }
    keep
}

proptest! {
    #[test]
    fn top_p_without_sorting_equals_top_p_by_sorting(
        steps in proptest::collection::vec(0u32..60, 1..300),
        p in 0.01..0.999f64,
    ) {
        // Steps of a quarter make ties common.
        let logits: Vec<f32> = steps.iter().map(|&s| s as f32 * -0.25).collect();
        let max = steps.iter().min().copied().unwrap_or(0) as f64 * -0.25;
        let weights: Vec<f64> = logits.iter().map(|&x| (f64::from(x) - max).exp()).collect();
        let got = chain(&[Stage::TopP(p)]).distribution(&logits, NOTHING).unwrap();
        let kept: Vec<bool> = got.iter().map(|p| *p > 0.0).collect();
        prop_assert_eq!(kept, sorted_top_p(&weights, p));
        prop_assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test] // two halves of the vocabulary in blocks of their own, of one mass
fn a_number_at_the_end_of_a_block_draws_from_the_next() {
    let chain = chain(&[]).with_seen(&[3, 5]);
    assert_eq!(chain.seen(), [3, 5]);
    let token = |u| chain.draw(&[0.0; 1024], NOTHING, u, &mut Scratch::default()).unwrap().token;
    assert_eq!((token(0.5), token(0.499), token(0.0), token(0.999_999)), (512, 510, 0, 1023));
}
