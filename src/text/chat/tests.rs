use super::*;

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, Some("<s>"), Some("</s>")).unwrap()
}

fn said(words: &[&str]) -> Vec<Message> {
    let turn = |(i, w): (usize, &&str)| {
        if i % 2 == 0 { Message::user(*w) } else { Message::assistant(*w) }
    };
    words.iter().enumerate().map(turn).collect()
}

/// Templates in the shapes of ChatML, Llama 2 and 3, Mistral, Qwen 3, Zephyr, Gemma, Phi 3 and OLMo, and
/// what jinja2 3.1.6 with Hugging Face's settings makes of them.
#[test]
fn templates_of_real_shapes_render_as_in_python() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden.json")).unwrap();
    let outputs = golden["outputs"].as_object().unwrap();
    for (case, expected) in outputs {
        let (name, turns) = case.split_once('/').unwrap();
        let words: &[&str] =
            if turns == "one" { &["Hi  "] } else { &["Write a bio.", "Ada\n", "Another é one?"] };
        let source = golden["templates"][name].as_str().unwrap();
        let got = template(source).render(&said(words), Date::default()).unwrap();
        assert_eq!(got, expected.as_str().unwrap(), "{case}");
    }
    assert_eq!(outputs.len(), 20);
}

#[test]
fn what_a_template_refuses_is_said_in_its_own_words() {
    let template = template("{{ raise_exception('System role not supported') }}");
    let error = template.render(&said(&["a"]), Date::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model's chat template refuses the prompt: System role not supported"
    );
}

#[test]
fn a_template_that_is_wrong_is_an_error_with_its_line() {
    let error = ChatTemplate::new("a\n{% if x %}\n{{ y", None, None).unwrap_err().to_string();
    assert!(error.starts_with("the model's chat template does not parse, line 3: "), "{error}");
    let error =
        template("a\n{{ messages[9].content.strip() }}").render(&said(&["a"]), Date::default());
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("the model's chat template fails, line 2: "), "{error}");
    // Not valid inside an expression of Python either, and no panic here.
    assert!(ChatTemplate::new("{% generation", None, None).is_err());
    assert!(ChatTemplate::new("{% endgeneration %}", None, None).is_err());
}

#[test]
fn a_prompt_ends_with_the_start_of_the_answer() {
    let template = template("{% for m in messages %}[{{ m.content }}]{% endfor %}>");
    let body = Body::Chat { messages: said(&["a", "b", "c"]), start: "- Bio".to_owned() };
    assert_eq!(template.prompt(&body, Date::default()).unwrap(), "[a][b][c]>- Bio");
    assert_eq!(template.prompt(&Body::Plain("x".to_owned()), Date::default()).unwrap(), "x");
}

#[test]
fn the_date_is_the_one_given() {
    let template = template("{{ strftime_now('%d %b %Y|%B %-d|%m/%y|%H:%M') }}");
    let date = "2025-03-01".parse().unwrap();
    assert_eq!(template.render(&said(&["a"]), date).unwrap(), "01 Mar 2025|March 1|03/25|00:00");
    assert_eq!(
        "2025-13-01".parse::<Date>(),
        Err(ChatError::NoDate { word: "2025-13-01".to_owned() })
    );
}

#[test]
fn a_model_without_template_is_asked_plainly_unless_chat_was_demanded() {
    assert!(!ChatMode::Auto.applies(false, "m").unwrap());
    assert!(ChatMode::Auto.applies(true, "m").unwrap());
    assert!(!ChatMode::Never.applies(true, "m").unwrap());
    let error = ChatMode::Always.applies(false, "m").unwrap_err().to_string();
    assert!(error.starts_with("`m` has no chat template"), "{error}");
}
