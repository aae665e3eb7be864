//! The table at the end of a sweep: a line a cell, what matters most.

use super::record::{CellResult, Results};
use crate::metric::record::Estimate;

/// The measures of the table: name in a score, heading.
const MEASURES: [(&str, &str); 4] = [
    ("precision", "precision"),
    ("recall", "recall"),
    ("coverage", "coverage"),
    ("mauve_star", "mauve*"),
];

/// A line a cell: the settings that vary, precision and recall with interval and ceiling, coverage,
/// MAUVE\*, exact values where they are known, length, and the number of warnings.
pub fn overview(results: &Results) -> String {
    let cells = &results.cells;
    let Some(first) = cells.first() else { return String::new() };
    let mut columns: Vec<Vec<String>> = Vec::new();
    let mut add = |heading: &str, value: &dyn Fn(&CellResult) -> String| {
        let mut column = vec![heading.to_owned()];
        column.extend(cells.iter().map(value));
        columns.push(column);
    };
    let varies = |value: &dyn Fn(&CellResult) -> String| {
        let first = value(first);
        cells.iter().any(|cell| value(cell) != first)
    };
    let mut setting = |heading: &str, always: bool, value: &dyn Fn(&CellResult) -> String| {
        if always || varies(value) {
            add(heading, value);
        }
    };
    let real = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
    setting("model", true, &|c| name(&c.cell.model));
    setting("shots", false, &|c| c.cell.shots.to_string());
    setting("T", true, &|c| c.cell.decoding.temperature.to_string());
    setting("top-k", false, &|c| real(c.cell.decoding.top_k.map(|k| k as f64)));
    setting("top-p", false, &|c| real(c.cell.decoding.top_p));
    setting("min-p", false, &|c| real(c.cell.decoding.min_p));
    setting("typical-p", false, &|c| real(c.cell.decoding.typical_p));
    setting("penalty", false, &|c| real(c.cell.decoding.repetition_penalty));
    setting("seed", false, &|c| c.cell.seed.to_string());
    setting("n", false, &|c| c.texts.n.to_string());
    for (measure, heading) in MEASURES {
        let of = |c: &CellResult| c.score.metrics.get(measure).cloned();
        if !cells.iter().any(|c| of(c).is_some()) {
            continue;
        }
        add(heading, &|c| of(c).map_or_else(|| "-".to_owned(), |e| value(&e)));
        if let Some(exact) = cells.iter().find(|c| c.truth.contains_key(measure)).map(|_| measure) {
            add("exact", &|c| c.truth.get(exact).map_or_else(|| "-".to_owned(), value));
        }
    }
    add("unique", &|c| format!("{:.0}%", 100.0 * c.texts.unique as f64 / c.texts.n.max(1) as f64));
    add("tokens", &|c| format!("{:.0}", c.texts.mean_tokens));
    add("notes", &|c| match c.score.warnings.len() {
        0 => String::new(),
        _ => c.score.warnings.iter().map(|w| w.code.as_str()).collect::<Vec<_>>().join(" "),
    });
    lines(&columns)
}

/// The last part of a path or hub id.
fn name(model: &str) -> String {
    model.trim_end_matches('/').rsplit('/').next().unwrap_or(model).to_owned()
}

/// `0.71 [0.66, 0.75] of 0.74`: value, interval, ceiling.
fn value(estimate: &Estimate) -> String {
    let number = |v: f64| if v.is_nan() { "undefined".to_owned() } else { format!("{v:.3}") };
    let mut text = number(estimate.value);
    if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
        text.push_str(&format!(" [{}, {}]", number(low), number(high)));
    }
    if let Some(ceiling) = estimate.ceiling {
        text.push_str(&format!(" of {}", number(ceiling)));
    }
    text
}

/// Columns beside each other, two spaces apart; the first left-aligned, the last as it is.
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
            match at {
                0 => line.push_str(&format!("{cell}{space}")),
                _ if at + 1 == columns.len() => line.push_str(&format!("  {cell}")),
                _ => line.push_str(&format!("  {space}{cell}")),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
