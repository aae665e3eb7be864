//! Tasks as data: what is asked of a model, and what of its answer is scored.

mod file;
#[cfg(test)]
mod tests;

use file::File;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::ops::Range;
use toml::Spanned;

use super::{
    Text,
    grammar::{Grammar, GrammarError},
    template::fill,
};
use crate::data::hex::hex;

/// Why a task is refused.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum TaskError {
    /// A file that cannot be read.
    #[error("cannot read the task file `{path}`: {source}")]
    Open { path: String, source: std::io::Error },
    /// Neither a bundled name nor a file.
    #[error(
        "no task `{name}`; bundled are {bundled}, and a task of one's own is given as a .toml file"
    )]
    Unknown { name: String, bundled: String },
    /// A file that is no task.
    #[error("{path}:{line}: {what}")]
    Invalid { path: String, line: usize, what: String },
}

/// Every bundled task: name and file.
const BUNDLED: [(&str, &str); 7] = [
    ("wikipedia-bio", include_str!("../../prompts/wikipedia-bio.toml")),
    ("webtext", include_str!("../../prompts/webtext.toml")),
    ("webtext-long", include_str!("../../prompts/webtext-long.toml")),
    ("creative", include_str!("../../prompts/creative.toml")),
    ("news", include_str!("../../prompts/news.toml")),
    ("tinystories", include_str!("../../prompts/tinystories.toml")),
    ("synthetic-bio", include_str!("../../prompts/synthetic-bio.toml")),
];

/// The names of the bundled tasks.
pub fn bundled() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|(name, _)| *name)
}

/// What to ask a model for, and what of its answer to score.
///
/// In templates `{title}` and `{text}` are those of a text, `{prefix}` the first `prefix_words` words
/// of one, and `{instruction}` one of `instructions`; `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Grows whenever the prompts change.
    pub version: u32,
    /// SHA-256 of the file, hexadecimal.
    pub hash: String,
    /// One sentence for lists.
    pub description: String,
    /// Stands once, before everything else.
    pub header: Option<String>,
    /// One in-context example; without it the task takes no shots.
    pub shot: Option<String>,
    /// What the model goes on from; the last of the prompt.
    pub cue: String,
    /// Stands between header, shots and cue.
    pub separator: String,
    /// Strings that end a completion.
    pub stop: Vec<String>,
    /// Words of a text that `{prefix}` stands for.
    pub prefix_words: Option<usize>,
    /// What `{instruction}` is drawn from.
    pub instructions: Vec<String>,
    /// How the same is put to a chat model.
    pub chat: Chat,
    /// How a reference text is written before it is compared; default `{text}`.
    pub reference: String,
    /// The grammar whose texts these are, as [`Grammar::named`] understands it: reference and shots are
    /// drawn from it where no file is given, and precision and recall are known exactly.
    pub grammar: Option<String>,
    /// Where a completion is parted into `{title}` and `{text}`, to be written as references are.
    pub title_end: Option<String>,
    /// What of a completion is scored where it is not parted; default `{completion}`.
    pub scored: String,
    /// Both sides are cut to this.
    pub truncate: Option<Truncate>,
    /// Tokens after which a completion is cut, unless the command line says otherwise.
    pub max_new_tokens: usize,
}

/// How a task is put to a chat model; what is absent is as for other models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat {
    /// The system's turn before all others.
    pub system: Option<String>,
    /// Opens the user's turn instead of `header`.
    pub header: Option<String>,
    /// The user's last words, after header and shots.
    pub ask: Option<String>,
    /// With shots as turns: what the user says before each further one.
    pub again: Option<String>,
    /// What the answer is made to begin with; default `cue` where there is no `ask`.
    pub start: Option<String>,
}

/// Where both sides are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truncate {
    /// Whitespace-separated words.
    Words(usize),
    /// Unicode characters.
    Chars(usize),
    /// Tokens of the model that embeds.
    Tokens(usize),
}

impl Task {
    /// The bundled task of that name, or the one in the file.
    ///
    /// # Errors
    ///
    /// [`TaskError`]; what is wrong in a file is said with its line.
    pub fn find(name: &str) -> Result<Self, TaskError> {
        if let Some((name, source)) = BUNDLED.iter().find(|(known, _)| *known == name) {
            return Self::parse(&format!("prompts/{name}.toml"), source);
        }
        let path = std::path::Path::new(name);
        if path.extension().is_none() && !path.exists() {
            let bundled = bundled().collect::<Vec<_>>().join(", ");
            return Err(TaskError::Unknown { name: name.to_owned(), bundled });
        }
        let source = std::fs::read_to_string(path)
            .map_err(|source| TaskError::Open { path: name.to_owned(), source })?;
        Self::parse(name, &source)
    }

    /// The task written in `source`; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// [`TaskError::Invalid`] for what is no TOML, an unknown field, a template with an unknown or
    /// without a needed placeholder, a shot template without a cue, and settings that exclude each other.
    pub fn parse(path: &str, source: &str) -> Result<Self, TaskError> {
        let invalid = |at: Option<Range<usize>>, what: String| {
            let upto = at.map_or(0, |span| span.start.min(source.len()));
            let line = source.as_bytes()[..upto].iter().filter(|&&b| b == b'\n').count() + 1;
            TaskError::Invalid { path: path.to_owned(), line, what }
        };
        let file: File = toml::from_str(source).map_err(|error| {
            invalid(error.span(), error.message().trim_end().replace('\n', " "))
        })?;
        file.check().map_err(|(span, what)| invalid(Some(span), what))?;
        let own = |template: Spanned<String>| template.into_inner();
        let grammar = file.grammar.map(|name| beside(path, name.get_ref()));
        let hash = Sha256::digest(source.as_bytes());
        Ok(Self {
            name: file.name,
            version: file.version,
            hash: hex(hash),
            description: file.description,
            header: file.header.map(own),
            shot: file.shot.map(own),
            cue: file.cue.map(own).unwrap_or_default(),
            separator: file.separator.unwrap_or_else(|| "\n\n".to_owned()),
            stop: file.stop.into_iter().map(own).collect(),
            prefix_words: file.prefix_words.map(Spanned::into_inner),
            instructions: file.instructions,
            chat: Chat {
                system: file.chat.system.map(own),
                header: file.chat.header.map(own),
                ask: file.chat.ask.map(own),
                again: file.chat.again.map(own),
                start: file.chat.start.map(own),
            },
            reference: file.reference.map_or_else(|| "{text}".to_owned(), own),
            grammar,
            title_end: file.title_end.map(own),
            scored: file.scored.map_or_else(|| "{completion}".to_owned(), own),
            truncate: file.truncate.map(Spanned::into_inner),
            max_new_tokens: file.max_new_tokens.map_or(256, Spanned::into_inner),
        })
    }

    /// The task's grammar, where it has one.
    ///
    /// # Errors
    ///
    /// Those of [`Grammar::named`].
    pub fn grammar(&self) -> Result<Option<Grammar>, GrammarError> {
        self.grammar.as_deref().map(Grammar::named).transpose()
    }

    /// Whether each prompt opens with words of a text, so that texts to take them from are needed.
    pub fn needs_prefixes(&self) -> bool {
        self.prefix_words.is_some()
    }

    /// A reference text as it is compared.
    pub fn scored_reference(&self, text: &Text) -> String {
        let title = text.title.as_deref().unwrap_or_default();
        self.cut(&fill(&self.reference, &[("title", title), ("text", text.text.trim())]))
    }

    /// What of a completion is compared: parted and written as references are, or by `scored`.
    ///
    /// `prefix` is the prompt's, [`super::prompt::Prompt::prefix`].
    pub fn scored_completion(&self, completion: &str, prefix: &str) -> String {
        if let Some(end) = &self.title_end {
            let text = completion.trim();
            // A title is part of one line; without it the completion stands as it is.
            if let Some((title, rest)) = text.split_once(end.as_str())
                && !title.contains('\n')
            {
                let (title, rest) = (title.trim(), rest.trim());
                return self.cut(&fill(&self.reference, &[("title", title), ("text", rest)]));
            }
            return self.cut(text);
        }
        let whole = fill(&self.scored, &[("completion", completion), ("prefix", prefix)]);
        self.cut(whole.trim())
    }

    /// The text cut to the task's words or characters; tokens are cut by whoever has the tokenizer.
    pub(super) fn cut(&self, text: &str) -> String {
        match self.truncate {
            Some(Truncate::Words(limit)) => first_words(text, limit).to_owned(),
            Some(Truncate::Chars(limit)) => text.chars().take(limit).collect(),
            Some(Truncate::Tokens(_)) | None => text.to_owned(),
        }
    }
}

/// A file named in a task file is looked for beside it.
fn beside(task: &str, name: &str) -> String {
    let (file, _) = name.split_once('?').unwrap_or((name, ""));
    match std::path::Path::new(task).parent() {
        Some(folder) if file.ends_with(".grammar") => folder.join(name).display().to_string(),
        _ => name.to_owned(),
    }
}

/// The text up to the end of its `limit`-th word, spacing as it was.
pub fn first_words(text: &str, limit: usize) -> &str {
    let mut words = 0;
    let mut inside = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            if inside && words == limit {
                return &text[..at];
            }
            inside = false;
        } else if !inside {
            inside = true;
            words += 1;
            if words > limit {
                return text[..at].trim_end();
            }
        }
    }
    text
}
