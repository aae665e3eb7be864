//! Measures: pure functions over two clouds of rows, over histograms, or over token ids.

pub mod alpha;
pub mod authenticity;
pub mod clipped;
pub mod cover;
pub mod curve;
pub mod divergence;
pub mod envelope;
pub mod extrapolated;
pub mod frechet;
pub mod frontier;
pub mod histogram;
pub mod inception;
pub mod kernel;
pub mod likelihood;
pub mod mixture;
pub mod ngram;
pub mod nn_accuracy;
pub mod nulls;
pub mod prdc;
pub mod probabilistic;
pub mod ratio;
pub mod realism;
pub mod reference_nll;
pub mod rejection;
pub mod repetition;
pub mod self_bleu;
pub mod sliced;
pub mod spec;
pub mod support;
pub mod topological;
pub mod vendi;
pub mod within;
pub mod zipf;

/// Where version 0.1 had these; they go on being found here for one more version.
#[doc(hidden)]
pub use crate::{
    cloud::{Clouds, MetricError, neighbors},
    score,
};
