//! Devices that run out of memory and networks that compute nonsense.

use candle_core::{DType, Device, Tensor};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Arc, atomic::AtomicBool},
};

use llmpr::{
    decode::{Chain, Decoding},
    lm::{
        LmError, ModelConfig, Weights,
        engine::{
            cpu::decoder::Decoder,
            kv::{KvShape, Span},
            network::{Depth, Interrupt, Network, Session, States},
            tensor::TensorDecoder,
        },
        generate::{Event, GenerateOptions, Request, Totals, run},
        random,
    },
    math::gemm::Storage,
    rng::Draw,
};

const CONFIG: &str = r#"{"model_type": "llama", "vocab_size": 97, "hidden_size": 32,
    "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 48, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu"}"#;

fn config() -> ModelConfig {
    ModelConfig::from_json(CONFIG, None).unwrap()
}

/// A decoder on a device with room for passes of so many tokens.
struct Cramped {
    inner: Decoder,
    most: usize,
}

impl Network for Cramped {
    fn config(&self) -> &ModelConfig {
        self.inner.config()
    }
    fn weight_bytes(&self) -> usize {
        self.inner.weight_bytes()
    }
    fn kv_shape(&self) -> KvShape {
        self.inner.kv_shape()
    }
    fn forward(&self, s: &mut Session, spans: &[Span<'_>], d: Depth) -> Result<States, LmError> {
        if spans.iter().map(|span| span.tokens.len()).sum::<usize>() > self.most {
            let what = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
            return Err(LmError::Tensor(candle_core::Error::Msg(what.into())));
        }
        self.inner.forward(s, spans, d)
    }
    fn logits(&self, s: &mut Session, states: &[f32], out: &mut Vec<f32>) -> Result<(), LmError> {
        self.inner.logits(s, states, out)
    }
}

fn request(i: u32) -> Request {
    let prompt: Vec<u32> = (0..20 + i % 3 * 7).map(|t| 1 + t * 5 % 90).collect();
    Request {
        tag: u64::from(i),
        prompt: prompt.into(),
        chain: Chain::new(Decoding { temperature: 1.5, ..Decoding::default() }).unwrap(),
        seed: 4,
        draw: Draw { prompt: i % 3, sample: i },
        max_new_tokens: 3 + i as usize % 9,
        stop: [].into(),
    }
}

type Texts = BTreeMap<u64, Result<Vec<u32>, String>>;

fn texts(network: &dyn Network, requests: impl Iterator<Item = Request>) -> (Texts, Totals) {
    let mut texts = BTreeMap::new();
    let totals = run(network, None, &[], requests, &GenerateOptions::default(), &mut |event| {
        match event {
            Event::Finished(c) => drop(texts.insert(c.tag, Ok(c.tokens))),
            Event::Failed { tag, error } => drop(texts.insert(tag, Err(error.to_string()))),
            Event::Step { .. } => {}
        }
        ControlFlow::Continue(())
    });
    (texts, totals.unwrap())
}

#[test]
fn a_device_out_of_memory_halves_the_rows_and_changes_no_text() {
    let weights = random::weights(&config()).unwrap();
    let decoder = || Decoder::new(&config(), &weights, Storage::F32).unwrap();
    let (expected, totals) = texts(&decoder(), (0..50).map(request));
    assert_eq!((totals.halved, expected.len()), (0, 50));
    for most in [40, 9, 1] {
        let cramped = Cramped { inner: decoder(), most };
        let (found, totals) = texts(&cramped, (0..50).map(request));
        assert!(totals.halved > 0, "{totals:?}");
        assert_eq!(found, expected, "room for {most} tokens");
    }
    // Room for nothing at all: each request is answered with the device's words.
    let (found, _) = texts(&Cramped { inner: decoder(), most: 0 }, (0..5).map(request));
    assert_eq!(found.len(), 5);
    assert!(
        found.values().all(|text| text.as_ref().is_err_and(|e| e.contains("OUT_OF_MEMORY"))),
        "{found:?}"
    );
}

/// Random weights with one number of layer 1 spoiled.
fn spoiled(config: &ModelConfig) -> Weights {
    let plain = random::weights(config).unwrap();
    let read = |(name, shape, _): (&str, Vec<usize>, String)| {
        let tensor = plain.tensor(name, &shape).unwrap();
        if name != "layers.1.mlp.down_proj.weight" {
            return (name.to_owned(), tensor);
        }
        let mut numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        numbers[7] = f32::NAN;
        (name.to_owned(), Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap())
    };
    Weights::from_tensors(plain.list().map(read).collect()).unwrap()
}

#[test]
fn a_number_that_is_none_is_named_with_its_layer_on_either_path() {
    let config = config();
    let weights = spoiled(&config);
    let ours = Decoder::new(&config, &weights, Storage::F32).unwrap();
    let tensors = TensorDecoder::new(&config, &weights, &Device::Cpu, DType::F32).unwrap();
    for network in [&ours as &dyn Network, &tensors] {
        let (found, _) = texts(network, (0..4).map(request));
        let said = |text: &Result<Vec<u32>, String>| {
            text.as_ref().is_err_and(|e| e.contains("NaN or infinite after layer 1"))
        };
        assert!(found.len() == 4 && found.values().all(said), "{found:?}");
    }
}

#[test]
fn a_raised_flag_ends_generation_and_what_is_finished_stays() {
    let weights = random::weights(&config()).unwrap();
    let decoder = Decoder::new(&config(), &weights, Storage::F32).unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let options =
        GenerateOptions { interrupt: Interrupt::on(flag.clone()), ..GenerateOptions::default() };
    let mut finished = 0;
    let endless = (0..).map(request);
    let totals = run(&decoder, None, &[], endless, &options, &mut |event| {
        finished += usize::from(matches!(event, Event::Finished(_)));
        flag.store(finished >= 30, std::sync::atomic::Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    let totals = totals.unwrap();
    assert!(totals.stopped && totals.finished == finished && finished >= 30, "{totals:?}");
}
