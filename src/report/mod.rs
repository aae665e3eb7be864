//! Records of a sweep and what is made of them: tables, CSV, JSON, figures, one page.

pub mod browse;
pub mod figure;
pub mod figures;
pub mod number;
pub mod overview;
pub mod page;
#[cfg(feature = "png")]
pub mod png;
pub mod record;
pub mod results;
pub mod score;
pub mod sentences;
pub mod tracking;
pub mod trail;
