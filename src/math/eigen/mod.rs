//! Eigen-decomposition of real symmetric matrices, in one place: `faer`, its work always cut in two, so
//! that no value depends on the number of threads.

mod tridiagonal;

use faer::{
    Accum, Conj, Mat, MatMut, MatRef, Par,
    diag::{Diag, DiagRef},
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        cholesky::llt::factor::{LltRegularization, cholesky_in_place, cholesky_in_place_scratch},
        evd::{
            ComputeEigenvectors, self_adjoint_evd_scratch,
            tridiag::{tridiag_in_place, tridiag_in_place_scratch},
            tridiagonal_self_adjoint_evd,
        },
        householder::{
            apply_block_householder_sequence_on_the_left_in_place_scratch,
            apply_block_householder_sequence_on_the_left_in_place_with_conj,
        },
        matmul::matmul,
        qr::no_pivoting::factor::recommended_block_size,
    },
};

use tridiagonal::Tridiagonal;

/// The decomposition did not converge, or does not give the matrix back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the eigenvalues of a {n} × {n} matrix were not found to working precision")]
pub struct NoEigenvalues {
    /// Rows and columns.
    pub n: usize,
}

/// Eigenvalues in descending order, with the vectors of the largest.
#[derive(Clone, Debug)]
pub(crate) struct Eigen {
    /// `λ_0 ≥ λ_1 ≥ …`, all `n`.
    pub(crate) values: Vec<f64>,
    /// Vector `i` takes `n` values from `i n`, of length 1; as many as were asked for.
    pub(crate) vectors: Vec<f64>,
}

/// Eigenvalues, in descending order, of the symmetric `n × n` matrix whose lower triangle (row-major) is in
/// `matrix`.
///
/// # Errors
///
/// [`NoEigenvalues`], also when the values fail their check.
///
/// # Cost
///
/// `O(n³)`.
pub(crate) fn values(matrix: &[f64], n: usize) -> Result<Vec<f64>, NoEigenvalues> {
    if n == 0 {
        return Ok(Vec::new());
    }
    checked_values(&Reduced::of(matrix, n), matrix)
}

/// The eigenvalues as [`values`], and the vectors of the first `wanted(values)` of them.
///
/// # Errors
///
/// [`NoEigenvalues`], also when values or vectors fail their check.
///
/// # Cost
///
/// `O(n³)`: beside the values `O(n²)` for each vector where at most half are wanted and their values differ,
/// else as much again.
pub(crate) fn leading(
    matrix: &[f64],
    n: usize,
    wanted: impl FnOnce(&[f64]) -> usize,
) -> Result<Eigen, NoEigenvalues> {
    if n == 0 {
        return Ok(Eigen { values: Vec::new(), vectors: Vec::new() });
    }
    let reduced = Reduced::of(matrix, n);
    let values = checked_values(&reduced, matrix)?;
    let wanted = wanted(&values).min(n);
    let mut basis = match few(&reduced.tridiagonal, &values[..wanted]) {
        Some(basis) => basis,
        None => {
            let ascending = all_vectors(&reduced.tridiagonal)?;
            ascending.as_ref().reverse_cols().subcols(0, wanted).to_owned()
        }
    };
    reduced.back(basis.as_mut());
    let vectors = basis.col_iter().flat_map(|vector| vector.iter()).copied().collect();
    let eigen = Eigen { values, vectors };
    if eigen.holds(matrix) { Ok(eigen) } else { Err(NoEigenvalues { n }) }
}

/// Work is always cut for two threads.
fn two() -> Par {
    Par::rayon(2)
}

/// A matrix `Q T Qᵀ`.
struct Reduced {
    tridiagonal: Tridiagonal,
    /// The reflections whose product is `Q`, below the diagonal.
    reflections: Mat<f64>,
    /// What the library needs to apply some of them at a time.
    factors: Mat<f64>,
}

impl Reduced {
    /// Reduces a matrix of at least one row.
    fn of(matrix: &[f64], n: usize) -> Self {
        let mut reflections = Mat::<f64>::zeros(n, n);
        reflections.copy_from_triangular_lower(MatRef::from_row_major_slice(matrix, n, n));
        let mut factors = Mat::<f64>::zeros(recommended_block_size::<f64>(n, n), n - 1);
        let scratch = tridiag_in_place_scratch::<f64>(n, two(), Default::default());
        tridiag_in_place(
            reflections.as_mut(),
            factors.as_mut(),
            two(),
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        let diagonal = (0..n).map(|i| reflections[(i, i)]).collect();
        let below = (1..n).map(|i| reflections[(i, i - 1)]).collect();
        Self { tridiagonal: Tridiagonal { diagonal, below }, reflections, factors }
    }

    /// Vectors of `T`, in columns, become those of the matrix.
    fn back(&self, vectors: MatMut<'_, f64>) {
        let n = self.reflections.nrows();
        let (block, columns) = (self.factors.nrows(), vectors.ncols());
        let scratch = apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
            n - 1,
            block,
            columns,
        );
        apply_block_householder_sequence_on_the_left_in_place_with_conj(
            self.reflections.as_ref().submatrix(1, 0, n - 1, n - 1),
            self.factors.as_ref(),
            Conj::No,
            vectors.subrows_mut(1, n - 1),
            two(),
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
    }
}

/// The eigenvalues, the largest first, where they add up to what the matrix has.
fn checked_values(reduced: &Reduced, matrix: &[f64]) -> Result<Vec<f64>, NoEigenvalues> {
    let n = reduced.tridiagonal.diagonal.len();
    let values = reduced.tridiagonal.values().ok_or(NoEigenvalues { n })?;
    let (mut trace, mut squares) = (0.0, 0.0);
    for (i, row) in matrix.chunks_exact(n).enumerate() {
        trace += row[i];
        squares += 2.0 * row[..i].iter().map(|x| x * x).sum::<f64>() + row[i] * row[i];
    }
    let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let off = (values.iter().sum::<f64>() - trace).abs();
    let squares_off = (values.iter().map(|value| value * value).sum::<f64>() - squares).abs();
    // A NaN is within no bound.
    let bound = 1e-10 * largest * n as f64;
    let right = off <= bound && squares_off <= bound * largest;
    if right { Ok(values) } else { Err(NoEigenvalues { n }) }
}

/// Eigenvectors in columns, that of the least value first.
fn all_vectors(matrix: &Tridiagonal) -> Result<Mat<f64>, NoEigenvalues> {
    let n = matrix.diagonal.len();
    let mut below = matrix.below.clone();
    below.push(0.0);
    let mut ascending = Diag::<f64>::zeros(n);
    let mut basis = Mat::<f64>::zeros(n, n);
    let wanted = ComputeEigenvectors::Yes;
    let scratch = self_adjoint_evd_scratch::<f64>(n, wanted, two(), Default::default());
    tridiagonal_self_adjoint_evd(
        DiagRef::from_slice(&matrix.diagonal),
        DiagRef::from_slice(&below),
        ascending.as_mut(),
        Some(basis.as_mut()),
        two(),
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| NoEigenvalues { n })?;
    Ok(basis)
}

/// `L` with `A = L Lᵀ` for the symmetric matrix whose lower triangle (row-major) is in `matrix`, as `Lᵀ` row by row; `None`
/// where rounding leaves no positive pivot.
///
/// # Cost
///
/// `n³/3` multiply-adds.
pub(crate) fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut factor = Mat::<f64>::zeros(n, n);
    factor.copy_from_triangular_lower(MatRef::from_row_major_slice(matrix, n, n));
    let scratch = cholesky_in_place_scratch::<f64>(n, two(), Default::default());
    let mut room = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut room);
    let none = LltRegularization::default();
    cholesky_in_place(factor.as_mut(), none, two(), stack, Default::default()).ok()?;
    // Columns of L are rows of Lᵀ.
    Some(
        (0..n * n).map(|at| if at % n < at / n { 0.0 } else { factor[(at % n, at / n)] }).collect(),
    )
}

/// Orthonormal vectors to the first eigenvalues, in columns; `None` where they are many or too close together
/// to be found one by one.
fn few(matrix: &Tridiagonal, values: &[f64]) -> Option<Mat<f64>> {
    /// Furthest from orthonormal that vectors may come out: to repair that moves each by as much.
    const OFF: f64 = 1e-8;
    let (n, wanted) = (matrix.diagonal.len(), values.len());
    if wanted > n / 2 {
        return None;
    }
    let vectors = matrix.vectors(values);
    let found = MatRef::from_column_major_slice(&vectors, n, wanted);
    let mut overlaps = Mat::<f64>::zeros(wanted, wanted);
    matmul(overlaps.as_mut(), Accum::Replace, found.transpose(), found, 1.0, two());
    let orthonormal = (0..wanted)
        .all(|j| (0..=j).all(|i| (overlaps[(i, j)] - f64::from(u8::from(i == j))).abs() < OFF));
    if !orthonormal {
        return None;
    }
    // V (3 − VᵀV)/2 is off by the square of what V is off by.
    let repair = Mat::from_fn(wanted, wanted, |i, j| {
        (f64::from(3 * u8::from(i == j)) - overlaps[(i, j)]) / 2.0
    });
    let mut basis = Mat::<f64>::zeros(n, wanted);
    matmul(basis.as_mut(), Accum::Replace, found, repair.as_ref(), 1.0, two());
    Some(basis)
}

impl Eigen {
    /// Whether `A z = Σ λ_i c_i v_i` and `‖z‖ = ‖c‖` for one `z = Σ c_i v_i` over the vectors, of which no
    /// structure of `A` knows.
    fn holds(&self, matrix: &[f64]) -> bool {
        let n = self.values.len();
        let largest = self.values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let (mut z, mut error, mut length) = (vec![0.0; n], vec![0.0; n], 0.0);
        for (i, (value, v)) in self.values.iter().zip(self.vectors.chunks_exact(n)).enumerate() {
            let c = ((i as f64 + 1.0) * 0.618_033_988_75).fract() - 0.5;
            length += c * c;
            z.iter_mut().zip(v).for_each(|(z, v)| *z += c * v);
            error.iter_mut().zip(v).for_each(|(error, v)| *error -= value * c * v);
        }
        for (i, row) in matrix.chunks_exact(n).enumerate() {
            let (row, x) = (&row[..i], z[i]);
            error[i] += matrix[i * n + i] * x;
            error[i] += row.iter().zip(&z).map(|(a, z)| a * z).sum::<f64>();
            error.iter_mut().zip(row).for_each(|(error, a)| *error += a * x);
        }
        let square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
        let root = (self.vectors.len() as f64).sqrt();
        square(&error).sqrt() <= 1e-10 * largest * root
            && (square(&z) - length).abs() <= 1e-10 * root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_matrix_has_its_known_values_largest_first() {
        // [[2, 1], [1, 2]] has 3 along (1, 1) and 1 along (1, −1); the upper triangle is not read.
        let matrix = [2.0, f64::NAN, 1.0, 2.0];
        let eigen = leading(&matrix, 2, |_| 1).unwrap();
        assert!((eigen.values[0] - 3.0).abs() < 1e-14 && (eigen.values[1] - 1.0).abs() < 1e-14);
        assert!((eigen.vectors[0] - eigen.vectors[1]).abs() < 1e-14, "{:?}", eigen.vectors);
        assert_eq!(eigen.vectors.len(), 2);
        assert_eq!(leading(&[-7.0], 1, |_| 9).unwrap().vectors, [1.0]);
        assert!(values(&[], 0).unwrap().is_empty());
    }

    #[test]
    fn a_positive_matrix_is_its_factor_by_its_transpose() {
        let n = 70;
        let entry =
            |i: usize, j: usize| f64::from(u8::from(i == j)) + 1.0 / (1.0 + i.abs_diff(j) as f64);
        let matrix: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
        let upper = cholesky(&matrix, n).unwrap();
        for i in 0..n {
            for j in 0..n {
                let product: f64 = (0..n).map(|k| upper[k * n + i] * upper[k * n + j]).sum();
                assert!((product - matrix[i * n + j]).abs() < 1e-14, "{i} {j}: {product}");
                assert!(j >= i || upper[i * n + j] == 0.0);
            }
        }
        assert_eq!(cholesky(&[1.0, 0.0, 2.0, 1.0], 2), None);
    }

    #[test]
    fn a_matrix_with_a_nan_is_an_error() {
        assert_eq!(values(&[f64::NAN], 1).unwrap_err(), NoEigenvalues { n: 1 });
        let three = [1.0, 0.0, 0.0, 2.0, f64::NAN, 0.0, 3.0, 4.0, 5.0];
        assert_eq!(leading(&three, 3, |_| 3).unwrap_err(), NoEigenvalues { n: 3 });
    }

    #[test] // few of many, one by one, and nearly all together
    fn vectors_are_orthonormal_and_the_matrix_stretches_them_by_their_values() {
        for (n, rank) in [(3, 3), (40, 12), (170, 170)] {
            let mut rng = crate::rng::named(n as u64, "eigen");
            let mut draw = || crate::rng::next_unit(&mut rng) - 0.5;
            let x: Vec<f64> = (0..rank * n).map(|_| draw()).collect();
            let entry =
                |i: usize, j: usize| x.chunks_exact(n).map(|row| row[i] * row[j]).sum::<f64>();
            let matrix: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
            let wanted = rank - 1;
            let eigen = leading(&matrix, n, |_| wanted).unwrap();
            assert_eq!(values(&matrix, n).unwrap().len(), n);
            let vector = |i: usize| &eigen.vectors[i * n..(i + 1) * n];
            let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            for i in 0..wanted {
                for (row, v) in matrix.chunks_exact(n).zip(vector(i)) {
                    let stretched = dot(row, vector(i));
                    assert!((stretched - eigen.values[i] * v).abs() < 1e-12 * n as f64);
                }
                for j in 0..=i {
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((dot(vector(i), vector(j)) - expected).abs() < 1e-12, "{i} {j}");
                }
            }
        }
    }

    #[test] // one by one, vectors of equal values would all be the same
    fn vectors_of_equal_values_are_orthonormal_too() {
        let n = 90;
        // A reflection 1 − 2 u uᵀ between values 5 (ten times), 1 and 0.
        let u: Vec<f64> = (0..n).map(|i| ((i * i % 17) as f64 - 8.0) / 10.0).collect();
        let squares = u.iter().map(|x| x * x).sum::<f64>();
        let turned = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / squares;
        let value = |k: usize| [5.0, 1.0, 0.0][usize::from(k >= 10) + usize::from(k >= 50)];
        let entry = |i, j| (0..n).map(|k| value(k) * turned(i, k) * turned(j, k)).sum::<f64>();
        let matrix: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
        let eigen = leading(&matrix, n, |values| values.partition_point(|&x| x > 2.0)).unwrap();
        let vectors: Vec<&[f64]> = eigen.vectors.chunks_exact(n).collect();
        assert_eq!(vectors.len(), 10);
        for (i, x) in vectors.iter().enumerate() {
            for (j, y) in vectors.iter().enumerate() {
                let dot: f64 = x.iter().zip(*y).map(|(x, y)| x * y).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12, "{i} {j}: {dot}");
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let n = 500;
        let mut rng = crate::rng::named(4, "eigen");
        let rows: Vec<f64> = (0..n * n).map(|_| crate::rng::next_unit(&mut rng) - 0.5).collect();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let eigen = pool.install(|| leading(&rows, n, |_| 200)).unwrap();
            (eigen.values, eigen.vectors)
        };
        let alone = with_threads(1);
        assert!([2, 5].into_iter().all(|threads| with_threads(threads) == alone));
    }
}
