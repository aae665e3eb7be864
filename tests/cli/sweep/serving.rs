//! A small server for sweeps: words that depend on the seed, and whatever a test wants instead.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

/// A server on loopback.
pub struct Serving {
    /// `http://127.0.0.1:PORT/v1`.
    pub url: String,
    /// Requests for completions so far.
    pub count: Arc<AtomicUsize>,
}

impl Serving {
    /// One that knows temperature, seeds and `top_p`.
    pub fn words() -> Self {
        Self::answering(|_, body| (200, words(body).to_string()))
    }

    /// One that answers as `answer` says, given head and body of the request. Its model is listed.
    pub fn answering(
        answer: impl Fn(&str, &Value) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (count.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, count, answer) =
                    (stream.unwrap(), counted.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some((head, body)) = hear(&mut reader) {
                        let listed = json!({"data": [{"id": "words", "owned_by": "tests"}]});
                        let (status, text) = match head.starts_with("GET") {
                            true => (200, listed.to_string()),
                            false => {
                                count.fetch_add(1, Ordering::Relaxed);
                                answer(&head, &body)
                            }
                        };
                        let n = text.len();
                        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {n}\r\n\r\n");
                        if stream.write_all(format!("{head}{text}").as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, count }
    }

    /// What `--models` names it by.
    pub fn model(&self) -> String {
        format!("openai:{}#words", self.url)
    }

    /// Requests for completions so far.
    pub fn asked(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

fn hear(reader: &mut impl BufRead) -> Option<(String, Value)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).unwrap_or_default()))
}

/// An answer of a few words that depend on the seed, unless one token is all that is left.
pub fn words(body: &Value) -> Value {
    let one = body["temperature"].as_f64() == Some(0.0)
        || body["top_p"].as_f64().is_some_and(|p| p < 1e-3);
    let seed = if one { 0 } else { body["seed"].as_u64().unwrap_or(0) };
    // Neighboring seeds have little in common.
    let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let words = ["The dog ran.", "A cat sat.", "Tom had a ball.", "Sue was sad."];
    let at = |i: u32| words[(seed >> (2 * i)) as usize % words.len()];
    let text = format!(" {} {} {} {}", at(0), at(1), at(2), at(3));
    json!({
        "choices": [{"text": text, "finish_reason": "stop"}],
        "usage": {"completion_tokens": 12},
    })
}
