//! `tune.json`: what a race of settings came to.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{report::record::CellRecord, run::mixture::Part};

/// The name and version of `tune.json`.
pub const RACE_SCHEMA: &str = "llmpr.race/1";

/// What a race of settings came to. It holds no date and no host, so that a second race writes the same bytes but
/// for the seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneRecord {
    /// [`RACE_SCHEMA`].
    pub schema: String,
    /// What was to be large or small, in words.
    pub goal: String,
    /// What had to be kept, as it was written.
    pub requirements: Vec<String>,
    /// Texts of a setting that is looked at whole; goals are carried on to as many.
    pub n: usize,
    /// Difference of goals below which settings count as alike.
    pub within: f64,
    /// Probability at which the race was to be settled.
    pub sure: f64,
    /// Texts that might have been spent.
    pub budget: usize,
    /// Texts that were.
    pub texts: usize,
    /// Texts of the whole grid.
    pub grid_texts: usize,
    /// Their tokens.
    pub tokens: usize,
    /// Seconds of drawing, in all processes that worked on the run.
    pub seconds: f64,
    /// Whether the race was settled before the budget was spent.
    pub settled: bool,
    /// Rounds, in order.
    pub rounds: Vec<Round>,
    /// Settings, the likeliest first.
    pub cells: Vec<TunedCell>,
    /// Mixtures of two of them, the likeliest first; none where they were not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixtures: Vec<TunedMixture>,
}

/// One round of a race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Settings that got texts.
    pub cells: usize,
    /// Texts of all settings after it.
    pub texts: usize,
    /// Label of the setting that led then.
    pub leader: String,
    /// Probability that it was within the tolerance of the best.
    pub alike: f64,
}

/// A setting as it came out of a race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedCell {
    /// Its settings.
    pub cell: CellRecord,
    /// Its settings in words.
    pub label: String,
    /// How it stands.
    #[serde(flatten)]
    pub stands: Stands,
}

/// A mixture of two settings as it came out of a race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedMixture {
    /// The settings and their shares of the texts.
    pub parts: Vec<Part>,
    /// The same in words.
    pub label: String,
    /// Whether it is what the race found, rather than the setting that leads.
    pub named: bool,
    /// Probability that it is better than every single setting.
    pub above: f64,
    /// By how much on average: of the goal, or of the requirements where they are not missed alike.
    #[serde(with = "crate::data::json_number")]
    pub by: f64,
    /// How it stands.
    #[serde(flatten)]
    pub stands: Stands,
}

/// How a setting or a mixture stands at the end of a race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stands {
    /// Texts that were looked at.
    pub texts: usize,
    /// Probability that it is the best.
    pub best: f64,
    /// Probability that it is within the tolerance of the best.
    pub alike: f64,
    /// Probability that it keeps the requirements.
    pub keeps: f64,
    /// By how much it is expected to miss the requirements together.
    #[serde(with = "crate::data::json_number")]
    pub misses: f64,
    /// The goal, expected with all texts.
    #[serde(with = "crate::data::json_number")]
    pub goal: f64,
    /// Lower end of 95 % of what it may be.
    #[serde(with = "crate::data::json_number")]
    pub low: f64,
    /// Upper end.
    #[serde(with = "crate::data::json_number")]
    pub high: f64,
    /// Measures on the texts that were looked at.
    pub measures: IndexMap<String, f64>,
    /// Why it has none and is out of the race; of a setting that failed `results.json` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
}

impl TuneRecord {
    /// The mixture that was found, where one is shown to be better than every single setting.
    pub fn mixture(&self) -> Option<&TunedMixture> {
        self.mixtures.iter().find(|mixture| mixture.named)
    }

    /// How what was found stands; nothing of a race without settings.
    pub fn found(&self) -> Option<&Stands> {
        let single = || self.cells.first().map(|cell| &cell.stands);
        self.mixture().map(|mixture| &mixture.stands).or_else(single)
    }
}
