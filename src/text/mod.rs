//! Texts: where they come from and what a model is asked to write.

pub mod grammar;
