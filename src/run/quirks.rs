//! Faults of published code that a sweep can imitate, to come nearer to the numbers it gave.

use std::{fmt, str::FromStr};

/// Why a list names no quirks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message names the field")]
pub enum QuirkError {
    /// A word that is none.
    #[error(
        "there is no quirk `{word}`; there are chars:N, penalized-eos, cut-prompts and shared-texts"
    )]
    Unknown { word: String },
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// The model's texts alone are cut, to this many Unicode characters: `chars:370`.
    Chars(usize),
    /// The repetition penalty finds end-of-text before every prompt, where rows were padded with it: `penalized-eos`.
    PenalizedEos,
    /// A prompt that does not fit loses its end, the cue included, and not whole examples: `cut-prompts`.
    CutPrompts,
    /// Examples and prefixes are taken from the texts that are the reference, too: `shared-texts`.
    SharedTexts,
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chars(count) => write!(f, "chars:{count}"),
            Self::PenalizedEos => f.write_str("penalized-eos"),
            Self::CutPrompts => f.write_str("cut-prompts"),
            Self::SharedTexts => f.write_str("shared-texts"),
        }
    }
}

impl FromStr for Quirk {
    type Err = QuirkError;

    fn from_str(word: &str) -> Result<Self, QuirkError> {
        let count = word.strip_prefix("chars:").and_then(|count| count.parse().ok());
        match (word, count) {
            (_, Some(count)) if count > 0 => Ok(Self::Chars(count)),
            ("penalized-eos", _) => Ok(Self::PenalizedEos),
            ("cut-prompts", _) => Ok(Self::CutPrompts),
            ("shared-texts", _) => Ok(Self::SharedTexts),
            _ => Err(QuirkError::Unknown { word: word.to_owned() }),
        }
    }
}

/// Several of them; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks(Vec<Quirk>);

impl Quirks {
    /// Whether `quirk` is among them.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.0.contains(&quirk)
    }

    /// The first that only a model whose tokens are known can have.
    pub fn of_tokens(&self) -> Option<Quirk> {
        let needs = |quirk: &&Quirk| matches!(quirk, Quirk::PenalizedEos | Quirk::CutPrompts);
        self.0.iter().find(needs).copied()
    }

    /// Each as it is written.
    pub fn words(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl FromStr for Quirks {
    type Err = QuirkError;

    /// Words apart by commas, or `none`.
    fn from_str(list: &str) -> Result<Self, QuirkError> {
        if list == "none" {
            return Ok(Self::default());
        }
        list.split(',').map(|word| word.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

/// A model's text as quirks of a cell's record leave it.
pub fn cut(quirks: &[String], text: String) -> String {
    let limit = quirks.iter().find_map(|word| match word.parse() {
        Ok(Quirk::Chars(limit)) => Some(limit),
        _ => None,
    });
    match limit {
        Some(limit) => text.chars().take(limit).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirks_are_read_as_they_are_written() {
        let list = "chars:370,penalized-eos,cut-prompts,shared-texts";
        let quirks: Quirks = list.parse().unwrap();
        assert_eq!(quirks.words().join(","), list);
        assert!(quirks.has(Quirk::SharedTexts) && !quirks.has(Quirk::Chars(371)));
        assert_eq!(quirks.of_tokens(), Some(Quirk::PenalizedEos));
        assert_eq!("chars:5".parse::<Quirks>().unwrap().of_tokens(), None);
        assert_eq!("none".parse::<Quirks>().unwrap(), Quirks::default());
        for word in ["", "chars:0", "chars:", "eos", "none,none"] {
            assert!(word.parse::<Quirks>().is_err(), "{word}");
        }
    }

    #[test]
    fn a_text_is_cut_by_characters_and_not_by_bytes() {
        let quirks = |list: &str| list.parse::<Quirks>().unwrap().words();
        assert_eq!(cut(&quirks("shared-texts,chars:3"), "für uns".to_owned()), "für");
        assert_eq!(cut(&quirks("chars:9"), "für uns".to_owned()), "für uns");
        assert_eq!(cut(&[], "für uns".to_owned()), "für uns");
    }
}
