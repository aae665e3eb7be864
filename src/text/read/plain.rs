//! The quick way through a row of JSONL: of a plain row, only what it says about its text is kept.
//!
//! A row is plain when its text is a string in one of its fields and no rule of [`super::object`] that looks
//! at several fields could apply. Every other row is left to those rules, which also say what is wrong.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{forms::reason, object::FIELDS};
use crate::text::Text;

/// Fields that rules of several fields look at; a row that has one is not plain.
pub(super) const RULED: [&str; 21] = [
    "resps",
    "choices",
    "custom_id",
    "arguments",
    "model_response",
    "candidates",
    "object",
    "error",
    "result",
    "key",
    "body",
    "params",
    "instruction",
    "full_prompt",
    "task_id",
    "question_id",
    "request_id",
    "stop_type",
    "stop_reason",
    "token_ids",
    "cumulative_logprob",
];

/// Fields that say something about a text in a word.
pub(super) const WORDS: [&str; 7] =
    ["id", "doc_id", "title", "label", "prompt", "prompt_id", "finish_reason"];

/// The text of `line` with what is known about it, where the row is plain; `None` where it is not, or no JSON.
///
/// * `field`: the field that a person named.
///
/// Cost: one pass over the line; nothing is kept of fields that do not count.
pub(super) fn text_of(line: &str, field: Option<&str>) -> Option<Text> {
    // An ignored string may hold half a surrogate pair, which the rules refuse.
    if line.contains("\\ud") || line.contains("\\uD") {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(line);
    let row = Row { field }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    row
}

struct Row<'f> {
    field: Option<&'f str>,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = Option<Text>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Text>, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = Option<Text>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<Option<Text>, A::Error> {
        let mut words: [Option<String>; WORDS.len()] = Default::default();
        let mut texts: [Option<Scalar<'de>>; FIELDS.len()] = Default::default();
        let (mut named, mut tokens, mut logprob, mut plain) = (None, None, None, true);
        while let Some(name) = row.next_key::<Name<'de>>()? {
            let name = &*name.0;
            if let Some(at) = FIELDS.iter().position(|field| *field == name) {
                let value: Scalar<'de> = row.next_value()?;
                // The names of some text fields may be those of a server's answer, too.
                plain &= !["response", "output", "content"].contains(&name)
                    || !matches!(value, Scalar::Compound);
                if self.field == Some(name) {
                    named = Some(value.clone());
                }
                texts[at] = Some(value);
            } else if let Some(at) = WORDS.iter().position(|word| *word == name) {
                let value: Scalar<'de> = row.next_value()?;
                plain &= !matches!(value, Scalar::Compound);
                if self.field == Some(name) {
                    named = Some(value.clone());
                }
                words[at] = value.word();
            } else if self.field == Some(name) {
                plain &= !RULED.contains(&name);
                named = Some(row.next_value()?);
            } else if name == "tokens" {
                tokens = row.next_value::<Tokens>()?.0;
            } else if name == "logprob" {
                logprob = row.next_value::<Scalar<'de>>()?.number();
            } else {
                plain &= !RULED.contains(&name);
                row.next_value::<IgnoredAny>()?;
            }
        }
        let chosen = match self.field {
            Some(_) => named,
            None => texts.into_iter().flatten().next(),
        };
        let Some(Scalar::Text(text)) = chosen.filter(|_| plain) else { return Ok(None) };
        let [id, document, title, label, prompt, prompt_id, finish_reason] = words;
        let (text, id) = (text.into_owned(), id.or(document));
        let finish_reason = finish_reason.map(reason);
        Ok(Some(Text { text, id, title, label, prompt, prompt_id, tokens, finish_reason, logprob }))
    }
}

/// A field's name.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(json)? {
            Scalar::Text(name) => Ok(Self(name)),
            _ => Ok(Self(Cow::Borrowed(""))),
        }
    }
}

/// A value as far as a plain row needs it.
#[derive(Clone)]
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Whole(u64),
    Negative(i64),
    Real(f64),
    /// Null or a truth value.
    Nothing,
    /// A list or an object.
    Compound,
}

impl Scalar<'_> {
    /// As a word that says something about a text.
    fn word(self) -> Option<String> {
        match self {
            Scalar::Text(word) => Some(word.into_owned()),
            Scalar::Whole(n) => Some(n.to_string()),
            Scalar::Negative(n) => Some(n.to_string()),
            Scalar::Real(x) => serde_json::Number::from_f64(x).map(|number| number.to_string()),
            Scalar::Nothing | Scalar::Compound => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Scalar::Whole(n) => Some(n as f64),
            Scalar::Negative(n) => Some(n as f64),
            Scalar::Real(x) => Some(x),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Whole(n))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Negative(n))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Real(x))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Compound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Compound)
    }
}

/// Token ids; `None` where the value is anything else than a list of them.
struct Tokens(Option<Vec<u32>>);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(TokensVisitor)
    }
}

struct TokensVisitor;

impl<'de> Visitor<'de> for TokensVisitor {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tokens, A::Error> {
        let mut ids = Some(Vec::new());
        while let Some(item) = items.next_element::<Scalar<'de>>()? {
            let id = match item {
                Scalar::Whole(id) => u32::try_from(id).ok(),
                _ => None,
            };
            ids = ids.zip(id).map(|(mut ids, id)| {
                ids.push(id);
                ids
            });
        }
        Ok(Tokens(ids))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Tokens, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Tokens(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Tokens, E> {
        Ok(Tokens(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tokens, E> {
        Ok(Tokens(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tokens, E> {
        Ok(Tokens(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tokens, E> {
        Ok(Tokens(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tokens, E> {
        Ok(Tokens(None))
    }

    fn visit_unit<E>(self) -> Result<Tokens, E> {
        Ok(Tokens(None))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::text::read::object::Reader;

    /// Names that some rule knows, and one that none does.
    fn names() -> Vec<&'static str> {
        let others =
            ["tokens", "logprob", "messages", "data", "filter", "outputs", "chosen", "rejected"];
        let known = FIELDS.iter().chain(&WORDS).chain(&RULED).chain(&others);
        known.copied().chain(["input", "context", "doc", "meta"]).collect()
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            1 => prop_oneof![Just("length"), Just("max_tokens")].prop_map(Value::from),
            4 => "[a-c\"\\\\é😀]{0,4}".prop_map(Value::from),
            1 => any::<u64>().prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => (-1e9..1e9_f64).prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => Just(Value::Null),
            1 => Just(json!([1, 2, 4_294_967_296_u64])),
            1 => Just(json!([7, 8])),
            1 => Just(json!(["a", [1.5], {"b": null}])),
            1 => Just(json!({"role": "assistant", "content": "c"})),
            1 => Just(json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": "c"}])),
        ]
    }

    fn row() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
        proptest::collection::vec((proptest::sample::select(names()), value()), 1..7)
    }

    proptest! {
        #[test] // property
        fn a_plain_row_says_what_the_rules_say(
            row in row(),
            field in proptest::option::weighted(0.3, proptest::sample::select(names())),
        ) {
            // Names may come twice; then the last counts.
            let parts: Vec<String> =
                row.iter().map(|(name, value)| format!("{name:?}: {value}")).collect();
            let line = format!("{{{}}}", parts.join(", "));
            let object: Map<String, Value> = serde_json::from_str(&line).unwrap();
            let mut rules = Reader::new(field);
            let said = rules.read(Value::Object(object));
            if let Some(text) = text_of(&line, field) {
                prop_assert!(said.is_ok(), "{line}: {said:?}");
                let ruled = rules.done();
                prop_assert_eq!(&ruled.texts, &vec![text.clone()], "{}", line);
                let mut quick = Reader::new(field);
                quick.add_plain(text);
                prop_assert!(quick.done().missing.is_empty() && ruled.missing.is_empty());
            }
        }
    }

    #[test]
    fn usual_rows_are_plain_and_others_are_left_to_the_rules() {
        let plain = |line: &str| text_of(line, None).is_some();
        assert!(plain(
            r#"{"id": 1, "prompt": "p", "text": "t", "tokens": [1], "meta": {"a": []}}"#
        ));
        assert!(plain(r#"{"te\u0078t": "t\n"}"#));
        assert!(text_of(r#"{"doc": "t", "text": null}"#, Some("doc")).is_some());
        for line in [
            r#""t""#,
            r#"{"text": null}"#,
            r#"{"text": "t"} x"#,
            r#"{"text": "t", "meta": "\ud800"}"#,
            r#"{"text": "t", "prompt": [{"role": "user"}]}"#,
            r#"{"text": "t", "resps": [["t"]]}"#,
            r#"{"text": "t", "response": {"body": {}}}"#,
        ] {
            assert!(!plain(line), "{line}");
        }
    }
}
