use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use super::*;
use crate::data::hex::hex;

#[test]
fn ids_have_a_revision_and_a_file() {
    let id = HubId::parse("org/name@v1.0/sub/x.Q4.gguf").unwrap();
    let expected = ("org/name", "v1.0", Some("sub/x.Q4.gguf"));
    assert_eq!((id.repository.as_str(), id.revision.as_str(), id.file.as_deref()), expected);
    assert_eq!(id.to_string(), "org/name@v1.0/sub/x.Q4.gguf");
    assert_eq!(HubId::parse("org/name").unwrap().to_string(), "org/name");
    for bad in
        ["name", "org/", "/name", "org/na me", "org/name/x.bin", "org/../x.gguf", "a/b@", "../b"]
    {
        assert_eq!(HubId::parse(bad), None, "{bad}");
    }
}

fn hub(folder: &Path, endpoint: String) -> Hub {
    Hub { cache: folder.join("hub"), endpoint, token: Some("secret".into()), offline: false }
}

fn silent(_: &str, _: u64, _: Option<u64>) {}

#[test]
fn a_cache_written_by_python_is_read_and_what_it_lacks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub { offline: true, ..hub(folder.path(), String::new()) };
    let id = HubId::parse("org/name").unwrap();
    let message = |hub: &Hub| hub.resolve(&id, &mut silent).unwrap_err().to_string();
    assert!(message(&hub).contains("`config.json` is not in the cache"), "{}", message(&hub));
    assert!(message(&hub).ends_with("run: llmpr models pull org/name"), "{}", message(&hub));
    let repository = hub.cache.join("models--org--name");
    let snapshot = repository.join("snapshots/abc123");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(repository.join("refs")).unwrap();
    std::fs::write(repository.join("refs/main"), "abc123\n").unwrap();
    std::fs::write(snapshot.join("config.json"), "{}").unwrap();
    assert!(message(&hub).contains("`model.safetensors` is not"), "{}", message(&hub));
    let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    std::fs::write(snapshot.join("model.safetensors.index.json"), index).unwrap();
    std::fs::write(snapshot.join("model-1.safetensors"), "").unwrap();
    assert!(message(&hub).contains("`model-2.safetensors` is not"), "{}", message(&hub));
    std::fs::write(snapshot.join("model-2.safetensors"), "").unwrap();
    assert_eq!(hub.resolve(&id, &mut silent).unwrap(), snapshot);
    assert_eq!(hub.list(), ["org/name"]);
}

/// A hub on the loopback interface. `cut` ends the first transfer of the weights after that many bytes.
struct Fake {
    files: HashMap<&'static str, Vec<u8>>,
    cut: Mutex<Option<usize>>,
    log: Mutex<Vec<String>>,
    wrong_hash: bool,
}

fn serve(fake: Arc<Fake>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let own = address.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines =
                BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            let headers: Vec<String> = lines
                .take_while(|line| !line.is_empty())
                .map(|line| line.to_ascii_lowercase())
                .collect();
            let answer = answer(&fake, &own, &request, &headers);
            let _ = stream.write_all(&answer);
        }
    });
    address
}

fn answer(fake: &Fake, own: &str, request: &str, headers: &[String]) -> Vec<u8> {
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let range =
        headers.iter().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-'));
    let from: usize = range.map_or(0, |from| from.parse().unwrap());
    let token = headers.iter().any(|line| line == "authorization: bearer secret");
    fake.log.lock().unwrap().push(format!("{method} {path} {from} {token}"));
    let respond = |status: &str, more: &str, body: &[u8], claimed: usize| {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {claimed}\r\nconnection: close\r\n{more}\r\n"
        );
        [head.as_bytes(), if method == "HEAD" { &[] } else { body }].concat()
    };
    if path == "/api/models/org/gated/revision/main" {
        return respond("403 Forbidden", "", b"", 0);
    }
    if path == "/api/models/org/name/revision/main" {
        let names: Vec<String> =
            fake.files.keys().map(|name| format!(r#"{{"rfilename": "{name}"}}"#)).collect();
        let json = format!(
            r#"{{"sha": "c0ffee", "siblings": [{}, {{"rfilename": "../evil"}}]}}"#,
            names.join(",")
        );
        return respond("200 OK", "", json.as_bytes(), json.len());
    }
    if let Some(name) = path.strip_prefix("/org/name/resolve/c0ffee/") {
        let body = &fake.files[name];
        if name.ends_with(".safetensors") {
            // Large files: their hash and size on a redirect to other storage.
            let mut hash = hex(Sha256::digest(body));
            if fake.wrong_hash {
                hash = "0".repeat(64);
            }
            let more = format!(
                "location: {own}/storage/{name}\r\nx-linked-etag: \"{hash}\"\r\nx-linked-size: {}\r\n",
                body.len()
            );
            return respond("302 Found", &more, b"", 0);
        }
        return respond("200 OK", &format!("etag: \"small-{}\"\r\n", name.len()), body, body.len());
    }
    if let Some(name) = path.strip_prefix("/storage/") {
        let body = &fake.files[name][from..];
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        let sent = fake.cut.lock().unwrap().take().unwrap_or(body.len());
        return respond(status, "", &body[..sent], body.len());
    }
    respond("404 Not Found", "", b"", 0)
}

fn fake() -> Fake {
    let weights: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
    let files = [
        ("config.json", b"{}".to_vec()),
        ("README.md", b"read me".to_vec()),
        ("tokenizer.json", b"{ }".to_vec()),
        ("model.safetensors", weights),
    ];
    Fake { files: files.into(), cut: Mutex::new(None), log: Mutex::default(), wrong_hash: false }
}

#[test]
fn a_broken_download_is_continued_checked_and_then_visible() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake { cut: Mutex::new(Some(40_000)), ..fake() });
    let hub = hub(folder.path(), serve(Arc::clone(&fake)));
    let id = HubId::parse("org/name").unwrap();
    let message = hub.resolve(&id, &mut silent).unwrap_err().to_string();
    assert!(message.contains("run it again to continue"), "{message}");
    assert!(hub.snapshot(&id).is_none(), "an unfinished pull is not a revision");
    let mut last = (0, None);
    let mut of_weights = |name: &str, have: u64, size: Option<u64>| {
        if name == "model.safetensors" {
            last = (have, size);
        }
    };
    let found = hub.resolve(&id, &mut of_weights).unwrap();
    assert_eq!(last, (100_000, Some(100_000)));
    let mut bytes = Vec::new();
    std::fs::File::open(found.join("model.safetensors")).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, fake.files["model.safetensors"]);
    assert!(found.join("tokenizer.json").exists() && !found.join("README.md").exists());
    let log = fake.log.lock().unwrap().clone();
    assert!(log.contains(&"GET /storage/model.safetensors 40000 false".into()), "{log:#?}");
    assert!(
        log.iter().filter(|line| !line.contains("/storage/")).all(|line| line.ends_with("true")),
        "{log:#?}"
    );
    // All there now: nothing is asked again, also offline.
    let requests = log.len();
    assert_eq!(Hub { offline: true, ..hub.clone() }.resolve(&id, &mut silent).unwrap(), found);
    assert_eq!(fake.log.lock().unwrap().len(), requests);
}

#[test]
fn a_file_with_another_hash_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(folder.path(), serve(Arc::new(Fake { wrong_hash: true, ..fake() })));
    let id = HubId::parse("org/name").unwrap();
    let message = hub.resolve(&id, &mut silent).unwrap_err().to_string();
    assert!(message.contains("has SHA-256"), "{message}");
    let blobs = std::fs::read_dir(hub.cache.join("models--org--name/blobs")).unwrap();
    assert!(blobs.flatten().all(|blob| blob.metadata().unwrap().len() < 100));
}

#[test]
fn refusals_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = hub(folder.path(), serve(Arc::new(fake())));
    let mut message = |id: &str, token: Option<&str>| {
        hub.token = token.map(str::to_owned);
        hub.resolve(&HubId::parse(id).unwrap(), &mut silent).unwrap_err().to_string()
    };
    assert!(message("org/gated", None).contains("/org/gated and set HF_TOKEN"));
    assert!(message("org/gated", Some("x")).contains("refuses this token"));
    assert!(message("org/nothing", None).contains("no such repository"));
    assert!(message("org/name/x.gguf", None).contains("no such file"));
    let nobody = Hub { endpoint: "http://127.0.0.1:1".into(), ..hub };
    let error = nobody.resolve(&HubId::parse("org/name").unwrap(), &mut silent).unwrap_err();
    assert!(error.to_string().starts_with("cannot fetch `http://127.0.0.1:1/api"), "{error}");
}
