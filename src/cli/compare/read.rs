//! Scores on disk, with the features behind them where they are there.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

use crate::{
    cli::missing::note_missing,
    report::record::{CellResult, RESULT_SCHEMA, Results},
    score::{
        ScoreOptions,
        record::{SCHEMA, Score},
    },
};

/// A score with the name it is shown under.
pub struct Named {
    /// The file, or the run and the settings of the cell.
    pub name: String,
    /// The settings of the cell alone; empty for a bare score.
    pub label: String,
    /// The cell's id, a hash of what determines its texts; empty for a bare score.
    pub id: String,
    /// The model as it was named; empty for a bare score.
    pub model: String,
    /// The settings without the model.
    pub settings: String,
    /// The run or file that it came from.
    pub source: PathBuf,
    /// The measures.
    pub score: Score,
    /// What the measures were made of.
    pub files: Option<Files>,
}

impl Named {
    /// A score of which no cell is known.
    fn of_score(name: String, source: &Path, score: Score) -> Self {
        let [label, id, model, settings] = [const { String::new() }; 4];
        Self { name, label, id, model, settings, source: source.to_owned(), score, files: None }
    }

    /// A score without measures.
    #[cfg(test)]
    pub fn bare(name: &str) -> Self {
        let result =
            crate::report::record::tests::result(crate::report::record::tests::cell(name, 1.0));
        Self::of_score(name.to_owned(), Path::new(""), result.score)
    }
}

/// The files of a cell in its run folder.
pub struct Files {
    /// Features of the reference.
    pub reference: PathBuf,
    /// Features of the cell's texts.
    pub features: PathBuf,
    /// The completions.
    pub samples: PathBuf,
    /// How the run was scored.
    pub options: ScoreOptions,
}

impl Files {
    /// Those of the cell `id` in the run folder `root`; `None` where one is missing.
    fn find(root: &Path, id: &str) -> Option<Self> {
        let run: serde_json::Value = json(&root.join("run.json")).ok()?;
        let options = serde_json::from_value(run["scoring"].clone()).unwrap_or_default();
        let cell = root.join("cells").join(id);
        let files = Self {
            reference: root.join("reference/features.npy"),
            features: cell.join("features.npy"),
            samples: cell.join("samples.jsonl"),
            options,
        };
        let there = [&files.reference, &files.features, &files.samples].iter().all(|f| f.is_file());
        there.then_some(files)
    }
}

/// The scores in a file or folder.
pub fn read(path: &Path) -> anyhow::Result<Vec<Named>> {
    let name = path.display().to_string();
    let (results, scores) = (path.join("results.json"), path.join("scores.json"));
    if results.is_file() {
        let results: Results = json(&results)?;
        note_missing(path, &results);
        return Ok(results.cells.into_iter().map(|cell| of_cell(path, cell)).collect());
    }
    let file = if scores.is_file() { scores } else { path.to_owned() };
    if path.is_dir() && !file.is_file() {
        if path.join("run.json").is_file() {
            bail!(
                "`{name}` is a run without results.json, which its sweep writes at its end; run the same `llmpr sweep` again"
            );
        }
        bail!("`{name}` has neither results.json (a run) nor scores.json (a cell)");
    }
    let value: serde_json::Value = json(&file)?;
    let schema = value["schema"].as_str().unwrap_or_default().to_owned();
    let wrong = || format!("`{}` holds no score", file.display());
    let score = match schema.as_str() {
        RESULT_SCHEMA => {
            let cell: CellResult = serde_json::from_value(value).with_context(wrong)?;
            let folder = file.canonicalize().ok();
            let run = folder.as_ref().and_then(|file| file.ancestors().nth(3));
            return Ok(vec![of_cell(run.unwrap_or(path), cell)]);
        }
        SCHEMA => serde_json::from_value(value).with_context(wrong)?,
        _ => bail!("{}: its schema is `{schema}`, not {SCHEMA}", wrong()),
    };
    Ok(vec![Named::of_score(name, path, score)])
}

fn of_cell(run: &Path, cell: CellResult) -> Named {
    let label = cell.cell.label();
    Named {
        name: format!("{}: {label}", run.display()),
        files: Files::find(run, &cell.cell.id),
        source: run.to_owned(),
        settings: label.strip_prefix(&cell.cell.model).unwrap_or(&label).trim().to_owned(),
        id: cell.cell.id,
        model: cell.cell.model,
        score: cell.score,
        label,
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read scores from `{}`", path.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("`{}` holds no score of llmpr", path.display()))
}
