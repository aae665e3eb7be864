//! What may import what: the walls between rooms as `docs/architecture.md` draws them, and no circles.
//!
//! `LLMPR_PRINT_LAYERS=1 cargo test --test layers -- --nocapture` prints the graph.

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/map.rs"]
mod map;
#[path = "layers/module.rs"]
mod module;
#[path = "layers/token.rs"]
mod token;
#[path = "layers/tree.rs"]
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use map::Map;
use tree::{Import, Sources, files, imports};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn sources() -> Sources {
    let src = Path::new(ROOT).join("src");
    let (mut found, mut folders) = (Sources::new(), vec![src.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn map() -> Map {
    Map::parse(&std::fs::read_to_string(Path::new(ROOT).join("docs/architecture.md")).unwrap())
}

/// Imports between files that are not parts of one module, exceptions left out.
fn checked(map: &Map) -> Vec<Import> {
    let apart = |import: &Import| {
        !import.from.is_kin(&import.to)
            && !map.exceptions.iter().any(|exception| exception.covers(import))
    };
    imports(&sources()).into_iter().filter(apart).collect()
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    let checked = checked(&map());
    let circles = circles::circles(&checked);
    let said: Vec<_> = circles.iter().map(|circle| format!("circle:\n{circle}")).collect();
    assert!(said.is_empty(), "{} circles of files\n{}", said.len(), said.join(""));
}

#[test]
fn a_room_imports_what_the_map_says_and_nothing_else() {
    let map = map();
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for import in checked(&map) {
        let (Some(from), Some(to)) = (map.room(&import.from), map.room(&import.to)) else {
            continue;
        };
        if from.name != to.name && !from.imports.contains(&to.name) {
            let Import { from: file, line, path, .. } = &import;
            wrong.push(format!(
                "src/{}:{line}: `{}` imports `{}` ({path})",
                file.path, from.name, to.name
            ));
        }
        used.insert((from.name.clone(), to.name.clone()));
    }
    for room in map.rooms.iter().filter(|room| room.imports.len() + 1 < map.rooms.len()) {
        for to in &room.imports {
            if !used.contains(&(room.name.clone(), to.clone())) {
                wrong.push(format!("docs/architecture.md: `{}` does not import `{to}`", room.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} walls broken\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_file_has_a_room_and_every_room_a_file() {
    let map = map();
    let files: Vec<_> =
        files(&sources()).into_iter().filter(|file| !file.module.is_empty()).collect();
    let homeless: Vec<_> =
        files.iter().filter(|file| map.room(file).is_none()).map(|file| &file.path).collect();
    let lived: BTreeSet<_> =
        files.iter().filter_map(|file| map.room(file)).map(|room| &room.name).collect();
    let empty: Vec<_> =
        map.rooms.iter().map(|room| &room.name).filter(|name| !lived.contains(name)).collect();
    assert!(
        homeless.is_empty() && empty.is_empty(),
        "files without a room: {homeless:?}; rooms without a file: {empty:?}"
    );
}

#[test]
fn a_room_of_the_map_imports_rooms_that_stand_above_it() {
    let map = map();
    for (at, room) in map.rooms.iter().enumerate() {
        for import in &room.imports {
            let above = map.rooms[..at].iter().any(|other| other.name == *import);
            assert!(above, "`{}` imports `{import}`, which does not stand above it", room.name);
        }
    }
}

#[test]
fn an_exception_of_the_map_is_needed() {
    let all = imports(&sources());
    for exception in map().exceptions {
        let needed = all.iter().any(|import| exception.covers(import));
        assert!(
            needed,
            "{} no longer imports {}: the exception can go",
            exception.from, exception.to
        );
    }
}

#[test]
fn the_graph_can_be_printed() {
    if std::env::var_os("LLMPR_PRINT_LAYERS").is_none() {
        return;
    }
    let map = map();
    let mut arrows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for Import { from, to, line, path } in imports(&sources()) {
        let kin = if from.is_kin(&to) { "  (one module)" } else { "" };
        println!("src/{}:{line} -> src/{}  {path}{kin}", from.path, to.path);
        if let (Some(a), Some(b)) = (map.room(&from), map.room(&to))
            && a.name != b.name
            && kin.is_empty()
        {
            *arrows.entry((a.name.clone(), b.name.clone())).or_default() += 1;
        }
    }
    for ((from, to), imports) in arrows {
        println!("{from} -> {to}: {imports}");
    }
}

/// Small crates whose circles are known.
fn crate_of(files: &[(&str, &str)]) -> Vec<Import> {
    imports(&files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect())
}

#[test]
fn a_circle_is_found_through_reexports_and_nested_braces() {
    let imports = crate_of(&[
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a/mod.rs", "mod deep; pub use deep::{self as d, Deep};"),
        ("a/deep.rs", "use crate::{b::{self, B}}; pub struct Deep(B);"),
        ("b.rs", "pub struct B; fn f() -> crate::a::Deep { crate::a::d::make() }"),
    ]);
    let circles = circles::circles(&imports);
    let said: Vec<_> = circles.iter().map(ToString::to_string).collect();
    let expected = "  src/a/deep.rs:1 imports crate::b (b.rs)\n  src/b.rs:1 imports crate::a::Deep (a/deep.rs)\n";
    assert_eq!(said, [expected]);
}

#[test]
fn a_module_and_its_parts_are_no_circle() {
    let imports = crate_of(&[
        ("lib.rs", "mod a;"),
        ("a.rs", "mod one; mod two; pub struct Error; fn f() { one::f(); }"),
        ("a/one.rs", "use super::{Error, two::Two}; pub fn f() {}"),
        (
            "a/two.rs",
            "use super::Error; pub struct Two; #[cfg(test)] mod tests { use super::super::one; }",
        ),
    ]);
    assert_eq!(imports.len(), 4, "{imports:?}");
    assert!(circles::circles(&imports).is_empty());
}

#[test]
fn uncles_and_nephews_are_a_circle() {
    let imports = crate_of(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; mod c;"),
        ("a/b.rs", "use super::c::inside::C; pub struct B;"),
        ("a/c.rs", "pub mod inside;"),
        ("a/c/inside.rs", "pub struct C(super::super::b::B);"),
    ]);
    assert_eq!(circles::circles(&imports).len(), 1);
}
