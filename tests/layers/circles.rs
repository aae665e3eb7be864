//! Circles among the modules of one folder.
//!
//! At every place of the tree, the modules beside one another (each with all that is inside it) must not
//! form a circle. A circle of files is seen at the folder that holds all of them, so this finds every
//! one that does not pass through that folder's own file. Those are no circles by our rule: a module
//! and what it holds are one thing in several files, and `use super::Error` is how the parts speak.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::tree::Import;

/// The modules of a circle in their order, and for each step an import that makes it.
#[derive(Debug)]
pub struct Circle<'a> {
    pub steps: Vec<&'a Import>,
}

impl std::fmt::Display for Circle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in &self.steps {
            let Import { from, to, line, path } = step;
            writeln!(f, "  src/{}:{line} imports {path} ({})", from.path, to.path)?;
        }
        Ok(())
    }
}

/// The shortest circle through every module that lies on one; none twice.
pub fn circles(imports: &[Import]) -> Vec<Circle<'_>> {
    let mut places: BTreeMap<&[String], Graph> = BTreeMap::new();
    for import in imports.iter().filter(|import| !import.from.is_kin(&import.to)) {
        let (from, to) = (&import.from.module, &import.to.module);
        let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        let graph = places.entry(&from[..shared]).or_default();
        graph.entry(&from[shared]).or_default().entry(&to[shared]).or_insert(import);
    }
    let mut found = Vec::new();
    for graph in places.values() {
        let mut seen = BTreeSet::new();
        for &start in graph.keys() {
            let Some(circle) = shortest(graph, start) else { continue };
            let members: BTreeSet<_> = circle.iter().map(|&(member, _)| member).collect();
            if seen.insert(members) {
                found.push(Circle { steps: circle.into_iter().map(|(_, step)| step).collect() });
            }
        }
    }
    found
}

type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Import>>;

/// The shortest way from a module back to it: each module on the way with the import that leaves it.
fn shortest<'a>(graph: &Graph<'a>, start: &'a str) -> Option<Vec<(&'a str, &'a Import)>> {
    let mut came: BTreeMap<&str, (&str, &Import)> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for (&to, &import) in graph.get(at).into_iter().flatten() {
            if to == start {
                let mut way = vec![(at, import)];
                while let Some(&(from, step)) = came.get(way[way.len() - 1].0) {
                    way.push((from, step));
                }
                way.reverse();
                return Some(way);
            }
            came.entry(to).or_insert_with(|| {
                queue.push_back(to);
                (at, import)
            });
        }
    }
    None
}
