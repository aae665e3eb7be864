//! From the lines of a grammar file to symbols whose names are resolved.

use std::collections::HashMap;

use super::{Alternative, Grammar, GrammarError, Guard, Kind, Piece, Range, Symbol, Variant};

/// An alternative before names are resolved.
struct RawLine<'a> {
    line: usize,
    weight: f64,
    guards: Vec<(&'a str, Vec<&'a str>)>,
    body: &'a str,
}

struct RawSymbol<'a> {
    line: usize,
    what: &'a str,
    name: &'a str,
    columns: Vec<String>,
    lines: Vec<RawLine<'a>>,
}

struct Reader<'a> {
    file: &'a str,
    start: Option<(usize, &'a str)>,
    modes: Option<(usize, Vec<&'a str>)>,
    symbols: Vec<RawSymbol<'a>>,
    names: HashMap<&'a str, usize>,
}

pub(super) fn read(source: &str, file: &str) -> Result<Grammar, GrammarError> {
    let mut reader =
        Reader { file, start: None, modes: None, symbols: Vec::new(), names: HashMap::new() };
    for (index, line) in source.lines().enumerate() {
        reader.line(index + 1, line)?;
    }
    reader.resolve()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl<'a> Reader<'a> {
    fn error<T>(&self, line: usize, what: impl Into<String>) -> Result<T, GrammarError> {
        Err(GrammarError::Line { file: self.file.to_owned(), line, what: what.into() })
    }

    fn line(&mut self, number: usize, line: &'a str) -> Result<(), GrammarError> {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if line.starts_with([' ', '\t']) {
            let raw = self.alternative(number, text)?;
            let Some(symbol) = self.symbols.last_mut() else {
                return self.error(number, "an alternative before any table, number or rule");
            };
            symbol.lines.push(raw);
            return Ok(());
        }
        let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        match what {
            "start" => self.start = Some((number, rest)),
            "modes" => self.modes = Some((number, rest.split_whitespace().collect())),
            "table" | "number" | "rule" => self.symbol(number, what, rest)?,
            _ => {
                return self.error(
                    number,
                    format!("`{what}` begins no line; use start, modes, table, number or rule"),
                );
            }
        }
        Ok(())
    }

    fn symbol(&mut self, line: usize, what: &'a str, rest: &'a str) -> Result<(), GrammarError> {
        let (name, columns) = match rest.split_once('(') {
            Some((name, columns)) => match columns.strip_suffix(')') {
                Some(columns) => {
                    (name.trim(), columns.split(',').map(|c| c.trim().to_owned()).collect())
                }
                None => return self.error(line, "`(` without `)`"),
            },
            None => (rest, vec!["name".to_owned()]),
        };
        if !is_name(name) || columns.iter().any(|column: &String| !is_name(column)) {
            return self.error(
                line,
                format!("`{rest}` is no name; use letters, digits and _, a letter first"),
            );
        }
        if let Some(&earlier) = self.names.get(name) {
            let at = self.symbols[earlier].line;
            return self.error(line, format!("`{name}` is defined already, on line {at}"));
        }
        self.names.insert(name, self.symbols.len());
        self.symbols.push(RawSymbol { line, what, name, columns, lines: Vec::new() });
        Ok(())
    }

    /// `3 * [table=row|row, table=row] body`
    fn alternative(&self, line: usize, text: &'a str) -> Result<RawLine<'a>, GrammarError> {
        let (mut weight, mut body) = (1.0, text);
        if let Some((number, rest)) = text.split_once(" * ")
            && number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        {
            match number.trim().parse::<f64>() {
                // So that no sum of weights is infinite.
                Ok(value) if value > 0.0 && value <= 1e200 => (weight, body) = (value, rest),
                _ => {
                    return self.error(line, format!("`{number}` is no weight; use a number > 0"));
                }
            }
        }
        let mut guards = Vec::new();
        if let Some(rest) = body.trim_start().strip_prefix('[') {
            let Some((inside, rest)) = rest.split_once(']') else {
                return self.error(line, "`[` without `]`");
            };
            for guard in inside.split(',') {
                let Some((table, rows)) = guard.split_once('=') else {
                    return self.error(line, format!("`{guard}` is no guard; use table=row"));
                };
                guards.push((table.trim(), rows.split('|').map(str::trim).collect()));
            }
            body = rest;
        }
        Ok(RawLine { line, weight, guards, body: body.trim() })
    }

    fn find(&self, line: usize, name: &str) -> Result<usize, GrammarError> {
        match self.names.get(name) {
            Some(&symbol) => Ok(symbol),
            None => self.error(line, format!("`{name}` is defined nowhere")),
        }
    }

    fn find_as(&self, line: usize, name: &str, what: &str) -> Result<usize, GrammarError> {
        let symbol = self.find(line, name)?;
        match self.symbols[symbol].what {
            found if found == what => Ok(symbol),
            found => self.error(line, format!("`{name}` is a {found}; a {what} is needed here")),
        }
    }

    fn resolve(&self) -> Result<Grammar, GrammarError> {
        let Some((line, start)) = self.start else {
            return self.error(1, "no `start NAME` line");
        };
        let start = self.find_as(line, start, "rule")?;
        let mut mode_tables = Vec::new();
        if let Some((line, names)) = &self.modes {
            for name in names {
                mode_tables.push(self.find_as(*line, name, "table")?);
            }
        }
        let mut symbols = Vec::new();
        for raw in &self.symbols {
            if raw.lines.is_empty() {
                return self.error(raw.line, format!("`{}` has no alternatives", raw.name));
            }
            let kind = match raw.what {
                "table" => Kind::Table { rows: self.rows(raw)? },
                "number" => Kind::Number { ranges: self.each(raw, |line| self.range(line))? },
                _ => Kind::Rule { bodies: self.each(raw, |line| self.pieces(line))? },
            };
            let mut needs = needs(&kind);
            needs.sort_unstable();
            needs.dedup();
            symbols.push(Symbol { name: raw.name.to_owned(), line: raw.line, kind, needs });
        }
        Ok(Grammar {
            file: self.file.to_owned(),
            symbols,
            start,
            mode_tables,
            modes: Vec::new(),
            variant: Variant::default(),
            hash: String::new(),
        })
    }

    fn each<T>(
        &self,
        raw: &RawSymbol<'a>,
        value: impl Fn(&RawLine<'a>) -> Result<T, GrammarError>,
    ) -> Result<Vec<Alternative<T>>, GrammarError> {
        let alternative = |line: &RawLine<'a>| {
            let guards = self.guards(line)?;
            Ok(Alternative { line: line.line, weight: line.weight, guards, value: value(line)? })
        };
        raw.lines.iter().map(alternative).collect()
    }

    fn guards(&self, line: &RawLine<'a>) -> Result<Vec<Guard>, GrammarError> {
        let mut guards = Vec::new();
        for (name, keys) in &line.guards {
            let table = self.find_as(line.line, name, "table")?;
            let rows = self.keys(table);
            let mut allowed = Vec::new();
            for key in keys {
                let before = allowed.len();
                allowed.extend((0..rows.len()).filter(|&row| rows[row] == *key));
                if allowed.len() == before {
                    return self.error(line.line, format!("table `{name}` has no row `{key}`"));
                }
            }
            guards.push(Guard { table, allowed });
        }
        Ok(guards)
    }

    /// The first columns of a table's rows, in order.
    fn keys(&self, table: usize) -> Vec<&'a str> {
        let rows = self.symbols[table].lines.iter().flat_map(|line| line.body.split(" / "));
        rows.map(|row| row.split(" | ").next().unwrap_or(row).trim()).collect()
    }

    fn rows(&self, raw: &RawSymbol<'a>) -> Result<Vec<Alternative<Vec<String>>>, GrammarError> {
        let mut rows = Vec::new();
        for line in &raw.lines {
            let guards = self.guards(line)?;
            for row in line.body.split(" / ") {
                let value: Vec<String> =
                    row.split(" | ").map(|cell| unescape(cell.trim())).collect();
                if value.len() != raw.columns.len() || value.iter().any(String::is_empty) {
                    let (want, row) = (raw.columns.len(), row.trim());
                    return self.error(
                        line.line,
                        format!(
                            "row `{row}` has {} cells; the table has {want} columns, none empty",
                            value.len()
                        ),
                    );
                }
                let (line, weight, guards) = (line.line, line.weight, guards.clone());
                rows.push(Alternative { line, weight, guards, value });
            }
        }
        Ok(rows)
    }

    /// `1900..1940` or `other+3..14`
    fn range(&self, raw: &RawLine<'a>) -> Result<Range, GrammarError> {
        let bad = || format!("`{}` is no range; use 1900..1940 or other+3..14", raw.body);
        let (base, bounds) = match raw.body.split_once('+') {
            Some((base, bounds)) => (Some(self.find_as(raw.line, base.trim(), "number")?), bounds),
            None => (None, raw.body),
        };
        let bound = |text: &str| text.trim().parse::<u32>().ok().map(i64::from);
        let parsed =
            bounds.split_once("..").and_then(|(low, high)| Some((bound(low)?, bound(high)?)));
        match parsed {
            Some((low, high)) if low <= high => Ok(Range { base, low, high }),
            _ => self.error(raw.line, bad()),
        }
    }

    /// Literals and `{name}`, `{table.column}`, `{number-number}`.
    fn pieces(&self, raw: &RawLine<'a>) -> Result<Vec<Piece>, GrammarError> {
        let (mut pieces, mut rest) = (Vec::new(), raw.body);
        while let Some(open) = rest.find(['{', '}']) {
            if open > 0 {
                pieces.push(Piece::Literal(unescape(&rest[..open])));
            }
            let inside = rest[open..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let Some((inside, after)) = inside else {
                return self.error(raw.line, "braces that do not pair");
            };
            pieces.push(self.mention(raw.line, inside.trim())?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(unescape(rest)));
        }
        Ok(pieces)
    }

    fn mention(&self, line: usize, text: &str) -> Result<Piece, GrammarError> {
        if let Some((a, b)) = text.split_once('-') {
            let number = |name: &str| self.find_as(line, name.trim(), "number");
            return Ok(Piece::Difference(number(a)?, number(b)?));
        }
        if let Some((table, column)) = text.split_once('.') {
            let index = self.find_as(line, table, "table")?;
            let columns = &self.symbols[index].columns;
            return match columns.iter().position(|name| name == column) {
                Some(column) => Ok(Piece::Cell { table: index, column }),
                None => self.error(
                    line,
                    format!(
                        "table `{table}` has no column `{column}`; it has {}",
                        columns.join(", ")
                    ),
                ),
            };
        }
        let symbol = self.find(line, text)?;
        Ok(match self.symbols[symbol].what {
            "table" => Piece::Cell { table: symbol, column: 0 },
            "number" => Piece::Number(symbol),
            _ => Piece::Rule(symbol),
        })
    }
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n")
}

/// The tables of the guards and the bases of the ranges.
fn needs(kind: &Kind) -> Vec<usize> {
    fn guards<T>(alternatives: &[Alternative<T>]) -> impl Iterator<Item = usize> + '_ {
        alternatives.iter().flat_map(|a| a.guards.iter().map(|guard| guard.table))
    }
    match kind {
        Kind::Table { rows, .. } => guards(rows).collect(),
        Kind::Number { ranges } => {
            guards(ranges).chain(ranges.iter().filter_map(|range| range.value.base)).collect()
        }
        Kind::Rule { bodies } => guards(bodies).collect(),
    }
}
