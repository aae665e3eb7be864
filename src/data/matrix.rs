//! Rows of `f32`: one embedding a row, row-major.

pub use super::memory::Held;
use super::{memory, signature::content};

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
///
/// Rows that were computed in `f64` (normalized, projected) also keep what rounding to `f32` took
/// away, so that [`Matrix::row_f64`] gives them back to 48 bits. Rows from files have no remainder.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Values,
    /// `value − f32(value)` for each of `data`; empty when all are 0.
    remainder: Vec<f32>,
}

/// Values between two looks at the limit of memory.
const BLOCK: usize = 1 << 18;

/// Values, row after row.
#[derive(Clone)]
enum Values {
    Own(Vec<f32>),
    Held(Held),
}

impl std::ops::Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Own(values) => values,
            Self::Held(values) => (**values).as_ref(),
        }
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl Matrix {
    /// Takes `data` as rows of `cols` values each.
    ///
    /// # Errors
    ///
    /// [`MatrixError::Ragged`] when the values do not fill whole rows, [`MatrixError::NotFinite`]
    /// for the first NaN or infinity.
    pub fn new(cols: usize, data: Vec<f32>) -> Result<Self, MatrixError> {
        Self::of(cols, Values::Own(data))
    }

    /// Takes values that somebody else holds, without a copy of them.
    ///
    /// # Errors
    ///
    /// Those of [`Matrix::new`].
    pub fn held(cols: usize, data: Held) -> Result<Self, MatrixError> {
        Self::of(cols, Values::Held(data))
    }

    fn of(cols: usize, data: Values) -> Result<Self, MatrixError> {
        let whole = if cols == 0 { data.is_empty() } else { data.len().is_multiple_of(cols) };
        if !whole {
            return Err(MatrixError::Ragged { values: data.len(), cols });
        }
        let mut blocks = data.chunks(BLOCK).enumerate();
        let not_finite = blocks.find_map(|(block, values)| {
            memory::keep();
            Some(block * BLOCK + values.iter().position(|x| !x.is_finite())?)
        });
        if let Some(at) = not_finite {
            return Err(MatrixError::NotFinite { row: at / cols, col: at % cols, value: data[at] });
        }
        let rows = data.len().checked_div(cols).unwrap_or(0);
        Ok(Self { rows, cols, data, remainder: Vec::new() })
    }

    /// Takes `values` as rows of `cols` values each, to 48 bits.
    ///
    /// # Errors
    ///
    /// Those of [`Matrix::new`]; a value beyond the range of `f32` counts as infinite.
    pub fn from_f64(cols: usize, values: &[f64]) -> Result<Self, MatrixError> {
        let (data, remainder) = values.iter().map(|&value| split(value)).unzip();
        Self::from_parts(cols, data, remainder)
    }

    /// Takes values that [`split`] has split.
    pub(crate) fn from_parts(
        cols: usize,
        data: Vec<f32>,
        remainder: Vec<f32>,
    ) -> Result<Self, MatrixError> {
        Ok(Self { remainder, ..Self::new(cols, data)? }.without_empty_remainder())
    }

    /// Takes finite values that [`split`] has split, whole rows of them.
    pub(crate) fn from_finite(cols: usize, data: Vec<f32>, remainder: Vec<f32>) -> Self {
        let rows = data.len().checked_div(cols).unwrap_or(0);
        Self { rows, cols, data: Values::Own(data), remainder }.without_empty_remainder()
    }

    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: Values::Own(vec![0.0; rows * cols]), remainder: Vec::new() }
    }

    fn without_empty_remainder(mut self) -> Self {
        if self.remainder.iter().all(|&x| x == 0.0) {
            self.remainder = Vec::new();
        }
        self
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

    /// All values, to be changed in place; the caller keeps them finite. Remainders are dropped.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        self.remainder = Vec::new();
        if let Values::Held(held) = &self.data {
            self.data = Values::Own((**held).as_ref().to_vec());
        }
        match &mut self.data {
            Values::Own(values) => values,
            Values::Held(_) => unreachable!("made its own above"),
        }
    }

    /// What stands for these rows in a signature: a hash of their width and values.
    pub fn content(&self) -> String {
        let width = (self.cols as u64).to_le_bytes().to_vec();
        let rows = [self.as_slice(), &self.remainder].into_iter().flat_map(|values| {
            let bytes = |row: &[f32]| row.iter().flat_map(|value| value.to_le_bytes()).collect();
            values.chunks(self.cols.max(1)).map(bytes)
        });
        content(std::iter::once(width).chain(rows))
    }

    /// What rounding to `f32` took from each value, where anything was kept.
    pub fn remainder(&self) -> Option<&[f32]> {
        (!self.remainder.is_empty()).then_some(&self.remainder)
    }

    /// Row `i` to 48 bits: its values with their remainders.
    pub fn row_f64(&self, i: usize) -> impl ExactSizeIterator<Item = f64> + '_ {
        let from = i * self.cols;
        let rest = move |j| self.remainder.get(from + j).map_or(0.0, |&x| f64::from(x));
        self.row(i).iter().enumerate().map(move |(j, &x)| f64::from(x) + rest(j))
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
        let pick = |from: &[f32]| -> Vec<f32> {
            let mut data = Vec::with_capacity(indices.len() * self.cols);
            for (at, &i) in indices.iter().enumerate() {
                if at.is_multiple_of(4) {
                    memory::keep();
                }
                data.extend_from_slice(&from[i * self.cols..(i + 1) * self.cols]);
            }
            data
        };
        let remainder = self.remainder().map_or_else(Vec::new, pick);
        Self {
            rows: indices.len(),
            cols: self.cols,
            data: Values::Own(pick(&self.data)),
            remainder,
        }
    }

    /// The rows of `self` followed by those of `below`; both have the same number of columns.
    pub fn stack(&self, below: &Self) -> Self {
        assert_eq!(self.cols, below.cols, "stacked matrices share their columns");
        let mut data = Vec::with_capacity(self.data.len() + below.data.len());
        for values in
            [self.as_slice(), below.as_slice()].into_iter().flat_map(|of| of.chunks(BLOCK))
        {
            memory::keep();
            data.extend_from_slice(values);
        }
        let mut remainder = Vec::new();
        if !(self.remainder.is_empty() && below.remainder.is_empty()) {
            remainder.extend_from_slice(&self.remainder);
            remainder.resize(self.data.len(), 0.0);
            remainder.extend_from_slice(&below.remainder);
            remainder.resize(data.len(), 0.0);
        }
        Self { rows: self.rows + below.rows, cols: self.cols, data: Values::Own(data), remainder }
    }
}

/// A value as an `f32`, and what rounding to it took as another.
pub(crate) fn split(value: f64) -> (f32, f32) {
    let high = value as f32;
    (high, (value - f64::from(high)) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_nan_is_named_by_row_and_column() {
        let error = Matrix::new(2, vec![0.0, 1.0, f32::NAN, 2.0]).unwrap_err();
        assert_eq!(error.to_string(), "row 1, column 0 holds NaN, which is not a finite number");
    }

    #[test]
    fn held_values_are_read_where_they_are_and_copied_before_a_change() {
        let held: Held = Arc::new(vec![1.0f32, 2.0, 3.0, 4.0]);
        let mut matrix = Matrix::held(2, held.clone()).unwrap();
        assert!(std::ptr::eq(matrix.as_slice(), (*held).as_ref()));
        assert_eq!(matrix, Matrix::new(2, vec![1.0, 2.0, 3.0, 4.0]).unwrap());
        matrix.as_mut_slice()[0] = 9.0;
        assert_eq!((matrix.row(0)[0], (*held).as_ref()[0]), (9.0, 1.0));
        let nan: Held = Arc::new([0.0, f32::NAN]);
        assert!(Matrix::held(2, nan).is_err());
    }

    #[test]
    fn values_that_leave_a_row_half_full_are_refused() {
        assert_eq!(
            Matrix::new(2, vec![0.0; 3]).unwrap_err(),
            MatrixError::Ragged { values: 3, cols: 2 }
        );
    }

    #[test]
    fn computed_rows_keep_48_bits_through_selection_and_stacking() {
        let thirds = Matrix::from_f64(1, &[1.0 / 3.0, 2.0]).unwrap();
        let plain = Matrix::new(1, vec![0.25]).unwrap();
        let m = plain.stack(&thirds).select(&[2, 1, 0]);
        let values: Vec<f64> = (0..3).flat_map(|i| m.row_f64(i)).collect();
        assert!((values[1] - 1.0 / 3.0).abs() < 1e-15, "{values:?}");
        assert_eq!((values[0], values[2]), (2.0, 0.25));
        assert_eq!(plain.stack(&plain).remainder(), None);
    }
}
