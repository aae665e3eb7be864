//! Clouds made ready for distances by matrix products, with bounds on what those get wrong.
//!
//! `‖x − y‖² = ‖x‖² + ‖y‖² − 2⟨x, y⟩` is fast in `f32` and inexact. Rows are shifted by the mean of
//! all (which shortens them and moves no distance) and scaled by a power of two so that nothing
//! overflows; then the error is at most `c (‖x‖² + ‖y‖²)` with `c ≈ d · 2⁻²⁴`, whatever the order of
//! the sum. Products only rule pairs out; a decision closer than that bound is made on the `f64`
//! difference form, in which copies are at distance exactly 0.

use rayon::prelude::*;
use std::{borrow::Cow, ops::Range, sync::OnceLock};

use super::{Clouds, equal_rows::Distinct};
use crate::{
    data::{matrix::Matrix, rows::ReadRows, sides::Sides},
    math::{
        gemm::Panels,
        lanes::{
            add, add_scaled, four_squared_differences, four_squared_differences_f64,
            squared_difference, squared_difference_f64, squared_length, within,
        },
    },
};

/// Rows in a tile of products: 256 × 256 values of f32 are 256 KiB, half of the smallest second-level caches. No value
/// depends on it.
pub(crate) const BLOCK: usize = 256;

/// The distinct rows of one cloud, shifted and scaled.
pub(crate) struct Rows<'a> {
    matrix: &'a Matrix,
    pub(crate) distinct: Distinct,
    packed: OnceLock<Packed>,
    /// The distinct rows in `f64`, one after the other, where they are more than `f32`.
    wide: OnceLock<Option<Vec<f64>>>,
    /// `‖x − y‖²` of the rows as given is `unit` times that of the scaled rows.
    unit: f64,
    shift: Vec<f64>,
}

/// Rows as products need them.
struct Packed {
    panels: Panels,
    /// `‖x‖²` less its share of the error bound, so that `low[i] + low[j] − 2⟨x, y⟩ ≤ ‖x − y‖²`.
    low: Vec<f32>,
    /// Twice the share of the error bound, so that `‖x − y‖²` is at most `slack[i] + slack[j]` above that.
    slack: Vec<f32>,
}

/// Two clouds under one shift and scale.
pub(crate) struct Space<'a>(pub(crate) Sides<Rows<'a>>);

impl<'a> Space<'a> {
    /// Groups equal rows, shifts and scales them.
    pub(crate) fn new(clouds: Clouds<'a>) -> Self {
        let sides = clouds.sides();
        let (shift, scale) = frame(&[sides.reference, sides.model]);
        Self(sides.map(|matrix| Rows::new(matrix, &shift, scale)))
    }

    /// Packs both clouds where they are not yet.
    pub(crate) fn pack(&self) {
        self.0.reference.pack();
        self.0.model.pack();
    }
}

/// The mean of all rows, and the power of two that brings every shifted value below 1.
fn frame(parts: &[&Matrix]) -> (Vec<f64>, f64) {
    /// Rows that are summed before sums are added: the last bits of the mean depend on it.
    const SUMMED: usize = 512;
    let d = parts.iter().map(|m| m.cols()).max().unwrap_or(0);
    // Sums of blocks, added in their order, are the same for any number of threads. They are
    // not those of `rows::mean`, which reads values to 48 bits: products see 24, and where rows were
    // computed the two means differ in their last bits.
    let sum_of = |rows: &[f32]| {
        let mut sum = vec![0.0; d];
        rows.chunks_exact(d).for_each(|row| add_scaled(&mut sum, row, 1.0));
        sum
    };
    let mut shift = vec![0.0; d];
    for part in parts.iter().filter(|part| part.cols() > 0) {
        let sums: Vec<Vec<f64>> = part.as_slice().par_chunks(SUMMED * d).map(sum_of).collect();
        sums.iter().for_each(|sum| add(&mut shift, sum));
    }
    let n: usize = parts.iter().map(|m| m.rows()).sum();
    shift.iter_mut().for_each(|sum| *sum /= n.max(1) as f64);
    let largest = |m: &&Matrix| {
        let of_row = |row: &[f32]| {
            let off = row.iter().zip(&shift).map(|(&x, mean)| (f64::from(x) - mean).abs());
            off.fold(0.0, f64::max)
        };
        m.as_slice().par_chunks(d.max(1)).map(of_row).reduce(|| 0.0, f64::max)
    };
    let largest = parts.iter().map(largest).fold(0.0, f64::max);
    let scale = if largest > 0.0 { (-largest.log2().floor() - 1.0).exp2() } else { 1.0 };
    (shift, scale)
}

impl<'a> Rows<'a> {
    /// One cloud under a shift and scale of its own.
    pub(crate) fn alone(matrix: &'a Matrix) -> Self {
        let (shift, scale) = frame(&[matrix]);
        Self::new(matrix, &shift, scale)
    }

    fn new(matrix: &'a Matrix, shift: &[f64], scale: f64) -> Self {
        let rows = Self {
            matrix,
            distinct: Distinct::rows(matrix),
            packed: OnceLock::new(),
            wide: OnceLock::new(),
            unit: scale.powi(-2),
            shift: shift.to_vec(),
        };
        rows.pack();
        rows
    }

    /// The rows `of` of this cloud as one of its own, which `alone` holds where measures read them; they are packed
    /// when a pass needs it.
    pub(crate) fn part<'b>(&self, of: &[usize], alone: Option<&'b Matrix>) -> Rows<'b>
    where
        'a: 'b,
    {
        let mut distinct = self.distinct.select(of);
        if alone.is_none() {
            distinct.first.iter_mut().for_each(|first| *first = of[*first]);
        }
        Rows {
            matrix: alone.unwrap_or(self.matrix),
            distinct,
            packed: OnceLock::new(),
            wide: OnceLock::new(),
            unit: self.unit,
            shift: self.shift.clone(),
        }
    }

    /// Packs the rows where they are not yet. Threads that share them do so before they share work.
    pub(crate) fn pack(&self) {
        let _ = self.packed();
        let _ = self.widened();
    }

    #[inline]
    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| Packed::of(self))
    }

    fn widened(&self) -> Option<&[f64]> {
        self.wide.get_or_init(|| self.widen()).as_deref()
    }

    fn widen(&self) -> Option<Vec<f64>> {
        self.matrix.remainder()?;
        let d = self.cols();
        let mut wide = vec![0.0; self.len() * d];
        let rows = wide.par_chunks_mut(d.max(1)).zip(&self.distinct.first);
        rows.for_each(|(row, &first)| self.matrix.read(first, 0, row));
        Some(wide)
    }

    /// Another cloud under the shift and scale of this one.
    pub(crate) fn like<'b>(&self, matrix: &'b Matrix) -> Rows<'b> {
        Rows::new(matrix, &self.shift, self.unit.sqrt().recip())
    }

    /// The rows as given.
    pub(crate) fn matrix(&self) -> &'a Matrix {
        self.matrix
    }

    /// Number of columns.
    pub(crate) fn cols(&self) -> usize {
        self.matrix.cols()
    }

    /// The distinct rows, shifted, scaled and packed.
    pub(crate) fn panels(&self) -> &Panels {
        &self.packed().panels
    }

    /// The distinct rows, shifted and scaled, one after the other.
    pub(crate) fn shifted(&self) -> Vec<f32> {
        let (d, panels) = (self.cols(), self.panels());
        let mut values = vec![0.0; self.len() * d];
        values.par_chunks_mut(d.max(1)).enumerate().for_each(|(i, out)| panels.row(i, out));
        values
    }

    /// A shifted and scaled point in the coordinates of the rows as given.
    pub(crate) fn unscaled(&self, point: &[f32]) -> impl Iterator<Item = f64> {
        let scale = self.unit.sqrt();
        point.iter().zip(&self.shift).map(move |(&x, shift)| f64::from(x) * scale + shift)
    }

    /// What a scaled squared distance is multiplied by to become one of the rows as given.
    pub(crate) fn unit(&self) -> f64 {
        self.unit
    }

    /// Number of distinct rows.
    pub(crate) fn len(&self) -> usize {
        self.distinct.len()
    }

    /// The blocks of rows that tiles are made of.
    pub(crate) fn blocks(&self) -> Vec<Range<usize>> {
        let n = self.len();
        (0..n.div_ceil(BLOCK)).map(|b| b * BLOCK..n.min((b + 1) * BLOCK)).collect()
    }

    /// Distinct row `i` in `f64`.
    fn wide(&self, i: usize) -> Cow<'_, [f64]> {
        let d = self.cols();
        match self.widened() {
            Some(wide) => Cow::Borrowed(&wide[i * d..][..d]),
            None => Cow::Owned(self.narrow(i).iter().map(|&x| f64::from(x)).collect()),
        }
    }

    /// Distinct row `i` as it was given, to 24 bits.
    #[inline]
    fn narrow(&self, i: usize) -> &[f32] {
        self.matrix.row(self.distinct.first[i])
    }

    /// `‖x_i − y_j‖²` in the difference form, in `f64` over 8 fixed lanes.
    pub(crate) fn squared_distance(&self, i: usize, other: &Rows, j: usize) -> f64 {
        match (self.matrix.remainder(), other.matrix.remainder()) {
            (None, None) => squared_difference(self.narrow(i), other.narrow(j)),
            _ => squared_difference_f64(&self.wide(i), &other.wide(j)),
        }
    }

    /// [`Self::squared_distance`] of row `i` to each of `rows` of `other`, for `each` in their order.
    pub(crate) fn squared_distances(
        &self,
        i: usize,
        other: &Rows,
        rows: &[u32],
        mut each: impl FnMut(u32, f64),
    ) {
        let d = self.cols();
        let (fours, rest) = rows.as_chunks::<4>();
        match (self.widened(), other.widened()) {
            (None, None) => fours.iter().for_each(|four| {
                let others = four.map(|j| other.narrow(j as usize));
                let squared = four_squared_differences(self.narrow(i), others);
                four.iter().zip(squared).for_each(|(&j, squared)| each(j, squared));
            }),
            (Some(own), Some(others)) => fours.iter().for_each(|four| {
                let others = four.map(|j| &others[j as usize * d..][..d]);
                let squared = four_squared_differences_f64(&own[i * d..][..d], others);
                four.iter().zip(squared).for_each(|(&j, squared)| each(j, squared));
            }),
            _ => fours.as_flattened().iter().for_each(|&j| {
                each(j, self.squared_distance(i, other, j as usize));
            }),
        }
        rest.iter().for_each(|&j| each(j, self.squared_distance(i, other, j as usize)));
    }

    /// A bound from above on the scaled `f32` lower bounds of pairs whose distance² is at most `squared`.
    #[inline]
    pub(crate) fn scaled_up(&self, squared: f64) -> f32 {
        ((squared / self.unit) as f32).next_up()
    }

    /// The least and the most that the distance² of rows `i` and `j` can be, from the tile's bound.
    #[inline]
    pub(crate) fn bounds(&self, i: usize, other: &Rows, j: usize, low: f32) -> (f64, f64) {
        let slack = f64::from(self.packed().slack[i]) + f64::from(other.packed().slack[j]);
        let low = f64::from(low);
        (low * self.unit, (low + slack) * self.unit)
    }

    /// The most that the scaled distance² can be, rounded up.
    #[inline]
    pub(crate) fn high(&self, i: usize, other: &Rows, j: usize, low: f32) -> f32 {
        (low + (self.packed().slack[i] + other.packed().slack[j])).next_up().next_up()
    }

    /// The least that the scaled distance² can be, from the most, rounded down.
    #[inline]
    pub(crate) fn low_of(&self, i: usize, other: &Rows, j: usize, high: f32) -> f32 {
        (high - (self.packed().slack[i] + other.packed().slack[j]))
            .next_down()
            .next_down()
            .next_down()
    }
}

impl Packed {
    fn of(rows: &Rows) -> Self {
        let (d, scale) = (rows.cols(), rows.unit.sqrt().recip());
        let write = |i: usize, out: &mut [f32]| {
            let mut row = vec![0.0; d];
            rows.matrix.read(rows.distinct.first[i], 0, &mut row);
            let shifted = row.iter().zip(&rows.shift).map(|(x, mean)| ((x - mean) * scale) as f32);
            out.iter_mut().zip(shifted).for_each(|(out, x)| *out = x);
        };
        let panels = Panels::new(rows.len(), d, write);
        let norm = |row: &mut Vec<f32>, i: usize| {
            panels.row(i, row);
            squared_length(row)
        };
        let norms: Vec<f64> =
            (0..rows.len()).into_par_iter().map_init(|| vec![0.0; d], norm).collect();
        // Terms of the bound, in units of 2⁻²⁴ (‖x‖² + ‖y‖²): the product's sum of d terms, its partial
        // sums of at least 128 terms each, and a dozen roundings of coordinates, norms and their sum.
        let c = 1.01 * (d as f64 + d as f64 / 128.0 + 20.0) * f64::from(f32::EPSILON) / 2.0;
        let floor = d as f64 * 1e-37;
        let low = norms.iter().map(|norm| (norm * (1.0 - c) - floor) as f32).collect();
        let slack = norms.iter().map(|norm| (norm * 2.1 * c + 3.0 * floor) as f32).collect();
        Self { panels, low, slack }
    }
}

/// What is done with the pairs of a tile that may be near.
pub(crate) trait Visit {
    /// Per row of the one block and of the other: the scaled distance² within which a pair matters.
    fn reach(&self) -> (&[f32], &[f32]);

    /// Row `i` of the one block and row `j` of the other are at least `low` apart, scaled and squared.
    /// Reaches may shrink, never grow.
    fn near(&mut self, i: usize, j: usize, low: f32);
}

/// Products of a block of one cloud with a block of another, and the storage they are kept in.
#[derive(Default)]
pub(crate) struct Tile {
    products: Vec<f32>,
    /// Lower bounds' shares of the rows and of the columns.
    low: (Vec<f32>, Vec<f32>),
    /// Of one row: a bit for each column that may be near.
    near: Vec<u32>,
}

impl Tile {
    /// Computes `⟨x, y⟩` for the rows `of_a` and `of_b`.
    pub(crate) fn multiply(
        &mut self,
        (a, of_a): (&Rows, Range<usize>),
        (b, of_b): (&Rows, Range<usize>),
    ) {
        self.products.resize(of_a.len() * of_b.len(), 0.0);
        Panels::products(
            (a.panels(), of_a.clone()),
            (b.panels(), of_b.clone()),
            1.0,
            &mut self.products,
        );
        self.low = (a.packed().low[of_a].to_vec(), b.packed().low[of_b].to_vec());
    }

    /// Shows `visit` every pair whose lower bound is at most the larger of its two reaches, in row
    /// order.
    pub(crate) fn scan(&mut self, visit: &mut impl Visit) {
        let (low_a, low_b) = (&self.low.0, &self.low.1);
        for (i, (row, &low_a)) in self.products.chunks_exact(low_b.len()).zip(low_a).enumerate() {
            let (reach_a, reach_b) = visit.reach();
            within(row, low_a, low_b, reach_a[i], &reach_b[..low_b.len()], &mut self.near);
            for (c, &bits) in self.near.iter().enumerate() {
                let mut left = bits;
                while left != 0 {
                    let at = 32 * c + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let (reach_a, reach_b) = visit.reach();
                    let low = -2.0 * row[at] + (low_a + low_b[at]);
                    if low <= reach_a[i].max(reach_b[at]) {
                        visit.near(i, at, low);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(rows: usize, cols: usize, size: f32, offset: f32) -> Matrix {
        let mut rng = crate::rng::named(1, "space");
        let mut draw = || (crate::rng::next_unit(&mut rng) as f32 - 0.5) * size + offset;
        Matrix::new(cols, (0..rows * cols).map(|_| draw()).collect()).unwrap()
    }

    struct Everything<'a> {
        a: &'a Rows<'a>,
        b: &'a Rows<'a>,
        reach: Vec<f32>,
        seen: usize,
    }

    impl Visit for Everything<'_> {
        fn reach(&self) -> (&[f32], &[f32]) {
            (&self.reach, &self.reach)
        }

        fn near(&mut self, i: usize, j: usize, low: f32) {
            self.seen += 1;
            let exact = self.a.squared_distance(i, self.b, j);
            let (low, high) = self.a.bounds(i, self.b, j, low);
            assert!(low <= exact && exact <= high, "{low} {exact} {high}");
        }
    }

    #[test]
    fn every_distance_lies_within_its_bounds() {
        for (d, size, offset) in
            [(3, 1.0, 0.0), (1000, 1e-3, 1.0), (40, 1e30, 3e30), (7, 1e-30, 0.0)]
        {
            let sets =
                Sides { reference: noise(40, d, size, offset), model: noise(31, d, size, 0.0) };
            let space = Space::new(Clouds::new(sets.as_ref()).unwrap());
            let Sides { reference: a, model: b } = &space.0;
            let mut all = Everything { a, b, reach: vec![f32::INFINITY; a.len()], seen: 0 };
            let mut tile = Tile::default();
            tile.multiply((a, 0..a.len()), (b, 0..b.len()));
            tile.scan(&mut all);
            assert_eq!(all.seen, a.len() * b.len());
        }
    }
}
