//! From a grid of settings to the cells of a sweep, and which of them a shard computes.

use sha2::{Digest, Sha256};
use std::sync::Arc;

use super::{
    methods::{Axes, Methods},
    prompts::PlannedPrompts,
    range::{Integers, Reals},
};
use crate::{
    data::hex::hex,
    decode::{Chain, DecodeError, Decoding},
    report::record::CellRecord,
    rng::Draw,
};

/// The most cells that one sweep may have for one model.
pub const MOST_CELLS: usize = 100_000;

/// Why a grid is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum PlanError {
    /// A setting that no decoding has.
    #[error(transparent)]
    Decoding(#[from] DecodeError),
    /// More cells than anyone means.
    #[error("the grid has {cells} cells for a model; at most {MOST_CELLS} are allowed")]
    TooMany { cells: usize },
    /// Nothing to draw.
    #[error("n = 0 draws nothing; use -n 1 or more")]
    NoSamples,
    /// Nothing to continue.
    #[error("--prompt-count 0 leaves no prompt; use 1 or more")]
    NoPrompts,
    /// Beginnings of no length.
    #[error("--prefixes 0 leaves nothing of a text; use 1 or more")]
    NoPrefix,
    /// Nothing to write.
    #[error("--max-new-tokens 0 writes nothing; use 1 or more")]
    NoTokens,
    /// A word that is no [`Shard`].
    #[error(
        "`{word}` is no shard; write i/n with 0 ≤ i < n, such as 0/4, or i/a+b with the parts of each model"
    )]
    NoShard { word: String },
    /// Parts of other models than the sweep has.
    #[error(
        "the shard {shard} counts the parts of {named} models, and the sweep has {models}; \
         write a number of parts for each, or one for all"
    )]
    OtherModels { shard: String, named: usize, models: usize },
}

/// The axes of a sweep, models aside. An axis left out is neutral.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Temperatures.
    pub temperatures: Reals,
    /// In-context examples.
    pub shots: Integers,
    /// The other sampling settings that are set or vary.
    pub knobs: Axes,
    /// Methods that are compared, each with the settings above but for those it names itself; without any, the
    /// settings above.
    pub methods: Methods,
    /// Seeds of the draws.
    pub seeds: Integers,
}

/// A point of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// In-context examples.
    pub shots: usize,
    /// How tokens are drawn.
    pub decoding: Decoding,
    /// The stages of `decoding`.
    pub chain: Chain,
    /// Seed of the draws.
    pub seed: u64,
}

impl Grid {
    /// Every combination, in the order shots, method, penalty, truncations, temperature, seed: what varies
    /// last is what a figure has on its axis.
    ///
    /// # Errors
    ///
    /// [`PlanError::Decoding`] for a setting outside its range, [`PlanError::TooMany`].
    pub fn points(&self) -> Result<Vec<Point>, PlanError> {
        let decodings = self.methods.decodings(&self.knobs, &self.temperatures, MOST_CELLS + 1);
        let checked = |decoding| Chain::new(decoding).map(|chain| (decoding, chain));
        let decodings: Vec<(Decoding, Chain)> =
            decodings.into_iter().map(checked).collect::<Result<_, _>>()?;
        let (shots, seeds) = (self.shots.values(), self.seeds.values());
        let cells = decodings.len().saturating_mul(shots.len()).saturating_mul(seeds.len());
        if cells > MOST_CELLS {
            return Err(PlanError::TooMany { cells });
        }
        let mut points = Vec::with_capacity(cells);
        for &shots in shots {
            for (decoding, chain) in &decodings {
                for &seed in seeds {
                    let (decoding, chain) = (*decoding, chain.clone());
                    points.push(Point { shots: shots as usize, decoding, chain, seed });
                }
            }
        }
        Ok(points)
    }
}

/// A cell and the prompts its model reads.
#[derive(Clone, Debug)]
pub struct PlannedCell {
    /// Its settings.
    pub record: CellRecord,
    /// The stages of its decoding.
    pub chain: Chain,
    /// Its prompts.
    pub prompts: Arc<PlannedPrompts>,
    /// How many of its completions are asked for, the first ones: all of them but where settings race.
    pub upto: usize,
}

/// The first 12 hexadecimal digits of the SHA-256 of what determines a cell's completions: hashes
/// and settings, but neither names nor paths, nor how the work was batched.
pub fn cell_id(cell: &CellRecord) -> String {
    let bare = CellRecord {
        schema: cell.schema.clone(),
        id: String::new(),
        model: String::new(),
        task: String::new(),
        ..cell.clone()
    };
    // A struct of strings and finite numbers always has a JSON form.
    let json = serde_json::to_vec(&bare).unwrap_or_default();
    hex(Sha256::digest(json))[..12].to_owned()
}

/// The draws of `n` completions over `prompts` prompts: every prompt once, then every prompt again.
pub fn draws(n: usize, prompts: usize) -> impl Iterator<Item = Draw> {
    (0..n).map(move |i| Draw { prompt: (i % prompts) as u32, sample: (i / prompts) as u32 })
}

/// Into how many parts a sweep's cells are divided: all of them, or those of each model by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts(Vec<usize>);

impl Parts {
    /// `counts` are the parts of each model, in the sweep's order, or one number of parts of all cells.
    pub fn new(counts: Vec<usize>) -> Option<Self> {
        let some = !counts.is_empty() && counts.iter().all(|&count| count > 0);
        some.then_some(Self(counts))
    }

    /// How many things are divided: models, or one.
    pub fn models(&self) -> usize {
        self.0.len()
    }

    /// How many parts there are.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// The cells of each part: contiguous, of sizes that differ by at most one within what is divided.
    ///
    /// * `models`: how many cells each model has.
    ///
    /// # Errors
    ///
    /// [`PlanError::OtherModels`].
    pub fn ranges(&self, models: &[usize]) -> Result<Vec<std::ops::Range<usize>>, PlanError> {
        let all = [models.iter().sum()];
        let cells = if self.0.len() == 1 { &all[..] } else { models };
        if cells.len() != self.0.len() {
            let (shard, named, models) = (self.to_string(), self.0.len(), models.len());
            return Err(PlanError::OtherModels { shard, named, models });
        }
        let mut start = 0;
        let mut ranges = Vec::with_capacity(self.total());
        for (&parts, &cells) in self.0.iter().zip(cells) {
            let at = |i: usize| start + cells * i / parts;
            ranges.extend((0..parts).map(|i| at(i)..at(i + 1)));
            start += cells;
        }
        Ok(ranges)
    }
}

impl std::fmt::Display for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&counts.join("+"))
    }
}

/// A part of a sweep's cells, `0 ≤ index < parts.total()`: `0/4`, or `5/4+2`, the second of the two parts of the second
/// model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    pub index: usize,
    /// Of which.
    pub parts: Parts,
}

impl Shard {
    /// Which cells it computes, where models have so many cells each.
    ///
    /// # Errors
    ///
    /// [`PlanError::OtherModels`].
    pub fn of(&self, models: &[usize]) -> Result<std::ops::Range<usize>, PlanError> {
        Ok(self.parts.ranges(models)?[self.index].clone())
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.parts)
    }
}

impl std::str::FromStr for Shard {
    type Err = PlanError;

    fn from_str(word: &str) -> Result<Self, PlanError> {
        let no = || PlanError::NoShard { word: word.to_owned() };
        let (index, counts) = word.split_once('/').ok_or_else(no)?;
        // More parts than cells are none, and a hostile number of them fills no memory.
        let number =
            |part: &str| part.parse::<usize>().ok().filter(|&n| n <= MOST_CELLS).ok_or_else(no);
        let index = number(index)?;
        let counts = counts.split('+').map(number).collect::<Result<_, _>>()?;
        let parts = Parts::new(counts).ok_or_else(no)?;
        if index < parts.total() { Ok(Self { index, parts }) } else { Err(no()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        decode::knobs::{MIN_P, REPETITION_PENALTY, TOP_K, TOP_P},
        report::record::tests::cell,
    };

    fn grid(temps: &str) -> Grid {
        Grid {
            temperatures: temps.parse().unwrap(),
            shots: 0.into(),
            knobs: Axes::default(),
            methods: Methods::default(),
            seeds: 0.into(),
        }
    }

    #[test]
    fn the_card_s_example_has_fourteen_cells() {
        let points = grid("0.2..1.5").points().unwrap();
        assert_eq!(points.len(), 14);
        assert_eq!(points[13].decoding, Decoding { temperature: 1.5, ..Decoding::default() });
    }

    #[test]
    fn neutral_values_are_the_same_as_none() {
        let values = |text: &str| text.parse::<Reals>().unwrap();
        let knobs = Axes::default()
            .with(&TOP_P, values("0.9,1"))
            .with(&TOP_K, values("0,50"))
            .with(&MIN_P, 0.0)
            .with(&REPETITION_PENALTY, 1.0);
        let grid = Grid { knobs, ..grid("1") };
        let points = grid.points().unwrap();
        let d = Decoding::default();
        let wanted = [
            Decoding { top_p: Some(0.9), ..d },
            Decoding { top_p: Some(0.9), top_k: Some(50), ..d },
            d,
            Decoding { top_k: Some(50), ..d },
        ];
        assert_eq!(points.iter().map(|p| p.decoding).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn a_setting_outside_its_range_is_refused_before_anything_runs() {
        let grid = Grid { knobs: Axes::default().with(&TOP_P, 1.5), ..grid("1") };
        let message = grid.points().unwrap_err().to_string();
        assert!(message.contains("1.5"), "{message}");
    }

    #[test]
    fn a_grid_beyond_reason_is_refused() {
        let grid = Grid {
            shots: "0..999".parse().unwrap(),
            seeds: "0..999".parse().unwrap(),
            ..grid("1")
        };
        assert_eq!(grid.points().unwrap_err(), PlanError::TooMany { cells: 1_000_000 });
    }

    #[test]
    fn names_do_not_enter_the_id_and_settings_do() {
        let a = cell("a", 0.7);
        assert_eq!(cell_id(&a), cell_id(&cell("b", 0.7)));
        assert_ne!(cell_id(&a), cell_id(&cell("a", 0.8)));
        let changes: [fn(&mut CellRecord); 9] = [
            |c| c.model_hash = "x".into(),
            |c| c.tokenizer_hash = "x".into(),
            |c| c.prompts_hash = "x".into(),
            |c| c.task_hash = "x".into(),
            |c| c.seed = 9,
            |c| c.n_samples = 11,
            |c| c.max_new_tokens = 65,
            |c| c.chat = true,
            |c| c.engine = "2".into(),
        ];
        for change in changes {
            let mut b = a.clone();
            change(&mut b);
            assert_ne!(cell_id(&a), cell_id(&b), "{b:?}");
        }
    }

    #[test]
    fn ids_are_those_of_runs_on_disk() {
        // A run folder is continued by its cells' ids: a new one would draw every completion anew.
        let id = |decoding| cell_id(&CellRecord { decoding, ..cell("a", 0.7) });
        let plain = Decoding { temperature: 0.7, ..Decoding::default() };
        let all = Decoding {
            top_k: Some(50),
            top_p: Some(0.9),
            min_p: Some(0.05),
            typical_p: Some(0.95),
            repetition_penalty: Some(1.2),
            ..plain
        };
        assert_eq!([id(plain), id(all)], ["5278b457f7ff", "a82f70c82979"]);
    }

    #[test]
    fn completions_go_round_the_prompts() {
        let at: Vec<_> = draws(5, 2).map(|d| (d.prompt, d.sample)).collect();
        assert_eq!(at, [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]);
    }

    #[test]
    fn a_shard_of_other_models_is_refused() {
        let message = "0/4+2".parse::<Shard>().unwrap().of(&[3, 3, 3]).unwrap_err().to_string();
        assert!(message.contains("4+2 counts the parts of 2 models, and the sweep has 3"));
    }

    #[test]
    fn a_shard_is_checked_where_it_enters() {
        let parts = Parts::new(vec![4]).unwrap();
        assert_eq!("0/4".parse::<Shard>().unwrap(), Shard { index: 0, parts });
        assert_eq!("5/4+2".parse::<Shard>().unwrap().to_string(), "5/4+2");
        for text in ["4/4", "0/0", "1", "a/b", "-1/2", "6/4+2", "0/4+0", "0/", "0/9999999999"] {
            let refused = PlanError::NoShard { word: text.to_owned() };
            assert_eq!(text.parse::<Shard>(), Err(refused));
        }
    }

    proptest! {
        #[test]
        fn shards_cover_every_cell_once_and_keep_models_apart(
            models in proptest::collection::vec((1usize..60, 1usize..20), 1..4), together: bool,
        ) {
            let cells: Vec<usize> = models.iter().map(|(cells, _)| *cells).collect();
            let counts = models.iter().map(|(_, count)| *count);
            let counts = if together { vec![counts.sum()] } else { counts.collect() };
            let parts = Parts::new(counts).unwrap();
            let ranges = parts.ranges(&cells).unwrap();
            prop_assert_eq!(ranges.len(), parts.total());
            let all: Vec<usize> = ranges.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..cells.iter().sum()).collect::<Vec<_>>());
            let mut end = 0;
            for cells in cells {
                end += cells;
                prop_assert!(together || !ranges.iter().any(|r| r.start < end && r.end > end));
            }
        }
    }
}
