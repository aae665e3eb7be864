//! A sweep whose completions come from a server.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{World, ran};

/// Answers every completion with a few words that depend on the seed; counts the requests.
fn serve() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let model = format!("openai:http://{}/v1#words", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.unwrap(), counted.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut length = 0;
                let mut line = String::new();
                while reader.read_line(&mut line).unwrap_or(0) > 0 {
                    if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                        length = n.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        let mut body = vec![0; length];
                        reader.read_exact(&mut body).unwrap();
                        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                        let seed = body["seed"].as_u64().unwrap();
                        let words =
                            ["The dog ran.", "A cat sat.", "Tom had a ball.", "Sue was sad."];
                        let at = |i: u32| words[(seed >> (2 * i)) as usize % words.len()];
                        let text = format!(" {} {} {}", at(0), at(1), at(2));
                        let answer = serde_json::json!({
                            "choices": [{"text": text, "finish_reason": "stop"}],
                            "usage": {"completion_tokens": 12},
                        })
                        .to_string();
                        let head =
                            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
                        if stream.write_all(format!("{head}{answer}").as_bytes()).is_err() {
                            return;
                        }
                    }
                    line.clear();
                }
            });
        }
    });
    (model, count)
}

#[test]
fn a_servers_completions_are_scored_like_a_models_and_asked_for_once() {
    let Some(world) = World::new() else { return };
    let (model, count) = serve();
    let first = ran(&mut world.sweep("run", &["--models", &model, "--batch", "4"]));
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(count.load(Ordering::Relaxed), 48);
    assert!(first.stderr.contains("as reproducible as the server makes them"), "{}", first.stderr);
    let results = std::fs::read_to_string(world.out("run").join("results.csv")).unwrap();
    assert_eq!(results.lines().count(), 3, "{results}");
    let again = ran(&mut world.sweep("run", &["--models", &model, "--batch", "4"]));
    assert_eq!((again.code, count.load(Ordering::Relaxed)), (0, 48), "{}", again.stderr);
}

#[test]
fn what_a_servers_protocol_lacks_is_refused_before_anything_is_asked() {
    let Some(world) = World::new() else { return };
    let model = "openai:http://127.0.0.1:9/v1#words";
    let refused = ran(&mut world.sweep("run", &["--models", model, "--typical-p", "0.9"]));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("protocol has no typical-p"), "{}", refused.stderr);
}
