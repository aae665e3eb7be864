//! Precision, recall, density and coverage by balls to the `k`-th neighbor.

use super::spec::{Better, Family, Null, Range, Spec, Truth};
use crate::{
    cloud::{
        Clouds, MetricError,
        equal_rows::Distinct,
        neighbors::Ties,
        pass::{Ask, Counts},
        prepared::Prepared,
    },
    data::sides::{Side, Sides},
};

/// [`Prdc::precision`].
pub const PRECISION: Spec = Spec {
    name: "precision",
    title: "Precision",
    family: Family::Support,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[Truth::Precision],
    cost: "O((n + m)² d)",
    parameter: None,
};
/// [`Prdc::recall`].
pub const RECALL: Spec = Spec {
    name: "recall",
    title: "Recall",
    truth: &[Truth::Recall, Truth::RecallAccepted],
    ..PRECISION
};
/// [`Prdc::density`].
pub const DENSITY: Spec = Spec {
    name: "density",
    title: "Density",
    range: Range::Positive,
    null: Null::Known(super::nulls::DENSITY),
    ..PRECISION
};
/// [`Prdc::coverage`].
pub const COVERAGE: Spec = Spec {
    name: "coverage",
    title: "Coverage",
    better: Better::Higher,
    null: Null::Coverage,
    truth: &[Truth::Recall, Truth::RecallAccepted],
    ..PRECISION
};
/// [`Prdc::comp_precision`].
pub const COMP_PRECISION: Spec =
    Spec { name: "comp_precision", title: "Complementary precision", ..PRECISION };
/// [`Prdc::sym_precision`].
pub const SYM_PRECISION: Spec =
    Spec { name: "sym_precision", title: "Symmetric precision", ..PRECISION };
/// [`Prdc::sym_recall`].
pub const SYM_RECALL: Spec =
    Spec { name: "sym_recall", title: "Symmetric recall", truth: &[Truth::Recall], ..PRECISION };

/// Precision, recall and their relatives at one `k`; every value but density lies in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prdc {
    /// Share of `Q` inside a ball of `P`.
    pub precision: f64,
    /// Share of `P` inside a ball of `Q`.
    pub recall: f64,
    /// Mean number of balls of `P` that hold a row of `Q`, over `k`; 1 for equal distributions.
    pub density: f64,
    /// Share of `P` whose ball holds a row of `Q`.
    pub coverage: f64,
    /// Share of `Q` whose ball holds a row of `P`.
    pub comp_precision: f64,
    /// `min(precision, comp_precision)` (Khayatkhoei & AbdAlmageed 2023).
    pub sym_precision: f64,
    /// `min(recall, coverage)` (Khayatkhoei & AbdAlmageed 2023).
    pub sym_recall: f64,
}

impl std::fmt::Display for Prdc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { precision, recall, density, coverage, .. } = self;
        write!(f, "precision {precision} recall {recall} density {density} coverage {coverage}")
    }
}

/// Precision, recall, density and coverage of `Q` against `P`; higher is better.
///
/// The support of a cloud is the union of balls around its rows, each reaching to
/// the row's `k`-th nearest other row:
///
/// ```text
/// precision = |{ y ∈ Q : ∃ x ∈ P, ‖x − y‖ < r_k(x) }| / |Q|        (recall: P and Q exchanged)
/// density   = Σ_y |{ x ∈ P : ‖x − y‖ < r_k(x) }| / (k |Q|)
/// coverage  = |{ x ∈ P : ∃ y ∈ Q, ‖x − y‖ < r_k(x) }| / |P|        (comp_precision: P and Q exchanged)
/// ```
///
/// # Arguments
///
/// * `clouds`: `P` is `n × d` and `Q` is `m × d`, in one feature space. Distances are Euclidean.
/// * `k`: rank of the neighbor that sets a radius, `1 ≤ k < min(n, m)`. Papers use 3 to 5.
/// * `ties`: whether a point exactly on a radius is inside; the formulas show [`Ties::Strict`].
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has no `k`-th other row.
///
/// # Cost and sources
///
/// `O((n + m)² d)` time, `O((n + m) (d + k))` memory.
/// Kynkäänniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797. Checked against `prdc` 0.2.
///
/// # Example
///
/// ```
/// # use llmpr::cloud::{Clouds, neighbors::Ties};
/// # use llmpr::{data::{matrix::Matrix, sides::Sides}, metric::prdc::prdc};
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0, 2.0, 3.0]), model: line(&[0.5, 0.8]) };
/// let scores = prdc(Clouds::new(sets.as_ref())?, 1, Ties::Strict)?;
/// assert_eq!(scores.precision, 1.0); // both texts are plausible
/// assert_eq!(scores.recall, 0.25); // but they reach only the second of four references
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn prdc(clouds: Clouds<'_>, k: usize, ties: Ties) -> Result<Prdc, MetricError> {
    Ok(prdc_at(clouds, &[k], ties)?[0])
}

/// [`prdc`] at every `k` of `ks`, from one search and one pass.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] for the first `k` that a cloud has no neighbor of.
pub fn prdc_at(clouds: Clouds<'_>, ks: &[usize], ties: Ties) -> Result<Vec<Prdc>, MetricError> {
    for (side, n) in [Side::Reference, Side::Model].map(|s| (s, clouds.sides().get(s).rows())) {
        if let Some(&k) = ks.iter().find(|&&k| k == 0 || k >= n) {
            return Err(MetricError::NoKthNeighbor { side, n, k });
        }
    }
    let Some(&rank) = ks.iter().max() else { return Ok(Vec::new()) };
    let prepared = Prepared::new(clouds, rank)?;
    let both = ks.iter().flat_map(|&k| {
        [Side::Reference, Side::Model].map(|around| prepared.balls(around, k, ties))
    });
    let found = prepared.run(&Ask { balls: both.collect(), ..Ask::default() });
    let distinct = prepared.space.0.as_ref().map(|rows| &rows.distinct);
    let of_k = |(&k, counts): (&usize, &[Counts])| {
        Prdc::from_counts(distinct, k, Sides { reference: &counts[0], model: &counts[1] })
    };
    Ok(ks.iter().zip(found.counts.chunks_exact(2)).map(of_k).collect())
}

impl Prdc {
    /// From the memberships in the balls of either side.
    pub(crate) fn from_counts(
        distinct: Sides<&Distinct>,
        k: usize,
        counts: Sides<&Counts>,
    ) -> Self {
        let precision = share(distinct.model, &counts.reference.holding);
        let recall = share(distinct.reference, &counts.model.holding);
        let coverage = share(distinct.reference, &counts.reference.held);
        let comp_precision = share(distinct.model, &counts.model.held);
        let copies = distinct.model.copies.iter().zip(&counts.reference.holding);
        let held: u64 = copies.map(|(&copies, &balls)| u64::from(copies) * u64::from(balls)).sum();
        let m = distinct.model.of.len();
        Self {
            precision,
            recall,
            density: held as f64 / (k * m) as f64,
            coverage,
            comp_precision,
            sym_precision: precision.min(comp_precision),
            sym_recall: recall.min(coverage),
        }
    }
}

/// Share of rows with a count above 0.
fn share(distinct: &Distinct, counts: &[u32]) -> f64 {
    let copies = distinct.copies.iter().zip(counts).filter(|&(_, &count)| count > 0);
    let rows: u64 = copies.map(|(&copies, _)| u64::from(copies)).sum();
    rows as f64 / distinct.of.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::matrix::Matrix;

    fn line(xs: &[f32]) -> Matrix {
        Matrix::new(1, xs.to_vec()).unwrap()
    }

    #[test] // closed form
    fn a_model_that_repeats_one_mode_is_precise_but_does_not_recall() {
        // P has modes at 0 and 100; Q writes only the first.
        let reference = line(&[0.0, 1.0, 2.0, 100.0, 101.0, 102.0]);
        let sets = Sides { reference, model: line(&[0.5, 1.5, 1.0]) };
        let scores = prdc(Clouds::new(sets.as_ref()).unwrap(), 2, Ties::Strict).unwrap();
        assert_eq!((scores.precision, scores.recall, scores.coverage), (1.0, 0.5, 0.5));
    }

    #[test]
    fn copies_are_neighbors_at_distance_zero() {
        // Every reference row has a copy: all balls of k = 1 are points, and only a copy is on them.
        let sets =
            Sides { reference: line(&[0.0, 0.0, 5.0, 5.0]), model: line(&[0.0, 0.0, 0.0, 9.0]) };
        let clouds = Clouds::new(sets.as_ref()).unwrap();
        let strict = prdc(clouds, 1, Ties::Strict).unwrap();
        assert_eq!((strict.precision, strict.density, strict.coverage), (0.0, 0.0, 0.0));
        assert_eq!(strict.recall, 0.5, "the ball around 9 holds 5 and ends at 0");
        let inclusive = prdc(clouds, 1, Ties::Inclusive).unwrap();
        assert_eq!((inclusive.precision, inclusive.density), (0.75, 1.5));
        assert_eq!((inclusive.recall, inclusive.coverage), (1.0, 0.5));
    }

    #[test]
    fn a_rank_beyond_the_rows_is_an_error_and_not_a_number() {
        let sets = Sides { reference: line(&[0.0, 1.0, 2.0]), model: line(&[0.0, 1.0]) };
        let clouds = Clouds::new(sets.as_ref()).unwrap();
        for k in [0, 2] {
            let error = prdc(clouds, k, Ties::Strict).unwrap_err();
            assert!(
                matches!(error, MetricError::NoKthNeighbor { k: of, .. } if of == k),
                "{error}"
            );
        }
    }
}
