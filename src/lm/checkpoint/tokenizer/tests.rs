use proptest::prelude::*;

use super::*;
use crate::lm::checkpoint::weights::tests::shared;
use serde_json::{Map, Value};

fn tokenizers() -> &'static [Tokenizer] {
    static ALL: std::sync::LazyLock<Vec<Tokenizer>> = std::sync::LazyLock::new(|| {
        let names = ["stories260K-hf", "gpt2-tinystories-own-hf", "gpt2-tokenizer"];
        let folders = names.into_iter().filter_map(|name| shared(&format!("models/{name}")));
        folders.map(|folder| Tokenizer::open(&folder).unwrap().unwrap()).collect()
    });
    &ALL
}

#[test]
fn special_tokens_come_from_the_folder() {
    let [stories, own, gpt2] = tokenizers() else { return };
    assert_eq!((stories.bos_id(), stories.eos_id(), stories.vocab_size()), (Some(1), Some(2), 512));
    assert_eq!((own.bos_id(), own.eos_id()), (Some(0), Some(0)));
    assert_eq!((gpt2.eos.as_deref(), gpt2.vocab_size()), (Some("<|endoftext|>"), 50257));
    assert_ne!(stories.hash(), gpt2.hash());
    assert_eq!(stories.hash().len(), 64);
}

#[test]
fn breakers_are_the_tokens_that_hold_one_of_four_strings() {
    let [.., gpt2] = tokenizers() else { return };
    let breakers = gpt2.breakers();
    // Ids of GPT-2: `"`, `*`, `:`, a line break, two of them.
    for id in [1, 9, 25, 198, 628] {
        assert!(breakers.binary_search(&id).is_ok(), "{id}");
    }
    let words = gpt2.encode("Hello world, once more").unwrap();
    assert!(words.iter().all(|id| breakers.binary_search(id).is_err()), "{words:?}");
    assert!(breakers.is_sorted());
}

#[test]
fn a_prompt_begins_with_bos_where_the_tokenizer_uses_it() {
    let [stories, _, gpt2] = tokenizers() else { return };
    let plain = stories.encode("Once upon a time").unwrap();
    assert_ne!(plain[0], 1);
    let once = [&[1][..], &plain].concat();
    // As `add_special_tokens=True`, also where the text has it already.
    for text in ["Once upon a time", "<s>Once upon a time"] {
        assert_eq!(stories.encode_prompt(text).unwrap(), stories.encode_special(text).unwrap());
    }
    assert_eq!(stories.encode_prompt("Once upon a time").unwrap(), once);
    assert_eq!(stories.encode_special("Once upon a time").unwrap(), once);
    // Known ids of GPT-2, which puts nothing in front.
    assert_eq!(gpt2.encode_prompt("Hello world").unwrap(), [15496, 995]);
    assert_eq!(gpt2.encode("Hello<|endoftext|>").unwrap(), [15496, 50256]);
    assert_eq!(gpt2.decode(&[15496, 995, 50256]), "Hello world");
}

#[test]
fn a_continuation_keeps_the_space_between_it_and_the_prompt() {
    let Some(stories) = tokenizers().first() else { return };
    let prompt = stories.encode_prompt("Once upon").unwrap();
    let both = stories.encode_prompt("Once upon a time").unwrap();
    assert!(both.starts_with(&prompt));
    let ids = &both[prompt.len()..];
    assert_eq!(stories.decode_after(&prompt, ids), " a time");
    assert_eq!(stories.decode(ids), "a time");
}

#[test]
fn a_character_in_pieces_appears_when_it_is_whole() {
    for tokenizer in tokenizers() {
        let ids = tokenizer.encode("x 🦀 y").unwrap();
        let mut text = Incremental::new(tokenizer, &[]);
        for id in &ids {
            text.push(*id);
        }
        assert_eq!(text.text(), tokenizer.decode(&ids));
        assert!(text.text().contains('🦀'));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]
    #[test]
    fn decoding_step_by_step_is_decoding_at_once(
        // Low ids are single bytes in these vocabularies: broken characters are common.
        ids in prop::collection::vec(prop_oneof![3u32..300, 0u32..2048], 0..60),
        prompt in 0usize..20,
    ) {
        for tokenizer in tokenizers() {
            let at = prompt.min(ids.len());
            let mut text = Incremental::new(tokenizer, &[]);
            for (step, id) in ids.iter().enumerate() {
                text.push(*id);
                prop_assert_eq!(text.text(), tokenizer.decode(&ids[..=step]));
            }
            let _ = tokenizer.decode_after(&ids[..at], &ids[at..]);
        }
    }

    #[test]
    fn byte_level_ids_decode_to_their_text(text in "\\PC{0,40}") {
        for tokenizer in tokenizers().iter().skip(1) {
            prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text).unwrap()), text.clone());
        }
    }
}

#[test]
fn a_chat_template_is_found_as_text_list_or_file() {
    let Some(folder) = shared("models/stories260K-hf") else { return };
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("tokenizer.json"), copy.path().join("tokenizer.json")).unwrap();
    let config = copy.path().join("tokenizer_config.json");
    let template =
        || Tokenizer::open(copy.path()).unwrap().unwrap().chat_template().map(str::to_owned);
    assert_eq!(template(), None);
    let processor = copy.path().join("chat_template.json");
    std::fs::write(&processor, r#"{"chat_template": "P"}"#).unwrap();
    assert_eq!(template().as_deref(), Some("P"));
    std::fs::write(&config, r#"{"chat_template": "A", "bos_token": {"content": "<s>"}}"#).unwrap();
    assert_eq!(template().as_deref(), Some("A"));
    let list = r#"{"chat_template": [{"name": "tool_use", "template": "B"}, {"name": "default", "template": "C"}]}"#;
    std::fs::write(&config, list).unwrap();
    assert_eq!(template().as_deref(), Some("C"));
    let all = || Tokenizer::open(copy.path()).unwrap().unwrap().chat_templates;
    assert_eq!(all()["tool_use"], "B");
    std::fs::write(&config, r#"{"chat_template": [{"name": "rag", "template": "R"}]}"#).unwrap();
    assert_eq!(template(), None, "transformers takes none where none is the default");
    std::fs::write(copy.path().join("chat_template.jinja"), "D").unwrap();
    assert_eq!(template().as_deref(), Some("D"));
    let more = copy.path().join("additional_chat_templates");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("rag.jinja"), "E").unwrap();
    assert_eq!(
        all().into_iter().collect::<Vec<_>>(),
        [("default", "D"), ("rag", "E")].map(|(n, t)| (n.to_owned(), t.to_owned()))
    );
    std::fs::write(&config, "{").unwrap();
    assert!(Tokenizer::open(copy.path()).err().unwrap().to_string().contains("not a JSON object"));
    std::fs::write(copy.path().join("tokenizer.json"), "{}").unwrap();
    assert!(Tokenizer::open(copy.path()).err().unwrap().to_string().contains("not a tokenizer"));
}

#[test]
fn damage_to_a_tokenizer_is_an_error_and_never_a_panic() {
    let Some(folder) = shared("models/stories260K-hf") else { return };
    let whole = std::fs::read(folder.join("tokenizer.json")).unwrap();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let mut state = 1u32;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..600 {
        let mut json = whole.clone();
        for _ in 0..=draw(2) {
            damage(&mut json, &mut draw);
        }
        let mut bytes = serde_json::to_vec(&json).unwrap();
        if draw(4) == 0 {
            let at = draw(bytes.len());
            bytes[at] = b"\0{}[],:\"a1\xFF"[draw(11)];
        }
        std::fs::write(copy.path().join("tokenizer.json"), &bytes).unwrap();
        match Tokenizer::open(copy.path()) {
            Ok(tokenizer) => {
                let tokenizer = tokenizer.unwrap();
                for text in ["", "Once upon <s> a\ttime \u{1F980}", "1 é"] {
                    if let Ok(ids) = tokenizer.encode_prompt(text) {
                        let _ = tokenizer.decode(&ids);
                        let _ = tokenizer.decode_after(&ids[..ids.len().min(1)], &ids);
                    }
                }
                let _ = (tokenizer.vocab_size(), tokenizer.hash());
                opened += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("tokenizer.json"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(opened > 50 && refused > 100, "{opened} opened, {refused} refused");
}

/// Changes one value somewhere in a JSON tree; of long lists and maps the ends are likelier.
fn damage(json: &mut Value, draw: &mut impl FnMut(usize) -> usize) {
    let others = [
        Value::Null,
        Value::from(""),
        Value::from(-1),
        Value::from(1u64 << 40),
        Value::from(true),
        Value::from("\u{10FFFF}"),
        Value::Array(vec![]),
        Value::Object(Map::new()),
    ];
    let place = |n: usize, draw: &mut dyn FnMut(usize) -> usize| match draw(3) {
        0 => draw(n.min(4)),
        1 => n - 1 - draw(n.min(4)),
        _ => draw(n),
    };
    let deeper = draw(5) > 0;
    match json {
        Value::Object(map) if deeper && !map.is_empty() => {
            let key = map.keys().nth(place(map.len(), draw)).unwrap().clone();
            match draw(6) {
                0 => drop(map.remove(&key)),
                _ => damage(&mut map[&key], draw),
            }
        }
        Value::Array(list) if deeper && !list.is_empty() => {
            let at = place(list.len(), draw);
            match draw(6) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => damage(&mut list[at], draw),
            }
        }
        other => *other = others[draw(others.len())].clone(),
    }
}
