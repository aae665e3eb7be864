//! The cells as rows of the page's table.

use indexmap::IndexSet;
use serde::Serialize;

use crate::{
    decode::knobs,
    metric::{
        extrapolated::{MODES_REACHED, RECALL_EXTRAPOLATED},
        frontier::MAUVE,
        prdc::{COVERAGE, DENSITY, PRECISION, RECALL},
        spec::{Spec, Truth},
    },
    report::{
        number::number,
        record::{CellResult, telling_name},
    },
    score::record::Estimate,
};

/// Measures that come first; others follow in the order of the scores.
const FIRST: [&Spec; 7] =
    [&PRECISION, &RECALL, &MODES_REACHED, &RECALL_EXTRAPOLATED, &DENSITY, &COVERAGE, &MAUVE];
/// Columns of measures at most: the rest is in results.csv.
const MOST: usize = 14;

/// Exact values: beside which measure, which, heading, what it is.
const EXACT: [(&Spec, Truth, &str, &str); 4] = [
    (
        &PRECISION,
        Truth::Precision,
        "exact precision",
        "share of the texts that the task's known distribution accepts",
    ),
    (
        &RECALL,
        Truth::Recall,
        "exact recall",
        "probability of the modes that the texts reach, faulty texts included",
    ),
    (
        &RECALL,
        Truth::RecallAccepted,
        "exact recall, accepted",
        "probability of the modes of the accepted texts alone",
    ),
    (
        &RECALL_EXTRAPOLATED,
        Truth::RecallExtrapolated,
        "exact modes, extrapolated",
        "probability of the modes that infinitely many texts would reach, from those that few texts reached",
    ),
];

#[derive(Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) number: bool,
    help: String,
}

/// An entry: what it says and is sorted by, and the interval in small print. In JSON the text alone where there is none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) extra: String,
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.extra.as_str() {
            "" => self.text.serialize(serializer),
            extra => [self.text.as_str(), extra].serialize(serializer),
        }
    }
}

pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Value>>,
}

pub(super) fn table(cells: &[CellResult]) -> Table {
    let mut table = Table { columns: vec![], rows: cells.iter().map(|_| vec![]).collect() };
    let word = |text: String| Value { text, extra: String::new() };
    let paths: Vec<&str> = cells.iter().map(|c| c.cell.model.as_str()).collect();
    let name = |c: &CellResult| telling_name(&c.cell.model, &paths).to_owned();
    let models = cells.iter().map(|c| word(name(c))).collect();
    table.add("model", "the model", false, models);
    let mut setting = |name: &str, always: bool, get: &dyn Fn(&CellResult) -> Option<f64>| {
        let values: Vec<Option<f64>> = cells.iter().map(get).collect();
        if always || values.windows(2).any(|pair| pair[0] != pair[1]) {
            let plain = |v: &Option<f64>| word(v.map(|v| v.to_string()).unwrap_or_default());
            table.add(name, "setting", true, values.iter().map(plain).collect());
        }
    };
    setting("T", true, &|c| Some(c.cell.decoding.temperature));
    setting("shots", false, &|c| Some(c.cell.shots as f64));
    for knob in knobs::optional() {
        setting(knob.short, false, &|c| knob.get(&c.cell.decoding));
    }
    setting("seed", false, &|c| Some(c.cell.seed as f64));
    setting("n", true, &|c| Some(c.texts.n as f64));
    let names: IndexSet<&str> =
        cells.iter().flat_map(|c| c.score.metrics.keys()).map(String::as_str).collect();
    let leading = FIRST.map(|spec| spec.name);
    let first = leading.into_iter().filter(|name| names.contains(name));
    let others =
        names.iter().copied().filter(|name| !leading.contains(name) && !name.contains('@'));
    for name in first.chain(others).take(MOST) {
        let of = |c: &CellResult| measured(c.score.metrics.get(name));
        table.add(name, &help(cells, name), true, cells.iter().map(of).collect());
        // The truth stands beside what estimates it.
        for (_, truth, heading, help) in EXACT.iter().filter(|(spec, ..)| spec.name == name) {
            if cells.iter().any(|c| c.truth.contains_key(truth.name())) {
                let of = |c: &CellResult| measured(c.truth.get(truth.name()));
                table.add(heading, help, true, cells.iter().map(of).collect());
            }
        }
    }
    let tokens = |c: &CellResult| {
        word(match c.texts.mean_tokens {
            mean if mean.is_nan() => "unknown".to_owned(),
            mean => format!("{mean:.1}"),
        })
    };
    table.add("tokens", "mean length of a text", true, cells.iter().map(tokens).collect());
    let codes = |c: &CellResult| {
        let codes: Vec<&str> = c.score.warnings.iter().map(|w| w.code.word()).collect();
        word(codes.join(", "))
    };
    if cells.iter().any(|c| !c.score.warnings.is_empty()) {
        table.add("warnings", "explained below", false, cells.iter().map(codes).collect());
    }
    table
}

/// The ceiling in words, since it is about the same for all cells.
fn help(cells: &[CellResult], name: &str) -> String {
    let ceilings: Vec<f64> =
        cells.iter().filter_map(|c| c.score.metrics.get(name)?.ceiling).collect();
    let (low, high) =
        ceilings.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &c| (l.min(c), h.max(c)));
    match ceilings.len() {
        0 => String::new(),
        _ if number(low) == number(high) => format!("a perfect model scores {}", number(low)),
        _ => format!("a perfect model scores {} to {}", number(low), number(high)),
    }
}

fn measured(estimate: Option<&Estimate>) -> Value {
    let Some(e) = estimate else {
        return Value { text: String::new(), extra: String::new() };
    };
    let extra = match (e.low, e.high) {
        (Some(low), Some(high)) => format!("[{}, {}]", number(low), number(high)),
        _ => String::new(),
    };
    Value { text: number(e.value), extra }
}

impl Table {
    fn add(&mut self, name: &str, help: &str, number: bool, values: Vec<Value>) {
        self.columns.push(Column { name: name.to_owned(), number, help: help.to_owned() });
        for (row, value) in self.rows.iter_mut().zip(values) {
            row.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::knobs::KNOBS, report::record::tests::turned};

    #[test]
    fn every_knob_that_varies_has_a_column() {
        let table = table(&turned().cells);
        for knob in KNOBS {
            let at = table.columns.iter().position(|column| column.name == knob.short);
            let value = at.map(|at| table.rows[1][at].text.as_str());
            assert_eq!(value, Some(if knob.whole { "7" } else { "0.25" }), "{}", knob.flag);
        }
    }
}
