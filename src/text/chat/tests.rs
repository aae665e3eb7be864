use super::*;

fn tokens() -> IndexMap<String, String> {
    [("bos_token", "<s>"), ("eos_token", "</s>")].map(|(n, t)| (n.to_owned(), t.to_owned())).into()
}

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, &tokens()).unwrap()
}

fn answered(source: &str, words: &[&str]) -> Result<String, ChatError> {
    template(source).render(&said(words), Ending::Answer, Date::default())
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
        let got = answered(source, words).unwrap();
        assert_eq!(got, expected.as_str().unwrap(), "{case}");
    }
    assert_eq!(outputs.len(), 20);
}

/// One construct each, and what transformers makes of it; `scripts/chat-constructs.py` wrote it down.
#[test]
fn every_construct_gives_what_transformers_gives() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("constructs.json")).unwrap();
    let messages: Vec<Message> = serde_json::from_value(golden["messages"].clone()).unwrap();
    let date = golden["date"].as_str().unwrap().parse().unwrap();
    let cases = golden["templates"].as_object().unwrap();
    for (name, case) in cases {
        let got = ChatTemplate::new(case["template"].as_str().unwrap(), &tokens())
            .and_then(|template| template.render(&messages, Ending::Answer, date));
        match (got, case["text"].as_str(), case["error"].as_str()) {
            (Ok(got), Some(wanted), _) => assert_eq!(got, wanted, "{name}"),
            (Err(got), None, Some(wanted)) => {
                let own = wanted.strip_prefix("TemplateError: ");
                let refused = own.map(|what| ChatError::Refused { what: what.to_owned() });
                assert!(refused.is_none_or(|refused| refused == got), "{name}: {got}");
            }
            (got, wanted, error) => panic!("{name}: {got:?}, not {wanted:?} or {error:?}"),
        }
    }
    assert!(cases.len() > 60);
}

#[test]
fn what_a_template_refuses_is_said_in_its_own_words() {
    let error = answered("{{ raise_exception('System role not supported') }}", &["a"]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "the model's chat template refuses the prompt: System role not supported"
    );
}

#[test]
fn a_template_without_end_is_stopped() {
    let source = "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}";
    let error = answered(source, &["a"]).unwrap_err().to_string();
    assert!(error.contains("goes on for more than 20000000 steps"), "{error}");
}

#[test]
fn a_template_that_would_take_all_memory_is_stopped() {
    let grows = |of: &str, step: &str| {
        format!(
            "{{% set ns = namespace(x={of}) %}}{{% for i in range(60) %}}{{% set ns.x = {step} %}}{{% endfor %}}{{{{ ns.x }}}}"
        )
    };
    let text = "many words ".repeat(30);
    let cases = [
        (grows("'ab'", "ns.x ~ ns.x"), "it makes a string of 32 MiB"),
        (grows("'ab'", "ns.x.replace('a', ns.x)"), "it makes a string of "),
        (grows("[1]", "ns.x + ns.x"), "it makes a list of more than a million items"),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{{ 'x' * 99999 }}{% endmacro %}{{ f(30) }}".into(), "it writes more than 64 MiB"),
        (format!("{{% for i in range(9999) %}}{{% for i in range(9999) %}}{text}{{% endfor %}}{{% endfor %}}"), "it writes more than 64 MiB"),
    ];
    for (source, wanted) in cases {
        let error = answered(&source, &["a"]).unwrap_err().to_string();
        assert!(
            error.contains(wanted) && error.contains("which no prompt needs"),
            "{source}: {error}"
        );
    }
    // What is set is what it was, whatever it is.
    let kinds = "{% set a = x %}{% set b, c = 1, 'z' %}{% set d = [1, 2] if b == 1 else 3 %}{% set e -%} w {%- endset %}\
        {{ a is defined }}{{ b }}{{ c }}{{ d }}{{ e }}";
    assert_eq!(answered(kinds, &["a"]).unwrap(), "False1z[1, 2]w");
}

#[test]
fn a_template_that_is_wrong_is_an_error_with_its_line() {
    let parsed = |source: &str| ChatTemplate::new(source, &tokens()).map(|_| ());
    let error = parsed("a\n{% if x %}\n{{ y").unwrap_err().to_string();
    assert!(error.starts_with("the model's chat template does not parse, line 3: "), "{error}");
    let error = answered("a\n{{ messages[9].content.strip() }}", &["a"]).unwrap_err().to_string();
    assert!(error.starts_with("the model's chat template fails, line 2: "), "{error}");
    // Not valid inside an expression of Python either, and no panic here.
    for broken in
        ["{% generation", "{% endgeneration %}", "{{ 'a", "{{ 7 %", "{{ (7 % }}", "{{ '\\", "{%"]
    {
        assert!(parsed(broken).is_err(), "{broken}");
    }
}

#[test]
fn an_answer_goes_on_from_its_beginning_as_transformers_leaves_a_last_turn_open() {
    let body = Body::Chat { messages: said(&["a", "b", "c"]), start: "- Bio: ".to_owned() };
    let prompt = |source: &str| template(source).prompt(&body, Date::default());
    let closed = "{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}";
    assert_eq!(prompt(closed).unwrap(), "[a][b][c][- Bio: ");
    let trimmed = closed.replace("m.content", "m.content | trim");
    assert_eq!(prompt(&trimmed).unwrap(), "[a][b][c][- Bio:");
    let error = prompt("{{ messages[0].content }}").unwrap_err().to_string();
    assert!(error.contains("does not keep the words `- Bio: `"), "{error}");
    let body = Body::Chat { messages: said(&["a"]), start: String::new() };
    assert_eq!(template(closed).prompt(&body, Date::default()).unwrap(), "[a]>");
    let plain = template(closed).prompt(&Body::Plain("x".to_owned()), Date::default());
    assert_eq!(plain.unwrap(), "x");
}

#[test]
fn a_day_that_the_calendar_lacks_is_no_date() {
    for word in ["2025-13-01", "2023-02-29", "0-1-1", "2024-1", "2024-01-01-01", "today"] {
        let refused = Err(ChatError::NoDate { word: word.to_owned() });
        assert_eq!(word.parse::<Date>(), refused);
    }
    assert_eq!("2024-02-29".parse::<Date>().unwrap().to_string(), "2024-02-29");
}

/// Weeks around the turns of years, as Python's `strftime` numbers them.
#[test]
fn weeks_belong_to_the_year_of_their_thursday() {
    let cases = [
        ("2021-01-01", "2020 53 Fri 001 00 00"),
        ("2018-12-31", "2019 01 Mon 365 52 53"),
        ("2020-12-31", "2020 53 Thu 366 52 52"),
        ("2023-01-01", "2022 52 Sun 001 01 00"),
        ("2024-12-30", "2025 01 Mon 365 52 53"),
    ];
    for (date, wanted) in cases {
        let date: Date = date.parse().unwrap();
        assert_eq!(date.format("%G %V %a %j %U %W"), wanted, "{date}");
    }
    assert_eq!("1970-01-02".parse::<Date>().unwrap().format("%s"), "86400");
}

#[test]
fn a_model_without_template_is_asked_plainly_unless_chat_was_demanded() {
    assert!(!ChatMode::Auto.applies(false, "m").unwrap());
    assert!(ChatMode::Auto.applies(true, "m").unwrap());
    assert!(!ChatMode::Never.applies(true, "m").unwrap());
    let error = ChatMode::Always.applies(false, "m").unwrap_err().to_string();
    assert!(error.starts_with("`m` has no chat template"), "{error}");
}
