//! `P` against `Q`: every measure that is asked for, with what is needed to read it.
//!
//! A score has a value per measure, and beside it an interval (subsamples without replacement), a
//! ceiling (the reference against itself at these sizes) and a p-value (exchanged labels); the curves
//! behind the values; and warnings where a value misleads. What each number means is said where it is
//! computed; how it was computed stands in the signature.

mod asked;
mod bounds;
pub mod calibrate;
pub mod catalog;
mod choices;
mod cloud_rows;
mod clouds;
mod clusters;
mod copies;
mod curve;
mod divergence;
mod diversity;
mod draws;
mod error;
mod estimate;
pub mod evidence;
mod exchange;
mod extra;
mod family;
mod frontier;
mod growth;
mod histograms;
mod inception;
mod likelihood;
mod metrics;
mod moments;
pub(super) mod options;
mod over_bins;
mod paired;
pub mod permutation;
pub mod plan;
mod prepare;
mod quantized;
mod ratio;
pub mod record;
pub mod selftest;
mod support;
mod table;
mod texts;
mod values;
pub(crate) mod warning_code;
pub mod warnings;
mod words;

#[cfg(test)]
mod tests;

pub use clouds::score;
pub use error::ScoreError;
pub use histograms::score_histograms;
pub use likelihood::{LikelihoodText, score_likelihood};
pub use metrics::Metrics;
pub use options::{Clusters, Family, Normalize, OptionsError, Reduce, ScoreOptions, Unequal};
pub use paired::{Spread, paired_spreads};
pub use prepare::{enough_rows, prepared_clouds};
pub use texts::TextFacts;
pub use values::{Values, values_of_parts};
