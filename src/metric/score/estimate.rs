//! Values and what was drawn to read them become estimates.

use indexmap::IndexMap;

use super::catalog::{self, Better, Null};
use crate::metric::{
    calibrate::{Tail, carried_on, interval, p_value},
    nulls,
    record::Estimate,
};

/// What is needed to read a list of values; every inner list is beside their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings {
    /// Per subsample, the values.
    pub subsamples: Vec<Vec<f64>>,
    /// By what their variance is multiplied.
    pub variance_factor: f64,
    /// Per relabeling, the values.
    pub relabeled: Vec<Vec<f64>>,
    /// The values that the relabelings are held against; those themselves where this is empty.
    pub observed: Vec<f64>,
    /// What the reference scores against itself, NaN where that is not known; or empty.
    pub ceilings: Vec<f64>,
    /// Variance from elsewhere, such as the clusterings; or empty.
    pub extra: Vec<f64>,
}

/// Sizes that closed-form ceilings depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub n: usize,
    pub m: usize,
    pub k: usize,
}

/// Estimates of `values` under `names`, appended to `metrics`.
pub(super) fn append(
    metrics: &mut IndexMap<String, Estimate>,
    names: &[String],
    values: &[f64],
    readings: &Readings,
    sizes: Sizes,
) {
    for (i, (name, &value)) in names.iter().zip(values).enumerate() {
        let column = |lists: &[Vec<f64>]| -> Vec<f64> {
            lists.iter().filter_map(|list| list.get(i)).copied().collect()
        };
        let known = catalog::measure(name);
        let range = known.map_or((f64::NEG_INFINITY, f64::INFINITY), |known| known.range);
        let extra = readings.extra.get(i).copied().unwrap_or(0.0);
        let interval =
            interval(value, &column(&readings.subsamples), readings.variance_factor, extra, range);
        let tail = match known.map(|known| known.better) {
            Some(Better::Higher) => Tail::Low,
            Some(Better::Lower) => Tail::High,
            Some(Better::Neither) | None => Tail::Both,
        };
        let ceiling = match known.map(|known| known.null) {
            Some(Null::Known(ceiling)) => Some(ceiling),
            Some(Null::Coverage) => Some(nulls::coverage(sizes.n, sizes.m, sizes.k)),
            Some(Null::None) => None,
            _ => readings.ceilings.get(i).copied().filter(|ceiling| !ceiling.is_nan()),
        };
        let observed = readings.observed.get(i).copied().unwrap_or(value);
        let estimate = Estimate {
            value,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            ceiling,
            p_value: p_value(observed, &column(&readings.relabeled), tail),
        };
        metrics.insert(name.clone(), estimate);
    }
}

/// What the measure called `name` is expected to give at full size, from what parts of the reference
/// and halves of those parts scored.
pub(super) fn ceiling(name: &str, smaller: f64, larger: f64, doublings: f64) -> f64 {
    match catalog::measure(name) {
        Some(known) => match known.null {
            Null::Halves(rate) if smaller.is_finite() && larger.is_finite() => {
                carried_on(smaller, larger, doublings, rate).clamp(known.range.0, known.range.1)
            }
            _ => larger,
        },
        None => larger,
    }
}
