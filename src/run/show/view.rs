//! What is known of each text of a cell, and which of them are shown.

use super::{Missed, Near, TextShown, Which, Wish};
use crate::{
    data::{matrix::Matrix, sides::Sides},
    report::{
        attribution::{COPY, Shared},
        record::{CellRecord, CellResult, SampleRecord},
    },
    rng::{self, shuffle},
    run::finished::Features,
    score::evidence::RowEvidence,
    text::grammar::{Grammar, Rejection},
};

/// A cell's texts with what was found out about all of them.
pub(super) struct View<'a> {
    pub(super) samples: &'a [SampleRecord],
    pub(super) references: &'a [String],
    pub(super) clouds: Option<&'a Sides<Matrix>>,
    pub(super) evidence: Option<&'a Sides<Vec<RowEvidence>>>,
    pub(super) realism: Option<Vec<f64>>,
    /// Of each completion, the longest first.
    pub(super) shares: Vec<Vec<Shared>>,
    pub(super) grammar: Option<Grammar>,
    pub(super) nearest: usize,
}

impl View<'_> {
    /// The share of its words that a completion has in one run from another text.
    pub(super) fn share(&self, row: usize) -> f64 {
        self.shares[row].first().map_or(0.0, Shared::share)
    }

    /// Rows in the order in which they are shown.
    pub(super) fn choose(&self, wish: Wish, cell: &str) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.samples.len()).collect();
        match wish.which {
            Which::Any => shuffle(&mut rng::named(0, &format!("show {cell}")), &mut rows),
            Which::Outside => {
                let of = |row: usize| self.evidence.map(|evidence| evidence.model[row]);
                let far = |row: usize| -of(row).map_or(0.0, |of| of.distance);
                let deep =
                    |row: usize| self.realism.as_ref().map(|r| r[row]).filter(|r| !r.is_nan());
                rows.retain(|&row| of(row).is_some_and(|of| of.balls == 0));
                rows.sort_by(|&a, &b| {
                    let key = |row| [deep(row).unwrap_or(0.0), far(row)];
                    let ([a, far_a], [b, far_b]) = (key(a), key(b));
                    a.total_cmp(&b).then(far_a.total_cmp(&far_b))
                });
            }
            Which::Copies => {
                rows.retain(|&row| self.share(row) >= COPY);
                rows.sort_by(|&a, &b| self.share(b).total_cmp(&self.share(a)));
            }
            Which::Uncovered => rows.clear(),
        }
        rows.truncate(wish.texts);
        rows
    }

    pub(super) fn text(&self, row: usize) -> TextShown {
        let sample = &self.samples[row];
        let per_token = sample.logprob_model / sample.count().max(1) as f64;
        let evidence = self.evidence.map(|evidence| evidence.model[row]);
        let near = self.clouds.map(|Sides { reference, model }| {
            let near = nearest(model.row(row), reference, self.nearest).into_iter();
            let named = near.map(|(distance, at)| {
                let (of, text) = (at.to_string(), self.references[at].clone());
                Near { of, distance, text }
            });
            named.collect()
        });
        TextShown {
            id: sample.id.clone(),
            prompt_id: sample.prompt_id.clone(),
            text: sample.text().to_owned(),
            tokens: sample.count(),
            finish_reason: sample.finish_reason.clone(),
            logprob: per_token.is_finite().then_some(per_token),
            inside: evidence.map(|of| of.balls > 0),
            balls: evidence.map(|of| of.balls),
            realism: self.realism.as_ref().map(|realism| realism[row]),
            nearest: near.unwrap_or_default(),
            shares: self.shares[row].clone(),
            leaves_grammar: self.grammar.as_ref().and_then(|grammar| {
                let text = sample.text().trim();
                grammar.parse(text).err().map(|rejected| place(&rejected, text))
            }),
        }
    }
}

/// Where a text leaves the language, in its own words.
fn place(rejection: &Rejection, text: &str) -> String {
    let rest = text.get(rejection.offset..).unwrap_or_default();
    let here: String = rest.chars().take(24).collect();
    let found = if here.is_empty() { "its end".to_owned() } else { format!("{here:?}") };
    let expected = rejection.to_string();
    let expected = expected.split_once("expected ").map_or("", |(_, what)| what);
    format!("at {found}, where {expected} was expected")
}

/// The rows of `others` that are nearest to `row`, nearest first, with their distances.
fn nearest(row: &[f32], others: &Matrix, count: usize) -> Vec<(f64, usize)> {
    let distance = |at: usize| {
        let squares = row.iter().zip(others.row(at)).map(|(a, b)| f64::from(a - b).powi(2));
        (squares.sum::<f64>().sqrt(), at)
    };
    let mut all: Vec<(f64, usize)> = (0..others.rows()).map(distance).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.truncate(count);
    all
}

/// References outside of the support, with who reaches them.
pub(super) fn missed(
    view: &View<'_>,
    features: &Features<'_>,
    cells: &[&CellResult],
    count: usize,
) -> Vec<Missed> {
    let (Some(evidence), Some(clouds)) = (view.evidence, view.clouds) else { return Vec::new() };
    let mut by: Vec<(usize, Option<&CellRecord>)> = vec![(0, None); view.references.len()];
    for (at, cell) in cells.iter().enumerate() {
        let seen = features.evidence(at).map(|sides| sides.reference).unwrap_or_default();
        for (row, _) in seen.iter().enumerate().filter(|(_, row)| row.balls > 0) {
            by[row].0 += 1;
            let cooler =
                |first: &CellRecord| cell.cell.decoding.temperature < first.decoding.temperature;
            if by[row].1.is_none_or(cooler) {
                by[row].1 = Some(&cell.cell);
            }
        }
    }
    let mut rows: Vec<usize> =
        (0..by.len()).filter(|&row| evidence.reference[row].balls == 0).collect();
    rows.sort_by_key(|&row| by[row].0);
    rows.truncate(count);
    let of = |row: usize| {
        let near = nearest(clouds.reference.row(row), &clouds.model, view.nearest).into_iter();
        let near = near.map(|(distance, at)| {
            let sample = &view.samples[at];
            Near { of: sample.id.clone(), distance, text: sample.text().to_owned() }
        });
        Missed {
            index: row,
            text: view.references[row].clone(),
            nearest: near.collect(),
            reached_by: by[row].0,
            first_reached: by[row].1.map(CellRecord::label),
        }
    };
    rows.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // by eye: a triangle of sides 3, 4 and 5
    fn the_nearest_come_first_with_their_distances_and_of_two_as_near_the_first() {
        let others = Matrix::new(2, vec![3.0, 4.0, 0.0, 1.0, 1.0, 0.0]).unwrap();
        assert_eq!(nearest(&[0.0, 0.0], &others, 2), [(1.0, 1), (1.0, 2)]);
        assert_eq!(nearest(&[0.0, 0.0], &others, 9)[2], (5.0, 0));
    }
}
