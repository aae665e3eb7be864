//! Prompts of one cell, from a task, a file or the command line.

use anyhow::{Context, bail};

use super::notes::note;
use crate::{
    lm::checkpoint::hub,
    run::{
        models::SweepModel,
        prompts::{Material, PlannedPrompt, PlannedPrompts, Recipe},
    },
    text::{
        prompt::{Body, Message, Style},
        read_texts,
        task::Task,
    },
};

/// A task that scores a completion as it is.
const BARE: &str = "name = 'prompt'\nversion = 1\ncue = 'given on the command line'";

/// Where prompts come from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// One prompt.
    pub prompt: Option<&'a str>,
    /// A file of prompts; without it and without one prompt they are the task's.
    pub prompts: Option<&'a str>,
    /// In-context examples of a task's prompt.
    pub shots: usize,
    /// How the examples stand in a chat.
    pub shots_as: Style,
    /// Texts that examples and prefixes of a task come from.
    pub reference: Option<&'a str>,
    /// Completions for which a grammar's texts are drawn.
    pub n: usize,
    /// How many prompts a task makes.
    pub count: usize,
    /// Parts the texts and draws the prompts.
    pub seed: u64,
}

/// The task called `name`; without one, a task that leaves prompts and completions as they are.
pub fn find_task(name: Option<&str>) -> anyhow::Result<Task> {
    Ok(match name {
        Some(name) => Task::find(&hub::local(name)?)?,
        None => Task::parse("prompt", BARE)?,
    })
}

impl Source<'_> {
    /// The prompts as `model` reads them.
    pub fn plan(
        &self,
        task: &Task,
        model: &SweepModel,
        max_new_tokens: usize,
    ) -> anyhow::Result<PlannedPrompts> {
        let room = model.room(max_new_tokens)?;
        let given: Vec<(String, String)> = match (self.prompt, self.prompts) {
            (Some(text), _) => vec![("prompt".to_owned(), text.to_owned())],
            (None, Some(file)) => read_prompts(file)?,
            (None, None) => return self.of_task(task, model, room),
        };
        if self.shots > 0 {
            bail!(
                "--shots {} puts examples before a task's prompts, and these are given; leave it out, or name a --task",
                self.shots
            );
        }
        let prompt = |(id, text): (String, String)| -> anyhow::Result<PlannedPrompt> {
            let body = match model.chat {
                true => Body::Chat { messages: vec![Message::user(text)], start: String::new() },
                false => Body::Plain(text),
            };
            let (text, ids) = model.encode(&body)?;
            if ids.is_empty() && (text.is_empty() || model.checkpoint().is_some()) {
                bail!("prompt {id} has no tokens; give at least one word");
            }
            if ids.len() > room {
                bail!(
                    "prompt {id} has {} tokens, and there is room for {room} beside \
                     {max_new_tokens} new ones; shorten it or use a smaller --max-new-tokens",
                    ids.len()
                );
            }
            Ok(PlannedPrompt { id, text, ids: ids.into(), prefix: String::new(), shots_used: 0 })
        };
        let prompts = given.into_iter().map(prompt).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(PlannedPrompts::of(prompts, 0))
    }

    fn of_task(
        &self,
        task: &Task,
        model: &SweepModel,
        room: usize,
    ) -> anyhow::Result<PlannedPrompts> {
        let Self { reference, n, count, seed, shots, .. } = *self;
        let reference = reference.map(hub::local).transpose()?;
        let found = Material::find(task, reference.as_deref(), n, seed, false)?;
        let (pools, notes) = found.map(|texts| (texts.pools, texts.notes)).unwrap_or_default();
        note(&notes);
        let style = model.style(self.shots_as);
        let recipe = Recipe { task, style, count, seed, pools: &pools, room };
        let planned = PlannedPrompts::new(recipe, shots, |body| model.encode(body));
        planned.context(if self.reference.is_none() {
            "give texts for examples and prefixes with --reference FILE"
        } else {
            "cannot make the prompts"
        })
    }
}

/// Prompts of a file with their names: its field `prompt` where there is one, else its texts.
fn read_prompts(file: &str) -> anyhow::Result<Vec<(String, String)>> {
    let file = &*hub::local(file)?;
    let with_field = format!("{file}:prompt");
    let json = file.ends_with(".jsonl") || file.ends_with(".json");
    let texts = match json.then(|| read_texts(&with_field)) {
        Some(Ok(texts)) => texts,
        _ => read_texts(file)?,
    };
    let name = |at: usize, id: Option<String>| id.unwrap_or_else(|| at.to_string());
    Ok(texts.into_iter().enumerate().map(|(at, t)| (name(at, t.id), t.text)).collect())
}
