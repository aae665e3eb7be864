//! One self-contained page: findings, figures, table, warnings, texts, settings.

mod table;

use indexmap::IndexMap;
use minijinja::{Environment, context};
use serde::Serialize;

use super::{
    browse::Browser,
    figure::{Figure, STYLE, Theme},
    methods::{EqualPrecision, written},
    recommend::{Advice, Recommended, recommended},
    record::Results,
    sentences::{headline, verdicts},
    trail::models,
};
use crate::score::record::Estimate;

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
    /// The runs whose cells stand one behind another.
    pub runs: &'a [Part],
    /// What races of their settings came to.
    pub raced: &'a [Raced],
}

/// What a race of settings came to, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Raced {
    /// What was wanted.
    pub wish: String,
    /// The setting or mixture that was found.
    pub found: String,
    /// The cell of that setting; none of a mixture.
    pub id: Option<String>,
    /// What is known of it, sentence by sentence.
    pub sentences: Vec<String>,
    /// Command lines that draw with it.
    pub commands: Vec<String>,
}

/// A run of several on one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How many of the cells are its own.
    pub cells: usize,
}

/// Rows of the table of cells that stand in the page as markup; all are in its data.
const ROWS: usize = 100;

/// What the page does, in the order in which its parts need each other.
const SCRIPT: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("script/view.js"),
    include_str!("script/table.js"),
    include_str!("script/figures.js"),
    include_str!("script/texts.js"),
    include_str!("script/keys.js"),
    include_str!("script/live.js"),
    include_str!("script/start.js"),
    "})();\n",
);

/// A row of the table, and of the recommended settings.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    values: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    text: String,
    extra: String,
}

#[derive(Serialize)]
struct Wanted<'a> {
    aim: &'a str,
    settings: String,
    id: &'a str,
    values: Vec<Entry>,
    as_good: usize,
}

/// The settings that are recommended, and what they were chosen by.
#[derive(Serialize)]
struct Choice<'a> {
    exact: bool,
    of: usize,
    rows: Vec<Wanted<'a>>,
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
        let Self { results, figures, browser, facts, notes, runs, raced } = self;
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
            style => format!("{}{}", include_str!("page.css"), themed(STYLE)),
            script => SCRIPT,
            recommended => choice(results),
            raced,
            runs,
            headline => headline(results),
            verdicts => verdicts(results),
            notes,
            figures => drawings,
            equal => equal_precision(results),
            columns => table.columns,
            rows => first_rows(&table, results),
            more_rows => table.rows.len().saturating_sub(ROWS),
            row_data => embed(&row_data(&table, results, runs)),
            failed => results.failed,
            warnings => warnings(results),
            browser_note => browser_note(browser),
            facts,
            signatures,
            data => embed(browser),
        })
    }
}

/// The page of a run that has no scores yet; it looks again by itself.
pub fn waiting(words: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"2\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" \
         content=\"light dark\"><title>A run begins</title></head><body><h1>A run begins</h1><p id=\"waiting\">{}</p>\
         </body></html>\n",
        // Numbers and words of our own, but never trusted to be.
        words.replace('&', "&amp;").replace('<', "&lt;"),
    )
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

/// The figures' styles, which follow the page's own choice of light and dark where it has made one.
fn themed(style: &str) -> String {
    let head = "@media (prefers-color-scheme:dark){.figure";
    let line = |line: &str| match line.strip_prefix(head).and_then(|rest| rest.strip_suffix('}')) {
        Some(dark) => format!(
            "@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]) .figure{dark}}}\n\
             @media screen{{:root[data-theme=dark] .figure{dark}}}\n"
        ),
        None => format!("{line}\n"),
    };
    style.lines().map(line).collect()
}

/// Three digits, and two of the interval.
fn brief(estimate: &Estimate) -> Entry {
    let words = written(estimate);
    let (text, extra) = words.split_once(' ').unwrap_or((&words, ""));
    Entry { text: text.to_owned(), extra: extra.to_owned() }
}

fn entry(value: &table::Value) -> Entry {
    Entry { text: value.text.clone(), extra: value.extra.clone() }
}

fn first_rows<'a>(table: &table::Table, results: &'a Results) -> Vec<Row<'a>> {
    let rows = table.rows.iter().zip(&results.cells).take(ROWS);
    rows.map(|(row, cell)| Row { id: &cell.cell.id, values: row.iter().map(entry).collect() })
        .collect()
}

/// The table as data: what its columns are, its rows, and of each the cell's id and its run.
fn row_data(table: &table::Table, results: &Results, runs: &[Part]) -> serde_json::Value {
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| serde_json::json!({"name": column.name, "number": column.number}))
        .collect();
    let ids: Vec<&str> = results.cells.iter().map(|cell| cell.cell.id.as_str()).collect();
    let run: Vec<usize> =
        runs.iter().enumerate().flat_map(|(at, run)| std::iter::repeat_n(at, run.cells)).collect();
    serde_json::json!({"columns": columns, "rows": table.rows, "ids": ids, "runs": run})
}

fn choice(results: &Results) -> Option<Choice<'_>> {
    let Advice { exact, of, best } = recommended(results)?;
    let row = |of: Recommended| Wanted {
        aim: of.aim,
        id: &results.cells[of.cell].cell.id,
        values: [&of.precision, &of.recall, &of.f].map(brief).into(),
        settings: of.settings,
        as_good: of.as_good,
    };
    Some(Choice { exact, of, rows: best.into_iter().map(row).collect() })
}

/// JSON that cannot end the element it stands in: `<` is written as an escape.
fn embed(data: &impl Serialize) -> String {
    let json = serde_json::to_string(data).unwrap_or_default();
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
            "{shown} of {all} texts are embedded in this page, chosen at random, never by hand; served (llmpr report \
             --serve RUN, or any server of files) it shows all of them, which are in cells/*/samples.jsonl, too."
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
