//! Prompts of one cell, from a task, a file or the command line.

use anyhow::{Context, bail};

use super::flags::PromptFlags;
use crate::{
    run::{
        models::SweepModel,
        prompts::{PlannedPrompt, PlannedPrompts, Recipe, set_apart},
    },
    text::{
        prompt::{Body, Message, Pools, Style, split},
        read_texts,
        task::Task,
    },
};

/// A task that scores a completion as it is.
const BARE: &str = "name = 'prompt'\nversion = 1\ncue = 'given on the command line'";

/// Where prompts come from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// One prompt, a file of prompts, or nothing for a task's.
    pub flags: &'a PromptFlags,
    /// Texts that examples and prefixes of a task come from.
    pub reference: Option<&'a str>,
    /// How many prompts a task makes.
    pub count: usize,
}

/// The task called `name`; without one, a task that leaves prompts and completions as they are.
pub fn find_task(name: Option<&str>) -> anyhow::Result<Task> {
    Ok(match name {
        Some(name) => Task::find(name)?,
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
        let given: Vec<(String, String)> = match (&self.flags.prompt, &self.flags.prompts) {
            (Some(text), _) => vec![("prompt".to_owned(), text.clone())],
            (None, Some(file)) => read_prompts(file)?,
            (None, None) => return self.of_task(task, model, room),
        };
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
        let texts = self.reference.map(read_texts).transpose()?.unwrap_or_default();
        let (examples, prefixes) = set_apart(task, texts.len());
        let pools =
            if texts.is_empty() { Pools::default() } else { split(texts, examples, prefixes, 0) };
        let style = model.style(Style::Chat);
        let recipe = Recipe { task, style, count: self.count, seed: 0, pools: &pools, room };
        let shots = self.flags.shots.unwrap_or_default();
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
    let with_field = format!("{file}:prompt");
    let json = file.ends_with(".jsonl") || file.ends_with(".json");
    let texts = match json.then(|| read_texts(&with_field)) {
        Some(Ok(texts)) => texts,
        _ => read_texts(file)?,
    };
    let name = |at: usize, id: Option<String>| id.unwrap_or_else(|| at.to_string());
    Ok(texts.into_iter().enumerate().map(|(at, t)| (name(at, t.id), t.text)).collect())
}
