//! Decoding settings and the sampler chain over one row of logits.

mod chain;
pub mod knobs;
mod past;
mod row;
mod select;
mod stage;
pub mod tempered;

pub use chain::{Chain, Pick};
pub use past::Past;
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
    /// A setting of two that only work together.
    #[error("{name} = {value} has no effect without {needs}; set both or neither")]
    Alone { name: &'static str, value: f64, needs: &'static str },
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
    /// A stage that reads the past was given a token that has no logit.
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
    /// Keep tokens of at least this probability; in `(0, 1)`. See [`Stage::EpsilonCutoff`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon_cutoff: Option<f64>,
    /// The same, falling with the entropy; in `(0, 1)`. See [`Stage::EtaCutoff`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_cutoff: Option<f64>,
    /// 1 keeps tokens at least as probable as two draws are to agree. See [`Stage::PLess`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_less: Option<usize>,
    /// Surprise that mirostat 2 steers to, bits; `> 0`. See [`Stage::Mirostat`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirostat_tau: Option<f64>,
    /// How fast it steers; in `(0, 1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirostat_eta: Option<f64>,
    /// Probability with which the most probable tokens are left out; in `(0, 1]`. See [`Stage::Xtc`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xtc_probability: Option<f64>,
    /// Probability from which on they are that; in `(0, 0.5]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xtc_threshold: Option<f64>,
    /// How far the temperature moves to either side; `> 0`. See [`Stage::DynamicTemperature`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynatemp_range: Option<f64>,
    /// Power of the entropy by which it moves; `> 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynatemp_exponent: Option<f64>,
    /// Lowers a logit for every time its token was drawn; in `[−2, 2]`. See [`Stage::FrequencyPenalty`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Lowers logits of tokens that were drawn, once; in `[−2, 2]`. See [`Stage::PresencePenalty`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Runs of so many tokens are written once; `≥ 1`. See [`Stage::NoRepeatNgram`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_repeat_ngram_size: Option<usize>,
    /// Lowers the logits of tokens that make a repetition longer; `> 0`. See [`Stage::Dry`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_multiplier: Option<f64>,
    /// Factor for every token more; `≥ 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_base: Option<f64>,
    /// Longest repetition that is not minded; `≥ 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_allowed_length: Option<usize>,
}

impl Decoding {
    /// With what shapes a setting that is on as its authors have it, where it is not given: so every record says it.
    pub fn completed(mut self) -> Self {
        for knob in knobs::KNOBS {
            if let Some(knobs::Shapes { of, usual }) = &knob.shapes
                && of.get(&self).is_some()
                && knob.get(&self).is_none()
            {
                knob.set(&mut self, *usual);
            }
        }
        self
    }
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
            epsilon_cutoff: None,
            eta_cutoff: None,
            p_less: None,
            mirostat_tau: None,
            mirostat_eta: None,
            xtc_probability: None,
            xtc_threshold: None,
            dynatemp_range: None,
            dynatemp_exponent: None,
            frequency_penalty: None,
            presence_penalty: None,
            no_repeat_ngram_size: None,
            dry_multiplier: None,
            dry_base: None,
            dry_allowed_length: None,
        }
    }
}
