//! Vendi score: the effective number of different rows.

use rayon::prelude::*;

use super::spec::{Better, Family, Null, Parameter, Range, Spec, Truth};
use crate::{
    cloud::MetricError,
    data::{
        matrix::Matrix,
        rows::{ReadRows, UnitRows},
        stop,
    },
    math::{
        eigen,
        gemm::{Gram, Rows},
    },
};

/// [`vendi()`] of order 1, of the model's rows.
pub const VENDI_SCORE: Spec = Spec {
    name: "vendi_score",
    title: "Vendi score",
    family: Family::Diversity,
    range: Range::FromOne,
    better: Better::Neither,
    null: Null::OwnValue,
    truth: &[Truth::Recall, Truth::RecallAccepted],
    cost: "O(m d min(m, d) + min(m, d)³)",
    parameter: None,
};
/// The same of the reference's rows.
pub const VENDI_SCORE_REFERENCE: Spec = Spec {
    name: "vendi_score_reference",
    title: "Vendi score of the reference",
    null: Null::None,
    truth: &[],
    cost: "O(n d min(n, d) + min(n, d)³)",
    ..VENDI_SCORE
};
/// [`vendi()`] of another order, of the model's rows.
pub const VENDI_SCORE_OF_ORDER: Spec = Spec {
    title: "Vendi score of another order",
    truth: &[],
    parameter: Some(Parameter::Order),
    ..VENDI_SCORE
};

/// Vendi scores of `rows` at the given orders: 1 where all rows point one way, `n` where all are
/// orthogonal.
///
/// ```text
/// w = eigenvalues of (cosines of all pairs)/n
/// q = 1: exp(−Σ w ln w);   q = ∞: 1/max w;   otherwise (Σ w^q)^(1/(1−q))
/// ```
///
/// A row of zeros has no direction and is left out.
///
/// # Arguments
///
/// * `orders`: small orders count rare directions, large ones only the common.
///
/// # Errors
///
/// [`MetricError::Eigen`].
///
/// # Cost and sources
///
/// `O(n d min(n, d) + min(n, d)³)`: the `n × n` kernel and the `d × d` sums of products share their
/// eigenvalues other than 0. Friedman & Dieng 2023, arXiv:2210.02410; orders: Pasarkar & Dieng 2023.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::metric::vendi::vendi;
/// // Two rows point one way, one the other: eigenvalues 2/3 and 1/3.
/// let rows = Matrix::new(2, vec![1.0, 0.0, 3.0, 0.0, 0.0, 1.0]).unwrap();
/// let scores = vendi(&rows, &[1.0, 2.0, f64::INFINITY])?;
/// let expected = [3.0 / 2f64.powf(2.0 / 3.0), 1.0 / (4.0 / 9.0 + 1.0 / 9.0), 1.5];
/// assert!(scores.iter().zip(expected).all(|(score, expected)| (score - expected).abs() < 1e-12));
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn vendi(rows: &Matrix, orders: &[f64]) -> Result<Vec<f64>, MetricError> {
    let weights = weights(rows)?;
    let score = |&order: &f64| {
        if order == 1.0 {
            (-weights.iter().map(|w| w * w.ln()).sum::<f64>()).exp()
        } else if order == f64::INFINITY {
            weights.first().map_or(1.0, |largest| 1.0 / largest)
        } else {
            weights.iter().map(|w| w.powf(order)).sum::<f64>().powf(1.0 / (1.0 - order))
        }
    };
    Ok(orders.iter().map(score).collect())
}

/// Eigenvalues above rounding, largest first; they sum to 1.
fn weights(rows: &Matrix) -> Result<Vec<f64>, MetricError> {
    const BLOCK: usize = 512;
    let d = rows.cols();
    let unit = UnitRows::of(rows);
    let n = unit.lengths().iter().filter(|&&length| length > 0.0).count();
    if n == 0 {
        return Ok(vec![1.0]);
    }
    let size = rows.rows().min(d);
    let mut kernel = if size == d {
        let mut gram = Gram::new(d);
        gram.add(rows.rows(), |i, from, values| unit.read(i, from, values));
        gram.lower()
    } else {
        let all = Rows::new(size, d, |i, values| unit.read(i, 0, values));
        let mut kernel = vec![0.0; size * size];
        kernel.par_chunks_mut(BLOCK * size).enumerate().for_each(|(block, out)| {
            stop::check();
            let read = |i: usize, values: &mut [f64]| unit.read(block * BLOCK + i, 0, values);
            Rows::new(out.len() / size, d, read).products(&all, 1.0, out);
        });
        kernel
    };
    kernel.iter_mut().for_each(|x| *x /= n as f64);
    let values = eigen::values(&kernel, size)?;
    let noise = size as f64 * f64::EPSILON * values[0];
    Ok(values.into_iter().filter(|&value| value > noise).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(rows: usize, cols: usize, at: impl Fn(usize) -> usize, orders: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; rows * cols];
        (0..rows).for_each(|i| values[i * cols + at(i)] = 1.0 + i as f32);
        vendi(&Matrix::new(cols, values).unwrap(), orders).unwrap()
    }

    #[test]
    fn orthogonal_rows_count_one_each_by_either_route() {
        let orders = [0.5, 1.0, 2.0, f64::INFINITY];
        for score in
            score(4, 9, |i| 2 * i, &orders).into_iter().chain(score(12, 4, |i| i % 4, &orders))
        {
            assert!((score - 4.0).abs() < 1e-9, "{score}");
        }
        assert!((score(7, 3, |_| 1, &[1.0])[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn rows_without_direction_are_left_out() {
        let zeros = Matrix::zeros(3, 2);
        assert_eq!(vendi(&zeros, &[1.0, 2.0]).unwrap(), [1.0, 1.0]);
        let mixed = zeros.stack(&Matrix::new(2, vec![1.0, 0.0, 0.0, 1.0]).unwrap());
        assert!((vendi(&mixed, &[1.0]).unwrap()[0] - 2.0).abs() < 1e-12);
    }
}
