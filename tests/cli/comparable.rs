//! What `llmpr compare` holds against each other, and what it refuses.

use std::path::{Path, PathBuf};

use super::{
    choose::cloud,
    schema::check,
    score::{Ran, llmpr, score_json},
    sweep::{cluster, done},
};

/// Scores of clouds without a seed of their own, as files in a folder.
struct Scores(tempfile::TempDir);

impl Scores {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The score of 60 rows around `at` against 60 around `reference`.
    fn of_rows(&self, name: &str, reference: f32, at: f32) -> String {
        let p = cloud(&self.path("p.npy"), 60, |_| reference);
        let q = cloud(&self.path("q.npy"), 60, |_| at);
        let more = ["--normalize", "none", "--metrics", "support"];
        self.kept(name, &[&["--reference", &p, "--samples", &q][..], &more].concat())
    }

    fn kept(&self, name: &str, args: &[&str]) -> String {
        let score = score_json(&[args, &["--resamples", "20", "--permutations", "0"]].concat());
        self.write(name, &score)
    }

    fn write(&self, name: &str, score: &serde_json::Value) -> String {
        let path = self.path(name);
        std::fs::write(&path, score.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The same score as version 0.1.0 signed it.
    fn aged(&self, name: &str, of: &str, embedder: &str) -> String {
        let mut score = read(of);
        let facts: Vec<&str> = score["signature"].as_str().unwrap().split('|').collect();
        let old = facts.iter().filter(|fact| !fact.starts_with("ref:"));
        let old: Vec<String> = old
            .map(|fact| match fact.starts_with("emb:") {
                true => format!("emb:{embedder}"),
                false => (*fact).to_owned(),
            })
            .collect();
        score["signature"] = old.join("|").into();
        self.write(name, &score)
    }
}

fn read(path: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn signature(path: &str) -> String {
    read(path)["signature"].as_str().unwrap().to_owned()
}

#[test]
fn scores_against_two_references_are_refused_and_compared_anyway_with_a_word() {
    let scores = Scores::new();
    let near = scores.of_rows("near.json", 0.0, 0.1);
    let far = scores.of_rows("far.json", 0.0, 0.4);
    let elsewhere = scores.of_rows("elsewhere.json", 0.5, 0.4);
    assert_eq!(signature(&near), signature(&far), "one reference");
    assert_ne!(signature(&far), signature(&elsewhere), "two references");
    let same = llmpr(&["compare", &near, &far, "--format", "json"]);
    assert_eq!((same.code, same.stderr.as_str()), (0, ""));
    let Ran { code, stdout, stderr } = llmpr(&["compare", &far, &elsewhere]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(
        stderr.contains("not comparable") && stderr.contains("differ in reference ("),
        "{stderr}"
    );
    assert!(stderr.contains("--anyway"), "{stderr}");
    let anyway = llmpr(&["compare", &far, &elsewhere, "--anyway", "--format", "json"]);
    assert_eq!(anyway.code, 0, "{}", anyway.stderr);
    assert!(anyway.stderr.contains("differ in reference ("), "{}", anyway.stderr);
    let found: serde_json::Value = serde_json::from_str(&anyway.stdout).unwrap();
    let differs = found[0]["differs_in"][0].as_str().unwrap();
    assert!(differs.starts_with("reference ("), "{found}");
}

fn copied(from: &Path, to: &Path) -> String {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    to.to_str().unwrap().to_owned()
}

#[test]
fn an_embedder_is_told_by_its_content_and_never_by_its_path() {
    let scores = Scores::new();
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tiny-gpt2");
    let [here, there] = ["here", "there/tiny"].map(|to| copied(&bundled, &scores.path(to)));
    let of = |name: &str, embedder: &str, more: &[&str]| {
        let texts = ["--reference", "synthetic-bio?n=30", "--samples", "synthetic-bio?n=30&seed=5"];
        let rest = ["--embedder", embedder, "--metrics", "support"];
        scores.kept(name, &[&texts[..], &rest, more].concat())
    };
    let (one, two) = (of("1.json", &here, &[]), of("2.json", &there, &[]));
    let by_name = of("3.json", "tiny-gpt2", &[]);
    assert_eq!(signature(&one), signature(&two));
    assert_eq!(signature(&one), signature(&by_name));
    let text = read(&one).to_string();
    assert!(!text.contains(&*here), "{text}");
    for fact in ["|emb:", "|tok:", "|pool:last|", "|cut:", "|prec:cpu-f32|", "|ref:"] {
        assert!(signature(&one).contains(fact), "{fact} in {}", signature(&one));
    }
    let mean = of("mean.json", &here, &["--pooling", "mean"]);
    let refused = llmpr(&["compare", &one, &mean]);
    assert!(refused.stderr.contains("differ in pooling (last and mean)"), "{}", refused.stderr);
    // One weight that differs is another embedder under the same path.
    let weights = scores.path("here").join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    std::fs::remove_file(scores.path("here").join("README.md")).unwrap();
    let other = of("other.json", &here, &[]);
    let refused = llmpr(&["compare", &one, &other]);
    assert!(refused.stderr.contains("differ in embedder ("), "{}", refused.stderr);
}

#[test]
fn scores_that_0_1_0_signed_are_compared_with_a_word_and_not_with_later_ones() {
    let scores = Scores::new();
    let [near, far] =
        [("near.json", 0.1), ("far.json", 0.4)].map(|(n, at)| scores.of_rows(n, 0.0, at));
    let [old_near, old_far] =
        [("a.json", &near), ("b.json", &far)].map(|(name, of)| scores.aged(name, of, "file"));
    let old = llmpr(&["compare", &old_near, &old_far]);
    assert_eq!(old.code, 0, "{}", old.stderr);
    assert!(old.stderr.contains("nothing shows that the two are comparable"), "{}", old.stderr);
    let mixed = llmpr(&["compare", &old_near, &far]);
    assert_eq!(mixed.code, 1, "{}", mixed.stderr);
    assert!(mixed.stderr.contains("score it again"), "{}", mixed.stderr);
    let named = scores.aged("c.json", &far, "/home/me/gpt2");
    let apart = llmpr(&["compare", &old_near, &named]);
    assert!(
        apart.stderr.contains("differ in embedder (file and /home/me/gpt2)"),
        "{}",
        apart.stderr
    );
}

#[test]
fn runs_of_the_same_texts_by_other_poolings_are_refused_and_agree_on_an_order() {
    let dir = tempfile::tempdir().unwrap();
    let [last, mean] = ["last", "mean"].map(|pooling| {
        let out = dir.path().join(pooling);
        done(&mut cluster::sweep(&out, &["--pooling", pooling]));
        out.to_str().unwrap().to_owned()
    });
    let refused = llmpr(&["compare", &last, &mean]);
    assert!(refused.stderr.contains("differ in pooling (last and mean)"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--ranks"), "{}", refused.stderr);
    let ranks = ["compare", &last, &mean, "--ranks", "--format", "json"];
    let ranks: serde_json::Value = serde_json::from_str(&llmpr(&ranks).stdout).unwrap();
    check("ranks", &ranks);
    let names: Vec<&str> =
        ranks.as_array().unwrap().iter().map(|of| of["metric"].as_str().unwrap()).collect();
    assert_eq!(names, ["precision", "recall", "density", "coverage"]);
    for of in ranks.as_array().unwrap() {
        assert_eq!(
            (of["cells"].as_u64(), &of["differs_in"][0]),
            (Some(6), &"pooling (last and mean)".into())
        );
        assert!(of["kendall"].is_null() || of["kendall"].as_f64().unwrap().abs() <= 1.0, "{of}");
    }
    let markdown = llmpr(&["compare", &last, &mean, "--ranks", "--format", "markdown"]).stdout;
    assert!(markdown.starts_with("| measure | runs |"), "{markdown}");
    let one = llmpr(&["compare", &last, "--ranks"]);
    assert!(one.stderr.contains("name two or more"), "{}", one.stderr);

    // A base model against its tuned one: a row a setting.
    let base = ["compare", &last, "--base", "tiny-bio", "--format", "markdown"];
    let table = llmpr(&base).stdout;
    assert!(
        table.starts_with("**tiny-bio-chat against tiny-bio**\n\n| settings | precision |"),
        "{table}"
    );
    assert_eq!(table.lines().filter(|line| line.starts_with("| T=")).count(), 3, "{table}");
    assert!(table.contains(" → "), "{table}");
    let unknown = llmpr(&["compare", &last, "--base", "gpt5"]);
    assert!(unknown.stderr.contains("there are tiny-bio, tiny-bio-chat"), "{}", unknown.stderr);
}
