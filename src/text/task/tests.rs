use super::*;

const BIO: &str = "name = \"bio\"\nversion = 1\nshot = \"- {title}:\\n{text}\"\ncue = \"-\"\n";

fn sentence(source: &str) -> String {
    Task::parse("t.toml", source).unwrap_err().to_string()
}

#[test]
fn every_bundled_task_is_valid_and_carries_its_own_name() {
    for name in bundled() {
        let task = Task::find(name).unwrap();
        assert_eq!(task.name, name);
        assert!(!task.description.is_empty() && task.hash.len() == 64, "{name}");
    }
}

#[test]
fn what_is_wrong_in_a_task_file_is_said_with_its_line() {
    let head = "name = \"t\"\nversion = 1\n";
    let cases = [
        (format!("{BIO}temprature = 1\n"), "t.toml:5: unknown field `temprature`"),
        (
            format!("{head}shot = \"{{text}}\"\n"),
            "t.toml:3: `shot` needs a `cue`: the words from which the model goes on after the shots",
        ),
        (head.to_owned(), "t.toml:1: a task needs a `cue`: the words from which the model goes on"),
        (
            format!("{head}cue = \"-\"\nshot = \"{{title}}\"\n"),
            "t.toml:4: `shot` lacks the placeholder {text}",
        ),
        (
            format!("{head}cue = \"-\"\n\nshot = \"{{txet}}\"\n"),
            "t.toml:5: `shot` has the unknown placeholder {txet}; it may hold {title}, {text}",
        ),
        (
            format!("{head}cue = \"-\"\nheader = \"{{title}}\"\n"),
            "t.toml:4: `header` has the unknown placeholder {title}; it may hold none",
        ),
        (
            format!("{head}cue = \"a {{ b\"\n"),
            "t.toml:3: `cue` has a `{` without `}`; a brace itself is written twice",
        ),
        (
            format!("{head}cue = \"a }} b\"\n"),
            "t.toml:3: `cue` has a `}` without `{`; a brace itself is written twice",
        ),
        (
            format!("{head}cue = \"{{prefix}}\"\n"),
            "t.toml:3: `cue` holds a prefix of a text, so `prefix_words` must say how many words",
        ),
        (
            format!("{head}cue = \"-\"\nprefix_words = 0\n"),
            "t.toml:4: `prefix_words` is at least 1 and needs a {prefix} in `cue`",
        ),
        (
            format!("{head}cue = \"{{instruction}}\"\n"),
            "t.toml:3: a {instruction} in `cue` and a list of `instructions` need each other",
        ),
        (
            format!("{head}cue = \"-\"\nstop = [\"\\n\",\n\"\"]\n"),
            "t.toml:5: an empty string in `stop` would end every completion at once",
        ),
        (
            format!("{head}cue = \"-\"\ntitle_end = \":\"\n"),
            "t.toml:4: `title_end` parts a completion into {title} and {text}; it needs a `reference` with both and no `scored`",
        ),
        (
            format!("{head}cue = \"-\"\nmax_new_tokens = 0\n"),
            "t.toml:4: `max_new_tokens` is at least 1",
        ),
        (
            format!("{head}cue = \"-\"\n[chat]\nask = \"{{who}}\"\n"),
            "t.toml:5: `chat.ask` has the unknown placeholder {who}",
        ),
        (format!("{head}cue = 7\n"), "t.toml:3: invalid type: integer `7`, expected a string"),
        (format!("{head}cue = \n"), "t.toml:3: "),
        ("version = 1\ncue = \"-\"\n".to_owned(), "t.toml:1: missing field `name`"),
    ];
    for (source, message) in cases {
        let got = sentence(&source);
        assert!(got.starts_with(message), "{source}\n{got}\nshould be\n{message}");
        assert_eq!(got.lines().count(), 1, "{got}");
    }
}

#[test]
fn an_unknown_task_names_the_bundled_ones() {
    let error = Task::find("wikibio").unwrap_err().to_string();
    assert!(
        error.starts_with("no task `wikibio`; bundled are wikipedia-bio, webtext, "),
        "{error}"
    );
    let error = Task::find("no/such.toml").unwrap_err().to_string();
    assert!(error.starts_with("cannot read the task file `no/such.toml`: "), "{error}");
}

#[test]
fn a_biography_is_scored_as_the_references_are_written() {
    let task = Task::find("wikipedia-bio").unwrap();
    let text =
        Text { title: Some("Ada Lovelace".into()), ..Text::new("Ada Lovelace was a writer.\n") };
    let reference = "Ada Lovelace: Ada Lovelace was a writer.";
    assert_eq!(task.scored_reference(&text), reference);
    assert_eq!(
        task.scored_completion(" Ada Lovelace:\n\nAda Lovelace was a writer.\n\n", ""),
        reference
    );
    // Without the mark, or with it only later, the completion stands as it is.
    assert_eq!(task.scored_completion(" Ada was a writer.", ""), "Ada was a writer.");
    assert_eq!(task.scored_completion(" Ada\nwrote: a lot", ""), "Ada\nwrote: a lot");
}

#[test]
fn a_continuation_is_scored_with_its_prefix_and_cut_like_the_reference() {
    let task = Task::parse(
        "t.toml",
        "name = \"t\"\nversion = 1\ncue = \"{prefix}\"\nprefix_words = 2\n\
        scored = \"{prefix}{completion}\"\ntruncate = { words = 4 }\n",
    )
    .unwrap();
    assert_eq!(task.scored_completion(" three  four five", "one two"), "one two three  four");
    assert_eq!(
        task.scored_reference(&Text::new("one\ttwo three four five")),
        "one\ttwo three four"
    );
    let chars = Task { truncate: Some(Truncate::Chars(5)), ..task };
    assert_eq!(chars.scored_reference(&Text::new("éééééé")), "ééééé");
}

#[test]
fn first_words_keep_their_spacing() {
    let cases = [
        ("  a  b c", 2, "  a  b"),
        ("a b", 5, "a b"),
        ("a b ", 2, "a b"),
        ("", 3, ""),
        ("é\nü x", 2, "é\nü"),
        ("a b", 0, ""),
    ];
    for (text, limit, expected) in cases {
        assert_eq!(first_words(text, limit), expected, "{text:?} {limit}");
    }
}
