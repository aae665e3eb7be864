//! Values and what was drawn to read them become estimates.

use super::{
    calibrate::{Tail, carried_on, interval, p_value},
    record::Estimate,
};
use crate::metric::{
    nulls,
    spec::{Better, Measured, Null, Spec},
};

/// What is needed to read a list of values.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings {
    /// Per subsample, the values.
    pub subsamples: Vec<Vec<Measured>>,
    /// By what their variance is multiplied.
    pub variance_factor: f64,
    /// Per relabeling, the values.
    pub relabeled: Vec<Vec<Measured>>,
    /// The values that the relabelings are held against; those themselves where one is missing here.
    pub observed: Vec<Measured>,
    /// What the reference scores against itself, where that is known; NaN counts as unknown.
    pub ceilings: Vec<Measured>,
    /// Variance from elsewhere, such as the clusterings.
    pub extra: Vec<Measured>,
}

/// Sizes that closed-form ceilings depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub n: usize,
    pub m: usize,
    pub k: usize,
}

/// An estimate with the measure it is of.
#[derive(Clone, Debug)]
pub(super) struct Estimated {
    pub measured: Measured,
    pub estimate: Estimate,
}

/// The estimate of `spec` among `found`, which has no parameter.
pub(super) fn find<'a>(
    found: &'a mut [Estimated],
    spec: &'static Spec,
) -> Option<&'a mut Estimate> {
    let wanted = spec.of(0.0);
    let at = found.iter_mut().find(|estimated| estimated.measured.is_of(&wanted))?;
    Some(&mut at.estimate)
}

/// The estimates of `values`, in their order.
pub(super) fn read(values: &[Measured], readings: &Readings, sizes: Sizes) -> Vec<Estimated> {
    let of = |measured: &Measured| {
        let Measured { spec, at, value } = *measured;
        let found = |list: &[Measured]| value_of(list, measured);
        let subsamples = column(&readings.subsamples, measured);
        let extra = found(&readings.extra).unwrap_or(0.0);
        let interval =
            interval(value, &subsamples, readings.variance_factor, extra, spec.range.ends(at));
        let tail = match spec.better {
            Better::Higher => Tail::Low,
            Better::Lower => Tail::High,
            Better::Neither => Tail::Both,
        };
        let ceiling = match spec.null {
            Null::Known(ceiling) => Some(ceiling),
            Null::Coverage => Some(nulls::coverage(sizes.n, sizes.m, sizes.k)),
            Null::None => None,
            Null::Halves(_) | Null::OwnValue => {
                found(&readings.ceilings).filter(|ceiling| !ceiling.is_nan())
            }
        };
        let observed = found(&readings.observed).unwrap_or(value);
        let estimate = Estimate {
            value,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            ceiling,
            p_value: p_value(observed, &column(&readings.relabeled, measured), tail),
        };
        Estimated { measured: *measured, estimate }
    };
    values.iter().map(of).collect()
}

/// What the measure of `larger` is expected to give at full size, from what parts of the reference and
/// halves of those parts scored.
pub(super) fn ceiling(larger: Measured, smaller: f64, doublings: f64) -> f64 {
    let Measured { spec, at, value } = larger;
    match spec.null {
        Null::Halves(rate) if smaller.is_finite() && value.is_finite() => {
            let (least, most) = spec.range.ends(at);
            carried_on(smaller, value, doublings, rate).clamp(least, most)
        }
        _ => value,
    }
}

fn value_of(list: &[Measured], of: &Measured) -> Option<f64> {
    list.iter().find(|measured| measured.is_of(of)).map(|measured| measured.value)
}

/// The values of one measure in several lists.
pub(super) fn column(lists: &[Vec<Measured>], of: &Measured) -> Vec<f64> {
    lists.iter().filter_map(|list| value_of(list, of)).collect()
}

/// The mean of every measure over lists of them.
pub(super) fn mean(lists: &[Vec<Measured>]) -> Vec<Measured> {
    let first = lists.first().map_or(&[][..], Vec::as_slice);
    let of =
        |measured: &Measured| Measured { value: average(&column(lists, measured)), ..*measured };
    first.iter().map(of).collect()
}

/// The variance of [`mean`], from the spread of the lists; empty for fewer than two.
pub(super) fn variance_of_mean(lists: &[Vec<Measured>]) -> Vec<Measured> {
    let [first, _, ..] = lists else { return Vec::new() };
    let of = |measured: &Measured| {
        let values = column(lists, measured);
        let (mean, count) = (average(&values), values.len() as f64);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Measured { value: squares / (count - 1.0) / count, ..*measured }
    };
    first.iter().map(of).collect()
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
