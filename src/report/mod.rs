//! Records of a sweep and what is made of them: tables, CSV, JSON, figures, one page.

pub mod attribution;
pub mod browse;
pub mod entry;
pub mod figure;
pub mod figures;
pub mod lm_eval;
pub mod markdown;
pub mod methods;
pub mod number;
pub mod overview;
pub mod page;
#[cfg(feature = "parquet")]
pub mod parquet;
#[cfg(feature = "png")]
pub mod png;
pub mod recommend;
pub mod record;
pub mod results;
pub mod schema;
pub mod score;
pub mod sentences;
pub mod texts;
pub mod topics;
pub mod tracking;
pub mod trail;
pub mod votes;
