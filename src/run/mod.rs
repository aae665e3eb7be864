//! A sweep from its grid to its results: the plan, the run folder, execution and resume.

#[cfg(feature = "lm")]
pub mod execute;
#[cfg(feature = "lm")]
pub mod features;
pub mod folder;
pub mod lock;
#[cfg(feature = "lm")]
pub mod models;
pub mod plan;
pub mod progress;
pub mod prompts;
pub mod publish;
pub mod range;
#[cfg(feature = "lm")]
pub mod sampling;
#[cfg(feature = "lm")]
pub mod scoring;
#[cfg(feature = "lm")]
pub mod settings;
pub mod signals;
pub mod store;
#[cfg(feature = "lm")]
pub mod sweep;
pub mod truth;
#[cfg(feature = "lm")]
pub mod world;
