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
}
