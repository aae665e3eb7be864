//! Density ratios `p/q` of texts by classifiers, and what follows from them.
//!
//! One interface: a [`Classifier`] learns from rows of both sides and gives `ln r̂ = ln(p/q)` for rows it has
//! not seen; [`cross_fitted`] does so for all rows by folds; [`Scores`] turns the result into a PR-curve
//! ([`super::envelope`]), AUC, a two-sample test, and lower bounds of divergences.

mod balls;
mod clusters;
mod knn;
mod logistic;
mod scores;

pub use balls::BallUnion;
pub use clusters::{averaged_curve, cluster_curve};
pub use knn::KnnVote;
pub use logistic::{Fit, Logistic, Terms};
pub use scores::{
    AUC, Bound, C2ST_ACCURACY, CALIBRATION_ERROR, Scores, TV_LOWER_BOUND, TwoSampleTest, auc,
};

use rayon::prelude::*;

use crate::{
    cloud::{Clouds, MetricError},
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
};

/// Why a density ratio cannot be estimated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum RatioError {
    /// The clouds cannot be compared.
    #[error(transparent)]
    Clouds(#[from] MetricError),
    /// A fold would leave nothing to learn from, or nothing to score.
    #[error("{folds} folds need 2 ≤ folds ≤ n, and the {side} set has n = {n} rows")]
    Folds { side: Side, n: usize, folds: usize },
    /// Groups are given for another number of rows.
    #[error("the {side} set has {n} rows and {groups} group labels")]
    Groups { side: Side, n: usize, groups: usize },
}

/// Values of both sides beyond which folds are taken one after the other: 256 MiB as they stand.
const VALUES_AT_ONCE: usize = 1 << 26;

/// Something that learns to tell the sides apart.
pub trait Classifier: Sync {
    /// `ln r̂(x)` for the rows `x` of `test`, learnt from `train`: higher where texts look like `P`.
    ///
    /// The ratio is of densities: sides of different sizes do not shift it.
    ///
    /// # Errors
    ///
    /// [`RatioError`] where `train` is too small for the classifier.
    fn log_ratios(&self, train: Clouds<'_>, test: &Matrix) -> Result<Vec<f64>, RatioError>;
}

/// Which rows are scored together by a classifier that learnt from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    of: Sides<Vec<usize>>,
    folds: usize,
}

impl Folds {
    /// Row `i` of either side in fold `i mod folds`.
    ///
    /// # Errors
    ///
    /// [`RatioError::Folds`] unless both sides have a row in every fold and there are two.
    pub fn alternating(sizes: Sides<usize>, folds: usize) -> Result<Self, RatioError> {
        Self::grouped(sizes.map(|n| (0..n).collect()), folds)
    }

    /// Rows with the same group label (texts of one prompt) in one fold: label modulo `folds`.
    ///
    /// # Errors
    ///
    /// [`RatioError::Folds`] unless both sides have a row in every fold and there are two.
    pub fn grouped(groups: Sides<Vec<usize>>, folds: usize) -> Result<Self, RatioError> {
        let of = groups.map(|labels| labels.iter().map(|label| label % folds.max(1)).collect());
        for side in [Side::Reference, Side::Model] {
            let rows: &Vec<usize> = of.get(side);
            let filled = (0..folds).all(|fold| rows.contains(&fold));
            if folds < 2 || !filled {
                return Err(RatioError::Folds { side, n: rows.len(), folds });
            }
        }
        Ok(Self { of, folds })
    }

    /// Per side: rows of fold `fold`, or all others.
    fn rows(&self, fold: usize, inside: bool) -> Sides<Vec<usize>> {
        self.of.as_ref().map(|of| (0..of.len()).filter(|&i| (of[i] == fold) == inside).collect())
    }
}

/// `ln r̂` of every row by a classifier that did not see it.
///
/// # Arguments
///
/// * `clouds`: rows of `P` and `Q`.
/// * `classifier`: what learns; [`Logistic`], [`KnnVote`] or [`BallUnion`].
/// * `folds`: as from [`Folds::alternating`]; five is usual.
///
/// # Errors
///
/// [`RatioError::Groups`] when `folds` are for other sizes, and those of the classifier.
///
/// # Example
///
/// ```
/// # use llmpr::{cloud::Clouds, data::{matrix::Matrix, sides::Sides}, metric::ratio::*};
/// let line = |from: f32| Matrix::new(1, (0..50).map(|i| from + i as f32 / 50.0).collect()).unwrap();
/// let sets = Sides { reference: line(0.0), model: line(0.5) };
/// let clouds = Clouds::new(sets.as_ref())?;
/// let folds = Folds::alternating(Sides { reference: 50, model: 50 }, 5)?;
/// let scores = cross_fitted(clouds, &Logistic::default(), &folds)?;
/// assert!((scores.auc() - 0.875).abs() < 0.01); // P(x < y) of two half-overlapping stretches
/// # Ok::<(), RatioError>(())
/// ```
pub fn cross_fitted(
    clouds: Clouds<'_>,
    classifier: &dyn Classifier,
    folds: &Folds,
) -> Result<Scores, RatioError> {
    let sets = clouds.sides();
    for side in [Side::Reference, Side::Model] {
        let (n, groups) = (sets.get(side).rows(), folds.of.get(side).len());
        if n != groups {
            return Err(RatioError::Groups { side, n, groups });
        }
    }
    let of_fold = |fold: usize| -> Result<_, RatioError> {
        let learn = folds.rows(fold, false);
        let train = Sides {
            reference: sets.reference.select(&learn.reference),
            model: sets.model.select(&learn.model),
        };
        let score = folds.rows(fold, true);
        let test = sets.reference.select(&score.reference).stack(&sets.model.select(&score.model));
        Ok((classifier.log_ratios(Clouds::new(train.as_ref())?, &test)?, score))
    };
    let values = (sets.reference.rows() + sets.model.rows()) * sets.reference.cols();
    // Each fold in work holds its training rows, several times where a classifier has terms of its own.
    let together = if values > VALUES_AT_ONCE { 1 } else { folds.folds };
    let mut log_ratios = sets.map(|set| vec![0.0; set.rows()]);
    for from in (0..folds.folds).step_by(together.max(1)) {
        let some = (from..folds.folds.min(from + together)).into_par_iter();
        for (got, score) in some.map(of_fold).collect::<Result<Vec<_>, _>>()? {
            let (of_p, of_q) = got.split_at(score.reference.len());
            score.reference.iter().zip(of_p).for_each(|(&i, &x)| log_ratios.reference[i] = x);
            score.model.iter().zip(of_q).for_each(|(&i, &x)| log_ratios.model[i] = x);
        }
    }
    Ok(Scores::new(log_ratios))
}

#[cfg(test)]
mod tests;
