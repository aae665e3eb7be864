//! What a score will do, before anything is measured: its passes, about what each of them takes, and how much memory.

mod memory;

use super::{
    Clusters, Metrics, Reduce, ScoreError, ScoreOptions, bounds,
    cloud_rows::CloudRows,
    clusters::{FRONTIER_CLUSTERINGS, Purpose},
    curve, divergence,
    diversity::{self, Diversity},
    draws::{Draws, Parts, SPLITS},
    extra::{self, Extra},
    family::{Measures, plan as subsamples},
    frontier,
    moments::{self, Moments},
    prepare::{enough_rows, prepare},
    ratio,
    support::{self, Support},
};
use crate::{
    cloud::{Clouds, distances::Distances},
    data::{matrix::Matrix, sides::Sides},
    metric::{
        frontier::{SOUND_CLUSTERINGS, SOUND_CLUSTERS, auto_clusters},
        probabilistic::{P_PRECISION, P_RECALL},
        spec::Family,
    },
};

pub use memory::Memory;

/// One kind of pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// What it does.
    pub name: &'static str,
    /// How often.
    pub times: usize,
    /// Additions and multiplications of all of them.
    pub flops: f64,
    /// Bytes of what they go over, each once.
    pub bytes: f64,
    /// Share of the time of all passes: arithmetic in `f64` counts twice.
    pub share: f64,
}

/// Iterations that a clustering is reckoned to take once its start is chosen.
const ITERATIONS: f64 = 10.0;

/// The passes of a score of `sets`, in the order in which they are made. Rows are prepared for it: how many
/// components are kept decides most of the time. Flops are those of products, which take most of it.
///
/// # Errors
///
/// Those of [`super::score`].
pub fn passes(sets: Sides<&Matrix>, options: &ScoreOptions) -> Result<Vec<Pass>, ScoreError> {
    let raw = Clouds::new(sets)?;
    let asked = &options.metrics;
    enough_rows(sets.map(Matrix::rows), options)?;
    let prepared = prepare(raw, None, None, options)?;
    let clouds = Clouds::new(prepared.clouds.as_ref())?;
    let (sizes, d) = (clouds.sides().map(Matrix::rows), clouds.dim());
    let mut plan = Plan { sizes, d: d as f64, asked, passes: Vec::new() };
    if options.pca != Reduce::None {
        plan.components(raw.dim() as f64);
    }
    let none = Sides { reference: &[][..], model: &[][..] };
    let draws = Draws::of(options, none);
    if asked.asks_any(support::SPECS) {
        plan.support(&Support::of(options), &draws);
    }
    if asked.asks_any(&[frontier::SPECS, frontier::SMOOTHED].concat()) {
        plan.clusters(Purpose::Frontier, options);
    }
    let of_few = [
        frontier::OVER_20,
        curve::SPECS,
        divergence::SPECS,
        divergence::FURTHER,
        ratio::SPECS,
        bounds::OF_LINEAR,
        bounds::OF_KNN,
    ];
    if asked.asks_any(&of_few.concat()) {
        plan.clusters(Purpose::Curve, options);
    }
    if asked.asks_any(moments::SPECS) {
        plan.measures("moments of the clouds", &Moments::of(options), &draws);
    }
    if asked.asks_any(diversity::SPECS) {
        plan.measures("similarities within a side", &Diversity::of(options), &draws);
    }
    if asked.asks_any(extra::SPECS) {
        plan.measures("extra measures of the clouds", &Extra::of(options), &draws);
    }
    Ok(plan.finish())
}

/// A plan while it is being made; `share` holds the flops that count twice until the end.
struct Plan<'a> {
    sizes: Sides<usize>,
    d: f64,
    asked: &'a Metrics,
    passes: Vec<Pass>,
}

impl Plan<'_> {
    /// `flops` of products in `f32`, and of those in `f64`.
    fn add(&mut self, name: &'static str, times: usize, (f32s, f64s): (f64, f64), bytes: f64) {
        if times > 0 && f32s + f64s > 0.0 {
            let (times_f64, flops) = (times as f64, f32s + f64s);
            self.passes.push(Pass {
                name,
                times,
                flops: flops * times_f64,
                bytes: bytes * times_f64,
                share: (f32s + 2.0 * f64s) * times_f64,
            });
        }
    }

    fn components(&mut self, columns: f64) {
        let n = self.rows();
        let least = columns.min(n);
        let bytes = 4.0 * n * columns;
        self.add("covariance of the features", 1, (0.0, n * columns * least), bytes);
        let eigen = 4.0 / 3.0 * least.powi(3) + 2.0 * least * least * self.d;
        self.add("its eigenvectors", 1, (0.0, eigen), 8.0 * least * least);
        self.add("rows onto the components", 1, (0.0, 2.0 * n * columns * self.d), bytes);
    }

    fn support(&mut self, measures: &Support<'_>, draws: &Draws<'_>) {
        let Sides { reference: n, model: m } = self.sizes.map(|n| n as f64);
        let d = self.d;
        self.add("neighbors of each side's rows", 1, ((n * n + m * m) * d, 0.0), 4.0 * (n + m) * d);
        self.add("pairs across the sides", 1, (2.0 * n * m * d, 0.0), 4.0 * (n + m) * d);
        let drawn = draws.resamples + draws.permutations > 0;
        let listed = if drawn { n + m } else { n };
        let reads = drawn || measures.has_ceilings_of_halves();
        let lists = (listed * listed * d, 0.0);
        self.add("neighbors that draws are read from", reads.into(), lists, 4.0 * listed * d);
        // All but soft membership is read from the lists, and that from distances where they can be kept.
        let soft = reads && self.asked.asks_any(&[&P_PRECISION, &P_RECALL]);
        let rows = self.sizes.reference + if drawn { self.sizes.model } else { 0 };
        let kept = Distances::kept(self.sizes.reference, rows).filter(|_| soft);
        if let Some(kept) = kept {
            let flops = (0.0, 2.0 * kept as f64 * d);
            self.add("distances that draws are read from", 1, flops, 4.0 * kept as f64);
        }
        let across = |n: f64, m: f64| match kept {
            _ if !soft => (0.0, 0.0),
            Some(_) => (0.0, 4.0 * n * m),
            None => (2.0 * n * m * d, 0.0),
        };
        let bytes = |rows: f64| 4.0 * rows * d;
        if measures.has_ceilings_of_halves()
            && let Some(parts) = Parts::of(self.sizes.reference, self.sizes.model)
        {
            for (name, parts) in
                [("ceilings from halves", parts), ("ceilings from quarters", parts.halved())]
            {
                let (n, m) = (parts.reference as f64, parts.model as f64);
                self.add(name, SPLITS, across(n, m), bytes(n + m));
            }
        }
        let (count, at) = subsamples(measures, self.sizes, self.d as usize, draws.resamples);
        let (half_n, half_m) = (at.reference.size as f64, at.model.size as f64);
        self.add("subsamples", count, across(half_n, half_m), bytes(half_n + half_m));
        if self.asked.has(Family::Support) {
            // A sixteenth, an eighth and a quarter four times, half twice.
            let share = 4.0 / 256.0 + 4.0 / 64.0 + 4.0 / 16.0 + 2.0 / 4.0;
            let pairs = (n * n + m * m + 2.0 * n * m) * d * share;
            self.add("fewer texts", 1, (pairs, 0.0), 4.0 * (n + m) * d);
        }
    }

    fn clusters(&mut self, purpose: Purpose, options: &ScoreOptions) {
        let Sides { reference: n, model: m } = self.sizes;
        let (name, clusters, times, starts) = match purpose {
            Purpose::Frontier => {
                ("clusterings for MAUVE", auto_clusters(n, m), FRONTIER_CLUSTERINGS, 5.0)
            }
            Purpose::Curve => ("clusterings into 20", SOUND_CLUSTERS, SOUND_CLUSTERINGS, 2.0),
        };
        let clusters = match options.clusters {
            Clusters::Auto => clusters,
            Clusters::Fixed(clusters) => clusters,
        };
        let one = 2.0 * self.rows() * self.d * clusters.min(n + m) as f64;
        let flops = (one * (starts + ITERATIONS), 0.0);
        self.add(name, times as usize, flops, 4.0 * self.rows() * self.d);
    }

    fn measures<'a>(
        &mut self,
        name: &'static str,
        measures: &dyn Measures<CloudRows<'a>>,
        draws: &Draws<'_>,
    ) {
        let (d, bytes) = (self.d as usize, 4.0 * self.rows() * self.d);
        self.add(name, 1, (0.0, 2.0 * measures.cost(self.sizes, d)), bytes);
        let (count, at) = subsamples(measures, self.sizes, d, draws.resamples);
        let part = (0.0, 2.0 * measures.part_cost(at, d));
        self.add("subsamples of these", count, part, bytes / 2.0);
    }

    fn rows(&self) -> f64 {
        (self.sizes.reference + self.sizes.model) as f64
    }

    fn finish(mut self) -> Vec<Pass> {
        let all: f64 = self.passes.iter().map(|pass| pass.share).sum();
        self.passes.iter_mut().for_each(|pass| pass.share /= all.max(1.0));
        self.passes
    }
}
