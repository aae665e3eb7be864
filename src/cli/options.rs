//! Flags that may also stand in a file: defaults < preset < file < flags.

use std::{collections::BTreeMap, path::Path, str::FromStr};

use anyhow::Context;
use toml::{Spanned, Value};

use super::flags;

/// Names separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

/// Why a text is no list of names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// Nothing between two commas.
    #[error("`{list}` has an empty name; write A,B")]
    Empty {
        /// The text.
        list: String,
    },
}

impl FromStr for Names {
    type Err = NamesError;

    fn from_str(list: &str) -> Result<Self, NamesError> {
        let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        match names.iter().any(String::is_empty) {
            true => Err(NamesError::Empty { list: list.to_owned() }),
            false => Ok(Self(names)),
        }
    }
}

/// Reads flags from a TOML file.
pub fn read<A: clap::Args>(path: &Path) -> anyhow::Result<A> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the settings in `{}`", path.display()))?;
    parse(&path.display().to_string(), &text)
}

/// Reads flags from TOML text: a key is the long name of a flag, its value what would stand behind it, and both
/// go through the flag's own door. `name` is named in errors.
pub fn parse<A: clap::Args>(name: &str, text: &str) -> anyhow::Result<A> {
    let said = |at: usize, what: &str| {
        let upto = &text.as_bytes()[..at.min(text.len())];
        let line = upto.iter().filter(|&&byte| byte == b'\n').count() + 1;
        anyhow::anyhow!("{name}:{line}: {what}")
    };
    let file: BTreeMap<String, Spanned<Value>> = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        said(at, &error.message().trim_end().replace('\n', " "))
    })?;
    let mut entries: Vec<(String, Spanned<Value>)> = file.into_iter().collect();
    entries.sort_by_key(|(_, value)| value.span().start);
    let command = flags::command::<A>("settings").no_binary_name(true);
    let mut words = Vec::with_capacity(entries.len());
    for (key, value) in &entries {
        let here = |what: String| said(value.span().start, &what);
        if !command.get_arguments().any(|arg| is_called(arg, key)) {
            return Err(here(format!(
                "unknown field `{key}`; fields are called as the long flags"
            )));
        }
        let Some(written) = written(value.get_ref()) else {
            return Err(here(format!("{key} is a word, a number or a list of them")));
        };
        let word = format!("--{key}={written}");
        let read = command.clone().try_get_matches_from([&word]);
        read.map_err(|error| here(reason(&error, key, &written)))?;
        words.push(word);
    }
    flags::parse("settings", &words).map_err(|error| said(0, &error.to_string()))
}

/// Whether a flag has that long name, shown or not.
fn is_called(arg: &clap::Arg, name: &str) -> bool {
    let also = arg.get_all_aliases().unwrap_or_default();
    arg.get_long() == Some(name) || also.contains(&name)
}

/// A value as it would stand behind a flag.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Array(items) => {
            items.iter().map(written).collect::<Option<Vec<String>>>().map(|items| items.join(","))
        }
        Value::Datetime(date) => Some(date.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::Table(_) => None,
    }
}

/// Why a value was refused, without the usage of a command that nobody typed.
fn reason(error: &clap::Error, key: &str, written: &str) -> String {
    let what = std::error::Error::source(error).map_or_else(
        || error.to_string().lines().next().unwrap_or_default().to_owned(),
        ToString::to_string,
    );
    if what.contains(written) { what } else { format!("`{written}` for {key}: {what}") }
}
