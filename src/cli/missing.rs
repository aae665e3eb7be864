//! What a half run lacks, said by every command that reads its results.

use std::path::Path;

use crate::{report::record::Results, run::folder::RunFolder};

/// Says on stderr how many cells of the plan in `run` the `results` lack, where they lack any.
pub fn note_missing(run: &Path, results: &Results) {
    // Results that stand without their run.json are all there is to know.
    let Ok(Some(record)) = RunFolder::new(run).record() else { return };
    let scored = |id: &str| results.cells.iter().any(|cell| cell.cell.id == id);
    if let Some(of) = record.missing(scored) {
        say!("note: `{}` is not whole: {of}", run.display());
    }
}
