//! What holds for every file of the library, read from its source.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where printing is the job; the last is for tests alone, whose output is their report.
const MAY_PRINT: [&str; 3] = ["cli", "main.rs", "shared_data.rs"];

/// The files of Rust below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    entries.flat_map(of).filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

/// Whether a line of code calls a macro that prints.
fn prints(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["print!", "println!", "dbg!"].iter().any(|name| code.contains(name))
}

#[test]
fn only_the_command_line_prints() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let all = files(&src);
    assert!(all.len() > 100, "only {} files were read", all.len());
    for path in all {
        let name = path.strip_prefix(&src).unwrap();
        if MAY_PRINT.iter().any(|may| name.starts_with(may)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| prints(line)) {
            found.push(format!("{}:{}: {}", name.display(), at + 1, line.trim()));
        }
    }
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
