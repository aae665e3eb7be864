//! A run held against another drawing of it: which settings, texts, features and values are not the same.

mod values;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use values::{Compared, Differing, digits};

use super::{
    folder::{FolderError, RunFolder, RunRecord},
    store::{StoreError, read_json, read_log},
};
use crate::{
    npy::read_features,
    report::record::{CellRecord, CellResult, SampleRecord},
};

/// The name and version of a repetition as JSON.
pub const REPEAT_SCHEMA: &str = "llmpr.repeat/1";

/// Why runs cannot be held against each other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepeatError {
    /// A run folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file of it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to compare.
    #[error("`{path}` has no completions yet; run the same `llmpr sweep` again and it goes on")]
    NoTexts {
        /// The run.
        path: String,
    },
}

/// What a repetition of a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Repeated {
    /// [`REPEAT_SCHEMA`].
    pub schema: &'static str,
    /// The run's folder.
    pub run: String,
    /// The version of llmpr that wrote it.
    pub written_by: String,
    /// The version that repeated it.
    pub repeated_by: &'static str,
    /// Whether nothing differs.
    pub equal: bool,
    /// What the runs are made of that is not the same: task, reference, embedder.
    pub settings: Vec<Differing>,
    /// Its cells, in the order of the plan.
    pub cells: Vec<CellRepeated>,
}

/// One cell of a run and its repetition.
#[derive(Clone, Debug, Serialize)]
pub struct CellRepeated {
    /// Its id in the run.
    pub id: String,
    /// Its settings in words.
    pub label: String,
    /// Whether there is a cell of these settings now.
    pub found: bool,
    /// What determines its texts and is not the same, such as the hash of the model.
    pub settings: Vec<Differing>,
    /// Its completions.
    pub texts: Texts,
    /// Numbers of its features; nothing where the run keeps none.
    pub features: Option<Compared>,
    /// Numbers and words of its score; nothing where the run has none.
    pub values: Option<Compared>,
}

/// Completions of one cell, held against those drawn again.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Texts {
    /// Completions that the run holds.
    pub of: usize,
    /// Of them, those that are another text, end otherwise or are not there now.
    pub differ: usize,
    /// Ids of the first of them.
    pub first: Vec<String>,
    /// Log-probabilities and entropies of the texts that are the same.
    pub numbers: Compared,
}

impl CellRepeated {
    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        let same = |compared: &Option<Compared>| compared.as_ref().is_none_or(Compared::is_equal);
        let texts = self.texts.differ == 0 && self.texts.numbers.is_equal();
        self.found
            && self.settings.is_empty()
            && texts
            && same(&self.features)
            && same(&self.values)
    }
}

/// Ids that are named of many.
const NAMED: usize = 5;

/// Holds the run in `then` against its repetition in `now`.
///
/// Cells are paired by their ids; where what determines the texts has changed, by model and settings, and what has
/// changed is said. Texts are equal where text, tokens and the reason of their end are.
///
/// # Errors
///
/// [`RepeatError`].
pub fn compare(then: &RunFolder, now: &RunFolder) -> Result<Repeated, RepeatError> {
    let path = |folder: &RunFolder| folder.root().display().to_string();
    let record = |folder: &RunFolder| -> Result<RunRecord, RepeatError> {
        Ok(folder.record()?.ok_or_else(|| FolderError::NoRun { path: path(folder) })?)
    };
    let (old, new) = (record(then)?, record(now)?);
    let drawn_now = cells(now, &new)?;
    let mut compared = Vec::new();
    for cell in cells(then, &old)? {
        let same = drawn_now.iter().find(|other| other.id == cell.id);
        let alike = || drawn_now.iter().find(|other| is_alike(&cell, other));
        compared.push(one(then, now, &cell, same.or_else(alike))?);
    }
    if compared.is_empty() {
        return Err(RepeatError::NoTexts { path: path(then) });
    }
    let settings = values::differing(&plain(&old.shared), &plain(&new.shared));
    let equal = settings.is_empty() && compared.iter().all(CellRepeated::is_equal);
    Ok(Repeated {
        schema: REPEAT_SCHEMA,
        run: path(then),
        written_by: old.llmpr,
        repeated_by: env!("CARGO_PKG_VERSION"),
        equal,
        settings,
        cells: compared,
    })
}

/// The cells of a run that have completions: those of the last plan in its order, then the others.
fn cells(folder: &RunFolder, record: &RunRecord) -> Result<Vec<CellRecord>, RepeatError> {
    let mut ids = record.cells.clone();
    ids.extend(folder.cell_ids().into_iter().filter(|id| !record.cells.contains(id)));
    let mut cells = Vec::new();
    for id in ids {
        if folder.cell(&id, "samples.jsonl").exists() {
            cells.extend(read_json::<CellRecord>(&folder.cell(&id, "cell.json"))?);
        }
    }
    Ok(cells)
}

/// Whether a person would call both by the same name.
fn is_alike(a: &CellRecord, b: &CellRecord) -> bool {
    (&a.model, a.shots, a.decoding, a.seed) == (&b.model, b.shots, b.decoding, b.seed)
}

fn plain(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn one(
    then: &RunFolder,
    now: &RunFolder,
    cell: &CellRecord,
    other: Option<&CellRecord>,
) -> Result<CellRepeated, RepeatError> {
    let old = samples(then, &cell.id)?;
    let (id, label) = (cell.id.clone(), cell.label());
    let Some(other) = other else {
        let texts = Texts { of: old.len(), differ: old.len(), ..Texts::default() };
        let (settings, features, values) = (Vec::new(), None, None);
        return Ok(CellRepeated { id, label, found: false, settings, texts, features, values });
    };
    let mut settings = values::differing(&plain(cell), &plain(other));
    settings.retain(|setting| setting.name != "id");
    let texts = texts(&old, &samples(now, &other.id)?);
    let features = features(then, now, [&cell.id, &other.id]);
    let old: Option<CellResult> = read_json(&then.cell(&cell.id, "scores.json"))?;
    let new: Option<CellResult> = read_json(&now.cell(&other.id, "scores.json"))?;
    let values = old.map(|old| {
        let facts = |result: &CellResult| plain(&(&result.score, &result.texts, &result.truth));
        Compared::of(
            &measured(&facts(&old)),
            &new.map_or(Value::Null, |new| measured(&facts(&new))),
        )
    });
    Ok(CellRepeated { id, label, found: true, settings, texts, features, values })
}

/// A score, what its texts look like, and exact values, as one object.
fn measured(facts: &Value) -> Value {
    serde_json::json!({"score": facts[0], "texts": facts[1], "truth": facts[2]})
}

type Samples = BTreeMap<(u32, u32), SampleRecord>;

fn samples(folder: &RunFolder, id: &str) -> Result<Samples, StoreError> {
    let path = folder.cell(id, "samples.jsonl");
    if !path.exists() {
        return Ok(Samples::new());
    }
    let mut samples = Samples::new();
    for sample in read_log::<SampleRecord>(&path)? {
        samples.entry((sample.prompt_index, sample.sample)).or_insert(sample);
    }
    Ok(samples)
}

fn texts(old: &Samples, new: &Samples) -> Texts {
    let mut texts = Texts { of: old.len(), ..Texts::default() };
    for (at, then) in old {
        let words = |s: &SampleRecord| (s.text.clone(), s.tokens.clone(), s.finish_reason.clone());
        match new.get(at) {
            Some(now) if words(then) == words(now) => {
                let numbers = |s: &SampleRecord| [s.logprob, s.logprob_model, s.entropy];
                let names = ["logprob", "logprob_model", "entropy"];
                for ((name, a), b) in names.into_iter().zip(numbers(then)).zip(numbers(now)) {
                    texts.numbers.number(|| format!("{} {name}", then.id), a, b);
                }
            }
            _ => {
                texts.differ += 1;
                if texts.first.len() < NAMED {
                    texts.first.push(then.id.clone());
                }
            }
        }
    }
    texts
}

/// Nothing where the run has no features that can be read; of other shapes all numbers differ.
fn features(then: &RunFolder, now: &RunFolder, [old, new]: [&str; 2]) -> Option<Compared> {
    let read = |folder: &RunFolder, id: &str| {
        read_features(folder.cell(id, "features.npy").to_str()?).ok()
    };
    let old = read(then, old)?;
    let mut compared = Compared::default();
    let Some(new) =
        read(now, new).filter(|new| (new.rows(), new.cols()) == (old.rows(), old.cols()))
    else {
        let of = old.rows() * old.cols();
        return Some(Compared { of, differ: of, digits: Some(0), ..compared });
    };
    for row in 0..old.rows() {
        for (column, (a, b)) in old.row(row).iter().zip(new.row(row)).enumerate() {
            compared.number(|| format!("row {row}, column {column}"), f64::from(*a), f64::from(*b));
        }
    }
    Some(compared)
}
