//! What a grammar must not have: recursion, and names that no text can reach.

use super::{Grammar, GrammarError, Kind, Piece};

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
    Ok(())
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
