//! From a task and in-context examples to what a model reads.

use serde::{Deserialize, Serialize};

use super::{
    Text,
    task::{Task, first_words},
    template::fill,
};
use crate::rng;

/// Why a prompt cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum PromptError {
    /// The task has no template for shots.
    #[error("task `{task}` takes no shots; give --shots 0, or a task whose file has a `shot`")]
    NoShots { task: String },
    /// Fewer texts than shots.
    #[error("{shots} shots need as many texts apart from the reference, and there are {pool}")]
    PoolTooSmall { shots: usize, pool: usize },
    /// No texts to take prefixes from.
    #[error(
        "task `{task}` goes on from the first words of texts apart from the reference, and there are none"
    )]
    NoPrefixes { task: String },
    /// Not even the prompt without shots fits.
    #[error("prompt {id} has {tokens} tokens without any shots, and there is room for {room}")]
    TooLong { id: String, tokens: usize, room: usize },
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// What stands above the conversation.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: "system".to_owned(), content: content.into() }
    }

    /// What the user says.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: "user".to_owned(), content: content.into() }
    }

    /// What the model says.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: "assistant".to_owned(), content: content.into() }
    }
}

/// What a model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text as it is.
    Plain(String),
    /// Turns for a chat template, and what the answer is made to begin with.
    Chat {
        /// The turns, a user's last.
        messages: Vec<Message>,
        /// The words of the answer that the model goes on from; may be empty.
        start: String,
    },
}

/// How prompts are put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// As text to be continued.
    #[default]
    Plain,
    /// As a user's turn that holds the shots.
    Chat,
    /// As a conversation in which every shot is an earlier answer.
    Turns,
}

/// A prompt with what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its name: task, shots and index.
    pub id: String,
    /// What the model reads.
    pub body: Body,
    /// What of the answer it holds already: the cue, or the words that a chat's answer is made to begin with.
    pub cue: String,
    /// The names of the shots in it, in order; a text without a name goes by `#` and its index in the pool.
    pub shots: Vec<String>,
    /// Shots left out because the prompt would have been too long.
    pub dropped_shots: usize,
    /// The words of a text it goes on from; empty where the task has none.
    pub prefix: String,
}

/// Texts parted so that none serves two purposes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pools {
    /// What models are scored against.
    pub reference: Vec<Text>,
    /// Where in-context examples come from.
    pub shots: Vec<Text>,
    /// Where prefixes come from.
    pub prefixes: Vec<Text>,
}

/// Parts `texts` by `seed`: `shots` and `prefixes` texts are set apart, the rest is the reference, in
/// its old order.
///
/// Texts that are equal stay together, so no reference text is ever shown to a model; each group of
/// equal texts gives one shot or prefix. Blank texts stay in the reference. Where there are too few
/// texts, the reference keeps at least half of them.
pub fn split(texts: Vec<Text>, shots: usize, prefixes: usize, seed: u64) -> Pools {
    let mut groups: indexmap::IndexMap<&str, Vec<usize>> = indexmap::IndexMap::new();
    for (index, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_blank()) {
        groups.entry(text.text.trim()).or_default().push(index);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    rng::shuffle(&mut rng::named(seed, "split texts"), &mut groups);
    let apart = (shots + prefixes).min(groups.len() / 2);
    let shots = (apart * shots).checked_div(shots + prefixes).unwrap_or(0);
    let mut taken = vec![false; texts.len()];
    groups[..apart].iter().flatten().for_each(|&index| taken[index] = true);
    let pick = |groups: &[Vec<usize>]| groups.iter().map(|g| texts[g[0]].clone()).collect();
    let (shots, prefixes) = (pick(&groups[..shots]), pick(&groups[shots..apart]));
    let mut taken = taken.into_iter();
    let reference = texts.into_iter().filter(|_| !taken.next().unwrap_or(false)).collect();
    Pools { reference, shots, prefixes }
}

/// Prompt number `index` of `task` with `shots` in-context examples.
///
/// Which texts and which instruction are used depends on `seed` and `index` alone; the shots of a prompt
/// with fewer are the first of those of the prompt with more.
///
/// # Errors
///
/// [`PromptError::NoShots`], [`PromptError::PoolTooSmall`], [`PromptError::NoPrefixes`].
pub fn render(
    task: &Task,
    style: Style,
    shots: usize,
    index: u32,
    seed: u64,
    pools: &Pools,
) -> Result<Prompt, PromptError> {
    let template = match &task.shot {
        None if shots > 0 => return Err(PromptError::NoShots { task: task.name.clone() }),
        template => template.as_deref().unwrap_or_default(),
    };
    if pools.shots.len() < shots {
        return Err(PromptError::PoolTooSmall { shots, pool: pools.shots.len() });
    }
    let order = order(seed, &format!("shots {index}"), pools.shots.len(), shots);
    let examples: Vec<String> = order
        .iter()
        .map(|&at| {
            let text = &pools.shots[at];
            let title = text.title.as_deref().unwrap_or_default();
            fill(template, &[("title", title), ("text", text.text.trim())])
        })
        .collect();
    let names =
        order.iter().map(|&at| pools.shots[at].id.clone().unwrap_or_else(|| format!("#{at}")));
    let prefix = match task.prefix_words {
        None => "",
        Some(_) if pools.prefixes.is_empty() => {
            return Err(PromptError::NoPrefixes { task: task.name.clone() });
        }
        Some(words) => {
            let at = cycle(seed, "prefixes", pools.prefixes.len(), index);
            first_words(pools.prefixes[at].text.trim(), words)
        }
    };
    let (head, last) = prefix.rsplit_once(char::is_whitespace).unwrap_or(("", prefix));
    let instruction = match task.instructions.len() {
        0 => "",
        n => &task.instructions[cycle(seed, "instructions", n, index)],
    };
    let fields = [
        ("prefix", prefix),
        ("prefix_head", head.trim_end()),
        ("prefix_last", last),
        ("instruction", instruction),
    ];
    let cue = fill(&task.cue, &fields);
    let join = |parts: Vec<&str>| {
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&task.separator)
    };
    let examples_ref = || examples.iter().map(String::as_str);
    let (body, cue) = if style == Style::Plain {
        let parts = task.header.as_deref().map(|h| fill(h, &[]));
        let header = parts.as_deref().unwrap_or_default();
        let parts = std::iter::once(header).chain(examples_ref()).chain([cue.as_str()]);
        (Body::Plain(join(parts.collect())), cue)
    } else {
        let header = task.chat.header.as_deref().or(task.header.as_deref()).unwrap_or_default();
        let header = fill(header, &fields);
        let ask = task.chat.ask.as_deref().map(|ask| fill(ask, &fields)).unwrap_or_default();
        let start = match (&task.chat.start, &task.chat.ask) {
            (Some(start), _) => fill(start, &fields),
            (None, None) => cue,
            (None, Some(_)) => String::new(),
        };
        let system =
            task.chat.system.as_deref().map(|system| Message::system(fill(system, &fields)));
        let turns = if style == Style::Turns && shots > 0 {
            let again = task.chat.again.as_deref().map(|again| fill(again, &fields));
            let again =
                again.unwrap_or_else(|| if ask.is_empty() { header.clone() } else { ask.clone() });
            let mut messages = vec![Message::user(join(vec![&header, &ask]))];
            for example in &examples {
                messages.push(Message::assistant(example.as_str()));
                messages.push(Message::user(again.as_str()));
            }
            messages
        } else {
            let parts =
                std::iter::once(header.as_str()).chain(examples_ref()).chain([ask.as_str()]);
            vec![Message::user(join(parts.collect()))]
        };
        let messages = system.into_iter().chain(turns).collect();
        (Body::Chat { messages, start: start.clone() }, start)
    };
    Ok(Prompt {
        id: format!("{}/{shots}/{index}", task.name),
        body,
        cue,
        shots: names.collect(),
        dropped_shots: 0,
        prefix: prefix.to_owned(),
    })
}

/// [`render`], leaving out as many of the last shots as it takes for `tokens` to say that the prompt
/// has at most `room` tokens. The cue is never cut.
///
/// # Errors
///
/// Those of [`render`] and [`PromptError::TooLong`]; whatever `tokens` fails with.
#[expect(clippy::too_many_arguments, reason = "the arguments of `render` and two more")]
pub fn render_within<E: From<PromptError>>(
    task: &Task,
    style: Style,
    shots: usize,
    index: u32,
    seed: u64,
    pools: &Pools,
    room: usize,
    mut tokens: impl FnMut(&Prompt) -> Result<usize, E>,
) -> Result<Prompt, E> {
    let mut kept = shots;
    loop {
        let mut prompt = render(task, style, kept, index, seed, pools)?;
        let length = tokens(&prompt)?;
        if length <= room {
            prompt.id = format!("{}/{shots}/{index}", task.name);
            prompt.dropped_shots = shots - kept;
            return Ok(prompt);
        }
        if kept == 0 {
            return Err(PromptError::TooLong { id: prompt.id, tokens: length, room }.into());
        }
        kept -= 1;
    }
}

/// The first `take` of `0..n` in an order of its own for `what`.
fn order(seed: u64, what: &str, n: usize, take: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    let mut rng = rng::named(seed, what);
    // The first steps of a Fisher–Yates shuffle, so fewer shots are the first of more.
    for i in 0..take.min(n) {
        let j = i + rng::next_below(&mut rng, n - i);
        all.swap(i, j);
    }
    all.truncate(take);
    all
}

/// Item `index` of `0..n` gone through again and again in a drawn order, so that each is used equally often.
fn cycle(seed: u64, what: &str, n: usize, index: u32) -> usize {
    order(seed, what, n, n)[index as usize % n]
}

#[cfg(test)]
mod tests;
