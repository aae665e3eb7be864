//! `P` against `Q`: every measure that is asked for, with what is needed to read it.

pub mod catalog;
mod options;
mod texts;

pub use options::{
    Clusters, Families, Family, Normalize, OptionsError, Reduce, ScoreOptions, Unequal,
};
pub use texts::TextFacts;
