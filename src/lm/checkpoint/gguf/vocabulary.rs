//! The tokenizer that a GGUF file's metadata describes.

use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tokenizers::utils::SysRegex;

use super::{
    Gguf, Value,
    cut::{self, Sees},
};
use crate::{
    data::hex::hex,
    lm::{
        LmError, Tokenizer,
        checkpoint::{
            guard::guarded,
            notes,
            tokenizer::{
                Coder, Extras, Ranks, SPECIAL_TOKENS,
                first::Trims,
                pieces::{Method, Pieces, Words},
            },
        },
    },
};

impl Gguf {
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, LmError> {
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

    /// Builds the tokenizer; `None` when the file has none. Its ids are llama.cpp's.
    ///
    /// # Errors
    ///
    /// [`LmError::BadFile`] for a kind of tokenizer or a way of cutting texts that is not supported,
    /// and for vocabularies that contradict themselves.
    pub fn tokenizer(&self) -> Result<Option<Tokenizer>, LmError> {
        let Some(tokens) = self.texts("tokenizer.ggml.tokens")? else { return Ok(None) };
        guarded(&self.path.display().to_string(), || self.listed(&tokens)).map(Some)
    }

    fn listed(&self, tokens: &[&str]) -> Result<Tokenizer, LmError> {
        let roles = self.roles(tokens)?;
        let named = |(id, text): (usize, &&str)| match text.is_empty() {
            true => format!("[EMPTY_{id}]"),
            false => (*text).to_owned(),
        };
        let tokens: Vec<String> = tokens.iter().enumerate().map(named).collect();
        // llama.cpp reads a text up to its first zero byte, so that it finds no such token.
        let reached = tokens.iter().cloned().zip(0..).filter(|(token, _)| !token.contains('\0'));
        let ids: HashMap<String, u32> = reached.collect();
        let model =
            self.optional("tokenizer.ggml.model", "a text", |v| v.text())?.unwrap_or("none");
        let mut hash = Sha256::new();
        for (token, role) in tokens.iter().zip(&roles) {
            hash.update(format!("{token}\0{role:?}\0"));
        }
        let (method, adds_bos) = match model {
            "gpt2" => self.merges(self.pre()?, tokens.len(), &ids, &mut hash)?,
            "gemma4" => self.merges("gemma4", tokens.len(), &ids, &mut hash)?,
            "llama" => self.scores(tokens.len(), &mut hash)?,
            other => {
                let what = format!(
                    "tokenizers of kind `{other}` are not supported; supported are gpt2, llama and gemma4"
                );
                return Err(self.bad(what));
            }
        };
        let adds_eos = self.flag("add_eos_token")?.unwrap_or(false);
        let (bos, eos) = (self.token("bos")?, self.token("eos")?);
        let around = [bos.filter(|_| adds_bos), eos.filter(|_| adds_eos)];
        let spelled = |id: Option<u32>| id.and_then(|id| tokens.get(id as usize)).cloned();
        // llama.cpp's names of Hugging Face's special tokens, in the order of those.
        let roles_of = ["bos", "eos", "unknown", "seperator", "padding", "cls", "mask"];
        let mut special_tokens = IndexMap::new();
        for (name, role) in SPECIAL_TOKENS.into_iter().zip(roles_of) {
            let text = spelled(self.token(role)?);
            special_tokens.extend(text.map(|text| (name.to_owned(), text)));
        }
        let extras = Extras {
            special_tokens,
            chat_templates: self.chat_templates()?,
            adds_bos: Some(adds_bos),
        };
        let trims = self.trims()?;
        let vocabulary = (tokens, roles, ids);
        let pieces = Pieces::new(vocabulary, method, trims, around, hex(hash.finalize()));
        Tokenizer::new(Coder::Pieces(Box::new(pieces)), extras)
    }

    /// How the file says that texts are cut.
    fn pre(&self) -> Result<&str, LmError> {
        if let Some(pre) = self.optional("tokenizer.ggml.pre", "a text", |v| v.text())? {
            return Ok(pre);
        }
        notes::tell(&format!(
            "`{}` does not say how its tokenizer cuts texts (tokenizer.ggml.pre), as files from before May 2024; \
             they are cut as llama.cpp does then, which few models were trained with: convert the model anew",
            self.path.display()
        ));
        Ok("default")
    }

    /// Byte-pair merges over texts cut as `pre` says, and whether texts begin with BOS.
    fn merges(
        &self,
        pre: &str,
        size: usize,
        ids: &HashMap<String, u32>,
        hash: &mut Sha256,
    ) -> Result<(Method, bool), LmError> {
        let cut = cut::find(pre).ok_or_else(|| {
            let known: Vec<_> = cut::CUTS.iter().flat_map(|cut| cut.names).copied().collect();
            let known = known.join(", ");
            self.bad(format!("the pre-tokenizer `{pre}` is not supported; supported are {known}"))
        })?;
        // Kimi's tokens come from merges that its files may leave out.
        let merges = match self.texts("tokenizer.ggml.merges")? {
            Some(merges) => merges,
            None if pre == "kimi-k2" => Vec::new(),
            None => {
                return Err(self.bad("the metadata value `tokenizer.ggml.merges` is missing"));
            }
        };
        let merges: Option<Vec<_>> =
            merges.into_iter().filter(|merge| !merge.contains('\0')).map(pair).collect();
        let merges =
            merges.ok_or_else(|| self.bad("a merge of its tokenizer is not two tokens"))?;
        hash.update(format!("{pre}\0"));
        for (left, right) in &merges {
            hash.update(format!("{left} {right}\0"));
        }
        let patterns: Result<Vec<_>, _> =
            cut.patterns.iter().map(|pattern| SysRegex::new(pattern)).collect();
        let words = Words {
            cuts: patterns.map_err(|e| self.bad(format!("its pre-tokenizer `{pre}`: {e}")))?,
            ranks: Ranks::new(merges.into_iter(), ids, size as u32),
            whole: cut.whole,
            whole_newlines: cut.sees == Sees::Gemma,
        };
        let adds_bos = self.flag("add_bos_token")?.unwrap_or(cut.bos) || cut.sees == Sees::Gemma;
        let method = match cut.sees {
            Sees::Bytes => Method::Bytes(words),
            Sees::Characters | Sees::Gemma => Method::Characters(words),
        };
        Ok((method, adds_bos))
    }

    /// SentencePiece's merges by score, and whether texts begin with BOS.
    fn scores(&self, size: usize, hash: &mut Sha256) -> Result<(Method, bool), LmError> {
        let scores =
            self.optional("tokenizer.ggml.scores", "a list of numbers", |value| match value {
                Value::List(list) => list.iter().map(Value::number).collect::<Option<Vec<_>>>(),
                _ => None,
            })?;
        let scores = scores.filter(|scores| scores.len() >= size);
        let scores = scores
            .ok_or_else(|| self.bad("`tokenizer.ggml.scores` is not one number per token"))?;
        let ignored = |what: &str| {
            notes::tell(&format!(
                "`{}`: its tokenizer asks for `{what}`, which llama.cpp does not do for this kind of \
                 vocabulary; neither is it done here",
                self.path.display()
            ));
        };
        if self.get("tokenizer.ggml.precompiled_charsmap").is_some() {
            ignored("precompiled_charsmap");
        }
        if self.flag("remove_extra_whitespaces")? == Some(true) {
            ignored("remove_extra_whitespaces");
        }
        let scores: Vec<f32> = scores[..size].iter().map(|score| *score as f32).collect();
        let spaced = self.flag("add_space_prefix")?.unwrap_or(true);
        hash.update([u8::from(spaced)]);
        scores.iter().for_each(|score| hash.update(score.to_le_bytes()));
        Ok((Method::Scores { scores, spaced }, self.flag("add_bos_token")?.unwrap_or(true)))
    }

    /// Which tokens take the spaces beside them: llama.cpp knows by the names of models.
    fn trims(&self) -> Result<fn(&str) -> Trims, LmError> {
        let name = self.optional("general.name", "a text", |v| v.text())?.unwrap_or_default();
        let name = name.to_lowercase();
        let pre = self.optional("tokenizer.ggml.pre", "a text", |v| v.text())?.unwrap_or_default();
        let has = |text: &str, parts: &[&str]| parts.iter().any(|part| text.contains(part));
        Ok(if has(pre, &["jina-v2-de", "jina-v2-es", "jina-v2-code"]) {
            |token| if token == "<mask>" { Trims::Before } else { Trims::Nothing }
        } else if has(&name, &["phi-3", "phi3"]) {
            |token| match token {
                "<unk>" | "<s>" | "<|endoftext|>" => Trims::Nothing,
                _ => Trims::Behind,
            }
        } else if has(&name, &["modern-bert"]) {
            |token| if token == "[MASK]" { Trims::Before } else { Trims::Nothing }
        } else {
            |_| Trims::Nothing
        })
    }
}

/// The two tokens of a merge; the first may begin with a space.
fn pair(merge: &str) -> Option<(&str, &str)> {
    let space = merge.bytes().skip(1).position(|byte| byte == b' ')? + 1;
    Some((merge.get(..space)?, merge.get(space + 1..)?))
}
