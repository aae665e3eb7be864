use proptest::prelude::*;

use super::*;

fn pools(n: usize) -> Pools {
    let text = |i: usize| Text {
        id: Some(format!("t{i}")),
        title: Some(format!("Person {i}")),
        ..Text::new(format!("Person {i} was born in {{year}}.\n"))
    };
    let long =
        |i: usize| Text::new(format!("the {i} th text  goes on for ten words and more than that"));
    Pools {
        reference: vec![],
        shots: (0..n).map(text).collect(),
        prefixes: (0..n).map(long).collect(),
    }
}

fn bio() -> Task {
    Task::find("wikipedia-bio").unwrap()
}

fn plain(prompt: Prompt) -> String {
    match prompt.body {
        Body::Plain(text) => text,
        Body::Chat { .. } => panic!("not plain"),
    }
}

#[test]
fn a_prompt_is_header_shots_and_cue() {
    let pools = pools(1);
    let prompt = render(&bio(), Style::Plain, 1, 0, 7, &pools).unwrap();
    assert_eq!(
        (prompt.id.as_str(), prompt.shots.as_slice()),
        ("wikipedia-bio/1/0", ["t0".to_owned()].as_slice())
    );
    // Braces in a text are no placeholders.
    assert_eq!(
        plain(prompt),
        "Write biographies of various people.\n\n- Biography of Person 0:\n\nPerson 0 was born in {year}.\n\n- Biography of"
    );
    let alone = render(&bio(), Style::Plain, 0, 0, 7, &pools).unwrap();
    assert_eq!(plain(alone), "Write biographies of various people.\n\n- Biography of");
}

#[test]
fn the_shots_of_a_shorter_prompt_are_the_first_of_a_longer_one() {
    let pools = pools(30);
    let shots =
        |n, index, seed| render(&bio(), Style::Plain, n, index, seed, &pools).unwrap().shots;
    let twelve = shots(12, 3, 0);
    for n in 0..12 {
        assert_eq!(shots(n, 3, 0), twelve[..n]);
    }
    assert_ne!(twelve, shots(12, 4, 0), "each prompt has shots of its own");
    assert_ne!(twelve, shots(12, 3, 1), "and each seed");
    let distinct: std::collections::HashSet<&String> = twelve.iter().collect();
    assert_eq!(distinct.len(), 12);
}

#[test]
fn chat_models_get_the_shots_in_one_turn_or_as_turns() {
    let pools = pools(2);
    let Body::Chat { messages, start } = render(&bio(), Style::Chat, 2, 0, 0, &pools).unwrap().body
    else {
        panic!()
    };
    assert_eq!((messages.len(), start.as_str()), (1, "- Biography of"));
    assert_eq!(messages[0].content.matches("- Biography of Person").count(), 2);
    let Body::Chat { messages, start } =
        render(&bio(), Style::Turns, 2, 0, 0, &pools).unwrap().body
    else {
        panic!()
    };
    let roles: Vec<&str> = messages.iter().map(|m| m.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
    assert!(messages[1].content.starts_with("- Biography of Person"));
    assert_eq!(
        (messages[4].content.as_str(), start.as_str()),
        ("Write the next one.", "- Biography of")
    );
}

#[test]
fn web_texts_go_on_from_ten_words() {
    let task = Task::find("webtext").unwrap();
    let pools = pools(3);
    let prompt = render(&task, Style::Plain, 0, 5, 0, &pools).unwrap();
    assert_eq!(prompt.prefix.split_whitespace().count(), 10);
    assert_eq!(plain(prompt.clone()), prompt.prefix);
    let Body::Chat { messages, start } = render(&task, Style::Chat, 0, 5, 0, &pools).unwrap().body
    else {
        panic!()
    };
    let (head, last) = prompt.prefix.rsplit_once(' ').unwrap();
    assert_eq!(messages[0].content, format!("Continue the following text:\n\n{head}"));
    assert_eq!(start, last);
    let prefixes: Vec<String> =
        (0..6).map(|i| render(&task, Style::Plain, 0, i, 0, &pools).unwrap().prefix).collect();
    assert_eq!(prefixes[..3], prefixes[3..], "each is used equally often");
}

#[test]
fn a_long_prompt_loses_whole_shots_and_never_the_cue() {
    let pools = pools(8);
    let words =
        |prompt: &Prompt| Ok::<_, PromptError>(plain(prompt.clone()).split_whitespace().count());
    let prompt = render_within(&bio(), Style::Plain, 6, 0, 0, &pools, 45, words).unwrap();
    // 5 words of header, 10 a shot, 3 of cue.
    assert_eq!(
        (prompt.shots.len(), prompt.dropped_shots, prompt.id.as_str()),
        (3, 3, "wikipedia-bio/6/0")
    );
    assert!(plain(prompt).ends_with("\n\n- Biography of"));
    let error = render_within(&bio(), Style::Plain, 6, 0, 0, &pools, 5, words).unwrap_err();
    assert_eq!(
        error.to_string(),
        "prompt wikipedia-bio/0/0 has 8 tokens without any shots, and there is room for 5"
    );
}

#[test]
fn what_a_task_lacks_is_said() {
    let creative = Task::find("creative").unwrap();
    let error = |task: &Task, shots, pools: &Pools| {
        render(task, Style::Plain, shots, 0, 0, pools).unwrap_err().to_string()
    };
    assert_eq!(
        error(&creative, 1, &pools(3)),
        "task `creative` takes no shots; give --shots 0, or a task whose file has a `shot`"
    );
    assert_eq!(
        error(&bio(), 4, &pools(3)),
        "4 shots need as many texts apart from the reference, and there are 3"
    );
    assert!(
        error(&Task::find("webtext").unwrap(), 0, &Pools::default()).contains("and there are none")
    );
}

#[test]
fn instructions_are_used_in_turn() {
    let creative = Task::find("creative").unwrap();
    assert_eq!(creative.instructions.len(), 50);
    let asked = |i| plain(render(&creative, Style::Plain, 0, i, 3, &Pools::default()).unwrap());
    let all: std::collections::HashSet<String> = (0..50).map(asked).collect();
    assert_eq!((all.len(), asked(0)), (50, asked(50)));
}

proptest! {
    #[test]
    fn no_reference_text_is_ever_shown(
        letters in proptest::collection::vec(0u8..20, 1..80),
        shots in 0usize..12, prefixes in 0usize..12, seed in 0u64..9,
    ) {
        let texts: Vec<Text> = letters.iter().map(|l| Text::new(format!(" {l} "))).collect();
        let parted = split(texts.clone(), shots, prefixes, seed);
        let is_reference = |text: &Text| parted.reference.iter().any(|r| r.text.trim() == text.text.trim());
        prop_assert!(!parted.shots.iter().chain(&parted.prefixes).any(is_reference));
        prop_assert!(parted.shots.iter().all(|s| !parted.prefixes.contains(s)));
        prop_assert!(parted.shots.len() <= shots && parted.prefixes.len() <= prefixes);
        let distinct: std::collections::HashSet<&u8> = letters.iter().collect();
        let left: std::collections::HashSet<&str> = parted.reference.iter().map(|r| r.text.as_str()).collect();
        prop_assert_eq!(left.len() + parted.shots.len() + parted.prefixes.len(), distinct.len());
        prop_assert!(2 * left.len() >= distinct.len());
        prop_assert_eq!(split(texts, shots, prefixes, seed), parted);
    }
}
