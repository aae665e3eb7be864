//! k-means++: centers drawn far from those before them.
//!
//! Distances are brought up to date for many centers in one product, and in between draws are exact by
//! rejection: a row is drawn by what its distance was and taken with the chance of what it is now to what it
//! was. Rows are thus read from memory a sixteenth as often as centers are chosen, for all starts together.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{
    BLOCK,
    points::{Nearest, Points, twice_negative},
};
use crate::{
    math::{
        gemm::Panels,
        lanes::{least_of_rows, squared_difference, sum_of_weights},
    },
    rng,
};

/// What a start begins with.
pub(super) struct Seeded {
    /// The distinct rows that are its centers.
    pub(super) chosen: Vec<usize>,
    /// Per distinct row: its center, the first on ties; empty where that is not known yet.
    pub(super) assigned: Vec<Nearest>,
}

/// A block of rows and what one start knows of them.
struct Block {
    /// Per row: the nearest center so far, and the squared distance to it less the row's own square.
    labels: Vec<u32>,
    least: Vec<f32>,
    /// Sum of the rows' weights.
    weight: f64,
}

/// Most centers of a start between two passes over the rows, and most draws.
const ROUND: (usize, usize) = (16, 32);

/// Draws `wanted` of the distinct rows for each of `rngs`: each next one with a chance in proportion to its
/// squared distance from those chosen before, times its copies. At most as many are wanted as there are.
///
/// `O(n · wanted · d)` a start, in products.
pub(super) fn spread(points: &Points, wanted: usize, rngs: &mut [ChaCha8Rng]) -> Vec<Seeded> {
    let (n, starts) = (points.len(), rngs.len());
    let copies: Vec<f64> = (0..n).map(|i| points.copies(i)).collect();
    let of = |block: usize| block * BLOCK..n.min((block + 1) * BLOCK);
    let first = |block: usize| {
        let (rows, weight) = (of(block).len(), copies[of(block)].iter().sum());
        Block { labels: vec![0; rows], least: vec![f32::INFINITY; rows], weight }
    };
    // Block by block, in each the starts.
    let blocks = n.div_ceil(BLOCK);
    let mut known: Vec<Block> =
        (0..blocks).flat_map(|block| (0..starts).map(move |_| block)).map(first).collect();
    let mut chosen = vec![Vec::with_capacity(wanted); starts];
    while chosen.iter().any(|chosen| chosen.len() < wanted) {
        let drawing = chosen.par_iter().zip(&mut *rngs).enumerate();
        let next = drawing.map(|(start, (chosen, rng))| {
            let weights = Weights { points, copies: &copies, known: &known, start, starts };
            weights.draw(chosen, wanted, rng)
        });
        let next: Vec<Vec<usize>> = next.collect();
        let picks: Vec<usize> = next.concat();
        let packed = twice_negative(picks.len(), points.cols(), |i| points.row(picks[i]));
        let norms: Vec<f32> = picks.iter().map(|&pick| points.squares[pick]).collect();
        let room = || vec![0.0; picks.len() * BLOCK];
        known.par_chunks_mut(starts).enumerate().for_each_init(room, |products, (block, known)| {
            crate::data::stop::check();
            let of = of(block);
            let products = &mut products[..picks.len() * of.len()];
            let all = (&packed, 0..picks.len());
            Panels::products(all, (points.panels(), of.clone()), 1.0, products);
            let (mut products, mut norms) = (&*products, norms.as_slice());
            for ((known, next), chosen) in known.iter_mut().zip(&next).zip(&chosen) {
                let (own, own_norms);
                (own, products) = products.split_at(next.len() * of.len());
                (own_norms, norms) = norms.split_at(next.len());
                let Block { labels, least, weight } = known;
                least_of_rows(own, own_norms, chosen.len() as u32, least, labels);
                for (label, &pick) in (chosen.len() as u32..).zip(next) {
                    if of.contains(&pick) {
                        // Exactly where its center is, whatever the products say.
                        let at = pick - of.start;
                        (labels[at], least[at]) = (label, -points.squares[pick]);
                    }
                }
                *weight = sum_of_weights(least, &points.squares[of.clone()], &copies[of.clone()]);
            }
        });
        chosen.iter_mut().zip(next).for_each(|(chosen, next)| chosen.extend(next));
    }
    let seeded = chosen.into_iter().enumerate().map(|(start, chosen)| {
        let own = known.iter().skip(start).step_by(starts);
        let nearest = |block: &Block| {
            block.labels.iter().copied().zip(block.least.iter().copied()).collect::<Vec<_>>()
        };
        Seeded { chosen, assigned: own.flat_map(nearest).collect() }
    });
    seeded.collect()
}

/// What the rows weigh in one start, as of the last pass.
struct Weights<'a> {
    points: &'a Points<'a>,
    copies: &'a [f64],
    known: &'a [Block],
    start: usize,
    starts: usize,
}

impl Weights<'_> {
    /// The next centers after `chosen`: at least one, and at most what is wanted in all.
    fn draw(&self, chosen: &[usize], wanted: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut next = Vec::new();
        if chosen.len() == wanted {
            return next;
        }
        let of_blocks: Vec<f64> =
            self.known.iter().skip(self.start).step_by(self.starts).map(|b| b.weight).collect();
        // Before there are centers, distances say nothing.
        let (most, draws) = if chosen.is_empty() { (1, 1) } else { ROUND };
        let most = most.min(wanted - chosen.len());
        for _ in 0..draws {
            let weight =
                |i: usize| self.copies[i] * if chosen.is_empty() { 1.0 } else { self.squared(i) };
            match drawn(rng::next_unit(rng), &of_blocks, weight, self.points.len()) {
                Some(pick) => {
                    let row = |i: usize| self.points.row(i);
                    let now = next.iter().map(|&other| squared_difference(row(pick), row(other)));
                    let (was, now) = (self.squared(pick), now.fold(f64::INFINITY, f64::min));
                    // A row that is as far as it was is taken.
                    if now >= was || rng::next_unit(rng) * was < now {
                        next.push(pick);
                    }
                }
                // Whatever is left lies where a center is.
                None => next.extend(
                    (0..self.points.len()).find(|i| !chosen.contains(i) && !next.contains(i)),
                ),
            }
            if next.len() == most {
                break;
            }
        }
        next
    }

    /// The squared distance of row `i` from the nearest center, scaled; infinite where there is none.
    fn squared(&self, i: usize) -> f64 {
        let least = self.known[i / BLOCK * self.starts + self.start].least[i % BLOCK];
        f64::from((least + self.points.squares[i]).max(0.0))
    }
}

/// The item, of `n`, in whose share of all weights the uniform `unit` falls; `None` where nothing weighs
/// anything. `of_blocks` are the weights of [`BLOCK`] items each.
fn drawn(unit: f64, of_blocks: &[f64], weight: impl Fn(usize) -> f64, n: usize) -> Option<usize> {
    let mut left = unit * of_blocks.iter().sum::<f64>();
    let mut heavy = None;
    for (at, &of_block) in of_blocks.iter().enumerate().filter(|(_, of_block)| **of_block > 0.0) {
        heavy = Some(at);
        if left < of_block {
            break;
        }
        left -= of_block;
    }
    let items = heavy.map_or(0..0, |at| at * BLOCK..n.min((at + 1) * BLOCK));
    let within = items.clone().find(|&i| {
        left -= weight(i);
        left < 0.0
    });
    within.or_else(|| items.rev().find(|&i| weight(i) > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::space::Rows, data::matrix::Matrix};

    #[test]
    fn an_item_is_drawn_by_its_share_of_the_weights() {
        let mut weights = vec![0.0; 2 * BLOCK + 1];
        (weights[1], weights[BLOCK - 1], weights[2 * BLOCK]) = (1.0, 3.0, 4.0);
        let draw = |unit| {
            let blocks: Vec<f64> = weights.chunks(BLOCK).map(|block| block.iter().sum()).collect();
            drawn(unit, &blocks, |i| weights[i], weights.len()).unwrap()
        };
        assert_eq!([0.0, 0.12, 0.126, 0.49].map(draw), [1, 1, BLOCK - 1, BLOCK - 1]);
        assert_eq!([0.5, 0.51, 0.999, 1.0].map(draw), [2 * BLOCK; 4]);
        assert_eq!(drawn(0.5, &[0.0, 0.0], |_| 0.0, BLOCK + 1), None);
    }

    #[test]
    fn rows_know_the_nearest_of_the_centers_of_every_start() {
        let mut rng = rng::named(2, "spread rows");
        let values = (0..3 * (BLOCK + 70)).map(|_| rng::next_unit(&mut rng) as f32).collect();
        let matrix = Matrix::new(3, values).unwrap();
        let rows = Rows::alone(&matrix);
        let points = Points::new(&rows);
        let mut rngs = [0, 1, 2].map(|seed| rng::named(seed, "spread"));
        let together = spread(&points, 20, &mut rngs);
        for (seed, seeded) in together.iter().enumerate() {
            let alone = &spread(&points, 20, &mut [rng::named(seed as u64, "spread")])[0];
            assert_eq!((&alone.chosen, &alone.assigned), (&seeded.chosen, &seeded.assigned));
            for (i, &(label, value)) in seeded.assigned.iter().enumerate() {
                let squared = |&center: &usize| rows.squared_distance(i, &rows, center);
                let least = seeded.chosen.iter().map(squared).fold(f64::INFINITY, f64::min);
                let own = squared(&seeded.chosen[label as usize]);
                assert!((own - least).abs() < 1e-6, "row {i}: {own}, {least}");
                let scaled = f64::from(value + points.squares[i]) * rows.unit();
                assert!((scaled - own).abs() < 1e-5, "row {i}: {scaled}, {own}");
            }
        }
        assert_ne!(together[0].chosen, together[1].chosen);
    }

    #[test]
    fn no_row_is_chosen_twice_even_where_all_are_wanted() {
        let matrix = Matrix::new(1, (0..90).map(|i| (i / 2) as f32).collect()).unwrap();
        let rows = Rows::alone(&matrix);
        let points = Points::new(&rows);
        let mut chosen = spread(&points, 45, &mut [rng::named(0, "spread")]).remove(0).chosen;
        chosen.sort_unstable();
        assert!(chosen.into_iter().eq(0..45));
    }

    #[test] // the definition: each sequence of three by the product of its chances
    fn sequences_come_as_often_as_squared_distances_say() {
        let at = [0.0f64, 1.0, 3.0, 7.0];
        let matrix = Matrix::new(1, at.iter().map(|&x| x as f32).collect()).unwrap();
        let rows = Rows::alone(&matrix);
        let draws = 20_000;
        let mut rngs: Vec<_> = (0..draws).map(|seed| rng::named(seed, "sequences")).collect();
        let mut counts = std::collections::BTreeMap::new();
        for seeded in spread(&Points::new(&rows), 3, &mut rngs) {
            *counts.entry(seeded.chosen).or_insert(0u32) += 1;
        }
        let squared = |i: usize, chosen: &[usize]| {
            let to = chosen.iter().map(|&j| (at[i] - at[j]).powi(2));
            to.fold(f64::INFINITY, f64::min)
        };
        let chance = |sequence: &[usize]| {
            let next = |k: usize| {
                let all: f64 = (0..4).map(|i| squared(i, &sequence[..k])).sum();
                squared(sequence[k], &sequence[..k]) / all
            };
            next(1) * next(2) / 4.0
        };
        let chi2 = counts.iter().map(|(sequence, &count)| {
            let expected = draws as f64 * chance(sequence);
            (f64::from(count) - expected).powi(2) / expected
        });
        // 24 sequences: 23 degrees of freedom, 99.99 % below 56.
        let chi2: f64 = chi2.sum();
        assert!(counts.len() == 24 && chi2 < 56.0, "{} sequences, chi² {chi2}", counts.len());
    }
}
