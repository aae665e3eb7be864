//! Eigen-decomposition of real symmetric matrices, in one place: `faer`, its work always cut in two, so
//! that no value depends on the number of threads.

use faer::{
    Mat, MatRef, Par,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch},
};

/// The decomposition did not converge, or does not give the matrix back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the eigenvalues of a {n} × {n} matrix were not found to working precision")]
pub struct NoEigenvalues {
    /// Rows and columns.
    pub n: usize,
}

/// Eigenvalues in descending order, with their vectors.
#[derive(Clone, Debug)]
pub(crate) struct Eigen {
    /// `λ_0 ≥ λ_1 ≥ …`.
    pub(crate) values: Vec<f64>,
    /// Vector `i` takes `n` values from `i n`, of length 1; empty where only values were asked for.
    pub(crate) vectors: Vec<f64>,
}

/// Decomposes the symmetric `n × n` matrix whose lower triangle (row-major) is in `matrix`.
///
/// # Errors
///
/// [`NoEigenvalues`], also when the decomposition fails its check on one vector.
///
/// # Cost
///
/// `O(n³)`; values alone take about a third of the time.
pub(crate) fn symmetric(
    matrix: &[f64],
    n: usize,
    with_vectors: bool,
) -> Result<Eigen, NoEigenvalues> {
    if n == 0 {
        return Ok(Eigen { values: Vec::new(), vectors: Vec::new() });
    }
    let lower = MatRef::from_row_major_slice(matrix, n, n);
    let mut values = Diag::<f64>::zeros(n);
    let mut vectors = with_vectors.then(|| Mat::<f64>::zeros(n, n));
    let wanted = if with_vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let two = Par::rayon(2);
    let scratch = self_adjoint_evd_scratch::<f64>(n, wanted, two, Default::default());
    let failed = NoEigenvalues { n };
    self_adjoint_evd(
        lower,
        values.as_mut(),
        vectors.as_mut().map(|v| v.as_mut()),
        two,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| failed)?;
    let ascending = values.column_vector();
    let eigen = Eigen {
        values: (0..n).rev().map(|i| ascending[i]).collect(),
        vectors: vectors.map_or_else(Vec::new, |v| {
            (0..n).rev().flat_map(|i| (0..n).map(move |row| (row, i))).map(|at| v[at]).collect()
        }),
    };
    if eigen.reproduces(matrix, n) { Ok(eigen) } else { Err(failed) }
}

impl Eigen {
    /// Whether `A z = V Λ Vᵀ z` for one `z` that no structure of `A` knows about.
    fn reproduces(&self, matrix: &[f64], n: usize) -> bool {
        let size = self.values.iter().fold(0.0f64, |size, value| size.max(value.abs()));
        if self.vectors.is_empty() || !size.is_finite() {
            return size.is_finite();
        }
        let z: Vec<f64> =
            (0..n).map(|i| ((i as f64 + 1.0) * 0.618_033_988_75).fract() - 0.5).collect();
        let mut error = vec![0.0; n];
        for i in 0..n {
            for j in 0..i {
                error[i] += matrix[i * n + j] * z[j];
                error[j] += matrix[i * n + j] * z[i];
            }
            error[i] += matrix[i * n + i] * z[i];
        }
        for (value, vector) in self.values.iter().zip(self.vectors.chunks_exact(n)) {
            let along: f64 = vector.iter().zip(&z).map(|(v, z)| v * z).sum();
            error.iter_mut().zip(vector).for_each(|(error, v)| *error -= value * along * v);
        }
        let error = error.iter().map(|x| x * x).sum::<f64>().sqrt();
        error <= 1e-10 * size * (n as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_matrix_has_its_known_values_largest_first() {
        // [[2, 1], [1, 2]] has 3 along (1, 1) and 1 along (1, −1); the upper triangle is not read.
        let eigen = symmetric(&[2.0, f64::NAN, 1.0, 2.0], 2, true).unwrap();
        assert!((eigen.values[0] - 3.0).abs() < 1e-14 && (eigen.values[1] - 1.0).abs() < 1e-14);
        assert!((eigen.vectors[0] - eigen.vectors[1]).abs() < 1e-14, "{:?}", eigen.vectors);
        assert!(symmetric(&[2.0, 0.0, 1.0, 2.0], 2, false).unwrap().vectors.is_empty());
        assert!(symmetric(&[], 0, true).unwrap().values.is_empty());
    }

    #[test]
    fn a_matrix_with_a_nan_is_an_error() {
        assert_eq!(symmetric(&[f64::NAN], 1, true).unwrap_err(), NoEigenvalues { n: 1 });
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let n = 500;
        let mut rng = crate::rng::named(4, "eigen");
        let rows: Vec<f64> = (0..n * n).map(|_| crate::rng::next_unit(&mut rng) - 0.5).collect();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let eigen = pool.install(|| symmetric(&rows, n, true)).unwrap();
            (eigen.values, eigen.vectors)
        };
        let alone = with_threads(1);
        assert!([2, 5].into_iter().all(|threads| with_threads(threads) == alone));
    }
}
