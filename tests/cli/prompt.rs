//! `llmpr prompt`: what a model reads, before it is drawn from.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

use super::sweep::{done, ran};

/// The bundled model's folder with a chat template of that source.
fn chatty(dir: &tempfile::TempDir, template: &str) -> String {
    let from = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny-bio"));
    let to = dir.path().join("chatty");
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    std::fs::write(to.join("chat_template.jinja"), template).unwrap();
    to.to_str().unwrap().to_owned()
}

fn llmpr(dir: &tempfile::TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(args).env("NO_COLOR", "1").env("XDG_CACHE_HOME", dir.path());
    command
}

fn json(dir: &tempfile::TempDir, args: &[&str]) -> Value {
    let all = [&["prompt", "--format", "json", "--show-ids"], args].concat();
    serde_json::from_str(&done(&mut llmpr(dir, &all)).stdout).unwrap()
}

#[test]
fn a_sweep_and_sample_read_the_prompts_that_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let run = out.to_str().unwrap();
    let flags = ["--task", "synthetic-bio", "--shots", "2", "-n", "12", "--max-new-tokens", "4"];
    let sweep = ["sweep", "--models", "tiny-bio", "--temps", "1", "--metrics", "support"];
    let quick = ["--resamples", "0", "--permutations", "0", "--out", run];
    done(&mut llmpr(&dir, &[&sweep[..], &quick, &flags].concat()));
    let shown = json(&dir, &[&["tiny-bio", "--prompts", "12"], &flags[..]].concat());
    let cell = std::fs::read_dir(out.join("cells")).unwrap().next().unwrap().unwrap().path();
    let record: Value =
        serde_json::from_slice(&std::fs::read(cell.join("cell.json")).unwrap()).unwrap();
    assert_eq!(record["prompts_hash"], shown["prompts_hash"]);
    let samples = std::fs::read_to_string(cell.join("samples.jsonl")).unwrap();
    let sample = done(&mut llmpr(&dir, &[&["sample", "--model", "tiny-bio"], &flags[..]].concat()));
    for lines in [samples.as_str(), sample.stdout.as_str()] {
        let mut seen = 0;
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let at = line["id"].as_str().unwrap().split('-').next().unwrap();
            let prompt = &shown["prompts"][at.parse::<usize>().unwrap()];
            assert_eq!((&line["prompt"], &line["prompt_id"]), (&prompt["text"], &prompt["id"]));
            seen += 1;
        }
        assert_eq!(seen, 12);
    }
}

#[test]
fn begin_of_text_is_marked_and_said_to_be_the_tokenizer_s() {
    let dir = tempfile::tempdir().unwrap();
    let ran =
        done(&mut llmpr(&dir, &["prompt", "tiny-bio", "--prompt", "- Biography of", "--show-ids"]));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("=== prompt: plain text, "), "{}", ran.stdout);
    assert!(lines[0].ends_with("`<s>` from the tokenizer"), "{}", ran.stdout);
    assert_eq!(lines[1], "- Biography of");
    assert!(lines[2].starts_with("=== ids: [BOS 0] "), "{}", ran.stdout);
    // As vLLM encodes a completion's prompt: its own begin-of-text goes before whatever is there.
    let twice = json(&dir, &["tiny-bio", "--prompt", "<s>- Biography of"]);
    assert_eq!(twice["prompts"][0]["bos_tokens"], 2);
    let said = twice["prompts"][0]["begins"].as_str().unwrap();
    assert!(said.contains("`<s>` 2 times: the prompt has it"), "{said}");
}

#[test]
fn a_template_s_text_is_encoded_without_adding_anything() {
    let dir = tempfile::tempdir().unwrap();
    let turns = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}";
    let with = chatty(&dir, &format!("{{{{ bos_token }}}}{turns}"));
    let shown = json(&dir, &[&with, "--prompt", "Hello"]);
    let prompt = &shown["prompts"][0];
    assert_eq!(prompt["text"], "<s>[user] Hello\n");
    assert_eq!(
        (&prompt["bos_tokens"], &prompt["begins"]),
        (&1.into(), &"`<s>` from the template".into())
    );
    assert_eq!(prompt["ids"][0], shown["bos"]["id"]);
    let without = chatty(&dir, turns);
    let shown = json(&dir, &[&without, "--prompt", "Hello"]);
    assert_eq!(shown["prompts"][0]["bos_tokens"], 0);
    let said = shown["prompts"][0]["begins"].as_str().unwrap();
    assert!(said.contains("as in transformers and vLLM none is added"), "{said}");
    let plain = json(&dir, &[&without, "--prompt", "Hello", "--chat", "never"]);
    assert_eq!((&plain["chat"], &plain["prompts"][0]["bos_tokens"]), (&false.into(), &1.into()));
}

#[test]
fn the_day_is_in_the_prompt_and_so_in_what_names_the_cell() {
    let dir = tempfile::tempdir().unwrap();
    let model = chatty(&dir, "{{ strftime_now('%d %B %Y') }}: {{ messages[-1].content }}");
    let on = |date: &[&str]| json(&dir, &[&[model.as_str(), "--prompt", "Hello"], date].concat());
    let (usual, other) = (on(&[]), on(&["--date", "2025-01-31"]));
    assert_eq!(usual["prompts"][0]["text"], "26 July 2024: Hello");
    assert_eq!(other["prompts"][0]["text"], "31 January 2025: Hello");
    assert_ne!(usual["prompts_hash"], other["prompts_hash"]);
    assert_eq!(other["date"], "2025-01-31");
    let no = ran(&mut llmpr(&dir, &["prompt", &model, "--prompt", "x", "--date", "2025-02-30"]));
    assert!(no.stderr.contains("`2025-02-30` is no date"), "{}", no.stderr);
}

#[test]
fn a_task_s_system_turn_goes_first_and_a_template_that_refuses_it_is_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let task = dir.path().join("t.toml");
    let source =
        "name = 't'\nversion = 1\ncue = 'Go'\n[chat]\nsystem = 'Be terse.'\nask = 'Write.'\n";
    std::fs::write(&task, source).unwrap();
    let task = task.to_str().unwrap();
    let model = chatty(&dir, "{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}");
    let shown = json(&dir, &[&model, "--task", task]);
    assert_eq!(shown["prompts"][0]["text"], "system=Be terse.;user=Write.;");
    let refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}";
    let model = chatty(&dir, refusing);
    let no = ran(&mut llmpr(&dir, &["prompt", &model, "--task", task]));
    assert_eq!(no.code, 1);
    assert!(
        no.stderr.contains("chat template refuses the prompt: System role not supported"),
        "{}",
        no.stderr
    );
    assert_eq!(no.stderr.lines().count(), 1, "{}", no.stderr);
}
