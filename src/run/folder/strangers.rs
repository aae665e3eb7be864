//! Whether what lies in a folder is a run's.

use super::{FolderError, RunFolder, Shared};
use crate::{report::record::CellRecord, run::store::read_json};

impl RunFolder {
    /// Refuses a folder in which something else lies.
    pub(super) fn refuse_strangers(&self) -> Result<(), FolderError> {
        let ours = self.run_json().exists() || !self.has_strangers() || !self.orphans().is_empty();
        if ours { Ok(()) } else { Err(self.not_a_run()) }
    }

    pub(super) fn not_a_run(&self) -> FolderError {
        FolderError::NotARun { path: self.root().display().to_string() }
    }

    /// Whether the folder holds anything that a run does not put there before its `run.json`.
    pub(super) fn has_strangers(&self) -> bool {
        let entries = std::fs::read_dir(self.root()).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| {
            let name = name.to_string_lossy();
            let ours = name == "alive" || name == "lock" || name.starts_with("lock.after-");
            let unfinished = name.starts_with('.') && name.ends_with(".tmp");
            !(ours || unfinished)
        })
    }

    /// Cells whose settings lie here.
    fn orphans(&self) -> Vec<CellRecord> {
        let read = |id: &String| read_json(&self.cell(id, "cell.json")).ok().flatten();
        self.cell_ids().iter().filter_map(read).collect()
    }

    /// Whether what lies here without a `run.json` is what `shared` would draw: then that file was lost, and the texts
    /// were not. A cell's id is a hash of all that determines its texts, so none is taken for another.
    pub(super) fn is_orphan_of(&self, shared: &Shared) -> bool {
        let ours = |cell: &CellRecord| {
            let theirs = (&cell.task_hash, cell.n_samples, cell.max_new_tokens);
            theirs == (&shared.task_hash, shared.n_samples, shared.max_new_tokens)
        };
        let cells = self.orphans();
        !cells.is_empty() && cells.iter().all(ours)
    }
}

/// Whether a word may be the name of a cell's folder.
pub(super) fn is_cell_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !id.is_empty() && id.chars().all(plain)
}
