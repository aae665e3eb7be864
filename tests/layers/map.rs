//! What `docs/architecture.md` says about imports, read from its tables.

use super::tree::{File, Import};

/// One row of "What may import what".
#[derive(Debug)]
pub struct Room {
    /// `lm/engine`: a folder below `src`, or a file without its ending.
    pub name: String,
    /// Names of rooms.
    pub imports: Vec<String>,
}

/// An import that is allowed against the rules, for a reason that is written down.
#[derive(Debug)]
pub struct Exception {
    pub from: String,
    pub to: String,
}

/// The tables of the map.
#[derive(Debug)]
pub struct Map {
    pub rooms: Vec<Room>,
    pub exceptions: Vec<Exception>,
}

impl Map {
    /// Reads the two tables; a cell `everything` stands for all rooms above.
    pub fn parse(text: &str) -> Self {
        let mut map = Self { rooms: Vec::new(), exceptions: Vec::new() };
        for row in rows(text, "## What may import what") {
            let [name, .., imports] = row.as_slice() else { continue };
            let mut imports = quoted(imports);
            if row.last().is_some_and(|cell| cell == "everything") {
                imports = map.rooms.iter().map(|room| room.name.clone()).collect();
            }
            map.rooms.extend(
                quoted(name).into_iter().map(|name| Room { name, imports: imports.clone() }),
            );
        }
        for row in rows(text, "### Exceptions") {
            let [from, to, reason] = row.as_slice() else { continue };
            let (Some(from), Some(to)) = (quoted(from).pop(), quoted(to).pop()) else { continue };
            assert!(reason.split_whitespace().count() > 3, "{from} may import {to}: why?");
            map.exceptions.push(Exception { from, to });
        }
        map
    }

    /// The room of a file: the longest name that its path begins with.
    pub fn room(&self, file: &File) -> Option<&Room> {
        let path = file.path.trim_end_matches(".rs");
        let holds = |name: &str| {
            path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.rooms.iter().filter(|room| holds(&room.name)).max_by_key(|room| room.name.len())
    }
}

impl Exception {
    pub fn covers(&self, import: &Import) -> bool {
        self.from == import.from.path && self.to == import.to.path
    }
}

/// The cells of the table behind a heading, without its head.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let section = lines.take_while(|line| !line.starts_with('#'));
    let table = section.filter(|line| line.starts_with('|')).skip(2);
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.map(cells).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
