//! Rust source as words and marks with their lines: comments and characters left out.

/// A word, a `::`, one mark, or a text with its opening quote.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens of a file that compiles.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader { rest: source, line: 1 };
    std::iter::from_fn(|| reader.next()).collect()
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Token> {
        loop {
            let first = self.rest.chars().next()?;
            let line = self.line;
            if first.is_whitespace() {
                self.take(first.len_utf8());
            } else if self.rest.starts_with("//") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.block_comment();
            } else if let Some(length) = text_length(self.rest) {
                let whole = self.take(length);
                let text = format!("\"{}", whole.split('"').nth(1).unwrap_or_default());
                return Some(Token { text, line });
            } else if first == '\'' {
                self.take(quote_length(self.rest));
            } else if first.is_alphanumeric() || first == '_' {
                let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                return Some(Token { text: self.take(end.unwrap_or(self.rest.len())), line });
            } else {
                let length = if self.rest.starts_with("::") { 2 } else { first.len_utf8() };
                return Some(Token { text: self.take(length), line });
            }
        }
    }

    fn take(&mut self, length: usize) -> String {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken.to_owned()
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
                if depth == 0 {
                    return;
                }
            } else {
                let Some(c) = self.rest.chars().next() else { return };
                self.take(c.len_utf8());
            }
        }
    }
}

/// The length of a text in quotes, plain, raw or of bytes, if one begins here.
fn text_length(rest: &str) -> Option<usize> {
    let mark = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - mark.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = mark.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let inside = raw[hashes..].strip_prefix('"')?;
        return Some(prefix + 1 + hashes + 1 + inside.find(&end)? + end.len());
    }
    let inside = mark.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(prefix + 1 + end + 1)
}

/// The length of a character, or of a lifetime's quote.
fn quote_length(rest: &str) -> usize {
    let inside = &rest[1..];
    if let Some(escape) = inside.strip_prefix('\\') {
        let skipped = escape.chars().next().map_or(0, char::len_utf8);
        return 2 + skipped + escape[skipped..].find('\'').map_or(0, |end| end + 1);
    }
    let length = inside.chars().next().map_or(0, char::len_utf8);
    if inside[length..].starts_with('\'') { length + 2 } else { 1 }
}

#[test]
fn comments_texts_and_characters_are_no_paths() {
    let source = r##"
        // use crate::no;
        /* use /* nested */ crate::no; */
        const A: &str = "crate::\"no"; const B: &[u8] = br#"" crate::no"#; const C: char = '"';
        fn f<'a>(x: &'a str) -> char { '\'' }
        use crate::yes;"##;
    let words: Vec<_> = tokens(source).into_iter().map(|token| token.text).collect();
    assert!(!words.iter().any(|word| word == "no"), "{words:?}");
    assert_eq!(words[words.len() - 5..], ["use", "crate", "::", "yes", ";"]);
    assert_eq!(tokens(source).last().map(|last| last.line), Some(6));
}
