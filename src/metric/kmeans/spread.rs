//! k-means++: centers drawn far from those before them, for several starts in one pass over the rows.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::points::{Nearest, Points};
use crate::{
    gemm::Panels,
    metric::space::BLOCK,
    rng,
    vector::{least_of_rows, sum_of_weights},
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

/// Draws `wanted` of the distinct rows for each of `rngs`: each next one with a chance in proportion to its
/// squared distance from those chosen before, times its copies. At most as many are wanted as there are.
///
/// `O(n · wanted · d)` a start. The starts go side by side, so that rows come from memory once for all.
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
    for center in 0..wanted {
        for (start, (chosen, rng)) in chosen.iter_mut().zip(rngs.iter_mut()).enumerate() {
            let own = || known.iter().skip(start).step_by(starts);
            let weight = |i: usize| {
                let near = known[i / BLOCK * starts + start].least[i % BLOCK] + points.squares[i];
                copies[i] * if center == 0 { 1.0 } else { f64::from(near.max(0.0)) }
            };
            let pick = drawn(rng::next_unit(rng), own().map(|block| block.weight), weight, n);
            chosen.extend(pick.or_else(|| (0..n).find(|i| !chosen.contains(i))));
        }
        let picks: Vec<usize> = chosen.iter().map(|chosen| chosen[center]).collect();
        let packed =
            Panels::new(starts, points.cols(), |i, row| row.copy_from_slice(points.row(picks[i])));
        known.par_chunks_mut(starts).enumerate().for_each(|(block, known)| {
            let of = of(block);
            let mut products = vec![0.0; starts * of.len()];
            Panels::products(
                (&packed, 0..starts),
                (points.panels(), of.clone()),
                -2.0,
                &mut products,
            );
            let of_starts = known.iter_mut().zip(products.chunks_exact(of.len())).zip(&picks);
            for ((Block { labels, least, weight }, products), &pick) in of_starts {
                least_of_rows(products, &[points.squares[pick]], center as u32, least, labels);
                if of.contains(&pick) {
                    // Exactly where its center is, whatever the products say.
                    least[pick - of.start] = -points.squares[pick];
                }
                *weight = sum_of_weights(least, &points.squares[of.clone()], &copies[of.clone()]);
            }
        });
    }
    let seeded = chosen.into_iter().enumerate().map(|(start, chosen)| {
        let own = known.iter().skip(start).step_by(starts);
        let assigned =
            own.flat_map(|block| block.labels.iter().copied().zip(block.least.iter().copied()));
        Seeded { chosen, assigned: assigned.collect() }
    });
    seeded.collect()
}

/// The item, of `n`, in whose share of all weights the uniform `unit` falls; `None` where nothing weighs
/// anything. `of_blocks` are the weights of [`BLOCK`] items each.
fn drawn(
    unit: f64,
    of_blocks: impl Iterator<Item = f64> + Clone,
    weight: impl Fn(usize) -> f64,
    n: usize,
) -> Option<usize> {
    let mut left = unit * of_blocks.clone().sum::<f64>();
    let mut heavy = None;
    for (at, of_block) in of_blocks.enumerate().filter(|(_, of_block)| *of_block > 0.0) {
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
    use crate::{matrix::Matrix, metric::space::Rows};

    #[test]
    fn an_item_is_drawn_by_its_share_of_the_weights() {
        let mut weights = vec![0.0; 2 * BLOCK + 1];
        (weights[1], weights[BLOCK - 1], weights[2 * BLOCK]) = (1.0, 3.0, 4.0);
        let draw = |unit| {
            let blocks = weights.chunks(BLOCK).map(|block| block.iter().sum());
            drawn(unit, blocks, |i| weights[i], weights.len()).unwrap()
        };
        assert_eq!([0.0, 0.12, 0.126, 0.49].map(draw), [1, 1, BLOCK - 1, BLOCK - 1]);
        assert_eq!([0.5, 0.51, 0.999, 1.0].map(draw), [2 * BLOCK; 4]);
        assert_eq!(drawn(0.5, [0.0, 0.0].into_iter(), |_| 0.0, BLOCK + 1), None);
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
}
