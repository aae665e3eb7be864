//! Permutations within a pooled partition, PR-curves of scores, classifiers.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use llmpr::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
    metric::{
        curve::sajjadi_lambdas,
        divergence::Divergence,
        envelope::Envelope,
        frontier::{Settings, smoothed},
        histogram::{Smoothing, shares},
        ratio::{Classifier, KnnVote, Logistic},
    },
    rng,
    score::permutation::permutation_test,
};

fn noise(rows: usize, cols: usize, name: &str) -> Matrix {
    let mut rng = rng::named(0, name);
    let mut draw = || rng::next_unit(&mut rng) as f32;
    Matrix::new(cols, (0..rows * cols).map(|_| draw()).collect()).expect("finite rows")
}

fn permutations(criterion: &mut Criterion) {
    let counts = |name| -> Vec<u64> {
        let mut rng = rng::named(0, name);
        let mut counts = vec![0; 500];
        (0..5000).for_each(|_| counts[rng::next_below(&mut rng, 500)] += 1);
        counts
    };
    let counts = Sides { reference: counts("p"), model: counts("q") };
    let counts = counts.as_ref().map(Vec::as_slice);
    let js = |counts: Sides<&[u64]>| {
        shares(counts, Smoothing::None)
            .map_or(0.0, |shares| Divergence::Js.between(shares.as_ref().map(Vec::as_slice)))
    };
    let mauve = |counts: Sides<&[u64]>| {
        smoothed(counts, Smoothing::None, &Settings::default()).map_or(0.0, |scores| -scores.0)
    };
    let mut group = criterion.benchmark_group("permutations, 5000 + 5000 texts in 500 clusters");
    group.sample_size(10).throughput(Throughput::Elements(1000));
    group.bench_function("js", |bencher| bencher.iter(|| permutation_test(counts, 1000, 0, js)));
    group.bench_function("mauve", |bencher| {
        bencher.iter(|| permutation_test(counts, 1000, 0, mauve))
    });
    group.finish();
}

fn classifiers(criterion: &mut Criterion) {
    let sets = Sides { reference: noise(4000, 64, "p"), model: noise(4000, 64, "q") };
    let test = noise(2000, 64, "test");
    let train = Clouds::new(sets.as_ref()).expect("one space");
    let mut group = criterion.benchmark_group("learning from 4000 + 4000 rows of 64, scoring 2000");
    group.sample_size(10);
    let classifiers: [(&str, &dyn Classifier); 3] = [
        ("logistic", &Logistic::default()),
        ("quadratic", &Logistic::QUADRATIC),
        ("knn vote", &KnnVote::default()),
    ];
    for (name, classifier) in classifiers {
        group.bench_function(name, |bencher| bencher.iter(|| classifier.log_ratios(train, &test)));
    }
    group.finish();
    let scores = Sides { reference: noise(5000, 1, "p"), model: noise(5000, 1, "q") };
    let scores = scores.map(|set| set.as_slice().iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    let lambdas = sajjadi_lambdas(1001);
    criterion.bench_function("envelope of 5000 + 5000 scores at 1001 slopes", |bencher| {
        bencher.iter(|| {
            Envelope::of_scores(scores.as_ref().map(Vec::as_slice))
                .map(|curve| curve.points(&lambdas))
        })
    });
}

criterion_group!(benches, permutations, classifiers);
criterion_main!(benches);
