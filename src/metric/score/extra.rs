//! What costs more than it tells: TopP&R, and what follows from a density ratio per text.

use rayon::prelude::*;

use super::{
    ScoreError, ScoreOptions,
    draws::Draws,
    estimate::Readings,
    group::{Named, named},
};
use crate::{
    metric::{
        Clouds,
        calibrate::Subsample,
        divergence::Divergence,
        frontier::{Frontier, Settings, frontier_integral_of_ratios},
        ratio::Scores,
        realism::realism,
        topological::{TopOptions, top_pr},
    },
    sides::Sides,
};

/// Log-ratios beyond which `e^x` would leave the range of a mean.
const LARGEST: f64 = 700.0;

/// TopP&R and realism; NaN where the rows are too few for them.
pub(super) fn of_clouds(clouds: Clouds<'_>, options: &ScoreOptions) -> Result<Named, ScoreError> {
    let settings = TopOptions { seed: options.seed, ..TopOptions::default() };
    let (precision, recall) = match top_pr(clouds, &settings) {
        Ok(top) => (top.precision.unwrap_or(f64::NAN), top.recall.unwrap_or(f64::NAN)),
        Err(_) => (f64::NAN, f64::NAN),
    };
    let f1 = match precision + recall {
        0.0 => 0.0,
        sum => 2.0 * precision * recall / sum,
    };
    let realism = realism(clouds, options.k)?;
    let inside = match realism.iter().any(|r| r.is_nan()) {
        true => f64::NAN,
        false => realism.iter().filter(|r| **r >= 1.0).count() as f64 / realism.len() as f64,
    };
    Ok(named([
        ("top_precision", precision),
        ("top_recall", recall),
        ("top_f1", f1),
        ("realism_share", inside),
    ]))
}

/// What a calibrated ratio of a classifier gives: dual lower bounds of divergences, and with
/// `suffix` the frontier without clusters. Intervals are of the rows, given the fits.
pub(super) fn of_ratios(
    scores: &Scores,
    suffix: &str,
    bounds: bool,
    options: &ScoreOptions,
    draws: &Draws<'_>,
) -> (Named, Readings) {
    let of = |scores: &Scores| -> Named {
        let mut named: Named = Vec::new();
        if bounds {
            for (name, divergence) in Divergence::NAMED {
                // Nothing is below 0 in any case.
                let bound = scores.dual_bound(divergence).map_or(f64::NAN, |b| b.value.max(0.0));
                named.push((format!("{name}_bound"), bound));
            }
        }
        let finite = |x: &f64| x.clamp(-LARGEST, LARGEST).exp();
        let ratios = scores.log_ratios().map(|of| of.iter().map(finite).collect::<Vec<f64>>());
        let ratios = ratios.as_ref().map(Vec::as_slice);
        let settings = Settings { scaling: options.scaling, ..Settings::default() };
        named.push((format!("mauve_{suffix}"), Frontier::of_ratios(ratios, &settings).mauve()));
        let integral = frontier_integral_of_ratios(ratios).clamp(0.0, 1.0);
        named.push((format!("frontier_integral_{suffix}"), integral));
        named
    };
    let sizes = scores.log_ratios().map(<[f64]>::len);
    let count = if sizes.reference.min(sizes.model) < 4 { 0 } else { draws.resamples };
    let halves = sizes.map(|n| Subsample::half(n.max(2)));
    let subsamples = (0..count).into_par_iter().map(|i| {
        let rows = draws.subsample(i, halves);
        let all = scores.log_ratios();
        let pick = |of: &[f64], rows: &[usize]| rows.iter().map(|&row| of[row]).collect();
        let part = Scores::new(Sides {
            reference: pick(all.reference, &rows.reference),
            model: pick(all.model, &rows.model),
        });
        of(&part).into_iter().map(|(_, value)| value).collect()
    });
    let readings = Readings {
        subsamples: subsamples.collect(),
        variance_factor: halves.reference.variance_factor(),
        ..Readings::default()
    };
    (of(scores), readings)
}
