//! Whether a text is in the language, by which derivation, with what probability, or where it leaves it.

use super::{Drawn, Grammar, Kind, Piece, eligible};

/// A way in which a grammar makes a text; draws that the text does not show are summed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivation {
    /// Index into [`Grammar::modes`].
    pub mode: usize,
    /// Probability of this derivation.
    pub probability: f64,
    /// The rules expanded, in the order of the text, each with the line of the alternative taken.
    pub rules: Vec<(String, usize)>,
    /// What was drawn: table keys and numbers by name.
    pub facts: Vec<(String, String)>,
}

/// A text that is in the language.
#[derive(Clone, Debug, PartialEq)]
pub struct Parse {
    /// Every derivation, the most probable first.
    pub derivations: Vec<Derivation>,
    /// Sum over the derivations; 0 where a variant drops the mode.
    pub probability: f64,
}

impl Parse {
    /// The mode of the most probable derivation.
    pub fn mode(&self) -> usize {
        self.derivations[0].mode
    }
}

/// A text that is not in the language: the longest beginning that some text has, numbers read whole, and
/// what could follow it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not in the language from byte {offset}: expected {}", list(expected))]
pub struct Rejection {
    /// Byte offset behind the longest acceptable beginning.
    pub offset: usize,
    /// What was expected there.
    pub expected: Vec<String>,
    /// The modes with a text that begins so, ascending indices into [`Grammar::modes`].
    pub modes: Vec<usize>,
}

impl Rejection {
    /// The mode that the acceptable beginning has settled on; `None` where it leaves several open.
    pub fn mode(&self) -> Option<usize> {
        match self.modes[..] {
            [mode] => Some(mode),
            _ => None,
        }
    }
}

fn list(expected: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = expected[..expected.len().min(SHOWN)].join(" or ");
    match expected.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} or {more} others"),
    }
}

impl Grammar {
    /// Finds every derivation of `text`.
    ///
    /// Cost: tens of microseconds for a text of a hundred words; alternatives are tried against the text as it is read.
    ///
    /// # Errors
    ///
    /// [`Rejection`] when the text is not in the language.
    pub fn parse(&self, text: &str) -> Result<Parse, Rejection> {
        let mut walk = Walk {
            grammar: self,
            text,
            drawn: vec![None; self.symbols.len()],
            rules: Vec::new(),
            found: Vec::new(),
            furthest: 0,
            expected: Vec::new(),
            open: vec![false; self.modes.len()],
        };
        walk.rule(self.start, Agenda { pieces: &[], then: None }, 0, 1.0);
        let Walk { mut found, furthest, mut expected, open, .. } = walk;
        if found.is_empty() {
            expected.sort();
            expected.dedup();
            let modes = (0..open.len()).filter(|&mode| open[mode]).collect();
            return Err(Rejection { offset: furthest, expected, modes });
        }
        found.sort_by(|a, b| b.0.probability.total_cmp(&a.0.probability));
        let probability = found.iter().map(|(derivation, _)| derivation.probability).sum();
        let name = |(derivation, rules): (Derivation, Vec<(usize, usize)>)| Derivation {
            rules: rules.iter().map(|&(r, line)| (self.symbols[r].name.clone(), line)).collect(),
            ..derivation
        };
        Ok(Parse { derivations: found.into_iter().map(name).collect(), probability })
    }

    /// Natural logarithm of the probability of `text`; −∞ outside the language.
    pub fn log_probability(&self, text: &str) -> f64 {
        self.parse(text).map_or(f64::NEG_INFINITY, |parse| parse.probability.ln())
    }
}

/// What is still to be read: pieces, then the agenda they stand in.
#[derive(Clone, Copy)]
struct Agenda<'a> {
    pieces: &'a [Piece],
    then: Option<&'a Agenda<'a>>,
}

struct Walk<'a> {
    grammar: &'a Grammar,
    text: &'a str,
    drawn: Drawn,
    rules: Vec<(usize, usize)>,
    found: Vec<(Derivation, Vec<(usize, usize)>)>,
    furthest: usize,
    expected: Vec<String>,
    /// Which modes some reading up to `furthest` can still end in.
    open: Vec<bool>,
}

type Then<'t, 'a> = &'t mut dyn FnMut(&mut Walk<'a>, f64);

impl<'a> Walk<'a> {
    fn agenda(&mut self, agenda: Agenda<'_>, at: usize, p: f64) {
        let Some((piece, rest)) = agenda.pieces.split_first() else {
            return match agenda.then {
                Some(next) => self.agenda(*next, at, p),
                None => self.end(at, p),
            };
        };
        let rest = Agenda { pieces: rest, then: agenda.then };
        match *piece {
            Piece::Literal(ref literal) => self.literal(literal, rest, at, p),
            Piece::Rule(rule) => self.rule(rule, rest, at, p),
            Piece::Cell { table, column } => self.cell(table, column, rest, at, p),
            Piece::Number(number) => self.number(number, rest, at, p),
            Piece::Difference(a, b) => {
                self.bound(&[a, b], p, &mut |walk, p| {
                    let value = |symbol: usize| walk.drawn[symbol].unwrap_or(0);
                    let text = (value(a) - value(b)).to_string();
                    walk.literal(&text, rest, at, p);
                });
            }
        }
    }

    fn literal(&mut self, literal: &str, rest: Agenda<'_>, at: usize, p: f64) {
        if self.text[at..].starts_with(literal) {
            return self.agenda(rest, at + literal.len(), p);
        }
        let pairs = self.text[at..].chars().zip(literal.chars());
        let same: usize = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        self.miss(at + same, || format!("`{}`", literal[same..].escape_debug()));
    }

    fn rule(&mut self, rule: usize, rest: Agenda<'_>, at: usize, p: f64) {
        let grammar = self.grammar;
        self.bound(&grammar.symbols[rule].needs, p, &mut |walk, p| {
            let Kind::Rule { bodies } = &grammar.symbols[rule].kind else { return };
            let open: Vec<_> = eligible(bodies, &walk.drawn).collect();
            for (index, body, share) in open {
                walk.rules.push((rule, bodies[index].line));
                walk.agenda(Agenda { pieces: body, then: Some(&rest) }, at, p * share);
                walk.rules.pop();
            }
        });
    }

    fn cell(&mut self, table: usize, column: usize, rest: Agenda<'_>, at: usize, p: f64) {
        let grammar = self.grammar;
        let Kind::Table { rows, .. } = &grammar.symbols[table].kind else { return };
        if let Some(row) = self.drawn[table] {
            return self.literal(&rows[row as usize].value[column], rest, at, p);
        }
        self.bound(&grammar.symbols[table].needs, p, &mut |walk, p| {
            let open: Vec<_> = eligible(rows, &walk.drawn).collect();
            for (row, cells, share) in open {
                walk.drawn[table] = Some(row as i64);
                walk.literal(&cells[column], rest, at, p * share);
            }
            walk.drawn[table] = None;
        });
    }

    fn number(&mut self, number: usize, rest: Agenda<'_>, at: usize, p: f64) {
        if let Some(value) = self.drawn[number] {
            return self.literal(&value.to_string(), rest, at, p);
        }
        let grammar = self.grammar;
        let Kind::Number { ranges } = &grammar.symbols[number].kind else { return };
        self.bound(&grammar.symbols[number].needs, p, &mut |walk, p| {
            let open: Vec<_> = eligible(ranges, &walk.drawn)
                .map(|(_, range, share)| (range.bounds(&walk.drawn), share / range.len()))
                .collect();
            let digits = walk.text[at..].bytes().take_while(u8::is_ascii_digit).count();
            let mut any = false;
            for length in 1..=digits.min(18) {
                let shown = &walk.text[at..at + length];
                let Ok(value) = shown.parse::<i64>() else { continue };
                let inside =
                    |&&((low, high), _): &&((i64, i64), f64)| (low..=high).contains(&value);
                let share: f64 = open.iter().filter(inside).map(|(_, share)| share).sum();
                if share > 0.0 && value.to_string() == shown {
                    any = true;
                    walk.drawn[number] = Some(value);
                    walk.agenda(rest, at + length, p * share);
                }
            }
            walk.drawn[number] = None;
            if !any {
                for ((low, high), _) in open {
                    let name = &grammar.symbols[number].name;
                    walk.miss(at, || format!("{name} in {low}..{high}"));
                }
            }
        });
    }

    /// Goes on with everything in `needs` drawn, in every way it can be.
    fn bound(&mut self, needs: &[usize], p: f64, then: Then<'_, 'a>) {
        let Some(first) = needs.iter().position(|&need| self.drawn[need].is_none()) else {
            return then(self, p);
        };
        let (symbol, others, grammar) = (needs[first], &needs[first + 1..], self.grammar);
        self.bound(&grammar.symbols[symbol].needs, p, &mut |walk, p| {
            for (value, share) in grammar.values(symbol, &walk.drawn) {
                walk.drawn[symbol] = Some(value);
                walk.bound(others, p * share, then);
            }
            walk.drawn[symbol] = None;
        });
    }

    /// The agenda is empty: a derivation, if the text is at its end too.
    fn end(&mut self, at: usize, p: f64) {
        if at < self.text.len() {
            return self.miss(at, || "the end".to_owned());
        }
        let grammar = self.grammar;
        self.bound(&grammar.mode_tables, p, &mut |walk, p| {
            let mode = grammar.mode_of(&walk.drawn);
            let probability = p * grammar.modes.get(mode).map_or(1.0, |mode| mode.factor);
            let same =
                walk.found.iter_mut().find(|(d, rules)| d.mode == mode && *rules == walk.rules);
            match same {
                Some((derivation, _)) => derivation.probability += probability,
                None => {
                    let facts = grammar.facts(&walk.drawn);
                    let derivation = Derivation { mode, probability, rules: Vec::new(), facts };
                    walk.found.push((derivation, walk.rules.clone()));
                }
            }
        });
    }

    fn miss(&mut self, at: usize, expected: impl FnOnce() -> String) {
        if at > self.furthest {
            self.furthest = at;
            self.expected.clear();
            self.open.fill(false);
        }
        if at == self.furthest {
            self.leave_open();
        }
        // Few are shown; hidden draws can repeat the same miss many times.
        if at == self.furthest && self.expected.len() < 1000 {
            self.expected.push(expected());
        }
    }
}

impl Walk<'_> {
    /// Marks the modes that agree with what is drawn.
    fn leave_open(&mut self) {
        let Grammar { mode_tables, modes, .. } = self.grammar;
        for (open, mode) in self.open.iter_mut().zip(modes).filter(|(open, _)| !**open) {
            let agrees =
                |&table: &usize| self.drawn[table].is_none_or(|row| mode.drawn[table] == Some(row));
            *open = mode_tables.iter().all(agrees);
        }
    }
}

impl Grammar {
    fn facts(&self, drawn: &Drawn) -> Vec<(String, String)> {
        let fact = |(symbol, value): (usize, &Option<i64>)| {
            let value = match self.symbols[symbol].kind {
                Kind::Table { .. } => self.key(symbol, (*value)? as usize).to_owned(),
                _ => (*value)?.to_string(),
            };
            Some((self.symbols[symbol].name.clone(), value))
        };
        drawn.iter().enumerate().filter_map(fact).collect()
    }
}
