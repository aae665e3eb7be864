//! What is needed to read a number: its interval, its ceiling, its p-value, and how it would move
//! with more texts.
//!
//! Nothing here draws with replacement: a repeated row has a neighbor at distance 0, which
//! shrinks every radius, and a bootstrap of a neighbor-based measure is off by several of its own
//! standard deviations.

mod interval;
mod line;
mod multiple;
mod null;
mod permute;
mod rarefaction;

pub use interval::{Interval, Subsample, interval, subsample};
pub(crate) use line::smoothed;
pub use multiple::{benjamini_hochberg, holm};
pub use null::{carried_on, frechet_null};
pub use permute::{Tail, p_value, relabel};
pub use rarefaction::{coverage_at, richness_beyond};
