//! Generation on stories260K: texts that do not notice their company, shared prompts, bad requests.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, sync::Arc};

use candle_core::Device;
use llmpr::{
    decode::Decoding,
    lm::{
        Checkpoint, Lm,
        device::DtypeChoice,
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
        decoding: Decoding {
            temperature: [0.0, 0.5, 1.0, 1.3][i % 4],
            top_k: [None, Some(20)][i % 2],
            top_p: [None, None, Some(0.9)][i % 3],
            repetition_penalty: (i % 5 == 0).then_some(1.2),
            ..Decoding::default()
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
