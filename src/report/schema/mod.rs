//! What stands in the files that llmpr writes, as JSON Schema (draft 2020-12).
//!
//! An object lists every field that it may have, and nothing else is written; a field that not every file has is not
//! required. `llmpr.NAME/1` in `schema` changes its number where a field is renamed or means something else.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Every definition by its name.
const DEFINITIONS: &str = include_str!("definitions.json");

/// What has a schema, in the order of a run.
pub const NAMES: [&str; 26] = [
    "run",
    "cell",
    "sample",
    "read",
    "result",
    "results",
    "text",
    "features",
    "holder",
    "status",
    "repeat",
    "score",
    "show",
    "compare",
    "ranks",
    "tune",
    "race",
    "mixture",
    "texts",
    "prompt",
    "scoring",
    "blind",
    "votes",
    "progress",
    "page_texts",
    "page_references",
];

/// The schema of that name by itself; `None` where there is none.
///
/// ```
/// let schema = llmpr::report::schema::schema("results").unwrap();
/// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// assert_eq!(schema["$defs"]["results"]["properties"]["schema"]["const"], "llmpr.results/1");
/// ```
pub fn schema(name: &str) -> Option<Value> {
    let all = definitions();
    let root = NAMES.contains(&name).then(|| all.get(name))??;
    let (mut needed, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(next) = open.pop() {
        if let Some(definition) = all.get(&next)
            && needed.insert(next)
        {
            named(definition, &mut open);
        }
    }
    let own: Map<String, Value> = all
        .iter()
        .filter(|(name, _)| needed.contains(*name))
        .map(|(n, d)| (n.clone(), d.clone()))
        .collect();
    Some(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("llmpr {name}"),
        "description": root["description"],
        "$ref": format!("#/$defs/{name}"),
        "$defs": own,
    }))
}

/// What a schema of [`NAMES`] is of, in a sentence.
pub fn summary(name: &str) -> String {
    definitions()[name]["description"].as_str().unwrap_or_default().to_owned()
}

fn definitions() -> Map<String, Value> {
    // A test reads it; a definition that is missing would be seen there.
    serde_json::from_str(DEFINITIONS).unwrap_or_default()
}

/// The definitions that are referred to somewhere inside.
fn named(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| named(item, found)),
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            found.extend(own.and_then(|name| name.strip_prefix("#/$defs/")).map(str::to_owned));
            fields.values().for_each(|field| named(field, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_schema_with_all_that_it_refers_to_and_nothing_else() {
        for name in NAMES {
            let schema = schema(name).unwrap();
            let mut referred = Vec::new();
            named(&schema, &mut referred);
            let own = schema["$defs"].as_object().unwrap();
            assert!(referred.iter().all(|name| own.contains_key(name)), "{name}: {referred:?}");
            assert!(own.keys().all(|name| referred.contains(name)), "{name}: {:?}", own.keys());
            assert!(summary(name).ends_with('.') && summary(name).len() > 20, "{name}");
        }
        assert!(schema("number").is_none() && schema("nothing").is_none());
    }

    #[test]
    fn every_object_says_what_may_stand_in_it_and_every_field_what_it_is() {
        fn look(value: &Value, path: &str) {
            if let Some(fields) = value.as_object() {
                if value["type"] == "object" {
                    let says =
                        fields.contains_key("additionalProperties") || path.ends_with("neutral");
                    assert!(says, "{path}");
                }
                if let Some(properties) = value["properties"].as_object() {
                    for (name, field) in properties {
                        let described =
                            field["description"].is_string() || field["$ref"].is_string();
                        assert!(described, "{path}.{name}");
                    }
                }
                fields.iter().for_each(|(name, field)| look(field, &format!("{path}.{name}")));
            }
        }
        definitions().iter().for_each(|(name, definition)| look(definition, name));
    }
}
