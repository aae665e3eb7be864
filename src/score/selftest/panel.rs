//! The published panel: twelve ways for a model to be right or wrong.

use rand_chacha::ChaCha8Rng;

use super::Check;
use crate::{
    cloud::{Clouds, MetricError},
    data::{matrix::Matrix, sides::Sides},
    metric::{
        clipped::expected_coverage,
        nulls,
        support::{SupportOptions, support},
    },
    rng,
};

const N: usize = 2000;
const D: usize = 64;

/// A standard normal number (Box & Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng::next_unit(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng::next_unit(rng)).cos()
}

/// `N` rows; row `i` is `scale(i)` times a Gaussian, shifted by `at(i)` along the axis `axis(i)`.
fn cloud(
    seed: u64,
    name: &str,
    scale: impl Fn(usize) -> f64,
    at: impl Fn(usize) -> f64,
    axis: impl Fn(usize) -> usize,
) -> Matrix {
    let mut rng = rng::named(seed, name);
    let mut out = Matrix::zeros(N, D);
    for (i, row) in out.as_mut_slice().chunks_exact_mut(D).enumerate() {
        row.iter_mut().for_each(|x| *x = (scale(i) * normal(&mut rng)) as f32);
        row[axis(i) % D] += at(i) as f32;
    }
    out
}

/// Which of `modes` modes each row belongs to: the first with the share `first`, the others equally.
fn drawn(seed: u64, name: &str, modes: usize, first: f64) -> Vec<usize> {
    let mut rng = rng::named(seed, &format!("{name} modes"));
    let mut mode = || match rng::next_unit(&mut rng) < first {
        true => 0,
        false => 1 + rng::next_below(&mut rng, modes - 1),
    };
    (0..N).map(|_| mode()).collect()
}

/// One measure of a case: its name, its published value and the standard deviation of fresh draws,
/// over 24 seeds.
type Expected = (&'static str, f64, f64);

/// How far a value may lie from a published one, which is a draw itself and has two digits; a value
/// that does not vary is exact.
fn allowed(deviation: f64) -> f64 {
    if deviation == 0.0 { 0.0 } else { 4.0 * (2.0 * deviation * deviation).sqrt() + 0.005 }
}

pub(super) fn checks(seed: u64) -> Result<Vec<Check>, MetricError> {
    let plain = |name: &str, scale: f64, shift: f64| cloud(seed, name, |_| scale, |_| shift, |_| 0);
    // Modes sit 20 standard deviations out, each along an axis of its own.
    let shared = |name: &str, count: usize, first: f64| {
        let mode = drawn(seed, name, count, first);
        cloud(seed, name, |_| 1.0, |_| 20.0, |i| mode[i])
    };
    let modes = |name: &str, count: usize| shared(name, count, 1.0 / count as f64);
    let outliers = |name: &str, base: f64| {
        cloud(
            seed,
            name,
            |i| if i % 100 == 0 { 2.0 } else { 1.0 },
            move |i| if i % 100 == 0 { 3.0 } else { base },
            |_| 1,
        )
    };
    let collapsed = |distinct: usize| {
        plain("model", 1.0, 0.0).select(&(0..N).map(|i| i % distinct).collect::<Vec<_>>())
    };
    let reference = || plain("reference", 1.0, 0.0);
    let cases: Vec<(&'static str, Matrix, Matrix, Vec<Expected>)> = vec![
        (
            "one distribution",
            reference(),
            plain("model", 1.0, 0.0),
            vec![
                ("precision", 0.73, 0.016),
                ("recall", 0.70, 0.014),
                ("density", nulls::DENSITY, 0.064),
                ("coverage", nulls::coverage(N, N, 5), 0.008),
                ("clipped_density", 1.0, 0.028),
                ("clipped_coverage", 1.0, 0.032),
                ("clipped_coverage, raw", expected_coverage(N, 5, N), 0.027),
            ],
        ),
        (
            "model 10 % narrower",
            reference(),
            plain("model", 0.9, 0.0),
            vec![
                ("precision", 0.94, 0.006),
                ("recall", 0.31, 0.013),
                ("coverage", 1.0, 0.001),
                ("sym_precision", 0.57, 0.026),
            ],
        ),
        (
            "model 10 % wider",
            reference(),
            plain("model", 1.1, 0.0),
            vec![
                ("precision", 0.37, 0.016),
                ("recall", 0.93, 0.007),
                ("coverage", 0.70, 0.027),
                ("clipped_density", 0.32, 0.023),
                ("clipped_coverage", 0.27, 0.019),
            ],
        ),
        (
            "shifted by 2 standard deviations on one axis",
            reference(),
            plain("model", 1.0, 2.0),
            vec![
                ("precision", 0.63, 0.019),
                ("recall", 0.60, 0.015),
                ("density", 0.69, 0.044),
                ("coverage", 0.86, 0.016),
                ("clipped_density", 0.74, 0.044),
                ("clipped_coverage", 0.59, 0.034),
            ],
        ),
        (
            "nothing in common",
            reference(),
            plain("model", 1.0, 100.0),
            vec![
                ("precision", 0.0, 0.0),
                ("recall", 0.0, 0.0),
                ("coverage", 0.0, 0.0),
                ("clipped_coverage", 0.0, 0.0),
            ],
        ),
        (
            "the model has 5 of 10 modes",
            modes("reference", 10),
            modes("model", 5),
            vec![
                ("precision", 0.77, 0.014),
                ("recall", 0.40, 0.016),
                ("coverage", 0.52, 0.012),
                ("clipped_density", 1.0, 0.012),
                ("clipped_coverage", 0.52, 0.015),
            ],
        ),
        (
            "the model has 10 modes, 5 of them its own",
            modes("reference", 5),
            modes("model", 10),
            vec![
                ("precision", 0.36, 0.009),
                ("recall", 0.80, 0.015),
                ("coverage", 0.84, 0.015),
                ("clipped_density", 0.47, 0.024),
                ("clipped_coverage", 0.45, 0.034),
            ],
        ),
        (
            "the model writes one of 10 modes in 55 % of its texts",
            modes("reference", 10),
            shared("model", 10, 0.55),
            vec![
                ("precision", 0.79, 0.017),
                ("recall", 0.80, 0.016),
                ("coverage", 0.90, 0.018),
                ("clipped_density", 1.0, 0.021),
                ("clipped_coverage", 0.59, 0.04),
            ],
        ),
        (
            "200 texts written 10 times each",
            reference(),
            collapsed(200),
            vec![("recall", 0.0, 0.0), ("coverage", 0.41, 0.041), ("sym_recall", 0.0, 0.0)],
        ),
        (
            "five texts, one of them nearly always",
            reference(),
            plain("model", 1.0, 0.0)
                .select(&(0..N).map(|i| if i < N - 4 { 0 } else { i }).collect::<Vec<_>>()),
            vec![
                ("coverage", 0.01, 0.006),
                ("sym_precision", 0.0, 0.001),
                ("sym_recall", 0.01, 0.006),
                ("clipped_coverage", 0.0, 0.002),
            ],
        ),
        (
            "disjoint, but 1 % outliers in the reference",
            outliers("reference", 0.0),
            cloud(seed, "model", |_| 1.0, |_| 6.0, |_| 1),
            vec![
                ("precision", 0.21, 0.073),
                ("sym_precision", 0.06, 0.007),
                ("clipped_density", 0.02, 0.005),
                ("clipped_coverage", 0.02, 0.003),
            ],
        ),
        (
            "disjoint, but 1 % outliers in the model",
            cloud(seed, "reference", |_| 1.0, |_| 6.0, |_| 1),
            outliers("model", 0.0),
            vec![
                ("recall", 0.17, 0.061),
                ("sym_recall", 0.07, 0.007),
                ("clipped_density", 0.03, 0.007),
                ("clipped_coverage", 0.02, 0.003),
            ],
        ),
    ];
    let options = SupportOptions { ks: vec![5], ..SupportOptions::default() };
    let mut checks = Vec::new();
    for (case, p, q, expected) in cases {
        let found = support(Clouds::new(Sides { reference: &p, model: &q })?, &options)?;
        let prdc = found.prdc[0];
        let clipped = found.clipped.as_ref();
        for (measure, value, deviation) in expected {
            let got = match measure {
                "precision" => prdc.precision,
                "recall" => prdc.recall,
                "density" => prdc.density,
                "coverage" => prdc.coverage,
                "sym_precision" => prdc.sym_precision,
                "sym_recall" => prdc.sym_recall,
                "clipped_density" => clipped.map_or(f64::NAN, |clipped| clipped.density),
                "clipped_coverage" => clipped.map_or(f64::NAN, |clipped| clipped.coverage),
                _ => clipped.map_or(f64::NAN, |clipped| clipped.raw_coverage),
            };
            checks.push(Check::new(case, measure, got, value, allowed(deviation)));
        }
    }
    Ok(checks)
}
