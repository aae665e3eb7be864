//! Which setting keeps the requirements and reaches most, and how sure that is.

pub mod race;
pub mod record;
mod smooth;
pub mod wish;
