//! No library code prints.

use std::path::Path;

use super::files;

/// Where printing is the job; the last is for tests alone, whose output is their report.
const MAY_PRINT: [&str; 3] = ["cli", "main.rs", "shared_data.rs"];

/// Whether a line of code calls a macro that prints.
fn prints(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["print!", "println!", "dbg!"].iter().any(|name| code.contains(name))
}

#[test]
fn only_the_command_line_prints() {
    let mut found = Vec::new();
    let all = files("src");
    assert!(all.len() > 100, "only {} files were read", all.len());
    for (path, text) in all {
        if MAY_PRINT.iter().any(|may| path.starts_with(Path::new("src").join(may))) {
            continue;
        }
        for (at, line) in text.lines().enumerate().filter(|(_, line)| prints(line)) {
            found.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
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
