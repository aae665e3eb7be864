//! Texts to token ids and back, as the checkpoint's own tokenizer does it.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{path::Path, sync::OnceLock};

use crate::{data::hex::hex, lm::LmError};

mod incremental;
#[cfg(test)]
mod tests;

pub use incremental::Incremental;

/// A checkpoint's tokenizer, its special tokens and its chat template.
///
/// Ids equal those of Python's `tokenizers`; padding and truncation that the file may ask for are
/// off. Decoding leaves special tokens out and does not "clean up" spaces.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Begin-of-text token as text, where there is one.
    pub bos: Option<String>,
    /// End-of-text token as text, where there is one.
    pub eos: Option<String>,
    /// The Jinja source that renders a conversation, where there is one.
    pub chat_template: Option<String>,
    adds_bos: bool,
    byte_fallback: bool,
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
        let inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| LmError::BadFile {
            path: path.display().to_string(),
            what: format!("not a tokenizer: {e}"),
        })?;
        Self::new(inner, extras(folder)?).map(Some)
    }

    pub(crate) fn new(mut inner: tokenizers::Tokenizer, extras: Extras) -> Result<Self, LmError> {
        inner.with_padding(None);
        inner.with_truncation(None).map_err(failed)?;
        let Extras { bos, eos, chat_template, adds_bos } = extras;
        let bos = bos.filter(|text| inner.token_to_id(text).is_some());
        let eos = eos.filter(|text| inner.token_to_id(text).is_some());
        let first = inner.encode_fast("", true).map_err(failed)?.get_ids().first().copied();
        let processed =
            first.is_some() && first == bos.as_deref().and_then(|t| inner.token_to_id(t));
        let adds_bos = bos.is_some() && adds_bos.unwrap_or(processed);
        let byte_fallback = inner.token_to_id("<0x00>").is_some();
        Ok(Self { inner, bos, eos, chat_template, adds_bos, byte_fallback, hash: OnceLock::new() })
    }

    /// Token ids of a text, nothing added. Special tokens written out in the text become their ids,
    /// as in Python.
    ///
    /// # Errors
    ///
    /// [`LmError::Tokenize`] when the text has a character the vocabulary cannot express at all.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LmError> {
        Ok(self.inner.encode_fast(text, false).map_err(failed)?.get_ids().to_vec())
    }

    /// The same with whatever the file's post-processor puts around a text (`[CLS] … [SEP]`, `<s> …`).
    pub fn encode_special(&self, text: &str) -> Result<Vec<u32>, LmError> {
        Ok(self.inner.encode_fast(text, true).map_err(failed)?.get_ids().to_vec())
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
        self.inner.decode(ids, true).unwrap_or_default()
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
        self.inner.id_to_token(id)
    }

    /// The id of a token given as the vocabulary spells it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
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
        self.inner.get_vocab_size(true)
    }

    /// SHA-256, in hexadecimal, of what decides ids and chat prompts.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let mut hasher = Sha256::new();
            hasher.update(self.inner.to_string(false).unwrap_or_default());
            for part in [&self.bos, &self.eos, &self.chat_template] {
                hasher.update([u8::from(part.is_some())]);
                hasher.update(part.as_deref().unwrap_or_default());
            }
            hex(hasher.finalize())
        })
    }

    /// How a token's text hangs together with its neighbors'.
    fn part(&self, id: u32) -> Part {
        let Some(text) = self.token(id) else { return Part::Silent };
        if self.inner.get_added_vocabulary().is_special_token(&text) {
            return Part::Silent;
        }
        let spelled = text.len() == 6 && text.starts_with("<0x") && text.ends_with('>');
        if self.byte_fallback && spelled { Part::Byte } else { Part::Text }
    }
}

/// What a token gives to a decoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Its own characters (or bytes of them, in byte-level vocabularies).
    Text,
    /// One byte, whose run of bytes is text or not as a whole.
    Byte,
    /// Nothing: a special token, or an id beyond the vocabulary.
    Silent,
}

fn failed(error: tokenizers::Error) -> LmError {
    LmError::Tokenize { what: error.to_string() }
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
