//! What a race of a run's settings came to, for the page.

use crate::{
    report::{page::Raced, record::Results},
    run::{
        finished::Run,
        store::{StoreError, read_json},
        tune::record::{RACE_SCHEMA, TuneRecord},
    },
};

/// What `run`'s `tune.json` says; nothing where no settings raced.
///
/// # Errors
///
/// A sentence for the reader where the file is there and does not say what the race came to.
pub(super) fn of(run: &Run, results: &Results) -> Result<Option<Raced>, String> {
    let path = run.folder.root().join("tune.json");
    let left_out = |what: String| {
        format!(
            "What the race of settings came to is left out: `{}` {what}; run the same `llmpr tune` again, which goes on \
             from the texts that are there and writes it anew, or delete it.",
            path.display()
        )
    };
    let record: TuneRecord = match read_json(&path) {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(None),
        Err(StoreError::BadFile { what, .. }) => {
            return Err(left_out(format!("is damaged ({what})")));
        }
        Err(StoreError::Read { source, .. }) => {
            return Err(left_out(format!("cannot be read ({source})")));
        }
        Err(error) => return Err(left_out(format!("cannot be read ({error})"))),
    };
    if record.schema != RACE_SCHEMA {
        let other = &record.schema;
        return Err(left_out(format!("is of the form `{other}`, not `{RACE_SCHEMA}`")));
    }
    let (Some(stands), Some(single)) = (record.found(), record.cells.first()) else {
        return Err(left_out("has no settings".to_owned()));
    };
    let required = match record.requirements.as_slice() {
        [] => String::new(),
        required => format!(" with {}", required.join(" and ")),
    };
    let is_shown = results.cells.iter().any(|cell| cell.cell.id == single.cell.id);
    let (found, id) = match record.mixture() {
        Some(mixture) => (mixture.label.clone(), None),
        None => (single.label.clone(), Some(single.cell.id.clone()).filter(|_| is_shown)),
    };
    let known = [record.reaches(stands), record.chances(stands)];
    let command = |(share, line): (Option<f64>, String)| match share {
        Some(share) => format!("{line}  # {:.0} %", 100.0 * share),
        None => line,
    };
    Ok(Some(Raced {
        wish: format!("{}{required}", record.goal),
        found,
        id,
        sentences: known
            .into_iter()
            .chain(record.over_singles())
            .chain(record.left_out())
            .chain([record.cost()])
            .collect(),
        commands: record.commands().into_iter().map(command).collect(),
    }))
}
