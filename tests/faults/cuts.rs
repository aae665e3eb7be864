//! Every file of a finished run, cut at every length and gone.

use std::path::{Path, PathBuf};

use super::{assert_same, cells, copy, done, outcome, program, ran, sweep};

/// Every file below a folder by its path from there.
fn files(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder.join(below))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    entries.sort();
    for name in entries {
        let path = below.join(name);
        if folder.join(&path).is_dir() { files(folder, &path, found) } else { found.push(path) }
    }
}

/// What may have become of a file.
const FATES: [&str; 5] = ["empty", "one byte", "half", "but the last byte", "gone"];

fn damage(path: &Path, fate: &str) {
    let bytes = std::fs::read(path).unwrap();
    let length = match fate {
        "empty" => 0,
        "one byte" => 1,
        "half" => bytes.len() / 2,
        "but the last byte" => bytes.len() - 1,
        _ => return std::fs::remove_file(path).unwrap(),
    };
    std::fs::write(path, &bytes[..length]).unwrap();
}

/// Whether a file is made of others at the end of each sweep, so that all of them can be damaged at once.
fn is_drawing(path: &Path) -> bool {
    path.starts_with("figures")
        || path.extension().is_some_and(|ending| ending == "html" || ending == "csv")
}

#[test]
fn every_file_cut_anywhere_or_gone_is_made_again_or_named() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    done(&mut sweep(&whole, &[]));
    let wanted = outcome(&whole);
    let mut all = Vec::new();
    files(&whole, Path::new(""), &mut all);
    let second = Path::new("cells").join(&cells(&whole)[1]);
    let (drawings, own): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| is_drawing(path));
    let mut trials: Vec<Vec<PathBuf>> = vec![drawings];
    // Of the two cells one is as good as the other.
    trials.extend(own.into_iter().filter(|path| !path.starts_with(&second)).map(|path| vec![path]));
    let (mut made, mut named) = (0, 0);
    for paths in &trials {
        for fate in FATES {
            let run = dir.path().join("run");
            copy(&whole, &run);
            paths.iter().for_each(|path| damage(&run.join(path), fate));
            let what = format!("{:?} {fate}", paths[0]);
            // Who only looks is told or sees what is there.
            for look in ["status", "report"] {
                let mut command = program();
                command.arg(look).arg(&run);
                if look == "report" {
                    command.args(["--format", "csv"]);
                }
                let (code, said) = ran(&mut command);
                assert!(code == 0 || said.lines().count() == 1, "{what}, {look}: {said}");
            }
            let (code, said) = ran(&mut sweep(&run, &[]));
            if code == 0 {
                assert_same(&outcome(&run), &wanted, &what);
                made += 1;
            } else {
                // One sentence, with the file and what to do; the texts are as they were.
                let name = paths[0].file_name().unwrap().to_string_lossy().into_owned();
                let advises = ["delete", "choose another --out", "run"]
                    .iter()
                    .any(|word| said.contains(word));
                assert!(said.contains(&name) && advises, "{what}: {said}");
                let last = said.lines().last().unwrap_or_default();
                assert!(last.starts_with("llmpr: "), "{what}: {said}");
                if said.contains("delete") {
                    std::fs::remove_file(run.join(&paths[0])).unwrap();
                    done(&mut sweep(&run, &[]));
                    assert_same(&outcome(&run), &wanted, &what);
                }
                named += 1;
            }
            std::fs::remove_dir_all(&run).unwrap();
        }
    }
    println!("faults, cuts: {} files, {made} times made again, {named} times named", trials.len());
}
