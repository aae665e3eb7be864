//! Votes of the nearest training rows.

use rayon::prelude::*;

use super::{Classifier, RatioError};
use crate::{
    cloud::{
        Clouds, MetricError,
        space::{Rows, Space, Tile, Visit},
    },
    data::{matrix::Matrix, sides::Sides},
};

/// The pooled `k` nearest training rows vote: `r̂ = (N_P + ½)/(N_Q + ½) · m/n`.
///
/// Ties in distance go to the lower row, `P`'s rows before `Q`'s. The half keeps the ratio positive and
/// finite; its bias towards 1 fades with `k`.
///
/// # Cost and sources
///
/// `O(N_test N_train d)` in matrix products. Pillutla et al. 2023, arXiv:2212.14578 (k-NN estimate).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnnVote {
    /// How many rows vote; `√N` of the `N` training rows, rounded, where not given.
    pub k: Option<usize>,
}

impl Classifier for KnnVote {
    fn log_ratios(&self, train: Clouds<'_>, test: &Matrix) -> Result<Vec<f64>, RatioError> {
        let Sides { reference, model } = train.sides();
        let pooled = reference.stack(model);
        let (n, m) = (reference.rows() as f64, model.rows() as f64);
        let k = self.k.unwrap_or_else(|| (pooled.rows() as f64).sqrt().round_ties_even() as usize);
        let k = k.clamp(1, pooled.rows());
        let vote = |nearest: Vec<u32>| {
            let of_p = nearest.iter().filter(|&&row| (row as usize) < reference.rows()).count();
            let (of_p, of_q) = (of_p as f64, (nearest.len() - of_p) as f64);
            ((of_p + 0.5) / (of_q + 0.5) * m / n).ln()
        };
        Ok(nearest_rows(&pooled, test, k)?.into_iter().map(vote).collect())
    }
}

/// The `k` rows of `base` nearest to each row of `queries`, by exact distance and then index.
///
/// # Errors
///
/// [`MetricError`] when the sets cannot be compared.
pub(super) fn nearest_rows(
    base: &Matrix,
    queries: &Matrix,
    k: usize,
) -> Result<Vec<Vec<u32>>, MetricError> {
    if queries.rows() == 0 {
        return Ok(Vec::new());
    }
    let space = Space::new(Clouds::new(Sides { reference: base, model: queries })?);
    let Sides { reference: base, model: queries } = &space.0;
    let mut copies: Vec<Vec<u32>> = vec![Vec::new(); base.len()];
    (0u32..).zip(&base.distinct.of).for_each(|(row, &of)| copies[of as usize].push(row));
    let of_block = |block: std::ops::Range<usize>| {
        let mut search = Search {
            base,
            queries,
            start: block.start,
            column: 0,
            wanted: k.min(base.len()),
            candidates: vec![Vec::new(); block.len()],
            reach: vec![f32::INFINITY; block.len()],
            nowhere: Vec::new(),
        };
        let mut tile = Tile::default();
        for columns in base.blocks() {
            tile.multiply((queries, block.clone()), (base, columns.clone()));
            search.column = columns.start;
            search.nowhere = vec![f32::NEG_INFINITY; columns.len()];
            tile.scan(&mut search);
        }
        (0..block.len()).map(|i| search.finish(i, &copies, k)).collect::<Vec<_>>()
    };
    let blocks = queries.blocks();
    let distinct: Vec<Vec<u32>> = blocks.into_par_iter().flat_map_iter(of_block).collect();
    Ok(queries.distinct.of.iter().map(|&of| distinct[of as usize].clone()).collect())
}

/// Candidates of one block of queries among the distinct rows of the base.
struct Search<'a> {
    base: &'a Rows<'a>,
    queries: &'a Rows<'a>,
    start: usize,
    column: usize,
    wanted: usize,
    /// Per query: the most a candidate's scaled distance² can be, and the candidate.
    candidates: Vec<Vec<(f32, u32)>>,
    reach: Vec<f32>,
    nowhere: Vec<f32>,
}

impl Visit for Search<'_> {
    fn reach(&self) -> (&[f32], &[f32]) {
        (&self.reach, &self.nowhere)
    }

    fn near(&mut self, i: usize, j: usize, low: f32) {
        let row = self.column + j;
        let high = self.queries.high(self.start + i, self.base, row, low);
        self.candidates[i].push((high, row as u32));
        if self.candidates[i].len() >= 2 * self.wanted + 16
            && self.candidates[i].len().is_power_of_two()
        {
            self.drop_far(i);
        }
    }
}

impl Search<'_> {
    fn drop_far(&mut self, i: usize) {
        let Self { base, queries, start, wanted, .. } = *self;
        let candidates = &mut self.candidates[i];
        if candidates.len() < wanted {
            return;
        }
        candidates.select_nth_unstable_by(wanted - 1, |a, b| a.0.total_cmp(&b.0));
        let reach = candidates[wanted - 1].0;
        candidates
            .retain(|&(high, row)| queries.low_of(start + i, base, row as usize, high) <= reach);
        self.reach[i] = reach;
    }

    /// The `k` nearest rows of query `i`, copies one by one.
    fn finish(&mut self, i: usize, copies: &[Vec<u32>], k: usize) -> Vec<u32> {
        self.drop_far(i);
        let exact = |&(_, row): &(f32, u32)| {
            let squared = self.queries.squared_distance(self.start + i, self.base, row as usize);
            copies[row as usize].iter().map(move |&copy| (squared, copy))
        };
        let mut rows: Vec<(f64, u32)> = self.candidates[i].iter().flat_map(exact).collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        rows.into_iter().take(k).map(|(_, row)| row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn the_nearest_rows_are_those_of_an_exhaustive_search() {
        // Coordinates in {0, 1, 2}: ties and copies everywhere; more rows than a block.
        let mut rng = rng::named(5, "nearest rows");
        let mut cloud = |n: usize| {
            let values = (0..3 * n).map(|_| rng::next_below(&mut rng, 3) as f32).collect();
            Matrix::new(3, values).unwrap()
        };
        let (base, queries) = (cloud(60), cloud(20));
        for k in [1, 7, 60, 100] {
            let got = nearest_rows(&base, &queries, k).unwrap();
            for (query, got) in queries.iter_rows().zip(got) {
                let squared = |row: &[f32]| -> f32 {
                    row.iter().zip(query).map(|(a, b)| (a - b).powi(2)).sum()
                };
                let mut all: Vec<(f32, u32)> = base.iter_rows().map(squared).zip(0u32..).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let expected: Vec<u32> = all.iter().take(k).map(|pair| pair.1).collect();
                assert_eq!(got, expected, "k = {k}");
            }
        }
    }

    #[test]
    fn many_rows_of_noise_agree_with_an_exhaustive_search() {
        let mut rng = rng::named(6, "nearest rows");
        let mut cloud = |n: usize| {
            let values = (0..5 * n).map(|_| rng::next_unit(&mut rng) as f32).collect();
            Matrix::new(5, values).unwrap()
        };
        let (base, queries) = (cloud(1300), cloud(600));
        let got = nearest_rows(&base, &queries, 9).unwrap();
        for (query, got) in queries.iter_rows().zip(got) {
            let squared = |row: &[f32]| -> f64 {
                row.iter().zip(query).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
            };
            let mut all: Vec<(f64, u32)> = base.iter_rows().map(squared).zip(0u32..).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let expected: Vec<u32> = all.iter().take(9).map(|pair| pair.1).collect();
            assert_eq!(got, expected);
        }
    }
}
