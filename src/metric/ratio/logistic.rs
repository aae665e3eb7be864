//! Logistic regression by Newton's method, on the features or on their products too.

use rayon::prelude::*;

use super::{Classifier, RatioError};
use crate::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
    math::gemm::Gram,
};

/// Which functions of a row the log-ratio is linear in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terms {
    /// The features: exact for Gaussians of one covariance, blind to a change of spread.
    #[default]
    Linear,
    /// The features, their squares, and the products among the first [`Self::CROSSED`] of them:
    /// exact for Gaussians. After PCA the first features are the widest.
    Quadratic,
}

impl Terms {
    /// Features whose products [`Self::Quadratic`] holds.
    pub const CROSSED: usize = 20;

    /// The terms of a row.
    fn of(self, row: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut terms: Vec<f64> = row.collect();
        if self == Self::Quadratic {
            let d = terms.len();
            for i in 0..d {
                terms.push(terms[i] * terms[i]);
            }
            let crossed = d.min(Self::CROSSED);
            for i in 0..crossed {
                for j in 0..i {
                    terms.push(terms[i] * terms[j]);
                }
            }
        }
        terms
    }
}

/// Logistic regression on standardised terms: `ln r̂ = w·x + b`.
///
/// ```text
/// minimise ½ penalty |w|² + Σ_i s_i ln(1 + exp(−y_i (w·x_i + b))),   s_i = N / (2 n_side)
/// ```
///
/// The weights `s` make the sides count alike, so that the logit is the log-ratio of the densities. Terms
/// are centered and divided by their standard deviation (`ddof = 0`) over the training rows of both sides.
///
/// # Cost and sources
///
/// `O(N t² + t³)` a Newton step for `t` terms and `N` rows, usually under ten steps. The recipe of
/// Simon et al. 2019, arXiv:1905.05441, made deterministic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// Which functions of a row the log-ratio is linear in.
    pub terms: Terms,
    /// Weight of `½|w|²`; positive.
    pub penalty: f64,
}

impl Default for Logistic {
    fn default() -> Self {
        Self { terms: Terms::Linear, penalty: 1.0 }
    }
}

impl Logistic {
    /// Quadratic terms, with a penalty that holds their larger number in check.
    pub const QUADRATIC: Self = Self { terms: Terms::Quadratic, penalty: 30.0 };
}

impl Classifier for Logistic {
    fn log_ratios(&self, train: Clouds<'_>, test: &Matrix) -> Result<Vec<f64>, RatioError> {
        let fit = self.fit(train);
        Ok((0..test.rows()).map(|i| fit.log_ratio(test.row_f64(i))).collect())
    }
}

/// A fitted log-ratio.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    terms: Terms,
    means: Vec<f64>,
    scales: Vec<f64>,
    /// `w`, on the standardised terms.
    pub weights: Vec<f64>,
    /// `b`.
    pub intercept: f64,
}

impl Fit {
    /// `ln r̂` of a row.
    pub fn log_ratio(&self, row: impl Iterator<Item = f64>) -> f64 {
        let standardised = self.terms.of(row).into_iter().zip(self.means.iter().zip(&self.scales));
        let term = |((x, (mean, scale)), w): ((f64, (&f64, &f64)), &f64)| w * (x - mean) / scale;
        standardised.zip(&self.weights).map(term).sum::<f64>() + self.intercept
    }
}

impl Logistic {
    /// Fits to convergence.
    pub fn fit(&self, train: Clouds<'_>) -> Fit {
        let Sides { reference, model } = train.sides();
        let of_p = reference.rows();
        let count = of_p + model.rows();
        let row = |i: usize| match i.checked_sub(of_p) {
            None => self.terms.of(reference.row_f64(i)),
            Some(i) => self.terms.of(model.row_f64(i)),
        };
        let rows: Vec<Vec<f64>> = (0..count).into_par_iter().map(row).collect();
        let terms = rows.first().map_or(0, Vec::len);
        // One term after the other: the transpose of the standardised rows, a cache line of each row at a time.
        let mut columns = vec![0.0; terms * count];
        columns.par_chunks_mut(8 * count.max(1)).enumerate().for_each(|(block, columns)| {
            for (i, row) in rows.iter().enumerate() {
                let values = columns.iter_mut().skip(i).step_by(count);
                values.zip(&row[8 * block..]).for_each(|(x, &value)| *x = value);
            }
        });
        drop(rows);
        let standardise = |column: &mut [f64]| {
            let mean = column.iter().sum::<f64>() / count as f64;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            let deviation = variance.sqrt();
            // A constant term's spread is the rounding of its mean.
            let scale = if deviation > 1e-12 * mean.abs() { deviation } else { 1.0 };
            column.iter_mut().for_each(|x| *x = (*x - mean) / scale);
            (mean, scale)
        };
        let (means, scales) = columns.par_chunks_mut(count).map(standardise).unzip();
        let share = |n: usize| count as f64 / (2.0 * n as f64);
        let problem = Problem {
            columns: &columns,
            rows: count,
            terms,
            of_p,
            weight: (share(of_p), share(count - of_p)),
            penalty: self.penalty,
        };
        let (weights, intercept) = problem.minimise();
        Fit { terms: self.terms, means, scales, weights, intercept }
    }
}

struct Problem<'a> {
    columns: &'a [f64],
    rows: usize,
    terms: usize,
    /// The first rows are of `P`, the others of `Q`.
    of_p: usize,
    /// Weight of a row of `P`, of `Q`.
    weight: (f64, f64),
    penalty: f64,
}

impl Problem<'_> {
    fn row_weight(&self, i: usize) -> f64 {
        if i < self.of_p { self.weight.0 } else { self.weight.1 }
    }

    fn column(&self, j: usize) -> &[f64] {
        &self.columns[j * self.rows..(j + 1) * self.rows]
    }

    /// `w·x_i + b` for all rows.
    fn logits(&self, solution: &[f64]) -> Vec<f64> {
        let mut logits = vec![solution[self.terms]; self.rows];
        for (j, &w) in solution[..self.terms].iter().enumerate() {
            logits.iter_mut().zip(self.column(j)).for_each(|(z, x)| *z += w * x);
        }
        logits
    }

    fn loss(&self, solution: &[f64], logits: &[f64]) -> f64 {
        let norm: f64 = solution[..self.terms].iter().map(|w| w * w).sum();
        let row = |(i, &z): (usize, &f64)| {
            let margin = if i < self.of_p { z } else { -z };
            self.row_weight(i) * softplus(-margin)
        };
        0.5 * self.penalty * norm + logits.iter().enumerate().map(row).sum::<f64>()
    }

    /// Newton's method with halved steps; the last entry of the solution is the intercept.
    fn minimise(&self) -> (Vec<f64>, f64) {
        let size = self.terms + 1;
        let mut solution = vec![0.0; size];
        let mut logits = self.logits(&solution);
        let mut loss = self.loss(&solution, &logits);
        for _ in 0..100 {
            let chances: Vec<f64> = logits.iter().map(|&z| 1.0 / (1.0 + (-z).exp())).collect();
            let gradient = self.gradient(&solution, &chances);
            if gradient.iter().map(|g| g * g).sum::<f64>().sqrt() <= 1e-10 * self.rows as f64 {
                break;
            }
            let step = cholesky_solve(self.hessian(&chances), &gradient);
            let mut length = 1.0;
            let advanced = loop {
                let next: Vec<f64> =
                    solution.iter().zip(&step).map(|(x, s)| x - length * s).collect();
                let next_logits = self.logits(&next);
                let next_loss = self.loss(&next, &next_logits);
                if next_loss < loss {
                    (solution, logits, loss) = (next, next_logits, next_loss);
                    break true;
                }
                length *= 0.5;
                if length < 1e-6 {
                    break false;
                }
            };
            if !advanced {
                break;
            }
        }
        let intercept = solution.pop().unwrap_or(0.0);
        (solution, intercept)
    }

    fn gradient(&self, solution: &[f64], chances: &[f64]) -> Vec<f64> {
        let residual = |(i, &chance): (usize, &f64)| {
            self.row_weight(i) * (chance - if i < self.of_p { 1.0 } else { 0.0 })
        };
        let residuals: Vec<f64> = chances.iter().enumerate().map(residual).collect();
        let along = |j: usize| {
            let dot: f64 = self.column(j).iter().zip(&residuals).map(|(x, r)| x * r).sum();
            dot + self.penalty * solution[j]
        };
        let mut gradient: Vec<f64> = (0..self.terms).into_par_iter().map(along).collect();
        gradient.push(residuals.iter().sum());
        gradient
    }

    /// The upper triangle of the second derivatives, row-major.
    fn hessian(&self, chances: &[f64]) -> Vec<f64> {
        let size = self.terms + 1;
        let row = |(i, c): (usize, &f64)| (self.row_weight(i) * c * (1.0 - c)).sqrt();
        let roots: Vec<f64> = chances.iter().enumerate().map(row).collect();
        let mut sums = Gram::new(size);
        sums.add(self.rows, |i, from, values| {
            for (j, value) in (from..).zip(values) {
                let x = if j < self.terms { self.columns[j * self.rows + i] } else { 1.0 };
                *value = roots[i] * x;
            }
        });
        let mut hessian = sums.lower();
        for i in 0..size {
            (0..i).for_each(|j| hessian[j * size + i] = hessian[i * size + j]);
        }
        (0..self.terms).for_each(|j| hessian[j * size + j] += self.penalty);
        hessian
    }
}

/// `ln(1 + eˣ)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Solves `A x = b` for a symmetric positive definite `A` given by its upper triangle, row-major.
///
/// A pivot that rounding made non-positive is taken as infinite: its unknown stays 0.
fn cholesky_solve(mut a: Vec<f64>, b: &[f64]) -> Vec<f64> {
    let n = b.len();
    // A = Uᵀ U, row by row of U, each eliminated from the rows below.
    for k in 0..n {
        let (done, below) = a.split_at_mut((k + 1) * n);
        let pivot_row = &mut done[k * n..];
        let pivot = pivot_row[k];
        let root = if pivot > 0.0 { pivot.sqrt() } else { f64::INFINITY };
        pivot_row[k..].iter_mut().for_each(|x| *x /= root);
        pivot_row[k] = root;
        let pivot_row = &*pivot_row;
        let eliminate = |(offset, row): (usize, &mut [f64])| {
            let i = k + 1 + offset;
            let factor = pivot_row[i];
            row[i..].iter_mut().zip(&pivot_row[i..]).for_each(|(x, u)| *x -= factor * u);
        };
        if n - k > 256 {
            below.par_chunks_mut(n).with_min_len(32).enumerate().for_each(eliminate);
        } else {
            below.chunks_mut(n).enumerate().for_each(eliminate);
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        x[i] /= a[i * n + i];
        let (solved, rest) = x.split_at_mut(i + 1);
        rest.iter_mut().zip(&a[i * n + i + 1..(i + 1) * n]).for_each(|(x, u)| *x -= u * solved[i]);
    }
    for i in (0..n).rev() {
        let dot: f64 =
            a[i * n + i + 1..(i + 1) * n].iter().zip(&x[i + 1..]).map(|(u, x)| u * x).sum();
        x[i] = (x[i] - dot) / a[i * n + i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // closed form
    fn a_small_system_is_solved() {
        // [[4, 2], [2, 3]] x = [2, −1] has x = [1, −1]
        let x = cholesky_solve(vec![4.0, 2.0, 0.0, 3.0], &[2.0, -1.0]);
        assert!((x[0] - 1.0).abs() < 1e-15 && (x[1] + 1.0).abs() < 1e-15, "{x:?}");
    }

    #[test]
    fn the_gradient_vanishes_at_the_fit() {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let sets = Sides { reference: line(&[0.0, 1.0, 3.0]), model: line(&[2.0, 5.0]) };
        let fit = Logistic::default().fit(Clouds::new(sets.as_ref()).unwrap());
        // mean 2.2, variance 2.96; s = 5/6 for P, 5/4 for Q.
        let z = |x: f64| (x - 2.2) / 2.96f64.sqrt();
        let rows = [
            (0.0, 1.0, 5.0 / 6.0),
            (1.0, 1.0, 5.0 / 6.0),
            (3.0, 1.0, 5.0 / 6.0),
            (2.0, 0.0, 1.25),
            (5.0, 0.0, 1.25),
        ];
        let residual = |&(x, t, s): &(f64, f64, f64)| {
            s * (1.0 / (1.0 + (-fit.log_ratio([x].into_iter())).exp()) - t)
        };
        let along: f64 = rows.iter().map(|row| residual(row) * z(row.0)).sum();
        assert!((along + fit.weights[0]).abs() < 1e-8, "{fit:?}");
        assert!(rows.iter().map(residual).sum::<f64>().abs() < 1e-8, "{fit:?}");
    }
}
