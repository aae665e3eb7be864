//! The models of a sweep: who they are, how they are spoken to, and what draws their completions.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::{ops::ControlFlow, sync::Arc};

use super::{folder::ModelRecord, plan::PlannedCell, quirks::Quirk};
use crate::{
    data::hex::hex,
    decode::Decoding,
    lm::{
        self, Checkpoint, Lm, LmError,
        checkpoint::{guard::guarded, source::ModelSource},
        engine::device::{self, DeviceChoice, DtypeChoice},
        generate::{Event, GenerateOptions, Request, Totals, generate},
        generator::{self, Generator},
        server::{Ask, Server, ServerFacts, ServerPrompt, ServerTerms, Wants, set_somewhere},
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
    /// Another model under the name that a person gave.
    #[error(
        "`{name}` was {then} when this run began, and is {now}; if that is another model, name it otherwise with ?as=ID"
    )]
    Changed {
        /// The name.
        name: String,
        /// What the server said then of its weights.
        then: String,
        /// What it says now.
        now: String,
    },
    /// Something that needs the tokens of a model on this machine.
    #[error(
        "the quirk `{quirk}` needs a model of this machine, whose tokens are known; leave it out of --quirks"
    )]
    Quirk {
        /// What was asked for.
        quirk: Quirk,
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
    /// As it was named; a server by its model, without its address.
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
    /// A function in this process.
    Generator(Arc<dyn Generator>),
}

impl SweepModel {
    /// Opens `name`; decides whether prompts go through its chat template. A server puts prompts as
    /// turns only with [`ChatMode::Always`]: what its model was tuned on cannot be seen from outside.
    ///
    /// # Errors
    ///
    /// [`ModelError::Lm`] for what is no model or has no tokenizer; [`ModelError::Chat`].
    pub fn open(name: &str, chat: ChatMode, date: Date) -> Result<Self, ModelError> {
        if let ModelSource::Server { url, model, alias } = ModelSource::parse(name)? {
            let server = Server::new(&url, &model, alias.as_deref())?;
            let (name, chat) = (server.name(), chat == ChatMode::Always);
            let source = Source::Server(Arc::new(server));
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

    /// A model called `name` whose completions `generator` writes; prompts are put as turns, as JSON, only with
    /// [`ChatMode::Always`].
    pub fn written_by(name: &str, generator: Arc<dyn Generator>, chat: ChatMode) -> Self {
        Self {
            name: name.to_owned(),
            source: Source::Generator(generator),
            template: None,
            chat: chat == ChatMode::Always,
            date: Date::default(),
        }
    }

    /// The checkpoint, where it is one.
    pub fn checkpoint(&self) -> Option<&Arc<Checkpoint>> {
        match &self.source {
            Source::Checkpoint(checkpoint) => Some(checkpoint),
            Source::Server(_) | Source::Generator(_) => None,
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
                    server: None,
                }
            }
            Source::Server(server) => ModelRecord {
                name,
                hash: hex(Sha256::digest(server.identity())),
                tokenizer_hash: String::new(),
                dtype: String::new(),
                device: "server".to_owned(),
                server: serde_json::to_value(
                    server.facts().cloned().unwrap_or_else(|| server.bare_facts()),
                )
                .ok(),
            },
            Source::Generator(generator) => ModelRecord {
                hash: hex(Sha256::digest(format!("{name}\0{}", generator.version()))),
                name,
                tokenizer_hash: String::new(),
                dtype: String::new(),
                device: "function".to_owned(),
                server: None,
            },
        })
    }

    /// The server, where it is one.
    pub fn server(&self) -> Option<&Arc<Server>> {
        match &self.source {
            Source::Checkpoint(_) | Source::Generator(_) => None,
            Source::Server(server) => Some(server),
        }
    }

    /// Finds out what a server does with the settings of `decodings`; nothing of a checkpoint. `begun` says whether
    /// answers are begun by their prompts. Gives a sentence for the person who started.
    ///
    /// # Errors
    ///
    /// Those of [`Server::meet`].
    pub fn meet<'d>(
        &self,
        decodings: impl IntoIterator<Item = &'d Decoding>,
        begun: bool,
        terms: ServerTerms,
    ) -> Result<Option<String>, ModelError> {
        let Some(server) = self.server() else { return Ok(None) };
        let wants = Wants { chat: self.chat, begun, knobs: set_somewhere(decodings) };
        let facts = server.meet(&wants, terms)?;
        Ok(Some(format!("{}: {}", self.name, facts.sentence())))
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
            Source::Generator(generator) => {
                Drawer::Generator { generator: generator.clone(), name: self.name.clone() }
            }
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
    /// For a server and for a function the text is what is sent, turns as JSON, and there are no ids.
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
        let ids = self.ids(body, &text)?;
        Ok((text, ids))
    }

    /// Token ids of a text that begins with the prompt of `body`.
    fn ids(&self, body: &Body, text: &str) -> Result<Vec<u32>, LmError> {
        let Some(checkpoint) = self.checkpoint() else { return Ok(Vec::new()) };
        let tokenizer = checkpoint.tokenizer()?;
        let rendered = self.template.is_some() && matches!(body, Body::Chat { .. });
        if rendered { tokenizer.encode(text) } else { tokenizer.encode_prompt(text) }
    }

    /// [`Self::encode`] of a prompt that loses its end, the cue included, where it has more than `room` tokens; and
    /// whether it did.
    ///
    /// # Errors
    ///
    /// [`ModelError::Chat`], [`ModelError::Lm`].
    pub fn encode_cut(
        &self,
        body: &Body,
        room: usize,
    ) -> Result<(String, Vec<u32>, bool), ModelError> {
        let (text, mut ids) = self.encode(body)?;
        if ids.len() <= room {
            return Ok((text, ids, false));
        }
        ids.truncate(room);
        Ok((self.decode(&ids)?, ids, true))
    }

    /// Token ids of `continuation` behind the prompt of `body`, whose text and ids are `prompt`: those that follow the
    /// prompt's where both are cut into tokens together, or, where a token would reach from one into the other, those of
    /// the continuation by itself, as a model goes on behind the prompt's tokens.
    ///
    /// # Errors
    ///
    /// [`ModelError::Lm`].
    pub fn encode_behind(
        &self,
        body: &Body,
        prompt: (&str, &[u32]),
        continuation: &str,
    ) -> Result<Vec<u32>, ModelError> {
        let Some(checkpoint) = self.checkpoint() else { return Ok(Vec::new()) };
        let whole = self.ids(body, &format!("{}{continuation}", prompt.0))?;
        match whole.strip_prefix(prompt.1) {
            Some(behind) => Ok(behind.to_vec()),
            None => Ok(checkpoint.tokenizer()?.encode(continuation)?),
        }
    }

    /// The text that `ids` add behind `prompt`; nothing for what has no tokens here.
    ///
    /// # Errors
    ///
    /// [`ModelError::Lm`].
    pub fn decode_behind(&self, prompt: &[u32], ids: &[u32]) -> Result<String, ModelError> {
        let Some(checkpoint) = self.checkpoint() else { return Ok(String::new()) };
        Ok(checkpoint.tokenizer()?.decode_after(prompt, ids))
    }

    /// The text of token ids; nothing for what has none here.
    ///
    /// # Errors
    ///
    /// [`ModelError::Lm`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        let Some(checkpoint) = self.checkpoint() else { return Ok(String::new()) };
        Ok(checkpoint.tokenizer()?.decode(ids))
    }
}

/// A model that can draw.
pub enum Drawer {
    /// On this machine.
    Lm(Box<Lm>),
    /// Elsewhere.
    Server(Arc<Server>),
    /// A function in this process.
    Generator {
        /// What writes.
        generator: Arc<dyn Generator>,
        /// The model that it stands for.
        name: String,
    },
}

impl Drawer {
    /// Draws a completion for each of `asked`, tagged with its position there.
    ///
    /// # Errors
    ///
    /// Those of [`generate`], [`Server::generate`] and [`generator::draw`].
    pub fn draw(
        &self,
        asked: &[(&PlannedCell, Draw)],
        options: &GenerateOptions,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Totals, LmError> {
        let stops = Stops::of(asked);
        let ask = |(tag, (cell, draw)): (usize, &(&PlannedCell, Draw))| {
            ask_of(cell, *draw, tag as u64, stops.get(cell))
        };
        match self {
            Self::Lm(lm) => {
                let request = |(tag, (cell, draw)): (usize, &(&PlannedCell, Draw))| {
                    let CellRecord { seed, max_new_tokens, .. } = cell.record;
                    let prompt = cell.prompts.prompts[draw.prompt as usize].ids.clone();
                    let stop = stops.get(cell);
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
                generate(lm, asked.iter().enumerate().map(request), options, on_event)
            }
            Self::Server(server) => {
                let asks = asked.iter().enumerate().map(ask).collect();
                server.generate(asks, options.batch, &options.interrupt, on_event)
            }
            Self::Generator { generator, name } => {
                let asks: Vec<Ask> = asked.iter().enumerate().map(ask).collect();
                let GenerateOptions { batch, interrupt, .. } = options;
                generator::draw(&**generator, name, &asks, *batch, interrupt, on_event)
            }
        }
    }
}

/// The stop strings of cells, each list once.
struct Stops<'a>(indexmap::IndexMap<&'a [String], Arc<[String]>>);

impl<'a> Stops<'a> {
    fn of(asked: &[(&'a PlannedCell, Draw)]) -> Self {
        let mut stops: indexmap::IndexMap<&[String], Arc<[String]>> = indexmap::IndexMap::new();
        for (cell, _) in asked {
            let stop = cell.record.stop.as_slice();
            stops.entry(stop).or_insert_with(|| stop.into());
        }
        Self(stops)
    }

    fn get(&self, cell: &PlannedCell) -> Arc<[String]> {
        self.0.get(cell.record.stop.as_slice()).cloned().unwrap_or_default()
    }
}

/// What a server is asked for one draw of a cell.
pub(super) fn ask_of(cell: &PlannedCell, draw: Draw, tag: u64, stop: Arc<[String]>) -> Ask {
    let CellRecord { decoding, seed, max_new_tokens, chat, .. } = cell.record;
    let text = &cell.prompts.prompts[draw.prompt as usize].text;
    let prompt = match chat {
        true => ServerPrompt::Turns(text.as_str().into()),
        false => ServerPrompt::Text(text.as_str().into()),
    };
    Ask { tag, prompt, decoding, seed, draw, max_new_tokens, stop }
}

/// Settings of `decoding` that a server ignores, for a cell's record.
pub fn ignored(record: &ModelRecord, decoding: &Decoding) -> Vec<String> {
    let Some(facts) = server_facts(record) else { return Vec::new() };
    let set = crate::decode::knobs::KNOBS.iter().filter(|knob| knob.get(decoding).is_some());
    let set: Vec<&str> = set.map(|knob| knob.column).chain(["seed"]).collect();
    facts.ignored.into_iter().filter(|column| set.contains(&column.as_str())).collect()
}

/// What a record says of its server.
pub fn server_facts(record: &ModelRecord) -> Option<ServerFacts> {
    serde_json::from_value(record.server.clone()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_not_asked_what_it_does() {
        let model = SweepModel::open("tiny-gpt2", ChatMode::Never, Date::default()).unwrap();
        let found = model.meet([&Decoding::default()], false, ServerTerms::default()).unwrap();
        assert_eq!((found, model.server().is_some()), (None, false));
    }

    #[test]
    fn a_prompt_is_cut_where_it_has_more_tokens_than_there_is_room_for() {
        let model = SweepModel::open("tiny-gpt2", ChatMode::Never, Date::default()).unwrap();
        let body = Body::Plain("One word, and then some more of them.".to_owned());
        let (text, ids) = model.encode(&body).unwrap();
        let room = ids.len();
        assert_eq!(model.encode_cut(&body, room).unwrap(), (text.clone(), ids.clone(), false));
        let (begin, kept, is_cut) = model.encode_cut(&body, room - 1).unwrap();
        assert_eq!((&kept[..], is_cut), (&ids[..room - 1], true));
        assert!(text.starts_with(&begin) && begin.len() < text.len(), "{begin}");
    }

    #[test]
    fn a_name_of_a_server_is_a_server_and_has_no_checkpoint() {
        let name = "openai:http://127.0.0.1:9/v1#m";
        let model = SweepModel::open(name, ChatMode::Never, Date::default()).unwrap();
        assert!(model.server().is_some() && model.checkpoint().is_none());
    }
}
