//! Measures that see the two sets only as counts over bins.

use rayon::prelude::*;

use super::{
    draws::{Draws, Parts, SPLITS, complement, mean, variance_of_mean},
    estimate::{Readings, ceiling},
};
use crate::{
    metric::{
        calibrate::{self, Subsample},
        curve::{self, Point, sajjadi_lambdas},
        divergence::{Divergence, renyi},
        frontier::{self, Frontier, Terms},
        histogram::{self, HistogramError, Smoothing, shares},
        record::{FrontierCurve, PrCurve},
    },
    rng,
    sides::Sides,
};

/// Angles of the PR-curve, as in Sajjadi et al.
const ANGLES: usize = 1001;

/// One assignment of the rows of both sets to bins.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// The bin of each row.
    labels: Sides<Vec<u32>>,
    /// Rows per bin, empty bins included.
    counts: Sides<Vec<u64>>,
}

impl Partition {
    /// The rows with these labels, all below `bins`.
    ///
    /// # Errors
    ///
    /// [`HistogramError::Label`].
    pub fn new(labels: Sides<Vec<u32>>, bins: usize) -> Result<Self, HistogramError> {
        let counts = histogram::counts(labels.as_ref().map(Vec::as_slice), bins)?;
        Ok(Self { labels, counts })
    }

    /// Counts without rows: they have values, and nothing can be drawn from them.
    pub fn counted(counts: Sides<&[u64]>) -> Self {
        let labels = Sides { reference: Vec::new(), model: Vec::new() };
        Self { labels, counts: counts.map(<[u64]>::to_vec) }
    }

    /// The rows that `counts` stand for, bin after bin.
    pub fn of_counts(counts: Sides<&[u64]>) -> Self {
        let labels = counts.map(|counts| {
            let bin =
                |(bin, &count): (usize, &u64)| std::iter::repeat_n(bin as u32, count as usize);
            counts.iter().enumerate().flat_map(bin).collect()
        });
        Self { labels, counts: counts.map(<[u64]>::to_vec) }
    }

    /// The partition as the first `at` rows of the model and as the others see it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`].
    pub fn split_model(&self, at: usize) -> Result<[Self; 2], HistogramError> {
        let bins = self.counts.reference.len();
        let (first, second) = self.labels.model.split_at(at);
        let part = |model: &[u32]| {
            let reference = self.labels.reference.clone();
            Self::new(Sides { reference, model: model.to_vec() }, bins)
        };
        Ok([part(first)?, part(second)?])
    }

    /// Counts of some rows; `rows` index the reference's rows followed by the model's.
    fn counts_of(&self, rows: Sides<&[usize]>) -> Sides<Vec<u64>> {
        let Sides { reference, model } = &self.labels;
        rows.map(|rows| {
            let mut counts = vec![0u64; self.counts.reference.len()];
            for &row in rows {
                let label = match row.checked_sub(reference.len()) {
                    None => reference[row],
                    Some(row) => model[row],
                };
                counts[label as usize] += 1;
            }
            counts
        })
    }
}

/// A group of measures of counts.
#[derive(Clone, Debug)]
pub(super) enum Measures {
    /// MAUVE and the frontier integral, plain and smoothed.
    Frontier { scaling: f64 },
    /// The same, plain, under names that say 20 clusters.
    Frontier20 { scaling: f64 },
    /// MAUVE and the frontier integral under the other smoothers.
    Smoothed { scaling: f64 },
    /// f-divergences that are asked for less often.
    Further,
    /// Summaries of the PR-curve, and its points at these slopes.
    Curve { lambdas: Vec<f64> },
    /// f-divergences, plain and smoothed.
    Divergence,
}

impl Measures {
    /// The names of [`Measures::values`], in order.
    pub fn names(&self) -> Vec<String> {
        let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        match self {
            Self::Frontier { .. } => {
                own(&["mauve", "mauve_star", "frontier_integral", "frontier_integral_star"])
            }
            Self::Frontier20 { .. } => own(&["mauve_20", "frontier_integral_20"]),
            Self::Smoothed { .. } => {
                let both =
                    |suffix: &str| ["mauve", "frontier_integral"].map(|m| format!("{m}_{suffix}"));
                SMOOTHERS.iter().flat_map(|(suffix, _)| both(suffix)).collect()
            }
            Self::Further => own(&FURTHER),
            Self::Curve { lambdas } => {
                let mut names: Vec<String> = own(&["max_f8_recall", "max_f1_8_precision"]);
                for lambda in lambdas {
                    names.extend(
                        ["alpha", "beta", "pr_divergence"].map(|c| format!("{c}@{lambda}")),
                    );
                }
                names
            }
            Self::Divergence => {
                let with = |suffix| move |(name, _): &(&str, Divergence)| format!("{name}{suffix}");
                Divergence::NAMED
                    .iter()
                    .map(with(""))
                    .chain(Divergence::NAMED.iter().map(with("_smoothed")))
                    .collect()
            }
        }
    }

    /// What is kept between the histograms of one size.
    fn terms(&self) -> Vec<Terms> {
        match *self {
            Self::Frontier { scaling } => {
                vec![Terms::new(settings(scaling), 0.0), Terms::new(settings(scaling), 0.5)]
            }
            Self::Frontier20 { scaling } => vec![Terms::new(settings(scaling), 0.0)],
            Self::Smoothed { .. } | Self::Further | Self::Curve { .. } | Self::Divergence => {
                Vec::new()
            }
        }
    }

    /// The measures of the counts of each partition, averaged: values over partitions, and the
    /// PR-curve before it is summarized.
    fn values(
        &self,
        counts: &[Sides<Vec<u64>>],
        terms: &mut [Terms],
    ) -> Result<Vec<f64>, HistogramError> {
        match self {
            Self::Frontier { .. } | Self::Frontier20 { .. } => {
                let mut values = |counts| {
                    let scores = terms.iter_mut().map(|terms| terms.scores(slices(counts)));
                    let scores = scores.collect::<Result<Vec<_>, HistogramError>>()?;
                    let areas = scores.iter().map(|scores| scores.0);
                    Ok(areas.chain(scores.iter().map(|scores| scores.1)).collect())
                };
                let values = counts.iter().map(&mut values);
                Ok(mean(&values.collect::<Result<Vec<_>, HistogramError>>()?))
            }
            Self::Smoothed { scaling } => {
                let settings = settings(*scaling);
                let values = counts.iter().map(|counts| {
                    let mut values = Vec::new();
                    for (_, smoothing) in SMOOTHERS {
                        let (mauve, integral) =
                            frontier::smoothed(slices(counts), smoothing, &settings)?;
                        values.extend([mauve, integral]);
                    }
                    Ok(values)
                });
                Ok(mean(&values.collect::<Result<Vec<_>, HistogramError>>()?))
            }
            Self::Further => {
                let values = counts.iter().map(|counts| {
                    let shares = shares(slices(counts), Smoothing::None)?;
                    Ok(further(shares.as_ref().map(Vec::as_slice)))
                });
                Ok(mean(&values.collect::<Result<Vec<_>, HistogramError>>()?))
            }
            Self::Curve { lambdas } => {
                let slopes = sajjadi_lambdas(ANGLES);
                let points = averaged(counts, &slopes)?;
                let summary = curve::summary(&points);
                let mut values = vec![summary.max_f8_recall, summary.max_f1_8_precision];
                for (point, lambda) in averaged(counts, lambdas)?.iter().zip(lambdas) {
                    let divergence = (lambda.min(1.0) - point.alpha).max(0.0);
                    values.extend([point.alpha, point.beta, divergence]);
                }
                Ok(values)
            }
            Self::Divergence => {
                let values = counts.iter().map(|counts| {
                    let of = |smoothing| {
                        let shares = shares(slices(counts), smoothing)?;
                        let shares = shares.as_ref().map(Vec::as_slice);
                        let values = Divergence::NAMED.iter().map(|(_, d)| d.between(shares));
                        Ok(values.collect::<Vec<f64>>())
                    };
                    Ok([of(Smoothing::None)?, of(Smoothing::KrichevskyTrofimov)?].concat())
                });
                Ok(mean(&values.collect::<Result<Vec<_>, HistogramError>>()?))
            }
        }
    }
}

/// The smoothers beside those of MAUVE and MAUVE*, with the ends of their names.
const SMOOTHERS: [(&str, Smoothing); 3] = [
    ("laplace", Smoothing::Laplace),
    ("braess_sauer", Smoothing::BraessSauer),
    ("good_turing", Smoothing::GoodTuring),
];

/// The names of [`further`].
const FURTHER: [&str; 5] = ["neyman_chi2", "gan", "alpha_divergence@0.5", "renyi@0.5", "renyi@2"];

fn further(shares: Sides<&[f64]>) -> Vec<f64> {
    vec![
        Divergence::NeymanChi2.between(shares),
        Divergence::Gan.between(shares),
        Divergence::Alpha(0.5).between(shares),
        renyi(shares, 0.5),
        renyi(shares, 2.0),
    ]
}

fn slices(counts: &Sides<Vec<u64>>) -> Sides<&[u64]> {
    counts.as_ref().map(Vec::as_slice)
}

fn settings(scaling: f64) -> frontier::Settings {
    frontier::Settings { scaling, ..frontier::Settings::default() }
}

/// The PR-curve whose `α` is the mean over the partitions, as in Sajjadi et al.
fn averaged(counts: &[Sides<Vec<u64>>], slopes: &[f64]) -> Result<Vec<Point>, HistogramError> {
    let mut alpha = vec![0.0; slopes.len()];
    for counts in counts {
        let shares = shares(counts.as_ref().map(Vec::as_slice), Smoothing::None)?;
        let points = curve::pr_curve(shares.as_ref().map(Vec::as_slice), slopes);
        alpha.iter_mut().zip(points).for_each(|(sum, point)| *sum += point.alpha);
    }
    let points = slopes.iter().zip(alpha);
    Ok(points.map(|(&lambda, sum)| Point::new(lambda, sum / counts.len() as f64)).collect())
}

/// Measures of one group of partitions.
pub(super) struct Quantized {
    pub partitions: Vec<Partition>,
    pub measures: Measures,
}

impl Quantized {
    fn counts(&self) -> Vec<Sides<Vec<u64>>> {
        self.partitions.iter().map(|partition| partition.counts.clone()).collect()
    }

    fn sizes(&self) -> Sides<usize> {
        self.partitions[0].labels.as_ref().map(Vec::len)
    }

    /// The values on all rows.
    ///
    /// # Errors
    ///
    /// [`HistogramError::Empty`].
    pub fn values(&self) -> Result<Vec<f64>, HistogramError> {
        self.measures.values(&self.counts(), &mut self.measures.terms())
    }

    /// The values on some rows; they index the reference's rows followed by the model's.
    fn values_of(&self, rows: Sides<&[usize]>, terms: &mut [Terms]) -> Vec<f64> {
        let counts: Vec<_> = self.partitions.iter().map(|p| p.counts_of(rows)).collect();
        // Rows of both sides were drawn, so no side is empty.
        self.measures.values(&counts, terms).unwrap_or_default()
    }

    /// The PR-curve over the angles of Sajjadi et al., `α` averaged over the partitions.
    pub fn pr_curve(&self) -> Result<PrCurve, HistogramError> {
        Ok(PrCurve::from(averaged(&self.counts(), &sajjadi_lambdas(ANGLES))?.as_slice()))
    }

    /// The divergence frontier, averaged over the partitions.
    pub fn frontier(&self, scaling: f64) -> Result<FrontierCurve, HistogramError> {
        let mut columns = Vec::new();
        for partition in &self.partitions {
            let shares = shares(partition.counts.as_ref().map(Vec::as_slice), Smoothing::None)?;
            let shares = shares.as_ref().map(Vec::as_slice);
            let curve = FrontierCurve::from(&Frontier::of_shares(shares, &settings(scaling)));
            columns.push([curve.x, curve.y].concat());
        }
        let both = mean(&columns);
        let (x, y) = both.split_at(both.len() / 2);
        Ok(FrontierCurve { x: x.to_vec(), y: y.to_vec() })
    }

    /// The rows of half-sample `i`; they index the reference's rows followed by the model's.
    fn half_rows(&self, i: usize, draws: &Draws<'_>) -> Sides<Vec<usize>> {
        let Sides { reference, model } = draws.subsample(i, self.sizes().map(Subsample::half));
        let n = self.sizes().reference;
        Sides { reference, model: model.into_iter().map(|row| n + row).collect() }
    }

    /// The values on half-sample `i`.
    pub fn half(&self, i: usize, draws: &Draws<'_>) -> Vec<f64> {
        let rows = self.half_rows(i, draws);
        self.values_of(rows.as_ref().map(Vec::as_slice), &mut self.measures.terms())
    }

    /// Subsamples, relabelings and ceilings; every draw has a stream of its own under `seed`.
    ///
    /// All measures of one score see the same draws, so that differences between them are paired.
    pub fn readings(&self, draws: &Draws<'_>) -> Readings {
        let Sides { reference: n, model: m } = self.sizes();
        let per_partition = || -> Vec<Vec<f64>> {
            let values = |partition: &Partition| {
                let mut terms = self.measures.terms();
                self.measures.values(std::slice::from_ref(&partition.counts), &mut terms).ok()
            };
            self.partitions.iter().filter_map(values).collect()
        };
        let halves = |i: usize| self.half_rows(i, draws);
        let relabeled = |i: usize| {
            let mut rng = rng::named(draws.seed, &format!("relabel {i}"));
            let reference = calibrate::relabel(&mut rng, n, m);
            let model = complement(&reference, n + m);
            Sides { reference, model }
        };
        let resamples = if n >= 4 && m >= 4 { draws.resamples } else { 0 };
        Readings {
            subsamples: self.values_of_draws(resamples, halves),
            relabeled: self.values_of_draws(draws.permutations, relabeled),
            observed: Vec::new(),
            ceilings: self.ceilings(draws),
            variance_factor: 1.0,
            extra: if self.partitions.len() > 1 {
                variance_of_mean(&per_partition())
            } else {
                Vec::new()
            },
        }
    }

    /// The values on the rows that each of `count` draws takes.
    fn values_of_draws(
        &self,
        count: usize,
        rows: impl Fn(usize) -> Sides<Vec<usize>> + Sync,
    ) -> Vec<Vec<f64>> {
        const CHUNK: usize = 25;
        let chunks = (0..count.div_ceil(CHUNK)).into_par_iter().flat_map_iter(|chunk| {
            let mut terms = self.measures.terms();
            let from = chunk * CHUNK;
            let values = (from..count.min(from + CHUNK))
                .map(|i| self.values_of(rows(i).as_ref().map(Vec::as_slice), &mut terms));
            values.collect::<Vec<_>>()
        });
        chunks.collect()
    }

    /// Parts of the reference against each other in the same bins, at the sizes' ratio, carried on to
    /// the full sizes; empty where the reference is too small.
    fn ceilings(&self, draws: &Draws<'_>) -> Vec<f64> {
        let Sides { reference: n, model: m } = self.sizes();
        let Some(parts) = Parts::of(n, m) else { return Vec::new() };
        let at = |parts: Parts| -> Vec<f64> {
            mean(&self.values_of_draws(SPLITS, |i| {
                let [reference, model] = draws.split(i, n, parts);
                Sides { reference, model }
            }))
        };
        let (larger, smaller) = (at(parts), at(parts.halved()));
        let names = self.measures.names();
        let at = names.iter().zip(smaller).zip(larger);
        at.map(|((name, smaller), larger)| ceiling(name, smaller, larger, parts.doublings(n)))
            .collect()
    }
}
