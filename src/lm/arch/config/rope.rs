//! Rotary positions: how fast each pair of dimensions turns.

use super::fields::ConfigError;

mod read;
pub(crate) use read::{Beside, by_kind, read, read_one};

/// Rotary position embedding over halves: dimensions `i` and `i + width/2` turn together.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Base of the frequencies, usually 10 000 or more.
    pub theta: f64,
    /// How many of a head's first dimensions turn.
    pub width: usize,
    /// How frequencies are stretched for contexts beyond the first training.
    pub scaling: RopeScaling,
    /// Cosines and sines are multiplied by it.
    pub amplitude: f64,
    /// The checkpoint's own order: dimensions `2i` and `2i + 1` turn together. Rows of its matrices are
    /// put in the order of halves when they are read, which leaves every score as it is.
    pub interleaved: bool,
}

/// How rotary frequencies are stretched.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// Every frequency divided by `factor`.
    Linear {
        /// At least 1.
        factor: f64,
    },
    /// Llama 3: long wavelengths divided by `factor`, short ones kept, a ramp between.
    Llama3 {
        /// Divides the low frequencies.
        factor: f64,
        /// Wavelengths above `original / low` are divided.
        low: f64,
        /// Wavelengths below `original / high` are kept.
        high: f64,
        /// Context of the first training.
        original: f64,
    },
    /// YaRN: pairs that turn often within the first context are kept, rare ones divided by `factor`, a ramp
    /// over pairs between.
    Yarn {
        /// Divides the low frequencies.
        factor: f64,
        /// Turns above which a pair is kept.
        fast: f64,
        /// Turns below which a pair is divided.
        slow: f64,
        /// Context of the first training.
        original: f64,
        /// The ramp's ends are whole pairs.
        truncate: bool,
    },
    /// Each frequency divided by a factor of its own, one per pair of dimensions (longrope, and GGUF's
    /// `rope_freqs`).
    Factors(Vec<f64>),
}

impl Rope {
    /// Unscaled over `width` dimensions.
    pub fn plain(theta: f64, width: usize) -> Self {
        Self { theta, width, scaling: RopeScaling::None, amplitude: 1.0, interleaved: false }
    }

    /// The `width / 2` angles in radians by which one position turns each pair.
    ///
    /// ```text
    /// f_i = θ^(−2i/width), then scaled
    /// ```
    pub fn frequencies(&self) -> Vec<f64> {
        let d = self.width as f64;
        let base = (0..self.width / 2).map(|i| self.theta.powf(-2.0 * i as f64 / d));
        match &self.scaling {
            RopeScaling::None => base.collect(),
            RopeScaling::Linear { factor } => base.map(|f| f / factor).collect(),
            RopeScaling::Llama3 { factor, low, high, original } => {
                let scale = |f: f64| {
                    let turns = original * f / std::f64::consts::TAU;
                    let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    kept * f + (1.0 - kept) * f / factor
                };
                base.map(scale).collect()
            }
            RopeScaling::Yarn { factor, fast, slow, original, truncate } => {
                let (low, high) = self.ramp([*fast, *slow], *original, *truncate);
                let scale = |(i, f): (usize, f64)| {
                    let divided = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    divided * f / factor + (1.0 - divided) * f
                };
                base.enumerate().map(scale).collect()
            }
            RopeScaling::Factors(factors) => base.zip(factors).map(|(f, by)| f / by).collect(),
        }
    }

    /// The pairs between which YaRN's ramp lies: those that turn `fast` and `slow` times in the first context.
    fn ramp(&self, turns: [f64; 2], original: f64, truncate: bool) -> (f64, f64) {
        let d = self.width as f64;
        let pair = |turns: f64| {
            d * (original / (turns * std::f64::consts::TAU)).ln() / (2.0 * self.theta.ln())
        };
        let [low, high] = turns.map(pair);
        let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
        let (low, high) = (low.max(0.0), high.min(d - 1.0));
        // A ramp without a width would divide by 0.
        (low, if low == high { high + 0.001 } else { high })
    }

    /// Refuses what cannot turn heads of `head_dim` numbers.
    pub(super) fn check(&self, head_dim: usize) -> Result<(), ConfigError> {
        let Self { theta, width, .. } = self;
        let impossible = |what: String| Err(ConfigError::Impossible { what });
        if !(*theta > 1.0 && theta.is_finite()) {
            return impossible(format!("a rope_theta of {theta} is not above 1"));
        }
        if *width == 0 || !width.is_multiple_of(2) || *width > head_dim {
            return impossible(format!(
                "rotary positions need an even width of at most the head's {head_dim}, not {width}"
            ));
        }
        if !(self.amplitude > 0.0 && self.amplitude.is_finite()) {
            return impossible(format!(
                "a rope attention factor of {} is not above 0",
                self.amplitude
            ));
        }
        match &self.scaling {
            RopeScaling::Factors(factors) if factors.len() != width / 2 => {
                let given = factors.len();
                impossible(format!("{given} rope factors for {} pairs of dimensions", width / 2))
            }
            RopeScaling::Factors(factors) if !factors.iter().all(|f| *f > 0.0 && f.is_finite()) => {
                impossible("a rope factor is not a number above 0".into())
            }
            _ => Ok(()),
        }
    }
}
