//! Measures of two clouds at the sizes papers use.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

use llmpr::{
    cloud::{
        Clouds,
        kmeans::{KMeansOptions, kmeans},
        neighbors::Ties,
        pca::{Keep, Pca},
    },
    data::{matrix::Matrix, sides::Sides},
    metric::{
        prdc::prdc,
        support::{SupportOptions, support},
        vendi::vendi,
    },
    rng,
};

/// Rows whose variance falls along the columns, about a mean of their own.
fn cloud(n: usize, d: usize, name: &str) -> Matrix {
    let mut rng = rng::named(0, name);
    let mut bell = || (0..4).map(|_| rng::next_unit(&mut rng)).sum::<f64>() - 2.0;
    let values =
        (0..n * d).map(|i| (bell() / (1.0 + (i % d) as f64).sqrt() + 0.3) as f32).collect();
    Matrix::new(d, values).unwrap()
}

fn pair(n: usize, d: usize) -> Sides<Matrix> {
    Sides { reference: cloud(n, d, "p"), model: cloud(n, d, "q") }
}

fn measures(c: &mut Criterion) {
    let mut group = c.benchmark_group("clouds");
    group.sample_size(10);
    for (n, d) in [(5000, 47), (5000, 100), (5000, 1280), (10_000, 47)] {
        let sets = pair(n, d);
        let clouds = Clouds::new(sets.as_ref()).unwrap();
        group.bench_function(format!("prdc k=4 {n}x{d}"), |b| {
            b.iter(|| prdc(black_box(clouds), 4, Ties::Strict).unwrap());
        });
        if d < 200 {
            group.bench_function(format!("support family {n}x{d}"), |b| {
                b.iter(|| support(black_box(clouds), &SupportOptions::default()).unwrap());
            });
        }
    }
    let wide = cloud(5000, 1280, "wide");
    group.bench_function("pca 0.9 5000x1280", |b| {
        b.iter(|| Pca::fit(&[black_box(&wide)], Keep::Share(0.9)).unwrap());
    });
    let joint = cloud(10_000, 100, "joint");
    let options = KMeansOptions { redos: 1, ..KMeansOptions::new(500) };
    group.bench_function("k-means 500 10000x100", |b| {
        b.iter(|| kmeans(black_box(&joint), &options).unwrap());
    });
    let many = cloud(10_000, 768, "many");
    group
        .bench_function("vendi 10000x768", |b| b.iter(|| vendi(black_box(&many), &[1.0]).unwrap()));
    group.finish();
}

criterion_group!(benches, measures);
criterion_main!(benches);
