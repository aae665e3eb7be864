//! The texts behind the numbers: a random choice of them in the page, all of them in files beside it.

use std::{collections::BTreeMap, ops::Range};

use serde::Serialize;

use super::{
    attribution::{CellTexts, Reach, Shared, reach},
    topics::{Share, Topic, shares},
};
use crate::rng::{self, shuffle};

/// How much a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Texts of all cells together.
    pub texts: usize,
    /// Texts of one cell.
    pub texts_per_cell: usize,
    /// Uncovered references of one cell.
    pub uncovered_per_cell: usize,
    /// Characters of a text.
    pub characters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { texts: 1500, texts_per_cell: 60, uncovered_per_cell: 20, characters: 3000 }
    }
}

/// Bytes of texts in a page: it opens at once. What comes after is cut to [`SHORT`] characters.
const MOST_BYTES: usize = 4_000_000;
/// Characters of a text in a page that is full.
const SHORT: usize = 100;
/// Characters of a text in a file beside the page.
const LONG: usize = 100_000;
/// Bytes of texts in a file beside the page, about.
const FILE_BYTES: usize = 1_000_000;
/// Uncovered references of all cells in these files.
const MOST_UNCOVERED: usize = 40_000;

/// The texts of runs, as pages and the files beside them show them.
pub struct Texts<'a> {
    /// Cells with what is known of their texts.
    pub cells: &'a [CellTexts<'a>],
    /// Reference texts of all runs.
    pub references: &'a [String],
    /// Topics of all runs.
    pub topics: &'a [Topic],
    /// The topic of each reference; none where topics are not known.
    pub labels: &'a [Option<u32>],
    /// Who reaches each reference.
    reach: Vec<Reach>,
    /// The first topic of each run, by the place of its first reference.
    first_topics: BTreeMap<usize, usize>,
}

/// What the page's browser shows, as it is embedded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Browser {
    /// The chosen texts by cell.
    pub cells: Vec<Cell>,
    /// The references that they mention, by index.
    pub references: BTreeMap<usize, String>,
    /// Topics of the references.
    pub topics: Vec<Topic>,
    /// Files beside the page that hold all texts; 0 where the page itself holds them.
    pub files: usize,
}

/// The chosen texts of one cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Its id.
    pub id: String,
    /// Its settings in words.
    pub label: String,
    /// Completions it has.
    pub n: usize,
    /// Whether the supports were looked at.
    pub judged: bool,
    /// Completions in the reference's support.
    pub inside: usize,
    /// Completions of which half or more stands in another text.
    pub copies: usize,
    /// The chosen completions.
    pub texts: Vec<Shown>,
    /// References in no ball of the model: their number, and a choice of them.
    pub uncovered: usize,
    /// The chosen ones.
    pub uncovered_shown: Vec<Missed>,
    /// The first of its topics, and what it does with each of them.
    pub topic: usize,
    /// In their order.
    pub topics: Vec<Share>,
    /// The file beside the page with all its texts.
    pub file: usize,
}

/// A completion as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Its id in its cell.
    pub id: String,
    /// The text, perhaps cut.
    pub text: String,
    /// Whether it was cut.
    pub cut: bool,
    /// Reference balls that hold it.
    pub balls: Option<u32>,
    /// How deep it lies in the support; infinite as text.
    #[serde(with = "crate::data::json_number::option")]
    pub realism: Option<f64>,
    /// The nearest reference.
    pub nearest: Option<usize>,
    /// The distance to that.
    pub distance: Option<f64>,
    /// What it shares with another text.
    pub shared: Option<Shared>,
    /// Whether that is half of it or more.
    pub copy: bool,
    /// Its topic.
    pub topic: Option<usize>,
    /// Why it ended.
    pub finish: String,
    /// Tokens.
    pub tokens: usize,
    /// Log-probability a token under the untempered model, nats.
    pub logprob: Option<f64>,
}

/// A reference that the model does not reach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missed {
    /// Index of the reference.
    pub reference: usize,
    /// The model's nearest text.
    pub text: String,
    /// The distance to that.
    pub distance: f64,
    /// Its topic.
    pub topic: Option<usize>,
    /// Cells that reach it.
    pub reached_by: usize,
    /// The first of these along the temperature, by its place among all cells.
    pub first: Option<usize>,
}

/// A file beside the page: all texts of some cells.
#[derive(Serialize)]
struct File {
    cells: Vec<FileCell>,
}

#[derive(Serialize)]
struct FileCell {
    id: String,
    texts: Vec<Shown>,
    uncovered: Vec<Missed>,
}

/// Cuts texts to what a page has room for.
struct Room {
    bytes: usize,
    characters: usize,
}

impl Room {
    fn clip(&mut self, text: &str) -> (String, bool) {
        let most = if self.bytes == 0 { SHORT.min(self.characters) } else { self.characters };
        let (kept, cut) = match text.char_indices().nth(most) {
            Some((end, _)) => (&text[..end], true),
            None => (text, false),
        };
        self.bytes = self.bytes.saturating_sub(kept.len());
        (kept.to_owned(), cut)
    }
}

impl<'a> Texts<'a> {
    /// Finds out who reaches what.
    pub fn new(
        cells: &'a [CellTexts<'a>],
        references: &'a [String],
        topics: &'a [Topic],
        labels: &'a [Option<u32>],
    ) -> Self {
        let mut first_topics = BTreeMap::new();
        for cell in cells {
            first_topics.entry(cell.references.start).or_insert_with(|| {
                let own = labels.get(cell.references.clone()).unwrap_or_default();
                own.iter().flatten().min().map_or(0, |least| *least as usize)
            });
        }
        let reach = reach(cells, references.len());
        Self { cells, references, topics, labels, reach, first_topics }
    }

    /// Chooses texts at random, the same ones whenever the report is made.
    pub fn browser(&self, limits: Limits) -> Browser {
        let count = self.cells.len();
        let share = limits.texts.checked_div(count).unwrap_or(0).max(1);
        // Of more cells than texts, some have none here.
        let some = choose(count, limits.texts, "cells");
        let uncovered = limits.uncovered_per_cell.min(share);
        let mut room = Room { bytes: MOST_BYTES, characters: limits.characters };
        let mut references = BTreeMap::new();
        let mut cells = Vec::with_capacity(count);
        for (at, cell) in self.cells.iter().enumerate() {
            let wanted = some.binary_search(&at).is_ok();
            let id = &cell.result.cell.id;
            let most = if wanted { limits.texts_per_cell.min(share) } else { 0 };
            let rows = choose(cell.samples.len(), most, &format!("texts {id}"));
            let texts: Vec<Shown> =
                rows.into_iter().map(|row| self.shown(cell, row, &mut room)).collect();
            let missed = missed(cell);
            let most = if wanted { uncovered } else { 0 };
            let picked = choose(missed.len(), most, &format!("uncovered {id}"));
            let shown = picked.into_iter();
            let shown = shown.filter_map(|i| self.missed(cell, missed[i], &mut room));
            let shown: Vec<Missed> = shown.collect();
            let mentioned = texts.iter().filter_map(|text| text.nearest);
            for index in mentioned.chain(shown.iter().map(|missed| missed.reference)) {
                if let Some(text) = self.references.get(index) {
                    references.entry(index).or_insert_with(|| room.clip(text).0);
                }
            }
            cells.push(self.cell(cell, texts, (missed.len(), shown)));
        }
        let whole = cells.iter().zip(self.cells).all(|(shown, cell)| {
            let all = shown.texts.len() == cell.samples.len();
            all && shown.uncovered == shown.uncovered_shown.len()
                && !shown.texts.iter().any(|t| t.cut)
        });
        let files = self.files();
        for (file, range) in files.iter().enumerate() {
            cells[range.clone()].iter_mut().for_each(|cell| cell.file = file);
        }
        let files = if whole { 0 } else { files.len() };
        Browser { cells, references, topics: self.topics.to_vec(), files }
    }

    fn cell(&self, cell: &CellTexts<'_>, texts: Vec<Shown>, missed: (usize, Vec<Missed>)) -> Cell {
        let judged = cell.judged();
        let labels = self.labels.get(cell.references.clone()).unwrap_or_default();
        let topic = self.first_topic(cell);
        let end = labels.iter().flatten().max().map_or(topic, |most| *most as usize + 1);
        let own: Option<Vec<u32>> =
            labels.iter().map(|label| label.map(|label| label - topic as u32)).collect();
        Cell {
            id: cell.result.cell.id.clone(),
            label: cell.result.cell.label(),
            n: cell.samples.len(),
            judged: judged.is_some(),
            inside: judged.map_or(0, |e| e.model.iter().filter(|row| row.balls > 0).count()),
            copies: (0..cell.samples.len()).filter(|&row| cell.is_copy(row)).count(),
            texts,
            uncovered: missed.0,
            uncovered_shown: missed.1,
            topic,
            topics: own.map_or(Vec::new(), |own| shares(cell, &own, end - topic)),
            file: 0,
        }
    }

    fn first_topic(&self, cell: &CellTexts<'_>) -> usize {
        self.first_topics.get(&cell.references.start).copied().unwrap_or(0)
    }

    fn topic(&self, reference: usize) -> Option<usize> {
        self.labels.get(reference).copied().flatten().map(|label| label as usize)
    }

    fn shown(&self, cell: &CellTexts<'_>, row: usize, room: &mut Room) -> Shown {
        let (sample, of) = (&cell.samples[row], cell.judged().map(|e| e.model[row]));
        let (text, cut) = room.clip(sample.text());
        let per_token = sample.logprob_model / sample.count().max(1) as f64;
        let first = cell.references.start;
        let shared = cell.longest(row).filter(|shared| shared.words > 1).map(|shared| Shared {
            text: room.clip(&shared.text).0,
            of: match (shared.with, shared.of.parse::<usize>()) {
                ("reference", Ok(index)) => (index + first).to_string(),
                _ => shared.of.clone(),
            },
            ..shared.clone()
        });
        Shown {
            id: sample.id.clone(),
            text,
            cut,
            balls: of.map(|of| of.balls),
            realism: cell.realism(row),
            nearest: of.map(|of| of.nearest + first),
            distance: of.map(|of| of.distance),
            shared,
            copy: cell.is_copy(row),
            topic: cell.topics.get(row).map(|topic| *topic as usize + self.first_topic(cell)),
            finish: sample.finish_reason.clone(),
            tokens: sample.count(),
            logprob: per_token.is_finite().then_some(per_token),
        }
    }

    fn missed(&self, cell: &CellTexts<'_>, row: usize, room: &mut Room) -> Option<Missed> {
        let of = cell.judged()?.reference[row];
        let reference = row + cell.references.start;
        let Reach { cells, first } = self.reach[reference];
        Some(Missed {
            reference,
            text: room.clip(cell.samples[of.nearest].text()).0,
            distance: of.distance,
            topic: self.topic(reference),
            reached_by: cells,
            first,
        })
    }

    /// The cells of each file beside the page: about a megabyte of texts.
    pub fn files(&self) -> Vec<Range<usize>> {
        let (mut files, mut from, mut bytes) = (Vec::new(), 0, 0);
        for (at, cell) in self.cells.iter().enumerate() {
            bytes += cell.samples.iter().map(|sample| sample.text().len() + 300).sum::<usize>();
            if bytes >= FILE_BYTES || at + 1 == self.cells.len() {
                files.push(from..at + 1);
                (from, bytes) = (at + 1, 0);
            }
        }
        files
    }

    /// A file of [`files`](Self::files) as JSON: every text of its cells, and of each the references that it misses,
    /// all or a choice.
    pub fn file(&self, cells: Range<usize>) -> String {
        let most = (MOST_UNCOVERED / self.cells.len().max(1)).max(1);
        let mut room = Room { bytes: usize::MAX, characters: LONG };
        let cell = |cell: &CellTexts<'_>| {
            let (id, missed) = (&cell.result.cell.id, missed(cell));
            let picked = choose(missed.len(), most, &format!("uncovered {id}")).into_iter();
            FileCell {
                id: id.clone(),
                texts: (0..cell.samples.len())
                    .map(|row| self.shown(cell, row, &mut room))
                    .collect(),
                uncovered: picked.filter_map(|i| self.missed(cell, missed[i], &mut room)).collect(),
            }
        };
        let file = File { cells: self.cells[cells].iter().map(cell).collect() };
        serde_json::to_string(&file).unwrap_or_default()
    }
}

/// The references that a cell does not reach, by their places in its run.
fn missed(cell: &CellTexts<'_>) -> Vec<usize> {
    let rows = cell.judged().map_or(&[][..], |e| &e.reference);
    (0..rows.len()).filter(|&row| rows[row].balls == 0).collect()
}

/// `count` of `0..n` at random, ascending.
fn choose(n: usize, count: usize, what: &str) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    if n > count {
        shuffle(&mut rng::named(0, what), &mut all);
        all.truncate(count);
        all.sort_unstable();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        attribution::tests::texts,
        record::tests::{cell, result},
    };

    #[test]
    fn a_page_of_many_cells_holds_as_many_texts_as_it_may_and_files_hold_all() {
        let results: Vec<_> = (0..50)
            .map(|at| {
                let mut record = cell("tiny", 0.1 * f64::from(at));
                record.id = format!("cell{at}");
                result(record)
            })
            .collect();
        let long = "word ".repeat(5000);
        let own = [long.as_str(), "b", "c", "d"];
        let cells: Vec<_> = results.iter().map(|r| texts(r, &own, &[false, true])).collect();
        let references = ["one", "two"].map(str::to_owned);
        let all = Texts::new(&cells, &references, &[], &[None, None]);
        let page = all.browser(Limits { texts: 10, characters: 100, ..Limits::default() });
        let shown: usize = page.cells.iter().map(|cell| cell.texts.len()).sum();
        let missed: usize = page.cells.iter().map(|cell| cell.uncovered_shown.len()).sum();
        assert_eq!((page.cells.len(), shown, missed), (50, 10, 10));
        let lengths = page.cells.iter().flat_map(|cell| &cell.texts).map(|text| text.text.len());
        assert!(lengths.max() <= Some(100));
        let files = all.files();
        assert_eq!((page.files, files.len()), (2, 2), "a megabyte each, of 1.3 in all");
        let mut texts = 0;
        for (at, file) in files.iter().enumerate() {
            let json: serde_json::Value = serde_json::from_str(&all.file(file.clone())).unwrap();
            for (cell, place) in json["cells"].as_array().unwrap().iter().zip(file.clone()) {
                assert_eq!(
                    (cell["id"].as_str(), page.cells[place].file),
                    (Some(&*page.cells[place].id), at)
                );
                texts += cell["texts"].as_array().unwrap().len();
                assert_eq!(cell["texts"][0]["text"].as_str().map(str::len), Some(long.len()));
            }
        }
        assert_eq!(texts, 200);
        let small = Texts::new(&cells[..1], &references, &[], &[None, None]);
        assert_eq!(small.browser(Limits { characters: 30_000, ..Limits::default() }).files, 0);
    }
}
