//! Rotary positions: how fast each pair of dimensions turns.

use serde_json::Value;

use super::fields::{ConfigError, Fields};

/// Rotary position embedding over halves: dimensions `i` and `i + d/2` turn together.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Base of the frequencies, usually 10 000 or more.
    pub theta: f64,
    /// How frequencies are stretched for contexts beyond the first training.
    pub scaling: RopeScaling,
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
    /// Each frequency divided by a factor of its own, one per pair of dimensions (GGUF's `rope_freqs`).
    Factors(Vec<f64>),
}

impl Rope {
    /// The `head_dim / 2` angles in radians by which one position turns each pair.
    ///
    /// ```text
    /// f_i = θ^(−2i/d), then scaled
    /// ```
    pub fn frequencies(&self, head_dim: usize) -> Vec<f64> {
        let d = head_dim as f64;
        let base = (0..head_dim / 2).map(|i| self.theta.powf(-2.0 * i as f64 / d));
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
            RopeScaling::Factors(factors) => base.zip(factors).map(|(f, by)| f / by).collect(),
        }
    }
}

/// Reads `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (transformers 4).
pub(crate) fn read(fields: &Fields<'_>, max_positions: usize) -> Result<Rope, ConfigError> {
    let nested = |field: &'static str| match fields.get(field) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(Fields(object))),
        Some(other) => Err(ConfigError::Type {
            field: field.into(),
            found: other.to_string(),
            wanted: "an object",
        }),
    };
    let parameters = nested("rope_parameters")?;
    let scaling = match parameters {
        Some(parameters) => Some(parameters),
        None => nested("rope_scaling")?,
    };
    let theta = match scaling.as_ref().map(|s| s.number("rope_theta")).transpose()?.flatten() {
        Some(theta) => theta,
        None => fields.number_or("rope_theta", 10_000.0)?,
    };
    if !(theta > 1.0 && theta.is_finite()) {
        return Err(ConfigError::Impossible {
            what: format!("a rope_theta of {theta} is not above 1"),
        });
    }
    let scaling = match scaling {
        None => RopeScaling::None,
        Some(scaling) => read_scaling(&scaling, max_positions)?,
    };
    Ok(Rope { theta, scaling })
}

fn read_scaling(fields: &Fields<'_>, max_positions: usize) -> Result<RopeScaling, ConfigError> {
    fields.must_be_neutral("partial_rotary_factor", &["1", "1.0"])?;
    let unsupported = |value: String| ConfigError::Setting {
        field: "rope scaling type".into(),
        value,
        supported: "default, linear, llama3".into(),
    };
    // One set of parameters per layer type, as Gemma 3 writes them.
    if let Some(kind) =
        ["full_attention", "sliding_attention"].iter().find(|kind| fields.get(kind).is_some())
    {
        return Err(unsupported(format!("separate parameters for {kind}")));
    }
    let kind = match fields.text("rope_type")? {
        Some(kind) => kind,
        None => fields.text("type")?.unwrap_or("default"),
    };
    let at_least_one = |field: &'static str| {
        let value = fields.number(field)?.ok_or(ConfigError::Missing { field: field.into() })?;
        if !(value >= 1.0 && value.is_finite()) {
            return Err(ConfigError::Impossible {
                what: format!("a rope {field} of {value} is below 1"),
            });
        }
        Ok(value)
    };
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: at_least_one("factor")? }),
        "llama3" => {
            let low = at_least_one("low_freq_factor")?;
            let high = at_least_one("high_freq_factor")?;
            if high <= low {
                let what =
                    format!("rope high_freq_factor {high} is not above low_freq_factor {low}");
                return Err(ConfigError::Impossible { what });
            }
            let original =
                fields.number_or("original_max_position_embeddings", max_positions as f64)?;
            if !(original >= 1.0 && original.is_finite()) {
                let what =
                    format!("a rope original_max_position_embeddings of {original} is below 1");
                return Err(ConfigError::Impossible { what });
            }
            Ok(RopeScaling::Llama3 { factor: at_least_one("factor")?, low, high, original })
        }
        other => Err(unsupported(other.into())),
    }
}
