//! Generation on stories260K: texts that do not notice their company, shared prompts, bad requests.

use candle_core::Device;
use std::{collections::BTreeMap, ops::ControlFlow, path::Path, sync::Arc};

use llmpr::{
    decode::{Chain, Decoding},
    lm::{
        Checkpoint, Lm,
        engine::device::DtypeChoice,
        generate::{Event, FinishReason, GenerateOptions, Request, Totals, generate},
    },
    rng::Draw,
};

pub fn stories() -> Option<Lm> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/models/stories260K-hf");
    if !folder.exists() {
        eprintln!("skipped: no {}", folder.display());
        return None;
    }
    let checkpoint = Checkpoint::open_folder(&folder).unwrap();
    Some(Lm::load(checkpoint, &Device::Cpu, DtypeChoice::F32).unwrap())
}

/// Requests of several prompts, temperatures, truncations, seeds and lengths.
pub fn requests(lm: &Lm, count: usize) -> Vec<Request> {
    let tokenizer = lm.tokenizer().unwrap();
    let start = "Once upon a time, there was a little girl named Lily. She loved to play outside";
    let prompts = [start.into(), format!("{start} in the park. One day"), "Tom had a".to_owned()];
    let prompts = prompts.map(|text| Arc::from(tokenizer.encode_prompt(&text).unwrap()));
    let stop: Arc<[String]> = Arc::from(["The end".to_owned(), ".\n".to_owned()]);
    let request = |i: usize| Request {
        tag: i as u64,
        prompt: Arc::clone(&prompts[i % 3]),
        chain: {
            let decoding = Decoding {
                temperature: [0.0, 0.5, 1.0, 1.3][i % 4],
                top_k: [None, Some(20)][i % 2],
                top_p: [None, None, Some(0.9)][i % 3],
                repetition_penalty: i.is_multiple_of(5).then_some(1.2),
                mirostat_tau: (i % 9 == 4).then_some(3.0),
                dry_multiplier: (i % 4 == 2).then_some(0.8),
                frequency_penalty: (i % 6 == 1).then_some(0.4),
                xtc_probability: (i % 7 == 3).then_some(0.5),
                ..Decoding::default()
            };
            Chain::new(decoding.completed()).unwrap()
        },
        seed: (i % 7) as u64,
        draw: Draw { prompt: (i % 3) as u32, sample: i as u32 },
        max_new_tokens: 1 + i * 7 % 40,
        stop: stop.clone(),
    };
    (0..count).map(request).collect()
}

type Texts = BTreeMap<u64, (Vec<u32>, String, FinishReason, [u64; 3])>;

/// The completions by tag, numbers by their bits.
pub fn texts(lm: &Lm, requests: Vec<Request>, options: &GenerateOptions) -> (Texts, Totals) {
    let mut texts = BTreeMap::new();
    let totals = generate(lm, requests.into_iter(), options, &mut |event| {
        match event {
            Event::Finished(c) => {
                let bits = [c.logprob, c.logprob_model, c.entropy].map(f64::to_bits);
                assert!(texts.insert(c.tag, (c.tokens, c.text, c.finish_reason, bits)).is_none());
            }
            Event::Failed { tag, error } => panic!("request {tag}: {error}"),
            Event::Step { .. } => {}
        }
        ControlFlow::Continue(())
    });
    (texts, totals.unwrap())
}

#[test]
fn texts_are_the_same_for_every_batch_size_order_memory_and_number_of_threads() {
    let Some(lm) = stories() else { return };
    let requests = requests(&lm, 70);
    let batch = |rows| GenerateOptions { batch: Some(rows), ..GenerateOptions::default() };
    let (alone, _) = texts(&lm, requests.clone(), &batch(1));
    assert_eq!(alone.len(), 70);
    let some_written = alone.values().filter(|(_, text, ..)| text.len() > 20).count();
    assert!(some_written > 20, "{alone:?}");
    for rows in [7, 64] {
        assert_eq!(texts(&lm, requests.clone(), &batch(rows)).0, alone, "{rows} rows");
    }
    let mut reversed = requests.clone();
    reversed.reverse();
    reversed.rotate_left(13);
    assert_eq!(texts(&lm, reversed.clone(), &batch(7)).0, alone, "another order");
    let small = GenerateOptions {
        kv_bytes: Some(400_000),
        prefill_tokens: Some(5),
        ..GenerateOptions::default()
    };
    assert_eq!(texts(&lm, reversed, &small).0, alone, "little memory, prompts in pieces");
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| texts(&lm, requests.clone(), &batch(16)).0);
        assert_eq!(found, alone, "{threads} threads");
    }
}

fn simple(prompt: Vec<u32>, max_new_tokens: usize) -> Request {
    Request {
        tag: 0,
        prompt: prompt.into(),
        chain: Chain::default(),
        seed: 0,
        draw: Draw::default(),
        max_new_tokens,
        stop: Arc::from([]),
    }
}

#[test]
fn samples_of_one_long_prompt_hold_the_prompt_once() {
    let Some(lm) = stories() else { return };
    let (prompt, new, samples) = (400, 17, 32);
    let ids: Vec<u32> = (0..prompt).map(|i| 3 + i % 500).collect();
    let many = |samples: u32| -> Vec<Request> {
        let draw = |sample| Draw { prompt: 0, sample };
        let one = |sample| Request {
            tag: u64::from(sample),
            draw: draw(sample),
            ..simple(ids.clone(), new)
        };
        (0..samples).map(one).collect()
    };
    let options = GenerateOptions { batch: Some(64), ..GenerateOptions::default() };
    let (_, totals) = texts(&lm, many(samples), &options);
    let bytes = |positions| lm.network().kv_shape().bytes(positions);
    assert_eq!(totals.prompt_tokens, prompt as usize, "the prompt is computed once");
    let expected = bytes(prompt as usize) + samples as usize * bytes(new - 1);
    assert_eq!(totals.kv_peak, expected, "one prompt and {samples} continuations");
}

#[test]
fn the_common_beginning_of_prompts_is_computed_once() {
    let Some(lm) = stories() else { return };
    let common: Vec<u32> = (0..64).map(|i| 3 + i * 5 % 500).collect();
    let request = |i: u32| Request {
        tag: u64::from(i),
        draw: Draw { prompt: i, sample: 0 },
        ..simple([&common[..], &[10 + i, 20 + i]].concat(), 4)
    };
    let requests: Vec<_> = (0..10).map(request).collect();
    let (together, totals) = texts(&lm, requests.clone(), &GenerateOptions::default());
    assert_eq!(totals.prompt_tokens, 64 + 10 * 2);
    for request in requests {
        let tag = request.tag;
        let (alone, _) = texts(&lm, vec![request], &GenerateOptions::default());
        assert_eq!(alone[&tag], together[&tag]);
    }
}

#[test]
fn what_cannot_be_served_is_said_in_a_sentence_and_the_others_go_on() {
    let Some(lm) = stories() else { return };
    let context = lm.config().max_positions;
    let requests = [
        simple(vec![1; context], 1),
        simple(vec![], 1),
        simple(vec![1, 600], 1),
        simple(vec![1], 3),
        simple(vec![1], 0),
        simple(vec![1; context - 2], 2),
    ];
    let requests = (0..).zip(requests).map(|(tag, request)| Request { tag, ..request });
    let (mut failed, mut finished) = (BTreeMap::new(), BTreeMap::new());
    generate(&lm, requests, &GenerateOptions::default(), &mut |event| {
        match event {
            Event::Finished(c) => drop(finished.insert(c.tag, c.tokens.len())),
            Event::Failed { tag, error } => drop(failed.insert(tag, error.to_string())),
            Event::Step { .. } => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(failed.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert!(
        failed[&0].contains(&format!("exceed the model's context of {context} tokens")),
        "{failed:?}"
    );
    assert_eq!(failed[&1], "a prompt needs at least one token");
    assert_eq!(failed[&2], "token 600 is outside the model's vocabulary of 512");
    assert_eq!(finished.keys().copied().collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(finished[&4], 0);
}

#[test]
fn too_little_memory_for_one_row_is_said_and_a_callback_can_stop_the_run() {
    let Some(lm) = stories() else { return };
    let little = GenerateOptions { kv_bytes: Some(1000), ..GenerateOptions::default() };
    let mut said = String::new();
    generate(&lm, [simple(vec![1; 9], 5)].into_iter(), &little, &mut |event| {
        if let Event::Failed { error, .. } = event {
            said = error.to_string();
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(said.contains("and 1000 are free for them"), "{said}");
    let endless = std::iter::repeat_with(|| simple(vec![1], 4));
    let mut seen = 0;
    let totals = generate(&lm, endless, &GenerateOptions::default(), &mut |event| {
        seen += usize::from(matches!(event, Event::Finished(_)));
        if seen < 100 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .unwrap();
    assert!(totals.stopped && totals.finished == 100, "{totals:?}");
}
