//! Single measures of two sets of rows, as they are: nothing is scaled or reduced before.

use llmpr::{
    cloud::{
        Clouds, MetricError,
        kmeans::{KMeansOptions, kmeans},
        neighbors::Ties,
        pca::{Keep, Pca},
    },
    data::{matrix::Matrix, rows::UnitRows, sides::Sides},
    metric::{
        alpha::alpha_precision_recall,
        authenticity::authenticity,
        clipped::clipped,
        cover::{Cover, pr_cover},
        curve,
        extrapolated::reached,
        frechet::frechet,
        frontier::{Frontier, Settings, auto_clusters, mauve},
        histogram::{Smoothing, counts, shares},
        kernel::kernel_distance,
        nn_accuracy::nn_accuracy,
        prdc::prdc,
        probabilistic::{Soft, p_precision_recall},
        realism::realism,
        sliced::sliced_wasserstein,
        topological::{TopOptions, top_pr},
        vendi::vendi,
    },
    rng,
    score::{
        ScoreError,
        calibrate::{Subsample, subsample},
    },
};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::{prelude::*, types::PyDict};

use crate::{arrays, errors, work::work};

/// Adds what this file has for Python.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(measure, module)?)?;
    module.add_function(wrap_pyfunction!(vendi_scores, module)?)?;
    module.add_function(wrap_pyfunction!(realism_scores, module)?)?;
    module.add_function(wrap_pyfunction!(mauve_of_rows, module)?)?;
    module.add_function(wrap_pyfunction!(mauve_of_counts, module)?)?;
    module.add_function(wrap_pyfunction!(pr_curve, module)?)
}

/// Names and values of one group of measures.
type Values = Vec<(&'static str, f64)>;

fn group(
    name: &str,
    clouds: Clouds<'_>,
    k: usize,
    ties: Ties,
    seed: u64,
) -> Result<Option<Values>, MetricError> {
    Ok(Some(match name {
        "prdc" => {
            let found = prdc(clouds, k, ties)?;
            vec![
                ("precision", found.precision),
                ("recall", found.recall),
                ("density", found.density),
                ("coverage", found.coverage),
            ]
        }
        "symmetric" => {
            let found = prdc(clouds, k, ties)?;
            vec![
                ("comp_precision", found.comp_precision),
                ("sym_precision", found.sym_precision),
                ("sym_recall", found.sym_recall),
            ]
        }
        "reached" => {
            let found = reached(clouds)?;
            vec![
                ("recall_extrapolated", found.recall_extrapolated),
                ("modes_reached", found.modes_reached),
            ]
        }
        "clipped" => {
            let found = clipped(clouds, k)?;
            vec![("clipped_density", found.density), ("clipped_coverage", found.coverage)]
        }
        "p_precision_recall" => {
            let found = p_precision_recall(clouds, Soft { k, ..Soft::default() })?;
            vec![("p_precision", found.precision), ("p_recall", found.recall)]
        }
        "cover" => {
            let found = pr_cover(clouds, Cover { k, ..Cover::default() })?;
            vec![("cover_precision", found.precision), ("cover_recall", found.recall)]
        }
        "alpha" => {
            let found = alpha_precision_recall(clouds)?;
            vec![("alpha_precision", found.alpha_precision), ("beta_recall", found.beta_recall)]
        }
        "top" => {
            let found = top_pr(clouds, &TopOptions { seed, ..TopOptions::default() })?;
            let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
            vec![("top_precision", number(found.precision)), ("top_recall", number(found.recall))]
        }
        "authenticity" => vec![("authenticity", authenticity(clouds)?)],
        "frechet_distance" => vec![("frechet_distance", frechet(clouds)?.distance)],
        "kernel_distance" => vec![("kernel_distance", kernel_distance(clouds)?.unbiased)],
        "nn_accuracy" => vec![("nn_accuracy", nn_accuracy(clouds)?)],
        "sliced_wasserstein" => {
            vec![("sliced_wasserstein", sliced_wasserstein(clouds, k, seed))]
        }
        _ => return Ok(None),
    }))
}

/// What is wrong with two sets, by the names that people gave them in Python.
fn sentence(error: &MetricError) -> String {
    match error {
        MetricError::NoKthNeighbor { side, .. } | MetricError::Empty { side } => {
            format!("{}: {error}", arrays::name(*side))
        }
        _ => error.to_string(),
    }
}

fn refused(error: MetricError) -> PyErr {
    errors::wrong(sentence(&error))
}

/// One group of measures, by name, as a dictionary of numbers. `k` is the rank of a neighbor, for the sliced distance the
/// number of directions.
#[pyfunction]
#[pyo3(signature = (name, reference, samples, k, inclusive=false, seed=0, threads=None))]
#[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
fn measure<'py>(
    py: Python<'py>,
    name: &str,
    reference: &Bound<'_, PyAny>,
    samples: &Bound<'_, PyAny>,
    k: usize,
    inclusive: bool,
    seed: u64,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let sets = arrays::sides(reference, samples)?;
    let ties = if inclusive { Ties::Inclusive } else { Ties::Strict };
    let values = work(py, threads, || group(name, Clouds::new(sets.as_ref())?, k, ties, seed))?
        .map_err(refused)?
        .ok_or_else(|| errors::wrong(format!("there is no group of measures `{name}`")))?;
    let out = PyDict::new(py);
    values.into_iter().try_for_each(|(name, value)| out.set_item(name, value))?;
    Ok(out)
}

/// Vendi scores of one set at several orders.
#[pyfunction]
#[pyo3(signature = (rows, orders, threads=None))]
fn vendi_scores(
    py: Python<'_>,
    rows: &Bound<'_, PyAny>,
    orders: Vec<f64>,
    threads: Option<usize>,
) -> PyResult<Vec<f64>> {
    let rows = arrays::rows(rows, "rows")?;
    work(py, threads, || vendi(&rows, &orders))?.map_err(refused)
}

/// Realism scores of the samples.
#[pyfunction]
#[pyo3(signature = (reference, samples, k, threads=None))]
fn realism_scores<'py>(
    py: Python<'py>,
    reference: &Bound<'_, PyAny>,
    samples: &Bound<'_, PyAny>,
    k: usize,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let sets = arrays::sides(reference, samples)?;
    let found = work(py, threads, || realism(Clouds::new(sets.as_ref())?, k))?.map_err(refused)?;
    Ok(PyArray1::from_vec(py, found))
}

/// How two sets are put into bins for MAUVE: the settings of mauve-text.
struct Bins {
    /// A tenth of the smaller side where `None`.
    clusters: Option<usize>,
    /// Share of variance that the components hold.
    explained: f64,
    redos: usize,
    iterations: usize,
    seed: u64,
    /// Rows that components are fitted on; all where `None`.
    fit_rows: Option<usize>,
}

impl Bins {
    /// Counts of both sides over clusters of the components of rows of length 1.
    fn counted(&self, sets: Sides<&Matrix>) -> Result<Sides<Vec<u64>>, ScoreError> {
        let clouds = Clouds::new(sets)?;
        let Sides { reference: n, model: m } = clouds.sides().map(Matrix::rows);
        let clusters = self.clusters.unwrap_or_else(|| auto_clusters(n, m)).min(n + m);
        let unit = sets.map(UnitRows::of);
        let keep = Keep::Share(self.explained);
        let pca = match self.fit_rows.filter(|&most| most < n + m) {
            None => Pca::fit(&[&unit.model, &unit.reference], keep)?,
            Some(most) => {
                let pooled = sets.model.stack(sets.reference);
                let mut drawn = rng::named(self.seed, "components");
                let mut rows = subsample(&mut drawn, Subsample { n: n + m, size: most }, &[]);
                rows.sort_unstable();
                Pca::fit(&[&UnitRows::of(&pooled.select(&rows))], keep)?
            }
        };
        let pooled = pca.project_all(&[&unit.model, &unit.reference])?;
        let settings = KMeansOptions {
            redos: self.redos,
            iterations: self.iterations,
            seed: self.seed,
            ..KMeansOptions::new(clusters)
        };
        let found = kmeans(&pooled, &settings)?;
        let (model, reference) = found.labels.split_at(m);
        Ok(counts(Sides { reference, model }, clusters)?)
    }
}

/// MAUVE's values, curve and histograms over bins.
fn of_counts<'py>(
    py: Python<'py>,
    sides: Sides<&[u64]>,
    scaling: f64,
    weights: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let settings = Settings { scaling, weights, ..Settings::default() };
    let refused = |error| errors::raised(&error);
    let values = mauve(sides, &settings).map_err(refused)?;
    let bins = shares(sides, Smoothing::None).map_err(refused)?;
    let frontier = Frontier::of_shares(bins.as_ref().map(Vec::as_slice), &settings);
    let out = PyDict::new(py);
    out.set_item("mauve", values.mauve)?;
    out.set_item("mauve_star", values.mauve_star)?;
    out.set_item("frontier_integral", values.frontier_integral)?;
    out.set_item("frontier_integral_star", values.frontier_integral_star)?;
    let points = frontier.points();
    let flat: Vec<f64> = points.iter().flat_map(|&(x, y)| [x, y]).collect();
    out.set_item("divergence_curve", PyArray1::from_vec(py, flat).reshape([points.len(), 2])?)?;
    out.set_item("num_buckets", sides.reference.len())?;
    out.set_item("p_hist", PyArray1::from_vec(py, bins.reference))?;
    out.set_item("q_hist", PyArray1::from_vec(py, bins.model))?;
    Ok(out)
}

/// MAUVE of two arrays at mauve-text's settings.
#[pyfunction]
#[pyo3(signature = (
    reference, samples, clusters=None, explained=0.9, redos=5, iterations=500, scaling=5.0, weights=25, seed=0,
    fit_rows=None, threads=None
))]
#[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
fn mauve_of_rows<'py>(
    py: Python<'py>,
    reference: &Bound<'_, PyAny>,
    samples: &Bound<'_, PyAny>,
    clusters: Option<usize>,
    explained: f64,
    redos: usize,
    iterations: usize,
    scaling: f64,
    weights: usize,
    seed: u64,
    fit_rows: Option<usize>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let sets = arrays::sides(reference, samples)?;
    let bins = Bins { clusters, explained, redos, iterations, seed, fit_rows };
    let counted = work(py, threads, || bins.counted(sets.as_ref()))?
        .map_err(|error| errors::raised(&error))?;
    of_counts(py, counted.as_ref().map(Vec::as_slice), scaling, weights)
}

/// MAUVE of two histograms over the same bins.
#[pyfunction]
#[pyo3(signature = (reference, samples, scaling=5.0, weights=25))]
fn mauve_of_counts<'py>(
    py: Python<'py>,
    reference: Vec<u64>,
    samples: Vec<u64>,
    scaling: f64,
    weights: usize,
) -> PyResult<Bound<'py, PyDict>> {
    of_counts(py, Sides { reference: &reference, model: &samples }, scaling, weights)
}

/// The PR-curve of two distributions over the same bins: slopes, precision-like and recall-like coordinates.
#[pyfunction]
fn pr_curve<'py>(
    py: Python<'py>,
    reference: Vec<f64>,
    samples: Vec<f64>,
    lambdas: Vec<f64>,
) -> PyResult<[Bound<'py, PyArray1<f64>>; 3]> {
    let lambdas = match lambdas.is_empty() {
        true => curve::sajjadi_lambdas(1001),
        false => lambdas,
    };
    if reference.len() != samples.len() {
        let (n, m) = (reference.len(), samples.len());
        return Err(errors::wrong(format!(
            "reference has {n} bins and samples {m}; both are shares of the same bins"
        )));
    }
    let of = |name: &str, shares: &[f64]| -> PyResult<Vec<f64>> {
        let total: f64 = shares.iter().sum();
        match shares.iter().all(|share| *share >= 0.0) && total > 0.0 && total.is_finite() {
            true => Ok(shares.iter().map(|share| share / total).collect()),
            false => Err(errors::wrong(format!(
                "{name}: shares are numbers from 0 up, of which one is more"
            ))),
        }
    };
    let (p, q) = (of("reference", &reference)?, of("samples", &samples)?);
    let points = curve::pr_curve(Sides { reference: &p, model: &q }, &lambdas);
    let column = |f: fn(&curve::Point) -> f64| PyArray1::from_iter(py, points.iter().map(f));
    Ok([column(|at| at.lambda), column(|at| at.alpha), column(|at| at.beta)])
}
