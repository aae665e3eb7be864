//! What a grammar must not have: recursion, and names that no text can reach.

use super::{Grammar, GrammarError, Kind, Piece, Symbol};

/// Names that may stand inside one another; every one of them is a call of the reader.
const DEEPEST: usize = 200;

/// Ways in which a name and what it depends on may be drawn: a reader goes through them one by one.
const MOST_WAYS: f64 = 1e6;

pub(super) fn check(grammar: &Grammar) -> Result<(), GrammarError> {
    let mut state = vec![State::New; grammar.symbols.len()];
    visit(grammar, grammar.start, &mut state, &mut Vec::new())?;
    for &table in &grammar.mode_tables {
        visit(grammar, table, &mut state, &mut Vec::new())?;
        let found = &grammar.symbols[table];
        if let Some(&other) = found.needs.iter().find(|need| !grammar.mode_tables.contains(need)) {
            let other = &grammar.symbols[other].name;
            let what = format!("mode table `{}` depends on `{other}`, which is none", found.name);
            return Err(grammar.error(found.line, what));
        }
    }
    // Recursion among unreachable names is reported as such first.
    for symbol in 0..state.len() {
        if state[symbol] == State::New {
            visit(grammar, symbol, &mut state.clone(), &mut Vec::new())?;
            let found = &grammar.symbols[symbol];
            let start = &grammar.symbols[grammar.start].name;
            return Err(grammar.error(
                found.line,
                format!("`{}` cannot be reached from the start rule `{start}`", found.name),
            ));
        }
    }
    few_ways(grammar)
}

/// Refuses what could not be read in a time that anybody waits: too many ways to draw the modes, or what a guard or a
/// range begins with.
fn few_ways(grammar: &Grammar) -> Result<(), GrammarError> {
    let mut ways = vec![None; grammar.symbols.len()];
    let all = grammar.symbols.iter().map(|symbol| (symbol.line, &symbol.needs));
    for (line, needs) in all.chain([(1, &grammar.mode_tables)]) {
        let together: f64 = needs.iter().map(|&need| ways_of(grammar, need, &mut ways)).product();
        if together > MOST_WAYS {
            let names: Vec<&str> =
                needs.iter().map(|&n| grammar.symbols[n].name.as_str()).collect();
            let what = format!(
                "{} can be drawn in {together:.0} ways together, and at most {MOST_WAYS:.0} can be gone through; \
                 use smaller ranges or fewer tables",
                names.join(", ")
            );
            return Err(grammar.error(line, what));
        }
    }
    Ok(())
}

/// In how many ways a table or number is drawn with what it depends on; recursion has been refused.
fn ways_of(grammar: &Grammar, symbol: usize, known: &mut Vec<Option<f64>>) -> f64 {
    if let Some(ways) = known[symbol] {
        return ways;
    }
    let found = &grammar.symbols[symbol];
    let own = match &found.kind {
        Kind::Table { rows } => rows.len() as f64,
        Kind::Number { ranges } => ranges.iter().map(|range| range.value.len()).sum(),
        Kind::Rule { .. } => 1.0,
    };
    let ways = own * found.needs.iter().map(|&need| ways_of(grammar, need, known)).product::<f64>();
    known[symbol] = Some(ways);
    ways
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

fn visit(
    grammar: &Grammar,
    symbol: usize,
    state: &mut Vec<State>,
    path: &mut Vec<usize>,
) -> Result<(), GrammarError> {
    match state[symbol] {
        State::Done => return Ok(()),
        State::Open => {
            let from = path.iter().position(|&earlier| earlier == symbol).unwrap_or(0);
            let names: Vec<&str> = path[from..]
                .iter()
                .chain([&symbol])
                .map(|&symbol| grammar.symbols[symbol].name.as_str())
                .collect();
            let (name, line) = (&grammar.symbols[symbol].name, grammar.symbols[symbol].line);
            return Err(
                grammar.error(line, format!("`{name}` is recursive: {}", names.join(" needs ")))
            );
        }
        State::New => state[symbol] = State::Open,
    }
    path.push(symbol);
    if path.len() > DEEPEST {
        let Symbol { name, line, .. } = &grammar.symbols[symbol];
        let what =
            format!("`{name}` stands inside of {DEEPEST} other names; write them into one another");
        return Err(grammar.error(*line, what));
    }
    let found = &grammar.symbols[symbol];
    for &needed in &found.needs {
        visit(grammar, needed, state, path)?;
    }
    if let Kind::Rule { bodies } = &found.kind {
        for piece in bodies.iter().flat_map(|body| &body.value) {
            match *piece {
                Piece::Literal(_) => {}
                Piece::Rule(other) | Piece::Number(other) => visit(grammar, other, state, path)?,
                Piece::Cell { table, .. } => visit(grammar, table, state, path)?,
                Piece::Difference(a, b) => {
                    visit(grammar, a, state, path)?;
                    visit(grammar, b, state, path)?;
                }
            }
        }
    }
    path.pop();
    state[symbol] = State::Done;
    Ok(())
}
