//! Measures against the values that the peers' own packages gave.
//!
//! The values lie beside the checkout, in `../shared/golden`; where that is absent the tests say so and pass.

#[path = "golden/case.rs"]
mod case;
#[path = "golden/read.rs"]
mod read;

#[path = "golden/clouds.rs"]
mod clouds;
#[path = "golden/families.rs"]
mod families;
#[path = "golden/histograms.rs"]
mod histograms;

#[path = "golden/classifiers.rs"]
mod classifiers;

#[path = "golden/choosing.rs"]
mod choosing;

#[path = "golden/text.rs"]
mod text;
