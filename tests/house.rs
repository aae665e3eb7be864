//! What holds for the source as a whole: sizes of files, an example on every measure, pages that lead somewhere.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// No file is longer.
const MOST_LINES: usize = 500;

/// Half of the files are shorter.
const MOST_LINES_OF_HALF: usize = 170;

/// lib.rs, main.rs and what has no room of its own.
const MOST_FILES_AT_THE_ROOT: usize = 4;

/// Every Rust file below a folder, with its text, in the order of paths.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![Path::new(ROOT).join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(ROOT).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_source_file_is_long_and_half_are_short() {
    let lengths = files("src").into_iter().map(|(path, text)| (text.lines().count(), path));
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > MOST_LINES).collect();
    assert!(long.is_empty(), "over {MOST_LINES} lines: {long:?}");
    let median = lengths[lengths.len() / 2].0;
    assert!(median < MOST_LINES_OF_HALF, "the median file has {median} lines");
}

#[test]
fn few_files_lie_at_the_root() {
    let at_root = files("src").into_iter().filter(|(path, _)| path.components().count() == 2);
    let at_root: Vec<_> = at_root.map(|(path, _)| path).collect();
    assert!(at_root.len() <= MOST_FILES_AT_THE_ROOT, "{at_root:?}");
}

/// The doc lines of each public function at the top of a file, with the function's own line.
fn documented(text: &str) -> Vec<(String, &str)> {
    let (mut docs, mut found) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(doc) = line.strip_prefix("///") {
            docs += doc;
            docs.push('\n');
        } else if !line.starts_with("#[") {
            if line.starts_with("pub fn ") {
                found.push((docs.clone(), line));
            }
            docs.clear();
        }
    }
    found
}

/// Whether a doc comment has a block that is compiled and run.
fn has_example(docs: &str) -> bool {
    // Every second fence opens a block; the word behind it says what the block is.
    let fences = docs.lines().filter_map(|line| line.trim().strip_prefix("```"));
    fences.step_by(2).any(|kind| kind.is_empty())
}

/// All doc comments of a file.
fn docs_of(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("///"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A file and, where it is a part of a measure's module, the files that hold that module.
fn holder(path: &Path) -> Vec<String> {
    let folder = path.parent().filter(|folder| !folder.ends_with("metric"));
    let above = folder.map(|folder| [folder.with_extension("rs"), folder.join("mod.rs")]);
    let files = std::iter::once(path.to_owned()).chain(above.into_iter().flatten());
    files.filter_map(|file| std::fs::read_to_string(Path::new(ROOT).join(file)).ok()).collect()
}

#[test]
fn every_measure_has_an_example_that_runs() {
    let (mut without, mut measures) = (Vec::new(), 0);
    for (path, text) in files("src/metric") {
        for (docs, line) in documented(&text) {
            if docs.contains("# Cost and sources") {
                measures += 1;
                if !has_example(&docs) {
                    without.push(format!("{}: {line}", path.display()));
                }
            }
        }
        if text.contains(": Spec = ")
            && !holder(&path).iter().any(|text| has_example(&docs_of(text)))
        {
            without.push(format!("{}: declares a Spec", path.display()));
        }
    }
    assert!(measures > 15, "only {measures} measures say their cost and sources");
    assert!(without.is_empty(), "no example:\n{}", without.join("\n"));
}

#[test]
fn an_example_is_a_block_that_runs() {
    assert!(has_example("```text\nformula\n```\n\n```\nassert!(true);\n```"));
    assert!(!has_example("```text\nformula\n```"));
    assert!(!has_example("```ignore\nassert!(true);\n```"));
    assert!(!has_example("```no_run\nassert!(true);\n```"));
}

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
fn every_sampling_setting_stands_in_the_readme() {
    let read = |path: &str| std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let (knobs, readme) = (read("src/decode/knobs.rs"), read("README.md"));
    let flags =
        knobs.lines().filter_map(|line| line.trim().strip_prefix("flag: \"")?.strip_suffix("\","));
    let flags: Vec<&str> = flags.collect();
    assert!(flags.len() >= 6, "settings found: {flags:?}");
    for flag in flags {
        assert!(readme.contains(&format!("| `--{flag}`")), "README.md has no row for --{flag}");
    }
}

/// Where printing is the job; the last is for tests alone, whose output is their report.
const MAY_PRINT: [&str; 3] = ["src/cli", "src/main.rs", "src/shared_data.rs"];

/// Whether a line of code calls a macro that prints.
fn prints(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["print!", "println!", "dbg!"].iter().any(|name| code.contains(name))
}

#[test]
fn only_the_command_line_prints() {
    let all = files("src");
    assert!(all.len() > 100, "only {} files were read", all.len());
    let silent = all.iter().filter(|(path, _)| !MAY_PRINT.iter().any(|may| path.starts_with(may)));
    let found: Vec<String> = silent
        .flat_map(|(path, text)| {
            let lines = text.lines().enumerate().filter(|(_, line)| prints(line));
            lines.map(|(at, line)| format!("{}:{}: {}", path.display(), at + 1, line.trim()))
        })
        .collect();
    assert!(found.is_empty(), "hand these to the caller or to a listener:\n{}", found.join("\n"));
}

#[test]
fn a_macro_that_prints_is_seen_in_code_and_not_in_a_comment() {
    for line in
        ["eprintln!(\"a\");", "    print!(\"{x}\")", "let y = dbg!(x);", "println!(); // so"]
    {
        assert!(prints(line), "{line}");
    }
    for line in ["/// println!(\"{}\", 1);", "writeln!(out)?;", "self.printed += 1;"] {
        assert!(!prints(line), "{line}");
    }
}
