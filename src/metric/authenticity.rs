//! Authenticity: how much of what a model writes is no near copy of a reference text.

use super::spec::{Better, Family, Null, Range, Spec};
use crate::{
    cloud::{
        Clouds, MetricError,
        pass::{Ask, Found},
        prepared::Prepared,
    },
    data::sides::Side,
};

/// [`authenticity()`].
pub const AUTHENTICITY: Spec = Spec {
    name: "authenticity",
    title: "Authenticity",
    family: Family::Support,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[],
    cost: "O((n + m)² d)",
    parameter: None,
};

/// Share of `Q` that is farther from its nearest reference row than that row is from its own nearest.
///
/// ```text
/// x*(y) = nearest row of P to y;   authenticity = |{ y ∈ Q : r_1(x*) < ‖x* − y‖ }| / |Q|
/// ```
///
/// About one half for equal distributions in low dimension; near 0 for a model that copies.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has a single row.
///
/// # Cost and sources
///
/// That of [`super::prdc::prdc`]. Alaa et al. 2022, arXiv:2102.08921; `dgm-eval`'s AuthPct over 100.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::authenticity::authenticity;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0, 10.0]), model: line(&[0.25, 3.0]) };
/// // 0.25 is nearer to 0 than any other reference is: a near copy. 3 is 2 from 1, whose own nearest is 1 away.
/// assert_eq!(authenticity(Clouds::new(sets.as_ref())?)?, 0.5);
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn authenticity(clouds: Clouds<'_>) -> Result<f64, MetricError> {
    let prepared = Prepared::new(clouds, 1)?;
    let found = prepared.run(&Ask { nearest: true, ..Ask::default() });
    Ok(read(&prepared, &found))
}

pub(crate) fn read(prepared: &Prepared, found: &Found) -> f64 {
    let radii = prepared.squared_radii(Side::Reference, 1);
    prepared.share(Side::Model, |g| {
        let near = found.nearest.model[g];
        radii[near.row as usize] < near.squared
    })
}
