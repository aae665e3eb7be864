//! PR cover: how many rows of the other set a ball of larger rank takes in.

use super::spec::{Better, Family, Null, Range, Spec, Truth};
use crate::{
    cloud::{
        Clouds, MetricError,
        neighbors::Ties,
        pass::{Ask, Found},
        prepared::Prepared,
    },
    data::sides::Side,
};

/// [`CoverPr::precision`].
pub const COVER_PRECISION: Spec = Spec {
    name: "cover_precision",
    title: "Cover precision",
    family: Family::Support,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[Truth::Precision],
    cost: "O((n + m)² d)",
    parameter: None,
};
/// [`CoverPr::recall`].
pub const COVER_RECALL: Spec = Spec {
    name: "cover_recall",
    title: "Cover recall",
    truth: &[Truth::Recall],
    ..COVER_PRECISION
};

/// Whether a row is its own first neighbor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Own {
    /// The `k'`-th other row sets the radius: the authors' repository.
    #[default]
    Excluded,
    /// The row itself is the first: the paper's pseudo-code.
    Counted,
}

/// Ranks of PR cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Rows of the other cloud that a ball must hold; 3 in the paper.
    pub k: usize,
    /// `k' = times · k` is the rank that sets the radius; 3 in the paper.
    pub times: usize,
    /// Whether a row is its own first neighbor.
    pub own: Own,
}

impl Default for Cover {
    fn default() -> Self {
        Self { k: 3, times: 3, own: Own::Excluded }
    }
}

/// Cover precision and recall, in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoverPr {
    /// Share of `Q` whose ball holds at least `k` rows of `P`.
    pub precision: f64,
    /// Share of `P` whose ball holds at least `k` rows of `Q`.
    pub recall: f64,
}

/// Cover precision and recall of `Q` against `P`; higher is better.
///
/// ```text
/// cover_precision = |{ y ∈ Q : |{ x ∈ P : ‖x − y‖ ≤ r_{k'}(y) }| ≥ k }| / |Q|    (recall: P and Q exchanged)
/// ```
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has no row of rank `k'`.
///
/// # Cost and sources
///
/// That of [`super::prdc::prdc`]. Cheema & Urner 2023; their repository calls the two by each other's
/// name when the reference comes first.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::cover::Cover;
/// # use llmpr::metric::cover::pr_cover;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0, 2.0, 3.0]), model: line(&[0.5, 0.75]) };
/// let nearest = Cover { k: 1, times: 1, ..Cover::default() };
/// let scores = pr_cover(Clouds::new(sets.as_ref())?, nearest)?;
/// assert_eq!(scores.precision, 0.5); // balls of radius 0.25: that of 0.75 reaches 1
/// assert_eq!(scores.recall, 0.5); // balls of radius 1: those of 0 and 1 hold a text of Q
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn pr_cover(clouds: Clouds<'_>, cover: Cover) -> Result<CoverPr, MetricError> {
    let prepared = Prepared::new(clouds, cover.rank())?;
    let mut ask = Ask::default();
    let at = cover.ask(&prepared, &mut ask);
    let found = prepared.run(&ask);
    Ok(cover.read(&prepared, &found, at))
}

impl Cover {
    /// Rank among other rows of the neighbor that sets the radius.
    pub(crate) fn rank(self) -> usize {
        let rank = self.k * self.times;
        match self.own {
            Own::Excluded => rank,
            Own::Counted => rank.saturating_sub(1),
        }
    }

    pub(crate) fn ask(self, prepared: &Prepared, ask: &mut Ask) -> usize {
        let at = ask.balls.len();
        for side in [Side::Reference, Side::Model] {
            ask.balls.push(prepared.balls(side, self.rank(), Ties::Inclusive));
        }
        at
    }

    pub(crate) fn read(self, prepared: &Prepared, found: &Found, at: usize) -> CoverPr {
        let enough = |at: usize, g: usize| found.counts[at].held[g] as usize >= self.k;
        CoverPr {
            precision: prepared.share(Side::Model, |g| enough(at + 1, g)),
            recall: prepared.share(Side::Reference, |g| enough(at, g)),
        }
    }
}
