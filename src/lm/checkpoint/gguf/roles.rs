//! What the tokens of a vocabulary are for: by their types in the file, and by names that llama.cpp knows.

use std::collections::{HashMap, HashSet};

use super::{Gguf, Value};
use crate::lm::{LmError, checkpoint::tokenizer::pieces::Role};

/// Tokens after which a text ends in whatever model has them.
const ENDS: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Tokens that mark a hole to fill, by the metadata value that names each, and whether a text ends there.
const HOLES: [(&str, bool, &[&str]); 6] = [
    (
        "fim_pre",
        false,
        &[
            "<|fim_prefix|>",
            "<fim-prefix>",
            "<fim_prefix>",
            "<｜fim▁begin｜>",
            "<PRE>",
            "▁<PRE>",
            "<|code_prefix|>",
            "<|prefix|>",
        ],
    ),
    (
        "fim_suf",
        false,
        &[
            "<|fim_suffix|>",
            "<fim-suffix>",
            "<fim_suffix>",
            "<｜fim▁hole｜>",
            "<SUF>",
            "▁<SUF>",
            "<|code_suffix|>",
            "<|suffix|>",
        ],
    ),
    (
        "fim_mid",
        false,
        &[
            "<|fim_middle|>",
            "<fim-middle>",
            "<fim_middle>",
            "<｜fim▁end｜>",
            "<MID>",
            "▁<MID>",
            "<|code_middle|>",
            "<|middle|>",
        ],
    ),
    ("fim_pad", true, &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
    ("fim_rep", true, &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]),
    ("fim_sep", true, &["<|file_sep|>"]),
];

impl Gguf {
    /// The id of a special token, as the file has it or else as llama.cpp's kind of vocabulary has it.
    ///
    /// `None` where neither names one of the vocabulary's tokens.
    pub(super) fn token(&self, role: &str) -> Result<Option<u32>, LmError> {
        let key = format!("tokenizer.ggml.{role}_token_id");
        let id = self.optional(&key, "a token id", |v| match v {
            Value::Signed(-1) => Some(u32::MAX),
            other => other.whole().and_then(|id| u32::try_from(id).ok()),
        })?;
        let Some(Value::List(tokens)) = self.get("tokenizer.ggml.tokens") else {
            return Ok(id.filter(|id| *id != u32::MAX));
        };
        let spelled = |id: u32| tokens.get(id as usize).and_then(Value::text);
        let usual = match (self.get("tokenizer.ggml.model").and_then(Value::text), role) {
            (Some("llama"), "bos") => Some(1),
            (Some("llama"), "eos") => Some(2),
            // Falcon's, the first byte-level vocabulary that llama.cpp read.
            (Some("gpt2"), "bos" | "eos") => {
                Some(11).filter(|id| spelled(*id) == Some("<|endoftext|>"))
            }
            _ => None,
        };
        let known = |id: &u32| spelled(*id).is_some();
        Ok(id.filter(known).or(usual.filter(known)))
    }

    /// The tokens after which a text ends: of text, of turn, of message, and those that llama.cpp knows by
    /// their names.
    pub(super) fn ends(&self) -> Result<Vec<u32>, LmError> {
        let mut ends = Vec::new();
        for role in ["eos", "eot", "eom"] {
            ends.extend(self.token(role)?);
        }
        if let Some(tokens) = self.texts("tokenizer.ggml.tokens")? {
            ends.extend(self.named(&tokens)?.ends);
        }
        let mut seen = HashSet::new();
        ends.retain(|id| seen.insert(*id));
        Ok(ends)
    }

    /// The role of every token.
    pub(super) fn roles(&self, tokens: &[&str]) -> Result<Vec<Role>, LmError> {
        let types =
            self.optional("tokenizer.ggml.token_type", "a list of numbers", |v| match v {
                Value::List(list) => list.iter().map(Value::number).collect::<Option<Vec<_>>>(),
                _ => None,
            })?;
        let types = types.unwrap_or_else(|| vec![1.0; tokens.len()]);
        if types.len() < tokens.len() {
            let what = format!("{} token types for {} tokens", types.len(), tokens.len());
            return Err(self.bad(what));
        }
        let role = |kind: &f64| match *kind as i64 {
            1 => Role::Normal,
            2 => Role::Unknown,
            3 => Role::Control,
            4 => Role::UserDefined,
            5 => Role::Unused,
            6 => Role::Byte,
            _ => Role::Undefined,
        };
        let mut roles: Vec<Role> = types[..tokens.len()].iter().map(role).collect();
        let named = self.named(tokens)?;
        for id in named.control {
            roles[id as usize] = Role::Control;
        }
        if let Some(id) = named.normal {
            roles[id as usize] = Role::Normal;
        }
        Ok(roles)
    }

    fn named(&self, tokens: &[&str]) -> Result<Named, LmError> {
        let ids: HashMap<&str, u32> = tokens.iter().copied().zip(0..).collect();
        let id = |name: &str| ids.get(name).copied();
        let mut named = Named::default();
        for (role, ends, names) in HOLES {
            let found = match self.token(role)? {
                Some(id) => Some(id),
                None => {
                    names.iter().find_map(|name| id(name)).inspect(|id| named.control.push(*id))
                }
            };
            named.ends.extend(found.filter(|_| ends));
        }
        let mut ends: Vec<u32> = ENDS.iter().filter_map(|name| id(name)).collect();
        ends.sort_unstable();
        named.control.extend(&ends);
        named.ends.extend(ends);
        let all = |names: &[&str]| names.iter().all(|name| id(name).is_some());
        // Where an answer ends with one of these, `<|end|>` ends a part of it only.
        let parts = all(&["<|return|>", "<|call|>"])
            || all(&["<|flush|>"]) && (id("<|call|>").is_some() || id("<|calls|>").is_some());
        if parts {
            named.ends.retain(|end| Some(*end) != id("<|end|>"));
        }
        // Gemma 4 has a `</s>` of HTML.
        if id("<|tool_response>").is_some() {
            named.normal = id("</s>");
            named.ends.retain(|end| Some(*end) != named.normal);
        }
        Ok(named)
    }
}

/// What the names of tokens say.
#[derive(Default)]
struct Named {
    /// Tokens that are control tokens whatever their type.
    control: Vec<u32>,
    /// Tokens after which a text ends.
    ends: Vec<u32>,
    /// A token that looks like a control token and is none.
    normal: Option<u32>,
}
