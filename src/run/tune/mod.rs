//! Which setting keeps the requirements and reaches most, and how sure that is.

pub mod race;
pub mod record;
pub mod wish;
