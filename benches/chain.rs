//! Draws from one row of logits: nanoseconds a row, at the vocabularies of SmolLM2 and Llama 3.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use llmpr::{
    decode::{Chain, Decoding, Past, Scratch},
    rng,
};

/// Logits as a language model's: a few likely tokens above a wide bell of unlikely ones.
fn logits(vocabulary: usize) -> Vec<f32> {
    let mut rng = rng::named(0, "logits");
    (0..vocabulary)
        .map(|token| {
            let bell: f64 = (0..6).map(|_| rng::next_unit(&mut rng)).sum::<f64>() - 3.0;
            let likely = if token % 997 == 3 { 8.0 } else { 0.0 };
            (bell * 3.0 + likely) as f32
        })
        .collect()
}

fn draws(c: &mut Criterion) {
    let plain = Decoding::default();
    let settings = [
        ("greedy", Decoding { temperature: 0.0, ..plain }),
        ("temperature 1", plain),
        ("temperature 0.7", Decoding { temperature: 0.7, ..plain }),
        ("top-k 50", Decoding { top_k: Some(50), ..plain }),
        ("top-p 0.95", Decoding { top_p: Some(0.95), ..plain }),
        ("min-p 0.05", Decoding { min_p: Some(0.05), ..plain }),
        ("typical 0.9", Decoding { typical_p: Some(0.9), ..plain }),
        ("penalty 1.2", Decoding { repetition_penalty: Some(1.2), ..plain }),
    ];
    let context: Vec<u32> = (0..512).map(|i| i * 7).collect();
    for vocabulary in [49_152, 128_256] {
        let logits = logits(vocabulary);
        let mut group = c.benchmark_group(format!("draw/{vocabulary}"));
        group.throughput(Throughput::Elements(vocabulary as u64)).sample_size(30);
        for (name, decoding) in settings {
            let chain = Chain::new(decoding).expect("the settings above are in range");
            let (mut scratch, mut position) = (Scratch::default(), 0);
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| {
                    position += 1;
                    let u = rng::uniform(0, rng::Draw::default(), position);
                    chain.draw(black_box(&logits), Past::of(&context), u, &mut scratch)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, draws);
criterion_main!(benches);
