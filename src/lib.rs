//! `llmpr` tells how good and how diverse a language model's texts are, as two separate numbers.
//!
//! A cloud of generated texts `Q` is held against a cloud of reference texts `P`: precision is the
//! share of `Q` that lies in the support of `P`, recall the share of `P` that lies in the support
//! of `Q`.
//!
//! ```text
//! Task ─▶ Prompt ─┐
//!       Decoding ─┼─▶ Completion ─▶ Text (Q) ─┐
//!  Lm + Draw ─────┘                           ├─▶ Sides<Matrix> ─▶ Clouds ─▶ Prdc, PrCurve, … ─▶ Score ─▶ tables, figures
//!  reference.jsonl ──────────▶ Text (P) ──────┘
//! ```
//!
//! # The pipeline
//!
//! Texts become rows, rows become measures, and a measure is read beside its ceiling. Here a grammar writes the texts
//! and the counts of their letters are the rows; with feature `lm` models do both.
//!
//! ```
//! use llmpr::data::matrix::Matrix;
//! use llmpr::score::{ScoreOptions, score};
//! use llmpr::report::score::table;
//! use llmpr::data::sides::Sides;
//! use llmpr::text::grammar::Grammar;
//!
//! // People write biographies of everybody; the model never writes one of a painter.
//! let people = Grammar::drawn("synthetic-bio?n=150&seed=1")?;
//! let model = Grammar::drawn("synthetic-bio?n=150&seed=2&drop=job=painter")?;
//! let letters = |text: &String| {
//!     let count = |letter: char| text.chars().filter(|&c| c == letter).count() as f32;
//!     ('a'..='z').map(count).collect::<Vec<f32>>()
//! };
//! let rows = |texts: &Vec<String>| Matrix::new(26, texts.iter().flat_map(letters).collect());
//! let sets = Sides { reference: rows(&people)?, model: rows(&model)? };
//! let options = ScoreOptions { resamples: 20, permutations: 99, ..ScoreOptions::default() };
//! let score = score(sets.as_ref(), None, None, &options)?;
//!
//! let recall = &score.metrics["recall"];
//! assert!(recall.low.unwrap() <= recall.value && recall.value <= recall.high.unwrap());
//! println!("{}", table(&score, false)); // every measure with its interval and ceiling
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go on
//!
//! - One measure: [`metric`] holds a file for each, with its formula, cost, sources and an example.
//! - All measures with intervals, ceilings, p-values and warnings: [`score`].
//! - A sweep from code: [`run`], and `examples/sweep_from_code.rs`.
//! - To add a measure, a sampling setting, a family of models, a figure, a warning, a format or a flag:
//!   [`guide::architecture`] says which files, and which test holds them.
//!
//! # Features
//!
//! `lm` (models, by candle), `cli` (the program), `parquet` and `png` are on by default, `cuda` is not. Without any of
//! them every measure is there, and nothing reaches for a network or a device.

pub mod cloud;
pub mod data;
pub mod decode;
#[cfg(feature = "lm")]
pub mod lm;
pub mod math;
pub mod metric;
pub mod npy;
pub mod report;
pub mod rng;
pub mod run;
pub mod score;
#[cfg(test)]
mod shared_data;
pub mod text;

#[cfg(feature = "cli")]
pub mod cli;

/// Where version 0.1 had these; they go on being found there for one more version.
#[doc(hidden)]
pub use {
    cloud::pca,
    data::{matrix, rows, sides, signature},
};

/// Pages of the repository, so that they are found here, too.
pub mod guide {
    /// [decisions.md]: crate::guide::decisions
    /// [measures.md]: crate::metric
    /// [warnings.md]: crate::score::warnings
    #[doc = include_str!("../docs/architecture.md")]
    pub mod architecture {}

    #[doc = include_str!("../docs/decisions.md")]
    pub mod decisions {}

    #[doc = include_str!("../CHANGELOG.md")]
    pub mod changelog {}
}
