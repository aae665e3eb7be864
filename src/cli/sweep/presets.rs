//! Published protocols and other sets of settings, by name.

use anyhow::bail;

use super::{Options, options};

/// Settings under a name.
struct Preset {
    name: &'static str,
    sound: &'static str,
    /// Settings that imitate faults of the published code, where there is any.
    faithful: Option<&'static str>,
}

macro_rules! sound {
    ($name:literal) => {
        Preset {
            name: $name,
            sound: include_str!(concat!("../../../prompts/presets/", $name, ".toml")),
            faithful: None,
        }
    };
}

macro_rules! with_code {
    ($name:literal) => {
        Preset {
            faithful: Some(include_str!(concat!(
                "../../../prompts/presets/faithful/",
                $name,
                ".toml"
            ))),
            ..sound!($name)
        }
    };
}

const PRESETS: [Preset; 6] = [
    with_code!("acl2024-bio"),
    with_code!("acl2024-creative"),
    with_code!("acl2024-webtext"),
    sound!("decoding-compare"),
    sound!("mauve2021-webtext"),
    sound!("quick"),
];

/// Names of version 0.1, which lists no longer show.
const OLD: [(&str, &str); 1] = [("mauve-webtext", "mauve2021-webtext")];

/// The names of all presets.
pub(super) fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|preset| preset.name).collect()
}

/// The names of those that can be faithful.
pub(super) fn with_code() -> Vec<&'static str> {
    PRESETS.iter().filter(|preset| preset.faithful.is_some()).map(|preset| preset.name).collect()
}

fn find(name: &str) -> anyhow::Result<&'static Preset> {
    let now = OLD.iter().find(|(old, _)| *old == name).map_or(name, |(_, now)| now);
    match PRESETS.iter().find(|preset| preset.name == now) {
        Some(preset) => Ok(preset),
        None => bail!("no preset `{name}`; there are {}", names().join(", ")),
    }
}

/// The settings of a preset.
pub(super) fn sound(name: &str) -> anyhow::Result<Options> {
    let preset = find(name)?;
    options::parse(&format!("preset {}", preset.name), preset.sound)
}

/// What is different where the published code is imitated.
pub(super) fn faithful(name: &str) -> anyhow::Result<Options> {
    let preset = find(name)?;
    match preset.faithful {
        Some(text) => options::parse(&format!("preset {} --faithful", preset.name), text),
        None => bail!(
            "nothing of the code behind preset `{name}` can be imitated further; leave out --faithful"
        ),
    }
}
