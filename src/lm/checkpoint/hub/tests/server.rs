//! A hub on the loopback interface that answers as huggingface.co does. The tests of the program use it, too.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// The commit of every revision.
pub const COMMIT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// The token that the hub knows.
pub const TOKEN: &str = "hf_secret";

/// Bytes that are handed out at a time.
const CHUNK: usize = 10_000;

/// What the hub holds, and how it behaves.
pub struct FakeHub {
    /// By page: `org/name`, `datasets/org/name`, `gpt2`; each with its files by path.
    pub repositories: HashMap<String, BTreeMap<String, Vec<u8>>>,
    /// Old names of repositories.
    pub moved: HashMap<String, String>,
    /// Bytes after which one transfer each from the storage breaks.
    pub cuts: Mutex<Vec<usize>>,
    /// Statuses that the next requests to the hub get instead of an answer, the last first.
    pub busy: Mutex<Vec<(u16, &'static str)>>,
    /// `METHOD path from token`.
    pub log: Mutex<Vec<String>>,
    pub wrong_hash: bool,
    /// Whether the storage sends files from their beginning whatever is asked for.
    pub no_ranges: bool,
    /// A pause between parts of a file.
    pub slow: Duration,
}

impl FakeHub {
    /// A hub with one model, `org/name`, and one data set.
    pub fn new() -> Self {
        let weights: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let model = [
            ("config.json", b"{}".to_vec()),
            ("README.md", b"read me".to_vec()),
            ("tokenizer.json", b"{ }".to_vec()),
            ("model.safetensors", weights),
        ];
        let texts =
            b"{\"text\": \"one\", \"other\": \"1\"}\n{\"text\": \"two\", \"other\": \"2\"}\n";
        let data = [("data/some texts.jsonl", texts.to_vec())];
        let owned = |files: &[(&str, Vec<u8>)]| {
            files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect()
        };
        let repositories = [
            ("org/name".to_owned(), owned(&model)),
            ("datasets/org/data".to_owned(), owned(&data)),
        ];
        Self {
            repositories: repositories.into(),
            moved: HashMap::new(),
            cuts: Mutex::default(),
            busy: Mutex::default(),
            log: Mutex::default(),
            wrong_hash: false,
            no_ranges: false,
            slow: Duration::ZERO,
        }
    }

    pub fn with(mut self, page: &str, files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        self.repositories.insert(page.to_owned(), files.collect());
        self
    }

    /// Requests so far that hold `part`.
    pub fn asked(&self, part: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains(part)).cloned().collect()
    }
}

/// Runs the hub until the process ends, and gives its address.
pub fn serve(hub: &Arc<FakeHub>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hub = Arc::clone(hub);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, hub) = (stream.unwrap(), Arc::clone(&hub));
            std::thread::spawn(move || answer(&hub, port, stream));
        }
    });
    format!("http://127.0.0.1:{port}")
}

/// What the hub says to a request.
struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How much of the body is sent.
    sent: usize,
}

fn said(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Said {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Said { status, headers, body: body.to_vec(), sent: body.len() }
}

fn error(status: u16, code: &str, message: &str) -> Said {
    said(status, &[("x-error-code", code), ("x-error-message", message)], b"{}")
}

fn answer(hub: &FakeHub, port: u16, mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        headers.iter().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let range = header("range").unwrap_or_default();
    let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
    let from: usize = from.map_or(0, |from| from.parse().unwrap());
    let token = header("authorization").map(|value| value.replace("Bearer ", ""));
    let shown = token.as_deref().unwrap_or("nobody");
    hub.log.lock().unwrap().push(format!("{method} {path} {from} {shown}"));
    let Said { status, headers, body, sent } = respond(hub, port, path, from, token.as_deref());
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n"
    );
    let _ = stream.write_all(head.as_bytes());
    if method != "HEAD" {
        for part in body[..sent].chunks(CHUNK) {
            let _ = stream.write_all(part).and_then(|()| stream.flush());
            std::thread::sleep(hub.slow);
        }
    }
}

fn respond(hub: &FakeHub, port: u16, path: &str, from: usize, token: Option<&str>) -> Said {
    // Another host as far as tokens go.
    let storage = format!("http://localhost:{port}/storage");
    if let Some(rest) = path.strip_prefix("/storage/") {
        let body = find(hub, rest.split('?').next().unwrap()).unwrap_or_default();
        let from = if hub.no_ranges { 0 } else { from };
        let (all, body) = (body.len(), &body[from.min(body.len())..]);
        let range = format!("bytes {from}-{}/{all}", all.max(1) - 1);
        let cut = hub.cuts.lock().unwrap().pop();
        return match from {
            0 => Said { sent: cut.unwrap_or(body.len()).min(body.len()), ..said(200, &[], body) },
            _ => Said {
                sent: cut.unwrap_or(body.len()).min(body.len()),
                ..said(206, &[("content-range", &range)], body)
            },
        };
    }
    if let Some((status, wish)) = hub.busy.lock().unwrap().pop() {
        return said(status, &[("retry-after", wish)], b"<html>busy</html>");
    }
    if token.is_some_and(|token| token != TOKEN) {
        return said(
            401,
            &[("x-error-message", "Invalid credentials in Authorization header")],
            b"{}",
        );
    }
    if let Some(rest) = path.strip_prefix("/api/resolve-cache/") {
        let body = find(hub, rest.split('?').next().unwrap()).unwrap_or_default();
        let mut git = Sha1::new_with_prefix(format!("blob {}\0", body.len()));
        git.update(&body);
        let hash = if hub.wrong_hash { "0".repeat(40) } else { hex(&git.finalize()) };
        let etag = format!("\"{hash}\"");
        let headers = [("etag", etag.as_str()), ("x-repo-commit", COMMIT)];
        return said(200, &headers, &body);
    }
    let (api, rest) = match path.strip_prefix("/api/models/").or(path.strip_prefix("/api/")) {
        Some(rest) => (true, rest),
        None => (false, &path[1..]),
    };
    let Some((page, what)) = pages(rest) else {
        return error(404, "RepoNotFound", "Repository not found");
    };
    if let Some(new) = hub.moved.get(page) {
        let kind = if api && !new.starts_with("datasets/") {
            "/api/models"
        } else if api {
            "/api"
        } else {
            ""
        };
        return said(307, &[("location", &format!("{kind}/{new}/{what}"))], b"");
    }
    let Some(files) = hub.repositories.get(page) else {
        return match token {
            Some(_) => error(404, "RepoNotFound", "Repository not found"),
            None => error(401, "RepoNotFound", "Invalid username or password."),
        };
    };
    if what == "refs" {
        return said(
            200,
            &[],
            br#"{"branches": [{"name": "main"}], "tags": [{"name": "v1.0"}], "converts": []}"#,
        );
    }
    let known = |revision: &str| matches!(revision, "main" | "v1.0" | "refs%2Fpr%2F1" | COMMIT);
    if let Some(revision) = what.strip_prefix("revision/") {
        if !known(revision) {
            return error(404, "RevisionNotFound", "Invalid rev id");
        }
        let name = |name: &String| serde_json::json!({"rfilename": name});
        let mut names: Vec<_> = files.keys().map(name).collect();
        names.push(serde_json::json!({"rfilename": "../evil"}));
        let id = page.strip_prefix("datasets/").unwrap_or(page);
        let json = serde_json::json!({"id": id, "sha": COMMIT, "siblings": names}).to_string();
        return said(200, &[], json.as_bytes());
    }
    // What a gated repository is called and holds everybody may know.
    if page == "org/gated" {
        return match token {
            Some(_) => error(403, "GatedRepo", "Access to model org/gated is restricted."),
            None => error(401, "GatedRepo", "Access to model org/gated is restricted."),
        };
    }
    let asked = what.strip_prefix("resolve/").and_then(|rest| rest.split_once('/'));
    let Some((_, name)) = asked.filter(|(revision, _)| known(revision)) else {
        return error(404, "RevisionNotFound", "Invalid rev id");
    };
    let Some(body) = files.get(&name.replace("%20", " ")) else {
        return error(404, "EntryNotFound", "Entry not found");
    };
    if !name.ends_with(".safetensors") && !name.ends_with(".gguf") {
        return said(
            307,
            &[("location", &format!("/api/resolve-cache/{page}/{name}?etag=%22x%22"))],
            b"",
        );
    }
    // Large files: their hash and size on a redirect to other storage.
    let hash = if hub.wrong_hash { "0".repeat(64) } else { hex(&Sha256::digest(body)) };
    let (location, hash) = (format!("{storage}/{page}/{name}?signed=1"), format!("\"{hash}\""));
    let size = body.len().to_string();
    let headers = [
        ("location", location.as_str()),
        ("x-linked-etag", &hash),
        ("x-linked-size", &size),
        ("x-repo-commit", COMMIT),
    ];
    said(302, &headers, b"")
}

/// The page of a repository and what is asked of it.
fn pages(rest: &str) -> Option<(&str, &str)> {
    let at = [" ", "/revision/", "/resolve/", "/refs"]
        .iter()
        .filter_map(|word| rest.find(word))
        .min()?;
    Some((&rest[..at], &rest[at + 1..]))
}

fn find(hub: &FakeHub, path: &str) -> Option<Vec<u8>> {
    let path = path.replace("%20", " ");
    let (page, files) =
        hub.repositories.iter().find(|(page, _)| path.starts_with(&format!("{page}/")))?;
    files.get(&path[page.len() + 1..]).cloned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
