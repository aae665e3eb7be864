//! What is done to JSON as a tree, so that it stays JSON and is wrong in what it says.

use serde_json::{Map, Value, json};

use super::mutate::Chance;

/// A document with one to four of its nodes changed; what is no JSON comes back as it was.
pub fn mutated(chance: &mut Chance, bytes: &[u8], words: &[&str]) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(bytes) else { return bytes.to_vec() };
    for _ in 0..1 + chance.below(4) {
        let nodes = count(&document);
        // The tree's ends are most of its nodes: half of the time one near the root.
        let most = if chance.once_in(2) { nodes.min(30) } else { nodes };
        let mut at = chance.below(most);
        let donor = document.clone();
        visit(&mut document, &mut at, &mut |node| change(chance, node, &donor, words));
    }
    serde_json::to_vec(&document).unwrap()
}

/// The same of lines of JSON, one of which is changed.
pub fn line_mutated(chance: &mut Chance, bytes: &[u8], words: &[&str]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let at = chance.below(lines.len());
    lines[at] = mutated(chance, &lines[at], words);
    lines.join(&b'\n')
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Calls `f` with the node that comes `at`-th.
fn visit(value: &mut Value, at: &mut usize, f: &mut impl FnMut(&mut Value)) -> bool {
    if *at == 0 {
        f(value);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| visit(item, at, f)),
        Value::Object(fields) => fields.values_mut().any(|field| visit(field, at, f)),
        _ => false,
    }
}

fn change(chance: &mut Chance, node: &mut Value, donor: &Value, words: &[&str]) {
    match (chance.below(12), &mut *node) {
        (0 | 1, Value::Object(fields)) if !fields.is_empty() => {
            let name = fields.keys().nth(chance.below(fields.len())).unwrap().clone();
            let value = fields.shift_remove(&name).unwrap();
            if chance.once_in(3) {
                fields.insert(word(chance, words), value);
            }
        }
        (0, Value::Array(items)) if !items.is_empty() => {
            items.remove(chance.below(items.len()));
        }
        (1, Value::Array(items)) if !items.is_empty() => {
            let item = items[chance.below(items.len())].clone();
            items.extend(std::iter::repeat_n(item, *chance.one_of(&[1, 3, 300])));
        }
        (2, _) => *node = Value::Array(vec![node.take()]),
        (3, _) => {
            let mut at = chance.below(count(donor).min(60));
            let mut donor = donor.clone();
            visit(&mut donor, &mut at, &mut |part| *node = part.take());
        }
        (4, _) => {
            let depth = *chance.one_of(&[2, 20, 100]);
            *node = (0..depth).fold(node.take(), |inner, _| match chance.once_in(2) {
                true => json!([inner]),
                false => Value::Object(Map::from_iter([(String::from("a"), inner)])),
            });
        }
        (5, _) => *node = Value::from(word(chance, words)),
        (6, _) => *node = Value::from("x".repeat(*chance.one_of(&[1, 300, 20_000]))),
        (7, Value::Number(number)) if number.is_u64() => {
            let old = number.as_u64().unwrap();
            *node = Value::from(old.wrapping_add(chance.below(5) as u64).wrapping_sub(2));
        }
        _ => {
            *node = match chance.below(14) {
                0 => Value::Null,
                1 => json!(true),
                2 => json!(0),
                3 => json!(-1),
                4 => json!(u64::MAX),
                5 => json!(i64::MIN),
                6 => json!(4_294_967_296u64),
                7 => json!(1e308),
                8 => json!(0.5),
                9 => json!([]),
                10 => json!({}),
                11 => json!(1_000_000),
                12 => json!(3),
                _ => json!("\u{0}\u{202e}é𝕳"),
            }
        }
    }
}

fn word(chance: &mut Chance, words: &[&str]) -> String {
    let all = if words.is_empty() || chance.once_in(3) { &super::mutate::WORDS[..] } else { words };
    (*chance.one_of(all)).to_owned()
}
