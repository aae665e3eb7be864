//! What was read from a file, and what a person should know about it.

use std::collections::HashSet;

use crate::text::{Text, count_blank};

/// What to do where a file holds no text in a place of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Requests of a batch that failed, or were answered without content, are an error instead of left out.
    pub strict: bool,
    /// Texts that are null are left out instead of an error, and empty ones, too.
    pub skip_missing: bool,
}

/// The texts of a file, and how it was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The texts.
    pub texts: Vec<Text>,
    /// Where they were, such as `` `text` ``; empty where a file has no fields.
    pub taken: String,
    /// Fields that might have been meant as well, by name.
    pub not_taken: Vec<String>,
    /// Requests of a batch that failed: the name of each and why.
    pub failed: Vec<(String, String)>,
    /// Requests that were answered without content, such as by thoughts alone; once for each answer.
    pub without_content: Vec<String>,
    /// Rows, from 1, whose text is null.
    pub missing: Vec<usize>,
    /// Empty texts that were left out.
    pub skipped_blank: usize,
    /// Rows that repeat a document under another filter.
    pub repeated: usize,
    /// Whether there are prompts, and every text begins with its own.
    pub(super) all_repeat_prompt: bool,
}

/// Names that a sentence spells out.
const SPELLED: usize = 6;

impl Reading {
    /// Texts that answer one prompt are a group: how many there are, where every text names its prompt.
    pub fn groups(&self) -> Option<usize> {
        let names: Option<HashSet<&str>> = self.texts.iter().map(prompt).collect();
        names.map(|names| names.len()).filter(|_| !self.texts.is_empty())
    }

    /// The requests of a batch that gave no text, as a part of a sentence; empty where all did.
    pub fn unanswered(&self) -> Vec<String> {
        let mut parts = Vec::new();
        let failed: Vec<String> =
            self.failed.iter().map(|(name, why)| format!("{name} ({why})")).collect();
        if !failed.is_empty() {
            let noun = if failed.len() == 1 { "request" } else { "requests" };
            parts.push(format!("{} {noun} failed: {}", failed.len(), spelled(&failed)));
        }
        if !self.without_content.is_empty() {
            let (n, names) = (self.without_content.len(), spelled(&self.without_content));
            let noun = if n == 1 { "answer has" } else { "answers have" };
            parts.push(format!("{n} {noun} no content: {names}"));
        }
        parts
    }

    /// What is worth saying about the file `name`, a sentence each.
    pub fn notes(&self, name: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let n = self.texts.len();
        let mut say = |what: String| notes.push(format!("`{name}`: {what}"));
        if !self.not_taken.is_empty() {
            let others: Vec<String> =
                self.not_taken.iter().map(|other| format!("`{other}`")).collect();
            let repeats = if self.all_repeat_prompt && n > 0 {
                "; every text begins with its prompt"
            } else {
                ""
            };
            say(format!(
                "texts are {}; also there: {}{repeats}; FILE:FIELD names another",
                self.taken,
                others.join(", ")
            ));
        }
        if self.not_taken.is_empty() && !["", "`text`"].contains(&&*self.taken) {
            say(format!("texts are {}", self.taken));
        }
        if self.repeated > 0 {
            let rows = self.repeated;
            say(format!("{rows} rows repeat a document under another filter; each counts once"));
        }
        for part in self.unanswered() {
            say(format!("{part}; --strict refuses the file"));
        }
        if !self.missing.is_empty() {
            say(format!("{} rows without a text are left out", self.missing.len()));
        }
        if self.skipped_blank > 0 {
            say(format!("{} empty texts are left out", self.skipped_blank));
        }
        match count_blank(&self.texts) {
            0 => {}
            blank => say(format!(
                "{blank} of {n} texts are empty and count like the others; --skip-missing leaves them out"
            )),
        }
        notes
    }
}

/// What names the prompt that a text answers.
fn prompt(text: &Text) -> Option<&str> {
    text.prompt_id.as_deref().or(text.prompt.as_deref())
}

/// The first names, and how many more there are.
fn spelled(names: &[String]) -> String {
    let first = names[..names.len().min(SPELLED)].join(", ");
    match names.len().saturating_sub(SPELLED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
