//! Chat templates: from turns to the text that a model was tuned on.

mod bounds;
mod date;
mod environment;
mod filters;
mod methods;
mod printf;
mod source;
mod text_of;

use indexmap::IndexMap;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::Serialize;

use super::prompt::{Body, Message};

pub use date::Date;

/// Why a chat template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum ChatError {
    /// The template itself is wrong.
    #[error("the model's chat template does not parse, line {line}: {what}")]
    Syntax { line: usize, what: String },
    /// The template refuses these turns.
    #[error("the model's chat template refuses the prompt: {what}")]
    Refused { what: String },
    /// The template fails on these turns.
    #[error("the model's chat template fails, line {line}: {what}")]
    Render { line: usize, what: String },
    /// The template does not come to an end.
    #[error(
        "the model's chat template goes on for more than {steps} steps; use --chat never, or mend it"
    )]
    Endless { steps: u64 },
    /// A template that rewrites the last turn, so that nothing can go on from it.
    #[error(
        "the model's chat template does not keep the words `{start}` that the answer is made to begin \
         with; use --chat never, or a task whose [chat] has an `ask` and no `start`"
    )]
    NotKept { start: String },
    /// `--chat always` without a template.
    #[error(
        "`{model}` has no chat template; use --chat never, or a model that was tuned on conversations"
    )]
    Missing { model: String },
    /// Several templates, and none that is the default.
    #[error(
        "the model has the chat templates {names} and none called `default`; use --chat never, or name \
         one of them `default` in its tokenizer_config.json"
    )]
    NoDefault { names: String },
    /// A word that is no [`ChatMode`].
    #[error("`{word}` is no chat mode; use auto, never or always")]
    NoMode { word: String },
    /// A word that is no [`Date`].
    #[error("`{word}` is no date; write it as 2024-07-26")]
    NoDate { word: String },
}

/// When prompts go through the model's chat template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatMode {
    /// Where the model has one.
    #[default]
    Auto,
    /// Never.
    Never,
    /// Always; a model without is an error.
    Always,
}

impl std::str::FromStr for ChatMode {
    type Err = ChatError;

    fn from_str(word: &str) -> Result<Self, ChatError> {
        match word {
            "auto" => Ok(Self::Auto),
            "never" => Ok(Self::Never),
            "always" => Ok(Self::Always),
            _ => Err(ChatError::NoMode { word: word.to_owned() }),
        }
    }
}

impl ChatMode {
    /// Whether the template is used for `model`, which has one or not.
    ///
    /// # Errors
    ///
    /// [`ChatError::Missing`].
    pub fn applies(self, has_template: bool, model: &str) -> Result<bool, ChatError> {
        match self {
            Self::Always if !has_template => Err(ChatError::Missing { model: model.to_owned() }),
            Self::Always => Ok(true),
            Self::Never => Ok(false),
            Self::Auto => Ok(has_template),
        }
    }
}

/// A parsed chat template of a model.
///
/// It is rendered as transformers' `apply_chat_template` renders it. The text holds the special tokens
/// itself, so it is encoded without adding any.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    special_tokens: IndexMap<String, String>,
}

/// What stands behind the last turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The template's opening of an answer (`add_generation_prompt`).
    Answer,
    /// Nothing.
    Nothing,
    /// Nothing, and the last turn stays open so that the model goes on with it (`continue_final_message`).
    Open,
}

const NAME: &str = "chat";

/// Instructions after which a template is stopped. Most take some thousands for a conversation; those that go
/// through every letter take a few for each.
const STEPS: u64 = 20_000_000;

/// Follows the last turn where that stays open; transformers puts these words there, and a template may
/// take away the space.
const GOES_ON: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

impl ChatTemplate {
    /// Parses `source`, as found in `tokenizer_config.json`, `chat_template.jinja` or a GGUF file.
    ///
    /// `special_tokens` are the texts of `bos_token`, `eos_token` and the like, which templates write
    /// themselves; one that is missing is undefined, as in transformers.
    ///
    /// # Errors
    ///
    /// [`ChatError::Syntax`].
    pub fn new(source: &str, special_tokens: &IndexMap<String, String>) -> Result<Self, ChatError> {
        let mut environment = environment::python_like();
        environment.set_fuel(Some(STEPS));
        let source = source::for_minijinja(source);
        environment.add_template_owned(NAME, source).map_err(|error| ChatError::Syntax {
            line: error.line().unwrap_or(1),
            what: reason(&error),
        })?;
        Ok(Self { environment, special_tokens: special_tokens.clone() })
    }

    /// The text of `messages`.
    ///
    /// `date` is what `strftime_now` tells templates that write a date.
    ///
    /// # Errors
    ///
    /// [`ChatError::Refused`] with the template's own words, [`ChatError::Render`],
    /// [`ChatError::Endless`], [`ChatError::NotKept`].
    pub fn render(
        &self,
        messages: &[Message],
        ending: Ending,
        date: Date,
    ) -> Result<String, ChatError> {
        let (Ending::Open, Some((last, before))) = (ending, messages.split_last()) else {
            return self.fill(messages, ending == Ending::Answer, date);
        };
        let mut messages = before.to_vec();
        let content = last.content.clone() + GOES_ON;
        messages.push(Message { content, ..last.clone() });
        let text = self.fill(&messages, false, date)?;
        let mark = GOES_ON.trim_end();
        match text.rfind(mark) {
            Some(at) if text.contains(last.content.trim()) => {
                Ok(match text[at..].starts_with(GOES_ON) {
                    true => text[..at].to_owned(),
                    // A template that trims its turns would have trimmed these words as well.
                    false => text[..at].trim_end_matches(methods::is_space).to_owned(),
                })
            }
            _ => Err(ChatError::NotKept { start: last.content.clone() }),
        }
    }

    fn fill(&self, messages: &[Message], open: bool, date: Date) -> Result<String, ChatError> {
        let failed = |error: Error| {
            let message = reason(&error);
            match message.split_once(environment::REFUSED) {
                Some((_, what)) => ChatError::Refused { what: what.to_owned() },
                None if error.kind() == ErrorKind::OutOfFuel => ChatError::Endless { steps: STEPS },
                None => ChatError::Render { line: error.line().unwrap_or(1), what: message },
            }
        };
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let mut context: IndexMap<&str, Value> = IndexMap::new();
        context.extend(self.special_tokens.iter().map(|(name, text)| (&**name, text.into())));
        context.insert("messages", Value::from_serialize(messages));
        context.insert("tools", Value::from(()));
        context.insert("documents", Value::from(()));
        context.insert("add_generation_prompt", Value::from(open));
        let strftime = move |format: String| date.format(&format);
        context.insert("strftime_now", Value::from_function(strftime));
        let mut text = bounds::Bounded::new();
        match template.render_captured_to(Value::from_iter(context), &mut text) {
            Ok(_) => Ok(text.into_text()),
            Err(error) if text.is_full => {
                Err(ChatError::Render { line: error.line().unwrap_or(1), what: bounds::too_much() })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The text of a prompt: the turns rendered and the answer opened, with the words it begins with where
    /// there are any; or the plain text as it is.
    ///
    /// # Errors
    ///
    /// Those of [`ChatTemplate::render`].
    pub fn prompt(&self, body: &Body, date: Date) -> Result<String, ChatError> {
        match body {
            Body::Plain(text) => Ok(text.clone()),
            Body::Chat { messages, start } if start.is_empty() => {
                self.render(messages, Ending::Answer, date)
            }
            Body::Chat { messages, start } => {
                let answer = Message::assistant(start.as_str());
                let messages: Vec<Message> = messages.iter().cloned().chain([answer]).collect();
                self.render(&messages, Ending::Open, date)
            }
        }
    }
}

fn reason(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
