//! What a classifier sees: how well the two sets are told apart, and PR-curves from density ratios.

use indexmap::IndexMap;

use super::{
    Family, ScoreError, ScoreOptions, bounds,
    draws::Draws,
    estimate::{Estimated, find},
    family::{Measures, Rows},
    record::PrCurve,
};
use crate::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
    math::special::normal_cdf,
    metric::{
        curve::sajjadi_lambdas,
        inception::{INCEPTION_CONDITIONAL_ENTROPY, INCEPTION_ENTROPY, INCEPTION_SCORE},
        ratio::{
            AUC, C2ST_ACCURACY, CALIBRATION_ERROR, Classifier, Folds, KnnVote, Logistic,
            RatioError, Scores, TV_LOWER_BOUND, cross_fitted,
        },
        spec::{Measured, Spec},
    },
};

/// The family in the order of the table.
pub(super) const SPECS: &[&Spec] = &[
    &AUC,
    &C2ST_ACCURACY,
    &TV_LOWER_BOUND,
    &INCEPTION_SCORE,
    &INCEPTION_ENTROPY,
    &INCEPTION_CONDITIONAL_ENTROPY,
    &CALIBRATION_ERROR,
];

/// Folds of the cross-fit.
const FOLDS: usize = 5;
/// Angles of the curves by classifier: fewer than of the main one, since they are many.
const ANGLES: usize = 201;
/// Columns above which the quadratic classifier is left out: its terms outnumber the rows.
const QUADRATIC_COLUMNS: usize = 100;

/// Classifiers on rows that they did not see.
pub(super) struct Fitted {
    /// Log-ratios of the linear one, where they are asked for.
    pub linear: Option<Scores>,
    /// Those of votes of nearest neighbors, where they are asked for and there are any.
    pub knn: Option<Scores>,
    pub curves: IndexMap<String, PrCurve>,
}

/// Cross-fits the classifiers that `options` ask for; `None` where a side has fewer rows than folds.
pub(super) fn fitted(
    clouds: Clouds<'_>,
    draws: &Draws<'_>,
    options: &ScoreOptions,
) -> Result<Option<Fitted>, ScoreError> {
    let asks = |specs: &[&'static Spec]| options.metrics.asks_any(specs);
    let whole = options.metrics.has(Family::Ratio);
    let sizes = clouds.sides().map(Matrix::rows);
    let Some(folds) = folds(sizes, draws) else { return Ok(None) };
    let linear = match asks(ToldApart.specs()) || asks(bounds::OF_LINEAR) {
        false => None,
        true => match cross_fitted(clouds, &Logistic::default(), &folds) {
            Ok(scores) => Some(scores),
            Err(RatioError::Clouds(error)) => return Err(error.into()),
            Err(_) => return Ok(None),
        },
    };
    let mut curves = IndexMap::new();
    let slopes = sajjadi_lambdas(ANGLES);
    let mut add = |name: &str, scores: &Scores| {
        if let Ok(envelope) = scores.envelope() {
            curves.insert(name.to_owned(), PrCurve::from(envelope.points(&slopes).as_slice()));
        }
    };
    if let Some(linear) = linear.as_ref().filter(|_| whole) {
        add("logistic", linear);
    }
    let fit = |classifier: &dyn Classifier| cross_fitted(clouds, classifier, &folds).ok();
    if whole
        && clouds.dim() <= QUADRATIC_COLUMNS
        && let Some(scores) = fit(&Logistic::QUADRATIC)
    {
        add("quadratic", &scores);
    }
    let voted = whole || asks(bounds::OF_KNN);
    let knn = voted.then(|| fit(&KnnVote { k: None })).flatten();
    if let Some(scores) = knn.as_ref().filter(|_| whole) {
        add("knn", scores);
    }
    Ok(Some(Fitted { linear, knn, curves }))
}

/// Rows of one prompt share a fold, where prompts repeat.
fn folds(sizes: Sides<usize>, draws: &Draws<'_>) -> Option<Folds> {
    let grouped = draws.prompts.reference.len() == sizes.reference
        && draws.prompts.model.len() == sizes.model;
    if grouped {
        let groups = draws.prompts.map(|prompts| prompts.iter().map(|&p| p as usize).collect());
        if let Ok(folds) = Folds::grouped(groups, FOLDS) {
            return Some(folds);
        }
    }
    Folds::alternating(sizes, FOLDS).ok()
}

impl Rows for Scores {
    fn sizes(&self) -> Sides<usize> {
        self.log_ratios().map(<[f64]>::len)
    }

    fn select(&self, rows: &Sides<Vec<usize>>) -> Self {
        let Sides { reference, model } = self.log_ratios();
        let n = reference.len();
        let at = |&row: &usize| if row < n { reference[row] } else { model[row - n] };
        Self::new(rows.as_ref().map(|rows| rows.iter().map(at).collect()))
    }
}

/// AUC, accuracy and bound of a classifier on rows it did not see. Intervals are of those rows, given the
/// fits; p-values are exact for the accuracy and normal for the AUC.
#[derive(Clone, Copy)]
pub(super) struct ToldApart;

impl Measures<Scores> for ToldApart {
    fn specs(&self) -> &'static [&'static Spec] {
        const { &[&AUC, &C2ST_ACCURACY, &TV_LOWER_BOUND, &CALIBRATION_ERROR] }
    }

    fn values(&self, scores: &Scores) -> Result<Vec<Measured>, ScoreError> {
        Ok(vec![
            AUC.of(scores.auc()),
            C2ST_ACCURACY.of(scores.two_sample_test().accuracy),
            TV_LOWER_BOUND.of(scores.tv_lower_bound().value.max(0.0)),
            CALIBRATION_ERROR.of(scores.calibration_error()),
        ])
    }

    fn most_subsamples(&self) -> usize {
        0
    }

    fn amend(
        &self,
        scores: &Scores,
        _draws: &Draws<'_>,
        found: &mut [Estimated],
    ) -> Result<(), ScoreError> {
        let (test, bound) = (scores.two_sample_test(), scores.tv_lower_bound());
        if let Some(auc) = find(found, &AUC) {
            let (reach, p_value) = spread_of_auc(auc.value, scores.sizes());
            auc.low = Some((auc.value - reach).max(0.0));
            auc.high = Some((auc.value + reach).min(1.0));
            auc.p_value = Some(p_value);
        }
        if let Some(accuracy) = find(found, &C2ST_ACCURACY) {
            let half = |tv: f64| ((1.0 + tv) / 2.0).clamp(0.0, 1.0);
            accuracy.low = Some(half(bound.low).min(accuracy.value));
            accuracy.high = Some(half(bound.high).max(accuracy.value));
            accuracy.p_value = Some(test.p_value);
        }
        if let Some(tv) = find(found, &TV_LOWER_BOUND) {
            tv.low = Some(bound.low.clamp(0.0, 1.0).min(tv.value));
            tv.high = Some(bound.high.clamp(0.0, 1.0).max(tv.value));
            tv.p_value = Some(test.p_value);
        }
        Ok(())
    }
}

/// Half of the interval of Hanley & McNeil 1982, and the p-value of Mann & Whitney.
fn spread_of_auc(a: f64, sizes: Sides<usize>) -> (f64, f64) {
    let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
    let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    let variance = (a * (1.0 - a) + (n - 1.0) * (q1 - a * a) + (m - 1.0) * (q2 - a * a)) / (n * m);
    let z = (a - 0.5) / ((n + m + 1.0) / (12.0 * n * m)).sqrt();
    (1.96 * variance.max(0.0).sqrt(), normal_cdf(-z))
}
