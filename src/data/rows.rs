//! Rows as the arithmetic of measures reads them: in `f64`, some columns at a time.

use rayon::prelude::*;

use super::{
    matrix::{Matrix, split},
    memory,
};

/// Rows of finite numbers, to be read in `f64`.
pub trait ReadRows: Sync {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Number of columns.
    fn cols(&self) -> usize;

    /// Writes the columns of row `i` from `from` on, as many as `out` takes.
    ///
    /// # Panics
    ///
    /// Where there is no such row, or not as many columns.
    fn read(&self, i: usize, from: usize, out: &mut [f64]);
}

impl ReadRows for Matrix {
    fn rows(&self) -> usize {
        self.rows()
    }

    fn cols(&self) -> usize {
        self.cols()
    }

    fn read(&self, i: usize, from: usize, out: &mut [f64]) {
        let at = i * self.cols() + from;
        let values = &self.as_slice()[at..at + out.len()];
        if let Some(rest) = self.remainder() {
            for ((out, &x), &rest) in out.iter_mut().zip(values).zip(&rest[at..]) {
                *out = f64::from(x) + f64::from(rest);
            }
        } else {
            out.iter_mut().zip(values).for_each(|(out, &x)| *out = f64::from(x));
        }
    }
}

/// The mean row of all `parts`, of equal width: sums of 512 rows each, added in their order.
///
/// NaN where there are no rows. `O(n d)`, on all threads, the same for any number of them.
pub(crate) fn mean<R: ReadRows + ?Sized>(parts: &[&R]) -> Vec<f64> {
    const BLOCK: usize = 512;
    let cols = parts.first().map_or(0, |part| part.cols());
    let mut mean = vec![0.0; cols];
    for part in parts {
        let sum_of = |block: usize| {
            memory::keep();
            let (mut sum, mut row) = (vec![0.0; cols], vec![0.0; cols]);
            for i in block * BLOCK..part.rows().min((block + 1) * BLOCK) {
                part.read(i, 0, &mut row);
                sum.iter_mut().zip(&row).for_each(|(sum, x)| *sum += x);
            }
            sum
        };
        let sums: Vec<Vec<f64>> =
            (0..part.rows().div_ceil(BLOCK)).into_par_iter().map(sum_of).collect();
        for sum in sums {
            mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean += sum);
        }
    }
    let rows: usize = parts.iter().map(|part| part.rows()).sum();
    mean.iter_mut().for_each(|sum| *sum /= rows as f64);
    mean
}

/// The rows of a matrix, each divided by its Euclidean length as it is read; rows of zeros as they are.
///
/// Holds one number a row, where [`Matrix::l2_normalized`] makes a copy of twice the size.
#[derive(Clone, Debug)]
pub struct UnitRows<'a> {
    matrix: &'a Matrix,
    lengths: Vec<f64>,
}

impl<'a> UnitRows<'a> {
    /// Measures the rows of `matrix`, on all threads.
    pub fn of(matrix: &'a Matrix) -> Self {
        let length = |i: usize| {
            if i.is_multiple_of(64) {
                memory::keep();
            }
            matrix.row_f64(i).map(|x| x * x).sum::<f64>().sqrt()
        };
        Self { matrix, lengths: (0..matrix.rows()).into_par_iter().map(length).collect() }
    }

    /// How long each row was.
    pub fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// The rows to 48 bits.
    pub fn to_matrix(&self) -> Matrix {
        let (n, d) = (self.matrix.rows(), self.matrix.cols());
        let (mut data, mut remainder) = (vec![0.0; n * d], vec![0.0; n * d]);
        let rows = data.par_chunks_mut(d.max(1)).zip(remainder.par_chunks_mut(d.max(1)));
        rows.enumerate().for_each_init(
            || vec![0.0; d],
            |row, (i, (high, rest))| {
                if i.is_multiple_of(64) {
                    memory::keep();
                }
                self.read(i, 0, row);
                for ((&value, high), rest) in row.iter().zip(high).zip(rest) {
                    (*high, *rest) = split(value);
                }
            },
        );
        Matrix::from_finite(d, data, remainder)
    }
}

impl Matrix {
    /// Each row divided by its Euclidean length, to 48 bits; a row of zeros stays as it is.
    pub fn l2_normalized(&self) -> Self {
        UnitRows::of(self).to_matrix()
    }
}

impl ReadRows for UnitRows<'_> {
    fn rows(&self) -> usize {
        self.matrix.rows()
    }

    fn cols(&self) -> usize {
        self.matrix.cols()
    }

    fn read(&self, i: usize, from: usize, out: &mut [f64]) {
        self.matrix.read(i, from, out);
        let length = self.lengths[i];
        if length > 0.0 {
            let scale = 1.0 / length;
            out.iter_mut().for_each(|x| *x *= scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_all_rows_of_all_parts() {
        let counted = |from: usize, to: usize| {
            let values = (from..to).flat_map(|i| [i as f32, 1.0]).collect();
            Matrix::new(2, values).unwrap()
        };
        let (first, second) = (counted(0, 1300), counted(1300, 1401));
        assert_eq!(mean(&[&first, &second]), [700.0, 1.0]);
    }

    #[test]
    fn a_zero_row_survives_normalization() {
        let m = Matrix::new(2, vec![3.0, 4.0, 0.0, 0.0]).unwrap().l2_normalized();
        assert_eq!(m.as_slice(), [0.6, 0.8, 0.0, 0.0]);
    }

    #[test]
    fn unit_rows_are_read_as_they_are_kept() {
        let matrix = Matrix::new(3, vec![2.0, 3.0, 6.0, 0.0, 0.0, 0.0]).unwrap();
        let rows = UnitRows::of(&matrix);
        assert_eq!(rows.lengths(), [7.0, 0.0]);
        let mut out = [f64::NAN; 2];
        rows.read(0, 1, &mut out);
        assert!((out[0] - 3.0 / 7.0).abs() < 1e-15 && (out[1] - 6.0 / 7.0).abs() < 1e-15);
        let kept = rows.to_matrix();
        kept.read(0, 1, &mut out);
        assert!((out[0] - 3.0 / 7.0).abs() < 1e-15 && (out[1] - 6.0 / 7.0).abs() < 1e-15);
        assert_eq!(kept.row(1), [0.0; 3]);
    }
}
