//! Texts to token ids and back, as the checkpoint's own tokenizer does it.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{path::Path, sync::OnceLock};

use crate::{data::hex::hex, lm::LmError};

mod coder;
pub(crate) mod first;
mod incremental;
mod merge;
pub(crate) mod pieces;
#[cfg(test)]
mod tests;

pub(crate) use coder::Coder;
pub use incremental::Incremental;
pub(crate) use merge::Ranks;

/// A checkpoint's tokenizer, its special tokens and its chat template.
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
    /// The Jinja source that renders a conversation, where there is one.
    pub chat_template: Option<String>,
    adds_bos: bool,
    hash: OnceLock<String>,
}

/// What tokenizer_config.json and its relatives, or a GGUF file, say beside the vocabulary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub bos: Option<String>,
    pub eos: Option<String>,
    pub chat_template: Option<String>,
    /// Whether a text begins with `bos`; `None` leaves it to the post-processor.
    pub adds_bos: Option<bool>,
}

impl Tokenizer {
    /// Reads a folder's tokenizer.json, tokenizer_config.json, special_tokens_map.json and
    /// chat_template.jinja; `None` when there is no tokenizer.json.
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
        Self::new(coder, extras(folder)?).map(Some)
    }

    pub(crate) fn new(coder: Coder, extras: Extras) -> Result<Self, LmError> {
        let Extras { bos, eos, chat_template, adds_bos } = extras;
        let bos = bos.filter(|text| coder.id(text).is_some());
        let eos = eos.filter(|text| coder.id(text).is_some());
        let first = coder.encode("", true)?.first().copied();
        let processed = first.is_some() && first == bos.as_deref().and_then(|t| coder.id(t));
        let adds_bos = bos.is_some() && adds_bos.unwrap_or(processed);
        Ok(Self { coder, bos, eos, chat_template, adds_bos, hash: OnceLock::new() })
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

    /// Token ids of a text that a model is to continue: begin-of-text once in front if this tokenizer
    /// uses it, also when a chat template has written it already; never end-of-text behind.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, LmError> {
        let mut ids = self.encode(text)?;
        let Some(bos) = self.bos_id().filter(|_| self.adds_bos) else { return Ok(ids) };
        let written = ids.iter().take_while(|id| **id == bos).count();
        match written {
            0 => ids.insert(0, bos),
            _ => drop(ids.drain(1..written)),
        }
        Ok(ids)
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

    /// SHA-256, in hexadecimal, of what decides ids and chat prompts.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let mut hasher = Sha256::new();
            hasher.update(self.coder.identity());
            for part in [&self.bos, &self.eos, &self.chat_template] {
                hasher.update([u8::from(part.is_some())]);
                hasher.update(part.as_deref().unwrap_or_default());
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

/// Special tokens and chat template of a folder; tokenizer_config.json goes first.
fn extras(folder: &Path) -> Result<Extras, LmError> {
    let object = |name: &str| -> Result<Map<String, Value>, LmError> {
        let path = folder.join(name);
        if !path.exists() {
            return Ok(Map::new());
        }
        let bad = |e| LmError::BadFile {
            path: path.display().to_string(),
            what: format!("not a JSON object: {e}"),
        };
        serde_json::from_str(&crate::lm::read_text(&path)?).map_err(bad)
    };
    let config = object("tokenizer_config.json")?;
    let specials = object("special_tokens_map.json")?;
    let special = |name: &str| {
        let texts = [config.get(name), specials.get(name)];
        texts.into_iter().flatten().find_map(|token| {
            let text = if token.is_object() { token.get("content")? } else { token };
            text.as_str().map(str::to_owned)
        })
    };
    let template = folder.join("chat_template.jinja");
    let chat_template = match template.exists() {
        true => Some(crate::lm::read_text(&template)?),
        false => config.get("chat_template").and_then(default_template),
    };
    // Python rebuilds the post-processor of these classes from the flag; other classes ignore it.
    let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
    let flag = config.get("add_bos_token").and_then(Value::as_bool);
    let adds_bos =
        flag.filter(|_| class.starts_with("LlamaTokenizer") || class.starts_with("CodeLlama"));
    Ok(Extras { bos: special("bos_token"), eos: special("eos_token"), chat_template, adds_bos })
}

/// A template as text, or the one called `default` of a list of `{name, template}`, else the first.
fn default_template(value: &Value) -> Option<String> {
    let text = |entry: &Value| entry.get("template").and_then(Value::as_str).map(str::to_owned);
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => {
            let named =
                list.iter().find(|e| e.get("name").and_then(Value::as_str) == Some("default"));
            text(named.or(list.first())?)
        }
        _ => None,
    }
}
