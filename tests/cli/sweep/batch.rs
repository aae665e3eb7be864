//! Requests in one file, answers in another.

use serde_json::{Value, json};

use super::{World, ids, ran, samples, serving::words, sorted};

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The line that OpenAI's batch API answers a request with.
fn answered(request: &Value, body: Value) -> Value {
    json!({"id": "batch_req_1", "custom_id": request["custom_id"], "error": null,
        "response": {"status_code": 200, "request_id": "r", "body": body}})
}

fn write(path: &std::path::Path, lines: &[Value]) {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(path, text.join("\n") + "\n").unwrap();
}

#[test]
fn a_sweep_goes_out_as_a_batch_and_comes_back_in_parts() {
    let Some(world) = World::new() else { return };
    let (requests, answers) = (world.out("requests.jsonl"), world.out("answers.jsonl"));
    let (to, from) = (requests.to_str().unwrap(), answers.to_str().unwrap());
    // Nobody is there, and nobody is asked.
    let model = ["--models", "openai:http://127.0.0.1:9/v1#words"];
    let export = || ran(&mut world.sweep("run", &[&model[..], &["--export-batch", to]].concat()));
    let import = || ran(&mut world.sweep("run", &[&model[..], &["--import-batch", from]].concat()));
    let out = export();
    assert_eq!(
        (out.code, out.stdout.as_str()),
        (0, format!("48 requests in {to}\n").as_str()),
        "{}",
        out.stderr
    );
    let asked = lines(&requests);
    assert_eq!(asked.len(), 48);
    for request in &asked {
        assert_eq!(
            (&request["method"], &request["url"]),
            (&json!("POST"), &json!("/v1/completions"))
        );
        assert_eq!(
            (&request["body"]["model"], &request["body"]["max_tokens"]),
            (&json!("words"), &json!(24))
        );
        assert!(request["body"]["seed"].is_u64() && request["body"]["prompt"].is_string());
    }
    // Answers come in another order; one failed, one expired, one is of something else, one of another model.
    let mut came: Vec<Value> = asked.iter().rev().map(|r| answered(r, words(&r["body"]))).collect();
    came[3]["response"] = json!({"status_code": 429, "body": {"error": {"message": "too many"}}});
    came[4] = json!({"custom_id": came[4]["custom_id"], "response": null,
        "error": {"code": "batch_expired", "message": "This request could not be executed"}});
    came[5]["response"]["body"]["model"] = "parrot".into();
    let mut stranger = came[6].clone();
    stranger["custom_id"] = "other-run-7".into();
    came.push(stranger);
    write(&answers, &came);
    let first = import();
    assert_eq!(first.code, 3, "{}", first.stderr);
    for said in [
        "45 completions taken, 0 were there already, 3 are open",
        "status 429: too many",
        "This request could not be executed",
        "answered by `parrot`, and `words` was asked",
        "`other-run-7`",
    ] {
        assert!(first.stderr.contains(said), "{said}: {}", first.stderr);
    }
    let second = import();
    assert!(
        second.stderr.contains("0 completions taken, 45 were there already, 3 are open"),
        "{}",
        second.stderr
    );
    // What failed is written out again, and answered well.
    assert_eq!(export().stdout, format!("3 requests in {to}\n"));
    let again: Vec<Value> =
        lines(&requests).iter().map(|r| answered(r, words(&r["body"]))).collect();
    write(&answers, &again);
    let third = import();
    assert_eq!(third.code, 0, "{}", third.stderr);
    assert!(
        third.stderr.contains("3 completions taken, 0 were there already, 0 are open"),
        "{}",
        third.stderr
    );
    let drawn = samples(&world.out("run"));
    assert_eq!(drawn.len(), 2);
    for lines in drawn.values() {
        assert_eq!((ids(lines).len(), sorted(ids(lines))), (24, ids(lines)));
    }
    assert!(export().stderr.contains("nothing is open"));
    // Scored without any server.
    let scored = ran(&mut world.sweep("run", &model));
    assert_eq!(scored.code, 0, "{}", scored.stderr);
    let results = std::fs::read_to_string(world.out("run").join("results.csv")).unwrap();
    assert_eq!(results.lines().count(), 3, "{results}");
}

#[test]
fn a_file_that_is_no_answer_is_refused_before_anything_is_taken() {
    let Some(world) = World::new() else { return };
    let (requests, answers) = (world.out("requests.jsonl"), world.out("answers.jsonl"));
    let (to, from) = (requests.to_str().unwrap(), answers.to_str().unwrap());
    let model = ["--models", "openai:http://127.0.0.1:9/v1#words"];
    let sweep = |more: [&str; 2]| ran(&mut world.sweep("run", &[&model[..], &more].concat()));
    assert_eq!(sweep(["--export-batch", to]).code, 0);
    let good = answered(&lines(&requests)[0], words(&json!({"seed": 1}))).to_string();
    for (text, said) in [
        (format!("{good}\n{{\"custom_id\": \"a\", \"resp"), "line 2: "),
        (format!("{good}\n{{\"response\": {{}}}}\n"), "line 2: no `custom_id`"),
        (std::fs::read_to_string(&requests).unwrap(), "answers are wanted, not requests"),
        (
            good.replace("custom_id\":\"", "custom_id\":\"f"),
            "none of its 1 custom_ids is of this sweep",
        ),
    ] {
        std::fs::write(&answers, text).unwrap();
        let refused = sweep(["--import-batch", from]);
        assert!(refused.code == 1 && refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    assert!(samples(&world.out("run")).is_empty());
    let local = ran(&mut world.sweep("local", &["--export-batch", to]));
    assert!(local.stderr.contains("is no server"), "{}", local.stderr);
}
