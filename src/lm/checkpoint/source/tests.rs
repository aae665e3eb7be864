use super::*;

#[test]
fn each_form_of_a_model_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |path: &Path| path.display().to_string();
    std::fs::write(path("m.gguf"), "").unwrap();
    std::fs::write(path("m.bin"), "").unwrap();
    let parse = ModelSource::parse;
    assert_eq!(parse(&text(folder.path())).unwrap(), ModelSource::Folder(folder.path().into()));
    assert_eq!(parse(&text(&path("m.gguf"))).unwrap(), ModelSource::Gguf(path("m.gguf")));
    assert!(parse(&text(&path("m.bin"))).unwrap_err().to_string().contains("a model is a folder"));
    let hub = parse("openai-community/gpt2-large@main").unwrap();
    assert!(matches!(hub, ModelSource::Hub(id) if id.repository == "openai-community/gpt2-large"));
    for (name, repository) in [("gpt2", "gpt2"), ("hf:anything", "anything"), ("hf://a/b", "a/b")] {
        let hub = parse(name).unwrap();
        assert!(matches!(hub, ModelSource::Hub(id) if id.repository == repository), "{name}");
    }
    assert!(parse("hf:a b").unwrap_err().to_string().contains("write hf:[org/]name"));
    let server = |alias: Option<&str>| ModelSource::Server {
        url: "http://127.0.0.1:8000/v1".into(),
        model: "a/b".into(),
        alias: alias.map(str::to_owned),
    };
    assert_eq!(parse("openai:http://127.0.0.1:8000/v1/#a/b").unwrap(), server(None));
    let named = parse("openai:http://127.0.0.1:8000/v1#a/b?as=mine-q4").unwrap();
    assert_eq!(named, server(Some("mine-q4")));
    let hidden = parse("openai:http://me:pass@h/v1#m?as=").unwrap_err().to_string();
    assert!(hidden.contains("?as=ID") && !hidden.contains("pass"), "{hidden}");
    for bad in
        ["openai:127.0.0.1#m", "openai:http://x/v1", "openai:http://#m", "openai:http://x/v1#"]
    {
        assert!(parse(bad).unwrap_err().to_string().contains("is written openai:http"), "{bad}");
    }
}

#[test]
fn a_misspelled_path_is_answered_with_its_neighbors() {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in [("stories260K", "config.json"), ("stories26OK", "readme.md")] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join(file), "{}").unwrap();
    }
    let model = folder.path().join("storys260K").display().to_string();
    let message = ModelSource::parse(&model).unwrap_err().to_string();
    assert!(message.contains("did you mean `") && message.contains("stories260K`"), "{message}");
    assert!(!message.contains("stories26OK"), "a folder without a model: {message}");
    let message = ModelSource::parse("gptt2").unwrap_err().to_string();
    assert!(message.contains("`gpt2`"), "{message}");
    let message = ModelSource::parse("").unwrap_err().to_string();
    assert!(message.contains("a model is a folder"), "{message}");
}

#[test]
fn edits_are_counted_in_characters() {
    assert_eq!((edits("", "ab"), edits("kitten", "sitting"), edits("é", "e")), (2, 3, 1));
}
