//! What turns texts into ids: the library's tokenizer of a tokenizer.json, or a vocabulary listed in a file.

use super::{Part, pieces::Pieces};
use crate::lm::{
    LmError,
    checkpoint::guard::{caught, guarded},
};

/// One of the two, behind the same questions.
pub(crate) enum Coder {
    /// A tokenizer.json, and where it lies.
    Library { inner: Box<tokenizers::Tokenizer>, path: String },
    /// A listed vocabulary.
    Pieces(Box<Pieces>),
}

/// The longest piece of a vocabulary that lists pieces with scores. The library keeps one as a chain of a link a byte, and
/// lets go of it by as many calls, which takes all of the stack of a long one.
const LONGEST_PIECE: usize = 1000;

/// The length of the first string behind a `[` that is longer; scores follow pieces there, and nothing else is long.
fn long_piece(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut before) = (0, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        if byte == b'"' {
            let start = at;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            if before == b'[' && at - start > LONGEST_PIECE {
                return Some(at - start);
            }
            at += 1;
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    None
}

fn failed(error: tokenizers::Error) -> LmError {
    LmError::Tokenize { what: error.to_string() }
}

impl Coder {
    /// Reads a tokenizer.json; padding and truncation that it asks for are off.
    pub fn library(path: String, bytes: &[u8]) -> Result<Self, LmError> {
        if let Some(length) = long_piece(bytes) {
            let what = format!(
                "a piece of its vocabulary has {length} bytes; at most {LONGEST_PIECE} are read"
            );
            return Err(LmError::BadFile { path, what });
        }
        guarded(&path.clone(), || {
            let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| {
                LmError::BadFile { path: path.clone(), what: format!("not a tokenizer: {e}") }
            })?;
            inner.with_padding(None);
            inner.with_truncation(None).map_err(failed)?;
            // Parts that contradict each other show when they are used: here rather than later.
            if let Ok(trial) = inner.encode_fast("A b\n1é", true) {
                let _ = inner.decode(trial.get_ids(), true);
            }
            Ok(Self::Library { inner: Box::new(inner), path })
        })
    }

    /// Ids of a text; `special` adds what goes around a text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, LmError> {
        match self {
            Self::Library { inner, path } => guarded(path, || {
                Ok(inner.encode_fast(text, special).map_err(failed)?.get_ids().to_vec())
            }),
            Self::Pieces(pieces) => pieces.encode(text, special),
        }
    }

    /// The text of ids, special tokens left out. A decoder that fails gives nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        match self {
            Self::Library { inner, .. } => {
                caught(|| inner.decode(ids, true).unwrap_or_default()).unwrap_or_default()
            }
            Self::Pieces(pieces) => pieces.decode(ids),
        }
    }

    /// A token as the vocabulary spells it.
    pub fn token(&self, id: u32) -> Option<String> {
        match self {
            Self::Library { inner, .. } => inner.id_to_token(id),
            Self::Pieces(pieces) => pieces.token(id),
        }
    }

    /// The id of a token as the vocabulary spells it.
    pub fn id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Library { inner, .. } => inner.token_to_id(token),
            Self::Pieces(pieces) => pieces.id(token),
        }
    }

    /// Number of ids.
    pub fn size(&self) -> usize {
        match self {
            Self::Library { inner, .. } => inner.get_vocab_size(true),
            Self::Pieces(pieces) => pieces.size(),
        }
    }

    /// All that decides ids, as text or as a hash of it.
    pub fn identity(&self) -> String {
        match self {
            Self::Library { inner, .. } => inner.to_string(false).unwrap_or_default(),
            Self::Pieces(pieces) => pieces.digest().to_owned(),
        }
    }

    /// How a token's text hangs together with its neighbors'.
    pub fn part(&self, id: u32) -> Part {
        let inner = match self {
            Self::Library { inner, .. } => inner,
            Self::Pieces(pieces) => return pieces.part(id),
        };
        let Some(text) = inner.id_to_token(id) else { return Part::Silent };
        if inner.get_added_vocabulary().is_special_token(&text) {
            return Part::Silent;
        }
        let spelled = text.len() == 6 && text.starts_with("<0x") && text.ends_with('>');
        let in_bytes = spelled && inner.token_to_id("<0x00>").is_some();
        if in_bytes { Part::Byte } else { Part::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_would_take_the_whole_stack_is_refused_and_other_long_strings_are_not() {
        let file = |piece: &str, map: &str| {
            format!(
                r#"{{"normalizer":{{"type":"Precompiled","precompiled_charsmap":"{map}"}},"model":{{"type":"Unigram",
                "unk_id":0,"vocab":[["<unk>",0.0],["{piece}",-1.5]]}}}}"#
            )
        };
        for length in [1001, 3_000_000] {
            let text = file(&"x".repeat(length), "");
            let error =
                Coder::library("a/tokenizer.json".to_owned(), text.as_bytes()).err().unwrap();
            let said = error.to_string();
            assert!(
                said.contains("`a/tokenizer.json`") && said.contains(&format!("{length} bytes")),
                "{said}"
            );
        }
        assert_eq!(long_piece(file(&"x".repeat(1000), &"QUJD".repeat(1000)).as_bytes()), None);
        assert_eq!(long_piece(br#"["\"]", "a"#), None);
    }
}
