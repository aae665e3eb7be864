//! Eigenvalues of a tridiagonal matrix, and eigenvectors to those that are known: inverse iteration, each by itself.
//!
//! Values come from the QL iteration without square roots (Reinsch 1973), in a fifth of the time of rotations. A few vectors cost `O(n)` each, where the library's divide and conquer takes `O(n³)` for all. Vectors of
//! eigenvalues that are close together come out less than orthogonal; the caller sees it in their triangle.

use rayon::prelude::*;

/// A symmetric tridiagonal matrix.
pub(super) struct Tridiagonal {
    /// `T[i, i]`.
    pub(super) diagonal: Vec<f64>,
    /// `T[i + 1, i]`; one less than on the diagonal.
    pub(super) below: Vec<f64>,
}

/// A row of `U` where `P (T − λ) = L U`, and the step that made it.
#[derive(Clone, Copy)]
struct Step {
    /// One over the pivot.
    inverse: f64,
    /// The two values to the right of the pivot.
    right: [f64; 2],
    /// What the row below lost of this one.
    multiple: f64,
    /// Whether the two rows changed places.
    swapped: bool,
}

impl Tridiagonal {
    /// All eigenvalues, the largest first, within rounding of the largest; `None` where one is not found, as in what is not
    /// finite.
    ///
    /// # Cost
    ///
    /// `O(n²)`.
    pub(super) fn values(&self) -> Option<Vec<f64>> {
        /// Sweeps for one value; two or three find it.
        const SWEEPS: usize = 60;
        let n = self.diagonal.len();
        let all = || self.diagonal.iter().chain(&self.below);
        let size = all().fold(0.0f64, |size, x| size.max(x.abs()));
        if !all().all(|x| x.is_finite()) {
            return None;
        }
        let unit = if size > 0.0 { size } else { 1.0 };
        let mut values: Vec<f64> = self.diagonal.iter().map(|x| x / unit).collect();
        let mut squares: Vec<f64> = self.below.iter().map(|x| (x / unit).powi(2)).collect();
        for first in 0..n {
            let mut sweeps = 0..SWEEPS;
            loop {
                let apart = |&i: &usize| {
                    let near = (values[i].abs() + values[i + 1].abs()) / 2.0;
                    squares[i] <= (f64::EPSILON * near.max(0.25)).powi(2)
                };
                let last = (first..n - 1).find(apart).unwrap_or(n - 1);
                if last == first {
                    break;
                }
                sweeps.next()?;
                sweep(&mut values[first..=last], &mut squares[first..last]);
            }
        }
        values.iter_mut().for_each(|value| *value *= unit);
        values.sort_unstable_by(|a, b| b.total_cmp(a));
        Some(values)
    }

    /// Vectors of length 1 to these eigenvalues, one after the other.
    pub(super) fn vectors(&self, values: &[f64]) -> Vec<f64> {
        let n = self.diagonal.len();
        let mut vectors = vec![0.0; values.len() * n];
        let each = vectors.par_chunks_mut(n).zip(values).enumerate();
        each.for_each(|(i, (vector, &value))| self.vector(value, i, vector));
        vectors
    }

    /// Two solutions after the first bring any start within rounding of the vector.
    fn vector(&self, value: f64, number: usize, x: &mut [f64]) {
        const SOLUTIONS: usize = 3;
        let steps = self.factors(value);
        // A start that no vector is orthogonal to, another one each time.
        for (i, x) in x.iter_mut().enumerate() {
            *x = ((i * 7 + number * 3 + 1) as f64 * 0.618_033_988_75).fract() - 0.5;
        }
        for solution in 0..SOLUTIONS {
            if solution > 0 {
                for (i, step) in steps[..steps.len() - 1].iter().enumerate() {
                    if step.swapped {
                        x.swap(i, i + 1);
                    }
                    x[i + 1] -= step.multiple * x[i];
                }
            }
            let mut right = [0.0; 2];
            for (x, step) in x.iter_mut().zip(&steps).rev() {
                *x = (*x - step.right[0] * right[0] - step.right[1] * right[1]) * step.inverse;
                right = [*x, right[0]];
            }
            // The largest first: squares of what grew by 10¹⁵ three times would still be finite, of more not.
            let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
            x.iter_mut().for_each(|x| *x /= largest);
            let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
            x.iter_mut().for_each(|x| *x /= length);
        }
    }

    /// Gaussian elimination of `T − λ`, the larger pivot of two rows first.
    fn factors(&self, value: f64) -> Vec<Step> {
        let n = self.diagonal.len();
        let size = |x: &[f64]| x.iter().fold(0.0f64, |size, x| size.max(x.abs()));
        // Where elimination meets a zero, as it should at an eigenvalue, its rounding stands for it.
        let least = f64::EPSILON * (size(&self.diagonal) + 2.0 * size(&self.below));
        let least = least.max(f64::MIN_POSITIVE);
        let pivot = |x: f64| if x.abs() < least { least.copysign(x) } else { x };
        let below = |i: usize| self.below.get(i).copied().unwrap_or(0.0);
        let mut steps = Vec::with_capacity(n);
        let mut row = [self.diagonal[0] - value, below(0)];
        for i in 1..n {
            let next = [below(i - 1), self.diagonal[i] - value, below(i)];
            let swapped = next[0].abs() > row[0].abs();
            let (over, under) =
                if swapped { (next, [row[0], row[1], 0.0]) } else { ([row[0], row[1], 0.0], next) };
            let inverse = 1.0 / pivot(over[0]);
            let multiple = under[0] * inverse;
            steps.push(Step { inverse, right: [over[1], over[2]], multiple, swapped });
            row = [under[1] - multiple * over[1], under[2] - multiple * over[2]];
        }
        let inverse = 1.0 / pivot(row[0]);
        steps.push(Step { inverse, right: [0.0; 2], multiple: 0.0, swapped: false });
        steps
    }
}

/// One sweep over a block of a matrix with this diagonal and these squares beside it, none of which is 0: the first square
/// becomes less, and with it what stands between the first value and an eigenvalue.
fn sweep(values: &mut [f64], squares: &mut [f64]) {
    let last = squares.len();
    let root = squares[0].sqrt();
    let half = (values[1] - values[0]) / (2.0 * root);
    let shift = values[0] - root / (half + half.hypot(1.0).copysign(half));
    let (mut cosine, mut sine) = (1.0, 0.0);
    let mut gamma = values[last] - shift;
    let mut p = gamma * gamma;
    for i in (0..last).rev() {
        let r = p + squares[i];
        if i + 1 < last {
            squares[i + 1] = sine * r;
        }
        let before = (cosine, gamma);
        (cosine, sine) = (p / r, squares[i] / r);
        gamma = cosine * (values[i] - shift) - sine * before.1;
        values[i + 1] = before.1 + (values[i] - gamma);
        p = if cosine == 0.0 { before.0 * squares[i] } else { gamma * gamma / cosine };
    }
    squares[0] = sine * p;
    values[0] = shift + gamma;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // 2 − 2 cos(kπ/(n+1)) and sin(ikπ/(n+1)): the vibrating string
    fn the_second_difference_has_its_known_vectors() {
        let n = 60;
        let matrix = Tridiagonal { diagonal: vec![2.0; n], below: vec![-1.0; n - 1] };
        let angle = |k: usize| k as f64 * std::f64::consts::PI / (n as f64 + 1.0);
        let values: Vec<f64> = (1..=n).map(|k| 2.0 - 2.0 * angle(k).cos()).collect();
        let found = matrix.values().unwrap();
        assert!(found.iter().rev().zip(&values).all(|(x, y)| (x - y).abs() < 1e-14), "{found:?}");
        for (k, vector) in (1..).zip(matrix.vectors(&values).chunks_exact(n)) {
            let known: Vec<f64> = (1..=n)
                .map(|i| (i as f64 * angle(k)).sin() * (2.0 / (n as f64 + 1.0)).sqrt())
                .collect();
            let along: f64 = vector.iter().zip(&known).map(|(x, y)| x * y).sum();
            assert!((along.abs() - 1.0).abs() < 1e-12, "{k}: {along}");
        }
    }

    #[test]
    fn values_of_any_size_are_found_and_what_is_not_finite_has_none() {
        // Two blocks, one of them with 0 twice, at the ends of what numbers can be.
        for unit in [1e-300, 1.0, 1e150, 1e300] {
            let [diagonal, below] = [vec![1.0, 1.0, 5.0, 0.0], vec![1.0, 0.0, 0.0]]
                .map(|row| row.iter().map(|x| x * unit).collect());
            let values = Tridiagonal { diagonal, below }.values().unwrap();
            let want = [5.0, 2.0, 0.0, 0.0];
            assert!(
                values.iter().zip(want).all(|(x, y)| (x / unit - y).abs() < 1e-15),
                "{values:?}"
            );
        }
        for diagonal in [vec![f64::NAN], vec![f64::INFINITY, 1.0]] {
            let below = vec![1.0; diagonal.len() - 1];
            assert_eq!(Tridiagonal { diagonal, below }.values(), None);
        }
    }

    #[test]
    fn a_matrix_of_zeros_and_one_of_a_single_value_have_vectors_of_length_1() {
        for (diagonal, below) in [(vec![0.0; 3], vec![0.0; 2]), (vec![5.0], vec![])] {
            let value = diagonal[0];
            let vector = Tridiagonal { diagonal, below }.vectors(&[value]);
            let length = vector.iter().map(|x| x * x).sum::<f64>();
            assert!((length - 1.0).abs() < 1e-14, "{vector:?}");
        }
    }
}
