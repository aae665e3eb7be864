//! A sweep whose completions come from a server.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    World, ran, samples,
    serving::{Serving, words},
};

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_servers_completions_are_scored_like_a_models_and_asked_for_once() {
    let Some(world) = World::new() else { return };
    let first = Serving::words();
    let model = first.model();
    let run = ran(&mut world.sweep("run", &["--models", &model, "--batch", "4"]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said = "openai:words: a server of unknown kind serving `words`; honors seeds; gives no log-probabilities";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let probing = first.asked() - 48;
    assert!(probing <= 12, "{probing} requests before the first that counts");
    let results = std::fs::read_to_string(world.out("run").join("results.csv")).unwrap();
    assert_eq!(results.lines().count(), 3, "{results}");
    let record = json_of(&world.out("run").join("run.json"));
    let server = &record["models"][0]["server"];
    assert_eq!((&server["seed"], &server["address"]), (&json!(true), &json!(first.url)));
    let again = ran(&mut world.sweep("run", &["--models", &model, "--batch", "4"]));
    assert_eq!((again.code, first.asked()), (0, 48 + probing), "{}", again.stderr);
    // The same model on another port goes on, and what is drawn is drawn.
    let moved = Serving::words();
    let model = moved.model();
    let more = ["--models", &model, "--temps", "0.5,1,1.2"];
    let more = ran(&mut world.sweep("run", &more));
    assert_eq!((more.code, moved.asked()), (0, 24 + probing), "{}", more.stderr);
    let record = json_of(&world.out("run").join("run.json"));
    assert_eq!(record["models"].as_array().unwrap().len(), 1);
    let results = std::fs::read_to_string(world.out("run").join("results.csv")).unwrap();
    assert_eq!(results.matches(",openai:words,").count(), 3, "{results}");
}

#[test]
fn a_server_refuses_the_quirks_that_need_its_tokens() {
    let Some(world) = World::new() else { return };
    let serving = Serving::words();
    for quirk in ["penalized-eos", "cut-prompts"] {
        let list = format!("chars:20,{quirk}");
        let refused =
            ran(&mut world.sweep("run", &["--models", &serving.model(), "--quirks", &list]));
        let why = format!(
            "model `{}`: the quirk `{quirk}` needs a model of this machine, whose tokens are known; leave it out of --quirks",
            serving.model()
        );
        assert!(refused.code == 1 && refused.stderr.contains(&why), "{}", refused.stderr);
        assert!(!world.out("run").exists());
    }
    assert_eq!(serving.asked(), 0, "before anything is drawn");
}

#[test]
fn a_setting_without_effect_stops_a_sweep_or_stands_in_its_scores() {
    let Some(world) = World::new() else { return };
    let model = Serving::words().model();
    let args = ["--models", &model, "--top-k", "5"];
    let refused = ran(&mut world.sweep("run", &args));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("no effect of top_k"), "{}", refused.stderr);
    assert!(!world.out("run").exists());
    let allowed = [&args[..], &["--allow-ignored"]].concat();
    let allowed = ran(&mut world.sweep("run", &allowed));
    assert_eq!(allowed.code, 0, "{}", allowed.stderr);
    let results = std::fs::read_to_string(world.out("run").join("results.csv")).unwrap();
    assert_eq!(results.matches("|ignored:top_k").count(), 2, "{results}");
}

#[test]
fn answers_without_a_text_are_kept_counted_and_not_scored() {
    let Some(world) = World::new() else { return };
    let serving = Serving::answering(|_, body| {
        let mut answer = words(body);
        if body["seed"].as_u64().is_some_and(|seed| seed > 100 && seed % 4 == 0) {
            answer["choices"][0] = json!({"text": null, "finish_reason": "content_filter"});
        }
        (200, answer.to_string())
    });
    let model = serving.model();
    let run = ran(&mut world.sweep("run", &["--models", &model]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines: Vec<String> = samples(&world.out("run")).into_values().flatten().collect();
    let filtered = lines.iter().filter(|line| line.contains(r#""text":null"#)).count();
    assert!(lines.len() == 48 && filtered > 0, "{filtered} of {}", lines.len());
    assert_eq!(lines.iter().filter(|line| line.contains("content_filter")).count(), filtered);
    let results = json_of(&world.out("run").join("results.json"));
    let cells = results["cells"].as_array().unwrap();
    let counted: u64 =
        cells.iter().map(|cell| cell["texts"]["without_text"].as_u64().unwrap_or(0)).sum();
    assert_eq!(counted as usize, filtered);
    assert!(results.to_string().contains("answers have no text ("), "{results}");
    let asked = serving.asked();
    assert_eq!(ran(&mut world.sweep("run", &["--models", &model])).code, 0);
    assert_eq!(serving.asked(), asked, "an answer without a text is not asked for again");
}

/// Every file below a folder, as text.
fn written(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        all += &match path.is_dir() {
            true => written(&path),
            false => String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
        };
        all += &format!("\n{}\n", path.display());
    }
    all
}

#[test]
fn no_secret_is_written_or_printed() {
    let Some(world) = World::new() else { return };
    // It quotes the request's head in texts, names and errors.
    let serving = Serving::answering(|head, body| {
        let mut answer = words(body);
        let text = format!("{} {head}", answer["choices"][0]["text"]);
        answer["choices"][0]["text"] = text.into();
        answer["system_fingerprint"] = head.into();
        match body["seed"].as_u64().is_some_and(|seed| seed > 100 && seed % 5 == 0) {
            true => (400, json!({"error": {"message": format!("refused: {head}")}}).to_string()),
            false => (200, answer.to_string()),
        }
    });
    let key = "sk-live-9876543210";
    let with_login = serving.model().replace("http://", "http://me:hush-hush-42@");
    // `me:hush-hush-42` in base64
    let secrets = [key, "hush-hush-42", "bWU6aHVzaC1odXNoLTQy"];
    let mut seen = String::new();
    let batch = world.out("batch.jsonl");
    let batch = batch.to_str().unwrap();
    let model = serving.model();
    for (out, model) in [("key", &model), ("login", &with_login)] {
        let runs: [&[&str]; 5] = [
            &["--models", model, "--export-batch", batch],
            &["--models", model],
            &["--models", model, "--typical-p", "0.5"],
            &["--models", model, "--import-batch", batch],
            &["--models", &model.replace("/v1", ":x/v1")],
        ];
        for args in runs {
            let run = ran(world.sweep(out, args).env("OPENAI_API_KEY", key));
            seen += &format!("{out}: {}\n{}\n", run.stdout, run.stderr);
        }
    }
    seen += &written(world.dir.path());
    assert!(seen.contains("refused: POST /v1/completions"), "the server was heard");
    assert!(seen.contains("authorization: ***") || seen.contains("Bearer ***"), "{seen}");
    for secret in secrets {
        let at = seen.find(secret);
        let near = at.map(|at| seen[..at].chars().rev().take(200).collect::<String>());
        let near = near.map(|near| near.chars().rev().collect::<String>());
        assert_eq!(near, None, "{secret}");
    }
}

#[test]
fn a_server_that_answers_pages_or_is_busy_for_ever_is_a_sentence_and_what_is_drawn_stays() {
    let Some(world) = World::new() else { return };
    let page = Serving::answering(|_, _| (200, "<html><title>Log in</title></html>".to_owned()));
    let model = page.model();
    let patient = ["--server-patience", "2s"];
    let run = ran(&mut world.sweep("page", &[&["--models", &model], &patient[..]].concat()));
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("a page of HTML instead of JSON"), "{}", run.stderr);
    assert!(run.stderr.contains("Log in, for 2s now"), "{}", run.stderr);
    // Busy after a while: what came before is kept, and the same command goes on.
    let count = std::sync::atomic::AtomicUsize::new(0);
    let busy = Serving::answering(move |_, body| {
        match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            20..=99 => (429, "slow down".to_owned()),
            _ => (200, words(body).to_string()),
        }
    });
    let model = busy.model();
    let args = [&["--models", &model, "--batch", "2"], &patient[..]].concat();
    let run = ran(&mut world.sweep("busy", &args));
    assert!(
        run.code != 0 && run.stderr.contains("status 429: slow down, for 2s now"),
        "{}",
        run.stderr
    );
    let kept: usize = samples(&world.out("busy")).values().map(Vec::len).sum();
    assert!(kept > 0 && kept < 48, "{kept}");
    let healed = Serving::words();
    let model = healed.model();
    let run = ran(&mut world.sweep("busy", &["--models", &model]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(healed.asked() < 48 - kept + 12, "{} asked, {kept} kept", healed.asked());
}
