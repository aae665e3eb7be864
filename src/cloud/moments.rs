//! Means and covariances in `f64`.

use crate::{
    data::{
        matrix::Matrix,
        rows::{ReadRows, mean},
    },
    math::gemm::Gram,
};

/// Mean and covariance (divided by `n − 1`) of a cloud.
pub(crate) struct Moments {
    pub(crate) mean: Vec<f64>,
    /// `d × d`, both triangles.
    pub(crate) covariance: Vec<f64>,
}

impl Moments {
    /// Sums in blocks of rows, in order; the covariance of a single row is 0.
    pub(crate) fn of(rows: &Matrix) -> Self {
        let mean = mean(&[rows]);
        let mut covariance = squares(rows, |x, j| x - mean[j]);
        let degrees = rows.rows().saturating_sub(1).max(1) as f64;
        covariance.iter_mut().for_each(|sum| *sum /= degrees);
        Self { mean, covariance }
    }

    /// Sum of the variances.
    pub(crate) fn trace(&self) -> f64 {
        let d = self.mean.len();
        (0..d).map(|j| self.covariance[j * d + j]).sum()
    }
}

/// `Zᵀ Z` for rows `z_j = f(x_j, j)`, both triangles.
pub(crate) fn squares(rows: &Matrix, f: impl Fn(f64, usize) -> f64 + Sync) -> Vec<f64> {
    let d = rows.cols();
    let mut gram = Gram::new(d);
    gram.add(rows.rows(), |i, from, values| {
        rows.read(i, from, values);
        (from..).zip(values).for_each(|(j, x)| *x = f(*x, j));
    });
    let mut sums = gram.lower();
    for i in 0..d {
        for j in 0..i {
            sums[j * d + i] = sums[i * d + j];
        }
    }
    sums
}
