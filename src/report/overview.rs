//! The table at the end of a sweep: a line a cell, what matters most.

use indexmap::{IndexMap, IndexSet};

use super::{
    methods::{EqualPrecision, written},
    number::three_decimals,
    record::{CellResult, Results, telling_name},
};
use crate::{
    decode::knobs,
    metric::{
        extrapolated::{MODES_REACHED, RECALL_EXTRAPOLATED},
        frontier::MAUVE_STAR,
        prdc::{COVERAGE, PRECISION, RECALL},
        reference_nll::REFERENCE_NLL,
        spec::Spec,
    },
    score::{record::Estimate, warnings::Code},
};

/// The measures of the table: which, heading, whether their interval is shown too.
const MEASURES: [(&Spec, &str, bool); 6] = [
    (&PRECISION, "precision", true),
    (&RECALL, "recall", true),
    (&MODES_REACHED, "reached", false),
    (&RECALL_EXTRAPOLATED, "extrapolated", true),
    (&COVERAGE, "coverage", false),
    (&MAUVE_STAR, "mauve*", false),
];

/// A line a cell: the settings that vary, precision, recall and recall extrapolated with their intervals, modes
/// reached, coverage and MAUVE\*, exact values where they are known, lengths and notes; in front of them the ceilings, behind
/// them what the notes' letters say.
pub fn overview(results: &Results) -> String {
    match results.cells.is_empty() {
        true => String::new(),
        false => {
            format!("{}{}{}", lines(&columns(results)), legend(results), equal_precision(results))
        }
    }
}

/// What recall the methods of a run reach at the same precision, where it has several.
fn equal_precision(results: &Results) -> String {
    let mut out = String::new();
    let tables = EqualPrecision::all(results);
    for table in &tables {
        let rows = table.lines();
        let columns: Vec<Vec<String>> = (0..rows[0].len())
            .map(|column| rows.iter().map(|row| row[column].clone()).collect())
            .collect();
        out += &format!("\n{}\n{}", table.title(), lines(&columns));
    }
    if let Some(table) = tables.first() {
        out += &format!("{}\n", table.note().replace("; ", ";\n"));
    }
    out
}

/// The table by columns: heading, ceiling, then a value a cell.
pub(super) fn columns(results: &Results) -> Vec<Vec<String>> {
    let cells = &results.cells;
    let Some(first) = cells.first() else { return Vec::new() };
    let mut columns: Vec<Vec<String>> = Vec::new();
    let mut add = |heading: &str, above: String, value: &dyn Fn(&CellResult) -> String| {
        let mut column = vec![heading.to_owned(), above];
        column.extend(cells.iter().map(value));
        columns.push(column);
    };
    let varies = |value: &dyn Fn(&CellResult) -> String| {
        let first = value(first);
        cells.iter().any(|cell| value(cell) != first)
    };
    let mut setting = |heading: &str, always: bool, value: &dyn Fn(&CellResult) -> String| {
        if always || varies(value) {
            let above = if heading == "model" { "ceiling".to_owned() } else { String::new() };
            add(heading, above, value);
        }
    };
    let models: Vec<&str> = cells.iter().map(|c| c.cell.model.as_str()).collect();
    setting("model", true, &|c| telling_name(&c.cell.model, &models).to_owned());
    setting("shots", false, &|c| c.cell.shots.to_string());
    setting("T", true, &|c| c.cell.decoding.temperature.to_string());
    for knob in knobs::optional() {
        let value = |c: &CellResult| knob.text(&c.cell.decoding).unwrap_or_else(|| "-".to_owned());
        setting(knob.short, false, &value);
    }
    setting("seed", false, &|c| c.cell.seed.to_string());
    setting("n", false, &|c| c.texts.n.to_string());
    for (Spec { name: measure, .. }, heading, interval) in MEASURES {
        let measured: Vec<Option<&Estimate>> =
            cells.iter().map(|c| c.score.metrics.get(*measure)).collect();
        let known: Vec<Option<&Estimate>> = cells.iter().map(|c| c.truth.get(*measure)).collect();
        if measured.iter().any(Option::is_some) {
            let text = |e: &Estimate| if interval { written(e) } else { three_decimals(e.value) };
            add(heading, ceiling(&measured), &|c| {
                c.score.metrics.get(*measure).map_or_else(|| "-".to_owned(), text)
            });
        }
        if known.iter().any(Option::is_some) {
            add("exact", ceiling(&known), &|c| {
                c.truth.get(*measure).map_or_else(|| "-".to_owned(), |e| three_decimals(e.value))
            });
        }
        if cells.iter().any(|c| c.published(measure).is_some()) {
            add("published", String::new(), &|c| {
                c.published(measure).map_or_else(|| "-".to_owned(), three_decimals)
            });
        }
    }
    let fit =
        |c: &CellResult| c.reference_nll.get(REFERENCE_NLL.name).map(|e| three_decimals(e.value));
    if cells.iter().any(|c| fit(c).is_some()) {
        add("nll", String::new(), &|c| fit(c).unwrap_or_else(|| "-".to_owned()));
    }
    let unique =
        |c: &CellResult| format!("{:.0}%", 100.0 * c.texts.unique as f64 / c.texts.n.max(1) as f64);
    add("unique", String::new(), &unique);
    add("tokens", String::new(), &|c| format!("{:.0}", c.texts.mean_tokens));
    add("notes", String::new(), &letters);
    columns
}

/// The letters of a cell's warnings in the order of [`codes`].
fn letters(cell: &CellResult) -> String {
    codes(std::slice::from_ref(cell)).keys().map(|code| code.letter()).collect()
}

/// The codes of cells' warnings with how many cells have each: in the order of [`Code::ALL`], those of
/// other versions behind them.
///
/// The sentences with figures are in each cell's `scores.json` and in the report.
fn codes(cells: &[CellResult]) -> IndexMap<&Code, usize> {
    fn of(cell: &CellResult) -> IndexSet<&Code> {
        cell.score.warnings.iter().map(|warning| &warning.code).collect()
    }
    let mut found: IndexMap<&Code, usize> = Code::ALL.iter().map(|code| (code, 0)).collect();
    for code in cells.iter().flat_map(of) {
        *found.entry(code).or_default() += 1;
    }
    found.retain(|_, count| *count > 0);
    found
}

/// Where published values come from, each source once.
pub(super) fn sources(cells: &[CellResult]) -> IndexSet<&str> {
    cells.iter().filter_map(|cell| Some(cell.published.as_ref()?.source.as_str())).collect()
}

/// What the table's columns and letters say.
pub(super) fn legend(results: &Results) -> String {
    let mut out = String::from(
        "\nprecision: share of the model's texts like the reference's (quality); recall: share of the \
         reference's texts\nlike the model's (diversity); value [95 % interval of sampling, which \
         says nothing\nof bias]; ceiling: what the reference scores against itself\n",
    );
    let has = |spec: &Spec| results.cells.iter().any(|c| c.score.metrics.contains_key(spec.name));
    if has(&MODES_REACHED) || has(&RECALL_EXTRAPOLATED) {
        out.push_str(
            "reached: share of the reference in modes that these texts reach, a mode taking a hundredth of it;\n\
             extrapolated: share that infinitely many texts would reach; its interval is of sampling and of the rank\n",
        );
    }
    if results.cells.iter().any(|cell| !cell.truth.is_empty()) {
        out.push_str("exact: known from the grammar the task was drawn from, not estimated\n");
    }
    if results.cells.iter().any(|cell| cell.reference_nll.contains_key(REFERENCE_NLL.name)) {
        out.push_str(
            "nll: nats that a token of the reference costs the model at this temperature, without truncations; less fits better\n",
        );
    }
    for source in sources(&results.cells) {
        out.push_str(&format!("published: {source}\n"));
    }
    for (code, count) in codes(&results.cells) {
        let (letter, meaning) = (code.letter(), code.meaning());
        let cells = if count == 1 { "cell" } else { "cells" };
        let which = match code {
            Code::Other(word) => format!("{word}, "),
            _ => String::new(),
        };
        out.push_str(&format!("{letter}: {which}{meaning} ({count} {cells})\n"));
    }
    out
}

/// The ceiling that cells share: the middle one, with `~` where it differs in the digits shown.
fn ceiling(estimates: &[Option<&Estimate>]) -> String {
    let mut all: Vec<f64> =
        estimates.iter().flatten().filter_map(|e| e.ceiling).filter(|c| !c.is_nan()).collect();
    all.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (all.first(), all.last()) else { return String::new() };
    let middle = three_decimals(all[all.len() / 2]);
    if three_decimals(*least) == three_decimals(*most) { middle } else { format!("~{middle}") }
}

/// Columns beside each other, two spaces apart; words and intervals start at the left.
fn lines(columns: &[Vec<String>]) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let rows = columns.first().map_or(0, Vec::len);
    let mut out = String::new();
    for row in 0..rows {
        let mut line = String::new();
        for (at, (column, width)) in columns.iter().zip(&widths).enumerate() {
            let cell = &column[row];
            let space = " ".repeat(width - cell.chars().count());
            let left = at == 0 || at + 1 == columns.len() || column.iter().any(|c| c.contains('['));
            let gap = if at == 0 { "" } else { "  " };
            match left {
                true => line.push_str(&format!("{gap}{cell}{space}")),
                false => line.push_str(&format!("{gap}{space}{cell}")),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decode::knobs::KNOBS,
        report::record::{
            RESULT_SCHEMA, RESULTS_SCHEMA, TextFacts,
            tests::{cell, turned},
        },
        score::record::{Curves, SCHEMA, Score, SetFacts, Warning},
    };

    #[test]
    fn every_knob_that_varies_has_a_column() {
        let table = overview(&turned());
        let headings: Vec<&str> = table.lines().next().unwrap_or("").split_whitespace().collect();
        for knob in KNOBS {
            assert!(headings.contains(&knob.short), "{} in {headings:?}", knob.short);
        }
    }

    #[test]
    fn a_line_a_cell_the_ceilings_once_and_every_letter_explained() {
        let result = |temperature: f64, recall: f64, codes: &[Code]| {
            let measured = |value: f64, ceiling: f64| Estimate {
                low: Some(value - 0.05),
                high: Some((value + 0.05).min(1.0)),
                ceiling: Some(ceiling),
                ..Estimate::bare(value)
            };
            let warning =
                |code: &Code| Warning { code: code.clone(), message: "see the report".into() };
            CellResult {
                schema: RESULT_SCHEMA.into(),
                cell: cell("org/tiny", temperature),
                inputs: String::new(),
                texts: TextFacts { n: 200, unique: 190, mean_tokens: 61.2, ..TextFacts::default() },
                score: Score {
                    schema: SCHEMA.into(),
                    signature: "llmpr".into(),
                    reference: SetFacts::default(),
                    samples: SetFacts::default(),
                    pca: None,
                    metrics: [
                        ("precision".to_owned(), measured(0.98, 0.981)),
                        ("recall".to_owned(), measured(recall, 0.968)),
                        ("mauve_star".to_owned(), measured(0.5, 0.9 + temperature / 100.0)),
                    ]
                    .into_iter()
                    .collect(),
                    curves: Curves::default(),
                    warnings: codes.iter().map(warning).collect(),
                },
                truth: [("precision".to_owned(), measured(0.7, 1.0))].into_iter().collect(),
                per_prompt: Default::default(),
                examples: Default::default(),
                prefixes: Default::default(),
                reference_nll: Default::default(),
                published: None,
            }
        };
        let results = Results {
            schema: RESULTS_SCHEMA.into(),
            task: "bio".into(),
            reference: "r.jsonl".into(),
            reference_n: 200,
            embedder: "gpt2".into(),
            cells: vec![
                result(
                    0.3,
                    0.41,
                    &[
                        Code::Infinite,
                        Code::Outliers,
                        Code::IdenticalRows,
                        Code::Other("hollow".into()),
                    ],
                ),
                result(1.2, 0.963, &[Code::OverDispersion, Code::Outliers]),
            ],
            failed: vec![],
        };
        insta::assert_snapshot!(overview(&results), @r"
        model      T  precision          exact  recall             mauve*  unique  tokens  notes
        ceiling       0.981              1.000  0.968              ~0.912
        tiny     0.3  0.980 [.93, 1.00]  0.700  0.410 [.36, .46]    0.500     95%      61  iox?
        tiny     1.2  0.980 [.93, 1.00]  0.700  0.963 [.91, 1.00]   0.500     95%      61  wo

        precision: share of the model's texts like the reference's (quality); recall: share of the reference's texts
        like the model's (diversity); value [95 % interval of sampling, which says nothing
        of bias]; ceiling: what the reference scores against itself
        exact: known from the grammar the task was drawn from, not estimated
        i: all texts of a side are one point, so every radius on that side is 0 (1 cell)
        w: wider than the reference, which raises recall; read coverage (1 cell)
        o: a few outlying texts hold much of the space; read the clipped pair (2 cells)
        x: a divergence is infinite: some kind of text is one side's alone (1 cell)
        ?: hollow, a warning of another version of llmpr (1 cell)
        ");
    }
}
