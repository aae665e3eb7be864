//! What the texts of runs have in common, word for word, and the topics of their references.

use std::{cell::OnceCell, collections::HashMap};

use indexmap::IndexMap;
use rayon::prelude::*;

use crate::{
    cloud::kmeans::{KMeansOptions, kmeans},
    data::matrix::Matrix,
    report::{attribution::Shared, record::SampleRecord},
    text::spans::{Known, Numbers, Span, Words, among},
};

/// What a completion shares with another one, with a reference, and with its prompt.
#[derive(Clone, Copy, Default)]
struct Spans {
    /// Words of the completion.
    all: usize,
    completion: Option<Span>,
    reference: Option<Span>,
    prompt: Option<Span>,
}

/// What each completion shares with another one, with a reference, and with its prompt, the longest first.
pub(super) fn shares(samples: &[SampleRecord], references: &[String]) -> Vec<Vec<Shared>> {
    let spans = spans_of_cells(&[samples], references).swap_remove(0);
    let of = |row: usize| {
        let all = in_order(&spans[row]).into_iter();
        all.map(|of| told(samples, row, spans[row].all, of)).collect()
    };
    (0..samples.len()).map(of).collect()
}

/// The first of the [`shares`] of each completion of several cells; those of other cells are not held against them.
pub(super) fn longest_of_cells(
    cells: &[&[SampleRecord]],
    references: &[String],
) -> Vec<Vec<Option<Shared>>> {
    let spans = spans_of_cells(cells, references);
    let of = |(samples, spans): (&&[SampleRecord], Vec<Spans>)| {
        let longest = |row: usize| {
            let first = in_order(&spans[row]).into_iter().next()?;
            Some(told(samples, row, spans[row].all, first))
        };
        (0..samples.len()).map(longest).collect()
    };
    cells.par_iter().zip(spans).map(of).collect()
}

/// What is shared with what, the longest first.
fn in_order(spans: &Spans) -> Vec<(&'static str, Span)> {
    let Spans { completion, reference, prompt, .. } = *spans;
    let all = [("completion", completion), ("reference", reference), ("prompt", prompt)];
    let mut all: Vec<_> = all.into_iter().filter_map(|(with, span)| Some((with, span?))).collect();
    all.sort_by_key(|(_, span)| std::cmp::Reverse(span.words));
    all
}

fn told(
    samples: &[SampleRecord],
    row: usize,
    all: usize,
    (with, span): (&'static str, Span),
) -> Shared {
    let words = samples[row].text().split_whitespace().skip(span.start);
    let words: Vec<&str> = words.take(span.words).collect();
    let of = match with {
        "completion" => samples[span.other].id.clone(),
        "reference" => span.other.to_string(),
        _ => samples[row].prompt_id.clone(),
    };
    Shared { with, of, words: span.words, all, text: words.join(" ") }
}

fn spans_of_cells(cells: &[&[SampleRecord]], references: &[String]) -> Vec<Vec<Spans>> {
    // Within a cell words have the numbers of their first coming there, else of that in all cells: the order of numbers decides
    // which of several longest spans it is, and is the same however many cells are read at once.
    let own: Vec<(Words<'_>, Vec<Option<Span>>)> = cells
        .par_iter()
        .map(|cell| {
            let words = Words::of(cell.iter().map(SampleRecord::text));
            let spans = among(&words);
            (words, spans)
        })
        .collect();
    let mut numbers = Numbers::default();
    let (mut own, mut found): (Vec<Words<'_>>, Vec<Vec<Spans>>) = own
        .into_iter()
        .map(|(words, spans)| {
            let of = |(completion, text): (_, &[u32])| Spans {
                all: text.len(),
                completion,
                ..Spans::default()
            };
            let spans: Vec<Spans> = spans.into_iter().zip(words.texts()).map(of).collect();
            (words, spans)
        })
        .unzip();
    own.iter_mut().for_each(|words| words.renumber(&mut numbers));
    let people = Words::with(&mut numbers, references.iter().map(String::as_str));
    let people = Known::of(people.texts());
    found.par_iter_mut().zip(&own).for_each(|(found, words)| {
        let texts = found.iter_mut().zip(words.texts());
        texts.for_each(|(spans, text)| spans.reference = people.longest(text));
    });
    // Completions by their prompt, and of these by their cell: a prompt is made ready once.
    let mut by_prompt: IndexMap<&str, Vec<Group>> = IndexMap::new();
    for (cell, samples) in cells.iter().enumerate() {
        for (row, sample) in samples.iter().enumerate() {
            let groups = by_prompt.entry(&sample.prompt).or_default();
            match groups.last_mut().filter(|group| group.cell == cell) {
                Some(group) => group.rows.push(row),
                None => groups.push(Group { cell, rows: vec![row] }),
            }
        }
    }
    let prompts = Words::with(&mut numbers, by_prompt.keys().copied());
    let held = |(at, groups): (usize, &Vec<Group>)| -> Vec<Vec<Option<Span>>> {
        let prompt = prompts.text(at);
        let known = Known::of(std::iter::once(prompt));
        groups.iter().map(|group| group.shared_with(&own[group.cell], prompt, &known)).collect()
    };
    let groups: Vec<&Vec<Group>> = by_prompt.values().collect();
    let spans: Vec<_> =
        groups.par_iter().enumerate().map(|(at, groups)| held((at, groups))).collect();
    for (group, spans) in groups.into_iter().flatten().zip(spans.into_iter().flatten()) {
        for (&row, span) in group.rows.iter().zip(spans) {
            found[group.cell][row].prompt = span;
        }
    }
    found
}

/// Completions of a cell that have one prompt.
struct Group {
    cell: usize,
    rows: Vec<usize>,
}

impl Group {
    /// What each of them shares with the prompt. Their words count first, one group as if it were all there is.
    fn shared_with(&self, own: &Words<'_>, prompt: &[u32], known: &Known) -> Vec<Option<Span>> {
        let renumbered = OnceCell::new();
        let again = || {
            let mut numbers: HashMap<u32, u32> = HashMap::new();
            let mut numbered = |text: &[u32]| -> Vec<u32> {
                let next = |word: &u32| {
                    let next = numbers.len() as u32;
                    *numbers.entry(*word).or_insert(next)
                };
                text.iter().map(next).collect()
            };
            let texts = self.rows.iter().map(|&row| numbered(own.text(row)));
            let texts: Vec<Vec<u32>> = texts.collect();
            (numbered(prompt), texts)
        };
        let of = |(at, &row): (usize, &usize)| {
            known.longest_in_one(own.text(row), || {
                let (prompt, texts) = renumbered.get_or_init(again);
                (prompt.as_slice(), texts[at].as_slice())
            })
        };
        self.rows.iter().enumerate().map(of).collect()
    }
}

/// References in groups of those near to each other.
pub(super) struct Topics {
    centers: Matrix,
    /// The topic of each reference.
    pub(super) references: Vec<u32>,
}

impl Topics {
    /// About `√n / 2` of them, 2 to 12; none of fewer than 8 references.
    pub(super) fn of(references: &Matrix) -> Option<Self> {
        let n = references.rows();
        if n < 8 {
            return None;
        }
        let count = (((n as f64).sqrt() / 2.0) as usize).clamp(2, 12);
        let found = kmeans(references, &KMeansOptions::new(count)).ok()?;
        Some(Self { centers: found.centers, references: found.labels })
    }

    /// The topic whose center is nearest to each row, the lower of two.
    pub(super) fn nearest(&self, rows: &Matrix) -> Vec<u32> {
        let squared = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
        };
        let of = |row: usize| {
            let off = |topic: &usize| squared(rows.row(row), self.centers.row(*topic));
            let topics = 0..self.centers.rows();
            topics.min_by(|a, b| off(a).total_cmp(&off(b))).map_or(0, |topic| topic as u32)
        };
        (0..rows.rows()).map(of).collect()
    }
}
