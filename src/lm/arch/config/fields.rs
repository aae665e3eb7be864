//! Typed reading of a configuration's fields, with sentences for what is wrong.

use serde_json::{Map, Value};

use super::Activation;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum ConfigError {
    /// Not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    /// A field that every checkpoint of the architecture has.
    #[error("the field `{field}` is missing")]
    Missing { field: String },
    /// A field of another type.
    #[error("`{field}` is {found}, and should be {wanted}")]
    Type { field: String, found: String, wanted: &'static str },
    /// A network of another kind.
    #[error("the architecture `{name}` is not supported; supported are {supported}")]
    Architecture { name: String, supported: String },
    /// Weights packed by a quantization library.
    #[error(
        "weights quantized with {method} are not supported; use the f32, f16 or bf16 checkpoint, or a GGUF file"
    )]
    Quantized { method: String },
    /// A variant of the network that the decoder does not compute.
    #[error("`{field}` = {value} changes results and is not supported; supported: {supported}")]
    Setting { field: String, value: String, supported: String },
    /// A dimension out of bounds.
    #[error("the {what} is {value}, and should be in 1..={most}")]
    Size { what: &'static str, value: usize, most: usize },
    /// Dimensions that contradict each other.
    #[error("{what}")]
    Impossible { what: String },
}

/// A JSON object whose `null`s count as absent.
pub(crate) struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The value, if there is one that is not `null`.
    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn wrong<T>(field: &str, found: &Value, wanted: &'static str) -> Result<T, ConfigError> {
        let mut found = found.to_string();
        if found.chars().count() > 60 {
            found = found.chars().take(60).chain(['…']).collect();
        }
        Err(ConfigError::Type { field: field.into(), found, wanted })
    }

    fn optional<T>(
        &self,
        field: &str,
        wanted: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Self::wrong(field, value, wanted),
            },
        }
    }

    pub fn text(&self, field: &str) -> Result<Option<&'a str>, ConfigError> {
        self.optional(field, "a text", Value::as_str)
    }

    pub fn size(&self, field: &str) -> Result<usize, ConfigError> {
        let read = self.optional(field, "a whole number", whole)?;
        read.ok_or_else(|| ConfigError::Missing { field: field.into() })
    }

    pub fn size_or(&self, field: &str, default: usize) -> Result<usize, ConfigError> {
        Ok(self.optional(field, "a whole number", whole)?.unwrap_or(default))
    }

    /// A layer count, bounded here because lists of that length are made at once.
    pub fn layers(&self, field: &str) -> Result<usize, ConfigError> {
        let value = self.size(field)?;
        let most = 1 << 12;
        if value == 0 || value > most {
            return Err(ConfigError::Size { what: "number of layers", value, most });
        }
        Ok(value)
    }

    pub fn number(&self, field: &str) -> Result<Option<f64>, ConfigError> {
        self.optional(field, "a number", Value::as_f64)
    }

    pub fn number_or(&self, field: &str, default: f64) -> Result<f64, ConfigError> {
        Ok(self.number(field)?.unwrap_or(default))
    }

    pub fn flag_or(&self, field: &str, default: bool) -> Result<bool, ConfigError> {
        Ok(self.optional(field, "true or false", Value::as_bool)?.unwrap_or(default))
    }

    pub fn token(&self, field: &str) -> Result<Option<u32>, ConfigError> {
        Ok(self.tokens(field)?.first().copied())
    }

    /// One token id or a list of them; -1, which some files use for "none", gives none.
    pub fn tokens(&self, field: &str) -> Result<Vec<u32>, ConfigError> {
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let read = |value: &Value| match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            Value::Number(number) if number.as_i64() == Some(-1) => Some(Vec::new()),
            other => id(other).map(|id| vec![id]),
        };
        Ok(self.optional(field, "a token id or a list of them", read)?.unwrap_or_default())
    }

    pub fn activation(&self, field: &str, default: Activation) -> Result<Activation, ConfigError> {
        match self.text(field)? {
            None => Ok(default),
            Some("gelu") => Ok(Activation::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
            Some("silu" | "swish") => Ok(Activation::Silu),
            Some("relu") => Ok(Activation::Relu),
            Some(other) => Err(ConfigError::Setting {
                field: field.into(),
                value: other.into(),
                supported: "gelu, gelu_new, gelu_pytorch_tanh, silu, relu".into(),
            }),
        }
    }

    /// For each layer whether it slides, where the file lists the layers.
    pub fn layer_types(&self, layers: usize) -> Result<Option<Vec<bool>>, ConfigError> {
        let Some(types) = self.optional("layer_types", "a list", Value::as_array)? else {
            return Ok(None);
        };
        if types.len() != layers {
            let what = format!("`layer_types` names {} layers of {layers}", types.len());
            return Err(ConfigError::Impossible { what });
        }
        let slides = |kind: &Value| match kind.as_str() {
            Some("full_attention") => Ok(false),
            Some("sliding_attention") => Ok(true),
            _ => Err(ConfigError::Setting {
                field: "layer_types".into(),
                value: kind.to_string(),
                supported: "full_attention, sliding_attention".into(),
            }),
        };
        types.iter().map(slides).collect::<Result<_, _>>().map(Some)
    }

    /// Accepts a field that is absent, `null` or one of `neutral`.
    pub fn must_be_neutral(&self, field: &str, neutral: &[&str]) -> Result<(), ConfigError> {
        match self.get(field).map(Value::to_string) {
            Some(value) if !neutral.contains(&value.as_str()) => {
                let supported =
                    if neutral.is_empty() { "none".into() } else { neutral.join(" or ") };
                Err(ConfigError::Setting { field: field.into(), value, supported })
            }
            _ => Ok(()),
        }
    }
}

fn whole(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}
