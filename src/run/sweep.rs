//! A sweep before it runs: task, texts, models, prompts and cells, all checked.

use std::sync::Arc;

use super::{
    features::{EmbedSettings, Features, texts_hash},
    folder::{ModelRecord, RunFolder, Shared},
    models::{ModelError, SweepModel, ignored, server_facts},
    plan::{PlanError, PlannedCell, Point, cell_id},
    prompts::{Material, PlannedPrompts, Recipe, compared},
    quirks::Quirk,
    sampling::is_complete,
    settings::SweepSettings,
};
use crate::{
    data::secret::without_logins,
    lm::{LmError, checkpoint::hub, server::ServerFacts},
    report::record::{CELL_SCHEMA, CellRecord},
    text::{
        TextError,
        grammar::Grammar,
        prompt::Pools,
        task::{Task, TaskError},
    },
};

/// The version of everything between a request and its text; grows when texts change.
pub const ENGINE: &str = "1";

/// Why a sweep cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The grid.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The task.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The reference.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A task or a reference that the hub does not have or give.
    #[error(transparent)]
    Hub(LmError),
    /// A task without texts of its own.
    #[error("task `{task}` needs human texts to compare with: give them with --reference FILE")]
    NoReference {
        /// The task.
        task: String,
    },
    /// A task on which no person wrote: models are held against each other.
    #[error(
        "nobody wrote texts on task `{task}`: draw a model's with `llmpr sample --model A --task {task} -n N -o a.jsonl`, \
         and hold the others against it with --reference a.jsonl"
    )]
    NoPeople {
        /// The task.
        task: String,
    },
    /// No prompt of which it is known which text answers it.
    #[error(
        "task `{task}` has {count} instructions, and which of them a reference text follows is not known; leave out \
         --reference-nll"
    )]
    ManyInstructions {
        /// The task.
        task: String,
        /// How many it has.
        count: usize,
    },
    /// Too few texts.
    #[error("`{path}` leaves {n} reference texts, and a comparison needs at least {least}")]
    FewReferences {
        /// The file.
        path: String,
        /// Texts left when examples and prefixes are set apart.
        n: usize,
        /// Texts needed.
        least: usize,
    },
    /// A model.
    #[error("model `{name}`: {source}")]
    Model {
        /// As it was named.
        name: String,
        /// Why.
        source: ModelError,
    },
    /// Two servers whose models bear one name.
    #[error("two servers call their model `{name}`; tell them apart with openai:URL#NAME?as=ID")]
    Namesakes {
        /// The name.
        name: String,
    },
    /// The embedder.
    #[error("embedder `{name}`: {source}")]
    Embedder {
        /// As it was named.
        name: String,
        /// Why.
        source: LmError,
    },
    /// The device.
    #[error(transparent)]
    Device(LmError),
}

/// A model and its cells.
pub struct Group {
    /// The model; its weights are not read yet.
    pub model: SweepModel,
    /// What `run.json` says of it.
    pub record: ModelRecord,
    /// What its server was found to do, and what became of its prompts, in sentences.
    met: Vec<String>,
    /// Its cells, in the order of the grid.
    pub cells: Vec<PlannedCell>,
}

/// A sweep that can run.
pub struct Sweep {
    /// What it was told.
    pub settings: SweepSettings,
    /// The task.
    pub task: Task,
    /// Reference texts as they are compared.
    pub reference: Vec<String>,
    /// The same texts as they came, and what prompts are made of.
    pub pools: Pools,
    /// The distribution that the reference was drawn from, where it is known.
    pub grammar: Option<Grammar>,
    /// What its cells have in common.
    pub shared: Shared,
    /// Models and cells.
    pub groups: Vec<Group>,
    /// What embeds.
    pub features: Features,
    /// Sentences for the person who started it.
    pub notes: Vec<String>,
}

/// The fewest reference texts with which neighbors mean something.
const LEAST_REFERENCES: usize = 10;

impl Sweep {
    /// Reads the task, the reference and the models' configurations and tokenizers, renders the
    /// prompts and names the cells. No weight is read and nothing is written.
    ///
    /// # Errors
    ///
    /// [`SweepError`].
    pub fn plan(settings: SweepSettings) -> Result<Self, SweepError> {
        settings.ask_for_something()?;
        let points = settings.grid.points()?;
        let task = Task::find(&hub::local(&settings.task).map_err(SweepError::Hub)?)?;
        let max_new_tokens = settings.max_new_tokens.unwrap_or(task.max_new_tokens);
        if max_new_tokens == 0 {
            return Err(PlanError::NoTokens.into());
        }
        let given = settings.reference.as_deref().map(hub::local).transpose();
        let given = given.map_err(SweepError::Hub)?;
        let (given, n, seed) = (given.as_deref(), settings.n_samples, settings.prompt_seed);
        let Some(Material { source, grammar, mut pools, mut notes }) =
            Material::find(&task, given, n, seed, settings.quirks.has(Quirk::SharedTexts))?
        else {
            let people = task.instructions.is_empty();
            let task = task.name;
            return Err(match people {
                true => SweepError::NoReference { task },
                false => SweepError::NoPeople { task },
            });
        };
        // As it was named, not where the hub's cache lies.
        let source = settings.reference.clone().unwrap_or(source);
        pools.reference = compared(pools.reference, settings.n_samples, settings.prompt_seed);
        let compared = pools.reference.iter().map(|text| task.scored_reference(text));
        let reference: Vec<String> = compared.collect();
        if reference.len() < LEAST_REFERENCES {
            let (n, least) = (reference.len(), LEAST_REFERENCES);
            return Err(SweepError::FewReferences { path: source, n, least });
        }
        if reference.len() < settings.n_samples {
            notes.push(format!(
                "only {} reference texts are left beside examples and prefixes: each cell's {} \
                 completions are drawn down to as many when they are scored",
                reference.len(),
                settings.n_samples
            ));
        }
        let embedder = settings.embedder.clone();
        let features = Features::open(EmbedSettings {
            model: embedder.clone(),
            pooling: settings.pooling,
            max_tokens: settings.embed_tokens,
            device: settings.device,
            dtype: settings.dtype,
        })
        .map_err(|source| SweepError::Embedder { name: embedder, source })?;
        let prompts = settings.prompts.unwrap_or(settings.n_samples).clamp(1, settings.n_samples);
        let texts: Vec<&str> = reference.iter().map(String::as_str).collect();
        let shared = Shared {
            task: task.name.clone(),
            task_hash: task.hash.clone(),
            reference: source,
            reference_hash: texts_hash(&texts),
            reference_n: reference.len(),
            embedder: settings.embedder.clone(),
            embedder_hash: features.key().to_owned(),
            pooling: features.pooling(),
            embed_tokens: features.max_tokens(),
            n_samples: settings.n_samples,
            max_new_tokens,
            prompts,
            prompt_seed: settings.prompt_seed,
        };
        let mut groups = Vec::new();
        for name in &settings.models {
            let group = Group::plan(name, &settings, &task, &shared, &pools, &points)
                .map_err(|source| SweepError::Model { name: without_logins(name), source })?;
            if let Some(other) = groups.iter().find(|other: &&Group| other.is_namesake(&group)) {
                return Err(SweepError::Namesakes { name: other.record.name.clone() });
            }
            notes.extend(group.notes());
            groups.push(group);
        }
        if settings.reference_nll {
            notes.extend(nll_notes(&task, &groups)?);
        }
        let sweep =
            Self { settings, task, reference, pools, grammar, shared, groups, features, notes };
        if let Some(shard) = &sweep.settings.shard {
            shard.of(&sweep.sizes())?;
        }
        Ok(sweep)
    }

    /// All cells, in the order of the plan.
    pub fn cells(&self) -> impl Iterator<Item = &PlannedCell> {
        self.groups.iter().flat_map(|group| &group.cells)
    }

    /// How many cells each model has.
    pub fn sizes(&self) -> Vec<usize> {
        self.groups.iter().map(|group| group.cells.len()).collect()
    }

    /// Leaves only the cells of the settings' shard, where there is one.
    pub fn keep_shard(&mut self) {
        let Some(shard) = &self.settings.shard else { return };
        // Checked by the plan.
        let range = shard.of(&self.sizes()).unwrap_or(0..0);
        let mut at = 0;
        for group in &mut self.groups {
            group.cells.retain(|_| {
                at += 1;
                range.contains(&(at - 1))
            });
        }
        self.groups.retain(|group| !group.cells.is_empty());
    }
}

impl Group {
    fn plan(
        name: &str,
        settings: &SweepSettings,
        task: &Task,
        shared: &Shared,
        pools: &Pools,
        points: &[Point],
    ) -> Result<Self, ModelError> {
        let model = match settings.generators.get(name) {
            Some(generator) => SweepModel::written_by(name, generator.clone(), settings.chat),
            None => SweepModel::open(name, settings.chat, settings.date)?,
        };
        let recipe = Recipe {
            task,
            style: model.style(settings.shots_as),
            count: shared.prompts,
            seed: settings.prompt_seed,
            pools,
            room: model.room(shared.max_new_tokens)?,
        };
        let quirks = &settings.quirks;
        if let (Some(quirk), None) = (quirks.of_tokens(), model.checkpoint()) {
            return Err(ModelError::Quirk { quirk });
        }
        let (cuts, room) = (quirks.has(Quirk::CutPrompts), recipe.room);
        let cut = std::cell::Cell::new(0_usize);
        let mut by_shots = indexmap::IndexMap::new();
        for point in points {
            if !by_shots.contains_key(&point.shots) {
                let encode = |body: &_| {
                    if !cuts {
                        return model.encode(body);
                    }
                    let (text, ids, is_cut) = model.encode_cut(body, room)?;
                    cut.set(cut.get() + usize::from(is_cut));
                    Ok((text, ids))
                };
                let prompts = PlannedPrompts::new(recipe, point.shots, encode)?;
                by_shots.insert(point.shots, Arc::new(prompts));
            }
        }
        let begun = |prompts: &Arc<PlannedPrompts>| prompts.begin_answers(model.chat);
        let begun = model.server().is_some() && by_shots.values().any(begun);
        let cell = |record: &ModelRecord, point: &Point| {
            let prompts = by_shots[&point.shots].clone();
            let mut cell = CellRecord {
                schema: CELL_SCHEMA.to_owned(),
                id: String::new(),
                model: record.name.clone(),
                model_hash: record.hash.clone(),
                tokenizer_hash: record.tokenizer_hash.clone(),
                task: task.name.clone(),
                task_hash: task.hash.clone(),
                prompts_hash: prompts.hash.clone(),
                chat: model.chat,
                shots: point.shots,
                decoding: point.decoding,
                seed: point.seed,
                n_samples: shared.n_samples,
                max_new_tokens: shared.max_new_tokens,
                stop: task.stop.clone(),
                engine: ENGINE.to_owned(),
                device: record.device.clone(),
                dtype: record.dtype.clone(),
                ignored: ignored(record, &point.decoding),
                quirks: quirks.words(),
            };
            cell.id = cell_id(&cell);
            let eos = model.checkpoint().filter(|_| quirks.has(Quirk::PenalizedEos));
            let eos = eos.and_then(|checkpoint| checkpoint.config.eos.first());
            let chain = point.chain.clone().with_seen(eos.map_or(&[], std::slice::from_ref));
            PlannedCell { upto: cell.n_samples, record: cell, chain, prompts }
        };
        let cells = |record: &ModelRecord| -> Vec<PlannedCell> {
            points.iter().map(|point| cell(record, point)).collect()
        };
        let folder = RunFolder::new(&settings.out);
        let mut met = Vec::new();
        if cut.get() > 0 {
            met.push(format!(
                "{}: {} different prompts did not fit and lost their ends, cue included",
                model.name,
                cut.get()
            ));
        }
        let record = match model.server() {
            None => model.record(settings.device, settings.dtype)?,
            Some(_) => {
                let known = known_server(&folder, &model);
                let done = |record: &&ModelRecord| {
                    let all = cells(record);
                    all.iter().all(|cell| is_complete(&folder, &cell.record))
                };
                // Whatever is drawn is scored without the server.
                match known.as_ref().filter(|known| !settings.meet_servers || done(known)) {
                    Some(known) => known.clone(),
                    None => {
                        if settings.meet_servers {
                            let decodings = points.iter().map(|point| &point.decoding);
                            met.extend(model.meet(decodings, begun, settings.server)?);
                        }
                        let record = model.record(settings.device, settings.dtype)?;
                        continued(&model, known, record, &mut met)?
                    }
                }
            }
        };
        let cells = cells(&record);
        Ok(Self { model, record, met, cells })
    }

    /// Whether both are servers, and of one name.
    fn is_namesake(&self, other: &Self) -> bool {
        let servers = self.model.server().is_some() && other.model.server().is_some();
        servers && self.record.name == other.record.name
    }

    /// What a person should know about its prompts.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut said = std::collections::HashSet::new();
        notes.extend(self.met.iter().cloned());
        for cell in &self.cells {
            let (shots, prompts) = (cell.record.shots, &cell.prompts);
            if prompts.shortened > 0 && said.insert(shots) {
                notes.push(format!(
                    "{}: {} of {} prompts of {shots} shots did not fit and lost whole examples",
                    self.record.name,
                    prompts.shortened,
                    prompts.prompts.len()
                ));
            }
        }
        notes
    }
}

/// What the run says of a server of that name.
fn known_server(folder: &RunFolder, model: &SweepModel) -> Option<ModelRecord> {
    let models = folder.record().ok()??.models;
    models.into_iter().rev().find(|known| known.name == model.name && known.device == "server")
}

/// The record of a server that the run may know already: one that was planned without being asked is the one that
/// is there now; one that has changed is another model.
fn continued(
    model: &SweepModel,
    known: Option<ModelRecord>,
    record: ModelRecord,
    notes: &mut Vec<String>,
) -> Result<ModelRecord, ModelError> {
    let Some(known) = known else { return Ok(record) };
    let (Some(then), Some(now)) = (server_facts(&known), server_facts(&record)) else {
        return Ok(record);
    };
    let named = model.server().is_some_and(|server| server.is_named());
    if let (true, Some(a), Some(b)) = (named, &then.weights, &now.weights)
        && a != b
    {
        let (then, now) = (a.clone(), b.clone());
        return Err(ModelError::Changed { name: record.name, then, now });
    }
    if then.seed.is_none() && then.model.is_none() {
        return Ok(ModelRecord { hash: known.hash, ..record });
    }
    if known.hash != record.hash {
        let said = |facts: &ServerFacts| {
            let model = facts.model.as_deref().unwrap_or("a model without a name");
            format!("{model} {}", facts.weights.as_deref().unwrap_or_default())
                .trim_end()
                .to_owned()
        };
        notes.push(format!(
            "{}: the run's earlier cells are of {}, and now there is {}: its cells are drawn anew",
            record.name,
            said(&then),
            said(&now)
        ));
    } else if let (Some(a), Some(b)) = (&then.fingerprint, &now.fingerprint)
        && a != b
    {
        notes.push(format!(
            "{}: its fingerprint was {a} when the run began, and is {b}",
            record.name
        ));
    }
    Ok(record)
}

/// Refuses a task behind whose prompts no reference text can be read.
///
/// # Errors
///
/// [`SweepError::ManyInstructions`].
pub fn readable(task: &Task) -> Result<(), SweepError> {
    if task.instructions.len() > 1 {
        let (task, count) = (task.name.clone(), task.instructions.len());
        return Err(SweepError::ManyInstructions { task, count });
    }
    Ok(())
}

/// What to say of models that cannot read the reference.
fn nll_notes(task: &Task, groups: &[Group]) -> Result<Vec<String>, SweepError> {
    readable(task)?;
    let others = groups.iter().filter(|group| group.model.checkpoint().is_none());
    let note = |group: &Group| {
        format!(
            "{}: no logits of the reference's texts can be had from what is no model of this machine, so it has no reference NLL",
            group.record.name
        )
    };
    Ok(others.map(note).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_part_of_all_cells() {
        let mut settings = SweepSettings::new("synthetic-bio", &["tiny-bio"]);
        (settings.n_samples, settings.shard) = (12, "1/2".parse().ok());
        (settings.grid.temperatures, settings.grid.shots) = ("0.5,1".parse().unwrap(), 0.into());
        let mut sweep = Sweep::plan(settings).unwrap();
        let last = sweep.cells().last().unwrap().record.clone();
        assert_eq!(sweep.sizes(), [2]);
        sweep.keep_shard();
        assert!(sweep.cells().map(|cell| &cell.record).eq([&last]));
    }
}
