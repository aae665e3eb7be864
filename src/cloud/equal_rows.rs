//! Equal rows as one row with a multiplicity.

use rayon::prelude::*;
use std::collections::HashMap;

use crate::data::{matrix::Matrix, memory};

/// The distinct rows of a matrix, in order of first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    /// The first row of the matrix that equals each distinct row.
    pub first: Vec<usize>,
    /// How many rows of the matrix equal each distinct row.
    pub copies: Vec<u32>,
    /// The distinct row that each row of the matrix equals.
    pub of: Vec<u32>,
}

impl Distinct {
    /// Groups the rows of `matrix` by equality of all their values (`−0` equals `0`).
    pub fn rows(matrix: &Matrix) -> Self {
        let mut groups: HashMap<u64, Vec<u32>> = HashMap::with_capacity(matrix.rows());
        let mut distinct = Self { first: Vec::new(), copies: Vec::new(), of: Vec::new() };
        let hashes: Vec<u64> =
            (0..matrix.rows()).into_par_iter().map(|i| hash(matrix, i)).collect();
        for (i, hash) in hashes.into_iter().enumerate() {
            let group = groups.entry(hash).or_default();
            let known =
                group.iter().copied().find(|&g| equal(matrix, distinct.first[g as usize], i));
            let g = known.unwrap_or_else(|| {
                let g = distinct.first.len() as u32;
                distinct.first.push(i);
                distinct.copies.push(0);
                group.push(g);
                g
            });
            distinct.copies[g as usize] += 1;
            distinct.of.push(g);
        }
        distinct
    }

    /// Some of the grouped rows as a matrix of their own.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        const NONE: u32 = u32::MAX;
        let mut known = vec![NONE; self.len()];
        let mut distinct = Self { first: Vec::new(), copies: Vec::new(), of: Vec::new() };
        for (i, &row) in rows.iter().enumerate() {
            let g = &mut known[self.of[row] as usize];
            if *g == NONE {
                *g = distinct.first.len() as u32;
                distinct.first.push(i);
                distinct.copies.push(0);
            }
            distinct.copies[*g as usize] += 1;
            distinct.of.push(*g);
        }
        distinct
    }

    /// Number of distinct rows.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// What each row of the matrix has, from what each distinct row has.
    pub fn spread<T: Copy>(&self, per_distinct: &[T]) -> Vec<T> {
        self.of.iter().map(|&g| per_distinct[g as usize]).collect()
    }
}

fn parts(matrix: &Matrix, i: usize) -> [&[f32]; 2] {
    let d = matrix.cols();
    [matrix.row(i), matrix.remainder().map_or(&[], |rest| &rest[i * d..(i + 1) * d])]
}

/// A multiplicative hash in four lanes; collisions are resolved by comparison.
fn hash(matrix: &Matrix, i: usize) -> u64 {
    if i.is_multiple_of(64) {
        memory::keep();
    }
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut lanes = [1u64, 2, 3, 4];
    for part in parts(matrix, i) {
        for four in part.chunks(4) {
            for (lane, &x) in lanes.iter_mut().zip(four) {
                // Adding 0 turns −0 into 0.
                *lane = (*lane ^ u64::from((x + 0.0).to_bits())).wrapping_mul(ODD).rotate_left(29);
            }
        }
    }
    lanes.iter().fold(0, |sum, &lane| (sum ^ lane).wrapping_mul(ODD).rotate_left(31))
}

fn equal(matrix: &Matrix, i: usize, j: usize) -> bool {
    parts(matrix, i) == parts(matrix, j)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_counted_where_they_first_appear() {
        let values = vec![1.0, 2.0, 0.0, -0.0, 1.0, 2.0, -0.0, 0.0, 2.0, 1.0];
        let distinct = Distinct::rows(&Matrix::new(2, values).unwrap());
        assert_eq!(distinct.first, [0, 1, 4]);
        assert_eq!(distinct.copies, [2, 2, 1]);
        assert_eq!(distinct.of, [0, 1, 0, 1, 2]);
        assert_eq!(distinct.spread(&['a', 'b', 'c']), ['a', 'b', 'a', 'b', 'c']);
        let part = distinct.select(&[1, 3, 4, 0]);
        assert_eq!((part.first, part.copies), (vec![0, 2, 3], vec![2, 1, 1]));
        assert_eq!(part.of, [0, 0, 1, 2]);
    }
}
