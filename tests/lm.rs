//! The language models: parity with reference values, independence of the batch, exact distributions.
#![cfg(feature = "lm")]

#[path = "lm/checkpoints.rs"]
mod checkpoints;
mod common;
#[path = "lm/embed.rs"]
mod embed;
#[path = "lm/faults.rs"]
mod faults;
#[path = "lm/generate.rs"]
mod generate;
#[path = "lm/golden.rs"]
mod golden;
#[path = "lm/likelihood.rs"]
mod likelihood;
#[path = "lm/toy.rs"]
mod toy;
