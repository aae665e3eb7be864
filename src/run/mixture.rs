//! Mixtures of a run's settings on the best PR-curve: predicted from half of the texts, measured on the other half.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::finished::{Features, ReadError, open_all, reference_texts};
use crate::{
    cloud::{
        MetricError,
        kmeans::{KMeansOptions, kmeans},
    },
    data::matrix::Matrix,
    metric::mixture::{alpha, mixture},
    report::record::CellResult,
    rng::{self, shuffle},
};

/// The name and version of what [`mix`] gives.
pub const MIXTURE_SCHEMA: &str = "llmpr.mixture/1";

/// How often the texts are parted in halves.
const SPLITS: usize = 20;
/// References a bin.
const PER_BIN: usize = 10;
/// The most bins: the programme has a row for each.
const MOST_BINS: usize = 200;
/// The fewest references that can be parted in halves.
const FEWEST: usize = 40;
/// A share below this is rounding.
const LEAST_SHARE: f64 = 1e-6;

/// Why settings cannot be mixed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum MixError {
    /// The run.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is nothing to mix.
    #[error("`{run}` has {cells} cell with features, and a mixture takes two; sweep more settings")]
    OneCell { run: String, cells: usize },
    /// Too few texts to hold some back.
    #[error(
        "`{run}` has {n} reference texts, and half of {FEWEST} at least have to be held back; draw more with -n"
    )]
    TooFew { run: String, n: usize },
    /// Features that cannot be clustered.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// A run's settings mixed, slope by slope.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mixing {
    /// [`MIXTURE_SCHEMA`].
    pub schema: &'static str,
    /// Reference texts, of which half are held back at a time.
    pub references: usize,
    /// Cells that were mixed.
    pub cells: usize,
    /// Bins of the histograms.
    pub bins: usize,
    /// How often texts were parted.
    pub splits: usize,
    /// By slope, ascending.
    pub points: Vec<MixedPoint>,
}

/// The best mixture at one slope, beside the best single setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MixedPoint {
    /// `λ`: large asks for precision, small for recall; `β = α/λ`.
    pub lambda: f64,
    /// What to mix: the programme's answer with all texts, the largest share first.
    pub parts: Vec<Part>,
    /// `α` of mixtures on the halves that they were fitted to, on average.
    pub predicted: f64,
    /// `α` of the same mixtures on the halves that were held back.
    pub measured: f64,
    /// The single setting with the greatest `α` of all texts.
    pub single: String,
    /// `α` of the single setting that was best on one half, there.
    pub single_predicted: f64,
    /// The same on the other half.
    pub single_measured: f64,
    /// Of the splits, those in which the mixture was measured above the single setting.
    pub better: usize,
}

/// A setting of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The cell.
    pub cell: String,
    /// Its settings in words.
    pub label: String,
    /// Its share of the texts.
    pub share: f64,
}

impl Part {
    /// Share and settings, as `75 % tiny T=0.7 shots=0`.
    pub fn words(&self) -> String {
        format!("{:.0} % {}", 100.0 * self.share, self.label)
    }
}

/// The best mixture of the cells of a finished run at each slope that the run was scored at, see [`mixture()`].
///
/// Bins are clusters of all texts of the run. Of 20 times, references and the texts of each cell are parted in halves:
/// weights are found on one and measured on the other, as is the single setting that was best on the first.
///
/// # Errors
///
/// [`MixError`].
pub fn mix(path: &Path, seed: u64) -> Result<Mixing, MixError> {
    let (runs, results, _) = open_all(&[path.to_owned()])?;
    let [run] = runs.as_slice() else { return Err(ReadError::NoRuns.into()) };
    let all: Vec<&CellResult> = results.cells.iter().collect();
    let n = reference_texts(&run.folder).map_err(ReadError::from)?.len();
    let mut features = Features::of(run, &all, n);
    if let Some((_, error)) = features.damaged.pop() {
        return Err(ReadError::from(error).into());
    }
    let clouds = (0..all.len()).filter_map(|at| Some((all[at], features.clouds(at)?)));
    let (cells, clouds): (Vec<&CellResult>, Vec<_>) = clouds.unzip();
    let name = || path.display().to_string();
    if cells.len() < 2 {
        return Err(MixError::OneCell { run: name(), cells: cells.len() });
    }
    if n < FEWEST {
        return Err(MixError::TooFew { run: name(), n });
    }
    let sets = std::iter::once(&clouds[0].reference).chain(clouds.iter().map(|c| &c.model));
    let binned = Binned::new(&sets.collect::<Vec<_>>(), (n / PER_BIN).min(MOST_BINS), seed)?;
    let whole = binned.shares(&binned.all());
    let splits: Vec<[Histograms; 2]> = (0..SPLITS)
        .map(|split| binned.halves(seed, split).map(|half| binned.shares(&half)))
        .collect();
    let mut lambdas = features.options.lambdas.clone();
    lambdas.sort_by(f64::total_cmp);
    let point = |&lambda: &f64| mixed(&whole, &splits, &cells, lambda);
    Ok(Mixing {
        schema: MIXTURE_SCHEMA,
        references: n,
        cells: cells.len(),
        bins: binned.bins,
        splits: SPLITS,
        points: lambdas.iter().map(point).collect(),
    })
}

/// Shares of bins: of the reference, and of each model.
struct Histograms {
    reference: Vec<f64>,
    models: Vec<Vec<f64>>,
}

impl Histograms {
    /// `α` of each model by itself, and which is the greatest, the first of several.
    fn best(&self, lambda: f64) -> usize {
        let alone = |at: usize| self.alone(at, lambda);
        (0..self.models.len()).rev().max_by(|&a, &b| alone(a).total_cmp(&alone(b))).unwrap_or(0)
    }

    fn alone(&self, at: usize, lambda: f64) -> f64 {
        alpha(&self.reference, &self.models[at..=at], &[1.0], lambda)
    }
}

fn mixed(
    whole: &Histograms,
    splits: &[[Histograms; 2]],
    cells: &[&CellResult],
    lambda: f64,
) -> MixedPoint {
    let best = mixture(&whole.reference, &whole.models, lambda);
    let parts = cells.iter().zip(best.weights).filter(|(_, share)| *share > LEAST_SHARE);
    let mut parts: Vec<Part> = parts
        .map(|(cell, share)| Part { cell: cell.cell.id.clone(), label: cell.cell.label(), share })
        .collect();
    parts.sort_by(|a, b| b.share.total_cmp(&a.share));
    let (mut sums, mut better) = ([0.0; 4], 0);
    for [fitted, held] in splits {
        let found = mixture(&fitted.reference, &fitted.models, lambda);
        let measured = alpha(&held.reference, &held.models, &found.weights, lambda);
        let single = fitted.best(lambda);
        let alone = [fitted.alone(single, lambda), held.alone(single, lambda)];
        let values = [found.point.alpha, measured, alone[0], alone[1]];
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        better += usize::from(measured > alone[1]);
    }
    let [predicted, measured, single_predicted, single_measured] =
        sums.map(|sum| sum / splits.len() as f64);
    let single = cells[whole.best(lambda)].cell.label();
    MixedPoint {
        lambda,
        parts,
        predicted,
        measured,
        single,
        single_predicted,
        single_measured,
        better,
    }
}

/// The bin of every row, set by set: the reference, then each model.
struct Binned {
    labels: Vec<Vec<u32>>,
    bins: usize,
}

impl Binned {
    fn new(sets: &[&Matrix], bins: usize, seed: u64) -> Result<Self, MetricError> {
        let rows = sets.iter().flat_map(|set| (0..set.rows()).map(|i| set.row(i)));
        let values: Vec<f32> = rows.flatten().copied().collect();
        let all = Matrix::new(sets[0].cols(), values)
            .map_err(|_| MetricError::Clusters { clusters: bins, n: 0 })?;
        let found = kmeans(&all, &KMeansOptions { seed, ..KMeansOptions::new(bins) })?;
        let mut rest = found.labels.as_slice();
        let mut labels = Vec::with_capacity(sets.len());
        for set in sets {
            let (own, others) = rest.split_at(set.rows());
            labels.push(own.to_vec());
            rest = others;
        }
        Ok(Self { labels, bins })
    }

    /// Every row of every set.
    fn all(&self) -> Vec<Vec<usize>> {
        self.labels.iter().map(|labels| (0..labels.len()).collect()).collect()
    }

    /// The rows of every set in two halves.
    fn halves(&self, seed: u64, split: usize) -> [Vec<Vec<usize>>; 2] {
        let mut rng = rng::named(seed, &format!("mixture {split}"));
        let part = |mut rows: Vec<usize>| {
            shuffle(&mut rng, &mut rows);
            let other = rows.split_off(rows.len() / 2);
            (rows, other)
        };
        let (first, second) = self.all().into_iter().map(part).unzip();
        [first, second]
    }

    fn shares(&self, rows: &[Vec<usize>]) -> Histograms {
        let of = |(labels, rows): (&Vec<u32>, &Vec<usize>)| {
            let mut counts = vec![0usize; self.bins];
            rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
            counts.into_iter().map(|count| count as f64 / rows.len().max(1) as f64).collect()
        };
        let mut all: Vec<Vec<f64>> = self.labels.iter().zip(rows).map(of).collect();
        let models = all.split_off(1);
        Histograms { reference: all.swap_remove(0), models }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::{cell, result};

    #[test] // by hand: each model writes one half of the reference
    fn a_mixture_holds_on_texts_it_was_not_fitted_to_where_no_single_setting_does() {
        let cells = [result(cell("a", 0.5)), result(cell("b", 1.0))];
        let cells: Vec<&CellResult> = cells.iter().collect();
        let halves = || Histograms {
            reference: vec![0.5, 0.5],
            models: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
        };
        let point = mixed(&halves(), &[[halves(), halves()]], &cells, 1.0);
        assert_eq!((point.predicted, point.measured), (1.0, 1.0));
        assert_eq!((point.single_predicted, point.single_measured, point.better), (0.5, 0.5, 1));
        assert_eq!(point.parts.iter().map(|part| part.share).collect::<Vec<_>>(), [0.5, 0.5]);
    }

    #[test]
    fn halves_are_disjoint_and_hold_every_row() {
        let binned = Binned { labels: vec![vec![0, 1, 1, 0, 1], vec![1, 1]], bins: 2 };
        let [first, second] = binned.halves(3, 0);
        for (set, labels) in binned.labels.iter().enumerate() {
            let mut both = [first[set].clone(), second[set].clone()].concat();
            both.sort_unstable();
            assert_eq!(both, (0..labels.len()).collect::<Vec<_>>());
        }
        let shares = binned.shares(&binned.all());
        assert_eq!((shares.reference, shares.models), (vec![0.4, 0.6], vec![vec![0.0, 1.0]]));
    }
}
