//! What people and task files say: ranges, names of models, parts, tasks, grammars.

use std::path::Path;

use llmpr::{
    lm::checkpoint::{
        hub::{Hub, HubId},
        source::ModelSource,
    },
    rng::Draw,
    run::{
        plan::Shard,
        range::{Integers, Reals},
    },
    text::{grammar::Grammar, task::Task},
};

use super::trial::{Kind, folder, hostile};

fn bytes(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn ranges_and_parts() {
    let seeds = bytes(&[
        "0.2..1.5",
        "0..1:0.25",
        "0..1/5",
        "0.2,0.7,1..1.4:0.2",
        "0,2,4",
        "3/8",
        "0/4+2",
        "1..10",
    ]);
    let words =
        ["..", ",", ":", "/", "+", "-", "1e9", "0.0000000001", "9999999999999999999", " ", "../"];
    let kind = Kind { name: "range", seeds, words: &words, ..Kind::default() };
    hostile(&kind, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(values) = text.parse::<Reals>() {
            let all = values.values();
            assert!(!all.is_empty() && all.iter().all(|x| x.is_finite() && *x >= 0.0), "{all:?}");
        }
        let _ = text.parse::<Integers>();
        if let Ok(shard) = text.parse::<Shard>() {
            let _ = (shard.of(&[3, 1]), shard.of(&[10_000, 2]));
        }
        let _ = serde_json::from_str::<Reals>(&text);
    });
}

#[test]
fn names_of_the_hub_stay_in_its_cache() {
    let seeds = bytes(&[
        "org/name@v1.0/sub/x.Q4.gguf",
        "gpt2@refs/pr/1",
        "hf:models/org/name",
        "hf:org/data@v2/lang=en/it's (1).csv:doc.q",
        "hf://datasets/org/data/a/b.jsonl:text",
        "openai:http://user:pass@host:8000/v1#name?as=x",
        "hf:org/name@feature%2Fx/y.gguf",
    ]);
    let words = [
        "..",
        "/",
        "@",
        "%2F",
        "%2f..%2f",
        ":",
        "hf:",
        "refs/",
        "--",
        "\\",
        "datasets/",
        "models/",
        ".gguf",
        "?as=",
        "#",
        "openai:https://",
        "[::1]:99999",
    ];
    let dir = folder();
    let cache = dir.path().join("hub");
    // Every folder on the way up looks like a repository.
    for at in ["", "hub", "hub/models--org--name", "hub/models--gpt2"] {
        for below in ["refs", "snapshots/main"] {
            std::fs::create_dir_all(dir.path().join(at).join(below)).unwrap();
        }
    }
    let hub = Hub { cache: cache.clone(), offline: true, token: None, ..Hub::from_env() };
    let kind = Kind { name: "names", seeds, words: &words, ..Kind::default() };
    hostile(&kind, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let ids = [HubId::parse(&text), HubId::parse_file(&text).map(|(id, _)| id)];
        for id in ids.into_iter().flatten() {
            let inside = |path: &Path| {
                path.starts_with(&cache) && !path.components().any(|c| c.as_os_str() == "..")
            };
            assert!(hub.snapshot(&id).is_none_or(|path| inside(&path)), "{id:?}");
            let file = Path::new(id.file.as_deref().unwrap_or("x"));
            assert!(
                file.is_relative() && !file.components().any(|c| c.as_os_str() == ".."),
                "{id:?}"
            );
            assert!(!id.revision.split('/').any(|part| part == ".." || part.is_empty()), "{id:?}");
        }
        let _ = ModelSource::parse(&text);
        if let Some((url, name)) = text.split_once('#') {
            let _ = llmpr::lm::server::Server::new(url.trim_start_matches("openai:"), name, None);
        }
    });
}

#[test]
fn tasks() {
    let names: Vec<&str> = llmpr::text::task::bundled().collect();
    let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
    let seeds = names
        .iter()
        .map(|name| std::fs::read(prompts.join(format!("{name}.toml"))).unwrap())
        .collect();
    let words = [
        "{title}",
        "{text}",
        "{completion}",
        "{",
        "}",
        "{{",
        "[chat]",
        "start = \"x\"",
        "grammar = \"../x.grammar\"",
        "truncate = { tokens = 3 }",
        "max_new_tokens = 18446744073709551615",
        "prefix_words = 0",
        "stop = []",
        "a = 1\n",
        "[[a]]",
        "'''",
        "= {a={a={",
        "1979-05-27T07:32:00Z",
        "inf",
    ];
    let kind = Kind { name: "task", seeds, words: &words, ..Kind::default() };
    hostile(&kind, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(task) = Task::parse("x.toml", text) else { return };
        let _ = task.scored_completion(" Ada: wrote\n# x", "pre");
        let _ = task.scored_reference(&llmpr::text::Text::new("é text of words"));
        let _ = task.needs_prefixes();
    });
}

const SMALL: &str = "start text\nmodes job\n\ntable job (noun, kind)\n    2 * painter / composer | arts\n    chemist | science\n\nnumber year\n    1900..1940\n\nnumber death\n    3 * [job=painter|composer] year+3..14\n    [job=chemist] year+1..90\n\nrule text\n    2 * A {job} of the {job.kind}, born in {year}.{more}\n    Born in {year}, {job.noun}.\\n{more}\n\nrule more\n    \\ \n    Died {death}, aged {death-year}.\n";

#[test]
fn grammars() {
    let bundled = include_str!("../../prompts/synthetic-bio.grammar");
    let seeds = bytes(&[SMALL, SMALL, SMALL, bundled]);
    let words = [
        "start text",
        "modes job",
        "table a (x)",
        "number n",
        "rule r",
        "    1..9223372036854775807",
        "    -9223372036854775808..0",
        "    year+9223372036854775807..9",
        "{job}",
        "{year-death}",
        "{text}",
        "[job=painter]",
        "999999999999 * ",
        "1e308 * ",
        "0 * ",
        " | ",
        " / ",
        "..",
        "\\n",
        "{",
        "}",
        "\n",
    ];
    let kind = Kind { name: "grammar", seeds, words: &words, ..Kind::default() };
    hostile(&kind, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(grammar) = Grammar::parse_source(text, "x.grammar") else { return };
        for sample in 0..3 {
            if let Ok(text) = grammar.sample(1, Draw { prompt: 0, sample }) {
                let _ = grammar.parse(&text);
                let _ = grammar.log_probability(&text);
            }
        }
        let _ = grammar.parse("A painter of the arts, born in 1901.");
        let total: f64 = grammar.modes().iter().map(|mode| mode.probability).sum();
        assert!(
            (total - 1.0).abs() < 1e-6,
            "probabilities of {} modes sum to {total}",
            grammar.modes().len()
        );
        let _ = grammar.hash();
    });
}
