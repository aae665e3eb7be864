//! The page of results says of its tables what its tables say.

use std::path::Path;

use super::ROOT;

/// The cells of the rows of a table of Markdown that begin so.
fn rows(page: &str, beginning: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    page.lines().filter(|line| line.starts_with(beginning)).map(cells).collect()
}

/// The first number of a cell.
fn number(cell: &str) -> f64 {
    cell.split_whitespace().next().unwrap().parse().unwrap_or_else(|_| panic!("`{cell}`"))
}

/// Ranks from 1, those of equal values their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        below + (1.0 + equal) / 2.0
    };
    values.iter().map(rank).collect()
}

fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>()
    };
    sum(&a, &b) / (sum(&a, &a) * sum(&b, &b)).sqrt()
}

#[test]
fn the_correlations_of_the_page_of_results_are_those_of_its_values() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/results.md")).unwrap();
    let (web, _) = page.split_once("## Stories").unwrap();
    let head = rows(web, "| setting |").remove(0);
    let settings = rows(web, "| GPT-2");
    assert_eq!(settings.len(), 8);
    let column = |name: &str| -> Vec<f64> {
        let at = head.iter().position(|cell| cell.starts_with(name)).unwrap();
        settings.iter().map(|row| number(&row[at])).collect()
    };
    for (measure, against) in [("mauve", "MAUVE"), ("precision", "MAUVE"), ("recall", "human-like")]
    {
        let said = rows(web, &format!("| `{measure}` | {against} |")).remove(0);
        let found =
            spearman(&column(&format!("`{measure}`")), &column(&format!("published {against}")));
        // Values are rounded to three digits, which may make two of them equal.
        assert!((number(&said[2]) - found).abs() < 0.05, "{measure}, {against}: {found}, {said:?}");
    }
}
