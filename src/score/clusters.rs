//! Partitions of both sets by k-means, and what is read from their centers.

use rayon::prelude::*;

use super::{
    Clusters, ScoreError, ScoreOptions,
    quantized::{Partition, Partitions},
};
use crate::{
    cloud::{
        Clouds,
        kmeans::{self, KMeans, KMeansOptions},
    },
    data::{matrix::Matrix, sides::Sides},
    math::lanes::squared_difference,
    metric::{
        frontier::{SOUND_CLUSTERINGS, SOUND_CLUSTERS, auto_clusters},
        inception::inception_score,
    },
};

/// Clusterings that a frontier is averaged over: one start decides as much as fresh texts do.
pub(super) const FRONTIER_CLUSTERINGS: u64 = 5;

/// Several clusterings of both sets together.
pub(super) struct Clustering {
    clusters: usize,
    pub partitions: Partitions,
    /// The first of them, with its centers.
    first: KMeans,
}

/// Which measures the clusters are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// MAUVE and the frontier integral.
    Frontier,
    /// The PR-curve and divergences.
    Curve,
}

impl Clustering {
    /// Clusters both sets together, under several seeds.
    pub fn of(
        clouds: Clouds<'_>,
        purpose: Purpose,
        options: &ScoreOptions,
    ) -> Result<Self, ScoreError> {
        let Sides { reference: n, model: m } = clouds.sides().map(Matrix::rows);
        let asked = match (options.clusters, purpose) {
            (Clusters::Fixed(clusters), _) => clusters,
            (Clusters::Auto, Purpose::Frontier) => auto_clusters(n, m),
            (Clusters::Auto, Purpose::Curve) => SOUND_CLUSTERS,
        };
        let clusters = asked.min(n + m);
        let clusterings = match purpose {
            Purpose::Frontier => FRONTIER_CLUSTERINGS,
            Purpose::Curve => SOUND_CLUSTERINGS,
        };
        let pooled = clouds.reference().stack(clouds.model());
        let defaults = KMeansOptions::new(clusters);
        // Ten clusterings are averaged for curves; the best of two starts each is enough.
        let redos = if purpose == Purpose::Curve { 2 } else { defaults.redos };
        let seeds: Vec<u64> =
            (0..clusterings).map(|i| options.seed.wrapping_mul(1000).wrapping_add(i)).collect();
        let mut found = kmeans::of_seeds(&pooled, &KMeansOptions { redos, ..defaults }, &seeds)?;
        let partition = |clustering: &KMeans| {
            let (reference, model) = clustering.labels.split_at(n);
            let labels = Sides { reference: reference.to_vec(), model: model.to_vec() };
            Partition::new(labels, clusters)
        };
        let partitions = Partitions(found.iter().map(partition).collect::<Result<_, _>>()?);
        Ok(Self { clusters, partitions, first: found.swap_remove(0) })
    }

    /// How many clusters in how many clusterings, for the signature.
    pub fn fact(&self) -> String {
        format!("{}x{}", self.clusters, self.partitions.0.len())
    }

    /// Soft membership of `rows` in the first clustering: `p(c|x) ∝ exp(−‖x − c‖²/2σ²)`, `σ²` the mean
    /// squared distance to a center per dimension. One distribution over the centers for each row.
    pub fn memberships(&self, rows: &Matrix, pooled_rows: usize) -> Memberships {
        let KMeans { centers, inertia, .. } = &self.first;
        let d = rows.cols().max(1) as f64;
        let variance = inertia / (pooled_rows as f64 * d);
        let of_row = |i: usize| {
            let row = rows.row(i);
            let squared: Vec<f64> =
                centers.iter_rows().map(|center| squared_difference(row, center)).collect();
            let least = squared.iter().copied().fold(f64::INFINITY, f64::min);
            let weight = |squared: f64| match variance > 0.0 {
                true => (-(squared - least) / (2.0 * variance)).exp(),
                // Every row is a center; equal centers share it.
                false => f64::from(squared <= least),
            };
            let weights: Vec<f64> = squared.into_iter().map(weight).collect();
            let total: f64 = weights.iter().sum();
            weights.into_iter().map(move |weight| weight / total)
        };
        let probabilities = (0..rows.rows()).into_par_iter().flat_map_iter(of_row).collect();
        Memberships { probabilities, clusters: centers.rows() }
    }
}

/// A distribution over clusters for each row.
pub(super) struct Memberships {
    probabilities: Vec<f64>,
    clusters: usize,
}

impl Memberships {
    /// The inception score of all rows, with its marginal and its conditional entropy.
    pub fn inception(&self) -> [f64; 3] {
        inception_of(&self.probabilities, self.clusters)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.probabilities.len() / self.clusters.max(1)
    }

    /// Some rows.
    pub fn of_rows(&self, rows: &[usize]) -> Self {
        let at = |&row: &usize| &self.probabilities[row * self.clusters..][..self.clusters];
        let probabilities = rows.iter().flat_map(at).copied().collect();
        Self { probabilities, clusters: self.clusters }
    }
}

fn inception_of(probabilities: &[f64], clusters: usize) -> [f64; 3] {
    match inception_score(probabilities, clusters, 1) {
        Ok(score) => [score.mean, score.marginal_entropy, score.conditional_entropy],
        Err(_) => [f64::NAN; 3],
    }
}
