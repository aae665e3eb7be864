//! Fréchet distance: the 2-Wasserstein distance between two Gaussians.

use super::spec::{Better, Family, Null, Range, Spec, Truth};
use crate::{
    cloud::{Clouds, MetricError, moments::Moments},
    data::sides::{Side, Sides},
    math::{eigen, gemm::rows_by_rows_f64},
};

/// [`Frechet::distance`].
pub const FRECHET_DISTANCE: Spec = Spec {
    name: "frechet_distance",
    title: "Fréchet distance",
    family: Family::Moments,
    range: Range::Positive,
    better: Better::Lower,
    null: Null::COUNTS,
    truth: &[Truth::Distance],
    cost: "O((n + m) d² + d³)",
    parameter: None,
};
/// [`Frechet::null_bias`].
pub const FRECHET_NULL: Spec = Spec {
    name: "frechet_null",
    title: "Fréchet distance by chance",
    better: Better::Neither,
    null: Null::None,
    truth: &[],
    ..FRECHET_DISTANCE
};

/// A Fréchet distance and its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frechet {
    /// `‖μ − μ̂‖² + tr Σ + tr Σ̂ − 2 tr (Σ^½ Σ̂ Σ^½)^½`, at least 0.
    pub distance: f64,
    /// `‖μ − μ̂‖²`.
    pub mean_term: f64,
    /// Traces of the covariances.
    pub traces: Sides<f64>,
    /// What two samples of these sizes from one Gaussian with `P`'s covariance have on average.
    pub null_bias: f64,
}

/// Fréchet distance of `Q` to `P`; lower is better, and it falls as texts get longer.
///
/// ```text
/// FD  = ‖μ − μ̂‖² + tr(Σ + Σ̂ − 2 (Σ^½ Σ̂ Σ^½)^½)
/// FD₀ ≈ (1/n + 1/m) [Σ_i λ_i + ½ Σ_ij λ_i λ_j (1 + δ_ij)/(λ_i + λ_j)],  λ eigenvalues of Σ
/// ```
///
/// Covariances divide by `n − 1` and `m − 1`; they may be singular.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] for a cloud of one row, [`MetricError::Eigen`].
///
/// # Cost and sources
///
/// `O((n + m) d² + d³)`. Heusel et al. 2017, arXiv:1706.08500; Dowson & Landau 1982.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::frechet::frechet;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 2.0]), model: line(&[2.0, 6.0]) };
/// let scores = frechet(Clouds::new(sets.as_ref())?)?;
/// assert_eq!(scores.mean_term, 9.0); // means 1 and 4
/// assert!((scores.distance - 11.0).abs() < 1e-12); // variances 2 and 8: 9 + 2 + 8 − 2 √(2 · 8)
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn frechet(clouds: Clouds<'_>) -> Result<Frechet, MetricError> {
    let sides = clouds.sides();
    for side in [Side::Reference, Side::Model] {
        let n = sides.get(side).rows();
        if n < 2 {
            return Err(MetricError::NoKthNeighbor { side, n, k: 1 });
        }
    }
    let Sides { reference: p, model: q } = sides.map(Moments::of);
    let d = clouds.dim();
    // Below this an eigenvalue is the rounding of 0, and its root would be far from 0.
    let rank = |values: &[f64]| {
        let noise = d as f64 * f64::EPSILON * values[0].max(0.0);
        values.partition_point(|&value| value > noise)
    };
    // Vectors are needed where Σ is singular alone.
    let needed = |values: &[f64]| if rank(values) == d { 0 } else { rank(values) };
    let own = eigen::leading(&p.covariance, d, needed)?;
    let values = &own.values[..rank(&own.values)];
    let null_bias = null_bias(values, sides.map(|rows| rows.rows()));

    // B = R Σ̂ Rᵀ has the eigenvalues of Σ^½ Σ̂ Σ^½ where RᵀR = Σ: R is Lᵀ of Σ = L Lᵀ, or Λ^½ Vᵀ.
    let count = values.len();
    let factor = (count == d).then(|| eigen::cholesky(&p.covariance, d)).flatten();
    let root = match factor {
        Some(root) => root,
        None => {
            let own = if count == d { eigen::leading(&p.covariance, d, |_| d)? } else { own };
            let mut root = own.vectors;
            for (axis, value) in root.chunks_exact_mut(d).zip(&own.values) {
                axis.iter_mut().for_each(|x| *x *= value.sqrt());
            }
            root
        }
    };
    let mut half = vec![0.0; count * d];
    let mut inner = vec![0.0; count * count];
    if count > 0 {
        rows_by_rows_f64(&root, &q.covariance, d, 1.0, &mut half);
        rows_by_rows_f64(&half, &root, d, 1.0, &mut inner);
    }
    let values = eigen::values(&inner, count)?;
    let noise = values.first().map_or(0.0, |&top| d as f64 * f64::EPSILON * top.max(0.0));
    let tr_sqrt: f64 =
        values.iter().filter(|&&value| value > noise).map(|value| value.sqrt()).sum();

    let mean_term: f64 = p.mean.iter().zip(&q.mean).map(|(a, b)| (a - b).powi(2)).sum();
    let traces = Sides { reference: p.trace(), model: q.trace() };
    let distance = mean_term + traces.reference + traces.model - 2.0 * tr_sqrt;
    Ok(Frechet { distance: distance.max(0.0), mean_term, traces, null_bias })
}

/// `FD₀` for covariance eigenvalues `values` and these sizes.
fn null_bias(values: &[f64], sizes: Sides<usize>) -> f64 {
    let rate = 1.0 / sizes.reference as f64 + 1.0 / sizes.model as f64;
    let pairs = values.iter().enumerate().map(|(i, a)| {
        let off: f64 = values[..i].iter().map(|b| a * b / (a + b)).sum();
        2.0 * off + a
    });
    rate * (values.iter().sum::<f64>() + 0.5 * pairs.sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::matrix::Matrix;

    #[test] // closed form: two intervals of one shape, 3 apart, one twice as wide
    fn on_a_line_it_is_the_difference_of_means_and_of_deviations() {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let sets = Sides { reference: line(&[-1.0, 0.0, 1.0]), model: line(&[1.0, 3.0, 5.0]) };
        let fd = frechet(Clouds::new(sets.as_ref()).unwrap()).unwrap();
        assert!((fd.distance - (9.0 + 1.0)).abs() < 1e-12, "{fd:?}");
        // d = 1: (1/n + 1/m) (λ + λ/2).
        assert!((fd.null_bias - 2.0 / 3.0 * 1.5).abs() < 1e-12, "{fd:?}");
    }

    #[test]
    fn constant_clouds_are_apart_by_their_means() {
        let point = |x: f32| Matrix::new(2, vec![x; 6]).unwrap();
        let sets = Sides { reference: point(0.0), model: point(2.0) };
        let fd = frechet(Clouds::new(sets.as_ref()).unwrap()).unwrap();
        assert_eq!((fd.distance, fd.null_bias), (8.0, 0.0));
    }
}
