//! Flags that may also stand in a file: defaults < preset < file < flags.

use std::{fmt::Display, path::Path, str::FromStr};

use anyhow::Context;
use serde::{Deserialize, Deserializer};

/// A word or number in a file, read by the same door as a flag.
pub fn word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Whole(i64),
        Real(f64),
        Words(Vec<String>),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Whole(number) => number.to_string(),
        Written::Real(number) => number.to_string(),
        Written::Words(words) => words.join(","),
    };
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Names separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        match names.iter().any(String::is_empty) {
            true => Err(format!("`{text}` has an empty name; write A,B")),
            false => Ok(Self(names)),
        }
    }
}

/// A choice that reads itself from its name, as in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<T: serde::de::DeserializeOwned> FromStr for Word<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use serde::de::{IntoDeserializer, value};
        let word: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
        T::deserialize(word).map(Self).map_err(|error| error.to_string())
    }
}

/// Reads settings from a TOML file.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the settings in `{}`", path.display()))?;
    parse(&path.display().to_string(), &text)
}

/// Reads settings from TOML text; `name` is named in errors.
pub fn parse<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> anyhow::Result<T> {
    toml::from_str(text).map_err(|error| {
        let upto = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..upto].iter().filter(|&&b| b == b'\n').count() + 1;
        let what = error.message().trim_end().replace('\n', " ");
        anyhow::anyhow!("{name}:{line}: {what}")
    })
}

/// A struct of optional flags, with `or`: what is absent is taken from another, and `field`: one by its name.
macro_rules! options {
    (
        $(#[$outer:meta])*
        pub struct $name:ident { $( $(#[$inner:meta])* pub $field:ident: Option<$type:ty>, )* }
    ) => {
        $(#[$outer])*
        #[derive(clap::Args, serde::Deserialize, Clone, Debug, Default)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name { $( $(#[$inner])* pub $field: Option<$type>, )* }

        impl $name {
            /// These settings, and `other`'s where these are absent.
            pub fn or(self, other: Self) -> Self {
                Self { $( $field: self.$field.or(other.$field), )* }
            }

            /// The field of that name: an `Option` of its type.
            fn field(&self, name: &str) -> Option<&dyn std::any::Any> {
                match name {
                    $( stringify!($field) => Some(&self.$field), )*
                    _ => None,
                }
            }
        }
    };
}
pub(super) use options;
