//! Measures on distributions whose values are known by formula.

#[path = "closed_form/curves.rs"]
mod curves;
