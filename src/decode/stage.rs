//! One step from logits to a sampling distribution.

use serde::{Deserialize, Serialize};

use super::{DecodeError, Decoding};

/// A stage of a [`super::Chain`]; each works on what the one before left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Divides positive and multiplies negative logits of tokens seen before, each token once;
    /// `> 0`, 1 is neutral.
    RepetitionPenalty(f64),
    /// Divides the logits; `≥ 0`, 0 leaves the most probable token alone (the lower of two).
    Temperature(f64),
    /// Keeps tokens at least as probable as the `k`-th most probable, so ties stay; `≥ 1`.
    TopK(usize),
    /// Keeps the fewest most probable tokens that hold this share of the mass (of two equal
    /// ones the lower goes first), at least one; in `(0, 1]`.
    TopP(f64),
    /// Keeps tokens at least this share as probable as the most probable; in `[0, 1]`.
    MinP(f64),
    /// Keeps the fewest tokens whose surprise is nearest to the entropy that hold this share of
    /// the mass, and those tied with the last; in `(0, 1]`.
    TypicalP(f64),
}

impl Stage {
    /// The stages of `decoding` in Hugging Face's order; neutral ones are left out.
    pub(super) fn in_order(decoding: &Decoding) -> Vec<Self> {
        [
            decoding.repetition_penalty.map(Self::RepetitionPenalty),
            Some(Self::Temperature(decoding.temperature)),
            decoding.top_k.map(Self::TopK),
            decoding.top_p.map(Self::TopP),
            decoding.min_p.map(Self::MinP),
            decoding.typical_p.map(Self::TypicalP),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Whether the setting is in its range.
    pub(super) fn check(self) -> Result<(), DecodeError> {
        let (name, value, allowed, inside) = match self {
            Self::RepetitionPenalty(x) => ("repetition_penalty", x, "(0, ∞)", x > 0.0),
            Self::Temperature(x) => ("temperature", x, "[0, ∞)", x >= 0.0),
            Self::TopK(k) => ("top_k", k as f64, "[1, ∞)", k >= 1),
            Self::TopP(x) => ("top_p", x, "(0, 1]", x > 0.0 && x <= 1.0),
            Self::MinP(x) => ("min_p", x, "[0, 1]", (0.0..=1.0).contains(&x)),
            Self::TypicalP(x) => ("typical_p", x, "(0, 1]", x > 0.0 && x <= 1.0),
        };
        if inside && value.is_finite() {
            return Ok(());
        }
        Err(DecodeError::OutOfRange { name, value, allowed })
    }

    /// Whether the stage changes nothing.
    pub(super) fn is_neutral(self) -> bool {
        match self {
            Self::RepetitionPenalty(x) | Self::Temperature(x) => x == 1.0,
            Self::TopP(x) | Self::TypicalP(x) => x == 1.0,
            Self::MinP(x) => x == 0.0,
            Self::TopK(_) => false,
        }
    }
}
