//! A sweep from its grid to its results: the plan, the run folder, execution and resume.

pub mod folder;
pub mod lock;
pub mod plan;
pub mod progress;
pub mod prompts;
pub mod range;
pub mod signals;
pub mod store;
