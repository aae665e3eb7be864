//! The published panel: twelve ways for a model to be right or wrong.

use rand_chacha::ChaCha8Rng;

use super::Check;
use crate::{
    matrix::Matrix,
    metric::{
        Clouds, MetricError,
        support::{SupportOptions, support},
    },
    rng,
    sides::Sides,
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

/// One measure of a case: its name, its published value and how far fresh draws stray.
type Expected = (&'static str, f64, f64);

pub(super) fn checks(seed: u64) -> Result<Vec<Check>, MetricError> {
    let plain = |name: &str, scale: f64, shift: f64| cloud(seed, name, |_| scale, |_| shift, |_| 0);
    // Modes sit 20 standard deviations out, each along an axis of its own.
    let modes = |name: &str, count: usize| cloud(seed, name, |_| 1.0, |_| 20.0, move |i| i % count);
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
                ("precision", 0.73, 0.06),
                ("recall", 0.72, 0.06),
                ("density", 1.0, 0.2),
                ("coverage", 0.97, 0.02),
                ("clipped_density", 1.0, 0.05),
                ("clipped_coverage", 1.0, 0.08),
            ],
        ),
        (
            "model 10 % narrower",
            reference(),
            plain("model", 0.9, 0.0),
            vec![("precision", 0.94, 0.04), ("recall", 0.31, 0.08), ("coverage", 1.0, 0.01)],
        ),
        (
            "model 10 % wider",
            reference(),
            plain("model", 1.1, 0.0),
            vec![("precision", 0.37, 0.09), ("recall", 0.93, 0.04), ("coverage", 0.68, 0.1)],
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
            vec![("precision", 0.77, 0.08), ("recall", 0.40, 0.08), ("coverage", 0.50, 0.04)],
        ),
        (
            "the model has 10 modes, 5 of them its own",
            modes("reference", 5),
            modes("model", 10),
            vec![("precision", 0.36, 0.08), ("recall", 0.80, 0.08), ("coverage", 0.84, 0.06)],
        ),
        (
            "200 texts written 10 times each",
            reference(),
            collapsed(200),
            vec![("recall", 0.0, 0.0), ("coverage", 0.39, 0.06), ("sym_recall", 0.0, 0.0)],
        ),
        (
            "disjoint, but 1 % outliers in the reference",
            outliers("reference", 0.0),
            cloud(seed, "model", |_| 1.0, |_| 6.0, |_| 1),
            vec![("sym_precision", 0.04, 0.05), ("clipped_density", 0.02, 0.04)],
        ),
    ];
    let options = SupportOptions { ks: vec![5], ..SupportOptions::default() };
    let mut checks = Vec::new();
    for (case, p, q, expected) in cases {
        let found = support(Clouds::new(Sides { reference: &p, model: &q })?, &options)?;
        let prdc = found.prdc[0];
        let clipped = found.clipped.as_ref();
        for (measure, value, allowed) in expected {
            let got = match measure {
                "precision" => prdc.precision,
                "recall" => prdc.recall,
                "density" => prdc.density,
                "coverage" => prdc.coverage,
                "sym_precision" => prdc.sym_precision,
                "sym_recall" => prdc.sym_recall,
                "clipped_density" => clipped.map_or(f64::NAN, |clipped| clipped.density),
                _ => clipped.map_or(f64::NAN, |clipped| clipped.coverage),
            };
            checks.push(Check::new(case, measure, got, value, allowed));
        }
    }
    Ok(checks)
}
