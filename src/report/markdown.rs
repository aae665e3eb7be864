//! Tables to paste into a page or an issue.

use std::fmt::Write as _;

use super::{methods::EqualPrecision, number::number, overview, record::Results, score::first};
use crate::score::record::{Estimate, Score};

/// A score as a table of Markdown, with its warnings and its signature; the measures that matter first,
/// or `all`.
pub fn score(score: &Score, all: bool) -> String {
    let names: Vec<&str> = match all {
        true => score.metrics.keys().map(String::as_str).collect(),
        false => first(score),
    };
    let mut rows =
        vec![["measure", "value", "95 % interval", "ceiling", "p"].map(str::to_owned).to_vec()];
    for name in names {
        let Estimate { value, low, high, ceiling, p_value } = score.metrics[name];
        let interval = match (low, high) {
            (Some(low), Some(high)) => format!("{} … {}", number(low), number(high)),
            _ => String::new(),
        };
        let p = p_value.map(super::score::p).unwrap_or_default();
        let ceiling = ceiling.map(number).unwrap_or_default();
        rows.push(vec![name.to_owned(), number(value), interval, ceiling, p]);
    }
    let mut out = table(&rows, 1);
    if !score.warnings.is_empty() {
        out.push('\n');
    }
    for warning in &score.warnings {
        let _ = writeln!(out, "- **{}**: {}", warning.code, escaped(&warning.message));
    }
    let _ = writeln!(out, "\n`{}`", score.signature);
    out
}

/// The table at the end of a sweep: a row a cell, with what its columns and letters say.
pub fn results(results: &Results) -> String {
    let columns = overview::columns(results);
    let rows = columns.first().map_or(0, Vec::len);
    let rows: Vec<Vec<String>> =
        (0..rows).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect();
    let mut out = table(&rows, 1);
    out.push('\n');
    let legend = overview::legend(results);
    // Its first sentence is broken for a terminal; the others have a line each.
    let (first, others) = legend.split_once("against itself\n").unwrap_or((&legend, ""));
    let _ = writeln!(out, "{} against itself", escaped(first.trim()).replace('\n', " ").trim_end());
    for line in others.lines() {
        let _ = writeln!(out, "- {}", escaped(line));
    }
    for equal in EqualPrecision::all(results) {
        let _ = write!(out, "\n{}:\n\n{}", equal.title(), table(&equal.lines(), 1));
    }
    out
}

/// Rows of which the first is the heading; columns from `right` on stand at the right.
pub fn table(rows: &[Vec<String>], right: usize) -> String {
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
        if at == 0 {
            let side = |at| if at < right { "---" } else { "---:" };
            let sides: Vec<&str> = (0..row.len()).map(side).collect();
            let _ = writeln!(out, "|{}|", sides.join("|"));
        }
    }
    out
}

/// Text in which nothing is taken for the border of a cell, for emphasis or for a tag.
pub fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::record::tests::{cell, result, turned},
        score::{record::Warning, warnings::Code},
    };

    #[test]
    fn a_score_can_be_pasted() {
        let mut score = result(cell("tiny", 0.7)).score;
        let precision = Estimate {
            low: Some(0.5),
            high: Some(0.875),
            ceiling: Some(0.96),
            p_value: Some(0.004),
            ..Estimate::bare(0.75)
        };
        score.metrics.insert("precision".to_owned(), precision);
        score.metrics.insert("mauve".to_owned(), Estimate::bare(f64::NAN));
        score.warnings.push(Warning { code: Code::Duplicates, message: "a | b <c>".to_owned() });
        insta::assert_snapshot!(super::score(&score, false), @r"
        | measure | value | 95 % interval | ceiling | p |
        |---|---:|---:|---:|---:|
        | precision | 0.7500 | 0.5000 … 0.8750 | 0.9600 | 0.004 |
        | mauve | – |  |  |  |

        - **duplicates**: a \| b &lt;c>

        `llmpr`
        ");
    }

    #[test]
    fn results_are_the_table_of_a_sweep() {
        let mut all = turned();
        for cell in &mut all.cells {
            cell.score.metrics.insert("mauve_star".to_owned(), Estimate::bare(0.5));
        }
        let table = results(&all);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[0].starts_with("| model | T |") && lines[0].contains("| mauve\\* |"),
            "{table}"
        );
        assert!(lines[1].starts_with("|---|---:|"), "{table}");
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(lines[2..5].iter().all(|line| columns(line) == columns(lines[0])), "{table}");
        assert!(
            lines[6].starts_with("precision: share") && lines[6].ends_with("against itself"),
            "{table}"
        );
    }
}
