//! The crate as a tree of modules, and from which file to which its imports lead.

use std::collections::BTreeMap;

use super::module::Module;

/// Files by their path below `src`.
pub type Sources = BTreeMap<String, String>;

/// That one file uses something that another defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: File,
    pub to: File,
    /// Where in `from`, and what stands there.
    pub line: usize,
    pub path: String,
}

/// A file and the module that it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// `lm/embed.rs`.
    pub path: String,
    /// `[lm, embed]`; empty for the crate's root.
    pub module: Vec<String>,
}

impl File {
    /// Whether one module holds the other: they are one thing in several files.
    pub fn is_kin(&self, other: &Self) -> bool {
        self.module.starts_with(&other.module) || other.module.starts_with(&self.module)
    }
}

/// Every import of one file from another, in the library's modules.
pub fn imports(sources: &Sources) -> Vec<Import> {
    let mut tree = Tree::default();
    tree.add_file(sources, "lib.rs", None, "");
    let mut imports: Vec<_> =
        (0..tree.nodes.len()).flat_map(|node| tree.imports_of(node)).collect();
    imports.sort();
    imports.dedup_by(|a, b| (&a.from, &a.to, a.line) == (&b.from, &b.to, b.line));
    imports
}

/// The files of the library, tests left out.
pub fn files(sources: &Sources) -> Vec<File> {
    let mut tree = Tree::default();
    tree.add_file(sources, "lib.rs", None, "");
    tree.files
}

#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    files: Vec<File>,
}

struct Node {
    parent: Option<usize>,
    file: usize,
    module: Module,
    children: Vec<(String, usize)>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
enum Found {
    Module(usize),
    /// Something else that is defined in this module.
    Item(usize),
}

/// How many names may stand for one another in a row: more than any crate needs, and no circle hangs.
const MOST_STEPS: usize = 32;

impl Tree {
    fn add_file(&mut self, sources: &Sources, path: &str, parent: Option<usize>, name: &str) {
        let Some(source) = sources.get(path) else { return };
        let mut module = parent.map_or(Vec::new(), |parent| self.path(parent));
        module.extend(parent.map(|_| name.to_owned()));
        self.files.push(File { path: path.to_owned(), module });
        self.add(sources, Module::parse(name, source), self.files.len() - 1, parent);
    }

    fn path(&self, node: usize) -> Vec<String> {
        let Some(parent) = self.nodes[node].parent else { return Vec::new() };
        let mut path = self.path(parent);
        path.push(self.nodes[node].module.name.clone());
        path
    }

    fn add(&mut self, sources: &Sources, mut module: Module, file: usize, parent: Option<usize>) {
        let node = self.nodes.len();
        let (files, inline) =
            (std::mem::take(&mut module.files), std::mem::take(&mut module.inline));
        if let Some(parent) = parent {
            self.nodes[parent].children.push((module.name.clone(), node));
        }
        self.nodes.push(Node { parent, file, module, children: Vec::new() });
        for (name, named) in files {
            let folder = self.path(node).join("/");
            let beside = self.files[file].path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let places = match named {
                Some(named) => vec![format!("{beside}/{named}")],
                None => vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")],
            };
            for place in places {
                self.add_file(sources, place.trim_start_matches('/'), Some(node), &name);
            }
        }
        for child in inline {
            self.add(sources, child, file, Some(node));
        }
    }

    fn imports_of(&self, node: usize) -> Vec<Import> {
        let module = &self.nodes[node].module;
        // A door that hands on what its rooms hold does not depend on them.
        let own = |found: Found| self.path(self.node(found)).starts_with(&self.path(node));
        let uses = module.uses.iter().filter_map(|used| {
            let found = self.resolve(node, &used.path, 0)?;
            (!(used.public && own(found))).then_some((found, used.line, &used.path))
        });
        let paths = module.paths.iter().filter_map(|named| {
            Some((self.resolve(node, &named.path, 0)?, named.line, &named.path))
        });
        let from = &self.files[self.nodes[node].file];
        let import = |(found, line, path): (Found, usize, &Vec<String>)| {
            let to = &self.files[self.nodes[self.node(found)].file];
            let (from, to) = (from.clone(), to.clone());
            (from != to).then(|| Import { from, to, line, path: path.join("::") })
        };
        uses.chain(paths).filter_map(import).collect()
    }

    fn node(&self, found: Found) -> usize {
        match found {
            Found::Module(node) | Found::Item(node) => node,
        }
    }

    /// What a path that stands in `node` leads to, where it is defined; `None` in other crates.
    fn resolve(&self, node: usize, path: &[String], steps: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            _ if steps > MOST_STEPS => return None,
            "crate" => Found::Module(0),
            "self" => Found::Module(node),
            "super" => Found::Module(self.nodes[node].parent?),
            name => self.find(node, name, !rest.is_empty(), steps + 1)?,
        };
        self.walk(start, rest, steps)
    }

    fn walk(&self, mut at: Found, rest: &[String], steps: usize) -> Option<Found> {
        for (index, name) in rest.iter().enumerate() {
            let Found::Module(node) = at else { return Some(at) };
            at = if name == "super" {
                Found::Module(self.nodes[node].parent?)
            } else {
                // What a macro defines has no definition to be seen: it is the module's.
                let goes_on = index + 1 < rest.len();
                self.find(node, name, goes_on, steps + 1).unwrap_or(Found::Item(node))
            };
        }
        Some(at)
    }

    /// What a name means inside a module; a module before an item of that name where a path goes on.
    fn find(&self, node: usize, name: &str, goes_on: bool, steps: usize) -> Option<Found> {
        let Node { module, children, .. } = &self.nodes[node];
        let child = children.iter().find(|(child, _)| child == name);
        let child = child.map(|&(_, node)| Found::Module(node));
        let item = || module.defines.iter().any(|item| item == name).then_some(Found::Item(node));
        let used = || {
            let named = module.uses.iter().filter(|used| used.name == name && used.path != [name]);
            named.filter_map(|used| self.resolve(node, &used.path, steps + 1)).next()
        };
        let all = || {
            let globs = module.uses.iter().filter(|used| used.name == "*");
            globs.filter_map(|glob| self.through(node, &glob.path, name, goes_on, steps)).next()
        };
        let other = || item().or_else(used);
        if goes_on { child.or_else(other) } else { other().or(child) }.or_else(all)
    }

    fn through(
        &self,
        node: usize,
        glob: &[String],
        name: &str,
        goes_on: bool,
        steps: usize,
    ) -> Option<Found> {
        let first = glob.first()?;
        // A name is not looked up by the very import that would explain it.
        if steps > MOST_STEPS || !matches!(first.as_str(), "crate" | "self" | "super") {
            let child = self.nodes[node].children.iter().find(|(child, _)| child == first)?.1;
            let Found::Module(at) = self.walk(Found::Module(child), &glob[1..], steps + 1)? else {
                return None;
            };
            return self.find(at, name, goes_on, steps + 1);
        }
        match self.resolve(node, glob, steps + 1)? {
            Found::Module(at) if at != node => self.find(at, name, goes_on, steps + 1),
            _ => None,
        }
    }
}
