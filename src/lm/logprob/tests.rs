//! On a Markov chain whose every text can be listed.

use super::*;
use crate::{
    decode::{Decoding, Past},
    lm::engine::toy::Toy,
};

fn toy() -> Toy {
    let logits = (0..25).map(|i| ((i * 7 + i / 5 * 3) % 11) as f32 * 0.35).collect();
    Toy::new(5, logits)
}

fn chain(temperature: f64, top_k: Option<usize>, top_p: Option<f64>) -> Chain {
    Chain::new(Decoding { temperature, top_k, top_p, ..Decoding::default() }).unwrap()
}

fn score(chain: &Chain, eos: &[u32], texts: &[Continued<'_>]) -> Vec<Vec<f64>> {
    log_probs(&toy(), eos, chain, &[], texts, &Interrupt::default(), &mut |_, _| {}).unwrap()
}

#[test] // exact enumeration
fn every_text_has_the_probability_that_can_be_written_down() {
    let others = [
        "mirostat-tau=1.5,mirostat-eta=0.4",
        "xtc=0.4,xtc-threshold=0.1",
        "dry=0.9,dry-allowed-length=1",
        "frequency-penalty=1,no-repeat-ngram-size=3",
    ];
    let others = others.map(|settings| Chain::new(settings.parse().unwrap()).unwrap());
    let cut = [chain(1.0, None, None), chain(0.6, Some(3), None), chain(1.4, None, Some(0.7))];
    for chain in cut.into_iter().chain(others) {
        let texts = toy().texts(&chain, &[1, 3], 4).unwrap();
        let asked: Vec<Continued<'_>> = texts
            .iter()
            .map(|(tokens, _)| Continued { prompt: &[1, 3], tokens, ended: false })
            .collect();
        let got = score(&chain, &[], &asked);
        for ((tokens, p), got) in texts.iter().zip(got) {
            let sum: f64 = got.iter().sum();
            assert!((sum - p.ln()).abs() < 1e-12, "{tokens:?}: {sum}, {}", p.ln());
        }
    }
}

#[test]
fn a_text_that_the_settings_cannot_write_has_no_probability() {
    let all = toy().texts(&chain(1.0, None, None), &[3], 3).unwrap();
    let greedy = chain(1.0, Some(1), None);
    let asked: Vec<Continued<'_>> =
        all.iter().map(|(tokens, _)| Continued { prompt: &[3], tokens, ended: false }).collect();
    let got = score(&greedy, &[], &asked);
    let sums: Vec<f64> = got.iter().map(|list| list.iter().sum()).collect();
    assert_eq!(sums.iter().filter(|&&sum| sum == 0.0).count(), 1);
    assert_eq!(sums.iter().filter(|&&sum| sum == f64::NEG_INFINITY).count(), all.len() - 1);
}

#[test] // exact enumeration
fn texts_that_end_and_texts_that_are_cut_share_all_of_the_probability() {
    // Token 0 and token 4 end a text; texts of up to 3 tokens.
    let (chain, eos, longest) = (chain(0.9, None, None), [0, 4], 3);
    let mut texts: Vec<(Vec<u32>, bool)> = Vec::new();
    let mut open = vec![Vec::new()];
    for length in 0..=longest {
        for text in &open {
            // A text of the longest length is cut before its end could be drawn.
            texts.push((text.clone(), length < longest));
        }
        let longer =
            |text: &Vec<u32>| (1..4).map(|t| [&text[..], &[t]].concat()).collect::<Vec<_>>();
        open = open.iter().flat_map(longer).collect();
    }
    let asked: Vec<Continued<'_>> = texts
        .iter()
        .map(|(tokens, ended)| Continued { prompt: &[2], tokens, ended: *ended })
        .collect();
    let total: f64 = score(&chain, &eos, &asked).iter().map(|l| l.iter().sum::<f64>().exp()).sum();
    assert!((total - 1.0).abs() < 1e-12, "{total}");
    let through_the_end = [Continued { prompt: &[2], tokens: &[1, 4, 1], ended: false }];
    assert_eq!(score(&chain, &eos, &through_the_end)[0][1], f64::NEG_INFINITY);
}

#[test]
fn the_penalty_for_repetition_reads_prompt_and_text() {
    let decoding = Decoding { repetition_penalty: Some(1.7), ..Decoding::default() };
    let chain = Chain::new(decoding).unwrap();
    let got = score(&chain, &[], &[Continued { prompt: &[1, 3], tokens: &[2, 2], ended: false }]);
    let row = |last: usize| -> Vec<f32> {
        (0..5).map(|i| last * 5 + i).map(|i| ((i * 7 + i / 5 * 3) % 11) as f32 * 0.35).collect()
    };
    let first = chain.distribution(&row(3), Past::of(&[1, 3])).unwrap()[2].ln();
    let second = chain.distribution(&row(2), Past::of(&[1, 3, 2])).unwrap()[2].ln();
    assert_eq!(got, [[first, second]]);
}
