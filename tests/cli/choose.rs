//! `llmpr compare`, `llmpr tune` and `llmpr refine`.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::{
    schema::check,
    score::{Ran, llmpr},
    sweep::{World, cluster, done, ran},
};

#[test]
fn cells_of_one_run_are_compared_in_pairs_and_the_best_is_named() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("run", &["--metrics", "support,frontier,moments"]));
    let run = world.out("run");
    let run = run.to_str().unwrap();
    let compared = done(&mut world.command(&["compare", run, "--format", "json"])).stdout;
    let compared: serde_json::Value = serde_json::from_str(&compared).unwrap();
    let first = compared.as_array().unwrap().iter().find(|d| d["metric"] == "density").unwrap();
    assert_eq!(first["paired"], true, "{first}");
    let [low, difference, high] =
        ["low", "difference", "high"].map(|name| first[name].as_f64().unwrap());
    assert!(low <= difference && difference <= high, "{first}");
    let p = first["p_value"].as_f64().unwrap();
    assert_eq!(p < 0.05, low > 0.0 || high < 0.0, "{first}");
    // A run against itself: every cell meets its twin, and nothing differs.
    let same = done(&mut world.command(&["compare", run, run, "--against", "T=0.5"]));
    assert!(same.stdout.contains("against"), "{}", same.stdout);
    let none = ran(&mut world.command(&["compare", run, "--only", "T=77"]));
    assert!(none.stderr.contains("no cell's settings contain T=77"), "{}", none.stderr);

    let tuned = done(&mut world.command(&["tune", run, "--minimize", "frechet_distance"])).stdout;
    assert!(tuned.contains("smallest frechet_distance first"), "{tuned}");
    assert!(tuned.contains("settings of the first: llmpr sample --model"), "{tuned}");
    let wrong = ran(&mut world.command(&["tune", run, "--maximize", "frechet_distance"]));
    assert!(wrong.stderr.contains("--minimize frechet_distance"), "{}", wrong.stderr);
    let json = done(&mut world.command(&["tune", run, "--format", "json"])).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json[0]["metrics"]["recall"]["value"].is_number(), "{json}");
    let missing = ran(&mut world.command(&["tune", "no-such-run"]));
    assert!(missing.stderr.contains("no-such-run"), "{}", missing.stderr);
}

#[test]
fn a_half_run_is_read_with_a_word_about_what_is_missing() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("run", &["--metrics", "support"]));
    let run = world.out("run");
    let path = run.join("run.json");
    let mut record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let word = "1 of the 3 cells of the plan has no score";
    let commands = [&["compare"][..], &["tune", "--top", "1"], &["report"]];
    let said =
        |args: &[&str]| done(&mut world.command(&[args, &[run.to_str().unwrap()]].concat())).stderr;
    for command in commands {
        assert!(!said(command).contains("not whole"), "{command:?}: {}", said(command));
    }
    record["cells"].as_array_mut().unwrap().push("0123456789abcdef".into());
    std::fs::write(&path, record.to_string()).unwrap();
    for command in commands {
        assert!(said(command).contains(word), "{command:?}: {}", said(command));
    }
}

/// Rows around `at`, as a `.npy` of f32.
pub fn cloud(path: &std::path::Path, rows: usize, at: impl Fn(usize) -> f32) -> String {
    let noise = |i: usize| ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / 1.7e7;
    let values = (0..rows * 3).map(|i| at(i / 3) + noise(i + rows)).collect();
    let matrix = llmpr::data::matrix::Matrix::new(3, values).unwrap();
    llmpr::npy::write_npy(path, &matrix).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn refining_keeps_one_in_k_and_raises_precision_on_texts_it_was_not_fitted_to() {
    let folder = tempfile::tempdir().unwrap();
    let p = cloud(&folder.path().join("p.npy"), 200, |_| 0.0);
    // Half of the model's rows are far from the reference.
    let q = cloud(&folder.path().join("q.npy"), 240, |i| if i % 2 == 0 { 0.0 } else { 3.0 });
    for method in ["obrs", "drs", "mh"] {
        let args = ["refine", "--reference", &p, "--samples", &q, "--budget", "2", "--method"];
        let more = [method, "--normalize", "none", "--pca", "none"];
        let Ran { code, stdout, stderr } = llmpr(&[&args[..], &more].concat());
        assert_eq!(code, 0, "{stderr}");
        let kept: Vec<usize> = stdout.lines().map(|line| line.parse().unwrap()).collect();
        assert!(kept.len().abs_diff(120) <= 1, "{method}: {} kept", kept.len());
        let good = kept.iter().filter(|row| **row % 2 == 0).count();
        assert!(good as f64 >= 0.7 * kept.len() as f64, "{method}: {good} of {}", kept.len());
        let line = stderr.lines().find(|line| line.trim_start().starts_with("precision")).unwrap();
        let found: Vec<f64> =
            line.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
        assert!(found[1] > found[0], "{method}: {stderr}");
    }
    let args = ["refine", "--reference", &p, "--samples", &q, "--budget", "0.5"];
    assert!(llmpr(&args).stderr.contains("1 ≤ K"), "{}", llmpr(&args).stderr);
}

#[test]
fn completions_on_standard_input_are_chosen_from_and_come_back_as_they_were() {
    let given = llmpr::text::read_texts("synthetic-bio?n=80&seed=5").unwrap();
    let args = ["refine", "--reference", "synthetic-bio?n=80", "--samples", "-", "--embedder"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_llmpr"))
        .args([&args[..], &["tiny-gpt2", "--budget", "4", "--method", "mh"]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for text in &given {
        writeln!(stdin, "{}", serde_json::to_string(text).unwrap()).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let kept = String::from_utf8(output.stdout).unwrap();
    let kept: Vec<_> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(kept.len().abs_diff(20) <= 1, "{} kept: {said}", kept.len());
    assert!(kept.iter().all(|text| given.contains(text)), "{kept:?}");
}

#[test]
fn settings_of_a_run_are_mixed_and_measured_on_texts_that_were_held_back() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    done(&mut cluster::sweep(&out, &["-n", "40"]));
    let run = out.to_str().unwrap();
    let printed = llmpr(&["refine", "--mixture", run, "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    check("mixture", &found);
    assert_eq!((found["cells"].as_u64(), found["bins"].as_u64()), (Some(6), Some(4)));
    let mut last = 0.0;
    for point in found["points"].as_array().unwrap() {
        let value = |name: &str| point[name].as_f64().unwrap();
        // On the texts that it was fitted to no single setting is above the mixture; α grows with the slope.
        assert!(value("predicted") >= value("single_predicted") - 1e-9, "{point}");
        assert!(value("predicted") >= last && value("measured") <= 1.0, "{point}");
        last = value("predicted");
        let shares = point["parts"].as_array().unwrap().iter();
        let total: f64 = shares.map(|part| part["share"].as_f64().unwrap()).sum();
        assert!((total - 1.0).abs() < 1e-4, "{point}");
    }
    let table = llmpr(&["refine", "--mixture", run]).stdout;
    assert!(table.contains("best single setting") && table.contains("\nλ = 1: "), "{table}");
    assert!(table.contains("on texts that were held back the mixture is above"), "{table}");
    let both = llmpr(&["refine", "--mixture", run, "--budget", "2"]);
    assert_eq!(both.code, 2, "{}", both.stderr);
    let form =
        ["refine", "--reference", "p", "--samples", "q", "--budget", "2", "--format", "json"];
    assert!(llmpr(&form).stderr.contains("--format is of --mixture"), "{}", llmpr(&form).stderr);
    let neither = llmpr(&["refine", "--reference", "p"]);
    assert_eq!(neither.code, 2, "{}", neither.stderr);
}
