//! One file's modules: what they define, what they import, which paths they name.

use super::token::{Token, tokens};

/// A module of the crate, in a file of its own or inside one.
#[derive(Debug, Default)]
pub struct Module {
    pub name: String,
    /// `mod name;` with the file that `#[path]` names, if it does.
    pub files: Vec<(String, Option<String>)>,
    /// `mod name { … }`.
    pub inline: Vec<Module>,
    /// Functions, types, traits, constants and macros.
    pub defines: Vec<String>,
    pub uses: Vec<Use>,
    pub paths: Vec<Path>,
}

/// One leaf of a `use` tree.
#[derive(Clone, Debug)]
pub struct Use {
    pub path: Vec<String>,
    /// The name it has here; `*` for all of a module.
    pub name: String,
    pub line: usize,
    /// Whether it hands the name on: `pub`, `pub(crate)`, `pub(super)`.
    pub public: bool,
}

/// A path of two names or more in the code.
#[derive(Clone, Debug)]
pub struct Path {
    pub path: Vec<String>,
    pub line: usize,
}

const ITEMS: [&str; 7] = ["fn", "struct", "enum", "trait", "type", "const", "static"];

impl Module {
    /// Reads a file; what is compiled for tests alone is left out.
    pub fn parse(name: &str, source: &str) -> Self {
        let mut tokens = Tokens { all: tokens(source), at: 0 };
        tokens.module(name)
    }
}

struct Tokens {
    all: Vec<Token>,
    at: usize,
}

impl Tokens {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.all.get(self.at + ahead)
    }

    fn sees(&self, ahead: usize, text: &str) -> bool {
        self.peek(ahead).is_some_and(|token| token.is(text))
    }

    fn word(&self, ahead: usize) -> Option<String> {
        self.peek(ahead).filter(|token| token.is_word()).map(|token| token.text.clone())
    }

    /// Whether a constant is a parameter: `<const N: usize>`.
    fn in_generics(&self) -> bool {
        let before = self.at.checked_sub(1).map(|at| &self.all[at]);
        before.is_some_and(|token| token.is("<") || token.is(","))
    }

    /// To the end of the file, or over the brace that ends an inline module.
    fn module(&mut self, name: &str) -> Module {
        let mut module = Module { name: name.to_owned(), ..Module::default() };
        let (mut depth, mut path) = (0_usize, None);
        while let Some(token) = self.peek(0).cloned() {
            if token.is("#") {
                let start = self.at;
                let attribute = self.attribute();
                if !matches!(attribute, Attribute::Test) {
                    module.paths.extend(self.all[start..self.at].iter().filter_map(in_text));
                }
                match attribute {
                    Attribute::Test => self.skip_item(),
                    Attribute::Path(file) => path = Some(file),
                    Attribute::Other => {}
                }
                continue;
            }
            match token.text.as_str() {
                "{" => depth += 1,
                "}" if depth == 0 => {
                    self.at += 1;
                    return module;
                }
                "}" => depth -= 1,
                "use" if !self.sees(1, "<") => {
                    let before = self.at.checked_sub(1).map(|at| &self.all[at]);
                    let public = before.is_some_and(|token| token.is("pub") || token.is(")"));
                    self.at += 1;
                    self.use_tree(&[], public, &mut module.uses);
                    continue;
                }
                "mod" if depth == 0 => {
                    if let Some(child) = self.word(1) {
                        self.at += 3;
                        if self.all[self.at - 1].is("{") {
                            let inside = self.module(&child);
                            module.inline.push(inside);
                        } else {
                            module.files.push((child, path.take()));
                        }
                        continue;
                    }
                }
                "macro_rules" if depth == 0 => module.defines.extend(self.word(2)),
                item if depth == 0 && ITEMS.contains(&item) && !self.in_generics() => {
                    module.defines.extend(self.word(1));
                }
                _ if token.is_word() && self.sees(1, "::") => {
                    module.paths.push(self.path());
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        module
    }

    /// Reads `#[…]` or `#![…]`.
    fn attribute(&mut self) -> Attribute {
        self.at += 1 + usize::from(self.sees(1, "!"));
        let start = self.at;
        if !self.sees(0, "[") {
            return Attribute::Other;
        }
        self.skip_group();
        let inside = &self.all[start + 1..self.at - 1];
        let text = inside.iter().find_map(|token| token.text.strip_prefix('"'));
        match inside.first().map(|token| token.text.as_str()) {
            Some("cfg")
                if inside.iter().any(|token| token.is("test"))
                    && !inside.iter().any(|token| token.is("not")) =>
            {
                Attribute::Test
            }
            Some("test") => Attribute::Test,
            Some("path") => text.map_or(Attribute::Other, |file| Attribute::Path(file.to_owned())),
            _ => Attribute::Other,
        }
    }

    /// From an opening bracket to behind its closing one.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek(0) {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// To behind the semicolon or the block that ends an item.
    fn skip_item(&mut self) {
        while let Some(token) = self.peek(0) {
            match token.text.as_str() {
                ";" => {
                    self.at += 1;
                    return;
                }
                "{" => return self.skip_group(),
                "(" | "[" => self.skip_group(),
                _ => self.at += 1,
            }
        }
    }

    /// `a::{b, c::*, d as e}`, up to what ends it.
    fn use_tree(&mut self, before: &[String], public: bool, leaves: &mut Vec<Use>) {
        let mut path = before.to_vec();
        let line = self.peek(0).map_or(0, |token| token.line);
        if self.sees(0, "::") {
            // A crate of that name, whatever is in scope.
            path.push("::".to_owned());
            self.at += 1;
        }
        loop {
            if self.sees(0, "{") {
                self.at += 1;
                while !self.sees(0, "}") && self.peek(0).is_some() {
                    self.use_tree(&path, public, leaves);
                    self.at += usize::from(self.sees(0, ","));
                }
                self.at += 1;
                return;
            }
            if self.sees(0, "*") {
                self.at += 1;
                leaves.push(Use { path, name: "*".to_owned(), line, public });
                return;
            }
            let Some(word) = self.word(0) else { return };
            self.at += 1;
            if word != "self" || path.is_empty() {
                path.push(word);
            }
            if self.sees(0, "::") {
                self.at += 1;
                continue;
            }
            let mut name = path.last().cloned().unwrap_or_default();
            if self.sees(0, "as") {
                name = self.word(1).unwrap_or(name);
                self.at += 2;
            }
            leaves.push(Use { path, name, line, public });
            return;
        }
    }

    fn path(&mut self) -> Path {
        let line = self.peek(0).map_or(0, |token| token.line);
        let mut path = Vec::new();
        while let Some(word) = self.word(0) {
            path.push(word);
            self.at += 1;
            if !self.sees(0, "::") {
                break;
            }
            self.at += 1;
        }
        Path { path, line }
    }
}

/// The path that an attribute names in a text: `#[serde(with = "crate::data::json_number")]`.
fn in_text(token: &Token) -> Option<Path> {
    let text = token.text.strip_prefix('"').filter(|text| text.starts_with("crate::"))?;
    Some(Path { path: text.split("::").map(str::to_owned).collect(), line: token.line })
}

enum Attribute {
    /// What follows is compiled for tests alone.
    Test,
    /// What follows is a module in this file.
    Path(String),
    Other,
}

#[test]
fn a_file_is_read_into_what_it_defines_imports_and_names() {
    let source = r#"
        mod child;
        #[cfg(test)] mod tests;
        #[path = "absent.rs"] mod twin;
        pub(crate) use child::{self, One as First, deep::*};
        #[cfg(test)] use crate::no;
        #[serde(with = "crate::data::number")]
        pub struct Here<const N: usize>;
        macro_rules! made { () => { $crate::data::make() } }
        fn body() { use super::local; child::call(Vec::<u8>::new()); }
        #[cfg(test)] mod inline { use crate::no; }
        mod inside { pub fn f() {} }"#;
    let module = Module::parse("here", source);
    let files: Vec<_> =
        module.files.iter().map(|(name, path)| (&**name, path.as_deref())).collect();
    assert_eq!(files, [("child", None), ("twin", Some("absent.rs"))]);
    assert_eq!(module.defines, ["Here", "made", "body"]);
    let uses: Vec<_> =
        module.uses.iter().map(|u| (u.path.join("::"), &*u.name, u.public)).collect();
    let expected = [
        ("child", "child", true),
        ("child::One", "First", true),
        ("child::deep", "*", true),
        ("super::local", "local", false),
    ];
    assert_eq!(uses, expected.map(|(path, name, public)| (path.to_owned(), name, public)));
    let paths: Vec<_> = module.paths.iter().map(|path| path.path.join("::")).collect();
    assert_eq!(paths, ["crate::data::number", "crate::data::make", "child::call", "Vec"]);
    assert_eq!(module.inline.len(), 1);
}
