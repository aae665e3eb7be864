//! Ropes in config.json, in the style of transformers 4 or 5.

use serde_json::Value;

use super::{Rope, RopeScaling};
use crate::lm::arch::config::fields::{ConfigError, Fields};

const KINDS: &str = "default, linear, dynamic, llama3, yarn, longrope";

/// A rope, and the longest sequence for which it holds where that is less than the model's.
type Read = Result<(Rope, Option<usize>), ConfigError>;

/// What a rope is read beside.
#[derive(Clone, Copy)]
pub(crate) struct Beside {
    /// Positions of the model.
    pub max_positions: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Base of the frequencies where the file is silent.
    pub theta: f64,
    /// Share of a head's dimensions that turn where the file is silent; `None` where it may not speak.
    pub turned: Option<f64>,
    /// Parameters that the family's page reads itself.
    pub known: &'static [&'static str],
}

/// Reads `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (transformers 4).
pub(crate) fn read(fields: &Fields<'_>, beside: Beside) -> Read {
    let parameters = fields.object("rope_parameters")?;
    let scaling = fields.object("rope_scaling")?;
    let theta = fields.number_or("rope_theta", beside.theta)?;
    let turned = part(fields, beside.turned)?;
    read_one(fields, parameters.or(scaling).as_ref(), Beside { theta, turned, ..beside })
}

/// The ropes of full and of sliding layers, where `rope_parameters` has one for each.
pub(crate) fn by_kind(
    fields: &Fields<'_>,
    beside: Beside,
) -> Result<Option<[Rope; 2]>, ConfigError> {
    let Some(parameters) = fields.object("rope_parameters")? else { return Ok(None) };
    if parameters.get("full_attention").is_none() {
        return Ok(None);
    }
    let one = |kind: &str| -> Result<Rope, ConfigError> {
        let own = parameters.object(kind)?;
        let own =
            own.ok_or_else(|| ConfigError::Missing { field: format!("rope_parameters.{kind}") })?;
        let theta = own.number("rope_theta")?;
        let theta = theta.ok_or_else(|| ConfigError::Missing { field: "rope_theta".into() })?;
        Ok(read_one(fields, Some(&own), Beside { theta, ..beside })?.0)
    };
    let ropes = [one("full_attention")?, one("sliding_attention")?];
    parameters.refuse_any_unread()?;
    Ok(Some(ropes))
}

/// The rope that `scaling` describes, plain where there is none.
pub(crate) fn read_one(fields: &Fields<'_>, scaling: Option<&Fields<'_>>, beside: Beside) -> Read {
    let Beside { max_positions, head_dim, theta, turned, known } = beside;
    let Some(own) = scaling else {
        return Ok((Rope::plain(theta, share(head_dim, turned.unwrap_or(1.0))?), None));
    };
    let theta = own.number_or("rope_theta", theta)?;
    let width = share(head_dim, part(own, turned)?.unwrap_or(1.0))?;
    // One set of parameters per layer type is for families whose page asks for it.
    if let Some(kind) =
        ["full_attention", "sliding_attention"].iter().find(|kind| own.get(kind).is_some())
    {
        return Err(unsupported(format!("separate parameters for {kind}")));
    }
    let kind = match own.text("rope_type")? {
        Some(kind) => kind,
        None => own.text("type")?.unwrap_or("default"),
    };
    for field in ["type"].iter().chain(known) {
        own.get(field);
    }
    let plain = Rope::plain(theta, width);
    let original = |silent: f64| -> Result<f64, ConfigError> {
        let field = "original_max_position_embeddings";
        let beside = fields.number_or(field, silent)?;
        let original = own.number_or(field, beside)?;
        if !(original >= 1.0 && original.is_finite()) {
            let what = format!("a rope {field} of {original} is below 1");
            return Err(ConfigError::Impossible { what });
        }
        Ok(original)
    };
    let longest = max_positions as f64;
    let read = match kind {
        "default" => {
            // Parameters of a stretch that does not happen.
            own.get("factor");
            original(longest)?;
            (plain, None)
        }
        "linear" => {
            let scaling = RopeScaling::Linear { factor: at_least_one(own, "factor")? };
            (Rope { scaling, ..plain }, None)
        }
        // The base grows with sequences beyond the positions of the first training, which are the longest here.
        "dynamic" => {
            at_least_one(own, "factor")?;
            let first = original(longest)?.min(longest) as usize;
            (plain, Some(first))
        }
        "llama3" => {
            let low = at_least_one(own, "low_freq_factor")?;
            let high = at_least_one(own, "high_freq_factor")?;
            if high <= low {
                let what =
                    format!("rope high_freq_factor {high} is not above low_freq_factor {low}");
                return Err(ConfigError::Impossible { what });
            }
            let (factor, original) = (at_least_one(own, "factor")?, original(longest)?);
            (Rope { scaling: RopeScaling::Llama3 { factor, low, high, original }, ..plain }, None)
        }
        "yarn" => (yarn(own, plain, original(longest)?, longest)?, None),
        "longrope" | "su" => longrope(own, plain, original(longest)?, longest)?,
        other => return Err(unsupported(other.into())),
    };
    own.get("original_max_position_embeddings");
    own.refuse_any_unread()?;
    Ok(read)
}

/// The share that a file gives, where it may.
fn part(fields: &Fields<'_>, silent: Option<f64>) -> Result<Option<f64>, ConfigError> {
    match silent {
        Some(silent) => fields.number_or("partial_rotary_factor", silent).map(Some),
        None => fields.must_be_neutral("partial_rotary_factor", &["1", "1.0"]).map(|()| None),
    }
}

fn unsupported(value: String) -> ConfigError {
    ConfigError::Setting { field: "rope scaling type".into(), value, supported: KINDS.into() }
}

fn at_least_one(fields: &Fields<'_>, field: &'static str) -> Result<f64, ConfigError> {
    let value = fields.number(field)?.ok_or(ConfigError::Missing { field: field.into() })?;
    if !(value >= 1.0 && value.is_finite()) {
        return Err(ConfigError::Impossible {
            what: format!("a rope {field} of {value} is below 1"),
        });
    }
    Ok(value)
}

/// How many dimensions turn.
fn share(head_dim: usize, turned: f64) -> Result<usize, ConfigError> {
    if !(turned > 0.0 && turned <= 1.0) {
        let what = format!("a partial_rotary_factor of {turned} is not in 0..1");
        return Err(ConfigError::Impossible { what });
    }
    Ok((head_dim as f64 * turned) as usize)
}

fn yarn(own: &Fields<'_>, plain: Rope, original: f64, longest: f64) -> Result<Rope, ConfigError> {
    let factor = match own.get("factor") {
        Some(_) => at_least_one(own, "factor")?,
        None => (longest / original).max(1.0),
    };
    let magnitude = |scale: f64| 0.1 * scale * factor.ln() + 1.0;
    let nonzero = |field| Ok::<_, ConfigError>(own.number(field)?.filter(|x| *x != 0.0));
    let (mscale, mscale_all) = (nonzero("mscale")?, nonzero("mscale_all_dim")?);
    let amplitude = match (own.number("attention_factor")?, mscale, mscale_all) {
        (Some(given), ..) => given,
        (None, Some(one), Some(all)) => magnitude(one) / magnitude(all),
        _ => magnitude(1.0),
    };
    let fast = nonzero("beta_fast")?.unwrap_or(32.0);
    let slow = nonzero("beta_slow")?.unwrap_or(1.0);
    if !(fast > slow && slow > 0.0) {
        let what = format!("rope beta_fast {fast} is not above beta_slow {slow}");
        return Err(ConfigError::Impossible { what });
    }
    let truncate = own.flag_or("truncate", true)?;
    let scaling = RopeScaling::Yarn { factor, fast, slow, original, truncate };
    Ok(Rope { scaling, amplitude, ..plain })
}

/// Sequences within the first context use the short factors, and longer ones would turn every position
/// otherwise: a text's numbers would change when it crosses the line. So the model ends there.
fn longrope(own: &Fields<'_>, plain: Rope, original: f64, longest: f64) -> Read {
    let factors = |field: &str| -> Result<Vec<f64>, ConfigError> {
        let list = own.list(field)?.ok_or_else(|| ConfigError::Missing { field: field.into() })?;
        let number = |value: &Value| {
            value.as_f64().ok_or_else(|| ConfigError::Type {
                field: field.into(),
                found: value.to_string(),
                wanted: "a list of numbers",
            })
        };
        list.iter().map(number).collect()
    };
    let (short, _) = (factors("short_factor")?, factors("long_factor")?);
    let factor = own.number("factor")?.unwrap_or(longest / original);
    let amplitude = match own.number("attention_factor")? {
        Some(given) => given,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / original.ln()).sqrt(),
    };
    for field in ["short_mscale", "long_mscale"] {
        own.must_be_neutral(field, &[])?;
    }
    let rope = Rope { scaling: RopeScaling::Factors(short), amplitude, ..plain };
    Ok((rope, Some(original as usize)))
}
