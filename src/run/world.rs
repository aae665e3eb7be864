//! The measures against the bundled world: one sweep whose truth is known, seen by several embedders.

use std::path::Path;

use super::{
    execute::{ExecuteError, run},
    folder::{FolderError, RunFolder},
    progress::Progress,
    settings::SweepSettings,
    signals::Stop,
    store::{StoreError, make_folder, write_error},
    sweep::{Sweep, SweepError},
};
use crate::{
    lm::embed::Pooling,
    report::{
        record::Results,
        tracking::{Tracking, track},
    },
};

/// Why the world cannot be swept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The sweep cannot be planned.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// It cannot be run.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// Its folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stop was asked for.
    #[error("stopped")]
    Stopped,
}

/// An embedder that sees the world's texts: model and pooling.
pub type Eye = (String, Pooling);

/// Runs `settings` once for each embedder, under `folder`; completions are drawn once. How well the
/// measures follow the truth, and the results themselves, embedder by embedder.
///
/// # Errors
///
/// [`WorldError`].
pub fn world(
    settings: &SweepSettings,
    eyes: &[Eye],
    folder: &Path,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<Vec<(Vec<Tracking>, Results)>, WorldError> {
    let mut seen = Vec::with_capacity(eyes.len());
    for (index, (embedder, pooling)) in eyes.iter().enumerate() {
        let out = folder.join(index.to_string());
        let mut settings = settings.clone();
        settings.embedder.clone_from(embedder);
        settings.pooling = *pooling;
        settings.out.clone_from(&out);
        let mut sweep = Sweep::plan(settings)?;
        if index > 0 {
            // A folder is a run by its run.json; completions that lie in it then are not drawn again.
            make_folder(&out)?;
            let run = RunFolder::new(&out);
            run.write(&run.begin(&sweep.shared)?)?;
            copy_completions(&folder.join("0/cells"), &out.join("cells"))?;
        }
        let outcome = run(&mut sweep, Vec::new(), stop, progress)?;
        let results = outcome.results.ok_or(WorldError::Stopped)?;
        seen.push((track(&results.cells), results));
    }
    Ok(seen)
}

fn copy_completions(from: &Path, to: &Path) -> Result<(), StoreError> {
    let entries = std::fs::read_dir(from).into_iter().flatten().flatten();
    for cell in entries {
        let folder = to.join(cell.file_name());
        make_folder(&folder)?;
        for name in ["cell.json", "samples.jsonl"] {
            let target = folder.join(name);
            std::fs::copy(cell.path().join(name), &target)
                .map_err(|source| write_error(&target, source))?;
        }
    }
    Ok(())
}
