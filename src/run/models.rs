//! The models of a sweep: who they are, how they are spoken to, and what draws their completions.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::{ops::ControlFlow, sync::Arc};

use super::{folder::ModelRecord, plan::PlannedCell};
use crate::{
    data::hex::hex,
    decode::{Decoding, knobs::KNOBS},
    lm::{
        self, Checkpoint, Lm, LmError,
        checkpoint::{guard::guarded, source::ModelSource},
        engine::device::{self, DeviceChoice, DtypeChoice},
        generate::{Event, GenerateOptions, Request, Totals, generate},
        server::{Ask, Server, ServerPrompt},
    },
    report::record::CellRecord,
    rng::Draw,
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
    /// Settings that a server has no field for.
    #[error("a server's protocol has no {flag}: {why}; leave it out, or use top-p or min-p")]
    NoField {
        /// The setting.
        flag: &'static str,
        /// Why none is sent.
        why: &'static str,
    },
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

/// A model that is known by name; its weights are read when it is its turn.
pub struct SweepModel {
    /// As it was named.
    pub name: String,
    /// Where its completions come from.
    pub source: Source,
    /// Its chat template, where prompts go through it.
    pub template: Option<ChatTemplate>,
    /// Whether prompts are put as turns, by a template or by a server.
    pub chat: bool,
    /// The day on which a template that writes a date renders its prompts.
    pub date: Date,
}

/// Where a model's completions come from.
pub enum Source {
    /// Configuration, tokenizer and where the weights are.
    Checkpoint(Arc<Checkpoint>),
    /// A server, to which nothing was sent yet.
    Server(Arc<Server>),
}

impl SweepModel {
    /// Opens `name`; decides whether prompts go through its chat template. A server puts prompts as
    /// turns only with [`ChatMode::Always`]: what its model was tuned on cannot be seen from outside.
    ///
    /// # Errors
    ///
    /// [`ModelError::Lm`] for what is no model or has no tokenizer; [`ModelError::Chat`].
    pub fn open(name: &str, chat: ChatMode, date: Date) -> Result<Self, ModelError> {
        if let ModelSource::Server { url, model } = ModelSource::parse(name)? {
            let source = Source::Server(Arc::new(Server::new(&url, &model)?));
            let (name, chat) = (name.to_owned(), chat == ChatMode::Always);
            return Ok(Self { name, source, template: None, chat, date });
        }
        let checkpoint = Arc::new(lm::checkpoint::load::open(name)?);
        let tokenizer = checkpoint.tokenizer()?;
        let templates = &tokenizer.chat_templates;
        let template = match chat.applies(!templates.is_empty(), name)? {
            true => {
                let named = || templates.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>();
                let none = || ChatError::NoDefault { names: named().join(", ") };
                let source = tokenizer.chat_template().ok_or_else(none)?;
                let specials = &tokenizer.special_tokens;
                Some(guarded(name, || Ok::<_, ModelError>(ChatTemplate::new(source, specials)?))?)
            }
            false => None,
        };
        let (chat, source) = (template.is_some(), Source::Checkpoint(checkpoint));
        Ok(Self { name: name.to_owned(), source, template, chat, date })
    }

    /// The checkpoint, where it is one.
    pub fn checkpoint(&self) -> Option<&Arc<Checkpoint>> {
        match &self.source {
            Source::Checkpoint(checkpoint) => Some(checkpoint),
            Source::Server(_) => None,
        }
    }

    /// What decides its texts beside prompts and settings: hashes, device and number type.
    ///
    /// # Errors
    ///
    /// A device that cannot be opened; files that cannot be read.
    pub fn record(&self, device: DeviceChoice, dtype: DtypeChoice) -> Result<ModelRecord, LmError> {
        let name = self.name.clone();
        Ok(match &self.source {
            Source::Checkpoint(checkpoint) => {
                let device = device::open(device)?;
                let precision = Lm::precision_of(checkpoint, &device, dtype);
                let (device, dtype) = precision.split_once('-').unwrap_or((precision, ""));
                ModelRecord {
                    name,
                    hash: checkpoint.hash()?.to_owned(),
                    tokenizer_hash: checkpoint.tokenizer()?.hash().to_owned(),
                    dtype: dtype.to_owned(),
                    device: device.to_owned(),
                }
            }
            Source::Server(server) => ModelRecord {
                name,
                hash: hex(Sha256::digest(server.identity())),
                tokenizer_hash: String::new(),
                dtype: String::new(),
                device: "server".to_owned(),
            },
        })
    }

    /// Whether it can draw as `decoding` says.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoField`].
    pub fn accepts(&self, decoding: &Decoding) -> Result<(), ModelError> {
        let Source::Server(_) = self.source else { return Ok(()) };
        let set = KNOBS.iter().filter(|knob| knob.get(decoding).is_some());
        let mut unknown = set.filter_map(|knob| Some((knob.flag, knob.server.err()?)));
        match unknown.next() {
            Some((flag, why)) => Err(ModelError::NoField { flag, why }),
            None => Ok(()),
        }
    }

    /// Reads the weights, so that it can draw.
    ///
    /// # Errors
    ///
    /// Those of [`Lm::load`]; a device that cannot be opened.
    pub fn load(&self, device: DeviceChoice, dtype: DtypeChoice) -> Result<Drawer, LmError> {
        Ok(match &self.source {
            Source::Checkpoint(checkpoint) => {
                let device = device::open(device)?;
                Drawer::Lm(Box::new(Lm::load(checkpoint.clone(), &device, dtype)?))
            }
            Source::Server(server) => Drawer::Server(server.clone()),
        })
    }

    /// How a task is put to it: `chat` where it takes turns, else as plain text.
    pub fn style(&self, chat: Style) -> Style {
        if self.chat { chat } else { Style::Plain }
    }

    /// Tokens that a prompt may have beside `max_new_tokens` new ones; a server counts itself.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRoom`].
    pub fn room(&self, max_new_tokens: usize) -> Result<usize, ModelError> {
        let Some(checkpoint) = self.checkpoint() else { return Ok(usize::MAX) };
        let context = checkpoint.config.max_positions;
        match context.checked_sub(max_new_tokens) {
            Some(room) if room > 0 => Ok(room),
            _ => Err(ModelError::NoRoom { max_new_tokens, context }),
        }
    }

    /// A prompt's text and token ids, special tokens as vLLM puts them: a rendered template has its own and
    /// gets no more, and begin-of-text goes before a plain prompt where the tokenizer uses it.
    ///
    /// For a server the text is what is sent, turns as JSON, and there are no ids.
    ///
    /// # Errors
    ///
    /// [`ModelError::Chat`], [`ModelError::Lm`].
    pub fn encode(&self, body: &Body) -> Result<(String, Vec<u32>), ModelError> {
        let text = match (&self.template, body) {
            (Some(template), body) => {
                guarded(&self.name, || Ok::<_, ModelError>(template.prompt(body, self.date)?))?
            }
            (None, Body::Plain(text)) => text.clone(),
            (None, Body::Chat { messages, start }) if self.chat => {
                let mut turns = json!(messages);
                if let (Some(turns), false) = (turns.as_array_mut(), start.is_empty()) {
                    turns.push(json!({"role": "assistant", "content": start}));
                }
                turns.to_string()
            }
            (None, Body::Chat { start, .. }) => start.clone(),
        };
        let ids = match self.checkpoint() {
            Some(checkpoint) => {
                let tokenizer = checkpoint.tokenizer()?;
                let rendered = self.template.is_some() && matches!(body, Body::Chat { .. });
                if rendered { tokenizer.encode(&text)? } else { tokenizer.encode_prompt(&text)? }
            }
            None => Vec::new(),
        };
        Ok((text, ids))
    }
}

/// A model that can draw.
pub enum Drawer {
    /// On this machine.
    Lm(Box<Lm>),
    /// Elsewhere.
    Server(Arc<Server>),
}

impl Drawer {
    /// Draws a completion for each of `asked`, tagged with its position there.
    ///
    /// # Errors
    ///
    /// Those of [`generate`] and [`Server::generate`].
    pub fn draw(
        &self,
        asked: &[(&PlannedCell, Draw)],
        options: &GenerateOptions,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Totals, LmError> {
        let mut stops: indexmap::IndexMap<&[String], Arc<[String]>> = indexmap::IndexMap::new();
        for (cell, _) in asked {
            let stop = cell.record.stop.as_slice();
            stops.entry(stop).or_insert_with(|| stop.into());
        }
        let server = match self {
            Self::Lm(lm) => {
                let request = |(tag, (cell, draw)): (usize, &(&PlannedCell, Draw))| {
                    let CellRecord { seed, max_new_tokens, .. } = cell.record;
                    let prompt = cell.prompts.prompts[draw.prompt as usize].ids.clone();
                    let stop = stops[cell.record.stop.as_slice()].clone();
                    Request {
                        tag: tag as u64,
                        prompt,
                        chain: cell.chain.clone(),
                        seed,
                        draw: *draw,
                        max_new_tokens,
                        stop,
                    }
                };
                return generate(lm, asked.iter().enumerate().map(request), options, on_event);
            }
            Self::Server(server) => server,
        };
        let ask = |(tag, (cell, draw)): (usize, &(&PlannedCell, Draw))| {
            let CellRecord { decoding, seed, max_new_tokens, chat, .. } = cell.record;
            let text = &cell.prompts.prompts[draw.prompt as usize].text;
            let prompt = match chat {
                true => ServerPrompt::Turns(text.as_str().into()),
                false => ServerPrompt::Text(text.as_str().into()),
            };
            let stop = stops[cell.record.stop.as_slice()].clone();
            Ask { tag: tag as u64, prompt, decoding, seed, draw: *draw, max_new_tokens, stop }
        };
        let asks = asked.iter().enumerate().map(ask).collect();
        server.generate(asks, options.batch, &options.interrupt, on_event)
    }
}
