//! What follows from log-ratios of rows that the classifier did not see.

use crate::{
    data::sides::{Side, Sides},
    math::special::ln_choose,
    metric::{
        divergence::Divergence,
        envelope::{Envelope, EnvelopeError},
        spec::{Better, Family, Null, Range, Spec},
    },
};

/// [`Scores::auc`] of a linear classifier.
pub const AUC: Spec = Spec {
    name: "auc",
    title: "AUC",
    family: Family::Ratio,
    range: Range::Unit,
    better: Better::Lower,
    null: Null::Known(0.5),
    truth: &[],
    cost: "O((n + m) d) a step of a classifier, in five folds",
    parameter: None,
};
/// [`TwoSampleTest::accuracy`] of a linear classifier.
pub const C2ST_ACCURACY: Spec =
    Spec { name: "c2st_accuracy", title: "Two-sample accuracy of a classifier", ..AUC };
/// [`Scores::tv_lower_bound`] of a linear classifier.
pub const TV_LOWER_BOUND: Spec = Spec {
    name: "tv_lower_bound",
    title: "Lower bound of the total variation",
    null: Null::Known(0.0),
    ..AUC
};
/// [`Scores::calibration_error`] of a linear classifier.
pub const CALIBRATION_ERROR: Spec =
    Spec { name: "calibration_error", title: "Calibration error", ..TV_LOWER_BOUND };

/// `ln r̂ = ln(p/q)` per row of either side, none of them NaN where the features are finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores(Sides<Vec<f64>>);

/// A lower bound with its sampling error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The estimate of the bound.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A classifier two-sample test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoSampleTest {
    /// Mean of the shares of either side told right; ½ where nothing tells them apart.
    pub accuracy: f64,
    /// Chance of as many right answers if labels were exchanged among rows (Fisher's exact test, one-sided).
    pub p_value: f64,
}

impl Scores {
    /// Takes `ln r̂` per row.
    pub fn new(log_ratios: Sides<Vec<f64>>) -> Self {
        Self(log_ratios)
    }

    /// `ln r̂` per row.
    pub fn log_ratios(&self) -> Sides<&[f64]> {
        self.0.as_ref().map(Vec::as_slice)
    }

    /// `r̂ = p/q` per row.
    pub fn ratios(&self) -> Sides<Vec<f64>> {
        self.0.as_ref().map(|of| of.iter().map(|x| x.exp()).collect())
    }

    /// The PR-curve of all thresholds: an upper bound of the true curve at every slope, tight where the
    /// classifier orders texts by the true ratio.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] where a side is empty or a score is NaN.
    pub fn envelope(&self) -> Result<Envelope, EnvelopeError> {
        Envelope::of_scores(self.log_ratios())
    }

    /// Chance that a text of `P` scores above one of `Q`, ties counting half; ½ is no difference.
    pub fn auc(&self) -> f64 {
        auc(self.log_ratios())
    }

    /// Shares told right by `r̂ > 1`: of `P`, of `Q`. A tie at `r̂ = 1` is called `Q`'s.
    fn told_right(&self) -> Sides<u64> {
        let above = |of: &Vec<f64>| of.iter().filter(|&&x| x > 0.0).count() as u64;
        let above = self.0.as_ref().map(above);
        Sides { reference: above.reference, model: self.0.model.len() as u64 - above.model }
    }

    /// Whether the sides can be told apart: accuracy of `r̂ > 1`, with an exact p-value.
    ///
    /// With cross-fitted scores the rows of different folds are judged by different fits, which the
    /// p-value treats as one. Lopez-Paz & Oquab 2017, arXiv:1610.06545.
    pub fn two_sample_test(&self) -> TwoSampleTest {
        let right = self.told_right();
        let (n, m) = (self.0.reference.len() as u64, self.0.model.len() as u64);
        let accuracy = 0.5 * (right.reference as f64 / n as f64 + right.model as f64 / m as f64);
        // Of n + m rows `called` were called P; under the null the n of P are any n of them.
        let called = right.reference + (m - right.model);
        let ln_all = ln_choose(n + m, n);
        let chance =
            |x: u64| (ln_choose(called, x) + ln_choose(n + m - called, n - x) - ln_all).exp();
        let most = called.min(n);
        let p_value = (right.reference..=most).rev().map(chance).sum::<f64>().min(1.0);
        TwoSampleTest { accuracy, p_value }
    }

    /// Lower bound of the total variation, `2 · accuracy − 1`, by the threshold `r̂ > 1`; negative where noise wins.
    pub fn tv_lower_bound(&self) -> Bound {
        let right = self.told_right();
        let share = |side: Side| {
            let n = self.0.get(side).len() as f64;
            let p = *right.get(side) as f64 / n;
            (p, p * (1.0 - p) / n)
        };
        let ((tpr, var_p), (tnr, var_q)) = (share(Side::Reference), share(Side::Model));
        Bound::with_error(tpr + tnr - 1.0, (var_p + var_q).sqrt())
    }

    /// Dual lower bound of an f-divergence with the witness `T = f'(r̂)`:
    ///
    /// ```text
    /// D_f(P‖Q) ≥ E_P T − E_Q f*(T)
    /// ```
    ///
    /// In expectation a lower bound whatever `r̂` is, as long as the rows were not seen in fitting; loose where
    /// `r̂` is badly calibrated, and useless (`−inf`, or a wide interval) where it is badly wrong. The interval
    /// is that of the two means. `None` for divergences without a listed conjugate.
    /// Nguyen et al. 2010, arXiv:0809.0853; Nowozin et al. 2016, arXiv:1606.00709.
    pub fn dual_bound(&self, divergence: Divergence) -> Option<Bound> {
        let witness = |x: &f64| divergence.witness(x.exp());
        let of_p = self.0.reference.iter().map(witness).collect::<Option<Vec<f64>>>()?;
        let of_q = self.0.model.iter().map(|x| divergence.conjugate(witness(x)?));
        let of_q = of_q.collect::<Option<Vec<f64>>>()?;
        let ((gain, var_p), (cost, var_q)) = (mean_and_error(&of_p), mean_and_error(&of_q));
        Some(Bound::with_error(gain - cost, (var_p + var_q).sqrt()))
    }

    /// Expected calibration error: how far the chance of being `P`'s, `r̂/(1 + r̂)`, is from the share that is,
    /// averaged over ten equal intervals of it; the sides weigh alike. 0 is calibrated, at most 1.
    ///
    /// Filtering by a badly calibrated ratio can move a model away from its target.
    pub fn calibration_error(&self) -> f64 {
        let mut bins = [(0.0, 0.0); 10];
        for (side, truth) in [(Side::Reference, 1.0), (Side::Model, 0.0)] {
            let of = self.0.get(side);
            for x in of {
                let chance = 1.0 / (1.0 + (-x).exp());
                let weight = 0.5 / of.len() as f64;
                let (said, was) = &mut bins[((10.0 * chance) as usize).min(9)];
                *said += weight * chance;
                *was += weight * truth;
            }
        }
        bins.iter().map(|(said, was): &(f64, f64)| (said - was).abs()).sum()
    }
}

impl Bound {
    fn with_error(value: f64, error: f64) -> Self {
        let half = 1.959_963_984_540_054 * error;
        Self { value, low: value - half, high: value + half }
    }
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, squares / (n * (n - 1.0).max(1.0)))
}

/// Chance that a value of the reference is above one of the model, ties counting half (Mann–Whitney).
///
/// Of text lengths, it is the AUC of a classifier that reads nothing but length: far from ½, the other measures may
/// be reading length too. `NaN` where a side is empty.
///
/// # Example
///
/// ```
/// # use llmpr::{data::sides::Sides, metric::ratio::auc};
/// assert_eq!(auc(Sides { reference: &[3.0, 2.0][..], model: &[2.0, 1.0][..] }), 0.875);
/// ```
pub fn auc(values: Sides<&[f64]>) -> f64 {
    let mut model = values.model.to_vec();
    model.sort_by(f64::total_cmp);
    // Twice the wins, so that ties stay whole.
    let wins = |x: &f64| {
        let below = model.partition_point(|y| y < x);
        let upto = model.partition_point(|y| y <= x);
        (below + upto) as u64
    };
    let doubled: u64 = values.reference.iter().map(wins).sum();
    doubled as f64 / 2.0 / (values.reference.len() as f64 * model.len() as f64)
}
