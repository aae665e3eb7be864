use super::*;

/// What the cells of a small sweep share.
pub(in crate::run) fn shared() -> Shared {
    Shared {
        task: "bio".into(),
        task_hash: "1".into(),
        reference: "r.jsonl".into(),
        reference_hash: "2".into(),
        reference_n: 100,
        embedder: "gpt2".into(),
        embedder_hash: "3".into(),
        pooling: "last".into(),
        embed_tokens: 1024,
        n_samples: 100,
        max_new_tokens: 64,
        prompts: 100,
        prompt_seed: 0,
    }
}

#[test]
fn cells_of_the_plan_without_a_score_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = RunFolder::new(dir.path()).begin(&shared()).unwrap();
    assert_eq!(record.missing(|_| false), None);
    record.cells = ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(record.missing(|_| true), None);
    let message = record.missing(|id| id == "a").unwrap();
    assert!(message.starts_with("2 of the 3 cells of the plan have no score"), "{message}");
}

#[test]
fn a_folder_of_another_sweep_is_refused_by_the_first_difference() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(dir.path());
    folder.write(&folder.begin(&shared()).unwrap()).unwrap();
    assert!(folder.begin(&shared()).is_ok());
    let other = Shared { n_samples: 200, ..shared() };
    let message = folder.begin(&other).unwrap_err().to_string();
    assert!(
        message.ends_with(
            "holds another sweep: its number of completions is 100, and this one's 200; \
             choose another --out"
        ),
        "{message}"
    );
}

#[test]
fn a_reference_under_another_name_is_the_same_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(dir.path());
    folder.write(&folder.begin(&shared()).unwrap()).unwrap();
    let renamed = Shared { reference: "elsewhere.jsonl".into(), ..shared() };
    assert!(folder.begin(&renamed).is_ok());
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.tex"), "").unwrap();
    let message = RunFolder::new(dir.path()).enter().unwrap_err().to_string();
    assert!(message.contains("not empty and holds no run.json"), "{message}");
}

#[test]
fn a_damaged_record_is_named_and_no_cell_leaves_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(dir.path());
    let mut record = folder.begin(&shared()).unwrap();
    for id in ["../other", "a/b", "..", "", "/tmp/x"] {
        record.cells = vec![id.to_owned()];
        folder.write(&record).unwrap();
        let message = folder.record().unwrap_err().to_string();
        assert!(
            message.contains(&format!("`{id}` is no cell's id; take it from a copy")),
            "{message}"
        );
    }
    for text in ["", "{", "{\"schema\":\"llmpr.run/1\"}"] {
        std::fs::write(folder.run_json(), text).unwrap();
        let message = folder.record().unwrap_err().to_string();
        assert!(
            message.contains("run.json` is damaged: ") && message.contains("or delete it"),
            "{message}"
        );
    }
}

#[test]
fn cells_without_a_record_go_on_as_theirs_and_are_no_other_sweep_s() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(dir.path());
    let cell = crate::report::record::CellRecord {
        task_hash: "1".into(),
        n_samples: 100,
        max_new_tokens: 64,
        ..crate::report::record::tests::cell("tiny", 0.5)
    };
    make_folder(&dir.path().join("cells/abc")).unwrap();
    write_json(&folder.cell("abc", "cell.json"), &cell).unwrap();
    assert!(folder.accepts(&shared()).is_ok());
    let message = folder.accepts(&Shared { n_samples: 200, ..shared() }).unwrap_err().to_string();
    assert!(message.contains("holds no run.json"), "{message}");
}

#[test]
fn a_folder_of_a_later_version_is_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("run.json"), r#"{"schema":"llmpr.run/9"}"#).unwrap();
    let message = RunFolder::new(dir.path()).record().unwrap_err().to_string();
    assert!(message.contains("`llmpr.run/9`"), "{message}");
}

#[test]
fn dates_are_those_of_the_calendar() {
    assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    assert_eq!(rfc3339(951_827_696), "2000-02-29T12:34:56Z");
    assert_eq!(rfc3339(1_795_343_400), "2026-11-22T10:30:00Z");
    assert_eq!(rfc3339(4_107_542_399), "2100-02-28T23:59:59Z");
}

#[test]
fn a_time_is_its_date_in_leap_years_and_at_ends_of_years() {
    for (seconds, date) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_767_225_599, "2025-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(rfc3339(seconds), date);
    }
}

#[test]
fn what_a_server_was_found_to_do_is_kept_until_it_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = RunFolder::new(dir.path()).begin(&shared()).unwrap();
    let bare = ModelRecord {
        name: "http://127.0.0.1:1#m".into(),
        hash: "1".into(),
        tokenizer_hash: String::new(),
        dtype: String::new(),
        device: "server".into(),
        server: None,
    };
    let met = |facts: u8| ModelRecord { server: Some(facts.into()), ..bare.clone() };
    for (told, kept) in
        [(bare.clone(), bare.clone()), (met(1), met(1)), (bare.clone(), met(1)), (met(2), met(2))]
    {
        record.keep(&told);
        assert_eq!(record.models, [kept]);
    }
    record.keep(&ModelRecord { hash: "2".into(), ..met(2) });
    assert_eq!(record.models.len(), 2, "another model of the same name");
}
