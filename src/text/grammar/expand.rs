//! Drawing a text.

use rand_chacha::ChaCha8Rng;

use super::{Drawn, Grammar, GrammarError, Kind, Piece, Symbol, eligible};
use crate::rng::{self, Draw};

/// The most bytes of a text.
const LONGEST: usize = 1 << 20;
/// The most rules that a text is made of. Rules that hold others twice double with each step.
const MOST_RULES: usize = 100_000;

/// A text, and how many rules may still go into it.
struct Growing {
    text: String,
    left: usize,
}

impl Grammar {
    /// The text of draw `at` under `seed`: draws with different `at` are independent.
    ///
    /// # Errors
    ///
    /// [`GrammarError::Line`] when the guards of a name leave no alternative for what was drawn before.
    pub fn sample(&self, seed: u64, at: Draw) -> Result<String, GrammarError> {
        self.sample_from(&mut rng::stream(seed, at))
    }

    /// The next text of a generator.
    ///
    /// # Errors
    ///
    /// As [`Grammar::sample`].
    pub fn sample_from(&self, rng: &mut ChaCha8Rng) -> Result<String, GrammarError> {
        let mut drawn: Drawn = vec![None; self.symbols.len()];
        if !self.mode_tables.is_empty() {
            let mode = pick(rng, self.modes.iter().map(|mode| mode.probability));
            drawn.clone_from(&self.modes[mode].drawn);
        }
        let mut text = Growing { text: String::new(), left: MOST_RULES };
        self.expand(self.start, &mut drawn, rng, &mut text)?;
        Ok(text.text)
    }

    /// `n` texts of the stream `what` under `seed`.
    ///
    /// # Errors
    ///
    /// As [`Grammar::sample`].
    pub fn texts(&self, seed: u64, what: &str, n: usize) -> Result<Vec<String>, GrammarError> {
        let mut rng = rng::named(seed, what);
        (0..n).map(|_| self.sample_from(&mut rng)).collect()
    }

    fn expand(
        &self,
        rule: usize,
        drawn: &mut Drawn,
        rng: &mut ChaCha8Rng,
        text: &mut Growing,
    ) -> Result<(), GrammarError> {
        text.left = text.left.saturating_sub(1);
        if text.left == 0 || text.text.len() > LONGEST {
            let Symbol { name, line, .. } = &self.symbols[rule];
            let what = format!(
                "a text of `{name}` goes beyond {LONGEST} bytes or {MOST_RULES} rules; let fewer rules stand twice in others"
            );
            return Err(self.error(*line, what));
        }
        for &needed in &self.symbols[rule].needs {
            self.bind(needed, drawn, rng)?;
        }
        let Kind::Rule { bodies } = &self.symbols[rule].kind else { return Ok(()) };
        let (_, body) = self.choose(rule, bodies, drawn, rng)?;
        for piece in body {
            match piece {
                Piece::Literal(literal) => text.text.push_str(literal),
                Piece::Rule(other) => self.expand(*other, drawn, rng, text)?,
                Piece::Cell { table, column } => {
                    let row = self.bind(*table, drawn, rng)?;
                    if let Kind::Table { rows, .. } = &self.symbols[*table].kind {
                        text.text.push_str(&rows[row as usize].value[*column]);
                    }
                }
                Piece::Number(number) => {
                    text.text.push_str(&self.bind(*number, drawn, rng)?.to_string());
                }
                Piece::Difference(a, b) => {
                    let value = self.bind(*a, drawn, rng)? - self.bind(*b, drawn, rng)?;
                    text.text.push_str(&value.to_string());
                }
            }
        }
        Ok(())
    }

    /// Draws a table or number and what it needs, unless it is drawn already.
    fn bind(
        &self,
        symbol: usize,
        drawn: &mut Drawn,
        rng: &mut ChaCha8Rng,
    ) -> Result<i64, GrammarError> {
        if let Some(value) = drawn[symbol] {
            return Ok(value);
        }
        for &needed in &self.symbols[symbol].needs {
            self.bind(needed, drawn, rng)?;
        }
        let value = match &self.symbols[symbol].kind {
            Kind::Table { rows, .. } => self.choose(symbol, rows, drawn, rng)?.0 as i64,
            Kind::Number { ranges } => {
                let (low, high) = self.choose(symbol, ranges, drawn, rng)?.1.bounds(drawn);
                low + rng::next_below(rng, (high - low + 1) as usize) as i64
            }
            Kind::Rule { .. } => 0,
        };
        drawn[symbol] = Some(value);
        Ok(value)
    }

    fn choose<'a, T>(
        &self,
        symbol: usize,
        alternatives: &'a [super::Alternative<T>],
        drawn: &Drawn,
        rng: &mut ChaCha8Rng,
    ) -> Result<(usize, &'a T), GrammarError> {
        let open: Vec<(usize, &T, f64)> = eligible(alternatives, drawn).collect();
        if open.is_empty() {
            let found = &self.symbols[symbol];
            let given: Vec<String> = found
                .needs
                .iter()
                .filter(|&&need| matches!(self.symbols[need].kind, Kind::Table { .. }))
                .filter_map(|&need| Some((need, drawn[need]? as usize)))
                .map(|(need, row)| format!("{}={}", self.symbols[need].name, self.key(need, row)))
                .collect();
            let what = format!("`{}` has no alternative for {}", found.name, given.join(", "));
            return Err(self.error(found.line, what));
        }
        let chosen = open[pick(rng, open.iter().map(|&(_, _, share)| share))];
        Ok((chosen.0, chosen.1))
    }
}

/// An index drawn with these shares, which sum to 1; shares of 0 are never drawn.
fn pick(rng: &mut ChaCha8Rng, shares: impl Iterator<Item = f64>) -> usize {
    let (mut left, mut last) = (rng::next_unit(rng), 0);
    for (index, share) in shares.enumerate().filter(|&(_, share)| share > 0.0) {
        last = index;
        if left < share {
            break;
        }
        left -= share;
    }
    last
}
