//! One model's cells against another's of the same settings, as one table.

use anyhow::bail;

use super::{difference::Difference, read::Named};
use crate::report::{number::number, record::short_name};

/// The mark of a difference that is shown.
pub const SHOWN: &str = " ✓";

/// Pairs of cells of the same settings, by index: that of the model `base` first.
///
/// # Errors
///
/// A sentence where there is no such model or nothing to hold against it.
pub fn pairs(scores: &[Named], base: &str) -> anyhow::Result<Vec<(usize, usize)>> {
    let is_base = |score: &Named| {
        score.model == base || (!base.contains('/') && short_name(&score.model) == base)
    };
    let mut models: Vec<&str> = Vec::new();
    for score in scores.iter().filter(|score| !score.model.is_empty()) {
        if !models.contains(&score.model.as_str()) {
            models.push(&score.model);
        }
    }
    let Some(found) = scores.iter().find(|score| is_base(score)) else {
        bail!("no cell is of the model `{base}`; there are {}", models.join(", "));
    };
    let base = &found.model;
    let mut pairs = Vec::new();
    for model in models.iter().filter(|model| *model != base) {
        for (at, score) in scores.iter().enumerate().filter(|(_, score)| score.model == *model) {
            let same = |of: &Named| of.model == *base && of.settings == score.settings;
            pairs.extend(scores.iter().position(same).map(|first| (first, at)));
        }
    }
    if pairs.is_empty() {
        bail!("no other model has a cell of the settings of a cell of `{base}`");
    }
    Ok(pairs)
}

/// For each model that is held against the base: what they are called, and a row a setting with
/// `base → other (difference)` of each measure, with [`SHOWN`] where that is shown.
pub fn tables(
    differences: &[Difference],
    scores: &[Named],
    pairs: &[(usize, usize)],
) -> Vec<(String, Vec<Vec<String>>)> {
    let mut metrics: Vec<&str> = Vec::new();
    for difference in differences {
        if !metrics.contains(&difference.metric.as_str()) {
            metrics.push(&difference.metric);
        }
    }
    let mut tables: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for &(first, second) in pairs {
        let (a, b) = (&scores[first], &scores[second]);
        let title = format!("{} against {}", short_name(&b.model), short_name(&a.model));
        if tables.last().is_none_or(|(last, _)| *last != title) {
            let heads = std::iter::once("settings").chain(metrics.iter().copied());
            tables.push((title, vec![heads.map(str::to_owned).collect()]));
        }
        let cell = |metric: &&str| {
            let own = |d: &&Difference| (&d.first, &d.second) == (&a.name, &b.name);
            let found = differences.iter().filter(own).find(|d| d.metric == *metric);
            found.map_or(String::new(), change)
        };
        let row = std::iter::once(b.settings.clone()).chain(metrics.iter().map(cell)).collect();
        if let Some((_, rows)) = tables.last_mut() {
            rows.push(row);
        }
    }
    tables
}

fn change(d: &Difference) -> String {
    let sign = if d.difference > 0.0 { "+" } else { "" };
    let mark = if d.shown == Some(true) { SHOWN } else { "" };
    format!("{} → {} ({sign}{}{mark})", number(d.a), number(d.b), number(d.difference))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(model: &str, settings: &str) -> Named {
        let (model, settings) = (model.to_owned(), settings.to_owned());
        Named { model, settings, ..Named::bare("x") }
    }

    #[test]
    fn cells_of_the_same_settings_meet_and_others_are_left_out() {
        let scores = [
            cell("org/base", "T=1"),
            cell("org/base", "T=2"),
            cell("org/chat", "T=2"),
            cell("org/chat", "T=3"),
        ];
        assert_eq!(pairs(&scores, "base").unwrap(), [(1, 2)]);
        assert_eq!(pairs(&scores, "org/chat").unwrap(), [(2, 1)]);
        let unknown = pairs(&scores, "other").unwrap_err().to_string();
        assert!(unknown.ends_with("there are org/base, org/chat"), "{unknown}");
        let alone = pairs(&scores[..2], "base").unwrap_err().to_string();
        assert!(alone.starts_with("no other model has a cell"), "{alone}");
    }
}
