//! `llmpr tune` that draws: settings race in a run folder, which a sweep goes on with.

use std::{path::Path, process::Command};

use serde_json::Value;

use super::{
    schema::check,
    sweep::{done, ran, samples},
};

/// A race or a sweep of the bundled world in seconds.
fn command(what: &[&str], out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.env("NO_COLOR", "1").env("XDG_CACHE_HOME", out.parent().unwrap());
    command.args(what).args(["--models", "tiny-bio", "--task", "synthetic-bio", "--shots", "0"]);
    command.args(["-n", "40", "--max-new-tokens", "120", "--resamples", "8"]);
    command.args(["--permutations", "0", "--out", out.to_str().unwrap()]).args(more);
    command
}

const GRID: [&str; 2] = ["--temps", "0.1,0.9,2.5,3"];
const WISH: [&str; 5] = ["tune", "--maximize", "exact:recall", "--require", "exact:precision>=0.5"];

fn race(out: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(out.join("tune.json")).unwrap()).unwrap()
}

#[test]
fn a_race_finds_what_is_best_and_a_sweep_goes_on_with_its_texts() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let budget = [&GRID[..], &["--budget", "110"]].concat();
    let printed = done(&mut command(&WISH, &out, &budget));
    // At 0.1 one biography is written over and over, at 2.5 and 3 none that the grammar has.
    assert!(printed.stdout.starts_with("tiny-bio T=0.9 shots=0\n"), "{}", printed.stdout);
    assert!(printed.stdout.contains("of the 160 of the whole grid"), "{}", printed.stdout);
    assert!(printed.stdout.contains("llmpr sample --model tiny-bio --task synthetic-bio"));
    let found = race(&out);
    check("race", &found);
    let texts = found["texts"].as_u64().unwrap();
    let drawn = samples(&out);
    assert_eq!(drawn.values().map(Vec::len).sum::<usize>() as u64, texts);
    assert!(texts <= 110 && found["settled"] == true, "{found}");
    assert_eq!(found["cells"][0]["texts"], 40, "the leader has all its texts: {found}");
    // Again: nothing is drawn, and the same is said.
    let again = done(&mut command(&WISH, &out, &[&budget[..], &["--format", "json"]].concat()));
    let mut again: Value = serde_json::from_str(&again.stdout).unwrap();
    check("race", &again);
    assert!(again.as_object_mut().unwrap().remove("command").is_some());
    assert_eq!(again, found);
    assert_eq!(samples(&out), drawn);
    // The leader is a cell of the run as any other, and the rest of the grid is drawn from where the race ended.
    let run = out.to_str().unwrap();
    let mut report = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    let report = done(report.args(["report", run, "--format", "csv"]));
    assert_eq!(report.stdout.lines().count(), 2, "{}", report.stdout);
    done(&mut command(&["sweep"], &out, &GRID));
    for (cell, lines) in samples(&out) {
        assert_eq!(lines.len(), 40);
        for line in drawn.get(&cell).into_iter().flatten() {
            assert!(lines.contains(line), "{cell}: {line}");
        }
    }
    // With all texts at hand the race comes to the same.
    done(&mut command(&WISH, &out, &budget));
    let after = race(&out);
    assert_eq!((&after["rounds"], &after["cells"]), (&found["rounds"], &found["cells"]));
}

#[test]
fn what_no_setting_keeps_is_said_with_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let wish = ["tune", "--maximize", "coverage", "--require", "exact:precision>=0.9"];
    let found = done(&mut command(&wish, &out, &["--temps", "2,3", "--format", "table"])).stdout;
    assert!(found.starts_with("tiny-bio T=2 shots=0\n"), "{found}");
    let word = "no setting keeps exact:precision>=0.9: this one is the nearest with probability";
    assert!(found.contains(word), "{found}");
}

#[test]
fn a_race_that_cannot_be_is_refused_before_anything_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let cases: [(&[&str], &[&str], &str); 7] = [
        (&["tune"], &["--budget", "30", "--temps", "1,2"], "--budget 60 or more"),
        (&["tune", "--maximize", "frechet_distance"], &[], "--minimize frechet_distance"),
        (
            &["tune", "--maximize", "distinct_2"],
            &[],
            "distinct_2 is not measured while settings race",
        ),
        (
            &["tune", "--maximize", "exact:coverage"],
            &[],
            "there is no exact:coverage; there are precision",
        ),
        (&["tune", "--sure", "1"], &[], "--sure 1 is no probability"),
        (&["tune"], &["--seeds", "0,1"], "give one --seed"),
        (&["tune", "some-run"], &[], "cannot be used with"),
    ];
    for (what, more, word) in cases {
        let refused = ran(&mut command(what, &out, more));
        assert!(refused.code != 0 && refused.stderr.contains(word), "{}", refused.stderr);
        assert!(!out.exists(), "{word}");
    }
    let mut bare = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    let bare = ran(bare.arg("tune"));
    assert!(
        bare.stderr.contains("name a finished run, such as `llmpr tune runs/bio`"),
        "{}",
        bare.stderr
    );
}
