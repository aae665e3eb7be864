//! f-divergences over bins.

use super::{ScoreError, family::Measures, quantized::Partitions};
use crate::{
    data::sides::Sides,
    metric::{
        divergence::{
            ALPHA_DIVERGENCE, CHI2, CHI2_SMOOTHED, Divergence, GAN, HELLINGER2,
            HELLINGER2_SMOOTHED, JS, JS_SMOOTHED, KL, KL_SMOOTHED, NEYMAN_CHI2, RENYI, REVERSE_KL,
            REVERSE_KL_SMOOTHED, TV, TV_SMOOTHED, renyi,
        },
        histogram::{HistogramError, Smoothing, shares},
        spec::{Measured, Spec},
    },
};

/// [`Divergences`] in the order of the table.
pub(super) const SPECS: &[&Spec] = &[
    &KL,
    &REVERSE_KL,
    &JS,
    &CHI2,
    &HELLINGER2,
    &TV,
    &KL_SMOOTHED,
    &REVERSE_KL_SMOOTHED,
    &JS_SMOOTHED,
    &CHI2_SMOOTHED,
    &HELLINGER2_SMOOTHED,
    &TV_SMOOTHED,
];
/// [`Further`] in the order of the table.
pub(super) const FURTHER: &[&Spec] = &[&NEYMAN_CHI2, &GAN, &ALPHA_DIVERGENCE, &RENYI];

/// Orders of the Rényi divergence.
pub(super) const RENYI_ORDERS: [f64; 2] = [0.5, 2.0];
/// Orders of the α-divergence.
pub(super) const ALPHA_ORDERS: [f64; 1] = [0.5];

/// f-divergences, plain and smoothed.
#[derive(Clone, Copy)]
pub(super) struct Divergences;

/// f-divergences that are asked for less often.
#[derive(Clone, Copy)]
pub(super) struct Further;

impl Measures<Partitions> for Divergences {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn values(&self, rows: &Partitions) -> Result<Vec<Measured>, ScoreError> {
        rows.mean(|counts| {
            let of = |named: [(&'static Spec, Divergence); 6], smoothing| {
                let shares = shares(counts, smoothing)?;
                let shares = shares.as_ref().map(Vec::as_slice);
                let value = |(spec, divergence): (&'static Spec, Divergence)| {
                    spec.of(divergence.between(shares))
                };
                Ok::<_, HistogramError>(named.map(value))
            };
            let plain = of(Divergence::NAMED, Smoothing::None)?;
            let smoothed = of(Divergence::SMOOTHED, Smoothing::KrichevskyTrofimov)?;
            Ok(plain.into_iter().chain(smoothed).collect())
        })
    }
}

impl Measures<Partitions> for Further {
    fn specs(&self) -> &'static [&'static Spec] {
        FURTHER
    }

    fn values(&self, rows: &Partitions) -> Result<Vec<Measured>, ScoreError> {
        rows.mean(|counts| {
            let shares = shares(counts, Smoothing::None)?;
            Ok(further(shares.as_ref().map(Vec::as_slice)))
        })
    }
}

fn further(shares: Sides<&[f64]>) -> Vec<Measured> {
    let mut values = vec![
        NEYMAN_CHI2.of(Divergence::NeymanChi2.between(shares)),
        GAN.of(Divergence::Gan.between(shares)),
    ];
    let alpha = |at| ALPHA_DIVERGENCE.at(at, Divergence::Alpha(at).between(shares));
    values.extend(ALPHA_ORDERS.map(alpha));
    values.extend(RENYI_ORDERS.map(|at| RENYI.at(at, renyi(shares, at))));
    values
}
