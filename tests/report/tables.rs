//! The same results in the forms of other tools, read back by these.

use std::{
    path::Path,
    process::{Command, Output},
};

use super::{fabricate, shared_data::skipped};

/// `llmpr` with these arguments, which it can carry out.
fn llmpr(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_llmpr")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn stdout(args: &[&str]) -> String {
    String::from_utf8(llmpr(args).stdout).unwrap()
}

/// What Python prints, where it has `modules`; none with a message.
fn python(test: &str, modules: &str, script: &str, args: &[&Path]) -> Option<String> {
    let python = std::env::var("LLMPR_PYTHON").unwrap_or_else(|_| "python3".into());
    let run = |script: &str| Command::new(&python).args(["-c", script]).args(args).output();
    if !run(&format!("import {modules}")).is_ok_and(|output| output.status.success()) {
        skipped(test, &format!("no Python with {modules} (LLMPR_PYTHON names another python3)"));
        return None;
    }
    let output = run(script).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_report_has_other_forms() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let run = run.to_str().unwrap();
    let out = dir.path().join("out");
    llmpr(&["report", run, "-o", out.to_str().unwrap()]);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(stdout(&["report", run, "--format", "csv"]), read("results.csv"));
    assert_eq!(stdout(&["report", run, "--format", "long-csv"]), read("results_long.csv"));
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&["report", run, "--format", "json"])).unwrap();
    assert_eq!(json, serde_json::from_str::<serde_json::Value>(&read("results.json")).unwrap());
    // The long table has every value of the wide one.
    let long = read("results_long.csv");
    let mut rows = csv::Reader::from_reader(long.as_bytes());
    let mut n = 0;
    for row in rows.records() {
        let row = row.unwrap();
        let cell =
            json["cells"].as_array().unwrap().iter().find(|c| c["cell"]["id"] == row[0]).unwrap();
        let (of, name) = match row[1].strip_prefix("true_") {
            Some(name) => (&cell["truth"], name),
            None => (&cell["score"]["metrics"], &row[1]),
        };
        let value = of[name]["value"].as_f64();
        assert_eq!(
            row[2].parse::<f64>().ok().filter(|x| x.is_finite()),
            value,
            "{} of {}",
            name,
            &row[0]
        );
        n += 1;
    }
    let cells = json["cells"].as_array().unwrap();
    let all: usize = cells
        .iter()
        .map(|c| {
            c["score"]["metrics"].as_object().unwrap().len()
                + c["truth"].as_object().map_or(0, |t| t.len())
        })
        .sum();
    assert_eq!(n, all);
    let markdown = stdout(&["report", run, "--format", "md"]);
    assert_eq!(markdown.lines().filter(|line| line.starts_with("| ")).count(), 2 + cells.len());
    // Two models are two files of lm-eval.
    let other = fabricate::run(dir.path(), "other", "large", 1.2);
    let both = ["report", run, other.to_str().unwrap(), "--format", "lm-eval"];
    let refused = Command::new(env!("CARGO_BIN_EXE_llmpr")).args(both).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("-o DIR"));
    let folder = dir.path().join("lm");
    let paths = stdout(&[&both[..], &["-o", folder.to_str().unwrap()]].concat());
    assert!(
        paths.lines().count() >= 2
            && paths.lines().all(|path| path.ends_with("/results_llmpr.json")),
        "{paths}"
    );
}

#[test]
#[cfg(feature = "parquet")]
fn parquet_holds_what_the_other_tables_hold_and_every_text() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let out = dir.path().join("out");
    let args = ["report", run.to_str().unwrap(), "--parquet", "-o", out.to_str().unwrap()];
    let printed = stdout(&args);
    let names: Vec<&str> = printed.lines().filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(
        names[1..],
        ["results.parquet", "results_long.parquet", "texts.parquet", "references.parquet"]
    );
    let bytes = |name: &str| std::fs::read(out.join(name)).unwrap();
    let before = names[1..].iter().map(|name| bytes(name)).collect::<Vec<_>>();
    llmpr(&args);
    assert!(
        names[1..].iter().map(|name| bytes(name)).eq(before),
        "the same bytes whenever it is made"
    );
    // A table of texts is a file of texts.
    let json = stdout(&["texts", out.join("texts.parquet").to_str().unwrap(), "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let script = r#"
import sys, math
import pandas, polars, pyarrow.parquet
from pathlib import Path
out = Path(sys.argv[1])
texts = pandas.read_parquet(out / "texts.parquet")
print(len(texts))
wide = pandas.read_parquet(out / "results.parquet").set_index("cell")
csv = pandas.read_csv(out / "results.csv").set_index("cell")
assert list(wide.columns) == list(csv.columns), (list(wide.columns), list(csv.columns))
for name in ["precision", "recall", "temperature", "n"]:
    assert (wide[name] == csv[name]).all(), name
share = texts.groupby("cell")["in_support"].apply(lambda inside: inside.astype(float).mean())
assert ((share - wide["precision"]).abs() < 1e-9).all(), (share, wide["precision"])
references = polars.read_parquet(out / "references.parquet")
seen = references.group_by("cell").agg(polars.col("in_support").mean(), polars.col("covered").mean())
for cell, recall, coverage in seen.iter_rows():
    assert abs(wide.loc[cell, "recall"] - recall) < 1e-9
    assert "coverage" not in wide or abs(wide.loc[cell, "coverage"] - coverage) < 1e-9
long = polars.read_parquet(out / "results_long.parquet")
assert long.columns[:7] == ["cell", "measure", "value", "low", "high", "ceiling", "p"], long.columns
picked = long.filter(polars.col("measure") == "precision").select("cell", "value").rows()
assert all(wide.loc[cell, "precision"] == value for cell, value in picked) and len(picked) == len(wide)
schema = pyarrow.parquet.read_schema(out / "texts.parquet")
assert str(schema.field("text").type) == "string" and str(schema.field("logprob").type) == "double", schema
joined = texts.merge(references.to_pandas()[["cell", "index", "text"]], left_on=["cell", "nearest_reference_index"], right_on=["cell", "index"])
assert (joined["nearest_reference"] == joined["text_y"]).all() and len(joined) == len(texts)
assert texts["realism"].notna().all() and (texts["realism"] > 0).all(), texts["realism"]
words = texts["text"].str.split().str.len()
some = texts[texts["shared_words"].notna()]
assert len(some) and (some["shared_words"] <= words[some.index]).all() and (some["shared_share"] <= 1).all()
assert all(row.shared_text in " ".join(row.text.split()) for row in some.itertuples())
seen = references.to_pandas().merge(wide.reset_index()[["cell", "temperature"]], on="cell")
for _, rows in seen.groupby("index"):
    reached = rows[rows["in_support"]]
    assert (rows["reached_by"] == len(reached)).all()
    assert rows["first_temperature"].isna().all() if reached.empty else (rows["first_temperature"] == reached["temperature"].min()).all()
"#;
    let test = "parquet_holds_what_the_other_tables_hold_and_every_text";
    let Some(n) = python(test, "pandas, polars, pyarrow", script, &[&out]) else { return };
    assert_eq!(json["n"].to_string(), n.trim());
}

#[test]
fn lm_eval_shows_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let folder = dir.path().join("lm");
    llmpr(&[
        "report",
        run.to_str().unwrap(),
        "--format",
        "lm-eval",
        "-o",
        folder.to_str().unwrap(),
    ]);
    let script = r#"
import glob, json, sys
from lm_eval.utils import make_table, sanitize_model_name, get_results_filenames
names = get_results_filenames(glob.glob(sys.argv[1] + "/*/*.json"))
assert names
for name in names:
    results = json.load(open(name))
    assert name.split("/")[-2] == sanitize_model_name(results["model_name"]) == results["model_name_sanitized"]
    table = make_table(results)
    assert "|precision" in table.replace(" ", "") and "±" in table, table
    rows = [line for line in table.splitlines() if "|" in line]
    print(len(rows))
"#;
    let test = "lm_eval_shows_its_files";
    let Some(rows) = python(test, "lm_eval.utils, pytablewriter", script, &[&folder]) else {
        return;
    };
    assert!(rows.lines().all(|n| n.parse::<usize>().unwrap() > 20), "{rows}");
}
