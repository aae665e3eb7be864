//! A sweep from its grid to its results: the plan, the run folder, execution and resume.

pub mod folder;
pub mod lock;
#[cfg(feature = "lm")]
pub mod models;
pub mod plan;
pub mod progress;
pub mod prompts;
pub mod range;
#[cfg(feature = "lm")]
pub mod sampling;
#[cfg(feature = "lm")]
pub mod settings;
pub mod signals;
pub mod store;
pub mod truth;
