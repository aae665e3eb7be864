//! Two clouds as rows that can be drawn from.

use std::borrow::Cow;

use super::family::Rows;
use crate::{
    cloud::{Clouds, MetricError},
    data::{matrix::Matrix, sides::Sides},
};

/// Two clouds, or some of their rows.
pub(super) struct CloudRows<'a>(Sides<Cow<'a, Matrix>>);

impl<'a> CloudRows<'a> {
    /// All rows.
    pub fn of(clouds: Clouds<'a>) -> Self {
        Self(clouds.sides().map(Cow::Borrowed))
    }

    /// The clouds.
    ///
    /// # Errors
    ///
    /// [`MetricError::Empty`] where no row of a side was taken.
    pub fn clouds(&self) -> Result<Clouds<'_>, MetricError> {
        Clouds::new(self.0.as_ref().map(Cow::as_ref))
    }

    /// `rows` as [`Rows::select`] counts them.
    fn pick(&self, rows: &[usize]) -> Matrix {
        let Sides { reference, model } = &self.0;
        let n = reference.rows();
        let (first, second) = rows.split_at(rows.partition_point(|&row| row < n));
        let second: Vec<usize> = second.iter().map(|row| row - n).collect();
        match (first.is_empty(), second.is_empty()) {
            (_, true) => reference.select(first),
            (true, false) => model.select(&second),
            (false, false) => reference.select(first).stack(&model.select(&second)),
        }
    }

    /// Rows of each side, both counted from 0.
    pub fn select_sides(&self, rows: &Sides<Vec<usize>>) -> Self {
        let Sides { reference, model } = &self.0;
        Self(Sides {
            reference: Cow::Owned(reference.select(&rows.reference)),
            model: Cow::Owned(model.select(&rows.model)),
        })
    }
}

impl Rows for CloudRows<'_> {
    fn sizes(&self) -> Sides<usize> {
        self.0.as_ref().map(|rows| rows.rows())
    }

    fn dim(&self) -> usize {
        self.0.reference.cols()
    }

    fn select(&self, rows: &Sides<Vec<usize>>) -> Self {
        Self(rows.as_ref().map(|rows| Cow::Owned(self.pick(rows))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_from_the_side_that_they_are_of() {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let (p, q) = (line(&[0.0, 1.0, 2.0]), line(&[10.0, 11.0]));
        let rows = CloudRows::of(Clouds::new(Sides { reference: &p, model: &q }).unwrap());
        let part = rows.select(&Sides { reference: vec![0, 2], model: vec![4] });
        assert_eq!(part.0.reference.as_slice(), [0.0, 2.0]);
        assert_eq!(part.0.model.as_slice(), [11.0]);
        let mixed = rows.select(&Sides { reference: vec![1, 3], model: vec![0] });
        assert_eq!(mixed.0.reference.as_slice(), [1.0, 10.0]);
        assert_eq!(mixed.0.model.as_slice(), [0.0]);
    }
}
