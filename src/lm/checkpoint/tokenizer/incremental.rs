//! The text of a completion while its tokens arrive.

use super::{Part, Tokenizer};

/// Tokens that are decoded anew at each step, to see the spaces and bytes that span tokens.
const WINDOW: usize = 8;

/// Decodes one token after another behind a prompt.
///
/// [`text`](Self::text) is at every moment what decoding all tokens at once would add to the
/// prompt's text. Its end may still change while a character is incomplete (it shows as U+FFFD).
pub struct Incremental<'a> {
    tokenizer: &'a Tokenizer,
    context: Vec<u32>,
    window: Vec<u32>,
    text: String,
    settled: usize,
    in_bytes: bool,
}

impl<'a> Incremental<'a> {
    /// Starts behind `prompt`, which may be empty.
    pub fn new(tokenizer: &'a Tokenizer, prompt: &[u32]) -> Self {
        let context = prompt[prompt.len().saturating_sub(WINDOW)..].to_vec();
        Self {
            tokenizer,
            context,
            window: Vec::new(),
            text: String::new(),
            settled: 0,
            in_bytes: false,
        }
    }

    /// Adds a token.
    pub fn push(&mut self, id: u32) {
        self.window.push(id);
        let tail = self.tail();
        self.text.truncate(self.settled);
        self.text.push_str(&tail);
        match self.tokenizer.coder.part(id) {
            Part::Silent => {}
            part => self.in_bytes = part == Part::Byte,
        }
        // A later token can still change the text of a run of bytes and of a broken character.
        let open = self.in_bytes || self.text.ends_with(char::REPLACEMENT_CHARACTER);
        if self.window.len() >= WINDOW && !open {
            self.settle();
        }
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, given away.
    pub fn into_text(self) -> String {
        self.text
    }

    /// What the window adds behind the context.
    fn tail(&self) -> String {
        let mut ids = self.context.clone();
        let before = self.tokenizer.decode(&ids);
        ids.extend_from_slice(&self.window);
        let mut whole = self.tokenizer.decode(&ids);
        // A character begun in the prompt belongs to the completion once it is whole.
        let before = before.trim_end_matches(char::REPLACEMENT_CHARACTER);
        match whole.starts_with(before) {
            true => whole.split_off(before.len()),
            false => self.tokenizer.decode(&self.window),
        }
    }

    /// Makes the window the context, if it has text to hold a place by.
    fn settle(&mut self) {
        if self.text.len() > self.settled && !self.tokenizer.decode(&self.window).is_empty() {
            self.settled = self.text.len();
            self.context = std::mem::take(&mut self.window);
        }
    }
}
