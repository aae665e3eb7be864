//! What servers and hubs answer: bodies, and the bytes of whole replies.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use llmpr::{
    decode::Decoding,
    lm::{
        checkpoint::hub::{Hub, HubId},
        engine::network::Interrupt,
        server::{Ask, Dialect, Server, ServerPrompt, ServerTerms, Wants},
    },
    rng::Draw,
};
use serde_json::Value;

use super::trial::{Form, Kind, folder, hostile};

fn ask() -> Ask {
    Ask {
        tag: 1,
        prompt: ServerPrompt::Text("p".into()),
        decoding: Decoding::default(),
        seed: 0,
        draw: Draw { prompt: 0, sample: 0 },
        max_new_tokens: 8,
        stop: [String::from("\n#")].into(),
    }
}

const BODIES: [&str; 4] = [
    r#"{"id":"x","model":"m","choices":[{"index":0,"text":" a text","finish_reason":"stop","logprobs":{"tokens":[" a"," text"],"token_logprobs":[-0.5,-1.0],"top_logprobs":[{" a":-0.5}]}}],"usage":{"prompt_tokens":1,"completion_tokens":2},"system_fingerprint":"f"}"#,
    r#"{"choices":[{"message":{"role":"assistant","content":"c","reasoning_content":"r"},"finish_reason":"length","logprobs":{"content":[{"token":"c","logprob":-0.1,"top_logprobs":[{"token":"c","logprob":-0.1}]}]}}],"usage":{"completion_tokens":1}}"#,
    r#"{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}"#,
    r#"{"error":{"message":"no such model","type":"invalid_request_error","code":404}}"#,
];

const WORDS: [&str; 18] = [
    "choices",
    "text",
    "message",
    "content",
    "finish_reason",
    "stop",
    "length",
    "logprobs",
    "token_logprobs",
    "usage",
    "completion_tokens",
    "error",
    "data",
    "id",
    "owned_by",
    "content_filter",
    "stop_reason",
    "<html>",
];

#[test]
fn answers_of_servers() {
    let seeds = BODIES
        .map(|body| {
            format!(
                r#"{{"custom_id":"1","response":{{"status_code":200,"body":{body}}},"error":null}}"#
            )
            .into_bytes()
        })
        .to_vec();
    let server = Server::new("http://127.0.0.1:1/v1", "m", None).unwrap();
    let kind = Kind { name: "answer", seeds, form: Form::Json, words: &WORDS, ..Kind::default() };
    hostile(&kind, |bytes| {
        if let Ok(line) = serde_json::from_slice::<Value>(bytes) {
            let _ = server.batch_answer(&ask(), &line, &Dialect::default());
        }
    });
}

/// One that answers every request with the same bytes and closes.
struct Parrot {
    address: String,
    says: Arc<Mutex<Vec<u8>>>,
}

impl Parrot {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let says: Arc<Mutex<Vec<u8>>> = Arc::default();
        let own = says.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), own) = (stream, own.clone()) else { continue };
                std::thread::spawn(move || {
                    let Ok(reading) = stream.try_clone() else { return };
                    let mut lines = BufReader::new(reading);
                    let mut length = 0;
                    loop {
                        let mut line = String::new();
                        if lines.read_line(&mut line).unwrap_or(0) < 3 {
                            break;
                        }
                        let header = line.to_ascii_lowercase();
                        if let Some(value) = header.strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap_or(0);
                        }
                    }
                    let _ = lines.read_exact(&mut vec![0; length]);
                    let says = own.lock().unwrap().clone();
                    let _ = stream.write_all(&says);
                });
            }
        });
        Self { address, says }
    }

    fn say(&self, bytes: &[u8]) {
        *self.says.lock().unwrap() = bytes.to_vec();
    }
}

fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}").into_bytes()
}

const HEADERS: [&str; 16] = [
    "Content-Length: 99999999999999",
    "Content-Length: -1",
    "Transfer-Encoding: chunked",
    "\r\n\r\n",
    "ffffffffffffffff\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 302 Found\r\nLocation: /x\r\n",
    "Location: file:///etc/passwd",
    "Retry-After: 99999999999",
    "Content-Encoding: gzip",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/9.9 999 x",
    "Content-Range: bytes 0-1/99999999999999",
    "ETag: \"../../../x\"",
    "X-Linked-Etag: \"../x\"",
    "X-Linked-Size: 18446744073709551615",
];

#[test]
fn replies_of_servers() {
    let parrot = Parrot::new();
    let mut seeds: Vec<Vec<u8>> = BODIES.iter().map(|body| reply("200 OK", "", body)).collect();
    seeds.push(reply("429 Too Many Requests", "Retry-After: 1\r\n", BODIES[3]));
    seeds.push(reply(
        "200 OK",
        "Server: vllm\r\n",
        r#"{"object":"list","data":[{"id":"m","owned_by":"vllm","root":"org/m"}]}"#,
    ));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        BODIES[0].len(),
        BODIES[0]
    );
    seeds.push(chunked.into_bytes());
    let words = [&WORDS[..], &HEADERS].concat();
    let kind = Kind { name: "reply", seeds, words: &words, share: 10, ..Kind::default() };
    hostile(&kind, |bytes| {
        parrot.say(bytes);
        let server = Server::new(&format!("{}/v1", parrot.address), "m", None).unwrap();
        let patience = "0".parse().unwrap();
        let terms = ServerTerms { patience, allow_ignored: true };
        let _ = server.meet(&Wants::default(), terms);
        let mut heard = 0;
        let _ = server.generate(vec![ask()], Some(1), &Interrupt::default(), &mut |_| {
            heard += 1;
            ControlFlow::Continue(())
        });
        assert!(heard < 10);
    });
}

/// Every file below a folder, links as they are.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn replies_of_hubs_stay_in_the_cache() {
    let parrot = Parrot::new();
    let commit = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
    let listing = format!(
        r#"{{"id":"org/name","sha":"{commit}","siblings":[{{"rfilename":"config.json"}},{{"rfilename":"tokenizer.json"}},{{"rfilename":"model.safetensors"}}]}}"#
    );
    let linked = format!("X-Repo-Commit: {commit}\r\nETag: \"{commit}\"\r\n");
    let seeds = vec![
        reply("200 OK", &linked, &listing),
        reply("200 OK", "", &listing),
        reply("404 Not Found", "X-Error-Code: RepoNotFound\r\n", "{}"),
    ];
    let words = [
        &HEADERS[..],
        &[
            "../../evil",
            "/tmp/evil",
            "config.json",
            "model.safetensors",
            "rfilename",
            "siblings",
            "sha",
            "..",
            "refs/heads/main",
            "a/../../b",
        ],
    ]
    .concat();
    let kind = Kind { name: "hub", seeds, words: &words, share: 10, ..Kind::default() };
    let dir = folder();
    hostile(&kind, |bytes| {
        parrot.say(bytes);
        let cache = dir.path().join("a/b/hub");
        let hub = Hub {
            cache: cache.clone(),
            endpoint: parrot.address.clone(),
            token: None,
            offline: false,
            pause: Duration::from_millis(1),
        };
        let id = HubId::parse("org/name").unwrap();
        let _ = hub.pull(&id, &mut |_, _, _| {});
        let mut found = Vec::new();
        files(dir.path(), &mut found);
        assert!(found.iter().all(|path| path.starts_with(&cache)), "{found:?}");
        for link in found.iter().filter(|path| path.is_symlink()) {
            let aim = link.parent().unwrap().join(std::fs::read_link(link).unwrap());
            assert!(
                aim.canonicalize().is_ok_and(|aim| aim.starts_with(cache.canonicalize().unwrap())),
                "{link:?}"
            );
        }
        let _ = std::fs::remove_dir_all(&cache);
    });
}
