//! Decoding settings and the sampler chain over one row of logits.

mod chain;
pub mod knobs;
mod row;
mod select;
mod stage;

pub use chain::{Chain, Pick};
pub use row::Scratch;
pub use stage::Stage;

use serde::{Deserialize, Serialize};

/// Why decoding settings are refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum DecodeError {
    /// A setting outside its range.
    #[error("{name} = {value} is outside {allowed}")]
    OutOfRange { name: &'static str, value: f64, allowed: &'static str },
    /// A logit is NaN.
    #[error(
        "the logit of token {token} is NaN; the model's weights or its number type are at fault"
    )]
    NanLogit { token: usize },
    /// A logit is +∞.
    #[error("the logit of token {token} is infinite; it overflowed in the model's number type")]
    InfiniteLogit { token: usize },
    /// Every logit is −∞.
    #[error("all {vocabulary} logits are −∞, so no token can be drawn")]
    NoToken { vocabulary: usize },
    /// The repetition penalty was given a token that has no logit.
    #[error("token {token} of the context is outside the vocabulary of {vocabulary}")]
    UnknownToken { token: u32, vocabulary: usize },
}

/// How a token is drawn from logits. Stages left out are neutral, never a hidden default.
///
/// These are settings as written; [`Chain::new`] is the door at which they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decoding {
    /// `T ≥ 0`; 0 is argmax.
    pub temperature: f64,
    /// Keep the `k` most probable tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Keep the fewest tokens that hold this share of the renormalized mass; in `(0, 1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Keep tokens at least this share as probable as the most probable; in `[0, 1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Keep the most typical tokens that hold this share of the mass; in `(0, 1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typical_p: Option<f64>,
    /// Divides positive and multiplies negative logits of tokens seen before; `> 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    /// Keep tokens whose logit is at most this many standard deviations of the logits below the greatest;
    /// `> 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_n_sigma: Option<f64>,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: None,
            min_p: None,
            typical_p: None,
            repetition_penalty: None,
            top_n_sigma: None,
        }
    }
}
