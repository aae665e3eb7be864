//! The methods of Python's strings, dicts and lists that templates call.

use minijinja::{
    Error, ErrorKind, State, Value,
    value::{Kwargs, ValueKind, from_args},
};

use super::bounds::bounded;

/// `value.method(args)` where minijinja has no such method.
///
/// # Errors
///
/// [`ErrorKind::UnknownMethod`], and arguments that Python refuses, too.
pub(super) fn call(
    state: &State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let known = match (value.kind(), value.as_str()) {
        (_, Some(text)) => of_string(text, method, args)?,
        (ValueKind::Map, _) => of_dict(value, method, args)?,
        (ValueKind::Seq, _) if method == "index" => {
            let (what,): (Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == what);
            let missing = || invalid(format!("{what} is not in list"));
            Some(Value::from(at.ok_or_else(missing)?))
        }
        _ => None,
    };
    match known {
        Some(value) => bounded(value),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
            .and_then(bounded),
    }
}

fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

fn of_dict(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(match method {
        "copy" => Some(value.clone()),
        "get" => {
            let (key, default): (Value, Option<Value>) = from_args(args)?;
            let found = value.get_item(&key).ok().filter(|found| !found.is_undefined());
            Some(found.or(default).unwrap_or_else(|| Value::from(())))
        }
        _ => None,
    })
}

fn of_string(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let every = |is: fn(char) -> bool| {
        from_args::<()>(args).map(|()| Value::from(!text.is_empty() && text.chars().all(is)))
    };
    let cased = |is: fn(char) -> bool, is_not: fn(char) -> bool| {
        from_args::<()>(args)
            .map(|()| Value::from(text.chars().any(is) && !text.chars().any(is_not)))
    };
    let value = match method {
        "upper" => from_args::<()>(args).map(|()| Value::from(text.to_uppercase()))?,
        "lower" | "casefold" => from_args::<()>(args).map(|()| Value::from(text.to_lowercase()))?,
        "title" => from_args::<()>(args).map(|()| Value::from(title(text)))?,
        "capitalize" => from_args::<()>(args).map(|()| Value::from(capitalize(text)))?,
        "swapcase" => from_args::<()>(args).map(|()| Value::from(swapcase(text)))?,
        "isspace" => every(is_space)?,
        "isdigit" | "isdecimal" => every(|c| c.is_ascii_digit())?,
        "isnumeric" => every(char::is_numeric)?,
        "isalnum" => every(char::is_alphanumeric)?,
        "isalpha" => every(char::is_alphabetic)?,
        "islower" => cased(char::is_lowercase, char::is_uppercase)?,
        "isupper" => cased(char::is_uppercase, char::is_lowercase)?,
        "strip" | "lstrip" | "rstrip" => {
            let (set,): (Option<Value>,) = from_args(args)?;
            let set = set.as_ref().and_then(Value::as_str);
            let inside = |c: char| set.map_or_else(|| is_space(c), |set| set.contains(c));
            Value::from(match method {
                "strip" => text.trim_matches(inside),
                "lstrip" => text.trim_start_matches(inside),
                _ => text.trim_end_matches(inside),
            })
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "split" | "rsplit" => {
            let (by, most, named): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
            let by = by.map_or_else(|| named.get("sep"), |by| Ok(Some(by)))?;
            let most = most.map_or_else(|| named.get("maxsplit"), |most| Ok(Some(most)))?;
            named.assert_all_used()?;
            let most = usize::try_from(most.unwrap_or(-1)).unwrap_or(usize::MAX);
            let parts = match by.as_ref().and_then(Value::as_str) {
                Some("") => return Err(invalid("empty separator".to_owned())),
                Some(by) if method == "split" => text.splitn(most.saturating_add(1), by).collect(),
                Some(by) => reversed(text.rsplitn(most.saturating_add(1), by)),
                None if method == "split" => words(text, most),
                None => last_words(text, most),
            };
            parts.into_iter().map(Value::from).collect()
        }
        "partition" | "rpartition" => {
            let (by,): (&str,) = from_args(args)?;
            let (cut, whole) = match method {
                "partition" => (text.split_once(by), [text, "", ""]),
                _ => (text.rsplit_once(by), ["", "", text]),
            };
            let parts = cut.map_or(whole, |(before, after)| [before, by, after]);
            parts.into_iter().map(Value::from).collect()
        }
        "splitlines" => {
            let (keep, named): (Option<bool>, Kwargs) = from_args(args)?;
            let keep = keep.map_or_else(|| named.get("keepends"), |keep| Ok(Some(keep)))?;
            lines(text, keep.unwrap_or(false)).into_iter().map(Value::from).collect()
        }
        "find" | "rfind" | "index" | "rindex" => {
            let (what, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
            let (inside, before) = part(text, start, end);
            let at = if method.starts_with('r') { inside.rfind(what) } else { inside.find(what) };
            match at {
                Some(at) => Value::from(before + inside[..at].chars().count()),
                None if method.ends_with("find") => Value::from(-1),
                None => return Err(invalid("substring not found".to_owned())),
            }
        }
        "count" => {
            let (what, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
            Value::from(part(text, start, end).0.matches(what).count())
        }
        "startswith" | "endswith" => {
            let (what, start, end): (Value, Option<i64>, Option<i64>) = from_args(args)?;
            let (inside, _) = part(text, start, end);
            let has = |what: &Value| {
                let refused = || {
                    invalid(format!(
                        "{method} takes a string or a tuple of them, not {}",
                        what.kind()
                    ))
                };
                let what = what.as_str().ok_or_else(refused)?;
                Ok::<_, Error>(match method {
                    "startswith" => inside.starts_with(what),
                    _ => inside.ends_with(what),
                })
            };
            match what.kind() {
                ValueKind::Seq => {
                    let found: Result<Vec<bool>, Error> =
                        what.try_iter()?.map(|w| has(&w)).collect();
                    Value::from(found?.contains(&true))
                }
                _ => Value::from(has(&what)?),
            }
        }
        "join" => {
            let (parts,): (Value,) = from_args(args)?;
            let part = |(at, part): (usize, Value)| match part.as_str() {
                Some(part) => Ok(part.to_owned()),
                None => Err(invalid(format!("sequence item {at}: expected str instance"))),
            };
            let parts: Result<Vec<String>, Error> = match parts.as_str() {
                Some(letters) => Ok(letters.chars().map(String::from).collect()),
                None => parts.try_iter()?.enumerate().map(part).collect(),
            };
            Value::from(parts?.join(text))
        }
        "center" | "ljust" | "rjust" => {
            let (width, fill): (usize, Option<&str>) = from_args(args)?;
            let (width, fill) = (width.min(10_000), fill.unwrap_or(" "));
            let room = width.saturating_sub(text.chars().count());
            Value::from(match method {
                "ljust" => text.to_owned() + &fill.repeat(room),
                "rjust" => fill.repeat(room) + text,
                _ => centered(text, width, fill),
            })
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let zeros = width.min(10_000).saturating_sub(text.chars().count());
            Value::from(format!("{sign}{}{digits}", "0".repeat(zeros)))
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// The text in the middle of `width` letters.
pub(super) fn centered(text: &str, width: usize, fill: &str) -> String {
    let room = width.saturating_sub(text.chars().count());
    // Where the space is odd, Python puts more of it on the left of an odd width.
    let left = room / 2 + (room & width & 1);
    fill.repeat(left) + text + &fill.repeat(room - left)
}

/// Python's `str.isspace` of a character.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

fn reversed<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut parts: Vec<&str> = parts.collect();
    parts.reverse();
    parts
}

/// Words between spaces; after `most` cuts the rest stands as it is.
fn words(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() && parts.len() < most {
        let end = rest.find(is_space).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_space);
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

fn last_words(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(is_space);
    while !rest.is_empty() && parts.len() < most {
        let start = rest
            .rfind(is_space)
            .map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end_matches(is_space);
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts.reverse();
    parts
}

fn lines(text: &str, keep: bool) -> Vec<&str> {
    const ENDS: [char; 10] =
        ['\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}'];
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(ENDS) {
        let end = if rest[at..].starts_with("\r\n") {
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        out.push(&rest[..if keep { at + end } else { at }]);
        rest = &rest[at + end..];
    }
    if !rest.is_empty() {
        out.push(rest);
    }
    out
}

/// `text[start:end]` and the characters before it.
fn part(text: &str, start: Option<i64>, end: Option<i64>) -> (&str, usize) {
    if start.is_none() && end.is_none() {
        return (text, 0);
    }
    let length = text.chars().count() as i64;
    let place = |at: i64| (if at < 0 { at + length } else { at }).clamp(0, length) as usize;
    let (start, end) = (place(start.unwrap_or(0)), place(end.unwrap_or(length)));
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    (text.get(byte(start)..byte(end)).unwrap_or(""), start)
}

fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match inside {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
        inside = c.is_alphabetic();
    }
    out
}

fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + &letters.as_str().to_lowercase()
}

fn swapcase(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c.is_uppercase() {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
        out
    })
}
