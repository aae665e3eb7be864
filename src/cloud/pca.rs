//! Principal components: fitted once, projected on many times.

use rayon::prelude::*;

use crate::{
    data::{
        matrix::{Matrix, MatrixError, split},
        rows::{self, ReadRows},
        stop,
    },
    math::{
        eigen::{self, Eigen, NoEigenvalues},
        gemm::{Gram, Rows},
    },
};

/// Why components cannot be fitted or projected on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum PcaError {
    /// Fewer than two rows have no covariance.
    #[error("principal components need at least 2 rows, not {rows}")]
    TooFewRows { rows: usize },
    /// The parts live in different spaces, or the rows in another than the fit.
    #[error("rows of {expected} columns were expected, not of {found}")]
    Columns { expected: usize, found: usize },
    /// A share outside `(0, 1]`.
    #[error("the share of variance to keep is {share}; it lies above 0 and is at most 1")]
    Share { share: f64 },
    /// No components, or more than there can be.
    #[error("{asked} components were asked for; {rows} rows of {cols} columns have 1 to {}", rows.min(cols))]
    Components { asked: usize, rows: usize, cols: usize },
    /// The decomposition failed.
    #[error(transparent)]
    Eigen(#[from] NoEigenvalues),
    /// A projection is beyond the range of `f32`.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

/// How many components to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keep {
    /// The fewest whose variance is at least this share of the total; `0.9` in the papers.
    Share(f64),
    /// This many.
    Components(usize),
}

/// Principal components of a cloud: its mean and its directions of largest variance.
#[derive(Clone, Debug)]
pub struct Pca {
    mean: Vec<f64>,
    /// Component `i` takes `cols` values from `i · cols`.
    axes: Vec<f64>,
    kept: usize,
    variances: Vec<f64>,
    total: f64,
    squares: f64,
}

impl Pca {
    /// Fits components to all rows of `parts` together; no scaling, no whitening.
    ///
    /// The covariance divides by `N − 1`. Each component's largest entry is positive, the first of
    /// equal ones deciding. Where all rows are equal one component is kept.
    ///
    /// # Errors
    ///
    /// [`PcaError`]: too few rows, parts of different widths, a share or number that cannot be kept.
    ///
    /// # Cost
    ///
    /// `O(N c²)` for the covariance and `O(c³)` for its eigenvectors, with `c = min(N, columns)`: where
    /// rows are fewer than columns, the `N × N` products of rows take the covariance's place.
    ///
    /// # Example
    ///
    /// ```
    /// # use llmpr::{cloud::pca::{Keep, Pca}, data::matrix::Matrix};
    /// let rows = Matrix::new(2, vec![0.0, 0.0, 3.0, 4.0, 6.0, 8.0]).unwrap();
    /// let pca = Pca::fit(&[&rows], Keep::Share(0.9))?;
    /// assert_eq!(pca.components(), 1); // the rows lie on a line
    /// assert_eq!(pca.project(&rows)?.as_slice(), [-5.0, 0.0, 5.0]);
    /// # Ok::<(), llmpr::cloud::pca::PcaError>(())
    /// ```
    pub fn fit<R: ReadRows + ?Sized>(parts: &[&R], keep: Keep) -> Result<Self, PcaError> {
        let rows: usize = parts.iter().map(|part| part.rows()).sum();
        let cols = parts.first().map_or(0, |part| part.cols());
        if let Some(found) = parts.iter().map(|part| part.cols()).find(|&found| found != cols) {
            return Err(PcaError::Columns { expected: cols, found });
        }
        if rows < 2 || cols == 0 {
            return Err(PcaError::TooFewRows { rows });
        }
        match keep {
            Keep::Share(share) if !(share > 0.0 && share <= 1.0) => {
                return Err(PcaError::Share { share });
            }
            Keep::Components(asked) if asked == 0 || asked > rows.min(cols) => {
                return Err(PcaError::Components { asked, rows, cols });
            }
            _ => {}
        }
        let mean = rows::mean(parts);
        let centered = Centered { parts, mean: &mean, cols };
        let mut pca = if rows < cols {
            centered.by_rows(rows, keep)?
        } else {
            centered.by_columns(rows, keep)?
        };
        pca.axes.par_chunks_mut(cols).for_each(fix_sign);
        pca.mean = mean;
        Ok(pca)
    }

    /// Number of components kept.
    pub fn components(&self) -> usize {
        self.kept
    }

    /// Share of the variance that the kept components hold; 1 where there is none.
    pub fn explained(&self) -> f64 {
        self.share(self.variances[..self.kept].iter().sum())
    }

    /// Share of the variance along each component that was computed, largest first; at least those kept.
    pub fn explained_ratios(&self) -> Vec<f64> {
        self.variances.iter().map(|&variance| self.share(variance)).collect()
    }

    /// Variances along the components that were computed, largest first; at least those kept.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// Trace of the covariance.
    pub fn total_variance(&self) -> f64 {
        self.total
    }

    /// Share of the variance along the first component: near 1, distances are about little else.
    pub fn top_share(&self) -> f64 {
        self.share(self.variances[0])
    }

    /// `(Σλ)² / Σλ²`: how many directions the variance is spread over.
    pub fn participation_ratio(&self) -> f64 {
        if self.squares > 0.0 { self.total * self.total / self.squares } else { 1.0 }
    }

    fn share(&self, variance: f64) -> f64 {
        if self.total > 0.0 { variance / self.total } else { 1.0 }
    }

    /// The rows in coordinates along the kept components; equal rows become equal rows.
    ///
    /// # Errors
    ///
    /// [`PcaError::Columns`] for rows of another width than the fit's.
    pub fn project<R: ReadRows + ?Sized>(&self, rows: &R) -> Result<Matrix, PcaError> {
        self.project_all(&[rows])
    }

    /// The rows of all `parts`, one part after the other, as [`Pca::project`].
    ///
    /// # Errors
    ///
    /// As [`Pca::project`].
    pub fn project_all<R: ReadRows + ?Sized>(&self, parts: &[&R]) -> Result<Matrix, PcaError> {
        /// Rows that are taken at a time: with a panel of axes they fit a core's second-level cache.
        const BLOCK: usize = 96;
        let cols = self.mean.len();
        if let Some(found) = parts.iter().map(|part| part.cols()).find(|&found| found != cols) {
            return Err(PcaError::Columns { expected: cols, found });
        }
        let axes = Rows::new(self.kept, cols, |axis, values| {
            values.copy_from_slice(&self.axes[axis * cols..][..cols]);
        });
        let n: usize = parts.iter().map(|part| part.rows()).sum();
        let mut high = vec![0.0; n * self.kept];
        let mut rest = vec![0.0; n * self.kept];
        let (mut highs, mut rests) = (high.as_mut_slice(), rest.as_mut_slice());
        let mut blocks = Vec::new();
        for &part in parts {
            for from in (0..part.rows()).step_by(BLOCK) {
                let size = BLOCK.min(part.rows() - from) * self.kept;
                let (high, rest);
                (high, highs) = highs.split_at_mut(size);
                (rest, rests) = rests.split_at_mut(size);
                blocks.push((part, from, high, rest));
            }
        }
        let fresh = || (Rows::default(), vec![0.0; BLOCK * self.kept]);
        blocks.into_par_iter().for_each_init(fresh, |(packed, out), (part, from, high, rest)| {
            stop::check();
            packed.fill(high.len() / self.kept, cols, |i, values| {
                part.read(from + i, 0, values);
                values.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x -= mean);
            });
            let out = &mut out[..high.len()];
            packed.products(&axes, 1.0, out);
            for ((&value, high), rest) in out.iter().zip(high).zip(rest) {
                (*high, *rest) = split(value);
            }
        });
        Ok(Matrix::from_parts(self.kept, high, rest)?)
    }
}

/// Makes the entry of largest size positive.
fn fix_sign(axis: &mut [f64]) {
    let largest =
        axis.iter().fold(0.0f64, |largest, &x| if x.abs() > largest.abs() { x } else { largest });
    if largest < 0.0 {
        axis.iter_mut().for_each(|x| *x = -*x);
    }
}

/// Rows less their mean.
struct Centered<'a, R: ?Sized> {
    parts: &'a [&'a R],
    mean: &'a [f64],
    cols: usize,
}

impl<R: ReadRows + ?Sized> Centered<'_, R> {
    /// From the covariance of columns.
    fn by_columns(&self, rows: usize, keep: Keep) -> Result<Pca, PcaError> {
        let mut gram = Gram::new(self.cols);
        for part in self.parts {
            gram.add(part.rows(), |i, from, values| {
                if i % 64 == 0 {
                    stop::check();
                }
                part.read(i, from, values);
                values.iter_mut().zip(&self.mean[from..]).for_each(|(x, mean)| *x -= mean);
            });
        }
        let mut sums = gram.lower();
        sums.iter_mut().for_each(|sum| *sum /= (rows - 1) as f64);
        let spectrum = Spectrum::of(&sums, self.cols);
        let eigen = eigen::leading(&sums, self.cols, |values| spectrum.kept(values, keep))?;
        Ok(spectrum.keep(eigen))
    }

    /// From the products of rows: `X Xᵀ u = λ u` gives the axis `Xᵀ u / √λ`.
    fn by_rows(&self, rows: usize, keep: Keep) -> Result<Pca, PcaError> {
        let mut all = vec![0.0; rows * self.cols];
        let every = self.parts.iter().flat_map(|part| (0..part.rows()).map(move |i| (part, i)));
        for ((part, i), values) in every.zip(all.chunks_exact_mut(self.cols)) {
            part.read(i, 0, values);
            values.iter_mut().zip(self.mean).for_each(|(x, mean)| *x -= mean);
        }
        let packed = Rows::new(rows, self.cols, |i, values| {
            values.copy_from_slice(&all[i * self.cols..][..self.cols]);
        });
        let mut products = vec![0.0; rows * rows];
        packed.products(&packed, 1.0 / (rows - 1) as f64, &mut products);
        let spectrum = Spectrum::of(&products, rows);
        let eigen = eigen::leading(&products, rows, |values| spectrum.kept(values, keep))?;
        let mut pca = spectrum.keep(eigen);
        // Along directions without variance rounding alone would decide; nothing lies there.
        let (weights, noise) = (pca.axes.chunks_exact(rows), 1e-13 * pca.total);
        let axes = weights.zip(&pca.variances).map(|(weights, &variance)| {
            let mut axis = vec![0.0; self.cols];
            for (weight, row) in weights.iter().zip(all.chunks_exact(self.cols)) {
                axis.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
            }
            let length = axis.iter().map(|x| x * x).sum::<f64>().sqrt();
            axis.iter_mut().for_each(|x| *x = if variance > noise { *x / length } else { 0.0 });
            axis
        });
        pca.axes = axes.collect::<Vec<_>>().concat();
        Ok(pca)
    }
}

/// What is known of a spectrum without decomposing the matrix.
struct Spectrum {
    total: f64,
    squares: f64,
    n: usize,
}

impl Spectrum {
    fn of(lower: &[f64], n: usize) -> Self {
        let row = |i: usize| &lower[i * n..=i * n + i];
        let total = (0..n).map(|i| row(i)[i]).sum();
        let squares = |i: usize| {
            let off = row(i)[..i].iter().map(|x| x * x).sum::<f64>();
            2.0 * off + row(i)[i].powi(2)
        };
        Self { total, squares: (0..n).map(squares).sum(), n }
    }

    /// How many of the components with these variances to keep.
    fn kept(&self, variances: &[f64], keep: Keep) -> usize {
        match keep {
            Keep::Components(n) => n,
            Keep::Share(_) if self.total <= 0.0 => 1,
            Keep::Share(share) => {
                let mut sum = 0.0;
                let enough = variances.iter().position(|variance| {
                    sum += variance.max(0.0);
                    // The last one always suffices, whatever the rounding of the trace.
                    sum / self.total >= share
                });
                enough.map_or(variances.len(), |last| last + 1)
            }
        }
    }

    fn keep(self, Eigen { mut values, vectors }: Eigen) -> Pca {
        values.iter_mut().for_each(|variance| *variance = variance.max(0.0));
        let (kept, mean) = (vectors.len() / self.n, Vec::new());
        let Self { total, squares, .. } = self;
        Pca { mean, axes: vectors, kept, variances: values, total, squares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn noise(rows: usize, cols: usize) -> Matrix {
        let mut rng = rng::named(3, "pca");
        let values = (0..rows * cols).map(|i| {
            (rng::next_unit(&mut rng) as f32 - 0.5) / (1 + i % cols) as f32 + (i % cols) as f32
        });
        Matrix::new(cols, values.collect()).unwrap()
    }

    #[test]
    fn all_components_keep_all_distances_by_either_route() {
        for (rows, cols) in [(40, 7), (9, 30)] {
            let m = noise(rows, cols);
            let pca = Pca::fit(&[&m], Keep::Components(rows.min(cols))).unwrap();
            let z = pca.project(&m).unwrap();
            let distance = |m: &Matrix, i, j| -> f64 {
                m.row_f64(i).zip(m.row_f64(j)).map(|(x, y)| (x - y).powi(2)).sum()
            };
            for i in 1..rows {
                let (before, after) = (distance(&m, i, 0), distance(&z, i, 0));
                assert!((before - after).abs() <= 1e-12 * before, "{before} {after}");
            }
            let (all, mean) = (pca.variances().iter().sum::<f64>(), pca.total_variance());
            assert!((all - mean).abs() <= 1e-12 * mean, "{all} {mean}");
        }
    }

    #[test]
    fn equal_rows_become_equal_wherever_they_stand() {
        let m = noise(700, 33);
        let order: Vec<usize> = (0..700).rev().chain([5, 5, 699]).collect();
        let pca = Pca::fit(&[&m, &m.select(&order)], Keep::Share(0.9)).unwrap();
        let (z, turned) = (pca.project(&m).unwrap(), pca.project(&m.select(&order)).unwrap());
        assert_eq!(turned, z.select(&order));
        assert_eq!(pca.project(&m.select(&[699])).unwrap(), z.select(&[699]));
    }

    #[test]
    fn rows_without_variance_keep_one_component_of_zeros() {
        let m = Matrix::new(3, [1.0, 2.0, 3.0].repeat(5)).unwrap();
        let pca = Pca::fit(&[&m], Keep::Share(0.9)).unwrap();
        assert_eq!((pca.components(), pca.explained(), pca.participation_ratio()), (1, 1.0, 1.0));
        assert_eq!(pca.project(&m).unwrap().as_slice(), [0.0; 5]);
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let (m, narrow) = (noise(4, 3), noise(4, 2));
        let message = |parts: &[&Matrix], keep| Pca::fit(parts, keep).unwrap_err().to_string();
        assert_eq!(
            message(&[&m], Keep::Components(4)),
            "4 components were asked for; 4 rows of 3 columns have 1 to 3"
        );
        assert_eq!(
            message(&[&m], Keep::Share(f64::NAN)),
            "the share of variance to keep is NaN; it lies above 0 and is at most 1"
        );
        assert_eq!(
            message(&[&m, &narrow], Keep::Share(0.9)),
            "rows of 3 columns were expected, not of 2"
        );
        assert_eq!(
            message(&[&m.select(&[0])], Keep::Share(0.9)),
            "principal components need at least 2 rows, not 1"
        );
    }
}
