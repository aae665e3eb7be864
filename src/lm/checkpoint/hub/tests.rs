use std::{sync::Arc, time::Duration};

use super::*;

mod server;

use server::{COMMIT, FakeHub, TOKEN, serve};

fn hub(folder: &Path, endpoint: String) -> Hub {
    let (cache, token) = (folder.join("hub"), Some(TOKEN.to_owned()));
    Hub { cache, endpoint, token, offline: false, pause: Duration::from_millis(1) }
}

fn id(text: &str) -> HubId {
    HubId::parse(text).or_else(|| Some(HubId::parse_file(text)?.0)).unwrap()
}

fn silent(_: &str, _: u64, _: Option<u64>) {}

/// Every file below a folder, links too.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => found.push(path.strip_prefix(folder).unwrap().display().to_string()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_cache_written_by_python_is_read_and_what_it_lacks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub { offline: true, ..hub(folder.path(), String::new()) };
    let id = id("org/name");
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
    // Offline a pull is what is there.
    assert_eq!(hub.pull(&id, &mut silent).unwrap(), snapshot);
    std::fs::create_dir_all(repository.join("refs/refs/pr")).unwrap();
    std::fs::write(repository.join("refs/refs/pr/1"), "def456").unwrap();
    std::fs::create_dir_all(repository.join("snapshots/def456/sub")).unwrap();
    std::fs::write(repository.join("snapshots/def456/sub/x.gguf"), "").unwrap();
    let pr = self::id("org/name@refs/pr/1");
    let unnamed = hub.resolve(&pr, &mut silent).unwrap_err().to_string();
    assert!(unnamed.ends_with("name one: org/name@refs/pr/1/sub/x.gguf"), "{unnamed}");
    std::fs::create_dir_all(hub.cache.join("models--gpt2/snapshots/fed/")).unwrap();
    let listed: Vec<String> = hub.cached().iter().map(ToString::to_string).collect();
    assert_eq!(listed, ["org/name", "org/name@refs/pr/1/sub/x.gguf"]);
}

#[test]
fn broken_connections_are_taken_up_again_and_the_file_is_checked_and_then_visible() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(FakeHub { cuts: vec![30_000, 40_000].into(), ..FakeHub::new() });
    let hub = hub(folder.path(), serve(&fake));
    let id = id("org/name");
    let mut last = (0, None);
    let mut of_weights = |name: &str, have: u64, size: Option<u64>| {
        if name == "model.safetensors" {
            last = (have, size);
        }
    };
    let found = hub.resolve(&id, &mut of_weights).unwrap();
    assert_eq!(last, (100_000, Some(100_000)));
    let bytes = std::fs::read(found.join("model.safetensors")).unwrap();
    assert_eq!(bytes, fake.repositories["org/name"]["model.safetensors"]);
    assert!(found.join("tokenizer.json").exists() && !found.join("README.md").exists());
    let transfers: Vec<String> = fake
        .asked("GET /storage")
        .iter()
        .map(|line| line.split(' ').skip(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(transfers, ["0 nobody", "40000 nobody", "70000 nobody"]);
    let at_home = fake.log.lock().unwrap().clone();
    let at_home: Vec<_> = at_home.iter().filter(|line| !line.contains("/storage")).collect();
    assert!(at_home.iter().all(|line| line.ends_with(TOKEN)), "{at_home:#?}");
    // All there now: nothing is asked again, also offline.
    let requests = fake.asked("").len();
    assert_eq!(Hub { offline: true, ..hub.clone() }.resolve(&id, &mut silent).unwrap(), found);
    assert_eq!(fake.asked("").len(), requests);
    assert_eq!(
        std::fs::read_to_string(hub.cache.join("models--org--name/refs/main")).unwrap(),
        COMMIT
    );
}

#[test]
fn what_stopped_is_no_revision_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    // No byte comes in six attempts after the first.
    let cuts = [vec![0; 6], vec![40_000]].concat();
    let fake = Arc::new(FakeHub { cuts: cuts.into(), ..FakeHub::new() });
    let hub = hub(folder.path(), serve(&fake));
    let message = hub.resolve(&id("org/name"), &mut silent).unwrap_err().to_string();
    let said = "the connection broke after 40000 of 100000 bytes of model.safetensors";
    assert!(message.contains(said) && message.ends_with("run it again to continue"), "{message}");
    assert!(hub.snapshot(&id("org/name")).is_none(), "an unfinished pull is not a revision");
    assert!(hub.resolve(&id(&format!("org/name@{COMMIT}")), &mut silent).is_ok());
    assert_eq!(fake.asked("GET /storage").last().unwrap().split(' ').nth(2), Some("40000"));
}

#[test]
fn a_storage_that_always_begins_anew_and_always_breaks_is_left_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let cuts = vec![40_000; 30].into();
    let fake = Arc::new(FakeHub { cuts, no_ranges: true, ..FakeHub::new() });
    let endpoint = serve(&fake);
    let hub = hub(folder.path(), endpoint);
    let message = hub.resolve(&id("org/name"), &mut silent).unwrap_err().to_string();
    assert!(message.contains("broke after 40000 of 100000 bytes"), "{message}");
    // The first brought something; five more did not.
    assert_eq!(fake.asked("GET /storage").len(), 6);
    fake.cuts.lock().unwrap().clear();
    hub.resolve(&id("org/name"), &mut silent).unwrap();
}

#[test]
fn a_hub_that_is_busy_is_asked_again_and_one_that_stays_so_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let fake =
        Arc::new(FakeHub { busy: vec![(503, ""), (429, "0"), (500, "")].into(), ..FakeHub::new() });
    let endpoint = serve(&fake);
    hub(folder.path(), endpoint.clone()).resolve(&id("org/name"), &mut silent).unwrap();
    let message = |status, wish| {
        *fake.busy.lock().unwrap() = vec![(status, wish); 20];
        let folder = tempfile::tempdir().unwrap();
        let error = hub(folder.path(), endpoint.clone()).resolve(&id("org/name"), &mut silent);
        let left = std::mem::take(&mut *fake.busy.lock().unwrap()).len();
        assert_eq!(files(folder.path()), [""; 0]);
        (error.unwrap_err().to_string(), 20 - left)
    };
    let (said, requests) = message(503, "");
    assert!(said.contains("fails with status 503") && requests == 6, "{said} {requests}");
    // A pause of an hour is nothing to sit through.
    let (said, requests) = message(429, "3600");
    assert!(said.contains("too many requests") && requests == 1, "{said} {requests}");
}

#[test]
fn a_file_with_another_hash_is_thrown_away() {
    for name in ["org/name", "org/name/x.gguf", "hf:org/data/data/some texts.jsonl"] {
        let folder = tempfile::tempdir().unwrap();
        let fake = FakeHub { wrong_hash: true, ..FakeHub::new() };
        let (mut fake, gguf) = (fake, ("x.gguf".to_owned(), b"GGUF".to_vec()));
        fake.repositories.get_mut("org/name").unwrap().extend([gguf]);
        let hub = hub(folder.path(), serve(&Arc::new(fake)));
        let message = hub.resolve(&id(name), &mut silent).unwrap_err().to_string();
        let kind = if name.ends_with(".gguf") { "has SHA-256" } else { "has git's SHA-1" };
        assert!(message.contains(kind), "{message}");
        let left = files(&hub.cache);
        assert!(left.iter().all(|file| file.starts_with(".locks/")), "{left:?}");
        assert_eq!(std::fs::read_dir(&hub.cache).unwrap().count(), 1);
    }
}

#[test]
fn a_part_that_is_none_is_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(folder.path(), serve(&Arc::new(FakeHub::new())));
    let found = hub.resolve(&id("org/name"), &mut silent).unwrap();
    let blob = std::fs::canonicalize(found.join("model.safetensors")).unwrap();
    let whole = std::fs::read(&blob).unwrap();
    for part in [vec![7; 50_000], vec![7; 100_000], vec![7; 200_000]] {
        std::fs::remove_file(&blob).unwrap();
        std::fs::write(blob.with_extension("incomplete"), part).unwrap();
        assert_eq!(hub.pull(&id("org/name"), &mut silent).unwrap(), found);
        assert_eq!(std::fs::read(&blob).unwrap(), whole);
        assert_eq!(files(blob.parent().unwrap()).len(), 3);
    }
}

#[test]
fn moved_repositories_old_names_and_pull_requests_are_found_under_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = FakeHub::new();
    fake.moved.insert("gpt2".into(), "org/name".into());
    fake.moved.insert("datasets/old/data".into(), "datasets/org/data".into());
    let fake = Arc::new(fake);
    let hub = hub(folder.path(), serve(&fake));
    let found = hub.resolve(&id("hf:gpt2"), &mut silent).unwrap();
    assert_eq!(found, hub.cache.join("models--gpt2/snapshots").join(COMMIT));
    let asked = fake.asked("");
    assert!(asked.iter().any(|line| line.starts_with("GET /gpt2/resolve/")), "{asked:#?}");
    assert!(
        asked
            .iter()
            .filter(|l| l.contains("/org/name/"))
            .all(|l| l.ends_with(TOKEN) || l.contains("/storage")),
        "{asked:#?}"
    );
    let pr = id("org/name@refs/pr/1");
    hub.resolve(&pr, &mut silent).unwrap();
    assert_eq!(fake.asked("/revision/refs%2Fpr%2F1 ").len(), 1);
    let reference = hub.cache.join("models--org--name/refs/refs/pr/1");
    assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    let texts = hub.resolve(&id("hf:old/data/data/some texts.jsonl"), &mut silent).unwrap();
    let expected = format!("datasets--old--data/snapshots/{COMMIT}/data/some texts.jsonl");
    assert_eq!(texts, hub.cache.join(expected));
    assert!(std::fs::read_to_string(texts).unwrap().contains("two"));
    let listed: Vec<String> = hub.cached().iter().map(ToString::to_string).collect();
    assert_eq!(listed, ["gpt2", "org/name@refs/pr/1"]);
}

#[test]
fn refusals_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeHub::new()
        .with("org/gated", &[("config.json", b"{}"), ("model.safetensors", b"")])
        .with("org/pickle", &[("config.json", b"{}"), ("pytorch_model.bin", b"")])
        .with("org/quants", &[("a.Q4.gguf", b"GGUF"), ("a.Q8.gguf", b"GGUF")]);
    let fake = Arc::new(fake);
    let mut hub = hub(folder.path(), serve(&fake));
    let mut message = |text: &str, token: Option<&str>| {
        hub.token = token.map(str::to_owned);
        hub.resolve(&id(text), &mut silent).unwrap_err().to_string()
    };
    let gated = message("org/gated", None);
    assert!(
        gated.contains("/org/gated, make a token at") && gated.ends_with("set HF_TOKEN"),
        "{gated}"
    );
    assert!(gated.starts_with("`org/gated`: it is gated"), "{gated}");
    let gated = message("org/gated", Some(TOKEN));
    assert!(gated.contains("with the account of this token"), "{gated}");
    let wrong = message("org/name", Some("hf_wrong"));
    assert!(wrong.contains("does not know this token"), "{wrong}");
    let nothing = message("org/nothing", Some(TOKEN));
    assert!(nothing.contains("the hub has no model `org/nothing`, or the account"), "{nothing}");
    assert!(
        message("hf:org/nothing/x.txt", None)
            .contains("no data set `org/nothing`, or it is private")
    );
    let revision = message("org/name@v2", Some(TOKEN));
    assert!(revision.contains("no revision `v2`; it has `main`, `v1.0`,"), "{revision}");
    assert!(
        message("org/name/x.gguf", None).contains("no such file at `main`; it has `README.md`")
    );
    assert!(message("org/pickle", None).contains("a pickle, which can run code"));
    assert!(
        message("org/quants", None)
            .ends_with("name one: org/quants/a.Q4.gguf, org/quants/a.Q8.gguf")
    );
    assert!(!hub.cache.exists() || files(&hub.cache).is_empty(), "{:?}", files(&hub.cache));
    let secret = hub.endpoint.replace("://", "://me:password@");
    let named = Hub { endpoint: secret, token: None, ..hub.clone() };
    for text in ["org/gated", "org/nothing", "org/name@v2"] {
        let message = named.resolve(&id(text), &mut silent).unwrap_err().to_string();
        assert!(!message.contains("password"), "{message}");
    }
    let nobody =
        Hub { endpoint: "http://127.0.0.1:1".into(), pause: Duration::from_secs(60), ..hub };
    let error = nobody.resolve(&id("org/name"), &mut silent).unwrap_err();
    assert!(error.to_string().starts_with("cannot fetch `http://127.0.0.1:1/api"), "{error}");
}

#[test]
fn what_is_no_listing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(FakeHub::new());
    let hub = hub(folder.path(), serve(&fake));
    fake.busy.lock().unwrap().push((200, ""));
    let message = hub.resolve(&id("org/name"), &mut silent).unwrap_err().to_string();
    assert!(message.contains(r#"begins with "<html>busy</html>""#), "{message}");
}
