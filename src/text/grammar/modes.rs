//! Modes: groups of texts whose probabilities are known, and distributions that lack or favor some.

use super::{Drawn, Grammar, GrammarError, Kind, Range, eligible};

/// A group of texts: those with the same rows of the grammar's mode tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// The rows by name, such as `Ireland/painter/career`.
    pub name: String,
    /// Share of the distribution; 0 where a variant drops it.
    pub probability: f64,
    /// What the variant in force multiplies the mode's probability by.
    pub(super) factor: f64,
    /// The draws that make the mode.
    pub(super) drawn: Drawn,
}

/// Which modes are left out and which are twice as probable, by patterns such as `job=painter,plan=prize`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// Patterns of modes that are left out.
    pub drop: Vec<String>,
    /// Patterns of modes that have twice their weight.
    pub double: Vec<String>,
}

impl Variant {
    pub(super) fn suffix(&self) -> String {
        let part = |sign: &str, patterns: &[String]| -> String {
            patterns.iter().map(|pattern| format!("{sign}{pattern}")).collect()
        };
        part("-", &self.drop) + &part("+", &self.double)
    }
}

impl Grammar {
    /// All modes, in the order of the tables; their probabilities sum to 1.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// The same texts with modes dropped or doubled; probabilities are renormalized.
    ///
    /// # Errors
    ///
    /// [`GrammarError::NoSuchMode`] for a pattern that fits none, [`GrammarError::Empty`] when none is left.
    pub fn variant(&self, variant: Variant) -> Result<Self, GrammarError> {
        let mut modes = enumerate(self);
        let factors = variant.drop.iter().map(|p| (p, 0.0));
        for (pattern, factor) in factors.chain(variant.double.iter().map(|p| (p, 2.0))) {
            let wanted = self.pattern(pattern)?;
            let fits = |drawn: &Drawn| {
                wanted.iter().all(|(table, key)| {
                    drawn[*table].is_some_and(|row| self.key(*table, row as usize) == *key)
                })
            };
            for mode in modes.iter_mut().filter(|mode| fits(&mode.drawn)) {
                mode.factor *= factor;
            }
        }
        let total: f64 = modes.iter().map(|mode| mode.probability * mode.factor).sum();
        if total <= 0.0 {
            return Err(GrammarError::Empty);
        }
        for mode in &mut modes {
            mode.factor /= total;
            mode.probability *= mode.factor;
        }
        Ok(Self { modes, variant, ..self.clone() })
    }

    fn pattern<'a>(&self, pattern: &'a str) -> Result<Vec<(usize, &'a str)>, GrammarError> {
        let names: Vec<&str> =
            self.mode_tables.iter().map(|&table| self.symbols[table].name.as_str()).collect();
        let no = || GrammarError::NoSuchMode {
            pattern: pattern.to_owned(),
            allowed: format!("the tables {} and their rows", names.join(", ")),
        };
        let part = |part: &'a str| {
            let (name, key) = part.split_once('=').ok_or_else(no)?;
            let at = names.iter().position(|known| *known == name.trim()).ok_or_else(no)?;
            let (table, key) = (self.mode_tables[at], key.trim());
            let Kind::Table { rows, .. } = &self.symbols[table].kind else { return Err(no()) };
            rows.iter().any(|row| row.value[0] == key).then_some((table, key)).ok_or_else(no)
        };
        pattern.split(',').map(part).collect()
    }

    /// The mode of a derivation's draws.
    pub(super) fn mode_of(&self, drawn: &Drawn) -> usize {
        let same = |mode: &Mode| self.mode_tables.iter().all(|&t| mode.drawn[t] == drawn[t]);
        self.modes.iter().position(same).unwrap_or(0)
    }
}

/// Every way to draw the mode tables, which depend on nothing but each other, with its probability.
pub(super) fn enumerate(grammar: &Grammar) -> Vec<Mode> {
    let mut order = Vec::new();
    for &table in &grammar.mode_tables {
        require(grammar, table, &mut order);
    }
    let mut found: Vec<(Drawn, f64)> = vec![(vec![None; grammar.symbols.len()], 1.0)];
    for &table in &order {
        let branch = |(drawn, p): (Drawn, f64)| -> Vec<(Drawn, f64)> {
            let with = |(value, share): (i64, f64)| {
                let mut next = drawn.clone();
                next[table] = Some(value);
                (next, p * share)
            };
            grammar.values(table, &drawn).into_iter().map(with).collect()
        };
        found = found.into_iter().flat_map(branch).collect();
    }
    let mode = |(drawn, probability): (Drawn, f64)| {
        let key = |&t: &usize| grammar.key(t, drawn[t].unwrap_or(0) as usize).to_owned();
        let keys: Vec<String> = grammar.mode_tables.iter().map(key).collect();
        Mode { name: keys.join("/"), probability, factor: 1.0, drawn }
    };
    found.into_iter().map(mode).collect()
}

/// `symbol` after whatever it needs.
fn require(grammar: &Grammar, symbol: usize, order: &mut Vec<usize>) {
    for &needed in &grammar.symbols[symbol].needs {
        require(grammar, needed, order);
    }
    if !order.contains(&symbol) {
        order.push(symbol);
    }
}

impl Grammar {
    /// Every value that a table or number whose needs are drawn can take, with its probability.
    pub(super) fn values(&self, symbol: usize, drawn: &Drawn) -> Vec<(i64, f64)> {
        match &self.symbols[symbol].kind {
            Kind::Table { rows, .. } => {
                eligible(rows, drawn).map(|(row, _, share)| (row as i64, share)).collect()
            }
            Kind::Number { ranges } => {
                let each = |(_, range, share): (usize, &Range, f64)| {
                    let ((low, high), share) = (range.bounds(drawn), share / range.len());
                    (low..=high).map(move |value| (value, share))
                };
                eligible(ranges, drawn).flat_map(each).collect()
            }
            Kind::Rule { .. } => Vec::new(),
        }
    }
}
