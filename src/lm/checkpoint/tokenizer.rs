//! Texts to token ids and back, as the checkpoint's own tokenizer does it.

use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::{path::Path, sync::OnceLock};

use crate::{data::hex::hex, lm::LmError};

mod coder;
mod extras;
pub(crate) mod first;
mod incremental;
mod merge;
pub(crate) mod pieces;
#[cfg(test)]
mod tests;

pub(crate) use coder::Coder;
pub(crate) use extras::{Extras, SPECIAL_TOKENS};
pub use incremental::Incremental;
pub(crate) use merge::Ranks;

/// A checkpoint's tokenizer, its special tokens and its chat templates.
///
/// Ids equal those of Python's `tokenizers`, or llama.cpp's where the vocabulary comes from a GGUF
/// file; padding and truncation that a tokenizer.json may ask for are off. Decoding leaves special tokens
/// out and does not "clean up" spaces.
pub struct Tokenizer {
    coder: Coder,
    /// Begin-of-text token as text, where there is one.
    pub bos: Option<String>,
    /// End-of-text token as text, where there is one.
    pub eos: Option<String>,
    /// The special tokens as text, by the names that chat templates know them by: `bos_token` and the like.
    pub special_tokens: IndexMap<String, String>,
    /// Jinja sources that render a conversation, by name.
    pub chat_templates: IndexMap<String, String>,
    adds_bos: bool,
    hash: OnceLock<String>,
    breakers: OnceLock<Vec<u32>>,
}

/// The strings over which repetitions do not reach that DRY counts, its author's: a token that holds one is a breaker.
const SEQUENCE_BREAKERS: [&str; 4] = ["\n", ":", "\"", "*"];

/// What the template is called that `apply_chat_template` takes of several.
const DEFAULT_TEMPLATE: &str = "default";

impl Tokenizer {
    /// Reads a folder's tokenizer.json, tokenizer_config.json, special_tokens_map.json and chat
    /// templates; `None` when there is no tokenizer.json.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`] and [`LmError::BadFile`] when a file is there and cannot be used.
    pub fn open(folder: &Path) -> Result<Option<Self>, LmError> {
        let path = folder.join("tokenizer.json");
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path)
            .map_err(|source| LmError::Read { path: path.display().to_string(), source })?;
        let coder = Coder::library(path.display().to_string(), &bytes)?;
        Self::new(coder, Extras::open(folder)?).map(Some)
    }

    pub(crate) fn new(coder: Coder, extras: Extras) -> Result<Self, LmError> {
        let Extras { special_tokens, chat_templates, adds_bos } = extras;
        let known = |name: &str| {
            let text = special_tokens.get(name).filter(|text| coder.id(text).is_some());
            text.cloned()
        };
        let (bos, eos) = (known("bos_token"), known("eos_token"));
        let first = coder.encode("", true)?.first().copied();
        let processed = first.is_some() && first == bos.as_deref().and_then(|t| coder.id(t));
        let adds_bos = bos.is_some() && adds_bos.unwrap_or(processed);
        let (hash, breakers) = (OnceLock::new(), OnceLock::new());
        Ok(Self { coder, bos, eos, special_tokens, chat_templates, adds_bos, hash, breakers })
    }

    /// The Jinja source that renders a conversation unless another is named, where there is one.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_templates.get(DEFAULT_TEMPLATE).map(String::as_str)
    }

    /// Token ids of a text, nothing added. Special tokens written out in the text become their ids,
    /// as in Python.
    ///
    /// # Errors
    ///
    /// [`LmError::Tokenize`] when the text has a character the vocabulary cannot express at all.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LmError> {
        self.coder.encode(text, false)
    }

    /// The same with whatever the file's post-processor puts around a text (`[CLS] … [SEP]`, `<s> …`).
    pub fn encode_special(&self, text: &str) -> Result<Vec<u32>, LmError> {
        self.coder.encode(text, true)
    }

    /// Token ids of a text that a model is to continue: begin-of-text in front if this tokenizer uses it,
    /// whatever the text begins with; never end-of-text behind.
    ///
    /// A rendered chat template writes its special tokens itself and goes through [`encode`](Self::encode).
    ///
    /// # Errors
    ///
    /// [`LmError::Tokenize`].
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, LmError> {
        let ids = self.encode(text)?;
        let bos = self.bos_id().filter(|_| self.adds_bos);
        Ok(bos.into_iter().chain(ids).collect())
    }

    /// The text of token ids, special tokens left out; ids beyond the vocabulary give nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.coder.decode(ids)
    }

    /// The text that `ids` add behind `prompt`, with the space a decoder would drop at a start.
    pub fn decode_after(&self, prompt: &[u32], ids: &[u32]) -> String {
        let mut text = Incremental::new(self, prompt);
        for id in ids {
            text.push(*id);
        }
        text.into_text()
    }

    /// The text of one token as the vocabulary spells it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.coder.token(id)
    }

    /// The id of a token given as the vocabulary spells it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.coder.id(token)
    }

    /// Whether begin-of-text goes before a plain prompt.
    pub fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    /// Id of [`bos`](Self::bos).
    pub fn bos_id(&self) -> Option<u32> {
        self.bos.as_deref().and_then(|text| self.id(text))
    }

    /// Id of [`eos`](Self::eos).
    pub fn eos_id(&self) -> Option<u32> {
        self.eos.as_deref().and_then(|text| self.id(text))
    }

    /// Number of ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.coder.size()
    }

    /// The tokens whose text holds a line break, a colon, a quotation mark or an asterisk, over which repetitions do
    /// not reach that DRY counts; ascending.
    pub fn breakers(&self) -> &[u32] {
        self.breakers.get_or_init(|| {
            let breaks = |id: &u32| {
                let text = self.decode(&[*id]);
                SEQUENCE_BREAKERS.iter().any(|breaker| text.contains(breaker))
            };
            (0..self.vocab_size() as u32).filter(breaks).collect()
        })
    }

    /// SHA-256, in hexadecimal, of what decides ids and chat prompts.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let mut hasher = Sha256::new();
            hasher.update(self.coder.identity());
            for part in [self.bos.as_deref(), self.eos.as_deref(), self.chat_template()] {
                hasher.update([u8::from(part.is_some())]);
                hasher.update(part.unwrap_or_default());
            }
            hex(hasher.finalize())
        })
    }
}

/// What a token gives to a decoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its own characters (or bytes of them, in byte-level vocabularies).
    Text,
    /// One byte, whose run of bytes is text or not as a whole.
    Byte,
    /// Nothing: a special token, or an id beyond the vocabulary.
    Silent,
}
