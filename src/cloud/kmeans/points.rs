//! Distinct rows ready to be held against centers.

use rayon::prelude::*;

use super::BLOCK;
use crate::{
    cloud::space::Rows,
    math::{
        gemm::Panels,
        lanes::{least_of_rows, squared_difference, squared_length},
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
}

/// Centers whose products with a block of rows are taken at a time, whole panels of them.
const CENTERS: usize = 128;

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
        let squares = values.par_chunks(rows.cols()).map(square).collect();
        Self { rows, values, squares }
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

    /// How often row `i` stands in the cloud.
    pub(super) fn copies(&self, i: usize) -> f64 {
        f64::from(self.rows.distinct.copies[i])
    }

    /// All rows, packed.
    pub(super) fn panels(&self) -> &Panels {
        self.rows.panels()
    }

    /// The nearest of `centers` to each of the rows `which`, or to every row; the lower index on ties, and
    /// `u32::MAX` where there are no centers.
    pub(super) fn nearest(&self, which: Option<&[u32]>, centers: &[f32]) -> Vec<Nearest> {
        let d = self.cols();
        let norms: Vec<f32> = centers.par_chunks(d).map(square).collect();
        let packed = twice_negative(norms.len(), d, |i| &centers[i * d..][..d]);
        let chosen = which.map(|which| {
            Panels::new(which.len(), d, |i, row| row.copy_from_slice(self.row(which[i] as usize)))
        });
        let rows = chosen.as_ref().unwrap_or_else(|| self.panels());
        let mut nearest = (vec![u32::MAX; rows.rows()], vec![f32::INFINITY; rows.rows()]);
        let blocks = nearest.0.par_chunks_mut(BLOCK).zip(nearest.1.par_chunks_mut(BLOCK));
        let room = || vec![0.0; norms.len().min(CENTERS) * BLOCK.min(rows.rows())];
        blocks.enumerate().for_each_init(room, |products, (block, (labels, least))| {
            let of = block * BLOCK..block * BLOCK + least.len();
            crate::data::stop::check();
            // Products of some centers at a time stay in the second-level cache.
            for from in (0..norms.len()).step_by(CENTERS) {
                let some = from..norms.len().min(from + CENTERS);
                let products = &mut products[..some.len() * of.len()];
                Panels::products((&packed, some.clone()), (rows, of.clone()), 1.0, products);
                least_of_rows(products, &norms[some], from as u32, least, labels);
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
