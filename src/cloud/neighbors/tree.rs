//! Neighbors by a k-d tree.

use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use std::num::NonZeroUsize;

use super::{Near, nearest_of, wanted};
use crate::cloud::space::Rows;

/// Per distinct row: the neighbors up to rank `k`; `None` where products are quicker, as measured in
/// `docs/decisions.md`.
pub(super) fn lists(rows: &Rows, k: usize) -> Option<Vec<Vec<Near>>> {
    match rows.cols() {
        1 => search::<1>(rows, k),
        2 => search::<2>(rows, k),
        3 => search::<3>(rows, k),
        4 => search::<4>(rows, k),
        5 => search::<5>(rows, k),
        _ => None,
    }
}

/// The tree finds how far the `k`-th neighbor is, then everything about as far; what belongs into the
/// list, and in which order, is decided on the distances that all measures use.
fn search<const D: usize>(rows: &Rows, k: usize) -> Option<Vec<Vec<Near>>> {
    /// More than the rounding of a sum of `D` squares, in any order.
    const ROOM: f64 = 1.0 + 1e-12;
    let (matrix, distinct) = (rows.matrix(), &rows.distinct);
    let point = |&i: &usize| {
        let mut point = [0.0; D];
        point.iter_mut().zip(matrix.row_f64(i)).for_each(|(out, x)| *out = x);
        point
    };
    let points: Vec<[f64; D]> = distinct.first.iter().map(point).collect();
    let tree = ImmutableKdTree::<f64, D>::new_from_slice(&points).ok()?;
    let of_row = |(i, &own): (usize, &u32)| {
        let wanted = wanted(k, own);
        // The row finds itself, too.
        let Some(count) = NonZeroUsize::new(wanted + 1).filter(|_| wanted > 0) else {
            return Vec::new();
        };
        let query = || tree.query(&points[i]);
        let nearest = query().nearest_n::<SquaredEuclidean<f64>>(count).execute();
        let reach = nearest.iter().map(|near| near.distance).fold(0.0, f64::max) * ROOM;
        let found = query().within::<SquaredEuclidean<f64>>(reach).unsorted().execute();
        let others = found.iter().map(|near| near.item).filter(|&row| row as usize != i);
        let near = |row: u32| Near { squared: rows.squared_distance(i, rows, row as usize), row };
        nearest_of(others.map(near).collect(), wanted, &distinct.copies)
    };
    Some(distinct.copies.par_iter().enumerate().map(of_row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::neighbors::Neighbors, data::matrix::Matrix, rng};

    fn check<const D: usize>(levels: usize, k: usize) {
        let mut rng = rng::named(levels as u64, "tree");
        let values = (0..700 * D).map(|_| rng::next_below(&mut rng, levels) as f32 / 3.0).collect();
        let matrix = Matrix::new(D, values).unwrap();
        let rows = Rows::alone(&matrix);
        let (tree, products) = (search::<D>(&rows, k).unwrap(), Neighbors::by_products(&rows, k));
        assert_eq!(tree.len(), products.len());
        for (i, (tree, products)) in tree.iter().zip(&products).enumerate() {
            assert_eq!(tree, products, "row {i} of {D} columns, {levels} levels, k = {k}");
        }
    }

    #[test] // few levels make copies and ties common
    fn a_tree_finds_the_neighbors_that_products_find() {
        for (levels, k) in [(4, 1), (4, 6), (40, 4), (1 << 20, 1), (1 << 20, 9)] {
            check::<1>(levels, k);
            check::<2>(levels, k);
            check::<3>(levels, k);
            check::<5>(levels, k);
        }
    }
}
