//! What a classifier sees: how well the two sets are told apart, and PR-curves from density ratios.

use indexmap::IndexMap;
use rayon::prelude::*;

use super::{ScoreError, catalog, clusters::Clustering, draws::Draws};
use crate::{
    math::special::normal_cdf,
    matrix::Matrix,
    metric::{
        Clouds,
        calibrate::{Subsample, interval},
        curve::sajjadi_lambdas,
        ratio::{Classifier, Folds, KnnVote, Logistic, RatioError, Scores, cross_fitted},
        record::{Estimate, PrCurve},
    },
    sides::Sides,
};

/// Folds of the cross-fit.
const FOLDS: usize = 5;
/// Angles of the curves by classifier: fewer than of the main one, since they are many.
const ANGLES: usize = 201;
/// Columns above which the quadratic classifier is left out: its terms outnumber the rows.
const QUADRATIC_COLUMNS: usize = 100;

/// The ratio family.
pub(super) struct Ratio {
    pub metrics: IndexMap<String, Estimate>,
    pub curves: IndexMap<String, PrCurve>,
    /// Log-ratios of the classifiers that give calibrated ones, the linear first.
    pub scores: Vec<(&'static str, Scores)>,
}

/// Cross-fits the classifiers; `None` where a side has fewer rows than folds.
///
/// AUC, accuracy and the bound are those of the linear classifier on rows it did not see. Their intervals
/// are of those rows, given the fits; p-values are exact for the accuracy and normal for the AUC.
pub(super) fn ratio(
    clouds: Clouds<'_>,
    clustering: &Clustering,
    draws: &Draws<'_>,
) -> Result<Option<Ratio>, ScoreError> {
    let sizes = clouds.sides().map(Matrix::rows);
    let Some(folds) = folds(sizes, draws) else { return Ok(None) };
    let linear = match cross_fitted(clouds, &Logistic::default(), &folds) {
        Ok(scores) => scores,
        Err(RatioError::Clouds(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let mut metrics = IndexMap::new();
    metrics.insert("auc".to_owned(), auc(&linear, sizes));
    let test = linear.two_sample_test();
    let bound = linear.tv_lower_bound();
    let half = |tv: f64| ((1.0 + tv) / 2.0).clamp(0.0, 1.0);
    let accuracy = Estimate {
        value: test.accuracy,
        low: Some(half(bound.low).min(test.accuracy)),
        high: Some(half(bound.high).max(test.accuracy)),
        ceiling: Some(0.5),
        p_value: Some(test.p_value),
    };
    metrics.insert("c2st_accuracy".to_owned(), accuracy);
    let value = bound.value.max(0.0);
    let tv = Estimate {
        value,
        low: Some(bound.low.clamp(0.0, 1.0).min(value)),
        high: Some(bound.high.clamp(0.0, 1.0).max(value)),
        ceiling: Some(0.0),
        p_value: Some(test.p_value),
    };
    metrics.insert("tv_lower_bound".to_owned(), tv);
    let pooled = sizes.reference + sizes.model;
    inception(clouds, clustering, draws, pooled, &mut metrics);

    let mut curves = IndexMap::new();
    let slopes = sajjadi_lambdas(ANGLES);
    let mut add = |name: &str, scores: &Scores| {
        if let Ok(envelope) = scores.envelope() {
            curves.insert(name.to_owned(), PrCurve::from(envelope.points(&slopes).as_slice()));
        }
    };
    add("logistic", &linear);
    metrics.insert(
        "calibration_error".to_owned(),
        Estimate { ceiling: Some(0.0), ..Estimate::bare(linear.calibration_error()) },
    );
    let others: [(&str, &dyn Classifier, bool); 2] = [
        ("quadratic", &Logistic::QUADRATIC, clouds.dim() <= QUADRATIC_COLUMNS),
        ("knn", &KnnVote { k: None }, true),
    ];
    let mut knn = None;
    for (name, classifier, fits) in others {
        if fits && let Ok(scores) = cross_fitted(clouds, classifier, &folds) {
            add(name, &scores);
            knn = (name == "knn").then_some(scores);
        }
    }
    let scores = [("ratio", linear)].into_iter().chain(knn.map(|scores| ("knn", scores)));
    Ok(Some(Ratio { metrics, curves, scores: scores.collect() }))
}

/// The inception score over the clusters with its two entropies; intervals are of the rows, given the
/// clusters, and ceilings the reference's own values.
fn inception(
    clouds: Clouds<'_>,
    clustering: &Clustering,
    draws: &Draws<'_>,
    pooled: usize,
    metrics: &mut IndexMap<String, Estimate>,
) {
    let members = clouds.sides().map(|rows| clustering.memberships(rows, pooled));
    let half = Subsample::half(clouds.model().rows().max(2));
    let count = if clouds.model().rows() < 4 { 0 } else { draws.resamples };
    let halves = Sides { reference: half, model: half };
    let part = |i: usize| members.model.inception_of(&draws.subsample(i, halves).model);
    let subsamples: Vec<[f64; 3]> = (0..count).into_par_iter().map(part).collect();
    let names = ["inception_score", "inception_entropy", "inception_conditional_entropy"];
    let (values, own) = (members.model.inception(), members.reference.inception());
    for (i, name) in names.into_iter().enumerate() {
        let column: Vec<f64> = subsamples.iter().map(|values| values[i]).collect();
        let range = catalog::measure(name).map_or((0.0, f64::INFINITY), |known| known.range);
        let found = interval(values[i], &column, half.variance_factor(), 0.0, range);
        let estimate = Estimate {
            low: found.map(|found| found.low),
            high: found.map(|found| found.high),
            ceiling: Some(own[i]).filter(|ceiling| ceiling.is_finite()),
            ..Estimate::bare(values[i])
        };
        metrics.insert(name.to_owned(), estimate);
    }
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

/// The AUC with the interval of Hanley & McNeil 1982 and the p-value of Mann & Whitney.
fn auc(scores: &Scores, sizes: Sides<usize>) -> Estimate {
    let a = scores.auc();
    let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
    let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    let variance = (a * (1.0 - a) + (n - 1.0) * (q1 - a * a) + (m - 1.0) * (q2 - a * a)) / (n * m);
    let reach = 1.96 * variance.max(0.0).sqrt();
    let z = (a - 0.5) / ((n + m + 1.0) / (12.0 * n * m)).sqrt();
    Estimate {
        value: a,
        low: Some((a - reach).max(0.0)),
        high: Some((a + reach).min(1.0)),
        ceiling: Some(0.5),
        p_value: Some(normal_cdf(-z)),
    }
}
