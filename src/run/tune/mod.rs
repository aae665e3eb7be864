//! Which setting keeps the requirements and reaches most, and how sure that is.

pub mod mix;
pub mod mixtures;
pub mod race;
pub mod record;
pub mod wish;
pub mod words;
