//! What holds for every input.

#[path = "properties/clouds.rs"]
mod clouds;
#[path = "properties/intervals.rs"]
mod intervals;
#[path = "properties/invariance.rs"]
mod invariance;
