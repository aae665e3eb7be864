//! What is written against the schemas that `llmpr schema` prints.

use std::path::Path;

use serde_json::Value;

use crate::sweep::{cluster, done};

/// Fails where `value` is not what the schema of that name says.
pub fn check(name: &str, value: &Value) {
    let schema = llmpr::report::schema::schema(name).unwrap();
    let mut wrong = Vec::new();
    look(&schema, &schema["$defs"], value, name, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The words of JSON Schema that ours use; another word fails, so that none goes unread.
fn look(schema: &Value, all: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "required" => {}
            "$ref" => look(
                &all[rule.as_str().unwrap().trim_start_matches("#/$defs/")],
                all,
                value,
                at,
                wrong,
            ),
            "const" if value != rule => wrong.push(format!("{at}: {value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                wrong.push(format!("{at}: {value} is none of {rule}"))
            }
            "const" | "enum" => {}
            "minimum" => {
                if value.as_f64().is_some_and(|number| number < rule.as_f64().unwrap()) {
                    wrong.push(format!("{at}: {value} is below {rule}"));
                }
            }
            "type" => {
                let own = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(number) if number.is_f64() => "number",
                    Value::Number(_) => "integer",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                let fits = |name: &Value| name == own || (name == "number" && own == "integer");
                if !rule.as_array().map_or_else(|| fits(rule), |names| names.iter().any(fits)) {
                    wrong.push(format!("{at}: {value} is no {rule}"));
                }
            }
            "anyOf" => {
                let fails = |one: &Value| {
                    let mut wrong = Vec::new();
                    look(one, all, value, at, &mut wrong);
                    wrong
                };
                let found: Vec<Vec<String>> = rule.as_array().unwrap().iter().map(fails).collect();
                if !found.iter().any(Vec::is_empty) {
                    wrong.extend(found.concat());
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    look(rule, all, item, &format!("{at}.{index}"), wrong);
                }
            }
            "properties" | "additionalProperties" => {}
            other => panic!("{at}: nothing reads `{other}`"),
        }
    }
    let Some(fields) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            wrong.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, field) in fields {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(known), _) => look(known, all, field, &at, wrong),
            (None, Value::Bool(false)) => wrong.push(format!("{at} stands in no schema")),
            (None, rule @ Value::Object(_)) => look(rule, all, field, &at, wrong),
            _ => {}
        }
    }
}

fn llmpr(words: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(words).env("NO_COLOR", "1").env("XDG_CACHE_HOME", "/nonexistent");
    command
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn file(path: &Path) -> Value {
    json(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn what_a_sweep_leaves_is_what_its_schemas_say() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let more = ["--resamples", "8", "--permutations", "8", "--metrics", "all"];
    let mut command = cluster::sweep(&out, &[]);
    let mut words: Vec<String> =
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    for pair in more.chunks(2) {
        let at = words.iter().position(|word| word == pair[0]).unwrap();
        words[at + 1] = pair[1].to_owned();
    }
    command = llmpr(&words.iter().map(String::as_str).collect::<Vec<_>>());
    done(&mut command);
    let run = file(&out.join("run.json"));
    check("run", &run);
    check("results", &file(&out.join("results.json")));
    check("features", &file(&out.join("reference/features.json")));
    let lines = |path: &Path| -> Vec<Value> {
        std::fs::read_to_string(path).unwrap().lines().map(json).collect()
    };
    lines(&out.join("reference/texts.jsonl")).iter().for_each(|line| check("text", line));
    for id in run["cells"].as_array().unwrap() {
        let cell = out.join("cells").join(id.as_str().unwrap());
        check("cell", &file(&cell.join("cell.json")));
        check("result", &file(&cell.join("scores.json")));
        check("features", &file(&cell.join("features.json")));
        lines(&cell.join("samples.jsonl")).iter().for_each(|line| check("sample", line));
    }
    let path = out.to_str().unwrap();
    check("status", &json(&done(&mut llmpr(&["status", path, "--format", "json"])).stdout));
    check("results", &json(&done(&mut llmpr(&["report", path, "--format", "json"])).stdout));
    check("compare", &json(&done(&mut llmpr(&["compare", path, "--format", "json"])).stdout));
    let tuned = ["tune", path, "--maximize", "precision", "--format", "json"];
    check("tune", &json(&done(&mut llmpr(&tuned)).stdout));
    done(&mut llmpr(&["report", path, "--texts", "3"]));
    check("page_texts", &file(&out.join("texts/0.json")));
    check("page_references", &file(&out.join("texts/references.json")));
    let sheet = dir.path().join("sheet.csv");
    let ids: Vec<&str> =
        run["cells"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let sheet = sheet.to_str().unwrap();
    done(&mut llmpr(&["report", path, "--blind", ids[0], ids[1], "--pairs", "3", "-o", sheet]));
    check("blind", &file(&dir.path().join("sheet.key.json")));
    std::fs::write(sheet, "pair,left,right,vote\n1,,,left\n2,,,tie\n").unwrap();
    let votes = json(&done(&mut llmpr(&["report", "--votes", sheet, "--format", "json"])).stdout);
    check("votes", &votes);
    assert_eq!((votes["votes"].as_u64(), votes["pairs"].as_u64()), (Some(2), Some(3)));
}

#[test]
fn what_other_commands_print_as_json_is_what_their_schemas_say() {
    let texts = "synthetic-bio?n=40&seed=1";
    let texts = done(&mut llmpr(&["texts", texts, "--format", "json", "--first", "2"]));
    check("texts", &json(&texts.stdout));
    let prompt = ["prompt", "--task", "synthetic-bio", "tiny-bio", "--format", "json"];
    check("prompt", &json(&done(&mut llmpr(&prompt)).stdout));
    let sample = [
        "sample",
        "--model",
        "tiny-bio",
        "--task",
        "synthetic-bio",
        "-n",
        "2",
        "--max-new-tokens",
        "4",
    ];
    let sample = done(&mut llmpr(&sample));
    sample.stdout.lines().for_each(|line| check("sample", &json(line)));
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    for (name, from) in [("p.npy", 0), ("q.npy", 7)] {
        let rows = (0..60 * 4).map(|i| ((i * 37 + from * i) % 101) as f32).collect();
        let rows = llmpr::data::matrix::Matrix::new(4, rows).unwrap();
        llmpr::npy::write_npy(&dir.path().join(name), &rows).unwrap();
    }
    let (p, q) = (at("p.npy"), at("q.npy"));
    let score =
        ["score", "--reference", &p, "--samples", &q, "--metrics", "all", "--format", "json"];
    let score =
        done(&mut llmpr(&[&score[..], &["--resamples", "10", "--permutations", "19"]].concat()));
    check("score", &json(&score.stdout));
}

#[test]
fn schemas_are_listed_and_printed_and_python_agrees_that_they_are_schemas() {
    let listed = done(&mut llmpr(&["schema"])).stdout;
    for name in llmpr::report::schema::NAMES {
        assert!(
            listed.lines().any(|line| line.split_whitespace().next() == Some(name)),
            "{listed}"
        );
    }
    let refused = crate::sweep::ran(&mut llmpr(&["schema", "nothing"]));
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("there is no schema `nothing`; there are run, cell,"),
        "{}",
        refused.stderr
    );
    let dir = tempfile::tempdir().unwrap();
    for name in llmpr::report::schema::NAMES {
        let text = done(&mut llmpr(&["schema", name])).stdout;
        std::fs::write(dir.path().join(format!("{name}.json")), text).unwrap();
    }
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/1");
    let script = "import glob, json, sys\n\
        from jsonschema import Draft202012Validator as V\n\
        own = lambda name: json.load(open(f'{sys.argv[1]}/{name}.json'))\n\
        [V.check_schema(json.load(open(path))) for path in glob.glob(sys.argv[1] + '/*.json')]\n\
        V(own('run')).validate(json.load(open(sys.argv[2] + '/run.json')))\n\
        V(own('results')).validate(json.load(open(sys.argv[2] + '/results.json')))\n\
        [V(own('sample')).validate(json.loads(l)) for p in glob.glob(sys.argv[2] + '/cells/*/samples.jsonl') for l in open(p)]\n\
        print('valid')";
    let python = |script: &str| {
        let mut command = std::process::Command::new("python3");
        command.args(["-c", script]).arg(dir.path()).arg(&run).output()
    };
    if !python("import jsonschema").is_ok_and(|output| output.status.success()) {
        return crate::common::skipped("schemas", "Python's jsonschema is not installed");
    }
    let output = python(script).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "valid\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
