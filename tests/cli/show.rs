//! `llmpr show`: the texts of a cell of the run that is kept, and of one that is drawn.

use std::path::Path;

use serde_json::Value;

use super::{
    schema::check,
    score::{Ran, llmpr},
    sweep::{cluster, done},
};

fn shown(run: &Path, words: &[&str]) -> Value {
    let run = run.to_str().unwrap();
    let Ran { code, stdout, stderr } =
        llmpr(&[&["show", run], words, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let value = serde_json::from_str(&stdout).unwrap();
    check("show", &value);
    value
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

#[test]
fn texts_outside_copies_and_references_that_nobody_reaches_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    done(&mut cluster::sweep(&run, &["-n", "24"]));
    let name = run.to_str().unwrap();
    let listed = llmpr(&["show", name]).stdout;
    assert_eq!(listed.lines().count(), 6, "{listed}");
    let results: Value =
        serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap();
    let first = &results["cells"][0];
    let id = first["cell"]["id"].as_str().unwrap();

    let any = shown(&run, &[&id[..6], "-n", "100"]);
    let (n, inside) = (any["n"].as_u64().unwrap(), any["inside"].as_u64().unwrap());
    assert_eq!((n, list(&any, "texts").len()), (24, 24));
    // Precision is the share of texts inside, recall that of references reached.
    let value = |name: &str| first["score"]["metrics"][name]["value"].as_f64().unwrap();
    assert!((inside as f64 / 24.0 - value("precision")).abs() < 1e-12, "{inside}");
    let missed = any["uncovered"].as_u64().unwrap();
    assert!((1.0 - missed as f64 / 24.0 - value("recall")).abs() < 1e-12, "{missed}");
    for text in list(&any, "texts") {
        let near = list(text, "nearest");
        assert!(
            near.windows(2).all(|two| two[0]["distance"].as_f64() <= two[1]["distance"].as_f64())
        );
        for shared in list(text, "shares") {
            let run: Vec<&str> = shared["text"].as_str().unwrap().split_whitespace().collect();
            assert_eq!(run.len() as u64, shared["words"].as_u64().unwrap());
            let words: Vec<&str> = text["text"].as_str().unwrap().split_whitespace().collect();
            assert!(words.windows(run.len()).any(|window| window == run), "{text}");
        }
    }
    // Cut after 8 tokens, no text is one of the grammar.
    assert!(list(&any, "texts").iter().all(|text| text["leaves_grammar"].is_string()), "{any}");

    let outside = shown(&run, &[id, "--outside", "-n", "100"]);
    assert_eq!(list(&outside, "texts").len() as u64, n - inside);
    assert!(list(&outside, "texts").iter().all(|text| text["inside"] == false));
    let copies = shown(&run, &[id, "--copies", "-n", "100"]);
    assert_eq!(list(&copies, "texts").len() as u64, copies["copies"].as_u64().unwrap());
    let uncovered = shown(&run, &[id, "--uncovered", "-n", "100"]);
    let missed = list(&uncovered, "missed");
    assert_eq!(missed.len() as u64, uncovered["uncovered"].as_u64().unwrap());
    for one in missed {
        assert!(one["reached_by"].as_u64().unwrap() < 6);
        assert_eq!(one["reached_by"] == 0, one["first_reached"].is_null(), "{one}");
    }
    let said = llmpr(&["show", name, id, "--outside", "-n", "1", "--nearest", "1"]).stdout;
    assert!(said.contains("in the support of the reference"), "{said}");
    assert_eq!(said.matches("nearest reference ").count(), usize::from(inside < n), "{said}");

    std::fs::remove_file(run.join("cells").join(id).join("features.npy")).unwrap();
    let gone = llmpr(&["show", name, id, "--outside"]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("the same `llmpr sweep` computes them again"), "{}", gone.stderr);
    let texts = shown(&run, &[id, "--copies"]);
    assert!(texts["inside"].is_null(), "{texts}");
}

#[test]
fn a_cell_that_is_none_or_several_is_answered_with_those_there_are() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/1");
    let run = kept.to_str().unwrap();
    let none = llmpr(&["show", run, "T=77"]);
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("is called `T=77`; there are "), "{}", none.stderr);
    let several = llmpr(&["show", run, "shots=0"]);
    assert!(several.stderr.contains("say more of the settings, or the id"), "{}", several.stderr);
    let csv = llmpr(&["show", run, "T=1", "--format", "csv"]);
    assert_eq!(csv.code, 2);
    assert!(csv.stderr.contains("[possible values: table, json]"), "{}", csv.stderr);
    let nowhere = llmpr(&["show", "no-such-run", "T=1"]);
    assert!(nowhere.stderr.contains("no-such-run"), "{}", nowhere.stderr);
    let alone = llmpr(&["show", run, "--outside"]);
    assert_eq!(alone.code, 2, "{}", alone.stderr);
}
