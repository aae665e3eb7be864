//! P-precision and P-recall: membership that fades with distance.

use super::spec::{Better, Family, Null, Range, Spec, Truth};
use crate::{
    cloud::{
        Clouds, MetricError,
        pass::{Ask, Found},
        prepared::Prepared,
    },
    data::sides::{Side, Sides},
};

/// [`SoftPr::precision`].
pub const P_PRECISION: Spec = Spec {
    name: "p_precision",
    title: "P-precision",
    family: Family::Support,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[Truth::Precision],
    cost: "O((n + m)² d)",
    parameter: None,
};
/// [`SoftPr::recall`].
pub const P_RECALL: Spec =
    Spec { name: "p_recall", title: "P-recall", truth: &[Truth::Recall], ..P_PRECISION };

/// Soft balls: one radius for a whole cloud.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Soft {
    /// Rank of the neighbor whose mean distance sets the radius; 4 in the paper.
    pub k: usize,
    /// Factor on that mean; 1.2 in the paper.
    pub scale: f64,
}

impl Default for Soft {
    fn default() -> Self {
        Self { k: 4, scale: 1.2 }
    }
}

/// P-precision and P-recall, in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftPr {
    /// Mean probability that a row of `Q` lies in the support of `P`.
    pub precision: f64,
    /// Mean probability that a row of `P` lies in the support of `Q`.
    pub recall: f64,
    /// The radii `R`.
    pub radii: Sides<f64>,
}

/// P-precision and P-recall of `Q` against `P`; higher is better.
///
/// ```text
/// R_P         = scale · mean over P of r_k
/// p_precision = mean over Q of 1 − ∏_{x ∈ P} min(1, ‖x − y‖ / R_P)      (p_recall: P and Q exchanged)
/// ```
///
/// In high dimension both come close to 1 for most models.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has no `k`-th other row.
///
/// # Cost and sources
///
/// That of [`super::prdc::prdc`]. Park & Kim 2023, arXiv:2309.01590.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::probabilistic::Soft;
/// # use llmpr::metric::probabilistic::p_precision_recall;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0, 2.0, 3.0]), model: line(&[0.5, 1.5]) };
/// let scores = p_precision_recall(Clouds::new(sets.as_ref())?, Soft { k: 1, scale: 1.0 })?;
/// // All radii are 1. Each text of Q lies half a radius from two references: 1 − ½ · ½.
/// assert_eq!(scores.precision, 0.75);
/// // 0, 1, 2, 3 have the distances ½ and 1½, ½ and ½, 1½ and ½, 2½ and 1½.
/// assert_eq!(scores.recall, (0.5 + 0.75 + 0.5 + 0.0) / 4.0);
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn p_precision_recall(clouds: Clouds<'_>, soft: Soft) -> Result<SoftPr, MetricError> {
    let prepared = Prepared::new(clouds, soft.k)?;
    let mut ask = Ask::default();
    let radii = soft.ask(&prepared, &mut ask);
    let found = prepared.run(&ask);
    Ok(SoftPr::read(&prepared, &found, radii))
}

impl Soft {
    pub(crate) fn ask(self, prepared: &Prepared, ask: &mut Ask) -> Sides<f64> {
        let radius = |side| {
            let radii = prepared.radii(side, self.k);
            self.scale * radii.iter().sum::<f64>() / radii.len() as f64
        };
        let radii = Sides { reference: radius(Side::Reference), model: radius(Side::Model) };
        ask.soft = Some(radii);
        radii
    }
}

impl SoftPr {
    pub(crate) fn read(prepared: &Prepared, found: &Found, radii: Sides<f64>) -> Self {
        let inside = |side| prepared.mean(side, |g| 1.0 - found.soft.get(side)[g]);
        Self { precision: inside(Side::Model), recall: inside(Side::Reference), radii }
    }
}
