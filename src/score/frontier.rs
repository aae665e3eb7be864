//! MAUVE and the frontier integral over bins.

use rayon::prelude::*;

use super::{
    ScoreError, ScoreOptions,
    family::{Many, Measures, Rows},
    quantized::Partitions,
    record::FrontierCurve,
};
use crate::metric::{
    frontier::{
        self, FRONTIER_INTEGRAL, FRONTIER_INTEGRAL_20, FRONTIER_INTEGRAL_BRAESS_SAUER,
        FRONTIER_INTEGRAL_GOOD_TURING, FRONTIER_INTEGRAL_LAPLACE, FRONTIER_INTEGRAL_STAR, MAUVE,
        MAUVE_20, MAUVE_BRAESS_SAUER, MAUVE_GOOD_TURING, MAUVE_LAPLACE, MAUVE_STAR, Terms,
    },
    histogram::{Smoothing, shares},
    spec::{Measured, Spec},
};

/// [`Frontier`] in the order of the table.
pub(super) const SPECS: &[&Spec] =
    &[&MAUVE, &MAUVE_STAR, &FRONTIER_INTEGRAL, &FRONTIER_INTEGRAL_STAR];
/// [`Frontier20`] in the order of the table.
pub(super) const OVER_20: &[&Spec] = &[&MAUVE_20, &FRONTIER_INTEGRAL_20];
/// [`Smoothed`] in the order of the table.
pub(super) const SMOOTHED: &[&Spec] = &[
    &MAUVE_LAPLACE,
    &FRONTIER_INTEGRAL_LAPLACE,
    &MAUVE_BRAESS_SAUER,
    &FRONTIER_INTEGRAL_BRAESS_SAUER,
    &MAUVE_GOOD_TURING,
    &FRONTIER_INTEGRAL_GOOD_TURING,
];

/// Draws that one thread makes with one set of terms.
const CHUNK: usize = 25;

/// MAUVE and the frontier integral, plain and smoothed.
#[derive(Clone, Copy)]
pub(super) struct Frontier {
    pub scaling: f64,
    /// Whether the values of the shares are asked for.
    pub plain: bool,
    /// Whether those of smoothed shares are.
    pub star: bool,
}

impl Frontier {
    /// What `options` ask for.
    pub fn of(options: &ScoreOptions) -> Self {
        Self {
            scaling: options.scaling,
            plain: options.metrics.asks_any(&[&MAUVE, &FRONTIER_INTEGRAL]),
            star: options.metrics.asks_any(&[&MAUVE_STAR, &FRONTIER_INTEGRAL_STAR]),
        }
    }
}

/// The same, plain, over 20 clusters.
#[derive(Clone, Copy)]
pub(super) struct Frontier20 {
    pub scaling: f64,
}

/// MAUVE and the frontier integral under the other smoothers.
#[derive(Clone, Copy)]
pub(super) struct Smoothed {
    pub scaling: f64,
}

/// Measures that keep terms between histograms of one size.
trait ByTerms: Measures<Partitions> {
    /// Terms before the first histogram.
    fn terms(&self) -> Vec<Terms>;

    /// The values, given MAUVE and the frontier integral of each of the terms.
    fn named(&self, scores: &[(f64, f64)]) -> Vec<Measured>;

    fn with(&self, rows: &Partitions, terms: &mut [Terms]) -> Result<Vec<Measured>, ScoreError> {
        rows.mean(|counts| {
            let scores = terms.iter_mut().map(|terms| terms.scores(counts));
            Ok(self.named(&scores.collect::<Result<Vec<_>, _>>()?))
        })
    }

    fn by_chunks(&self, rows: &Partitions, draws: Many<'_>) -> Vec<Vec<Measured>> {
        let of_chunk = |chunk: usize| {
            let mut terms = self.terms();
            let from = chunk * CHUNK;
            let of_draw = |i| self.with(&rows.select(&(draws.rows)(i)), &mut terms).ok();
            (from..draws.count.min(from + CHUNK)).filter_map(of_draw).collect::<Vec<_>>()
        };
        (0..draws.count.div_ceil(CHUNK)).into_par_iter().flat_map_iter(of_chunk).collect()
    }
}

impl ByTerms for Frontier {
    fn terms(&self) -> Vec<Terms> {
        let asked = [(self.plain, 0.0), (self.star, 0.5)].into_iter().filter(|(asked, _)| *asked);
        asked.map(|(_, smoothing)| Terms::new(settings(self.scaling), smoothing)).collect()
    }

    fn named(&self, scores: &[(f64, f64)]) -> Vec<Measured> {
        let plain = [&MAUVE, &FRONTIER_INTEGRAL];
        let star = [&MAUVE_STAR, &FRONTIER_INTEGRAL_STAR];
        let asked =
            [(self.plain, plain), (self.star, star)].into_iter().filter(|(asked, _)| *asked);
        let of = |((_, specs), &(mauve, integral)): ((bool, [&'static Spec; 2]), &(f64, f64))| {
            [specs[0].of(mauve), specs[1].of(integral)]
        };
        asked.zip(scores).flat_map(of).collect()
    }
}

impl ByTerms for Frontier20 {
    fn terms(&self) -> Vec<Terms> {
        vec![Terms::new(settings(self.scaling), 0.0)]
    }

    fn named(&self, scores: &[(f64, f64)]) -> Vec<Measured> {
        let of = |&(mauve, integral): &(f64, f64)| {
            [MAUVE_20.of(mauve), FRONTIER_INTEGRAL_20.of(integral)]
        };
        scores.iter().flat_map(of).collect()
    }
}

impl Measures<Partitions> for Frontier {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn values(&self, rows: &Partitions) -> Result<Vec<Measured>, ScoreError> {
        self.with(rows, &mut self.terms())
    }

    fn of_draws(&self, rows: &Partitions, draws: Many<'_>) -> Vec<Vec<Measured>> {
        self.by_chunks(rows, draws)
    }
}

impl Measures<Partitions> for Frontier20 {
    fn specs(&self) -> &'static [&'static Spec] {
        OVER_20
    }

    fn values(&self, rows: &Partitions) -> Result<Vec<Measured>, ScoreError> {
        self.with(rows, &mut self.terms())
    }

    fn of_draws(&self, rows: &Partitions, draws: Many<'_>) -> Vec<Vec<Measured>> {
        self.by_chunks(rows, draws)
    }
}

impl Measures<Partitions> for Smoothed {
    fn specs(&self) -> &'static [&'static Spec] {
        SMOOTHED
    }

    fn values(&self, rows: &Partitions) -> Result<Vec<Measured>, ScoreError> {
        let settings = settings(self.scaling);
        rows.mean(|counts| {
            let of = |smoothing| frontier::smoothed(counts, smoothing, &settings);
            let laplace = of(Smoothing::Laplace)?;
            let braess_sauer = of(Smoothing::BraessSauer)?;
            let good_turing = of(Smoothing::GoodTuring)?;
            Ok(vec![
                MAUVE_LAPLACE.of(laplace.0),
                FRONTIER_INTEGRAL_LAPLACE.of(laplace.1),
                MAUVE_BRAESS_SAUER.of(braess_sauer.0),
                FRONTIER_INTEGRAL_BRAESS_SAUER.of(braess_sauer.1),
                MAUVE_GOOD_TURING.of(good_turing.0),
                FRONTIER_INTEGRAL_GOOD_TURING.of(good_turing.1),
            ])
        })
    }
}

fn settings(scaling: f64) -> frontier::Settings {
    frontier::Settings { scaling, ..frontier::Settings::default() }
}

/// The divergence frontier, averaged over the partitions.
///
/// # Errors
///
/// [`ScoreError::Histogram`] where a side is empty.
pub(super) fn frontier_curve(rows: &Partitions, scaling: f64) -> Result<FrontierCurve, ScoreError> {
    let mut sum = FrontierCurve::default();
    for counts in rows.counts() {
        let shares = shares(counts, Smoothing::None)?;
        let shares = shares.as_ref().map(Vec::as_slice);
        let curve = frontier::Frontier::of_shares(shares, &settings(scaling));
        let FrontierCurve { x, y } = FrontierCurve::from(&curve);
        sum.x.resize(x.len(), 0.0);
        sum.y.resize(y.len(), 0.0);
        sum.x.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        sum.y.iter_mut().zip(y).for_each(|(sum, y)| *sum += y);
    }
    let count = rows.0.len() as f64;
    sum.x.iter_mut().chain(&mut sum.y).for_each(|sum| *sum /= count);
    Ok(sum)
}
