//! `results.csv`: a row a cell, a column for every setting and every number.

use indexmap::{IndexMap, IndexSet};

mod long;

pub use long::{long, to_long_csv};

use super::{
    entry::{self, Entry},
    record::{CellResult, Results},
};
use crate::{
    decode::knobs::{KNOBS, Knob},
    score::record::Estimate,
};

/// Settings before and behind those of the draw.
const WHO: [&str; 4] = ["cell", "model", "task", "shots"];
const HOW: [&str; 4] = ["seed", "chat", "n", "max_new_tokens"];

const TEXTS: [&str; 6] =
    ["unique_texts", "empty_texts", "tokens_per_text", "ended_eos", "ended_stop", "ended_length"];

/// The table as CSV: settings, then `name`, `name_low`, `name_high`, `name_ceiling`, `name_p` for each
/// measure (a column that would be empty throughout is left out), then the same as `true_name`, …
/// where the truth is known, then `published_name` where a paper has a value of the same settings, `prompt_name` and `across_name` before it where prompts have several completions and `examples_name` where they have examples, `reference_nll` where models read the reference (`true_recall` counts the modes that texts reach, faulty texts included,
/// `true_recall_accepted` those of accepted texts alone), facts about the texts, warning codes and the
/// signature.
///
/// Numbers are the shortest decimals that read back as the same value; infinities are `inf` and
/// `-inf`, undefined values empty.
pub fn to_csv(results: &Results) -> String {
    let (header, rows) = wide(results);
    entry::csv(&header, &rows)
}

/// Column names and rows of that table.
pub fn wide(results: &Results) -> (Vec<String>, Vec<Vec<Entry>>) {
    let columns = Columns::of(&results.cells);
    (columns.header(), results.cells.iter().map(|cell| columns.row(cell)).collect())
}

type Part = fn(&Estimate) -> Option<f64>;

const PARTS: [(&str, Part); 5] = [
    ("", |e| Some(e.value)),
    ("_low", |e| e.low),
    ("_high", |e| e.high),
    ("_ceiling", |e| e.ceiling),
    ("_p", |e| e.p_value),
];

struct Columns {
    knobs: Vec<&'static Knob>,
    measures: Vec<(String, usize)>,
    truth: Vec<(String, usize)>,
    per_prompt: Vec<(String, usize)>,
    examples: Vec<(String, usize)>,
    prefixes: Vec<(String, usize)>,
    reference_nll: Vec<(String, usize)>,
    published: Vec<String>,
}

/// The settings of draws that have a column.
pub(super) fn knobs(cells: &[CellResult]) -> Vec<&'static Knob> {
    let used = |knob: &&Knob| {
        knob.fixed_column || cells.iter().any(|c| knob.get(&c.cell.decoding).is_some())
    };
    KNOBS.into_iter().filter(used).collect()
}

/// Names of what was published of some cell.
fn published(cells: &[CellResult]) -> Vec<String> {
    let names =
        cells.iter().filter_map(|cell| cell.published.as_ref()).flat_map(|p| p.values.keys());
    names.cloned().collect::<IndexSet<_>>().into_iter().collect()
}

impl Columns {
    fn of(cells: &[CellResult]) -> Self {
        Self {
            knobs: knobs(cells),
            measures: Self::filled(cells, |cell| &cell.score.metrics),
            truth: Self::filled(cells, |cell| &cell.truth),
            per_prompt: Self::filled(cells, |cell| &cell.per_prompt),
            examples: Self::filled(cells, |cell| &cell.examples),
            prefixes: Self::filled(cells, |cell| &cell.prefixes),
            reference_nll: Self::filled(cells, |cell| &cell.reference_nll),
            published: published(cells),
        }
    }

    /// Names and parts of estimates that some cell has.
    fn filled(
        cells: &[CellResult],
        of: fn(&CellResult) -> &IndexMap<String, Estimate>,
    ) -> Vec<(String, usize)> {
        let names: IndexSet<&String> = cells.iter().flat_map(|cell| of(cell).keys()).collect();
        let some = |name: &str, part: Part| {
            cells.iter().any(|cell| of(cell).get(name).and_then(part).is_some())
        };
        names
            .into_iter()
            .flat_map(|name| (0..PARTS.len()).map(move |part| (name.clone(), part)))
            .filter(|(name, part)| some(name, PARTS[*part].1))
            .collect()
    }

    fn header(&self) -> Vec<String> {
        let mut header: Vec<String> = WHO.map(str::to_owned).to_vec();
        header.extend(self.knobs.iter().map(|knob| knob.column.to_owned()));
        header.extend(HOW.map(str::to_owned));
        let named = |(name, part): &(String, usize)| format!("{name}{}", PARTS[*part].0);
        header.extend(self.measures.iter().map(named));
        header.extend(self.truth.iter().map(|column| format!("true_{}", named(column))));
        header.extend(self.per_prompt.iter().map(named));
        header.extend(self.examples.iter().map(named));
        header.extend(self.prefixes.iter().map(named));
        header.extend(self.reference_nll.iter().map(named));
        header.extend(self.published.iter().map(|name| format!("published_{name}")));
        header.extend(TEXTS.map(str::to_owned));
        header.extend(["warnings".to_owned(), "signature".to_owned()]);
        header
    }

    fn row(&self, result: &CellResult) -> Vec<Entry> {
        let CellResult { cell, texts, score, truth, .. } = result;
        let mut row: Vec<Entry> =
            [&cell.id, &cell.model, &cell.task].map(|word| Entry::text(word.as_str())).into();
        row.push(Entry::count(cell.shots));
        row.extend(self.knobs.iter().map(|knob| Entry::Real(knob.get(&cell.decoding))));
        row.extend([
            seed(cell.seed),
            Entry::Flag(Some(cell.chat)),
            Entry::count(texts.n),
            Entry::count(cell.max_new_tokens),
        ]);
        let mut estimates = |columns: &[(String, usize)], from: &IndexMap<String, Estimate>| {
            let value = |(name, part): &(String, usize)| from.get(name).and_then(PARTS[*part].1);
            row.extend(columns.iter().map(|column| Entry::Real(value(column))));
        };
        estimates(&self.measures, &score.metrics);
        estimates(&self.truth, truth);
        estimates(&self.per_prompt, &result.per_prompt);
        estimates(&self.examples, &result.examples);
        estimates(&self.prefixes, &result.prefixes);
        estimates(&self.reference_nll, &result.reference_nll);
        row.extend(self.published.iter().map(|name| Entry::Real(result.published(name))));
        let ended = |how: &str| Entry::count(texts.ended.get(how).copied().unwrap_or(0));
        row.extend([
            Entry::count(texts.unique),
            Entry::count(texts.empty),
            Entry::Real(Some(texts.mean_tokens)),
            ended("eos"),
            ended("stop"),
            ended("length"),
        ]);
        let codes: Vec<&str> = score.warnings.iter().map(|w| w.code.word()).collect();
        row.extend([Entry::text(codes.join(";")), Entry::text(score.signature.as_str())]);
        row
    }
}

/// A seed as words: its 64 bits fit into no signed number, and nobody computes with it.
pub(super) fn seed(seed: u64) -> Entry {
    Entry::text(seed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::record::{
            RESULT_SCHEMA, RESULTS_SCHEMA, TextFacts,
            tests::{cell, turned},
        },
        score::{
            record::{Curves, SCHEMA, Score, SetFacts, Warning},
            warnings::Code,
        },
    };

    #[test]
    fn every_knob_has_a_column_and_a_later_one_only_where_it_is_used() {
        let all = turned();
        let header = |results: &Results| to_csv(results).lines().next().unwrap_or("").to_owned();
        let names = KNOBS.map(|knob| knob.column).join(",");
        assert!(header(&all).contains(&format!(",shots,{names},seed,")), "{}", header(&all));
        let plain = Results { cells: all.cells[..1].to_vec(), ..all };
        let first = "cell,model,task,shots,temperature,top_k,top_p,min_p,typical_p,\
                     repetition_penalty,seed,chat,n,max_new_tokens,";
        assert!(header(&plain).starts_with(first), "{}", header(&plain));
    }

    #[test]
    fn a_row_a_cell_and_no_empty_columns() {
        let result = |temperature, value, low| {
            let precision = Estimate { low, ..Estimate::bare(value) };
            let warning = Warning { code: Code::Duplicates, message: "many".into() };
            CellResult {
                schema: RESULT_SCHEMA.into(),
                cell: cell("tiny", temperature),
                inputs: String::new(),
                texts: TextFacts { n: 10, unique: 9, mean_tokens: 4.5, ..TextFacts::default() },
                score: Score {
                    schema: SCHEMA.into(),
                    signature: "llmpr".into(),
                    reference: SetFacts::default(),
                    samples: SetFacts::default(),
                    pca: None,
                    metrics: [("precision".to_owned(), precision)].into_iter().collect(),
                    curves: Curves::default(),
                    warnings: vec![warning],
                },
                truth: Default::default(),
                per_prompt: Default::default(),
                examples: Default::default(),
                prefixes: Default::default(),
                reference_nll: Default::default(),
                published: None,
            }
        };
        let cells = vec![result(0.3, 0.75, None), result(1.0, f64::NAN, Some(0.125))];
        let results = Results {
            schema: RESULTS_SCHEMA.into(),
            task: "bio".into(),
            reference: "r.jsonl".into(),
            reference_n: 10,
            embedder: "gpt2".into(),
            cells,
            failed: vec![],
        };
        insta::assert_snapshot!(to_csv(&results), @r"
        cell,model,task,shots,temperature,top_k,top_p,min_p,typical_p,repetition_penalty,seed,chat,n,max_new_tokens,precision,precision_low,unique_texts,empty_texts,tokens_per_text,ended_eos,ended_stop,ended_length,warnings,signature
        tiny-0.3,tiny,wikipedia-bio,2,0.3,,0.9,,,,3,false,10,64,0.75,,9,0,4.5,0,0,0,duplicates,llmpr
        tiny-1,tiny,wikipedia-bio,2,1,,0.9,,,,3,false,10,64,,0.125,9,0,4.5,0,0,0,duplicates,llmpr
        ");
    }
}
