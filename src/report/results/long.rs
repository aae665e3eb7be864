//! `results_long.csv`: a row a cell and measure, which is what plotting and statistics want.

use super::{knobs, seed};
use crate::{
    report::{
        entry::{self, Entry},
        record::{CellResult, Results},
    },
    score::record::Estimate,
};

/// What stands first; the settings of the cell follow, as in the wide table.
const FIRST: [&str; 7] = ["cell", "measure", "value", "low", "high", "ceiling", "p"];

/// The table as CSV: `cell, measure, value, low, high, ceiling, p`, then the settings of the cell. Exact values of a
/// task whose distribution is known are rows, too, as `true_recall` and the like, and what papers have as `published_recall`.
///
/// Numbers are as in [`to_csv`](super::to_csv).
pub fn to_long_csv(results: &Results) -> String {
    let (header, rows) = long(results);
    entry::csv(&header, &rows)
}

/// Column names and rows of that table.
pub fn long(results: &Results) -> (Vec<String>, Vec<Vec<Entry>>) {
    let knobs = knobs(&results.cells);
    let mut header = FIRST.map(str::to_owned).to_vec();
    header.extend(["model", "task", "shots"].map(str::to_owned));
    header.extend(knobs.iter().map(|knob| knob.column.to_owned()));
    header.push("seed".to_owned());
    let settings = |result: &CellResult| {
        let cell = &result.cell;
        let mut row = vec![
            Entry::text(cell.model.as_str()),
            Entry::text(cell.task.as_str()),
            Entry::count(cell.shots),
        ];
        row.extend(knobs.iter().map(|knob| Entry::Real(knob.get(&cell.decoding))));
        row.push(seed(cell.seed));
        row
    };
    let mut rows = Vec::new();
    for result in &results.cells {
        let settings = settings(result);
        let mut add = |measure: String, estimate: &Estimate| {
            let Estimate { value, low, high, ceiling, p_value } = *estimate;
            let mut row = vec![Entry::text(result.cell.id.as_str()), Entry::text(measure)];
            row.extend([Some(value), low, high, ceiling, p_value].map(Entry::Real));
            row.extend(settings.iter().cloned());
            rows.push(row);
        };
        result.score.metrics.iter().for_each(|(name, estimate)| add(name.clone(), estimate));
        result.truth.iter().for_each(|(name, estimate)| add(format!("true_{name}"), estimate));
        result.per_prompt.iter().for_each(|(name, estimate)| add(name.clone(), estimate));
        result.examples.iter().for_each(|(name, estimate)| add(name.clone(), estimate));
        result.prefixes.iter().for_each(|(name, estimate)| add(name.clone(), estimate));
        result.reference_nll.iter().for_each(|(name, estimate)| add(name.clone(), estimate));
        for (name, value) in result.published.iter().flat_map(|published| &published.values) {
            add(format!("published_{name}"), &Estimate::bare(*value));
        }
    }
    (header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::{Published, tests::turned};

    #[test]
    fn a_row_a_cell_and_measure() {
        let mut results = turned();
        results.cells.truncate(1);
        let cell = &mut results.cells[0];
        let precision = Estimate { low: Some(0.5), ceiling: Some(0.96), ..Estimate::bare(0.75) };
        cell.score.metrics.insert("precision".to_owned(), precision);
        cell.score.metrics.insert("alpha@2".to_owned(), Estimate::bare(f64::NAN));
        cell.truth.insert("recall".to_owned(), Estimate::bare(1.0));
        let values = [("recall".to_owned(), 0.703)].into_iter().collect();
        cell.published = Some(Published { source: "Figure 1".into(), values });
        insta::assert_snapshot!(to_long_csv(&results), @r"
        cell,measure,value,low,high,ceiling,p,model,task,shots,temperature,top_k,top_p,min_p,typical_p,repetition_penalty,seed
        tiny-0.7,precision,0.75,0.5,,0.96,,tiny,wikipedia-bio,2,0.7,,0.9,,,,3
        tiny-0.7,alpha@2,,,,,,tiny,wikipedia-bio,2,0.7,,0.9,,,,3
        tiny-0.7,true_recall,1,,,,,tiny,wikipedia-bio,2,0.7,,0.9,,,,3
        tiny-0.7,published_recall,0.703,,,,,tiny,wikipedia-bio,2,0.7,,0.9,,,,3
        ");
    }
}
