//! What Jinja allows in a template's source and minijinja reads otherwise, written in words that both know.
//!
//! * `a % b` formats where `a` is a string, so it becomes a call of [`REMAINDER`].
//! * A loop over `none` is an error, so what is looped over goes through [`ITERABLE`].
//! * Strings beside one another are one string, and escapes are Python's.
//! * What a variable is set to goes through [`KEPT`], which bounds it.
//! * `{% generation %}` tells trainers what the model wrote; it is a scope of its own.

/// The function that `%` becomes: the left operand, and the right ones as a list.
pub(super) const REMAINDER: &str = "python_remainder";

/// The function that what is looped over goes through.
pub(super) const ITERABLE: &str = "python_iterable";

/// The function that what a variable is set to goes through.
pub(super) const KEPT: &str = "python_kept";

/// A template's source as minijinja reads it.
pub(super) fn for_minijinja(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find('{') {
        let (text, tail) = rest.split_at(at);
        out.push_str(text);
        let end = match tail.as_bytes().get(1) {
            Some(b'#') => tail.find("#}").map_or(tail.len(), |end| end + 2),
            Some(b'{') => tag(tail, "}}", &mut out),
            Some(b'%') => tag(tail, "%}", &mut out),
            _ => 1,
        };
        match tail.as_bytes().get(1) {
            Some(b'{' | b'%') => {}
            _ => out.push_str(&tail[..end]),
        }
        rest = &tail[end..];
        if tail[2.min(end)..end].trim_matches(['-', '+', '%', '}', ' ', '\n', '\t']) == "raw" {
            let raw = rest.find("endraw").map_or(rest.len(), |end| end + "endraw".len());
            out.push_str(&rest[..raw]);
            rest = &rest[raw..];
        }
    }
    out.push_str(rest);
    out
}

/// Writes the tag at the start of `text`, which `close` ends; where it ends.
fn tag(text: &str, close: &str, out: &mut String) -> usize {
    let mut parts = Vec::new();
    let mut depth = 0usize;
    let mut at = 2;
    while at < text.len() {
        let rest = &text[at..];
        let inside = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        if depth == 0 && (rest.starts_with(close) || inside.starts_with(close)) {
            break;
        }
        let length = token(rest);
        match rest.as_bytes()[0] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        parts.push(rest[..length].to_owned());
        at += length;
    }
    out.push_str(&text[..2]);
    strings(&mut parts);
    if close == "%}" {
        generation(&mut parts);
        iterable(&mut parts);
        kept(&mut parts);
    }
    remainders(&mut parts);
    parts.iter().for_each(|part| out.push_str(part));
    let end = text[at..].find(close).map_or(text.len(), |end| at + end + close.len());
    out.push_str(&text[at..end]);
    end
}

/// Bytes of the first character.
fn first(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Bytes of the token at the start of `text`: spaces, a word, a string or a sign.
fn token(text: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let run = |inside: &dyn Fn(char) -> bool| text.find(|c| !inside(c)).unwrap_or(text.len());
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let mut escaped = false;
            let close = |(_, c): &(usize, char)| {
                let closes = !escaped && *c == quote;
                escaped = !escaped && *c == '\\';
                closes
            };
            text.char_indices().skip(1).find(close).map_or(text.len(), |(at, _)| at + 1)
        }
        Some(c) if c.is_whitespace() => run(&char::is_whitespace),
        Some(c) if word(c) => run(&word),
        Some(_) if ["**", "//", "==", "!=", "<=", ">="].iter().any(|s| text.starts_with(s)) => 2,
        _ => first(text),
    }
}

fn is_string(part: &str) -> bool {
    part.starts_with(['"', '\''])
}

fn is_space(part: &str) -> bool {
    part.chars().all(char::is_whitespace)
}

/// Puts what stands behind the `=` of `set` into a call of [`KEPT`].
fn kept(parts: &mut Vec<String>) {
    if parts.iter().find(|part| !is_trim(part)).is_none_or(|first| first != "set") {
        return;
    }
    let Some(at) = parts.iter().position(|part| part == "=") else { return };
    if parts[at + 1..].iter().all(|part| is_space(part)) {
        return;
    }
    parts.insert(at + 1, format!(" {KEPT}("));
    parts.push(")".to_owned());
}

/// Whether it is nothing, or a sign of `{%-` and `{%+`.
fn is_trim(part: &str) -> bool {
    is_space(part) || part == "-" || part == "+"
}

/// Reads strings as Python does and joins neighbors.
fn strings(parts: &mut Vec<String>) {
    let mut out: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        if !is_string(&part) || part.len() < 2 {
            out.push(part);
            continue;
        }
        let value = unescape(&part[1..part.len() - 1]);
        let before = out.iter().rposition(|part| !is_space(part)).filter(|&at| is_string(&out[at]));
        match before {
            Some(at) => {
                out.truncate(at + 1);
                out[at].pop();
                out[at].push_str(&escape(&value));
                out[at].push('"');
            }
            None => out.push(format!("\"{}\"", escape(&value))),
        }
    }
    *parts = out;
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// What a string literal of Python means.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let digits = |radix: u32, most: usize, skip: usize| {
            let run = tail[skip..].chars().take(most).take_while(|c| c.is_digit(radix)).count();
            let code = u32::from_str_radix(&tail[skip..skip + run], radix).ok();
            code.and_then(char::from_u32).map(|c| (c, skip + run))
        };
        let simple = |c: char| Some((c, 1));
        let read = match tail.chars().next() {
            Some(c @ ('\\' | '\'' | '"')) => simple(c),
            Some('n') => simple('\n'),
            Some('t') => simple('\t'),
            Some('r') => simple('\r'),
            Some('a') => simple('\x07'),
            Some('b') => simple('\x08'),
            Some('f') => simple('\x0c'),
            Some('v') => simple('\x0b'),
            Some('0'..='7') => digits(8, 3, 0),
            Some('x') => digits(16, 2, 1),
            Some('u') => digits(16, 4, 1),
            Some('U') => digits(16, 8, 1),
            _ => None,
        };
        match (read, tail.starts_with('\n')) {
            (Some((c, length)), _) => {
                out.push(c);
                rest = &tail[length..];
            }
            // A line that goes on.
            (None, true) => rest = &tail[1..],
            (None, false) => {
                out.push('\\');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A scope in place of the marks, so that they keep what they trim around themselves.
fn generation(parts: &mut [String]) {
    let mut words = parts.iter_mut().filter(|part| !is_trim(part));
    if let (Some(word), None) = (words.next(), words.next()) {
        match word.as_str() {
            "generation" => *word = "with".to_owned(),
            "endgeneration" => *word = "endwith".to_owned(),
            _ => {}
        }
    }
}

/// A call of [`ITERABLE`] around what a `for` goes through.
fn iterable(parts: &mut Vec<String>) {
    let first = parts.iter().position(|part| !is_trim(part));
    let Some(first) = first.filter(|&at| parts[at] == "for") else { return };
    let word = |from: usize, words: &[&str]| {
        let mut depth = 0usize;
        (from..parts.len()).find(|&at| {
            match parts[at].as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                part => return depth == 0 && words.contains(&part),
            }
            false
        })
    };
    let Some(start) = word(first, &["in"]) else { return };
    let end = word(start, &["if", "recursive"]).unwrap_or(parts.len());
    let inside = parts[start + 1..end].concat();
    parts.splice(start + 1..end, [format!(" {ITERABLE}({}) ", inside.trim())]);
}

/// Calls of [`REMAINDER`] in place of `%`.
fn remainders(parts: &mut Vec<String>) {
    while let Some(at) = parts.iter().position(|part| part == "%") {
        let start = left(parts, at);
        let end = right(parts, at);
        let [before, after] = [&parts[start..at], &parts[at + 1..end]].map(|p| p.concat());
        let after = tuple(&parts[at + 1..end]).unwrap_or_else(|| format!("[{}]", after.trim()));
        let call = format!("{REMAINDER}({}, {after})", before.trim());
        let spaces = parts[start..at].iter().take_while(|part| is_space(part)).count();
        parts.splice(start + spaces..end, [call]);
    }
}

/// Words and signs that bind less than `%`.
fn is_looser(part: &str) -> bool {
    const LOOSER: [&str; 25] = [
        "+", "-", "~", "==", "!=", "<", ">", "<=", ">=", ",", ":", "=", "if", "elif", "else",
        "and", "or", "not", "in", "print", "do", "for", "set", "call", "filter",
    ];
    LOOSER.contains(&part)
}

/// Where the left operand of the `%` at `at` begins.
fn left(parts: &[String], at: usize) -> usize {
    let mut depth = 0usize;
    for start in (0..at).rev() {
        match parts[start].as_str() {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth == 0 => return start + 1,
            "(" | "[" | "{" => depth -= 1,
            "-" | "+" if depth == 0 && is_sign(&parts[..start]) => {}
            part if depth == 0 && is_looser(part) => return start + 1,
            _ => {}
        }
    }
    0
}

/// Whether a `-` behind these is a number's and no operator's.
fn is_sign(before: &[String]) -> bool {
    let last = before.iter().rfind(|part| !is_space(part));
    last.map_or(!before.is_empty(), |part| {
        is_looser(part) || ["(", "[", "{", "*", "/", "//", "**", "%"].contains(&part.as_str())
    })
}

/// Where the right operand of the `%` at `at` ends.
fn right(parts: &[String], at: usize) -> usize {
    let mut depth = 0usize;
    let mut begun = false;
    for (end, part) in parts.iter().enumerate().skip(at + 1) {
        match part.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => return end,
            ")" | "]" | "}" => depth -= 1,
            "*" | "/" | "//" | "%" if depth == 0 => return end,
            part if depth == 0 && begun && is_looser(part) => return end,
            _ => {}
        }
        begun |= !is_space(part);
    }
    parts.len()
}

/// The inside of a tuple as a list.
fn tuple(parts: &[String]) -> Option<String> {
    let inside = parts.concat();
    let inside = inside.trim().strip_prefix('(')?.strip_suffix(')')?;
    let mut depth = 0usize;
    let mut commas = 0;
    for part in parts {
        match part.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "," if depth == 1 => commas += 1,
            _ => {}
        }
    }
    (commas > 0 || inside.is_empty()).then(|| format!("[{inside}]"))
}
