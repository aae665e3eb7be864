//! A probabilistic grammar of texts: a distribution that can be sampled, parsed and computed exactly.
//!
//! A grammar is a file (`prompts/synthetic-bio.grammar` explains the notation at its top). Its *tables* and
//! *numbers* are drawn once per text and remembered, so that a name, a pronoun or a year agrees with
//! itself and with what depends on it; its *rules* are expanded anew wherever they are mentioned.
//! Whatever a draw depends on is drawn before it, so that one order of expansion defines the
//! distribution, the parser and the probability of a text alike.

mod check;
mod expand;
mod modes;
mod read;
mod recognize;
mod reference;

#[cfg(test)]
mod tests;

pub use modes::{Mode, Variant};
pub use recognize::{Derivation, Parse, Rejection};
use sha2::{Digest, Sha256};
use std::{path::Path, sync::OnceLock};

use crate::data::hex::hex;

/// Why a grammar cannot be read or used; every message of a file names its line.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum GrammarError {
    /// A file that cannot be read.
    #[error("cannot read the grammar `{file}`: {source}")]
    Read { file: String, source: std::io::Error },
    /// A line that breaks the notation or names what does not exist.
    #[error("`{file}` line {line}: {what}")]
    Line { file: String, line: usize, what: String },
    /// A pattern of modes that fits none.
    #[error("`{pattern}` fits no mode; write table=row[,table=row] with {allowed}")]
    NoSuchMode { pattern: String, allowed: String },
    /// An option behind a grammar's name that is none.
    #[error("`{option}` changes no grammar; write drop=PATTERN or double=PATTERN")]
    Option { option: String },
    /// A number behind a grammar's name that is none.
    #[error(
        "`{option}`: n is a whole number from 1 to {}, and seed one from 0 on",
        reference::MOST_TEXTS
    )]
    Number { option: String },
    /// A variant that leaves nothing.
    #[error("every mode is dropped, so that no text is left")]
    Empty,
}

/// A checked grammar: no unknown names, no recursion, nothing unreachable.
#[derive(Clone, Debug)]
pub struct Grammar {
    file: String,
    symbols: Vec<Symbol>,
    start: usize,
    /// The tables that make a mode.
    mode_tables: Vec<usize>,
    /// Probabilities of all modes under the variant in force, in the order of [`Grammar::modes`].
    modes: Vec<Mode>,
    variant: Variant,
    hash: String,
}

#[derive(Clone, Debug)]
struct Symbol {
    name: String,
    line: usize,
    kind: Kind,
    /// Tables and numbers that must be drawn before this one, ascending.
    needs: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Kind {
    Table { rows: Vec<Alternative<Vec<String>>> },
    Number { ranges: Vec<Alternative<Range>> },
    Rule { bodies: Vec<Alternative<Vec<Piece>>> },
}

#[derive(Clone, Debug)]
struct Alternative<T> {
    line: usize,
    weight: f64,
    guards: Vec<Guard>,
    value: T,
}

/// Holds where table `table` has one of the rows `allowed`.
#[derive(Clone, Debug)]
struct Guard {
    table: usize,
    allowed: Vec<usize>,
}

/// The integers `base + low ..= base + high`, equally probable.
#[derive(Clone, Copy, Debug)]
struct Range {
    base: Option<usize>,
    low: i64,
    high: i64,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Rule(usize),
    Cell { table: usize, column: usize },
    Number(usize),
    Difference(usize, usize),
}

/// What is drawn so far: a row index per table, a value per number.
type Drawn = Vec<Option<i64>>;

impl Grammar {
    /// Reads and checks a grammar; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// [`GrammarError::Line`] for a broken line, an unknown, repeated, unreachable or recursive name, or a bad weight.
    pub fn parse_source(source: &str, file: &str) -> Result<Self, GrammarError> {
        let mut grammar = read::read(source, file)?;
        check::check(&grammar)?;
        grammar.hash = hex(&Sha256::digest(source.as_bytes())[..8]);
        grammar.modes = modes::enumerate(&grammar);
        let total: f64 = grammar.modes.iter().map(|mode| mode.probability).sum();
        match grammar.mode_tables.first() {
            Some(&table) if (total - 1.0).abs() > 1e-6 => {
                let what = "the guards of the mode tables leave no row for some rows of the others";
                Err(grammar.error(grammar.symbols[table].line, what.to_owned()))
            }
            _ => Ok(grammar),
        }
    }

    /// Reads a grammar from a file.
    ///
    /// # Errors
    ///
    /// [`GrammarError::Read`], and those of [`Grammar::parse_source`].
    pub fn open(path: &Path) -> Result<Self, GrammarError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(source) => Self::parse_source(&source, &file),
            Err(source) => Err(GrammarError::Read { file, source }),
        }
    }

    /// The bundled biographies of people who never lived.
    pub fn synthetic_bio() -> &'static Self {
        static BUNDLED: OnceLock<Grammar> = OnceLock::new();
        BUNDLED.get_or_init(|| {
            let source = include_str!("../../../prompts/synthetic-bio.grammar");
            Self::parse_source(source, "synthetic-bio.grammar")
                .expect("a test reads the bundled grammar")
        })
    }

    /// The file it came from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// 16 hexadecimal digits of the SHA-256 of its source; a variant adds its patterns.
    pub fn hash(&self) -> String {
        format!("{}{}", self.hash, self.variant.suffix())
    }

    fn error(&self, line: usize, what: String) -> GrammarError {
        GrammarError::Line { file: self.file.clone(), line, what }
    }

    /// The key (first column) of row `row` of table `table`.
    fn key(&self, table: usize, row: usize) -> &str {
        match &self.symbols[table].kind {
            Kind::Table { rows, .. } => &rows[row].value[0],
            _ => "",
        }
    }
}

impl<T> Alternative<T> {
    /// Whether every guard holds; the guards' tables are drawn.
    fn holds(&self, drawn: &Drawn) -> bool {
        self.guards.iter().all(|guard| {
            drawn[guard.table].is_some_and(|row| guard.allowed.contains(&(row as usize)))
        })
    }
}

/// The alternatives whose guards hold, with the share of weight of each.
fn eligible<'a, T>(
    alternatives: &'a [Alternative<T>],
    drawn: &Drawn,
) -> impl Iterator<Item = (usize, &'a T, f64)> + use<'a, T> {
    let held: Vec<usize> =
        (0..alternatives.len()).filter(|&i| alternatives[i].holds(drawn)).collect();
    let total: f64 = held.iter().map(|&i| alternatives[i].weight).sum();
    held.into_iter().map(move |i| (i, &alternatives[i].value, alternatives[i].weight / total))
}

impl Range {
    /// The range with its base put in; the base is drawn.
    fn bounds(&self, drawn: &Drawn) -> (i64, i64) {
        let base = self.base.and_then(|base| drawn[base]).unwrap_or(0);
        (base.saturating_add(self.low), base.saturating_add(self.high))
    }

    fn len(&self) -> f64 {
        (self.high - self.low + 1) as f64
    }
}
