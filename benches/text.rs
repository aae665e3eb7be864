//! Self-BLEU and distinct-n over texts of token ids. The peer is timed by `benches/peers/self_bleu.py`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use llmpr::metric::{ngram::distinct, self_bleu::self_bleu};

/// `n` texts of `tokens` ids whose frequencies fall like 1/rank: a 32-bit linear congruential generator.
fn texts(n: usize, tokens: usize) -> Vec<Vec<u32>> {
    let mut state = 12345u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        30_000f64.powf(f64::from(state) / 2f64.powi(32)) as u32
    };
    (0..n).map(|_| (0..tokens).map(|_| draw()).collect()).collect()
}

fn bench(criterion: &mut Criterion) {
    let texts = texts(5000, 200);
    let mut group = criterion.benchmark_group("5000 texts of 200 tokens");
    group.sample_size(10).throughput(Throughput::Elements(5000 * 200));
    group.bench_function("self_bleu_4", |bencher| bencher.iter(|| self_bleu(&texts, 4)));
    group.bench_function("distinct_1..4", |bencher| bencher.iter(|| distinct(&texts)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
