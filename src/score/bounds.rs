//! What follows from a density ratio per text: dual lower bounds, and frontiers without clusters.

use super::{ScoreError, family::Measures};
use crate::metric::{
    divergence::{
        CHI2_BOUND, Divergence, HELLINGER2_BOUND, JS_BOUND, KL_BOUND, REVERSE_KL_BOUND, TV_BOUND,
    },
    frontier::{
        FRONTIER_INTEGRAL_KNN, FRONTIER_INTEGRAL_RATIO, Frontier, MAUVE_KNN, MAUVE_RATIO, Settings,
        frontier_integral_of_ratios,
    },
    ratio::Scores,
    spec::{Measured, Spec},
};

/// [`OfLinear`] in the order of the table.
pub(super) const OF_LINEAR: &[&Spec] = &[
    &KL_BOUND,
    &REVERSE_KL_BOUND,
    &JS_BOUND,
    &CHI2_BOUND,
    &HELLINGER2_BOUND,
    &TV_BOUND,
    &MAUVE_RATIO,
    &FRONTIER_INTEGRAL_RATIO,
];
/// [`OfKnn`] in the order of the table.
pub(super) const OF_KNN: &[&Spec] = &[&MAUVE_KNN, &FRONTIER_INTEGRAL_KNN];

/// Log-ratios beyond which `e^x` would leave the range of a mean.
const LARGEST: f64 = 700.0;

/// Bounds and the frontier by a linear classifier. Intervals are of the rows, given the fits.
#[derive(Clone, Copy)]
pub(super) struct OfLinear {
    pub scaling: f64,
}

/// The frontier by votes of nearest neighbors. Intervals are of the rows, given the votes.
#[derive(Clone, Copy)]
pub(super) struct OfKnn {
    pub scaling: f64,
}

impl Measures<Scores> for OfLinear {
    fn specs(&self) -> &'static [&'static Spec] {
        OF_LINEAR
    }

    fn values(&self, scores: &Scores) -> Result<Vec<Measured>, ScoreError> {
        let bound = |(spec, divergence): (&'static Spec, Divergence)| {
            // Nothing is below 0 in any case.
            let bound = scores.dual_bound(divergence);
            spec.of(bound.map_or(f64::NAN, |bound| bound.value.max(0.0)))
        };
        let (mauve, integral) = frontier(scores, self.scaling);
        let frontier = [MAUVE_RATIO.of(mauve), FRONTIER_INTEGRAL_RATIO.of(integral)];
        Ok(Divergence::BOUNDS.map(bound).into_iter().chain(frontier).collect())
    }
}

impl Measures<Scores> for OfKnn {
    fn specs(&self) -> &'static [&'static Spec] {
        OF_KNN
    }

    fn values(&self, scores: &Scores) -> Result<Vec<Measured>, ScoreError> {
        let (mauve, integral) = frontier(scores, self.scaling);
        Ok(vec![MAUVE_KNN.of(mauve), FRONTIER_INTEGRAL_KNN.of(integral)])
    }
}

/// MAUVE and the frontier integral of the ratios.
fn frontier(scores: &Scores, scaling: f64) -> (f64, f64) {
    let finite = |x: &f64| x.clamp(-LARGEST, LARGEST).exp();
    let ratios = scores.log_ratios().map(|of| of.iter().map(finite).collect::<Vec<f64>>());
    let ratios = ratios.as_ref().map(Vec::as_slice);
    let settings = Settings { scaling, ..Settings::default() };
    let integral = frontier_integral_of_ratios(ratios).clamp(0.0, 1.0);
    (Frontier::of_ratios(ratios, &settings).mauve(), integral)
}
