//! Decoding methods against each other: the trail of each on the plane of precision and recall, and what recall they
//! reach at the same precision.

use super::{
    number::three_decimals,
    record::{CellResult, Results, telling_name},
    trail::mean,
};
use crate::{
    decode::knobs::{KNOBS, Knob, TEMPERATURE},
    metric::prdc::{PRECISION, RECALL},
    score::record::Estimate,
};

/// The most columns of a table.
const MOST_LEVELS: usize = 6;

/// Cells that differ in one setting (and seed) alone.
#[derive(Clone, Debug)]
pub struct Method<'a> {
    /// Model and shots where they differ, then what is set, the setting that varies with its ends:
    /// `top-p 0.3–0.9`.
    pub label: String,
    /// The columns of what is set.
    set: Vec<&'static str>,
    /// By the setting that varies, ascending; the cells of one value are those of its seeds.
    steps: Vec<(f64, Vec<&'a CellResult>)>,
}

/// Which values of a cell are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Those that were measured.
    Measured,
    /// The exact ones, where the task knows them.
    Exact,
}

/// A point of a method on the plane.
#[derive(Clone, Debug)]
pub struct Step {
    /// The value of the setting that varies.
    pub at: f64,
    /// Quality.
    pub precision: Estimate,
    /// Diversity.
    pub recall: Estimate,
}

/// Recall at levels of precision, a row a method.
#[derive(Clone, Debug)]
pub struct EqualPrecision {
    /// Which values are in it.
    pub values: Values,
    /// Levels of precision, ascending.
    pub levels: Vec<f64>,
    /// Methods that reach one of them: label, recall at each level.
    pub rows: Vec<(String, Vec<Option<Estimate>>)>,
}

/// The methods of a run; none where all cells set the same settings, so that nothing is compared.
///
/// A method is a set of settings. Where several of them vary, the one with the most values is its axis, and each
/// combination of the others is a method of its own.
pub fn methods(results: &Results) -> Vec<Method<'_>> {
    let cells = &results.cells;
    let mut groups: Vec<(Group<'_>, Vec<&CellResult>)> = Vec::new();
    for cell in cells {
        let key = Group::of(cell);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, members)) => members.push(cell),
            None => groups.push((key, vec![cell])),
        }
    }
    let mut methods: Vec<Method<'_>> =
        groups.iter().flat_map(|(group, members)| group.methods(members, cells)).collect();
    methods.retain(|method| method.steps.len() > 1);
    let differ = methods.iter().any(|method| method.set != methods[0].set);
    if differ { methods } else { Vec::new() }
}

/// What cells of one or more methods have in common.
#[derive(Clone, PartialEq)]
struct Group<'a> {
    model: &'a str,
    shots: usize,
    set: Vec<&'static str>,
}

impl<'a> Group<'a> {
    fn of(cell: &'a CellResult) -> Self {
        let set = |knob: &&Knob| **knob != TEMPERATURE && value(knob, cell).is_some();
        let set = KNOBS.into_iter().filter(|knob| set(knob)).map(|knob| knob.column).collect();
        Self { model: &cell.cell.model, shots: cell.cell.shots, set }
    }

    fn methods<'b>(&self, members: &[&'b CellResult], all: &[CellResult]) -> Vec<Method<'b>> {
        let varies = |knob: &&'static Knob| count(knob, members) > 1;
        let varying: Vec<&'static Knob> = KNOBS.into_iter().filter(varies).collect();
        // Of equally many values the first: the temperature.
        let Some(axis) = varying.iter().rev().max_by_key(|knob| count(knob, members)) else {
            return Vec::new();
        };
        let others = |cell: &CellResult| -> Vec<Option<f64>> {
            varying.iter().filter(|knob| *knob != axis).map(|knob| value(knob, cell)).collect()
        };
        let mut parts: Vec<(Vec<Option<f64>>, Vec<&'b CellResult>)> = Vec::new();
        for &cell in members {
            let key = others(cell);
            match parts.iter_mut().find(|(known, _)| *known == key) {
                Some((_, part)) => part.push(cell),
                None => parts.push((key, vec![cell])),
            }
        }
        parts.into_iter().map(|(_, part)| self.method(axis, &part, all)).collect()
    }

    fn method<'b>(
        &self,
        axis: &'static Knob,
        part: &[&'b CellResult],
        all: &[CellResult],
    ) -> Method<'b> {
        let mut steps: Vec<(f64, Vec<&'b CellResult>)> = Vec::new();
        for &cell in part {
            let at = value(axis, cell).unwrap_or_default();
            match steps.iter_mut().find(|(known, _)| *known == at) {
                Some((_, cells)) => cells.push(cell),
                None => steps.push((at, vec![cell])),
            }
        }
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut words = Vec::new();
        let models: Vec<&str> = all.iter().map(|cell| cell.cell.model.as_str()).collect();
        if models.iter().any(|model| *model != self.model) {
            words.push(telling_name(self.model, &models).to_owned());
        }
        if all.iter().any(|cell| cell.cell.shots != self.shots) {
            words.push(format!("{} shots", self.shots));
        }
        let ends = || steps.first().zip(steps.last()).map(|(a, b)| format!("{}–{}", a.0, b.0));
        for knob in KNOBS.into_iter().skip(1).chain([&TEMPERATURE]) {
            let told = value(knob, part[0]).filter(|v| Some(*v) != knob.neutral);
            // What shapes another setting is told only where it varies.
            let told = told.filter(|_| knob.shapes.is_none() || count(knob, part) > 1);
            if *knob == *axis {
                words.push(format!("{} {}", knob.short, ends().unwrap_or_default()));
            } else if knob.is_switch() && told.is_some() {
                words.push(knob.short.to_owned());
            } else if let Some(value) = told {
                words.push(format!("{} {value}", knob.short));
            }
        }
        Method { label: words.join(", "), set: self.set.clone(), steps }
    }
}

fn value(knob: &Knob, cell: &CellResult) -> Option<f64> {
    knob.get(&cell.cell.decoding)
}

/// How many values of a knob there are.
fn count(knob: &Knob, cells: &[&CellResult]) -> usize {
    let mut seen: Vec<Option<f64>> = Vec::new();
    for cell in cells {
        let value = value(knob, cell);
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen.len()
}

impl Method<'_> {
    /// Its points along the setting that varies, where both values are known; seeds are averaged.
    pub fn points(&self, values: Values) -> Vec<Step> {
        let read = |cells: &[&CellResult], name: &str| {
            mean(cells.iter().filter_map(|cell| match values {
                Values::Measured => cell.score.metrics.get(name),
                Values::Exact => cell.truth.get(name),
            }))
        };
        let point = |(at, cells): &(f64, Vec<&CellResult>)| {
            let precision = read(cells, PRECISION.name)?;
            Some(Step { at: *at, precision, recall: read(cells, RECALL.name)? })
        };
        self.steps.iter().filter_map(point).collect()
    }
}

/// Recall on the straight lines between neighbors of `steps`, where precision is `level`; the greatest of several.
///
/// ```text
/// t = (level − P_i) / (P_j − P_i),   R = R_i + t (R_j − R_i),   s = (R_j − R_i) / (P_j − P_i)
/// h² = (1−t)² (h_{R,i}² + s² h_{P,i}²) + t² (h_{R,j}² + s² h_{P,j}²)
/// ```
///
/// `h` are half widths of intervals: what is not known of precision counts by the slope `s`. Cells are taken as
/// independent.
fn recall_at(steps: &[Step], level: f64) -> Option<Estimate> {
    let half = |e: &Estimate| Some((e.high? - e.low?) / 2.0);
    let between = |pair: &[Step]| {
        let (a, b) = (&pair[0], &pair[1]);
        let rise = b.precision.value - a.precision.value;
        let t = if rise == 0.0 { 0.0 } else { (level - a.precision.value) / rise };
        if rise == 0.0 && level != a.precision.value || !(0.0..=1.0).contains(&t) {
            return None;
        }
        let value = a.recall.value + t * (b.recall.value - a.recall.value);
        let slope = if rise == 0.0 { 0.0 } else { (b.recall.value - a.recall.value) / rise };
        let spread = |step: &Step| {
            Some(half(&step.recall)?.powi(2) + (slope * half(&step.precision)?).powi(2))
        };
        let width = spread(a).zip(spread(b));
        let width = width.map(|(a, b)| ((1.0 - t).powi(2) * a + t * t * b).sqrt());
        Some(Estimate {
            low: width.map(|h| (value - h).max(0.0)),
            high: width.map(|h| (value + h).min(1.0)),
            ..Estimate::bare(value)
        })
    };
    steps.windows(2).filter_map(between).max_by(|a, b| a.value.total_cmp(&b.value))
}

/// Recall at levels of precision that at least two methods reach; `None` where there are none.
pub fn at_equal_precision(results: &Results, values: Values) -> Option<EqualPrecision> {
    let methods = methods(results);
    let trails: Vec<Vec<Step>> = methods.iter().map(|method| method.points(values)).collect();
    let reach = |level: f64| trails.iter().filter(|t| recall_at(t, level).is_some()).count();
    let found = |parts: u32| -> Vec<f64> {
        let all = (1..parts).map(|i| f64::from(i) / f64::from(parts));
        all.filter(|level| reach(*level) > 1).collect()
    };
    let coarse = found(20);
    let mut levels = if coarse.len() > 2 { coarse } else { found(100) };
    if levels.is_empty() {
        return None;
    }
    if levels.len() > MOST_LEVELS {
        let last = levels.len() - 1;
        let at = |i: usize| (i * last + (MOST_LEVELS - 1) / 2) / (MOST_LEVELS - 1);
        levels = (0..MOST_LEVELS).map(|i| levels[at(i)]).collect();
    }
    let row = |(method, trail): (&Method<'_>, &Vec<Step>)| {
        let recall: Vec<_> = levels.iter().map(|level| recall_at(trail, *level)).collect();
        recall.iter().any(Option::is_some).then(|| (method.label.clone(), recall))
    };
    let rows = methods.iter().zip(&trails).filter_map(row).collect();
    Some(EqualPrecision { values, levels, rows })
}

impl EqualPrecision {
    /// The tables of a run: of measured values, and of exact ones where they are known.
    pub fn all(results: &Results) -> Vec<Self> {
        let tables = [Values::Measured, Values::Exact];
        tables.into_iter().filter_map(|values| at_equal_precision(results, values)).collect()
    }

    /// What it is.
    pub fn title(&self) -> &'static str {
        match self.values {
            Values::Measured => "recall at equal precision",
            Values::Exact => "exact recall at equal exact precision",
        }
    }

    /// How it is read.
    pub fn note(&self) -> &'static str {
        "read off straight lines between the cells of a method that are neighbors along the setting that varies; where a \
         method crosses a level twice, the better crossing; in brackets 95 % of sampling, that of precision included; \
         -: the method does not come there"
    }

    /// The table, its heading first.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let heading = self.levels.iter().map(|level| format!("P = {level}"));
        let mut lines = vec![std::iter::once("method".to_owned()).chain(heading).collect()];
        for (label, recall) in &self.rows {
            let cells = recall.iter().map(|e| e.as_ref().map_or("-".to_owned(), written));
            lines.push(std::iter::once(label.clone()).chain(cells).collect());
        }
        lines
    }
}

/// `0.712 [.66, .75]`: the value, and its interval to two digits.
pub(super) fn written(estimate: &Estimate) -> String {
    let bound = |v: f64| format!("{v:.2}").replacen("0.", ".", 1);
    let mut text = three_decimals(estimate.value);
    if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
        text.push_str(&format!(" [{}, {}]", bound(low), bound(high)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::{cell, result, turned};

    fn measured(settings: &str, precision: f64, recall: f64) -> CellResult {
        let mut record = cell("tiny", 1.0);
        record.decoding = settings.parse().unwrap();
        let mut found = result(record);
        let near = |value: f64, half: f64| Estimate {
            low: Some(value - half),
            high: Some(value + half),
            ..Estimate::bare(value)
        };
        found.score.metrics.insert("precision".into(), near(precision, 0.03));
        found.score.metrics.insert("recall".into(), near(recall, 0.04));
        found
    }

    fn compared() -> Results {
        let cells = vec![
            measured("T=0.5", 0.9, 0.3),
            measured("T=1", 0.7, 0.7),
            measured("top-p=0.9", 0.6, 0.9),
            measured("top-p=0.5", 0.8, 0.5),
            measured("top-p=0.7", 0.8, 0.6),
        ];
        Results { cells, ..turned() }
    }

    #[test]
    fn recall_is_read_between_neighbors_at_the_levels_that_methods_share() {
        let table = at_equal_precision(&compared(), Values::Measured).unwrap();
        assert_eq!(table.levels, [0.7, 0.75, 0.8]);
        let labels: Vec<&str> = table.rows.iter().map(|row| row.0.as_str()).collect();
        assert_eq!(labels, ["T 0.5–1", "top-p 0.5–0.9"]);
        let value = |row: usize, level: usize| table.rows[row].1[level].clone().unwrap();
        // From (0.9, 0.3) to (0.7, 0.7): slope −2, halfway 0.5.
        assert!((value(0, 2).value - 0.5).abs() < 1e-12);
        // h² = 2 · ¼ · (0.04² + 2² · 0.03²).
        let half = (0.5f64 * (0.04f64.powi(2) + 4.0 * 0.03f64.powi(2))).sqrt();
        assert!((value(0, 2).high.unwrap() - (0.5 + half)).abs() < 1e-12);
        // From (0.8, 0.6) to (0.6, 0.9) at 0.7; at 0.8 the greater of 0.5 and 0.6.
        assert!((value(1, 0).value - 0.75).abs() < 1e-12);
        assert!((value(1, 2).value - 0.6).abs() < 1e-12);
        assert_eq!(table.lines()[0], ["method", "P = 0.7", "P = 0.75", "P = 0.8"]);
        assert!(at_equal_precision(&compared(), Values::Exact).is_none());
    }

    #[test]
    fn one_set_of_settings_is_no_comparison() {
        let mut results = compared();
        results.cells.truncate(2);
        assert!(methods(&results).is_empty());
        assert!(EqualPrecision::all(&results).is_empty());
    }

    #[test]
    fn settings_that_vary_beside_the_axis_part_a_method() {
        let mut results = compared();
        for (t, p, r) in [(0.5, 0.95, 0.1), (1.0, 0.8, 0.4), (1.5, 0.5, 0.8)] {
            for k in [5, 9] {
                results.cells.push(measured(&format!("T={t},top-k={k}"), p, r));
            }
        }
        results.cells.push(measured("dry-multiplier=0.8,T=0.5", 0.9, 0.2));
        results.cells.push(measured("dry-multiplier=0.8,T=0.9", 0.7, 0.4));
        let labels: Vec<String> = methods(&results).into_iter().map(|m| m.label).collect();
        assert_eq!(
            labels,
            [
                "T 0.5–1",
                "top-p 0.5–0.9",
                "top-k 5, T 0.5–1.5",
                "top-k 9, T 0.5–1.5",
                "dry 0.8, T 0.5–0.9"
            ]
        );
    }
}
