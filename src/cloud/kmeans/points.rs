//! Distinct rows ready to be held against centers.

use rayon::prelude::*;
use std::ops::Range;

use super::BLOCK;
use crate::{
    cloud::space::Rows,
    math::{
        gemm::Panels,
        lanes::{least_of_rows, lower_bounds, squared_difference, squared_length},
    },
};

/// A center's index, and the scaled squared distance to it less the row's own square.
pub(super) type Nearest = (u32, f32);

/// The distinct rows of a cloud, one after the other.
pub(super) struct Points<'a> {
    rows: &'a Rows<'a>,
    values: Vec<f32>,
    /// `‖x‖²` of each row, shifted and scaled.
    pub(super) squares: Vec<f32>,
    /// `‖x‖²` less its part of what rounding may add to a squared distance.
    lows: Vec<f32>,
    /// What rounding may add to a squared distance or take from it, as a share of both squares: `2⟨c, x⟩` is at most
    /// their sum, and each of `d` additions rounds.
    pub(super) share: f32,
}

/// Centers, shifted and scaled as the rows are, one after the other.
pub(super) struct Centers<'a> {
    values: &'a [f32],
    cols: usize,
    /// `‖c‖²` of each.
    pub(super) norms: Vec<f32>,
}

impl<'a> Centers<'a> {
    pub(super) fn new(values: &'a [f32], cols: usize) -> Self {
        Self { values, cols, norms: values.par_chunks(cols).map(square).collect() }
    }

    pub(super) fn row(&self, c: usize) -> &'a [f32] {
        &self.values[c * self.cols..][..self.cols]
    }
}

/// Centers whose products with a block of rows are taken at a time, whole panels of them.
const CENTERS: usize = 128;

/// What a bound is multiplied by: more than its own rounding, and that of what centers went, takes from it.
pub(super) const SHRINK: f32 = 1.0 - 1.0 / (1 << 16) as f32;

/// Rows packed for products that are `−2⟨c, x⟩` at once: a power of two rounds nothing.
pub(super) fn twice_negative<'c>(
    rows: usize,
    d: usize,
    row: impl Fn(usize) -> &'c [f32] + Sync,
) -> Panels {
    Panels::new(rows, d, |i, out| out.iter_mut().zip(row(i)).for_each(|(out, &x)| *out = -2.0 * x))
}

/// `‖x‖²`.
fn square(row: &[f32]) -> f32 {
    squared_length(row) as f32
}

impl<'a> Points<'a> {
    pub(super) fn new(rows: &'a Rows<'a>) -> Self {
        let values = rows.shifted();
        let squares: Vec<f32> = values.par_chunks(rows.cols()).map(square).collect();
        let share = (rows.cols() + 16) as f32 * 2.0f32.powi(-24);
        let lows = squares.iter().map(|square| square * (1.0 - share)).collect();
        Self { rows, values, squares, lows, share }
    }

    /// Number of distinct rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Number of columns.
    pub(super) fn cols(&self) -> usize {
        self.rows.cols()
    }

    /// Row `i`, shifted and scaled.
    pub(super) fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.cols()..(i + 1) * self.cols()]
    }

    /// Bounds of the rows from `first` on and one center, from products `−2⟨c, x⟩`.
    fn bounds(&self, products: &[f32], norm: f32, first: usize, lower: &mut [f32]) {
        let lows = &self.lows[first..][..lower.len()];
        lower_bounds(products, norm * (1.0 - self.share), lows, 0.0, SHRINK, lower);
    }

    /// What rounding may have done to a squared distance between row `i` and a center of `norm`.
    pub(super) fn slack(&self, norm: f32, i: usize) -> f32 {
        self.share * (norm + self.squares[i])
    }

    /// How often row `i` stands in the cloud.
    pub(super) fn copies(&self, i: usize) -> f64 {
        f64::from(self.rows.distinct.copies[i])
    }

    /// All rows, packed.
    pub(super) fn panels(&self) -> &Panels {
        self.rows.panels()
    }

    /// The nearest of `centers` to each of the rows `which`; the lower index on ties. As many blocks of them as there is room
    /// for leave bounds of their distances in `lower`, in each block center after center.
    pub(super) fn nearest(
        &self,
        which: Range<usize>,
        centers: &Centers,
        lower: &mut [f32],
    ) -> Vec<Nearest> {
        let (n, norms) = (which.len(), &centers.norms);
        if n == 0 {
            return Vec::new();
        }
        let packed = twice_negative(norms.len(), self.cols(), |c| centers.row(c));
        let mut nearest = (vec![u32::MAX; n], vec![f32::INFINITY; n]);
        let mut kept: Vec<&mut [f32]> = lower.chunks_mut(norms.len() * BLOCK).collect();
        kept.resize_with(n.div_ceil(BLOCK), Default::default);
        let blocks = nearest.0.par_chunks_mut(BLOCK).zip(nearest.1.par_chunks_mut(BLOCK));
        let room = || vec![0.0; norms.len().min(CENTERS) * BLOCK.min(n)];
        let blocks = blocks.zip(kept).enumerate();
        blocks.for_each_init(room, |products, (block, ((labels, least), kept))| {
            let first = which.start + block * BLOCK;
            let of = first..first + least.len();
            crate::data::stop::check();
            // Products of some centers at a time stay in the second-level cache.
            for from in (0..norms.len()).step_by(CENTERS) {
                let some = from..norms.len().min(from + CENTERS);
                let products = &mut products[..some.len() * of.len()];
                let rows = (self.panels(), of.clone());
                Panels::products((&packed, some.clone()), rows, 1.0, products);
                least_of_rows(products, &norms[some.clone()], from as u32, least, labels);
                let kept = kept.chunks_exact_mut(of.len()).skip(from);
                for ((products, kept), c) in products.chunks_exact(of.len()).zip(kept).zip(some) {
                    self.bounds(products, norms[c], first, kept);
                }
            }
        });
        nearest.0.into_iter().zip(nearest.1).collect()
    }

    /// Sum of squared distances in `f64`, in row order, in units of the rows as given.
    pub(super) fn inertia(&self, labels: &[u32], centers: &[f32]) -> f64 {
        let d = self.cols();
        let squared: Vec<f64> = labels
            .par_iter()
            .enumerate()
            .map(|(i, &label)| squared_difference(self.row(i), &centers[label as usize * d..][..d]))
            .collect();
        let total = squared.iter().enumerate().map(|(i, squared)| squared * self.copies(i));
        total.sum::<f64>() * self.rows.unit()
    }
}
