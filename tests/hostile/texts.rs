//! Texts in every form that is written out: lines, lists, tables with commas, logs, what packs them.

use std::io::{Cursor, Write};

use llmpr::text::parse_texts;

use super::trial::{Form, Kind, hostile};

/// Lines of every tool whose form is known.
fn lines() -> Vec<Vec<u8>> {
    let all = [
        r#"{"text":"one","id":"a"}"#,
        r#"{"completion":"two","prompt":"p","prompt_id":3,"finish_reason":"length"}"#,
        r#"{"doc_id":0,"doc":{"query":"q"},"target":"t","arguments":[["p",{}]],"resps":[["r"]],"filtered_resps":["r"],"filter":"none"}"#,
        r#"{"custom_id":"1","response":{"status_code":200,"body":{"choices":[{"message":{"content":"c"},"finish_reason":"stop"}]}},"error":null}"#,
        r#"{"custom_id":"1","result":{"type":"succeeded","message":{"content":[{"type":"text","text":"c"}],"stop_reason":"end_turn"}}}"#,
        r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#,
        r#"{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#,
        r#"{"prompt":"p","outputs":[{"text":"a","finish_reason":"stop","cumulative_logprob":-1.5},{"text":"b"}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"a","thought":false}]},"finishReason":"STOP"}]}"#,
        r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}],"status":"completed"}"#,
        r#"{"doc":{"query":"q"},"model_response":{"text":["a","b"],"input":"p"},"metric":{}}"#,
        r#"{"instruction":"i","input":"","output":"o"}"#,
        r#"{"task_id":"HumanEval/0","completion":"x"}"#,
        r#"{"chosen":"a","rejected":"b"}"#,
        r#"{"id":"0-0","prompt_id":"x","prompt":"p","text":null,"tokens":[1],"finish_reason":"eos","logprob":-1.0,"logprob_model":-1.0,"entropy":0.1,"temperature":1.0,"seed":0,"prompt_index":0,"sample":0,"shots_used":0}"#,
        r#""a string""#,
    ];
    let twice = |line: &&str| format!("{line}\n{line}\n").into_bytes();
    all.iter().map(twice).collect()
}

const WORDS: [&str; 24] = [
    "text",
    "completion",
    "messages",
    "role",
    "assistant",
    "user",
    "content",
    "resps",
    "filtered_resps",
    "choices",
    "outputs",
    "response",
    "body",
    "error",
    "candidates",
    "parts",
    "type",
    "output_text",
    "thinking",
    "prompt",
    "id",
    "samples",
    "attachment://a",
    "finish_reason",
];

fn read(name: &str, bytes: &[u8]) {
    let mut fields = vec![None, Some("doc.query"), Some("messages")];
    if name.ends_with(".csv") {
        fields = vec![None, Some("b")];
    }
    for field in fields {
        if let Err(error) = parse_texts(name, field, bytes.to_vec()) {
            let said = error.to_string();
            assert!(
                !said.is_empty() && said.len() < 50_000 + 2 * bytes.len(),
                "{} bytes are said",
                said.len()
            );
        }
    }
}

#[test]
fn lines_of_json() {
    let kind =
        Kind { name: "jsonl", seeds: lines(), form: Form::Lines, words: &WORDS, ..Kind::default() };
    hostile(&kind, |bytes| read("x.jsonl", bytes));
}

#[test]
fn lists_of_json_and_logs() {
    let mut seeds: Vec<Vec<u8>> = lines()
        .iter()
        .map(|line| {
            let one = String::from_utf8_lossy(line).lines().next().unwrap().to_owned();
            format!("[{one},\n{one}]").into_bytes()
        })
        .collect();
    let log = r#"{"version":2,"eval":{"task":"t"},"samples":[{"id":1,"epoch":1,"input":"attachment://a","output":{"choices":[{"message":{"role":"assistant","content":[{"type":"text","text":"attachment://a"},{"type":"reasoning","reasoning":"r"}]},"stop_reason":"stop"}],"completion":"c"},"attachments":{"a":"long"}}]}"#;
    seeds.push(log.as_bytes().to_vec());
    let kind = Kind { name: "json", seeds, form: Form::Json, words: &WORDS, ..Kind::default() };
    hostile(&kind, |bytes| read("x.json", bytes));
}

#[test]
fn tables_with_commas_and_plain_lines() {
    let seeds = [
        "a,text,b\n1,one,\"x\"\"y\n\"\n2,two,\n",
        "text\tb\none\t1\n",
        "\u{feff}text\r\none\r\n",
        "one\n\ntwo \u{301}\n",
        "text\n\"open\n",
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let words = ["\"", "\"\"", ",", "\t", ";", "text", "\r", "b"];
    let kind = Kind { name: "csv", seeds, words: &words, ..Kind::default() };
    hostile(&kind, |bytes| {
        for name in ["x.csv", "x.tsv", "x.txt", "x"] {
            read(name, bytes);
        }
    });
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn files_packed_by_gzip() {
    let kind = Kind {
        name: "gzip",
        seeds: lines(),
        form: Form::Lines,
        words: &WORDS,
        pack: Some(&gzip),
        ..Kind::default()
    };
    hostile(&kind, |bytes| read("x.jsonl.gz", bytes));
}

#[cfg(feature = "parquet")]
#[test]
fn files_packed_by_zstd() {
    let pack = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let kind = Kind {
        name: "zstd",
        seeds: lines(),
        form: Form::Lines,
        words: &WORDS,
        pack: Some(&pack),
        ..Kind::default()
    };
    hostile(&kind, |bytes| read("x.jsonl.zst", bytes));
}

/// An archive of Inspect with two samples that are `sample`.
fn eval(sample: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for name in
        ["header.json", "samples/1_epoch_1.json", "samples/10_epoch_1.json", "summaries.json"]
    {
        archive.start_file(name, options).unwrap();
        archive.write_all(sample).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn archives_of_inspect() {
    let sample = r#"{"id":1,"epoch":1,"input":"i","output":{"choices":[{"message":{"role":"assistant","content":"c"},"stop_reason":"stop"}],"completion":"c"},"attachments":{}}"#;
    let seeds = vec![sample.as_bytes().to_vec()];
    let kind = Kind {
        name: "eval",
        seeds,
        form: Form::Json,
        words: &WORDS,
        pack: Some(&eval),
        ..Kind::default()
    };
    hostile(&kind, |bytes| read("x.eval", bytes));
}
