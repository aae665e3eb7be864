//! The prompts of a cell as token ids, shared by all cells that read the same.

use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc};

use crate::{
    data::hex::hex,
    rng,
    text::{
        Gaps, Text, TextError,
        grammar::Grammar,
        prompt::{Body, Pools, Prompt, PromptError, Style, render_within, split},
        read,
        task::Task,
    },
};

/// A prompt as the model reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPrompt {
    /// Its name in its task.
    pub id: String,
    /// Its text, chat template included.
    pub text: String,
    /// Its token ids, none where a server reads it; prompts with equal ids share one allocation.
    pub ids: Arc<[u32]>,
    /// The words of a text that it goes on from.
    pub prefix: String,
    /// In-context examples that fitted.
    pub shots_used: usize,
}

/// All prompts of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPrompts {
    /// In order.
    pub prompts: Vec<PlannedPrompt>,
    /// SHA-256 of their token ids in order.
    pub hash: String,
    /// How many lost in-context examples because they did not fit.
    pub shortened: usize,
    /// The longest, in tokens.
    pub longest: usize,
}

/// What prompts are made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// The task.
    pub task: &'a Task,
    /// How it is put.
    pub style: Style,
    /// How many prompts.
    pub count: usize,
    /// Which texts serve as examples and prefixes is drawn under this seed.
    pub seed: u64,
    /// The texts.
    pub pools: &'a Pools,
    /// Tokens that a prompt may have.
    pub room: usize,
}

impl PlannedPrompts {
    /// Renders and encodes `recipe.count` prompts of `shots` examples; `encode` gives a prompt's text
    /// and token ids. Examples that do not fit are left out whole.
    ///
    /// # Errors
    ///
    /// [`PromptError`]; whatever `encode` fails with.
    pub fn new<E: From<PromptError>>(
        recipe: Recipe<'_>,
        shots: usize,
        encode: impl Fn(&Body) -> Result<(String, Vec<u32>), E>,
    ) -> Result<Self, E> {
        let Recipe { task, style, count, seed, pools, room } = recipe;
        // Prompts of tasks without shots, prefixes or instructions are all the same: encoded once.
        let mut known: HashMap<String, (String, Arc<[u32]>)> = HashMap::new();
        let mut prompts = Vec::with_capacity(count);
        for index in 0..count as u32 {
            let tokens = |prompt: &Prompt| -> Result<usize, E> {
                let key = format!("{:?}", prompt.body);
                if let Some((_, ids)) = known.get(&key) {
                    return Ok(ids.len());
                }
                let (text, ids) = encode(&prompt.body)?;
                let length = ids.len();
                known.insert(key, (text, ids.into()));
                Ok(length)
            };
            let prompt = render_within(task, style, shots, index, seed, pools, room, tokens)?;
            let Some((text, ids)) = known.get(&format!("{:?}", prompt.body)).cloned() else {
                continue;
            };
            prompts.push(PlannedPrompt {
                id: prompt.id,
                text,
                ids,
                prefix: prompt.prefix,
                shots_used: shots - prompt.dropped_shots,
            });
        }
        Ok(Self::of(prompts, shots))
    }

    /// Whether some answer is begun by its prompt, where prompts are turns for a server.
    pub fn begin_answers(&self, chat: bool) -> bool {
        let begun = |prompt: &PlannedPrompt| {
            let turns: Option<serde_json::Value> = serde_json::from_str(&prompt.text).ok();
            turns
                .and_then(|turns| turns.as_array()?.last().cloned())
                .is_some_and(|turn| turn["role"] == "assistant")
        };
        chat && self.prompts.iter().any(begun)
    }

    /// Prompts made elsewhere, such as those of a file.
    pub fn of(mut prompts: Vec<PlannedPrompt>, shots: usize) -> Self {
        let mut shared: HashMap<Arc<[u32]>, Arc<[u32]>> = HashMap::new();
        let mut hasher = Sha256::new();
        for prompt in &mut prompts {
            let ids = shared.entry(prompt.ids.clone()).or_insert_with(|| prompt.ids.clone());
            prompt.ids = ids.clone();
            hasher.update((prompt.ids.len() as u64).to_le_bytes());
            prompt.ids.iter().for_each(|id| hasher.update(id.to_le_bytes()));
            if prompt.ids.is_empty() {
                hasher.update(&prompt.text);
            }
            // Two prompts may read the same and yet be scored with different prefixes.
            hasher.update((prompt.prefix.len() as u64).to_le_bytes());
            hasher.update(&prompt.prefix);
        }
        let shortened = prompts.iter().filter(|p| p.shots_used < shots).count();
        let longest = prompts.iter().map(|p| p.ids.len()).max().unwrap_or(0);
        Self { prompts, hash: hex(hasher.finalize()), shortened, longest }
    }
}

/// Texts of a grammar beyond the completions' number, for examples.
const BESIDE: usize = 125;

/// The texts that a task's prompts are made of and its completions are compared with.
#[derive(Clone, Debug)]
pub struct Material {
    /// What to call where they come from.
    pub source: String,
    /// The grammar that they were drawn from, where there is one.
    pub grammar: Option<Grammar>,
    /// The texts, parted.
    pub pools: Pools,
    /// What a person should know about the file.
    pub notes: Vec<String>,
}

impl Material {
    /// The texts of the file or grammar `reference`, else of the task's grammar, for `n` completions; parted
    /// under `seed`, or, where they are `shared`, all of them for every purpose. `None` where there is neither.
    ///
    /// # Errors
    ///
    /// Those of [`read`] and of the grammar.
    pub fn find(
        task: &Task,
        reference: Option<&str>,
        n: usize,
        seed: u64,
        shared: bool,
    ) -> Result<Option<Self>, TextError> {
        let (source, grammar) = match reference {
            Some(name) if Grammar::is_meant(name) => (name.to_owned(), Some(Grammar::named(name)?)),
            Some(path) => (path.to_owned(), None),
            None => (format!("grammar {}", task.name), task.grammar()?),
        };
        let (texts, notes) = match (&grammar, reference) {
            (Some(grammar), _) => (grammar.reference(seed, n + BESIDE)?, Vec::new()),
            (None, Some(path)) => {
                let reading = read(path, Gaps::default())?;
                let notes = reading.notes(path);
                (reading.texts, notes)
            }
            (None, None) => return Ok(None),
        };
        let (shots, prefixes) = set_apart(task, texts.len());
        let pools = match shared {
            true => Pools { shots: texts.clone(), prefixes: texts.clone(), reference: texts },
            false => split(texts, shots, prefixes, seed),
        };
        Ok(Some(Self { source, grammar, pools, notes }))
    }
}

/// Those of a reference's texts that `n` completions are compared with: as many, drawn under `seed`, in their order.
pub fn compared(texts: Vec<Text>, n: usize, seed: u64) -> Vec<Text> {
    let mut rows: Vec<usize> = (0..texts.len()).collect();
    rng::shuffle(&mut rng::named(seed, "reference"), &mut rows);
    rows.truncate(n);
    rows.sort_unstable();
    let mut texts: Vec<Option<Text>> = texts.into_iter().map(Some).collect();
    rows.into_iter().filter_map(|row| texts[row].take()).collect()
}

/// How many texts are set apart as `(shots, prefixes)` of `texts`, for any number of shots: the
/// reference must stay the same when a grid is extended.
pub fn set_apart(task: &Task, texts: usize) -> (usize, usize) {
    let shots = if task.shot.is_some() { (texts / 5).min(100) } else { 0 };
    let prefixes = if task.needs_prefixes() { texts / 4 } else { 0 };
    (shots, prefixes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::prompt::split;

    fn encode(body: &Body) -> Result<(String, Vec<u32>), PromptError> {
        let Body::Plain(text) = body else { unreachable!("plain") };
        Ok((text.clone(), text.split_whitespace().map(|w| w.len() as u32).collect()))
    }

    fn pools() -> Pools {
        let words = ["ada", "bob", "cleo", "dan", "eve", "fay", "gus", "hal", "ida", "joe"];
        let texts = words.iter().enumerate().map(|(i, w)| Text {
            title: Some((*w).to_owned()),
            ..Text::new(format!("{w} was born {} times.", "very often and ".repeat(i)))
        });
        split(texts.collect(), 4, 0, 0)
    }

    #[test]
    fn a_prompt_keeps_its_cue_and_loses_whole_shots() {
        let (task, pools) = (Task::find("wikipedia-bio").unwrap(), pools());
        let recipe =
            Recipe { task: &task, style: Style::Plain, count: 6, seed: 0, pools: &pools, room: 45 };
        let planned = PlannedPrompts::new(recipe, 3, encode).unwrap();
        assert_eq!(planned.prompts.len(), 6);
        assert!(planned.shortened > 0 && planned.longest <= 45, "{planned:?}");
        for prompt in &planned.prompts {
            assert!(prompt.text.ends_with("- Biography of"), "{}", prompt.text);
            assert_eq!(prompt.text.matches("- Biography of ").count(), prompt.shots_used);
        }
    }

    #[test]
    fn equal_prompts_share_their_ids_and_the_hash_depends_on_them() {
        let (task, pools) = (Task::find("wikipedia-bio").unwrap(), pools());
        let recipe =
            Recipe { task: &task, style: Style::Plain, count: 3, seed: 0, pools: &pools, room: 99 };
        let none = PlannedPrompts::new(recipe, 0, encode).unwrap();
        assert!(Arc::ptr_eq(&none.prompts[0].ids, &none.prompts[2].ids));
        assert_ne!(none.hash, PlannedPrompts::new(recipe, 1, encode).unwrap().hash);
        assert_eq!(none.hash, PlannedPrompts::new(recipe, 0, encode).unwrap().hash);
    }

    #[test]
    fn a_prompt_that_cannot_fit_is_named() {
        let (task, pools) = (Task::find("wikipedia-bio").unwrap(), pools());
        let recipe =
            Recipe { task: &task, style: Style::Plain, count: 1, seed: 0, pools: &pools, room: 3 };
        let message = PlannedPrompts::new(recipe, 2, encode).unwrap_err().to_string();
        assert!(message.contains("has 8 tokens without any shots"), "{message}");
    }

    #[test]
    fn a_fifth_is_set_apart_for_examples_and_a_quarter_for_prefixes() {
        let bio = Task::find("wikipedia-bio").unwrap();
        assert_eq!((set_apart(&bio, 50), set_apart(&bio, 5000)), ((10, 0), (100, 0)));
        let prefixes = bundled_with_prefixes();
        assert_eq!(set_apart(&prefixes, 400).1, 100);
    }

    fn bundled_with_prefixes() -> Task {
        let tasks = crate::text::task::bundled().map(|name| Task::find(name).unwrap());
        tasks.into_iter().find(Task::needs_prefixes).expect("a task that continues texts")
    }

    #[test]
    fn an_answer_is_begun_where_the_last_turn_is_the_assistant_s() {
        let planned = |turns: &str| {
            let (text, ids) = (turns.to_owned(), Arc::from([]));
            let (id, prefix) = (String::new(), String::new());
            PlannedPrompts::of(vec![PlannedPrompt { id, text, ids, prefix, shots_used: 0 }], 0)
        };
        let begun = planned(r#"[{"role":"user"},{"role":"assistant","content":"Once"}]"#);
        assert!(begun.begin_answers(true) && !begun.begin_answers(false));
        for turns in [r#"[{"role":"assistant"},{"role":"user"}]"#, "[]", "- Biography of"] {
            assert!(!planned(turns).begin_answers(true), "{turns}");
        }
    }
}
