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
    let page = || {
        let mut report = Command::new(env!("CARGO_BIN_EXE_llmpr"));
        done(report.args(["report", run]));
        std::fs::read_to_string(out.join("report.html")).unwrap()
    };
    let shown = page();
    for said in [
        "largest exact:recall with exact:precision&gt;=0.5 found <a href=\"#cell=",
        "the best with probability",
        "texts of the 160 of the whole grid",
        "<code>llmpr sample --model tiny-bio --task synthetic-bio --shots 0 --temperature 0.9</code>",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
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

#[test] // T=0.1 writes one biography over and over, and half of those at T=1.2 are none that the grammar has
fn a_mixture_is_found_where_it_is_better_than_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let wish = ["tune", "--maximize", "exact:recall", "--require", "exact:precision>=0.7"];
    let grid = ["--temps", "0.1,1.2", "--budget", "80"];
    let mixtures = [&grid[..], &["--mixtures", "0.25"]].concat();
    let printed = done(&mut command(&wish, &out, &mixtures)).stdout;
    let label = "75 % tiny-bio T=0.1 shots=0 + 25 % tiny-bio T=1.2 shots=0";
    assert!(printed.starts_with(&format!("{label}\n")), "{printed}");
    let lines = [
        "better than every single setting with probability",
        "75 %: llmpr sample --model tiny-bio --task synthetic-bio --shots 0 --temperature 0.1 -n 30 --seed 0\n",
        "25 %: llmpr sample --model tiny-bio --task synthetic-bio --shots 0 --temperature 1.2 -n 10 --seed 1\n",
    ];
    lines.iter().for_each(|line| assert!(printed.contains(line), "{line}: {printed}"));
    let found = race(&out);
    check("race", &found);
    let [mixture] = found["mixtures"].as_array().unwrap().as_slice() else { panic!("{found}") };
    // It has all its texts by those of its parts, and no others were drawn for it.
    assert_eq!((&mixture["named"], mixture["texts"].as_u64()), (&true.into(), Some(40)));
    assert_eq!(found["texts"], 80);
    let exact = |of: &Value, name: &str| of["measures"][name].as_f64().unwrap();
    let recall = |of: &Value| exact(of, "exact:recall");
    assert!(
        exact(mixture, "exact:precision") >= 0.7 && recall(mixture) > recall(&found["cells"][0])
    );
    // The page says it, too.
    let mut report = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    done(report.args(["report", out.to_str().unwrap()]));
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    let said = format!("largest exact:recall with exact:precision&gt;=0.7 found <b>{label}</b>:");
    assert!(page.contains(&said) && page.contains("-n 10 --seed 1"), "{page}");
    // Without mixtures the setting that keeps the requirement is found, with as many texts of it as before.
    let again = done(&mut command(&wish, &out, &[&grid[..], &["--format", "json"]].concat()));
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert!(again.get("mixtures").is_none() && again.get("commands").is_none(), "{again}");
    assert_eq!(again["cells"][0]["label"], "tiny-bio T=0.1 shots=0");
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
fn settings_without_a_measure_are_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    // Halves of the first 20 texts have no twelfth neighbor.
    let (wish, grid) = (["tune", "--maximize", "recall"], ["--temps", "0.5,1", "--k", "12"]);
    let refused = ran(&mut command(&wish, &out, &grid));
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{}", refused.stderr);
    let labels = "tiny-bio T=0.5 shots=0; tiny-bio T=1 shots=0";
    let note =
        format!("note: left out of the race: {labels}: recall of its 20 texts is infinite or not");
    let end = "no setting could be measured; each is named above";
    assert!(refused.stderr.contains(&note) && refused.stderr.contains(end), "{}", refused.stderr);
    let found = race(&out);
    check("race", &found);
    let why = found["cells"][1]["out"].as_str().unwrap();
    assert!(why.starts_with("recall of its 20 texts"), "{found}");
}

#[test]
fn a_race_that_cannot_be_is_refused_before_anything_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let cases: [(&[&str], &[&str], &str); 8] = [
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
        (&["tune"], &["--mixtures", "0.5,1"], "--mixtures 1 is no share of two settings"),
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
