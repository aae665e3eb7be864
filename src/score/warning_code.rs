//! How a table of warnings becomes an enum: one row a code, and nothing about it anywhere else.

/// Makes `Code` of rows `Name = "word", 'letter', "meaning";`: the enum, the list of all codes in the
/// order of the rows, and its word, letter and meaning, each a `match` without a rest.
macro_rules! codes {
    ($($name:ident = $word:literal, $letter:literal, $meaning:literal;)*) => {
        /// What a warning is about: a stable word, which scripts may look for, a letter for tables and
        /// a sentence for their readers.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $word, "`: ", $meaning, ".")] $name,)*
            /// A word that only another version of llmpr knows; it is written as it was read.
            Other(String),
        }

        impl Code {
            /// Every code, in the order in which tables show their letters.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable word: `too_few`.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Other(word) => word,
                }
            }

            /// The letter that stands for it in a table; `?` for a word of another version.
            pub fn letter(&self) -> char {
                match self {
                    $(Self::$name => $letter,)*
                    Self::Other(_) => '?',
                }
            }

            /// What the letter says to a reader of a table, without figures: a warning's own message
            /// has those.
            pub fn meaning(&self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                    Self::Other(_) => "a warning of another version of llmpr",
                }
            }
        }
    };
}
pub(crate) use codes;
