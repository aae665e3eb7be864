//! Everything a sweep is told, checked.

use std::path::PathBuf;

use super::{
    methods::{Axes, Methods},
    plan::{Grid, PlanError, Shard},
    quirks::Quirks,
    range::{Integers, Reals},
};
use crate::{
    lm::{
        embed::{EMBED_TOKENS, Pooling},
        engine::device::{DeviceChoice, DtypeChoice},
        generator::Generators,
        server::ServerTerms,
    },
    score::ScoreOptions,
    text::{
        chat::{ChatMode, Date},
        prompt::Style,
    },
};

/// Why a word is no setting of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the field")]
#[non_exhaustive]
pub enum SettingError {
    /// It is no [`PcaFit`].
    #[error("`{word}` is no way to fit; use run or joint")]
    PcaFit { word: String },
    /// It is no [`Batch`].
    #[error("`{word}` is no batch size; use auto or a number from 1 up")]
    Batch { word: String },
}

/// What principal components are fitted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PcaFit {
    /// Once for the run, on the reference and as many rows taken evenly from all cells, so that cells
    /// are measured in one space.
    #[default]
    Run,
    /// For each cell on the reference and its own texts, as in the papers.
    Joint,
}

impl std::str::FromStr for PcaFit {
    type Err = SettingError;

    fn from_str(word: &str) -> Result<Self, SettingError> {
        match word {
            "run" => Ok(Self::Run),
            "joint" => Ok(Self::Joint),
            _ => Err(SettingError::PcaFit { word: word.to_owned() }),
        }
    }
}

/// How many rows a model computes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batch {
    /// As many as fit into memory and pay.
    #[default]
    Auto,
    /// At most this many.
    Rows(usize),
}

impl std::str::FromStr for Batch {
    type Err = SettingError;

    fn from_str(word: &str) -> Result<Self, SettingError> {
        match word.parse::<usize>() {
            _ if word == "auto" => Ok(Self::Auto),
            Ok(rows) if rows > 0 => Ok(Self::Rows(rows)),
            _ => Err(SettingError::Batch { word: word.to_owned() }),
        }
    }
}

impl Batch {
    /// The most rows, where they are bounded.
    pub fn rows(self) -> Option<usize> {
        match self {
            Self::Auto => None,
            Self::Rows(rows) => Some(rows),
        }
    }
}

/// A sweep.
#[derive(Clone, Debug)]
pub struct SweepSettings {
    /// Models, by whatever [`crate::lm::checkpoint::load::open`] understands.
    pub models: Vec<String>,
    /// The task: a bundled name or a file.
    pub task: String,
    /// The reference texts' file; the task's own where there is none.
    pub reference: Option<String>,
    /// The axes.
    pub grid: Grid,
    /// Completions a cell.
    pub n_samples: usize,
    /// Tokens after which a completion is cut; the task's where `None`.
    pub max_new_tokens: Option<usize>,
    /// Different prompts a cell; one a completion where `None`.
    pub prompts: Option<usize>,
    /// Seed of the parting of texts and of the prompts.
    pub prompt_seed: u64,
    /// Rows at once.
    pub batch: Batch,
    /// The model that embeds.
    pub embedder: String,
    /// `last` or `mean`.
    pub pooling: Pooling,
    /// Tokens after which a text is cut before it is embedded.
    pub embed_tokens: usize,
    /// Which device computes.
    pub device: DeviceChoice,
    /// In which number type.
    pub dtype: DtypeChoice,
    /// When prompts go through a chat template.
    pub chat: ChatMode,
    /// The day that templates which write a date see.
    pub date: Date,
    /// Whether shots in a chat are earlier turns.
    pub shots_as: Style,
    /// What is measured and how.
    pub score: ScoreOptions,
    /// What principal components are fitted on.
    pub pca_fit: PcaFit,
    /// Tokens after which texts are cut to measure their beginnings, too.
    pub prefixes: Vec<usize>,
    /// Whether local models read the reference, for its likelihood at every temperature.
    pub reference_nll: bool,
    /// Faults of published code to imitate.
    pub quirks: Quirks,
    /// The run folder.
    pub out: PathBuf,
    /// The part of the cells to compute; all where `None`.
    pub shard: Option<Shard>,
    /// Whether missing completions are drawn; else what is there is scored.
    pub draw: bool,
    /// How servers are treated.
    pub server: ServerTerms,
    /// Functions that stand for models, by name.
    pub generators: Generators,
    /// Whether servers are asked anything while the sweep is planned; batches need none.
    pub meet_servers: bool,
    /// Whether features of references are taken from the user's cache.
    pub cache: bool,
}

/// The task of the bundled world, whose truth is known.
pub const WORLD: &str = "synthetic-bio";

impl SweepSettings {
    /// Refuses counts that leave nothing to draw, to continue or to measure.
    pub(super) fn ask_for_something(&self) -> Result<(), PlanError> {
        match self {
            Self { n_samples: 0, .. } => Err(PlanError::NoSamples),
            Self { prompts: Some(0), .. } => Err(PlanError::NoPrompts),
            Self { prefixes, .. } if prefixes.contains(&0) => Err(PlanError::NoPrefix),
            _ => Ok(()),
        }
    }

    /// What `llmpr sweep --task TASK --models A,B` does without further flags: temperatures 0.2 to 1.5,
    /// 500 completions a cell, GPT-2 large as embedder, into `runs/TASK`. The bundled world takes 0, 2 and 4
    /// shots, 200 completions and the bundled embedder.
    pub fn new(task: &str, models: &[&str]) -> Self {
        let world = task == WORLD;
        let temperatures: Vec<f64> = (2..=15).map(|tenth| f64::from(tenth) / 10.0).collect();
        let stem = std::path::Path::new(task).file_stem().unwrap_or(task.as_ref());
        Self {
            models: models.iter().map(|&model| model.to_owned()).collect(),
            task: task.to_owned(),
            reference: None,
            grid: Grid {
                temperatures: Reals::new(temperatures),
                shots: if world { Integers::new(vec![0, 2, 4]) } else { 0.into() },
                knobs: Axes::default(),
                methods: Methods::default(),
                seeds: 0.into(),
            },
            n_samples: if world { 200 } else { 500 },
            max_new_tokens: None,
            prompts: None,
            prompt_seed: 0,
            batch: Batch::Auto,
            embedder: if world { "tiny-gpt2" } else { "openai-community/gpt2-large" }.to_owned(),
            pooling: Pooling::default(),
            embed_tokens: EMBED_TOKENS,
            device: DeviceChoice::default(),
            dtype: DtypeChoice::default(),
            chat: ChatMode::default(),
            date: Date::default(),
            shots_as: Style::Chat,
            score: ScoreOptions { resamples: 100, permutations: 200, ..ScoreOptions::default() },
            pca_fit: PcaFit::Run,
            prefixes: Vec::new(),
            reference_nll: false,
            quirks: Quirks::default(),
            out: PathBuf::from("runs").join(stem),
            shard: None,
            draw: true,
            server: ServerTerms::default(),
            generators: Generators::default(),
            meet_servers: true,
            cache: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_temperatures_are_those_of_the_readme_s_command() {
        let settings = SweepSettings::new(WORLD, &["tiny-bio"]);
        assert_eq!(settings.grid.temperatures, "0.2..1.5".parse().unwrap());
        assert_eq!(settings.grid.shots, "0,2,4".parse().unwrap());
        assert_eq!(settings.out, PathBuf::from("runs/synthetic-bio"));
        assert_eq!(SweepSettings::new("mine/task.toml", &[]).out, PathBuf::from("runs/task"));
    }
}
