//! Distinct rows ready to be held against centers.

use rayon::prelude::*;

use crate::{
    gemm::Panels,
    metric::space::{BLOCK, Rows},
    vector::{least_of_rows, squared_difference},
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

/// `‖x‖²`.
fn square(row: &[f32]) -> f32 {
    row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() as f32
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
        let packed = Panels::of(centers, d);
        let chosen = which.map(|which| {
            Panels::new(which.len(), d, |i, row| row.copy_from_slice(self.row(which[i] as usize)))
        });
        let rows = chosen.as_ref().unwrap_or_else(|| self.panels());
        let of_block = |block: usize| {
            let of = block * BLOCK..rows.rows().min((block + 1) * BLOCK);
            let mut products = vec![0.0; norms.len() * of.len()];
            let mut least = vec![f32::INFINITY; of.len()];
            let mut labels = vec![u32::MAX; of.len()];
            Panels::products((&packed, 0..norms.len()), (rows, of), -2.0, &mut products);
            least_of_rows(&products, &norms, 0, &mut least, &mut labels);
            labels.into_iter().zip(least)
        };
        (0..rows.rows().div_ceil(BLOCK)).into_par_iter().flat_map_iter(of_block).collect()
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
