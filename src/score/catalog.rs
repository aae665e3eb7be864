//! Every measure that a score can have, once, in the order of every table.

use super::{
    bounds, curve, divergence, diversity, extra, frontier, moments, ratio, support, words,
};
pub use crate::metric::spec::{Better, Family, Null, Spec};
use crate::metric::{
    divergence::{ALPHA_DIVERGENCE, RENYI},
    reference_nll::OF_LIKELIHOODS,
    vendi::VENDI_SCORE_OF_ORDER,
};

/// The list, by what is computed together.
const TABLE: [&[&Spec]; 15] = [
    support::SPECS,
    frontier::SPECS,
    frontier::OVER_20,
    curve::SPECS,
    divergence::SPECS,
    moments::SPECS,
    diversity::SPECS,
    words::SPECS,
    words::OF_NGRAMS,
    ratio::SPECS,
    extra::SPECS,
    frontier::SMOOTHED,
    divergence::FURTHER,
    bounds::OF_LINEAR,
    bounds::OF_KNN,
];

/// All measures, in the order of the table.
pub fn specs() -> impl Iterator<Item = &'static Spec> {
    TABLE.into_iter().flatten().copied()
}

/// Measures of a reading of the reference, which a score has only where one was asked for.
fn of_readings() -> impl Iterator<Item = &'static Spec> {
    OF_LIKELIHOODS.into_iter()
}

/// The measure behind a key such as `recall` or `alpha@2`, with its parameter. For keys that come from
/// outside, such as files and flags; code names the constant.
pub fn spec(key: &str) -> Option<(&'static Spec, Option<f64>)> {
    let (name, at) = match key.split_once('@') {
        Some((name, at)) => (name, Some(at.parse().ok()?)),
        None => (key, None),
    };
    let named = || specs().chain(of_readings()).filter(|spec| spec.name == name);
    let alike = named().find(|spec| spec.parameter.is_some() == at.is_some());
    Some((alike.or_else(|| named().next())?, at))
}

/// The orders at which there are values of a measure with an order.
pub(super) fn orders(spec: &Spec) -> &'static [f64] {
    match spec.name {
        name if name == VENDI_SCORE_OF_ORDER.name => &diversity::ORDERS,
        name if name == RENYI.name => &divergence::RENYI_ORDERS,
        name if name == ALPHA_DIVERGENCE.name => &divergence::ALPHA_ORDERS,
        _ => &[],
    }
}

/// The family of the measure behind `key`; [`Family::Extra`] where it is unknown.
pub fn family(key: &str) -> Family {
    spec(key).map_or(Family::Extra, |(spec, _)| spec.family)
}

/// Where a measure stands in the table. Neighbors with a parameter share a place, so that they stay
/// together slope by slope.
pub(super) fn place(spec: &Spec) -> usize {
    let mut place = 0;
    for (at, (known, before)) in
        specs().zip(std::iter::once(None).chain(specs().map(Some))).enumerate()
    {
        let shares = known.parameter.is_some() && before.is_some_and(|b| b.parameter.is_some());
        if !shares {
            place = at;
        }
        if (known.name, known.parameter) == (spec.name, spec.parameter) {
            return place;
        }
    }
    usize::MAX
}

#[cfg(test)]
mod tests;
