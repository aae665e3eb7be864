//! What is measured and how.

use crate::{
    cli::layer::options,
    cloud::neighbors::Ties,
    score::{Clusters, Metrics, Normalize, Reduce, ScoreOptions, Unequal},
};

options! {
    /// The space of the rows, and what is near in it.
    pub struct SpaceFlags {
        /// Rank of the neighbor that sets a radius
        #[arg(long, value_name = "K")]
        pub k: Option<usize>,
        /// Principal components kept: a share of the variance, a number, or none
        #[arg(long, value_name = "0.9|N|none")]
        pub pca: Option<Reduce>,
        /// How rows are scaled before the reduction: to length 1, or not at all
        #[arg(long, value_name = "l2|none")]
        pub normalize: Option<Normalize>,
    }
}

options! {
    /// Settings of a score, the seed aside.
    pub struct ScoreFlags {
        #[command(flatten)]
        pub space: SpaceFlags,
        /// Whether a point exactly on a radius is outside or inside
        #[arg(long, value_name = "strict|inclusive")]
        pub ties: Option<Ties>,
        /// Draw the larger set down to the smaller one's size, or keep all rows
        #[arg(long, value_name = "subsample|keep")]
        pub unequal: Option<Unequal>,
        /// Measures by name, such as precision,recall,mauve, and families of them: support, frontier, curve,
        /// divergence, moments, diversity, ratio, or all (these and extra)
        #[arg(long, value_name = "LIST|all")]
        pub metrics: Option<Metrics>,
        /// Clusters of a quantization; auto is n/10 for MAUVE and 20 for curves and divergences
        #[arg(long, value_name = "auto|N")]
        pub clusters: Option<Clusters>,
        /// MAUVE's exponent c
        #[arg(long, value_name = "C")]
        pub scaling: Option<f64>,
        /// Slopes at which the PR-curve is reported
        #[arg(long, value_delimiter = ',', value_name = "LIST")]
        pub lambdas: Option<Vec<f64>>,
        /// Half-samples behind each interval; 0 for none. Costly measures use fewer, down to 20, and
        /// the signature says so
        #[arg(long, value_name = "N")]
        pub resamples: Option<usize>,
        /// Random relabelings behind each p-value; 0 for none
        #[arg(long, value_name = "N")]
        pub permutations: Option<usize>,
    }
}

impl SpaceFlags {
    /// `usual` with what is given.
    pub fn over(self, usual: ScoreOptions) -> ScoreOptions {
        ScoreOptions {
            k: self.k.unwrap_or(usual.k),
            pca: self.pca.unwrap_or(usual.pca),
            normalize: self.normalize.unwrap_or(usual.normalize),
            ..usual
        }
    }
}

impl ScoreFlags {
    /// `usual` with what is given.
    pub fn over(self, usual: ScoreOptions) -> ScoreOptions {
        let usual = self.space.over(usual);
        ScoreOptions {
            ties: self.ties.unwrap_or(usual.ties),
            unequal: self.unequal.unwrap_or(usual.unequal),
            metrics: self.metrics.unwrap_or(usual.metrics),
            clusters: self.clusters.unwrap_or(usual.clusters),
            scaling: self.scaling.unwrap_or(usual.scaling),
            lambdas: self.lambdas.unwrap_or(usual.lambdas),
            resamples: self.resamples.unwrap_or(usual.resamples),
            permutations: self.permutations.unwrap_or(usual.permutations),
            ..usual
        }
    }
}

/// What leaving out a flag of a score means where `usual` is usual.
pub fn score_defaults(usual: &ScoreOptions) -> super::Defaults {
    let lambdas: Vec<String> = usual.lambdas.iter().map(f64::to_string).collect();
    vec![
        ("k", usual.k.to_string()),
        ("pca", usual.pca.to_string()),
        ("normalize", usual.normalize.to_string()),
        ("ties", usual.ties.to_string()),
        ("unequal", usual.unequal.to_string()),
        ("metrics", usual.metrics.to_string()),
        ("clusters", usual.clusters.to_string()),
        ("scaling", usual.scaling.to_string()),
        ("lambdas", lambdas.join(",")),
        ("resamples", usual.resamples.to_string()),
        ("permutations", usual.permutations.to_string()),
    ]
}
