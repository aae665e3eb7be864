//! Decoding settings and the sampler chain over one row of logits.

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
    #[error("logit {token} is NaN")]
    NanLogit { token: usize },
}

/// How a token is drawn from logits. Stages left out are neutral, never a hidden default.
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
        }
    }
}
