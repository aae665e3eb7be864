use super::*;

mod tools;

fn read(path: &str, content: &[u8]) -> Result<Vec<Text>, TextError> {
    let (path, field) = split_spec(path);
    parse_texts(path, field, content.to_vec())
}

fn words(path: &str, content: &str) -> Vec<String> {
    let texts = read(path, content.as_bytes()).unwrap();
    texts.into_iter().map(|text| text.text).collect()
}

fn sentence(path: &str, content: &[u8]) -> String {
    read(path, content).unwrap_err().to_string()
}

#[test]
fn every_format_gives_the_same_texts() {
    let expected = ["a, \"b\"", "ü"];
    let jsonl = "{\"text\": \"a, \\\"b\\\"\"}\r\n\r\n{\"text\": \"ü\"}\r\n";
    assert_eq!(words("t.jsonl", jsonl), expected);
    assert_eq!(words("t.jsonl", &format!("\u{feff}{jsonl}")), expected);
    assert_eq!(words("t.json", r#"[{"text": "a, \"b\""}, "ü"]"#), expected);
    assert_eq!(words("t.txt", "a, \"b\"\r\nü\r\n"), expected);
    assert_eq!(words("t.csv", "id,text\n1,\"a, \"\"b\"\"\"\n2,ü\n"), expected);
    assert_eq!(words("t.tsv", "id\ttext\n1\t\"a, \"\"b\"\"\"\n2\tü\n"), expected);
    assert_eq!(words("-", jsonl), expected);
}

#[test]
fn gzip_is_known_by_its_first_bytes() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, b"{\"text\": \"a\"}\n").unwrap();
    let bytes = gz.finish().unwrap();
    assert_eq!(read("t.jsonl.gz", &bytes).unwrap()[0].text, "a");
    assert_eq!(read("t.jsonl", &bytes).unwrap()[0].text, "a");
    assert!(
        sentence("t.jsonl.gz", &bytes[..bytes.len() - 9])
            .contains("cannot read texts from `t.jsonl.gz`")
    );
}

#[test]
fn the_text_is_found_under_the_usual_names_or_the_given_one() {
    let line = r#"{"id": 7, "output": "x", "completion": "y", "doc": {"story": "z"}}"#;
    assert_eq!(words("t.jsonl", line), ["y"]);
    assert_eq!(words("t.jsonl:output", line), ["x"]);
    assert_eq!(words("t.jsonl:doc.story", line), ["z"]);
    assert_eq!(read("t.jsonl", line.as_bytes()).unwrap()[0].id.as_deref(), Some("7"));
    assert_eq!(
        sentence("t.jsonl:story", line.as_bytes()),
        "t.jsonl:1: no field `story`; there are `id`, `output`, `completion`, `doc`"
    );
    assert_eq!(
        sentence("t.jsonl", b"{\"text\": \"a\"}\n{\"body\": \"b\"}"),
        "t.jsonl:2: no text field; there are `body`, and one of them can be named as FILE:FIELD"
    );
    assert_eq!(
        sentence("t.jsonl", br#"{"text": ["a"]}"#),
        "t.jsonl:1: field `text` is a list, not a string"
    );
}

#[test]
fn lm_eval_samples_are_texts_and_a_second_filter_does_not_double_them() {
    let lines = r#"{"doc_id": 0, "arguments": {"gen_args_0": {"arg_0": "Q"}}, "resps": [["a", "b"]], "filter": "x"}
{"doc_id": 0, "resps": [["a", "b"]], "filter": "y"}
{"doc_id": 1, "resps": [["a", "b"]], "filter": "x"}"#;
    assert_eq!(words("samples_t.jsonl", lines), ["a", "b", "a", "b"]);
    assert_eq!(read("s.jsonl", lines.as_bytes()).unwrap()[0].prompt.as_deref(), Some("Q"));
    let scored = br#"{"doc_id": 0, "resps": [[-3.2, false]]}"#;
    assert!(
        sentence("s.jsonl", scored)
            .contains("only generation tasks of lm-eval and lmms-eval hold texts")
    );
}

#[test]
fn openai_batch_output_is_texts_and_a_failed_request_is_named() {
    let lines = r#"{"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "hi"}, "finish_reason": "length"}]}}}
{"custom_id": "b", "response": {"status_code": 200, "body": {"choices": [{"text": "ho"}]}}, "error": null}"#;
    let texts = read("t.jsonl", lines.as_bytes()).unwrap();
    assert_eq!((texts[0].text.as_str(), texts[1].text.as_str()), ("hi", "ho"));
    assert_eq!(
        (texts[0].id.as_deref(), texts[0].finish_reason.as_deref()),
        (Some("a"), Some("length"))
    );
    let failed = br#"{"custom_id": "c", "response": {"status_code": 429, "body": {"error": {}}}}"#;
    assert_eq!(
        sentence("t.jsonl", failed),
        "`t.jsonl`: 1 request failed: c (429); no text is left, so run it again"
    );
}

fn reading(content: &str, gaps: Gaps) -> Result<Reading, TextError> {
    parse("t.jsonl", None, content.as_bytes(), gaps)
}

#[test]
fn other_tools_forms_are_understood() {
    for (line, wanted) in [
        (r#"{"resps": ["a"], "filtered_resps": "b"}"#, vec!["a"]),
        (r#"{"resps": [["a"], ["b", "c"]]}"#, vec!["a", "b", "c"]),
        (
            r#"{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}"#,
            vec!["a"],
        ),
        (
            r#"{"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}, {"from": "human", "value": "v"}]}"#,
            vec!["a"],
        ),
        (
            r#"{"prompt": [{"role": "user", "content": "u"}], "completion": [{"role": "assistant", "content": "a"}]}"#,
            vec!["a"],
        ),
        (
            r#"{"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}"#,
            vec!["ab"],
        ),
        (r#"{"prompt": "p", "outputs": [{"text": "a"}, {"text": "b"}]}"#, vec!["a", "b"]),
        (r#"{"predictions": ["a", "b"]}"#, vec!["a", "b"]),
        (
            r#"{"custom_id": "x", "result": {"type": "succeeded", "message": {"content": [{"type": "text", "text": "a"}]}}}"#,
            vec!["a"],
        ),
        (
            r#"{"custom_id": "x", "response": {"status_code": 200, "body": {"output": [{"type": "reasoning", "content": []}, {"type": "message", "content": [{"type": "output_text", "text": "a"}]}]}}}"#,
            vec!["a"],
        ),
    ] {
        assert_eq!(words("t.jsonl", line), wanted, "{line}");
    }
}

#[test]
fn completions_of_a_document_or_request_are_a_group_and_filters_count_once() {
    let line = |doc: u32, filter: &str, resps: &str| {
        format!(
            r#"{{"doc_id": {doc}, "arguments": {{"gen_args_0": {{"arg_0": "same"}}}}, "resps": [[{resps}]], "filtered_resps": ["f{filter}"], "filter": "{filter}"}}"#
        )
    };
    let lines = [
        line(0, "strict", r#""a", "b""#),
        line(0, "flexible", r#""a", "b""#),
        line(1, "strict", r#""a", "b""#),
        line(1, "flexible", r#""a", "b""#),
    ]
    .join("\n");
    let read = reading(&lines, Gaps::default()).unwrap();
    assert_eq!((read.texts.len(), read.groups(), read.repeated), (4, Some(2), 2));
    assert!(!read.notes("t")[0].contains("begins with its prompt"), "{:?}", read.notes("t"));
    assert_eq!(words("t.jsonl:resps", &lines), ["a", "b", "a", "b"]);
    assert_eq!(words("t.jsonl:filtered_resps", &lines), ["fstrict", "fstrict"]);
    let choices = r#"{"custom_id": "x", "response": {"body": {"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}}}"#;
    assert_eq!(reading(choices, Gaps::default()).unwrap().groups(), Some(1));
}

#[test]
fn failed_requests_and_answers_without_content_are_left_out_and_named_or_refused() {
    let lines = r#"{"id": "b1", "custom_id": "ok", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "a"}}]}}}
{"id": "b2", "custom_id": "late", "response": null, "error": {"code": "batch_expired"}}
{"id": "b3", "custom_id": "thinks", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": null, "reasoning_content": "hm"}}]}}}"#;
    let read = reading(lines, Gaps::default()).unwrap();
    assert_eq!(read.texts.iter().map(|t| t.text.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(read.texts[0].id.as_deref(), Some("ok"));
    assert_eq!(
        read.notes("t"),
        [
            "`t`: texts are the answers of a batch",
            "`t`: 1 request failed: late (batch_expired); --strict refuses the file",
            "`t`: 1 answer has no content: thinks; --strict refuses the file"
        ]
    );
    let strict = Gaps { strict: true, ..Gaps::default() };
    assert_eq!(
        reading(lines, strict).unwrap_err().to_string(),
        "`t.jsonl`: 1 request failed: late (batch_expired); 1 answer has no content: thinks; run it \
         again, or leave out --strict"
    );
}

#[test]
fn null_texts_are_refused_with_their_number_and_skipped_where_that_is_asked_for() {
    let lines = "{\"text\": \"a\"}\n{\"text\": null}\n{\"text\": \"\"}\n{\"text\": null}\n";
    let error = reading(lines, Gaps::default()).unwrap_err().to_string();
    assert!(error.starts_with("`t.jsonl`: 2 of 4 texts are null, the first in row 2; "), "{error}");
    let read = reading(lines, Gaps { skip_missing: true, ..Gaps::default() }).unwrap();
    assert_eq!((read.texts.len(), read.missing.len(), read.skipped_blank), (1, 2, 1));
    let blank = reading("{\"text\": \"\"}\n{\"text\": \"a\"}\n", Gaps::default()).unwrap();
    assert!(
        blank.notes("t")[0].starts_with("`t`: 1 of 2 texts are empty"),
        "{:?}",
        blank.notes("t")
    );
}

#[test]
fn what_cannot_be_read_is_said_with_file_and_line() {
    let cases: [(&str, &[u8], &str); 10] = [
        (
            "t.jsonl",
            b"{\"text\": \"a\"}\n{\"text\": oops}\n",
            "t.jsonl:2: not JSON (expected value at column 10)",
        ),
        (
            "t.jsonl",
            b"{\"text\": \"a\"}\n{\"text\": \"b",
            "t.jsonl:2: the last line breaks off; it was cut while it was written, so remove it",
        ),
        ("t.jsonl", b"17\n", "t.jsonl:1: a number where an object is needed"),
        (
            "t.json",
            b"[{\"text\": \"a\"},\n {]",
            "t.json:2: not JSON (key must be a string at column 3)",
        ),
        (
            "t.json",
            b"{\"a\": 1}",
            "`t.json` holds an object; a .json file is a list of texts or of objects with a text field, and one object a line is .jsonl",
        ),
        (
            "t.csv",
            b"id,text\n1,a,b\n",
            "t.csv:2: 3 columns where the header has 2; quote texts that hold the delimiter",
        ),
        (
            "t.txt",
            b"good\nba\xffd\n",
            "t.txt:2: byte 3 of the line is not UTF-8; convert the file first, such as by `iconv -t UTF-8`",
        ),
        (
            "t.txt",
            b"\xff\xfea\0",
            "`t.txt` is UTF-16; convert it first: `iconv -f UTF-16 -t UTF-8`",
        ),
        ("t.jsonl", b"\n\n", "`t.jsonl` is empty: it holds no text"),
        (
            "t.jsonl.zst",
            &[0x28, 0xb5, 0x2f, 0xfd, 0],
            if cfg!(feature = "parquet") {
                "cannot read texts from `t.jsonl.zst`: incomplete frame"
            } else {
                "`t.jsonl.zst` is compressed by zstd; unpack it first: `zstd -d`"
            },
        ),
    ];
    for (path, content, message) in cases {
        assert_eq!(sentence(path, content), message);
    }
    assert!(
        read_texts("no/such.jsonl")
            .unwrap_err()
            .to_string()
            .starts_with("cannot read texts from `no/such.jsonl`: ")
    );
    assert!(
        read_texts("src").unwrap_err().to_string().contains("is a folder, not a file of texts")
    );
}

#[test]
fn blank_texts_are_kept_and_counted() {
    let texts =
        read("t.jsonl", b"{\"text\": \"\"}\n{\"text\": \" \"}\n{\"text\": \"a\"}\n").unwrap();
    assert_eq!((texts.len(), crate::text::count_blank(&texts)), (3, 2));
}
