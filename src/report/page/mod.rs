//! One self-contained page: findings, figures, table, warnings, texts, settings.

mod table;

use indexmap::IndexMap;
use minijinja::{Environment, context};
use serde::Serialize;

use super::{
    browse::Browser,
    figure::{Figure, STYLE, Theme},
    methods::EqualPrecision,
    record::Results,
    sentences::{headline, verdicts},
    trail::models,
};

/// What a page is made of.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// The cells.
    pub results: &'a Results,
    /// Their figures.
    pub figures: &'a [Figure],
    /// The texts behind them.
    pub browser: &'a Browser,
    /// Settings of the run, as name and value.
    pub facts: &'a [(String, String)],
    /// What the reader has to know about how the page came about.
    pub notes: &'a [String],
}

#[derive(Serialize)]
struct Drawing<'a> {
    name: &'a str,
    caption: &'a str,
    svg: String,
}

#[derive(Serialize)]
struct Grouped {
    code: String,
    r#where: String,
    message: String,
}

impl Page<'_> {
    /// The page as HTML: no date, no path of this machine, the same bytes for the same results.
    ///
    /// # Errors
    ///
    /// None that data could cause; the template itself is tested.
    pub fn html(&self) -> Result<String, minijinja::Error> {
        let Self { results, figures, browser, facts, notes } = self;
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.add_template("page.html", include_str!("page.html"))?;
        let drawings: Vec<Drawing<'_>> = figures
            .iter()
            .map(|figure| Drawing {
                name: &figure.name,
                caption: &figure.caption,
                svg: figure.svg(Theme::Inline),
            })
            .collect();
        let table = table::table(&results.cells);
        let mut signatures: Vec<&str> =
            results.cells.iter().map(|c| c.score.signature.as_str()).collect();
        signatures.sort_unstable();
        signatures.dedup();
        environment.get_template("page.html")?.render(context! {
            version => env!("CARGO_PKG_VERSION"),
            title => format!("Quality and diversity: {}", models(results).join(", ")),
            subtitle => format!(
                "task {} · {} cells · {} reference texts ({}) · embedder {}",
                results.task, results.cells.len(), results.reference_n, results.reference, results.embedder,
            ),
            style => format!("{}{STYLE}", include_str!("page.css")),
            script => include_str!("page.js"),
            headline => headline(results),
            verdicts => verdicts(results),
            notes,
            figures => drawings,
            equal => equal_precision(results),
            columns => table.columns,
            rows => table.rows,
            failed => results.failed,
            warnings => warnings(results),
            browser_note => browser_note(browser),
            facts,
            signatures,
            data => embed(browser),
        })
    }
}

/// What recall decoding methods reach at the same precision.
#[derive(Serialize)]
struct Equal {
    title: &'static str,
    note: &'static str,
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn equal_precision(results: &Results) -> Vec<Equal> {
    let shown = |table: EqualPrecision| {
        let mut rows = table.lines();
        let heading = rows.remove(0);
        Equal { title: table.title(), note: table.note(), heading, rows }
    };
    EqualPrecision::all(results).into_iter().map(shown).collect()
}

/// JSON that cannot end the element it stands in: `<` is written as an escape.
fn embed(browser: &Browser) -> String {
    let json = serde_json::to_string(browser).unwrap_or_default();
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn browser_note(browser: &Browser) -> String {
    let shown: usize = browser.cells.iter().map(|cell| cell.texts.len()).sum();
    let all: usize = browser.cells.iter().map(|cell| cell.n).sum();
    let judged = browser.cells.iter().all(|cell| cell.judged);
    let rest = if judged {
        "Inside means that at least one reference text has this text among its nearest neighbors' \
         radius; the share of such texts is the precision."
    } else {
        "Cells without features at hand are shown without saying what is inside the support."
    };
    let chosen = if shown < all {
        format!(
            "{shown} of {all} texts are embedded in this page, chosen at random, never by hand; all are in cells/*/samples.jsonl."
        )
    } else {
        format!("All {all} texts are embedded in this page.")
    };
    format!("{chosen} {rest}")
}

/// Warnings of the same words once, with the cells that have them.
fn warnings(results: &Results) -> Vec<Grouped> {
    let mut groups: IndexMap<(&str, &str), Vec<String>> = IndexMap::new();
    for cell in &results.cells {
        for warning in &cell.score.warnings {
            let key = (warning.code.word(), warning.message.as_str());
            groups.entry(key).or_default().push(cell.cell.label());
        }
    }
    // Messages that hold a cell's own numbers would be a long list: one example a code stands for more than three.
    let mut per_code: IndexMap<&str, Vec<(&str, usize, String)>> = IndexMap::new();
    for ((code, message), cells) in groups {
        let example = cells[0].clone();
        per_code.entry(code).or_default().push((message, cells.len(), example));
    }
    let mut out = Vec::new();
    for (code, messages) in per_code {
        let total: usize = messages.iter().map(|m| m.1).sum();
        let brief = messages.len() > 3;
        for (message, count, example) in messages.into_iter().take(if brief { 1 } else { 3 }) {
            let count = if brief { total } else { count };
            let r#where = match count {
                1 => example,
                _ => format!("{count} cells, such as {example}"),
            };
            out.push(Grouped { code: code.to_owned(), r#where, message: message.to_owned() });
        }
    }
    out
}
