//! Rows of `f32`: one embedding a row, row-major.

use rayon::prelude::*;

/// Why rows cannot be a [`Matrix`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum MatrixError {
    /// The number of values is no multiple of the number of columns.
    #[error("{values} values do not fill rows of {cols} columns")]
    Ragged { values: usize, cols: usize },
    /// A value is NaN or infinite.
    #[error("row {row}, column {col} holds {value}, which is not a finite number")]
    NotFinite { row: usize, col: usize, value: f32 },
}

/// A dense `rows × cols` matrix of finite `f32`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f32>,
}

impl Matrix {
    /// Takes `data` as rows of `cols` values each.
    ///
    /// # Errors
    ///
    /// [`MatrixError::Ragged`] when the values do not fill whole rows, [`MatrixError::NotFinite`]
    /// for the first NaN or infinity.
    pub fn new(cols: usize, data: Vec<f32>) -> Result<Self, MatrixError> {
        let whole = if cols == 0 { data.is_empty() } else { data.len().is_multiple_of(cols) };
        if !whole {
            return Err(MatrixError::Ragged { values: data.len(), cols });
        }
        if let Some(at) = data.iter().position(|x| !x.is_finite()) {
            return Err(MatrixError::NotFinite { row: at / cols, col: at % cols, value: data[at] });
        }
        Ok(Self { rows: data.len().checked_div(cols).unwrap_or(0), cols, data })
    }

    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// Number of rows, `n`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns, `d`.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// All values, to be changed in place; the caller keeps them finite.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Row `i`, of `cols` values.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// The rows in order.
    pub fn iter_rows(&self) -> impl ExactSizeIterator<Item = &[f32]> + Clone {
        (0..self.rows).map(|i| self.row(i))
    }

    /// The rows named by `indices`, in that order; an index may repeat.
    pub fn select(&self, indices: &[usize]) -> Self {
        let data = indices.iter().flat_map(|&i| self.row(i)).copied().collect();
        Self { rows: indices.len(), cols: self.cols, data }
    }

    /// The rows of `self` followed by those of `below`; both have the same number of columns.
    pub fn stack(&self, below: &Self) -> Self {
        assert_eq!(self.cols, below.cols, "stacked matrices share their columns");
        let data = [self.as_slice(), below.as_slice()].concat();
        Self { rows: self.rows + below.rows, cols: self.cols, data }
    }

    /// Each row divided by its Euclidean length; a row of zeros stays as it is.
    pub fn l2_normalized(&self) -> Self {
        let mut out = self.clone();
        if self.cols > 0 {
            out.data.par_chunks_mut(self.cols).for_each(|row| {
                let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                if length > 0.0 {
                    row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
                }
            });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_is_named_by_row_and_column() {
        let error = Matrix::new(2, vec![0.0, 1.0, f32::NAN, 2.0]).unwrap_err();
        assert_eq!(error.to_string(), "row 1, column 0 holds NaN, which is not a finite number");
    }

    #[test]
    fn values_that_leave_a_row_half_full_are_refused() {
        assert_eq!(
            Matrix::new(2, vec![0.0; 3]).unwrap_err(),
            MatrixError::Ragged { values: 3, cols: 2 }
        );
    }

    #[test]
    fn a_zero_row_survives_normalization() {
        let m = Matrix::new(2, vec![3.0, 4.0, 0.0, 0.0]).unwrap().l2_normalized();
        assert_eq!(m.as_slice(), [0.6, 0.8, 0.0, 0.0]);
    }
}
