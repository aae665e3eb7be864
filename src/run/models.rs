//! The models of a sweep before their weights are read: who they are and how they are spoken to.

use std::sync::Arc;

use crate::{
    lm::{self, Checkpoint, LmError},
    text::{
        chat::{ChatError, ChatMode, ChatTemplate, Date},
        prompt::{Body, PromptError, Style},
    },
};

/// Why a model cannot be given its prompts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// It cannot be opened, or has no tokenizer.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// Its chat template cannot be used.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// A prompt cannot be made.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// No room for a prompt.
    #[error(
        "{max_new_tokens} new tokens leave no room for a prompt in a context of {context} tokens; \
         use a smaller --max-new-tokens"
    )]
    NoRoom {
        /// Tokens asked for.
        max_new_tokens: usize,
        /// Tokens there are.
        context: usize,
    },
}

/// A model that is known by its files; its weights are read when it is its turn.
pub struct SweepModel {
    /// As it was named.
    pub name: String,
    /// Configuration, tokenizer and where the weights are.
    pub checkpoint: Arc<Checkpoint>,
    /// Its chat template, where prompts go through it.
    pub template: Option<ChatTemplate>,
}

impl SweepModel {
    /// Opens `name`; decides whether prompts go through its chat template.
    ///
    /// # Errors
    ///
    /// [`ModelError::Lm`] for what is no model or has no tokenizer; [`ModelError::Chat`].
    pub fn open(name: &str, chat: ChatMode) -> Result<Self, ModelError> {
        let checkpoint = Arc::new(lm::load::open(name)?);
        let tokenizer = checkpoint.tokenizer()?;
        let source = tokenizer.chat_template.as_deref();
        let template = match source.filter(|_| chat != ChatMode::Never) {
            _ if !chat.applies(source.is_some(), name)? => None,
            None => None,
            Some(source) => {
                let (bos, eos) = (tokenizer.bos.as_deref(), tokenizer.eos.as_deref());
                Some(ChatTemplate::new(source, bos, eos)?)
            }
        };
        Ok(Self { name: name.to_owned(), checkpoint, template })
    }

    /// How a task is put to it: `chat` where it has a template, else as plain text.
    pub fn style(&self, chat: Style) -> Style {
        if self.template.is_some() { chat } else { Style::Plain }
    }

    /// Tokens that a prompt may have beside `max_new_tokens` new ones.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRoom`].
    pub fn room(&self, max_new_tokens: usize) -> Result<usize, ModelError> {
        let context = self.checkpoint.config.max_positions;
        match context.checked_sub(max_new_tokens) {
            Some(room) if room > 0 => Ok(room),
            _ => Err(ModelError::NoRoom { max_new_tokens, context }),
        }
    }

    /// A prompt's text and token ids; begin-of-text stands once in front where the model wants it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Chat`], [`ModelError::Lm`].
    pub fn encode(&self, body: &Body) -> Result<(String, Vec<u32>), ModelError> {
        let text = match (&self.template, body) {
            (Some(template), body) => template.prompt(body, Date::default())?,
            (None, Body::Plain(text)) => text.clone(),
            (None, Body::Chat { start, .. }) => start.clone(),
        };
        let ids = self.checkpoint.tokenizer()?.encode_prompt(&text)?;
        Ok((text, ids))
    }
}
