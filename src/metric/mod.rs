//! Measures: pure functions over two clouds of rows, over histograms, or over token ids.

pub mod alpha;
pub mod authenticity;
pub mod calibrate;
pub mod clipped;
pub mod cover;
pub mod curve;
pub mod distinct;
pub mod divergence;
pub mod envelope;
pub mod evidence;
pub mod frechet;
pub mod frontier;
pub mod histogram;
pub mod inception;
pub mod kernel;
pub mod kmeans;
pub mod likelihood;
mod moments;
pub mod neighbors;
pub mod ngram;
pub mod nn_accuracy;
pub mod nulls;
mod pass;
pub mod permutation;
pub mod prdc;
mod prepared;
pub mod probabilistic;
pub mod ratio;
pub mod realism;
pub mod record;
pub mod rejection;
pub mod repetition;
pub mod score;
pub mod self_bleu;
pub mod selftest;
pub mod sliced;
mod space;
pub mod spec;
pub mod support;
pub mod topological;
pub mod vendi;
mod warning_code;
pub mod warnings;
pub mod zipf;

use crate::{
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
    #[error("k = {k} needs 1 ≤ k < n, and the {side} set has n = {n} rows")]
    NoKthNeighbor { side: Side, n: usize, k: usize },
    /// No clusters, or more than rows.
    #[error("{clusters} clusters were asked for; {n} rows have 1 to {n}")]
    Clusters { clusters: usize, n: usize },
    /// A decomposition failed.
    #[error(transparent)]
    Eigen(#[from] crate::math::eigen::NoEigenvalues),
    /// A computed point is beyond the range of `f32`.
    #[error(transparent)]
    Matrix(#[from] crate::matrix::MatrixError),
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
