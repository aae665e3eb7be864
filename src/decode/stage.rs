//! One step from logits to a sampling distribution.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Decoding,
    knobs::{self, Knob},
};

/// A stage of a [`super::Chain`]; each works on what the one before left.
///
/// `x` are the logits, `p` the distribution that they stand for when the stage begins, without the tokens that are
/// removed. No stage removes the last token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Divides positive and multiplies negative logits of tokens seen before, each token once;
    /// `> 0`, 1 is neutral.
    RepetitionPenalty(f64),
    /// Lowers a logit by this much for every time that its token was drawn; in `[−2, 2]`, 0 is neutral.
    ///
    /// ```text
    /// x_i ← x_i − c_i f        c_i: how often token i stands behind the prompt
    /// ```
    ///
    /// OpenAI's definition, which counts what was sampled; vLLM's, too. llama.cpp counts the prompt as well.
    FrequencyPenalty(f64),
    /// Lowers the logits of tokens that were drawn by this much, each once; in `[−2, 2]`, 0 is neutral.
    ///
    /// ```text
    /// x_i ← x_i − [c_i > 0] f
    /// ```
    ///
    /// Counts as [`Stage::FrequencyPenalty`] does.
    PresencePenalty(f64),
    /// Removes tokens that would end a run of so many tokens that prompt and text have already; `≥ 1`. Where
    /// it would remove all, it removes none.
    ///
    /// Paulus et al. 2017, arXiv:1705.04304 (for 3); Hugging Face's `no_repeat_ngram_size`.
    NoRepeatNgram(usize),
    /// "Don't repeat yourself": lowers the logits of tokens that would make a repetition longer.
    ///
    /// ```text
    /// x_i ← x_i − m b^(n_i − a)      where n_i ≥ a
    /// ```
    ///
    /// `n_i` is the length of the longest end of prompt and text that also stands before an earlier `i`, `m` the
    /// multiplier, `b` the base, `a` the allowed length. No end reaches over a token with a line break, a colon,
    /// a quotation mark or an asterisk in it: those are its author's sequence breakers. The power stops where a
    /// 32-bit number would, as llama.cpp's does. P. E. Weidmann 2024, oobabooga/text-generation-webui#5677 and
    /// ggml-org/llama.cpp#9702, which has it behind the penalties, too.
    Dry {
        /// `m > 0`.
        multiplier: f64,
        /// `b ≥ 1`.
        base: f64,
        /// `a ≥ 1`, tokens.
        allowed_length: usize,
    },
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
    /// Divides the logits; `≥ 0`, 0 leaves the most probable token alone (the lower of two).
    Temperature(f64),
    /// Divides the logits by a temperature that rises with the entropy `H` of `p`.
    ///
    /// ```text
    /// T = lo + (hi − lo) (H / ln V)^exponent,     lo = max(0, temperature − range), hi = temperature + range
    /// ```
    ///
    /// `V` counts the tokens that are left; one alone stays as it is. llama.cpp's `--dynatemp-range`
    /// (ggml-org/llama.cpp#4972), where it stands in place of the temperature as it does here.
    DynamicTemperature {
        /// The middle, `≥ 0`.
        temperature: f64,
        /// How far it moves to either side, `> 0`.
        range: f64,
        /// `> 0`.
        exponent: f64,
    },
    /// Keeps tokens at least as probable as two draws are to agree; 1 switches it on.
    ///
    /// ```text
    /// kept = { i : p_i ≥ Σ p_j² }
    /// ```
    ///
    /// It stands right behind the temperature, since its authors take the whole distribution.
    /// Tan et al. 2025, arXiv:2509.23234.
    PLess(usize),
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
    /// Keeps tokens of at least this probability, or else the most probable; in `(0, 1)`.
    ///
    /// ```text
    /// kept = { i : p_i ≥ ε }
    /// ```
    ///
    /// Hewitt et al. 2022, arXiv:2210.15191.
    EpsilonCutoff(f64),
    /// Keeps tokens of at least a probability that falls with the entropy `H` of `p`, or else the most probable;
    /// in `(0, 1)`.
    ///
    /// ```text
    /// kept = { i : p_i ≥ min(ε, √ε e^−H) }
    /// ```
    ///
    /// Hewitt et al. 2022, arXiv:2210.15191, with their `α = √ε`, as in Hugging Face's `eta_cutoff`.
    EtaCutoff(f64),
    /// Mirostat 2: keeps tokens of at most a surprise `μ`, or else the most probable, and moves `μ` so that the
    /// surprise of what is drawn comes to `tau`.
    ///
    /// ```text
    /// kept = { i : −log₂ p_i ≤ μ },   μ = 2 tau at first,   μ ← μ − eta (−log₂ p_drawn − tau)
    /// ```
    ///
    /// Basu et al. 2020, arXiv:2007.14966. As in the authors' code the surprise is that before the cut;
    /// llama.cpp takes the one behind it, which is smaller, so that its texts are more surprising at one `tau`.
    Mirostat {
        /// Wanted surprise, bits; `> 0`.
        tau: f64,
        /// How fast `μ` moves, in `(0, 1]`.
        eta: f64,
    },
    /// "Exclude top choices": with this probability, removes of the tokens that reach the threshold all but the
    /// least probable.
    ///
    /// ```text
    /// p_i ← (1 − q) p_i + q p'_i      q: probability,  p': p without the tokens removed
    /// ```
    ///
    /// The coin is summed out: a draw from this mixture has the distribution of one that tosses first, its
    /// log-probability is that of the token whatever the coin showed, and no second random number is needed. That holds
    /// where nothing stands behind it, so it is last, as in its author's proposal. Of equally least probable tokens the
    /// last stays. P. E. Weidmann 2024, oobabooga/text-generation-webui#6335, ggml-org/llama.cpp#9742.
    Xtc {
        /// In `(0, 1]`.
        probability: f64,
        /// In `(0, 0.5]`: of two tokens above one half there are none.
        threshold: f64,
    },
}

impl Stage {
    /// The stages of `decoding` in Hugging Face's order, and those that it does not have where their authors or
    /// llama.cpp have them: what looks at the past before anything is cut, top-nσ before the temperature since `σ` is
    /// that of all logits, p-less behind it, mirostat and XTC last.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Alone`] for a setting that only shapes another one which is off, and the other way round.
    pub(super) fn in_order(decoding: &Decoding) -> Result<Vec<Self>, DecodeError> {
        knobs::check_pairs(decoding)?;
        let d = decoding;
        let temperature = match (d.dynatemp_range, d.dynatemp_exponent) {
            (Some(range), Some(exponent)) => {
                Self::DynamicTemperature { temperature: d.temperature, range, exponent }
            }
            _ => Self::Temperature(d.temperature),
        };
        let dry = d.dry_multiplier.zip(d.dry_base).zip(d.dry_allowed_length);
        let xtc = d.xtc_probability.zip(d.xtc_threshold);
        let stages = [
            d.repetition_penalty.map(Self::RepetitionPenalty),
            d.frequency_penalty.map(Self::FrequencyPenalty),
            d.presence_penalty.map(Self::PresencePenalty),
            d.no_repeat_ngram_size.map(Self::NoRepeatNgram),
            dry.map(|((multiplier, base), allowed_length)| Self::Dry {
                multiplier,
                base,
                allowed_length,
            }),
            d.top_n_sigma.map(Self::TopNSigma),
            Some(temperature),
            d.p_less.map(Self::PLess),
            d.top_k.map(Self::TopK),
            d.top_p.map(Self::TopP),
            d.min_p.map(Self::MinP),
            d.typical_p.map(Self::TypicalP),
            d.epsilon_cutoff.map(Self::EpsilonCutoff),
            d.eta_cutoff.map(Self::EtaCutoff),
            d.mirostat_tau.zip(d.mirostat_eta).map(|(tau, eta)| Self::Mirostat { tau, eta }),
            xtc.map(|(probability, threshold)| Self::Xtc { probability, threshold }),
        ];
        Ok(stages.into_iter().flatten().collect())
    }

    /// Whether the settings are in their ranges.
    pub(super) fn check(self) -> Result<(), DecodeError> {
        self.knobs().into_iter().try_for_each(|(knob, value)| knob.check(value))
    }

    /// Whether the stage changes nothing.
    pub(super) fn is_neutral(self) -> bool {
        self.knobs().first().is_some_and(|(knob, value)| knob.neutral == Some(*value))
    }

    /// The settings and what they are set to; the one that switches the stage on and off is first.
    fn knobs(self) -> Vec<(&'static Knob, f64)> {
        match self {
            Self::RepetitionPenalty(x) => vec![(&knobs::REPETITION_PENALTY, x)],
            Self::FrequencyPenalty(x) => vec![(&knobs::FREQUENCY_PENALTY, x)],
            Self::PresencePenalty(x) => vec![(&knobs::PRESENCE_PENALTY, x)],
            Self::NoRepeatNgram(n) => vec![(&knobs::NO_REPEAT_NGRAM_SIZE, n as f64)],
            Self::Dry { multiplier, base, allowed_length } => vec![
                (&knobs::DRY_MULTIPLIER, multiplier),
                (&knobs::DRY_BASE, base),
                (&knobs::DRY_ALLOWED_LENGTH, allowed_length as f64),
            ],
            Self::TopNSigma(x) => vec![(&knobs::TOP_N_SIGMA, x)],
            Self::Temperature(x) => vec![(&knobs::TEMPERATURE, x)],
            Self::DynamicTemperature { temperature, range, exponent } => vec![
                (&knobs::DYNATEMP_RANGE, range),
                (&knobs::TEMPERATURE, temperature),
                (&knobs::DYNATEMP_EXPONENT, exponent),
            ],
            Self::PLess(x) => vec![(&knobs::P_LESS, x as f64)],
            Self::TopK(k) => vec![(&knobs::TOP_K, k as f64)],
            Self::TopP(x) => vec![(&knobs::TOP_P, x)],
            Self::MinP(x) => vec![(&knobs::MIN_P, x)],
            Self::TypicalP(x) => vec![(&knobs::TYPICAL_P, x)],
            Self::EpsilonCutoff(x) => vec![(&knobs::EPSILON_CUTOFF, x)],
            Self::EtaCutoff(x) => vec![(&knobs::ETA_CUTOFF, x)],
            Self::Mirostat { tau, eta } => {
                vec![(&knobs::MIROSTAT_TAU, tau), (&knobs::MIROSTAT_ETA, eta)]
            }
            Self::Xtc { probability, threshold } => {
                vec![(&knobs::XTC_PROBABILITY, probability), (&knobs::XTC_THRESHOLD, threshold)]
            }
        }
    }
}
