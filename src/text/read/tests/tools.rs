//! What other tools write, each in the shape that its own writer gives it.

use std::io::Write;

use super::*;

fn reading(path: &str, content: &str) -> Reading {
    let (path, field) = split_spec(path);
    parse(path, field, content.as_bytes(), Gaps::default()).unwrap()
}

/// Texts with their prompts, names of prompts and reasons of ending.
fn said(content: &str) -> Vec<[String; 4]> {
    let or = |word: Option<String>| word.unwrap_or_default();
    let texts = reading("t.jsonl", content).texts.into_iter();
    texts.map(|t| [t.text, or(t.prompt), or(t.prompt_id), or(t.finish_reason)]).collect()
}

fn row(text: &str, prompt: &str, prompt_id: &str, reason: &str) -> [String; 4] {
    [text, prompt, prompt_id, reason].map(str::to_owned)
}

#[test]
fn lighteval_writes_the_response_beside_its_document() {
    let line = r#"{"doc": {"query": "Q", "id": "7", "choices": ["x"]}, "metric": {"em": 0.0},
        "model_response": {"text": ["a", "b"], "input": "Q", "reasonings": [null]}}"#;
    let line = line.replace('\n', "");
    assert_eq!(said(&line), [row("a", "Q", "7", ""), row("b", "Q", "7", "")]);
    assert_eq!(reading("t.jsonl", &line).taken, "`model_response.text`");
    let older = r#"{"full_prompt": "Q", "predictions": ["a"], "gold": "g"}"#;
    assert_eq!(said(older), [row("a", "Q", "", "")]);
}

#[test]
fn vllm_and_llama_cpp_write_what_a_prompt_became() {
    let line = r#"{"request_id": "3", "prompt": "P", "outputs": [{"index": 0, "text": "a", "token_ids": [1, 2],
        "cumulative_logprob": -1.5, "finish_reason": "length"}, {"index": 1, "text": "b", "finish_reason": "stop"}]}"#;
    let line = line.replace('\n', "");
    assert_eq!(said(&line), [row("a", "P", "", "length"), row("b", "P", "", "stop")]);
    let first = &reading("t.jsonl", &line).texts[0];
    assert_eq!((first.tokens.as_deref(), first.logprob), (Some(&[1, 2][..]), Some(-1.5)));
    let line = r#"{"content": "a", "prompt": "P", "stop": true, "stop_type": "limit", "tokens_predicted": 4}"#;
    assert_eq!(said(line), [row("a", "P", "", "length")]);
}

#[test]
fn answers_of_servers_are_what_was_said_and_never_what_was_thought() {
    let chat = r#"{"id": "c1", "object": "chat.completion", "choices": [
        {"message": {"content": "a", "reasoning_content": "hm"}, "finish_reason": "stop"},
        {"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"}]}"#;
    let read = reading("t.jsonl", &chat.replace('\n', ""));
    assert_eq!((read.texts.len(), read.without_content), (1, vec!["c1".to_owned()]));
    let responses = r#"{"id": "r1", "object": "response", "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"}, "output": [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}]}"#;
    assert_eq!(said(&responses.replace('\n', "")), [row("a", "", "", "length")]);
    let batch = r#"{"custom_id": "q", "result": {"type": "succeeded", "message": {"stop_reason": "max_tokens",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]}}}"#;
    assert_eq!(said(&batch.replace('\n', "")), [row("a", "", "q", "length")]);
    let gemini = r#"{"key": "k", "response": {"candidates": [{"finishReason": "MAX_TOKENS", "content":
        {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": "a"}]}}]}}"#;
    assert_eq!(said(&gemini.replace('\n', "")), [row("a", "", "k", "length")]);
    assert_eq!(reading("t.jsonl", &gemini.replace('\n', "")).texts[0].id.as_deref(), Some("k"));
}

#[test]
fn requests_that_failed_are_named_and_requests_are_no_answers() {
    let lines = [
        r#"{"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [{"text": "x", "finish_reason": "stop"}]}}}"#,
        r#"{"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "overloaded_error"}}}}"#,
        r#"{"custom_id": "c", "result": {"type": "expired"}}"#,
        r#"{"key": "d", "error": {"code": 13, "message": "internal"}}"#,
        r#"{"custom_id": "e", "response": {"status_code": 200, "body": {"object": "response", "status": "failed", "error": {"code": "server_error"}, "output": []}}}"#,
        r#"{"key": "f", "response": {"promptFeedback": {"blockReason": "SAFETY"}}}"#,
    ];
    let read = reading("t.jsonl", &lines.join("\n"));
    let expected = [
        ("b", "overloaded_error"),
        ("c", "expired"),
        ("d", "13"),
        ("e", "server_error"),
        ("f", "SAFETY"),
    ];
    let expected = expected.map(|(name, why)| (name.to_owned(), why.to_owned()));
    assert_eq!((read.texts.len(), read.failed), (1, expected.to_vec()));
    let request =
        r#"{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}"#;
    assert!(sentence("t.jsonl", request.as_bytes()).contains("request of a batch"));
}

#[test]
fn chat_data_sets_give_the_last_answer() {
    let expected = |turns: &str| [row("a", turns, "", "")];
    let line =
        r#"{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}"#;
    assert_eq!(said(line), expected(r#"[{"from":"human","value":"q"}]"#));
    let line = r#"{"id": "0", "data": ["q", "b", "r", "a"]}"#;
    assert_eq!(said(line), expected(r#"["q","b","r"]"#));
    let line = r#"{"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]}"#;
    assert_eq!(said(line), expected(r#"[{"role":"user","content":"q"}]"#));
    let line = r#"{"instruction": "do", "input": "this", "output": "a"}"#;
    assert_eq!(said(line), expected("do\n\nthis"));
    let line = r#"{"instruction": "do", "context": "", "response": "a", "category": "open_qa"}"#;
    assert_eq!(said(line), expected("do"));
    let line = r#"{"instruction": "do", "output": "a", "generator": "m", "dataset": "d"}"#;
    assert_eq!(said(line), expected("do"));
}

#[test]
fn a_preferred_text_is_not_guessed() {
    let line = r#"{"prompt": "q", "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "rejected": "b"}"#;
    let why = sentence("t.jsonl", line.as_bytes());
    assert!(
        why.ends_with(
            "`chosen` and `rejected` are texts to choose between; name one of them, as FILE:chosen"
        ),
        "{why}"
    );
    assert_eq!(words("t.jsonl:chosen", line), ["a"]);
    assert_eq!(words("t.jsonl:rejected", line), ["b"]);
}

#[test]
fn solutions_and_turns_are_grouped_by_their_task() {
    let lines = r#"{"task_id": "H/0", "solution": "a"}
{"task_id": "H/0", "solution": "b"}
{"task_id": "H/1", "solution": "c"}"#;
    assert_eq!(reading("t.jsonl", lines).groups(), Some(2));
    let line =
        r#"{"question_id": 81, "model_id": "m", "choices": [{"index": 0, "turns": ["a", "b"]}]}"#;
    assert_eq!(said(line), [row("b", "", "81", "")]);
}

#[test]
fn log_likelihoods_are_no_texts_though_they_are_strings() {
    let pair = r#"{"doc_id": 0, "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": " x"}}, "resps": [[["-1.25", "False"]]]}"#;
    let rolling =
        r#"{"doc_id": 0, "arguments": {"gen_args_0": {"arg_0": "a text"}}, "resps": [["-123.4"]]}"#;
    for line in [pair, rolling] {
        assert!(sentence("t.jsonl", line.as_bytes()).contains("log-likelihoods"), "{line}");
    }
    // An answer that is a number is a text.
    let number = r#"{"doc_id": 0, "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": {"until": []}}}, "resps": [["-3.5"]]}"#;
    assert_eq!(said(number), [row("-3.5", "q", "0", "")]);
}

/// One sample of Inspect, its answer kept apart where `apart`.
fn sample(id: &str, epoch: u32, answer: &str, apart: bool) -> String {
    let (content, attachments) = match apart {
        true => ("attachment://k".to_owned(), format!("{{\"k\": {answer:?}}}")),
        false => (answer.to_owned(), "{}".to_owned()),
    };
    format!(
        r#"{{"id": {id}, "epoch": {epoch}, "input": "Q{id}", "target": "t", "attachments": {attachments}, "output":
        {{"model": "m", "completion": "", "choices": [{{"stop_reason": "max_tokens", "message": {{"role": "assistant",
        "content": [{{"type": "reasoning", "reasoning": "hm", "text": "hm"}}, {{"type": "text", "text": {content:?}}}]}}}}]}}}}"#
    )
}

#[test]
fn inspect_logs_are_read_as_one_object_or_an_archive_and_epochs_are_a_group() {
    let (one, two) = (sample("9", 1, "a", false), sample("9", 2, "b", true));
    let failed = r#"{"id": 10, "epoch": 1, "input": "Q", "output": {"choices": []}, "error": {"message": "m"}}"#;
    let log = format!(r#"{{"version": 2, "eval": {{}}, "samples": [{one}, {two}, {failed}]}}"#);
    let read = reading("t.json", &log);
    let texts: Vec<&str> = read.texts.iter().map(|text| text.text.as_str()).collect();
    assert_eq!((texts, read.groups()), (vec!["a", "b"], Some(1)));
    assert_eq!(read.without_content, ["10"]);
    assert_eq!(read.texts[0].finish_reason.as_deref(), Some("length"));

    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        ("header.json", "{}"),
        ("samples/10_epoch_1.json", failed),
        ("samples/9_epoch_2.json", &two),
        ("samples/9_epoch_1.json", &one),
    ] {
        archive.start_file(name, options).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    let texts = parse_texts("t.eval", None, bytes.clone()).unwrap();
    assert_eq!(texts, read.texts);
    for length in (0..bytes.len()).step_by(97) {
        let Err(error) = parse_texts("t.eval", None, bytes[..length].to_vec()) else {
            panic!("{length}")
        };
        assert!(error.to_string().contains("`t.eval`"), "{error}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn zstd_is_unpacked_frame_by_frame() {
    let frame = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let bytes = [frame("{\"text\": \"a\"}\n{\"te"), frame("xt\": \"b\"}\n")].concat();
    let texts = parse_texts("t.jsonl.zst", None, bytes.clone()).unwrap();
    assert_eq!(texts.iter().map(|text| &text.text[..]).collect::<Vec<_>>(), ["a", "b"]);
    let cut = parse_texts("t.jsonl.zst", None, bytes[..bytes.len() - 5].to_vec());
    assert!(cut.unwrap_err().to_string().starts_with("cannot read texts from `t.jsonl.zst`"));
}

#[test]
fn what_might_have_been_meant_as_well_is_named() {
    let line = r#"{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "chosen": "b", "rejected": "c"}"#;
    let read = reading("t.jsonl", line);
    assert_eq!(
        (read.not_taken, &read.texts[0].text[..]),
        (vec!["chosen".to_owned(), "rejected".to_owned()], "a")
    );
    let line = r#"{"instruction": "i", "input": "", "output": "a", "text": "i a"}"#;
    let read = reading("t.jsonl", line);
    assert_eq!((read.not_taken, &read.texts[0].text[..]), (vec!["text".to_owned()], "a"));
    assert_eq!(
        reading("t.jsonl", r#"{"completion": "a"}"#).notes("f"),
        ["`f`: texts are `completion`"]
    );
    assert!(reading("t.jsonl", r#"{"text": "a"}"#).notes("f").is_empty());
}

#[test]
fn one_answer_alone_is_a_text() {
    let anthropic = r#"{"id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}], "stop_reason": "max_tokens"}"#;
    assert_eq!(said(anthropic), [row("a", "", "", "length")]);
    assert_eq!(words("t.json", anthropic), ["a"]);
    assert_eq!(words("t.json", r#"{"content": "a", "prompt": "p", "stop_type": "eos"}"#), ["a"]);
    assert!(sentence("t.json", br#"{"results": {}}"#).contains("holds an object"));
    for (bytes, what) in [
        (&b"\xfd7zXZ\0.."[..], "xz"),
        (b"BZh91AY&SY", "bzip2"),
        (b"FEA1....", "Feather of version 1"),
    ] {
        assert!(sentence("t.jsonl", bytes).contains(what), "{what}");
    }
}
