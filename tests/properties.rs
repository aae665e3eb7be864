//! What holds for every input.

#[path = "properties/clouds.rs"]
mod clouds;
