//! A vocabulary that a file lists token by token, as GGUF files do, and llama.cpp's ways from text to ids.

use std::{collections::HashMap, sync::LazyLock};
use tokenizers::{
    Decoder,
    decoders::{byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence, strip::Strip},
    utils::SysRegex,
};

use super::{
    Part,
    first::{First, Fragment, Trims},
    merge::{self, NONE, Ranks},
};
use crate::lm::LmError;

/// What a token is for: llama.cpp's token types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Undefined,
    Normal,
    Unknown,
    /// Marks a text's or a turn's bounds; no text of its own.
    Control,
    /// Found in a text as it is written, before the text is cut.
    UserDefined,
    Unused,
    /// One byte, spelled `<0x0A>`.
    Byte,
}

/// How a stretch of text without written-out tokens becomes tokens.
#[derive(Debug)]
pub(crate) enum Method {
    /// Byte-level BPE: the merges see each byte as a character of its own.
    Bytes(Words),
    /// BPE over characters, `▁` for spaces, bytes for characters that are no tokens.
    Characters(Words),
    /// SentencePiece: of all neighbors that make a token, the one with the highest score goes first.
    Scores {
        /// One score a token.
        scores: Vec<f32>,
        /// Whether a space goes in front of every stretch.
        spaced: bool,
    },
}

/// How texts are cut into words, and words merged.
pub(crate) struct Words {
    /// Patterns that cut one after another: what a pattern finds, and what lies between, is cut apart.
    pub cuts: Vec<SysRegex>,
    /// The merges.
    pub ranks: Ranks,
    /// Whether a word that is a token is taken whole, whatever the merges say.
    pub whole: bool,
    /// Whether a word of newlines that is a token is.
    pub whole_newlines: bool,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").field("whole", &self.whole).finish_non_exhaustive()
    }
}

/// A vocabulary with its method.
#[derive(Debug)]
pub(crate) struct Pieces {
    tokens: Vec<String>,
    roles: Vec<Role>,
    ids: HashMap<String, u32>,
    first: First,
    method: Method,
    /// What goes in front of a text and behind it where special tokens are asked for.
    around: [Option<u32>; 2],
    digest: String,
}

impl Pieces {
    /// A vocabulary; `roles` has one entry a token, and `digest` tells vocabularies with other ids apart.
    pub fn new(
        (tokens, roles, ids): (Vec<String>, Vec<Role>, HashMap<String, u32>),
        method: Method,
        trims: impl Fn(&str) -> Trims,
        around: [Option<u32>; 2],
        digest: String,
    ) -> Self {
        let early = |role: &Role| matches!(role, Role::Control | Role::Unknown | Role::UserDefined);
        let listed = tokens.iter().zip(&roles).zip(0..).filter(|((_, role), _)| early(role));
        let listed = listed.map(|((text, _), id)| (text.clone(), id, trims(text)));
        let first = First::new(listed.collect());
        Self { tokens, roles, ids, first, method, around, digest }
    }

    /// Ids of a text, special tokens written out in it included.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, LmError> {
        let [before, after] = if special { self.around } else { [None, None] };
        let mut ids: Vec<u32> = before.into_iter().collect();
        for fragment in self.first.split(text) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(text) => self.stretch(text, &mut ids)?,
            }
        }
        ids.extend(after);
        Ok(ids)
    }

    fn stretch(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), LmError> {
        match &self.method {
            Method::Bytes(words) => {
                for word in cut(text, &words.cuts) {
                    let word: String =
                        word.bytes().map(|byte| LETTERS[usize::from(byte)]).collect();
                    self.word(&word, words, ids, |_| None);
                }
            }
            Method::Characters(words) => {
                let text = text.replace(' ', "▁");
                for word in cut(&text, &words.cuts) {
                    self.word(word, words, ids, |byte| self.byte(byte));
                }
            }
            Method::Scores { scores, spaced } => {
                let text = format!("{}{text}", if *spaced { " " } else { "" }).replace(' ', "▁");
                self.by_score(&text, scores, ids)?;
            }
        }
        Ok(())
    }

    /// One word of BPE. Characters that the vocabulary cannot express are left out, as llama.cpp
    /// and `tokenizers` do.
    fn word(
        &self,
        word: &str,
        words: &Words,
        ids: &mut Vec<u32>,
        byte: impl Fn(u8) -> Option<u32>,
    ) {
        let newlines = || words.whole_newlines && word.bytes().all(|byte| byte == b'\n');
        if (words.whole || newlines())
            && let Some(id) = self.ids.get(word)
        {
            return ids.push(*id);
        }
        for part in words.ranks.merged(word, &self.ids) {
            match (part.id as usize) < self.tokens.len() {
                true => ids.push(part.id),
                false => ids.extend(word[part.start..part.end].bytes().filter_map(|b| {
                    let letter = || self.ids.get(char::from(b).to_string().as_str()).copied();
                    byte(b).or_else(|| if b.is_ascii() { letter() } else { None })
                })),
            }
        }
    }

    fn by_score(&self, text: &str, scores: &[f32], ids: &mut Vec<u32>) -> Result<(), LmError> {
        let token = |text: &str| self.ids.get(text).copied();
        let join = |left: merge::Part, right: merge::Part| {
            let id = token(&text[left.start..right.end])?;
            Some((f64::from(scores[id as usize]), id))
        };
        for part in merge::merged(text, |text| token(text).unwrap_or(NONE), join) {
            if part.id != NONE {
                ids.push(part.id);
                continue;
            }
            let spelled = &text[part.start..part.end];
            let bytes: Option<Vec<u32>> = spelled.bytes().map(|byte| self.byte(byte)).collect();
            let unknown = self.roles.iter().position(|role| *role == Role::Unknown);
            match (bytes, unknown.map(|id| id as u32)) {
                (Some(bytes), _) => ids.extend(bytes),
                (None, Some(unknown)) if ids.last() == Some(&unknown) => {}
                (None, Some(unknown)) => ids.push(unknown),
                (None, None) => {
                    let what = format!("the vocabulary has no token for `{spelled}`");
                    return Err(LmError::Tokenize { what });
                }
            }
        }
        Ok(())
    }

    fn byte(&self, byte: u8) -> Option<u32> {
        self.ids.get(&format!("<0x{byte:02X}>")).copied()
    }

    /// The text of ids; special tokens, and ids beyond the vocabulary, give nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        let known = ids.iter().filter(|id| self.part(**id) != Part::Silent);
        let spelled =
            known.map(|id| (self.tokens[*id as usize].as_str(), self.roles[*id as usize]));
        if let Method::Bytes(_) = self.method {
            let bytes: Vec<u8> = spelled.flat_map(|(text, role)| bytes(text, role)).collect();
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        let texts = spelled.map(|(text, role)| match role {
            Role::Normal => text.replace('▁', " "),
            _ => text.to_owned(),
        });
        let spaced = matches!(self.method, Method::Scores { spaced: true, .. });
        let mut steps = vec![ByteFallback::new().into(), Fuse::new().into()];
        if spaced {
            steps.push(Strip::new(' ', 1, 0).into());
        }
        // None of these steps can fail.
        Sequence::new(steps).decode(texts.collect()).unwrap_or_default()
    }

    /// How a token's text hangs together with its neighbors'.
    pub fn part(&self, id: u32) -> Part {
        match (self.roles.get(id as usize), &self.method) {
            (Some(Role::Byte), Method::Bytes(_)) => Part::Text,
            (Some(Role::Byte), _) => Part::Byte,
            (Some(Role::Normal | Role::UserDefined), _) => Part::Text,
            _ => Part::Silent,
        }
    }

    /// A token as the vocabulary spells it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.tokens.get(id as usize).cloned()
    }

    /// The id of a token as the vocabulary spells it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// Number of tokens.
    pub fn size(&self) -> usize {
        self.tokens.len()
    }

    /// What tells it apart from vocabularies with other ids.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// GPT-2's letters for the 256 bytes: printable ones for themselves, the others from U+0100 on.
static LETTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte as u8),
        _ => others.next().unwrap_or_default(),
    })
});

static BYTES: LazyLock<HashMap<char, u8>> =
    LazyLock::new(|| LETTERS.iter().copied().zip(0..=255).collect());

/// The bytes of a token of a byte-level vocabulary.
fn bytes(text: &str, role: Role) -> Vec<u8> {
    let spelled: Option<Vec<u8>> = match role {
        Role::Normal => text.chars().map(|c| BYTES.get(&c).copied()).collect(),
        Role::Byte => hex_byte(text).map(|byte| vec![byte]),
        _ => None,
    };
    spelled.unwrap_or_else(|| text.as_bytes().to_vec())
}

fn hex_byte(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// A text cut by one pattern after another.
fn cut<'a>(text: &'a str, patterns: &[SysRegex]) -> Vec<&'a str> {
    let mut words = vec![text];
    for pattern in patterns {
        let mut finer = Vec::with_capacity(words.len());
        for word in words {
            let mut at = 0;
            for (start, end) in pattern.find_iter(word) {
                finer.extend([&word[at..start], &word[start..end]]);
                at = end;
            }
            finer.push(&word[at..]);
        }
        finer.retain(|word| !word.is_empty());
        words = finer;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_a_letter_of_its_own() {
        assert_eq!(BYTES.len(), 256);
        let letters = [0, b'\n', b' ', b'!', 0x7F, 0xAD, 0xFF].map(|byte| LETTERS[byte as usize]);
        assert_eq!(letters, ['Ā', 'Ċ', 'Ġ', '!', 'ġ', 'Ń', 'ÿ']);
    }

    #[test] // by hand
    fn patterns_cut_one_after_another() {
        let patterns = |all: &[&str]| -> Vec<_> {
            all.iter().map(|pattern| SysRegex::new(pattern).unwrap()).collect()
        };
        assert_eq!(cut("ab12 c", &patterns(&["[0-9]"])), ["ab", "1", "2", " c"]);
        assert_eq!(cut("ab12 c", &patterns(&["[0-9]+", "b|1"])), ["a", "b", "1", "2", " c"]);
        // A pattern may find a place without a width.
        assert_eq!(cut("1234567", &patterns(&["(?=([0-9]{3})+(?![0-9]))"])), ["1", "234", "567"]);
        assert!(cut("", &patterns(&["a"])).is_empty());
    }
}
