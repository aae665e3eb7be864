//! Records of a sweep and what is made of them: tables, CSV, JSON, figures, one page.

pub mod overview;
pub mod record;
pub mod results;
pub mod score;
