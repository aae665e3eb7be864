//! Choices as words: how settings of a score are written on the command line and in files.

use std::{fmt, str::FromStr};

use super::options::{Clusters, Normalize, OptionsError, Reduce, Unequal};
use crate::cloud::neighbors::Ties;

/// An enum that is read and written as words.
macro_rules! words {
    ($type:ident, $name:literal, $allowed:literal, $($word:literal => $choice:ident),+) => {
        impl FromStr for $type {
            type Err = OptionsError;

            fn from_str(word: &str) -> Result<Self, OptionsError> {
                let no_choice = OptionsError::NoChoice {
                    name: $name,
                    value: word.to_owned(),
                    allowed: $allowed,
                };
                match word {
                    $($word => Ok(Self::$choice),)+
                    _ => Err(no_choice),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$choice => $word,)+
                })
            }
        }
    };
}

words!(Ties, "ties", "`strict` nor `inclusive`", "strict" => Strict, "inclusive" => Inclusive);
words!(Normalize, "normalize", "`l2` nor `none`", "l2" => L2, "none" => None);
words!(Unequal, "unequal", "`subsample` nor `keep`", "subsample" => Subsample, "keep" => Keep);

impl fmt::Display for Reduce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}"),
            Self::Components(count) => write!(f, "{count}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl fmt::Display for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(count) => write!(f, "{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_read_back_from_the_word_it_is_written_as() {
        for ties in [Ties::Strict, Ties::Inclusive] {
            assert_eq!(ties.to_string().parse(), Ok(ties));
        }
        for normalize in [Normalize::L2, Normalize::None] {
            assert_eq!(normalize.to_string().parse(), Ok(normalize));
        }
        for unequal in [Unequal::Subsample, Unequal::Keep] {
            assert_eq!(unequal.to_string().parse(), Ok(unequal));
        }
        for reduce in [Reduce::Share(0.9), Reduce::Components(64), Reduce::None] {
            assert_eq!(reduce.to_string().parse(), Ok(reduce));
        }
        for clusters in [Clusters::Auto, Clusters::Fixed(500)] {
            assert_eq!(clusters.to_string().parse(), Ok(clusters));
        }
    }

    #[test]
    fn a_word_that_is_no_choice_is_answered_with_the_choices() {
        let error = "loose".parse::<Ties>().unwrap_err().to_string();
        assert_eq!(error, "ties `loose` is neither `strict` nor `inclusive`");
    }
}
