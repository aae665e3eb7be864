//! Texts: where they come from, what a model is asked to write, and how it is asked.

pub mod chat;
mod continuation;
pub mod grammar;
pub mod prompt;
mod read;
pub mod spans;
pub mod task;
mod template;

use serde::{Deserialize, Serialize};

pub use read::{Gaps, Reading, TextError, parse_texts, read, read_texts};

/// A text that is compared, with what its file says about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// The text itself; may be empty.
    pub text: String,
    /// Its name in its file (`id`, `doc_id`, `custom_id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is about, such as the person of a biography.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it is the continuation of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The prompt's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// Token ids, where the file holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<u32>>,
    /// Why generation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Log-probability under the sampling distribution, nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprob: Option<f64>,
}

impl Text {
    /// A text about which nothing else is known.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Whether there is nothing to read in it.
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// How many of the texts are blank. Readers keep them: a model that writes nothing has to pay for it.
pub fn count_blank(texts: &[Text]) -> usize {
    texts.iter().filter(|text| text.is_blank()).count()
}
