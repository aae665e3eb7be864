//! From run folders to figures, a table and a page: the same bytes whenever it is done.

mod race;

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{
    finished::{ReadError, Run, open_all, own_cells, reference_texts, texts_of},
    store::{StoreError, make_folder, write_json, write_whole},
};
#[cfg(feature = "png")]
use crate::report::png::png;
use crate::report::{
    attribution::CellTexts,
    browse::{Limits, Texts},
    figure::{Figure, Theme},
    figures::figures,
    page::{Page, Part},
    results::{to_csv, to_long_csv},
    topics::{Topic, topics},
};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum PublishError {
    /// A run that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file that cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table that cannot be written as Parquet.
    #[error("`{path}` cannot be written: {what}")]
    Parquet { path: String, what: String },
    /// A page that was written and cannot be read.
    #[error("`{path}` cannot be read: {what}")]
    Served { path: String, what: String },
    /// A port on which nothing can be served.
    #[error("port {port} of 127.0.0.1 cannot be served: {what}; name another with --port")]
    Port { port: u16, what: String },
    /// A fault of the page's own template.
    #[error("the page cannot be written: {0}")]
    Page(#[from] minijinja::Error),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The page.
    pub page: PathBuf,
    /// Cells on it.
    pub cells: usize,
    /// Figures beside it.
    pub figures: usize,
    /// How many of them are there as `.png` too: none on a machine without fonts, or built without `png`.
    pub pixels: usize,
    /// What else a reader has to know: cells of a plan that are missing, runs that differ, races that cannot be read.
    pub notes: Vec<String>,
}

/// Writes `report.html`, `figures/*.svg`, `figures/*.png` where there are fonts, `figures/*.vl.json`, `results.csv`,
/// `results_long.csv` and `results.json` of `runs`, merged, into `out`, and, where the page cannot hold all texts,
/// `texts/*.json`, which a page that is served loads. Nothing but those files is touched.
///
/// # Errors
///
/// [`PublishError`]. Features that are missing or do not fit cost the marks at the texts, not the report; damaged texts cost
/// themselves and a damaged `tune.json` what the race came to, and are noted.
pub fn publish(runs: &[PathBuf], out: &Path, limits: Limits) -> Result<Published, PublishError> {
    let (read, results, mut notes) = open_all(runs)?;
    let mut references: Vec<String> = Vec::new();
    let mut cells: Vec<CellTexts<'_>> = Vec::new();
    let (mut named, mut labels): (Vec<Topic>, Vec<Option<u32>>) = (Vec::new(), Vec::new());
    let mut parts = Vec::new();
    for run in &read {
        // References and topics of all runs are in one list: those of a run stand together.
        let texts = reference_texts(&run.folder).unwrap_or_else(|error| {
            notes.push(format!("The reference's texts are left out: {error}."));
            Vec::new()
        });
        let own = own_cells(run, &results.cells[cells.len()..]);
        parts.push(Part { name: name(run), cells: own.len() });
        let (found, grouped, damaged) =
            texts_of(run, &own, &texts, references.len(), |sample| sample.completion = None);
        notes.extend(damaged);
        let grouped = grouped.map(|topics| topics.references);
        let first = named.len() as u32;
        named.extend(grouped.iter().flat_map(|own| topics(&texts, own)));
        match grouped {
            Some(own) => labels.extend(own.iter().map(|label| Some(label + first))),
            None => labels.resize(labels.len() + texts.len(), None),
        }
        references.extend(texts);
        cells.extend(found);
    }
    let drawings = figures(&results);
    let texts = Texts::new(&cells, &references, &named, &labels);
    let browser = texts.browser(limits);
    let facts = facts(&read);
    let mut raced = Vec::new();
    for run in &read {
        match race::of(run, &results) {
            Ok(race) => raced.extend(race),
            Err(note) => notes.push(note),
        }
    }
    let page = Page {
        results: &results,
        figures: &drawings,
        browser: &browser,
        facts: &facts,
        notes: &notes,
        runs: &parts,
        raced: &raced,
    };
    let html = page.html()?;
    make_folder(&out.join("figures"))?;
    if browser.files > 0 {
        make_folder(&out.join("texts"))?;
    }
    let tables = || {
        write_json(&out.join("results.json"), &results)?;
        write_whole(&out.join("results.csv"), to_csv(&results).as_bytes())?;
        write_whole(&out.join("results_long.csv"), to_long_csv(&results).as_bytes())
    };
    // Files wait for the disk, so that several are written at once.
    let beside = || -> Result<usize, StoreError> {
        let pixels = drawings.par_iter().map(|figure| draw(figure, &out.join("figures")));
        let pixels: usize = pixels.collect::<Result<Vec<_>, _>>()?.into_iter().sum();
        if browser.files > 0 {
            let file = |(at, part): (usize, Range<usize>)| {
                write_whole(&out.join(format!("texts/{at}.json")), texts.file(part).as_bytes())
            };
            texts.files().into_par_iter().enumerate().try_for_each(file)?;
            write_json(&out.join("texts/references.json"), &references)?;
        }
        Ok(pixels)
    };
    let (written, pixels) = rayon::join(tables, beside);
    written?;
    let pixels = pixels?;
    let path = out.join("report.html");
    write_whole(&path, html.as_bytes())?;
    let (cells, figures) = (results.cells.len(), drawings.len());
    Ok(Published { page: path, cells, figures, pixels, notes })
}

/// Writes a figure in each of its forms; how many of them are pixels.
fn draw(figure: &Figure, folder: &Path) -> Result<usize, StoreError> {
    let path = |extension: &str| folder.join(format!("{}.{extension}", figure.name));
    let svg = figure.svg(Theme::File);
    write_whole(&path("svg"), svg.as_bytes())?;
    let png = png(&svg);
    if let Some(png) = &png {
        write_whole(&path("png"), png)?;
    }
    write_whole(&path("vl.json"), figure.vega().as_bytes())?;
    Ok(usize::from(png.is_some()))
}

#[cfg(not(feature = "png"))]
fn png(_: &str) -> Option<Vec<u8>> {
    None
}

/// The last part of a run's folder.
fn name(run: &Run) -> String {
    let root = run.folder.root();
    root.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Settings as a reader looks for them.
fn facts(runs: &[Run]) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add =
        |name: &str, value: String| match facts.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) if known.split("; ").any(|part| part == value) => {}
            Some((_, known)) => *known = format!("{known}; {value}"),
            None => facts.push((name.to_owned(), value)),
        };
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    for Run { record, results, .. } in runs {
        let shared = &record.shared;
        add("task", format!("{} ({})", shared.task, short(&shared.task_hash)));
        let reference = &shared.reference;
        let hash = short(&shared.reference_hash);
        add("reference", format!("{reference}, {} texts ({hash})", shared.reference_n));
        add("embedder", format!("{} ({})", results.embedder, short(&shared.embedder_hash)));
        for model in &record.models {
            let hash = short(&model.hash);
            let facts = format!("{} on {} ({hash})", model.dtype, model.device);
            add("model", format!("{}: {facts}", model.name));
        }
        add("completions a cell", shared.n_samples.to_string());
        add("prompts a cell", shared.prompts.to_string());
        add("new tokens at most", shared.max_new_tokens.to_string());
        if let serde_json::Value::Object(scoring) = &record.scoring {
            for name in
                ["k", "ties", "normalize", "pca", "unequal", "resamples", "permutations", "seed"]
            {
                if let Some(value) = scoring.get(name) {
                    let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    add(name, word.trim_matches(['{', '}']).replace('"', ""));
                }
            }
        }
        if let Some(command) = record.sessions.last().map(|s| s.command.join(" ")) {
            add("command", command);
        }
    }
    add("llmpr", env!("CARGO_PKG_VERSION").to_owned());
    facts
}
