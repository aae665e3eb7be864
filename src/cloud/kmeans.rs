//! k-means by matrix products: Lloyd's iteration to the end, best of several starts.

mod bounds;
mod points;
mod run;
mod spread;

use points::{Centers, Nearest, Points};
use rayon::prelude::*;
use run::Run;

use super::{MetricError, space::Rows};
use crate::{data::matrix::Matrix, rng};

/// Rows that are taken at a time. Weights are summed by block, so what a seed draws depends on it.
const BLOCK: usize = 512;

/// Multiply-adds of an iteration up to which clusterings are found side by side: what threads would share of one
/// takes less time than waking them.
const SIDE_BY_SIDE: usize = 1 << 22;

/// How to cluster: the settings of `mauve-text` (faiss), but for the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KMeansOptions {
    /// Number of clusters.
    pub clusters: usize,
    /// Starts, of which the best is kept; where there is much to compute, the best after a few iterations.
    pub redos: usize,
    /// Most iterations of a start; one whose assignments stand still has ended before.
    pub iterations: usize,
    /// Centers are trained on at most this many rows each, drawn at random; `None` takes all rows.
    pub rows_per_cluster: Option<usize>,
    /// How a start chooses its centers.
    pub start: Start,
    /// Of the starts and of the rows to train on.
    pub seed: u64,
}

/// How a start chooses its centers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Different rows, each as likely as any other.
    Rows,
    /// Rows far from those chosen before, with a chance in proportion to the squared distance
    /// (k-means++): among copies it finds clusters that [`Start::Rows`] misses.
    #[default]
    Spread,
}

impl KMeansOptions {
    /// The defaults for this many clusters: 5 starts, 500 iterations, 256 rows per cluster, seed 0.
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters,
            redos: 5,
            iterations: 500,
            rows_per_cluster: Some(256),
            start: Start::Spread,
            seed: 0,
        }
    }
}

/// Rows in clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// Per row: its cluster, that of the nearest center; the lower index on ties. Equal rows share one.
    pub labels: Vec<u32>,
    /// One center per cluster. Where distinct rows are fewer than clusters, the last ones are empty.
    pub centers: Matrix,
    /// Sum over all rows of the squared distance to the center.
    pub inertia: f64,
    /// Iterations of the start that was kept.
    pub iterations: usize,
}

/// Clusters `rows`; the same for any number of threads.
///
/// # Errors
///
/// [`MetricError::Clusters`] for no clusters or more than rows.
///
/// # Cost and sources
///
/// `O(n clusters d)` for the starts and an iteration, in matrix products over distinct rows; a tenth of it and less for further
/// iterations, in which only pairs are computed that bounds from before do not rule out (4 bytes a pair, at most 128 MiB).
/// Lloyd 1982; starts: Arthur & Vassilvitskii 2007; bounds: Elkan 2003.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::kmeans::KMeansOptions;
/// # use llmpr::cloud::kmeans::kmeans;
/// let rows = Matrix::new(1, vec![0.0, 1.0, 10.0, 11.0]).unwrap();
/// let clusters = kmeans(&rows, &KMeansOptions::new(2))?;
/// assert_eq!(clusters.labels[0], clusters.labels[1]);
/// assert_ne!(clusters.labels[1], clusters.labels[2]);
/// assert_eq!(clusters.inertia, 1.0); // four rows, each ½ from its center: 4 · ¼
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn kmeans(rows: &Matrix, options: &KMeansOptions) -> Result<KMeans, MetricError> {
    check(rows.rows(), options.clusters)?;
    let all = Rows::alone(rows);
    clustered(&all, &Points::new(&all), options)
}

/// [`kmeans`] of the same rows under each of `seeds`.
pub(crate) fn of_seeds(
    rows: &Matrix,
    options: &KMeansOptions,
    seeds: &[u64],
) -> Result<Vec<KMeans>, MetricError> {
    check(rows.rows(), options.clusters)?;
    let all = Rows::alone(rows);
    let points = Points::new(&all);
    let one = |&seed: &u64| clustered(&all, &points, &KMeansOptions { seed, ..*options });
    let multiply_adds = points.len().saturating_mul(points.cols()).saturating_mul(options.clusters);
    match multiply_adds <= SIDE_BY_SIDE {
        true => seeds.par_iter().map(one).collect(),
        false => seeds.iter().map(one).collect(),
    }
}

fn check(n: usize, clusters: usize) -> Result<(), MetricError> {
    match clusters == 0 || clusters > n {
        true => Err(MetricError::Clusters { clusters, n }),
        false => Ok(()),
    }
}

/// Clusters the rows of `all`, which are `points`.
fn clustered(all: &Rows, points: &Points, options: &KMeansOptions) -> Result<KMeans, MetricError> {
    let (n, clusters) = (all.matrix().rows(), options.clusters);
    let limit = options.rows_per_cluster.map_or(n, |each| each.max(1).saturating_mul(clusters));
    let chosen = (n > limit).then(|| {
        let mut order: Vec<usize> = (0..n).collect();
        rng::shuffle(&mut rng::named(options.seed, "k-means rows"), &mut order);
        order.truncate(limit);
        order.sort_unstable();
        all.part(&order, None)
    });
    let some = chosen.as_ref().map(Points::new);
    let training = some.as_ref().unwrap_or(points);

    let trial = trial(training, clusters).min(options.iterations.max(1));
    let rngs = (0..options.redos.max(1))
        .map(|redo| rng::named(options.seed, &format!("k-means start {redo}")));
    let starts = Run::starts(training, options, rngs.collect()).map(|mut run| {
        run.iterate(trial);
        run
    });
    let best = starts.reduce(|best, run| if run.inertia < best.inertia { run } else { best });
    let Some(mut best) = best else {
        return Err(MetricError::Clusters { clusters, n });
    };
    best.iterate(options.iterations.saturating_sub(trial));
    let d = points.cols();
    let values: Vec<f64> =
        best.centers.chunks_exact(d).flat_map(|center| all.unscaled(center)).collect();
    let (labels, inertia) = if chosen.is_some() {
        let centers = Centers::new(&best.centers, d);
        let labels = labels(&points.nearest(0..points.len(), &centers, &mut []));
        let inertia = points.inertia(&labels, &best.centers);
        (labels, inertia)
    } else {
        (labels(&best.assigned), best.inertia)
    };
    Ok(KMeans {
        labels: all.distinct.spread(&labels),
        centers: Matrix::from_f64(d, &values)?,
        inertia,
        iterations: best.iterations,
    })
}

/// Iterations of a start before the best of them goes on alone: to its end where that is cheap, and at least
/// one. Among few rows starts end several percent apart, whatever the first iterations say; the more rows and
/// clusters there are, the less they differ.
fn trial(points: &Points, clusters: usize) -> usize {
    const MULTIPLY_ADDS: usize = 1_500_000_000;
    let one = points.len().saturating_mul(points.cols()).saturating_mul(clusters);
    (MULTIPLY_ADDS / one.max(1)).max(1)
}

fn labels(assigned: &[Nearest]) -> Vec<u32> {
    assigned.iter().map(|&(label, _)| label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(xs: &[f32]) -> Matrix {
        Matrix::new(1, xs.to_vec()).unwrap()
    }

    #[test]
    fn separate_groups_are_found_with_their_means() {
        let rows = line(&[0.0, 100.0, 1.0, 101.0, 50.0, 2.0]);
        for start in [Start::Rows, Start::Spread] {
            let options = KMeansOptions { start, ..KMeansOptions::new(3) };
            let found = kmeans(&rows, &options).unwrap();
            let l = &found.labels;
            assert!(l[0] == l[2] && l[2] == l[5] && l[1] == l[3] && l[0] != l[1] && l[4] != l[0]);
            assert!((found.inertia - 2.5).abs() < 1e-6, "{found:?}");
            assert!((found.centers.row(l[0] as usize)[0] - 1.0).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn equal_rows_share_a_cluster_even_where_clusters_are_plenty() {
        let found = kmeans(&line(&[3.0, 3.0, 3.0, 7.0, 7.0]), &KMeansOptions::new(4)).unwrap();
        assert!(found.labels[..3].iter().all(|&label| label == found.labels[0]));
        assert_ne!(found.labels[0], found.labels[3]);
        assert_eq!(found.inertia, 0.0);
        assert_eq!(kmeans(&line(&[5.0; 4]), &KMeansOptions::new(2)).unwrap().labels, [0; 4]);
    }

    #[test]
    fn a_seed_decides_and_training_rows_may_be_fewer() {
        let rows = line(&(0..400).map(|i| (i * i % 1009) as f32).collect::<Vec<_>>());
        let options = KMeansOptions { rows_per_cluster: Some(20), ..KMeansOptions::new(5) };
        let found = kmeans(&rows, &options).unwrap();
        assert_eq!(found, kmeans(&rows, &options).unwrap());
        assert_eq!(found.labels.len(), 400);
        let other = KMeansOptions { seed: 1, ..options };
        assert_ne!(found.centers, kmeans(&rows, &other).unwrap().centers);
    }

    #[test]
    fn clusters_are_at_most_as_many_as_rows() {
        let error = kmeans(&line(&[1.0]), &KMeansOptions::new(2)).unwrap_err();
        assert_eq!(error.to_string(), "2 clusters were asked for; 1 rows have 1 to 1");
    }
}
