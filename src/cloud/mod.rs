//! Two clouds of rows, made ready for measuring: spaces, passes over pairs, neighbors, components, clusters.

pub(crate) mod distances;
pub mod equal_rows;
pub mod kmeans;
pub(crate) mod moments;
pub(crate) mod nearby;
pub mod neighbors;
pub(crate) mod pass;
pub mod pca;
pub(crate) mod prepared;
pub(crate) mod space;

use crate::data::{
    matrix::Matrix,
    sides::{Side, Sides},
};

/// Why two point clouds cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum MetricError {
    /// A set has no rows.
    #[error("the {side} set is empty")]
    Empty { side: Side },
    /// The two sets live in different spaces.
    #[error(
        "reference rows have {reference} dimensions and model rows {model}; both must come from one embedder"
    )]
    Dimensions { reference: usize, model: usize },
    /// No row of a set has a `k`-th other row.
    #[error("k = {k} needs 1 ≤ k < n, and the {side} set has n = {n} {}", if *n == 1 { "row" } else { "rows" })]
    NoKthNeighbor { side: Side, n: usize, k: usize },
    /// No clusters, or more than rows.
    #[error("{clusters} clusters were asked for; {n} rows have 1 to {n}")]
    Clusters { clusters: usize, n: usize },
    /// A decomposition failed.
    #[error(transparent)]
    Eigen(#[from] crate::math::eigen::NoEigenvalues),
    /// A computed point is beyond the range of `f32`.
    #[error(transparent)]
    Matrix(#[from] crate::data::matrix::MatrixError),
}

/// `P` and `Q` in one space: neither is empty and both have the same number of columns.
#[derive(Clone, Copy, Debug)]
pub struct Clouds<'a>(Sides<&'a Matrix>);

impl<'a> Clouds<'a> {
    /// Checks that the two sets can be compared.
    ///
    /// # Errors
    ///
    /// [`MetricError::Empty`], [`MetricError::Dimensions`].
    pub fn new(sets: Sides<&'a Matrix>) -> Result<Self, MetricError> {
        for side in [Side::Reference, Side::Model] {
            if sets.get(side).rows() == 0 {
                return Err(MetricError::Empty { side });
            }
        }
        let Sides { reference, model } = sets.map(Matrix::cols);
        if reference != model {
            return Err(MetricError::Dimensions { reference, model });
        }
        Ok(Self(sets))
    }

    /// The two sets.
    pub fn sides(&self) -> Sides<&'a Matrix> {
        self.0
    }

    /// `P`, `n × d`.
    pub fn reference(&self) -> &'a Matrix {
        self.0.reference
    }

    /// `Q`, `m × d`.
    pub fn model(&self) -> &'a Matrix {
        self.0.model
    }

    /// Number of columns, `d`.
    pub fn dim(&self) -> usize {
        self.0.reference.cols()
    }
}
