//! Run folders as tables in Parquet, texts included.

use std::path::{Path, PathBuf};

use super::{
    finished::{open_all, own_cells, reference_texts, texts_of},
    publish::PublishError,
    store::{make_folder, write_whole},
};
use crate::report::{
    attribution::reach,
    entry::Entry,
    parquet::{Table, table},
    results::{long, wide},
    texts::{Columns, reference_header, reference_rows},
};

/// Writes `results.parquet` and `results_long.parquet`, the tables of the `.csv` files of these names,
/// `texts.parquet`, every completion with what is known of it alone, and `references.parquet`, every reference text as
/// each cell sees it, of `runs`, merged, into `out`; gives their paths.
///
/// # Errors
///
/// [`PublishError`]. Features that are missing or do not fit cost the columns that come of them, not the tables.
pub fn write_parquet(runs: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, PublishError> {
    let (read, results, _) = open_all(runs)?;
    make_folder(out)?;
    let mut written = Vec::new();
    let mut write = |name: &str, made: Result<Vec<u8>, _>| -> Result<(), PublishError> {
        let path = out.join(name);
        let bytes = made.map_err(failed(&path))?;
        write_whole(&path, &bytes)?;
        written.push(path);
        Ok(())
    };
    let (header, rows) = wide(&results);
    write("results.parquet", table(&header, &rows))?;
    let (header, rows) = long(&results);
    write("results_long.parquet", table(&header, &rows))?;
    let columns = Columns::of(&results.cells);
    let mut texts = Groups::new(columns.header());
    let mut references = Groups::new(reference_header());
    let mut taken = 0;
    for run in &read {
        let own = own_cells(run, &results.cells[taken..]);
        taken += own.len();
        let known = reference_texts(&run.folder)?;
        let (found, ..) = texts_of(run, &own, &known, 0, |_| {});
        let reach = reach(&found, known.len());
        let first: Vec<_> = reach.iter().map(|of| of.first.map(|at| own[at])).collect();
        for cell in &found {
            texts.add(&columns.rows(cell, &known))?;
            references.add(&reference_rows(cell, &known, &reach, &first))?;
        }
    }
    for (name, groups) in [("texts.parquet", texts), ("references.parquet", references)] {
        // A run whose texts or features are gone has no such table.
        if let Some(table) = groups.table {
            write(name, table.bytes())?;
        }
    }
    Ok(written)
}

fn failed(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> PublishError {
    let path = path.display().to_string();
    move |error| PublishError::Parquet { path, what: error.to_string() }
}

/// A table that begins with its first rows.
struct Groups {
    header: Vec<String>,
    table: Option<Table>,
}

impl Groups {
    fn new(header: Vec<String>) -> Self {
        Self { header, table: None }
    }

    fn add(&mut self, rows: &[Vec<Entry>]) -> Result<(), PublishError> {
        let Some(first) = rows.first() else { return Ok(()) };
        let name = || Path::new("a table of texts").to_owned();
        if self.table.is_none() {
            self.table = Some(Table::new(&self.header, first).map_err(failed(&name()))?);
        }
        match &mut self.table {
            Some(table) => table.group(rows).map_err(failed(&name())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_begins_with_its_first_rows_and_takes_those_that_follow() {
        let mut groups = Groups::new(vec!["n".to_owned()]);
        groups.add(&[]).unwrap();
        assert!(groups.table.is_none());
        let row = |count: usize| vec![Entry::count(count)];
        groups.add(&[row(1), row(2)]).unwrap();
        let one = groups.table.take().unwrap().bytes().unwrap();
        for _ in 0..2 {
            groups.add(&[row(1), row(2)]).unwrap();
        }
        assert!(groups.table.unwrap().bytes().unwrap().len() > one.len());
    }
}
