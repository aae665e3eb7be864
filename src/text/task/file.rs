//! A task file as written, and what is wrong with it.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::Truncate;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) version: u32,
    #[serde(default)]
    pub(super) description: String,
    pub(super) header: Option<Spanned<String>>,
    pub(super) shot: Option<Spanned<String>>,
    pub(super) cue: Option<Spanned<String>>,
    pub(super) separator: Option<String>,
    #[serde(default)]
    pub(super) stop: Vec<Spanned<String>>,
    pub(super) prefix_words: Option<Spanned<usize>>,
    #[serde(default)]
    pub(super) instructions: Vec<String>,
    #[serde(default)]
    pub(super) chat: ChatFile,
    pub(super) reference: Option<Spanned<String>>,
    pub(super) grammar: Option<Spanned<String>>,
    pub(super) title_end: Option<Spanned<String>>,
    pub(super) scored: Option<Spanned<String>>,
    pub(super) truncate: Option<Spanned<Truncate>>,
    pub(super) max_new_tokens: Option<Spanned<usize>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatFile {
    pub(super) system: Option<Spanned<String>>,
    pub(super) header: Option<Spanned<String>>,
    pub(super) ask: Option<Spanned<String>>,
    pub(super) again: Option<Spanned<String>>,
    pub(super) start: Option<Spanned<String>>,
}

impl File {
    /// The first thing wrong, with where.
    pub(super) fn check(&self) -> Result<(), (Range<usize>, String)> {
        let Some(cue) = &self.cue else {
            return Err(match &self.shot {
                Some(shot) => (
                    shot.span(),
                    "`shot` needs a `cue`: the words from which the model goes on after the shots"
                        .to_owned(),
                ),
                None => (
                    0..0,
                    "a task needs a `cue`: the words from which the model goes on".to_owned(),
                ),
            });
        };
        if self.name.trim().is_empty() {
            return Err((0..0, "`name` is empty".to_owned()));
        }
        let template = |what: &str, template: &Option<Spanned<String>>, known: &[&str]| {
            let Some(template) = template else { return Ok(Vec::new()) };
            let at = |message: String| (template.span(), format!("`{what}` {message}"));
            let used = placeholders(template.get_ref()).map_err(at)?;
            match used.iter().find(|name| !known.contains(&name.as_str())) {
                Some(name) => {
                    let known: Vec<String> = known.iter().map(|k| format!("{{{k}}}")).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    Err(at(format!("has the unknown placeholder {{{name}}}; it may hold {known}")))
                }
                None => Ok(used),
            }
        };
        let prefixes = ["prefix", "prefix_head", "prefix_last", "instruction"];
        template("header", &self.header, &[])?;
        template("chat.system", &self.chat.system, &prefixes)?;
        template("chat.header", &self.chat.header, &prefixes)?;
        template("chat.ask", &self.chat.ask, &prefixes)?;
        template("chat.again", &self.chat.again, &prefixes)?;
        template("chat.start", &self.chat.start, &prefixes)?;
        let shot = template("shot", &self.shot, &["title", "text"])?;
        let asked = template("cue", &self.cue, &prefixes)?;
        let reference = template("reference", &self.reference, &["title", "text"])?;
        let scored = template("scored", &self.scored, &["completion", "prefix"])?;
        let lacks = |used: &[String], name: &str| !used.iter().any(|used| used == name);
        let missing =
            |what: &str, at: &Option<Spanned<String>>, used: &[String], name: &str| match at {
                Some(at) if lacks(used, name) => {
                    Err((at.span(), format!("`{what}` lacks the placeholder {{{name}}}")))
                }
                _ => Ok(()),
            };
        missing("shot", &self.shot, &shot, "text")?;
        missing("reference", &self.reference, &reference, "text")?;
        missing("scored", &self.scored, &scored, "completion")?;
        if let Some(end) = &self.title_end
            && (end.get_ref().is_empty() || self.scored.is_some() || lacks(&reference, "title"))
        {
            return Err((end.span(), "`title_end` parts a completion into {title} and {text}; it needs a `reference` with both and no `scored`".to_owned()));
        }
        let has_prefix = asked.iter().any(|name| name.starts_with("prefix"));
        match &self.prefix_words {
            None if has_prefix => {
                return Err((
                    cue.span(),
                    "`cue` holds a prefix of a text, so `prefix_words` must say how many words"
                        .to_owned(),
                ));
            }
            Some(words) if *words.get_ref() == 0 || !has_prefix => {
                return Err((
                    words.span(),
                    "`prefix_words` is at least 1 and needs a {prefix} in `cue`".to_owned(),
                ));
            }
            _ => {}
        }
        if asked.iter().any(|name| name == "instruction") == self.instructions.is_empty() {
            return Err((
                cue.span(),
                "a {instruction} in `cue` and a list of `instructions` need each other".to_owned(),
            ));
        }
        if let Some(stop) = self.stop.iter().find(|stop| stop.get_ref().is_empty()) {
            return Err((
                stop.span(),
                "an empty string in `stop` would end every completion at once".to_owned(),
            ));
        }
        match &self.max_new_tokens {
            Some(tokens) if *tokens.get_ref() == 0 => {
                Err((tokens.span(), "`max_new_tokens` is at least 1".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// The names in braces of a template.
fn placeholders(template: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let tail = &rest[at..];
        if tail.starts_with("{{") || tail.starts_with("}}") {
            rest = &tail[2..];
        } else if tail.starts_with('}') {
            return Err("has a `}` without `{`; a brace itself is written twice".to_owned());
        } else {
            let end =
                tail.find('}').ok_or("has a `{` without `}`; a brace itself is written twice")?;
            names.push(tail[1..end].to_owned());
            rest = &tail[end + 1..];
        }
    }
    Ok(names)
}
