//! Pages that lead somewhere.

use std::path::{Path, PathBuf};

use super::ROOT;

/// Pages for people, below the root of the repository.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from).to_vec();
    for entry in std::fs::read_dir(Path::new(ROOT).join("docs")).unwrap() {
        let name = entry.unwrap().file_name();
        paths.extend(
            name.to_str()
                .filter(|name| name.ends_with(".md"))
                .map(|name| Path::new("docs").join(name)),
        );
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(Path::new(ROOT).join(&path)).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn links_of_pages_lead_to_files() {
    for (page, text) in pages() {
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let below = text
            .lines()
            .filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
            .map(|(_, to)| to);
        for link in inline.chain(below).filter(|link| !link.starts_with("https://")) {
            let to = Path::new(ROOT).join(page.parent().unwrap()).join(link);
            assert!(to.exists(), "{} links to {link}, which does not exist", page.display());
        }
    }
}

#[test]
fn files_that_the_map_names_exist() {
    let map = std::fs::read_to_string(Path::new(ROOT).join("docs/architecture.md")).unwrap();
    let prose: Vec<&str> = map.split("```").step_by(2).collect();
    let named = prose.iter().flat_map(|part| part.split('`').skip(1).step_by(2));
    let is_file = |name: &&str| {
        let ending = name
            .rsplit_once('.')
            .is_some_and(|(_, ending)| matches!(ending, "rs" | "md" | "cu" | "py" | "toml"));
        name.contains('/') && ending && !name.contains([' ', '*'])
    };
    let missing: Vec<_> = named
        .filter(is_file)
        .filter(|name| {
            !["src", "."].iter().any(|root| Path::new(ROOT).join(root).join(name).exists())
        })
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md names {missing:?}");
}

#[test]
fn every_sampling_setting_stands_in_the_page_of_decoding() {
    let read = |path: &str| std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let knobs = ["table", "more"].map(|file| read(&format!("src/decode/knobs/{file}.rs"))).concat();
    let page = read("docs/decoding.md");
    let flags =
        knobs.lines().filter_map(|line| line.trim().strip_prefix("flag: \"")?.strip_suffix("\","));
    let flags: Vec<&str> = flags.collect();
    assert!(flags.len() >= 22, "settings found: {flags:?}");
    for flag in flags {
        assert!(
            page.contains(&format!("| `--{flag}`")),
            "docs/decoding.md has no row for --{flag}"
        );
    }
}
