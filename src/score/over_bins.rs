//! Which measures over bins are asked for.

use super::{
    ScoreOptions,
    clusters::Purpose,
    curve::Curve,
    divergence::{Divergences, Further},
    family::Measures,
    frontier::{Frontier, Smoothed},
    quantized::Partitions,
};

/// Measures over bins that share their work.
pub(super) type OverBins = Box<dyn Measures<Partitions>>;

/// Those that `options` ask for, with what their clusters are for where bins are clusters.
pub(super) fn asked(options: &ScoreOptions) -> Vec<(Purpose, OverBins)> {
    let scaling = options.scaling;
    let all: [(Purpose, OverBins); 5] = [
        (Purpose::Frontier, Box::new(Frontier::of(options))),
        (Purpose::Frontier, Box::new(Smoothed { scaling })),
        (Purpose::Curve, Box::new(Curve { lambdas: options.metrics.slopes(&options.lambdas) })),
        (Purpose::Curve, Box::new(Divergences)),
        (Purpose::Curve, Box::new(Further)),
    ];
    let is_asked = |measures: &OverBins| options.metrics.asks_any(measures.specs());
    all.into_iter().filter(|(_, measures)| is_asked(measures)).collect()
}
