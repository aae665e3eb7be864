//! One step from logits to a sampling distribution.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Decoding,
    knobs::{self, Knob},
};

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
    /// Keeps tokens whose logit is at least the greatest minus this many standard deviations `σ` of the
    /// logits that are left; `> 0`.
    ///
    /// ```text
    /// kept = { i : x_i ≥ max x − n σ },   σ² = Σ (x_i − x̄)² / V
    /// ```
    ///
    /// A logit of −∞ is a token that is left out and counts for nothing. Dividing all logits by `T`
    /// divides `σ` by `T`, so the set does not depend on the temperature; in the usual order the stage
    /// stands before it, where that holds to the last bit. Tang et al. 2024, arXiv:2411.07641.
    TopNSigma(f64),
}

impl Stage {
    /// The stages of `decoding` in Hugging Face's order, and top-nσ where its authors and llama.cpp have it:
    /// before anything is cut, since `σ` is that of all logits.
    pub(super) fn in_order(decoding: &Decoding) -> Vec<Self> {
        [
            decoding.repetition_penalty.map(Self::RepetitionPenalty),
            decoding.top_n_sigma.map(Self::TopNSigma),
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
        let (knob, value) = self.knob();
        knob.check(value)
    }

    /// Whether the stage changes nothing.
    pub(super) fn is_neutral(self) -> bool {
        let (knob, value) = self.knob();
        value == knob.neutral
    }

    /// The setting, and what it is set to.
    fn knob(self) -> (&'static Knob, f64) {
        match self {
            Self::RepetitionPenalty(x) => (&knobs::REPETITION_PENALTY, x),
            Self::Temperature(x) => (&knobs::TEMPERATURE, x),
            Self::TopK(k) => (&knobs::TOP_K, k as f64),
            Self::TopP(x) => (&knobs::TOP_P, x),
            Self::MinP(x) => (&knobs::MIN_P, x),
            Self::TypicalP(x) => (&knobs::TYPICAL_P, x),
            Self::TopNSigma(x) => (&knobs::TOP_N_SIGMA, x),
        }
    }
}
