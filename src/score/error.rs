//! Why there is no score.

use crate::{
    cloud::MetricError,
    data::sides::Side,
    metric::{histogram::HistogramError, likelihood::LikelihoodError},
};

/// Why two sides have no score.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum ScoreError {
    /// The sets cannot be compared.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The histograms cannot be compared.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    /// The log-probabilities give no curve.
    #[error(transparent)]
    Likelihood(#[from] LikelihoodError),
    /// The rows cannot be reduced.
    #[error(transparent)]
    Pca(#[from] crate::cloud::pca::PcaError),
    /// Texts and features do not belong together.
    #[error("the {side} side has {texts} texts and {rows} rows of features")]
    TextsWithoutRows { side: Side, texts: usize, rows: usize },
    /// No measure that was asked for can be computed from histograms.
    #[error(
        "histograms have the families frontier, curve and divergence; `{asked}` asks for none of them"
    )]
    NotOfHistograms { asked: String },
    /// A measure was asked for that likelihoods do not give.
    #[error(
        "{name} is not measured by likelihoods; these give precision, recall, mauve, frontier_integral and \
         the families curve and divergence without the smoothed ones"
    )]
    NotOfLikelihoods { name: &'static str },
    /// Measures of texts were asked for, and there are none.
    #[error(
        "{name} is measured on texts, and these are features alone: give the texts (.jsonl, .json, .txt, .csv) or \
         leave it out of --metrics"
    )]
    NotOfFeatures { name: &'static str },
    /// A measure over 20 clusters was asked for under another number of them.
    #[error(
        "{name} is measured over 20 clusters of --clusters auto, and {clusters} were asked for"
    )]
    NotOver20 { name: &'static str, clusters: usize },
}

impl ScoreError {
    /// The side whose rows are at fault, where it is one of them.
    pub fn side(&self) -> Option<Side> {
        match self {
            Self::Metric(MetricError::NoKthNeighbor { side, .. } | MetricError::Empty { side })
            | Self::TextsWithoutRows { side, .. } => Some(*side),
            _ => None,
        }
    }
}
