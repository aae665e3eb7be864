//! Texts that people judge: `llmpr report --blind` and `--votes`.

use std::{path::Path, process::Command};

use super::fabricate;

/// Exit code, stdout, stderr.
fn llmpr(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_llmpr")).arg("report").args(args).output();
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn rows(sheet: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(sheet).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn a_sheet_hides_whose_texts_it_holds_and_its_votes_rank_the_cells() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let sheet = dir.path().join("sheet.csv");
    let (run, path) = (run.to_str().unwrap(), sheet.to_str().unwrap());
    let cells = ["tiny T=0.3 shots=0", "tiny-chat T=1.5 shots=2"];
    let (code, out, said) =
        llmpr(&[run, "--blind", cells[0], cells[1], "--pairs", "30", "-o", path]);
    assert_eq!((code, out.trim()), (Some(0), path), "{said}");
    let key = std::fs::read_to_string(dir.path().join("sheet.key.json")).unwrap();
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let whole = std::fs::read_to_string(&sheet).unwrap();
    let found = rows(&sheet);
    assert_eq!((found.len(), key["pairs"].as_array().unwrap().len()), (30, 30));
    let lefts = key["pairs"].as_array().unwrap().iter();
    let lefts: Vec<u64> = lefts.map(|pair| pair[0][0].as_u64().unwrap()).collect();
    assert!(lefts.contains(&0) && lefts.contains(&1), "sides are drawn: {lefts:?}");
    // A reader likes the first cell in 24 of 30, ties once, and leaves one out.
    let mut voted = String::from("pair,left,right,vote\n");
    for (at, row) in found.iter().enumerate() {
        assert!(row[3].is_empty() && !row[1].is_empty() && !row[2].is_empty());
        let first = if lefts[at] == 0 { "left" } else { "Right" };
        let second = if lefts[at] == 0 { "r" } else { "L" };
        let vote = match at {
            0 => "",
            1 => "tie",
            2..26 => first,
            _ => second,
        };
        voted += &format!("{},,,{vote}\n", row[0]);
    }
    std::fs::write(&sheet, voted).unwrap();
    let (code, out, said) = llmpr(&["--votes", path]);
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].starts_with("tiny T=0.3 shots=0 "), "{out}");
    // 24.5 of 29; ln(25 / 5) / 2 = 0.80.
    assert!(lines[1].contains(" 84%  +0.80 [+") && lines[2].contains(" 16%  -0.80 ["), "{out}");
    assert!(out.contains("29 of 30 pairs are judged"), "{out}");
    // The same sheet again, byte for byte.
    let again = dir.path().join("again.csv");
    llmpr(&[run, "--blind", cells[0], cells[1], "--pairs", "30", "-o", again.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(again).unwrap(), whole);
    for cell in key["cells"].as_array().unwrap() {
        assert!(!whole.lines().next().unwrap().contains(cell[1].as_str().unwrap()));
    }
}

#[test]
fn what_is_wrong_with_a_sheet_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let sheet = dir.path().join("sheet.csv");
    let (run, path) = (run.to_str().unwrap(), sheet.to_str().unwrap());
    let (code, _, said) = llmpr(&[run, "--blind", "tiny03", "tiny T=0.3 shots=0", "-o", path]);
    assert!(code == Some(1) && said.contains("are the same cell"), "{said}");
    let (_, _, said) = llmpr(&[run, "--blind", "tiny03", "none", "-o", path]);
    assert!(said.contains("no cell of") && said.contains("`none`"), "{said}");
    let (code, _, said) = llmpr(&[run, "--blind", "tiny03", "tiny06", "-o", path]);
    assert_eq!(code, Some(0), "{said}");
    let (_, _, said) = llmpr(&["--votes", path]);
    assert!(said.contains("has no votes yet"), "{said}");
    std::fs::write(&sheet, "pair,left,right,vote\n1,a,b,both\n").unwrap();
    let (_, _, said) = llmpr(&["--votes", path]);
    assert!(said.contains("line 2: `both` is no vote"), "{said}");
    std::fs::write(&sheet, "pair,left,right,vote\n999,a,b,left\n").unwrap();
    let (_, _, said) = llmpr(&["--votes", path]);
    assert!(said.contains("`999` is no pair of this sheet"), "{said}");
    std::fs::remove_file(dir.path().join("sheet.key.json")).unwrap();
    let (_, _, said) = llmpr(&["--votes", path]);
    assert!(said.contains("sheet.key.json` is not there"), "{said}");
}
