//! Typed reading of a configuration's fields, with sentences for what is wrong.

use serde_json::{Map, Value};
use std::{cell::RefCell, collections::HashSet};

use super::{Activation, unknown};

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
    /// A field whose name speaks of arithmetic and that nothing here reads.
    #[error(
        "`{field}` = {value} may change results and is not known for this model; remove it if it changes nothing"
    )]
    Unknown { field: String, value: String },
    /// A dimension out of bounds.
    #[error("the {what} is {value}, and should be in 1..={most}")]
    Size { what: &'static str, value: usize, most: usize },
    /// Dimensions that contradict each other.
    #[error("{what}")]
    Impossible { what: String },
}

/// A JSON object whose `null`s count as absent, and which of its fields were asked for.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    asked: RefCell<HashSet<String>>,
}

impl<'a> Fields<'a> {
    pub fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, asked: RefCell::default() }
    }

    /// The value, if there is one that is not `null`.
    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.written(field).filter(|value| !value.is_null())
    }

    /// The value as it is written, `null` too.
    pub fn written(&self, field: &str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(field.to_owned());
        self.object.get(field)
    }

    /// Whether somebody asked for a field.
    pub fn was_read(&self, field: &str) -> bool {
        self.asked.borrow().contains(field)
    }

    /// Refuses what nobody asked for and what may change results.
    pub fn refuse_unread(&self) -> Result<(), ConfigError> {
        self.refuse(unknown::is_harmless)
    }

    /// Refuses whatever nobody asked for, in an object that holds nothing but arithmetic.
    pub fn refuse_any_unread(&self) -> Result<(), ConfigError> {
        self.refuse(|_, value| value.is_null())
    }

    fn refuse(&self, is_harmless: impl Fn(&str, &Value) -> bool) -> Result<(), ConfigError> {
        let asked = self.asked.borrow();
        let unread = self.object.iter().filter(|(field, _)| !asked.contains(*field));
        for (field, value) in unread {
            if !is_harmless(field, value) {
                let (field, value) = (field.clone(), short(value));
                return Err(ConfigError::Unknown { field, value });
            }
        }
        Ok(())
    }

    /// A field that is an object itself.
    pub fn object(&self, field: &str) -> Result<Option<Fields<'a>>, ConfigError> {
        Ok(self.optional(field, "an object", Value::as_object)?.map(Fields::new))
    }

    /// A list of anything.
    pub fn list(&self, field: &str) -> Result<Option<&'a Vec<Value>>, ConfigError> {
        self.optional(field, "a list", Value::as_array)
    }

    fn wrong<T>(field: &str, found: &Value, wanted: &'static str) -> Result<T, ConfigError> {
        Err(ConfigError::Type { field: field.into(), found: short(found), wanted })
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
        self.layer_types_of(layers, "sliding_attention")
    }

    /// For each layer whether its attention is of the kind `other` and not full.
    pub fn layer_types_of(
        &self,
        layers: usize,
        other: &str,
    ) -> Result<Option<Vec<bool>>, ConfigError> {
        let is_other = |kind: &Value| match kind.as_str() {
            Some("full_attention") => Ok(false),
            Some(name) if name == other => Ok(true),
            _ => Err(ConfigError::Setting {
                field: "layer_types".into(),
                value: kind.to_string(),
                supported: format!("full_attention, {other}"),
            }),
        };
        self.per_layer("layer_types", layers, is_other)
    }

    /// A list with an entry for each layer.
    pub fn per_layer<T>(
        &self,
        field: &str,
        layers: usize,
        read: impl Fn(&Value) -> Result<T, ConfigError>,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let Some(list) = self.list(field)? else { return Ok(None) };
        if list.len() != layers {
            let what = format!("`{field}` names {} layers of {layers}", list.len());
            return Err(ConfigError::Impossible { what });
        }
        list.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// The numbers of layers in a list.
    pub fn layer_numbers(&self, field: &str) -> Result<Option<Vec<usize>>, ConfigError> {
        let read = |list: &Value| list.as_array()?.iter().map(whole).collect();
        self.optional(field, "a list of layers", read)
    }

    /// Accepts a field that is absent, `null` or one of `neutral`.
    pub fn must_be_neutral(&self, field: &str, neutral: &[&str]) -> Result<(), ConfigError> {
        match self.get(field).map(short) {
            Some(value) if !neutral.contains(&value.as_str()) => {
                let supported =
                    if neutral.is_empty() { "none".into() } else { neutral.join(" or ") };
                Err(ConfigError::Setting { field: field.into(), value, supported })
            }
            _ => Ok(()),
        }
    }
}

/// A value as messages show it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.chars().count() {
        0..=60 => text,
        _ => text.chars().take(60).chain(['…']).collect(),
    }
}

fn whole(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}
