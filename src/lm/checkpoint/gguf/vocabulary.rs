//! The tokenizer that a GGUF file's metadata describes.

use indexmap::IndexMap;
use std::collections::HashMap;
use tokenizers::{
    AddedToken, SplitDelimiterBehavior,
    decoders::{
        byte_fallback::ByteFallback, byte_level::ByteLevel as BytesOut, fuse::Fuse,
        sequence::Sequence as Decoders, strip::Strip as StripOut,
    },
    models::bpe::{BPE, Vocab},
    normalizers::{
        Prepend, Replace, Sequence as Normalizers, replace::ReplacePattern, unicode::NFC,
    },
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use super::{Gguf, Value};
use crate::lm::{
    LmError, Tokenizer,
    checkpoint::tokenizer::{Extras, SPECIAL_TOKENS},
};

/// How GPT-2's descendants cut a text before the merges; `DIGITS` stands for a run of digits.
const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Mistral's Tekken, which also cuts where the case changes.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// llama.cpp's `token_type`.
mod kind {
    pub const NORMAL: u64 = 1;
    pub const UNKNOWN: u64 = 2;
    pub const CONTROL: u64 = 3;
    pub const USER_DEFINED: u64 = 4;
    pub const UNUSED: u64 = 5;
}

impl Gguf {
    /// A special token's id, `None` where the file names none or one beyond its vocabulary.
    pub(super) fn token(&self, role: &str) -> Result<Option<u32>, LmError> {
        let key = format!("tokenizer.ggml.{role}_token_id");
        let id = self.optional(&key, "a token id", |v| match v {
            Value::Signed(-1) => Some(u32::MAX),
            other => other.whole().and_then(|id| u32::try_from(id).ok()),
        })?;
        Ok(id.filter(|id| *id != u32::MAX))
    }

    /// The tokens after which a text ends: of text, of turn, of message.
    pub(super) fn ends(&self) -> Result<Vec<u32>, LmError> {
        let mut ends = Vec::new();
        for role in ["eos", "eot", "eom"] {
            if let Some(id) = self.token(role)?.filter(|id| !ends.contains(id)) {
                ends.push(id);
            }
        }
        Ok(ends)
    }

    fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, LmError> {
        self.optional(key, "a list of texts", |value| match value {
            Value::List(list) => list.iter().map(Value::text).collect(),
            _ => None,
        })
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, LmError> {
        let read = |value: &Value| if let Value::Bool(flag) = value { Some(*flag) } else { None };
        self.optional(&format!("tokenizer.ggml.{name}"), "true or false", read)
    }

    /// The chat templates by name; the one without a name is the default.
    fn chat_templates(&self) -> Result<IndexMap<String, String>, LmError> {
        let mut templates = IndexMap::new();
        let mut keys: Vec<&String> =
            self.metadata.keys().filter(|key| key.starts_with("tokenizer.chat_template")).collect();
        keys.sort();
        for key in keys {
            let name = match &key["tokenizer.chat_template".len()..] {
                "" => "default",
                name if name.starts_with('.') => &name[1..],
                _ => continue,
            };
            let text = self.optional(key, "a text", |v| v.text())?;
            templates.extend(text.map(|text| (name.to_owned(), text.to_owned())));
        }
        Ok(templates)
    }

    /// Builds the tokenizer; `None` when the file has none.
    ///
    /// # Errors
    ///
    /// [`LmError::BadFile`] for a kind of tokenizer or a way of cutting texts that is not supported,
    /// and for vocabularies that contradict themselves.
    pub fn tokenizer(&self) -> Result<Option<Tokenizer>, LmError> {
        let Some(tokens) = self.texts("tokenizer.ggml.tokens")? else { return Ok(None) };
        let kinds =
            self.optional("tokenizer.ggml.token_type", "a list of whole numbers", |value| {
                match value {
                    Value::List(list) => list.iter().map(Value::whole).collect::<Option<Vec<_>>>(),
                    _ => None,
                }
            })?;
        let kinds = kinds.unwrap_or_else(|| vec![kind::NORMAL; tokens.len()]);
        if kinds.len() != tokens.len() {
            return Err(self.bad(format!(
                "{} token types for {} tokens",
                kinds.len(),
                tokens.len()
            )));
        }
        let model =
            self.optional("tokenizer.ggml.model", "a text", |v| v.text())?.unwrap_or("none");
        let vocabulary = Vocabulary { tokens: &tokens, kinds: &kinds };
        let (mut inner, adds_bos) = match model {
            "gpt2" => self.byte_level(&vocabulary)?,
            "llama" => self.sentence_piece(&vocabulary)?,
            other => {
                let what = format!(
                    "tokenizers of kind `{other}` are not supported; supported are gpt2 and llama"
                );
                return Err(self.bad(what));
            }
        };
        let added = vocabulary.added();
        inner.add_tokens(added).map_err(|e| self.bad(format!("its added tokens: {e}")))?;
        let spelled =
            |id: Option<u32>| id.and_then(|id| tokens.get(id as usize)).map(|t| (*t).to_owned());
        // llama.cpp's names of Hugging Face's special tokens, in the order of those.
        let roles = ["bos", "eos", "unknown", "seperator", "padding", "cls", "mask"];
        let mut special_tokens = IndexMap::new();
        for (name, role) in SPECIAL_TOKENS.into_iter().zip(roles) {
            let text = spelled(self.token(role)?);
            special_tokens.extend(text.map(|text| (name.to_owned(), text)));
        }
        let extras = Extras {
            special_tokens,
            chat_templates: self.chat_templates()?,
            adds_bos: Some(self.flag("add_bos_token")?.unwrap_or(adds_bos)),
        };
        Tokenizer::new(inner, extras).map(Some)
    }

    /// Byte-level BPE with the file's merges; whether such files begin texts with BOS by default.
    fn byte_level(
        &self,
        vocabulary: &Vocabulary<'_>,
    ) -> Result<(tokenizers::Tokenizer, bool), LmError> {
        let merges = self.texts("tokenizer.ggml.merges")?;
        let merges = merges
            .ok_or_else(|| self.bad("the metadata value `tokenizer.ggml.merges` is missing"))?;
        let pair = |merge: &&str| {
            let (left, right) = merge.split_once(' ')?;
            Some((left.to_owned(), right.to_owned()))
        };
        let merges: Option<Vec<_>> = merges.iter().map(pair).collect();
        let merges =
            merges.ok_or_else(|| self.bad("a merge of its tokenizer is not two tokens"))?;
        let pre = self.optional("tokenizer.ggml.pre", "a text", |v| v.text())?.unwrap_or("none");
        let bytes = ByteLevel::new(false, true, true);
        let words = |digits: &str| {
            let pattern = SplitPattern::Regex(WORDS.replace("DIGITS", digits));
            Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
        };
        let fail = |e: tokenizers::Error| self.bad(format!("its tokenizer: {e}"));
        let cut =
            |split: Result<Split, tokenizers::Error>| -> Result<PreTokenizerWrapper, LmError> {
                let bytes = ByteLevel::new(false, true, false);
                Ok(Sequence::new(vec![split.map_err(fail)?.into(), bytes.into()]).into())
            };
        // Llama 3 and Tekken take a whole word that is a token before any merge.
        let (cut, whole_words): (PreTokenizerWrapper, bool) = match pre {
            "gpt-2" | "gpt2" | "olmo" | "phi-2" => (bytes.into(), false),
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" => {
                (Sequence::new(vec![Digits::new(true).into(), bytes.into()]).into(), false)
            }
            "llama-bpe" | "llama3" | "llama-v3" => (cut(words(r"\p{N}{1,3}"))?, true),
            "qwen2" | "deepseek-r1-qwen" => (cut(words(r"\p{N}"))?, false),
            "tekken" => {
                let pattern = SplitPattern::Regex(TEKKEN.into());
                (cut(Split::new(pattern, SplitDelimiterBehavior::Isolated, false))?, true)
            }
            other => {
                return Err(self.bad(format!(
                    "the pre-tokenizer `{other}` is not supported; supported are gpt-2, smollm, \
                     llama-bpe, qwen2, tekken, starcoder, refact, command-r, codeshell, olmo and phi-2"
                )));
            }
        };
        let bpe =
            BPE::builder().vocab_and_merges(vocabulary.ids(), merges).ignore_merges(whole_words);
        let mut inner = tokenizers::Tokenizer::new(bpe.build().map_err(fail)?);
        if matches!(pre, "qwen2" | "deepseek-r1-qwen") {
            inner.with_normalizer(Some(NFC)).map_err(fail)?;
        }
        inner.with_pre_tokenizer(Some(cut));
        inner.with_decoder(Some(BytesOut::default()));
        Ok((inner, whole_words))
    }

    /// SentencePiece BPE: the pair whose merger scores highest is merged first.
    fn sentence_piece(
        &self,
        vocabulary: &Vocabulary<'_>,
    ) -> Result<(tokenizers::Tokenizer, bool), LmError> {
        let scores =
            self.optional("tokenizer.ggml.scores", "a list of numbers", |value| match value {
                Value::List(list) => list.iter().map(Value::number).collect::<Option<Vec<_>>>(),
                _ => None,
            })?;
        let scores = scores.filter(|scores| scores.len() == vocabulary.tokens.len());
        let scores = scores
            .ok_or_else(|| self.bad("`tokenizer.ggml.scores` is not one number per token"))?;
        if self.get("tokenizer.ggml.precompiled_charsmap").is_some() {
            return Err(self
                .bad("a tokenizer with a character map (precompiled_charsmap) is not supported"));
        }
        if self.flag("remove_extra_whitespaces")? == Some(true) {
            return Err(self.bad(
                "a tokenizer that removes spaces (remove_extra_whitespaces) is not supported",
            ));
        }
        let fail = |e: tokenizers::Error| self.bad(format!("its tokenizer: {e}"));
        let unknown = vocabulary.kinds.iter().position(|kind| *kind == kind::UNKNOWN).unwrap_or(0);
        let mut bpe = BPE::builder()
            .vocab_and_merges(vocabulary.ids(), vocabulary.merges(&scores))
            .byte_fallback(true)
            .fuse_unk(true);
        if let Some(token) = vocabulary.tokens.get(unknown) {
            bpe = bpe.unk_token((*token).to_owned());
        }
        let mut inner = tokenizers::Tokenizer::new(bpe.build().map_err(fail)?);
        let spaces = Replace::new(ReplacePattern::String(" ".into()), "▁").map_err(fail)?;
        let out = Replace::new(ReplacePattern::String("▁".into()), " ").map_err(fail)?;
        let prefixed = self.flag("add_space_prefix")?.unwrap_or(true);
        let mut normalizers = vec![spaces.into()];
        let mut decoders = vec![out.into(), ByteFallback::new().into(), Fuse::new().into()];
        if prefixed {
            normalizers.insert(0, Prepend::new("▁".into()).into());
            decoders.push(StripOut::new(' ', 1, 0).into());
        }
        inner.with_normalizer(Some(Normalizers::new(normalizers))).map_err(fail)?;
        inner.with_decoder(Some(Decoders::new(decoders)));
        Ok((inner, true))
    }
}

struct Vocabulary<'a> {
    tokens: &'a [&'a str],
    kinds: &'a [u64],
}

impl Vocabulary<'_> {
    /// Tokens to ids, fillers left out.
    fn ids(&self) -> Vocab {
        let used = (0..self.tokens.len()).filter(|id| self.kinds[*id] != kind::UNUSED);
        used.map(|id| (self.tokens[id].to_owned(), id as u32)).collect()
    }

    /// The tokens that are found in a text before anything else.
    fn added(&self) -> Vec<AddedToken> {
        let added = |id: usize| match self.kinds[id] {
            kind::CONTROL | kind::UNKNOWN => Some(AddedToken::from(self.tokens[id], true)),
            kind::USER_DEFINED => Some(AddedToken::from(self.tokens[id], false).normalized(false)),
            _ => None,
        };
        (0..self.tokens.len()).filter_map(added).collect()
    }

    /// Every way to make a token from two others, best score first; ties go to longer parts, then to lower ids.
    fn merges(&self, scores: &[f64]) -> Vec<(String, String)> {
        let ids: HashMap<&str, usize> = (0..self.tokens.len())
            .filter(|id| self.kinds[*id] != kind::UNUSED)
            .map(|id| (self.tokens[id], id))
            .collect();
        let mut merges = Vec::new();
        for (id, token) in self.tokens.iter().enumerate() {
            if !matches!(self.kinds[id], kind::NORMAL | kind::USER_DEFINED) {
                continue;
            }
            for (cut, _) in token.char_indices().skip(1) {
                let (left, right) = token.split_at(cut);
                if let (Some(l), Some(r)) = (ids.get(left), ids.get(right)) {
                    let lengths = (left.chars().count(), right.chars().count());
                    merges.push((
                        scores[id],
                        lengths,
                        (id, *l, *r),
                        left.to_owned(),
                        right.to_owned(),
                    ));
                }
            }
        }
        merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
        merges.into_iter().map(|(_, _, _, left, right)| (left, right)).collect()
    }
}
