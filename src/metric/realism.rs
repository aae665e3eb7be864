//! Realism: how deep each generated text lies in the support of the reference.

use super::spec::{Better, Family, Null, Range, Spec};
use crate::{
    cloud::{Clouds, MetricError, pass::Ask, prepared::Prepared},
    data::sides::Side,
    math::quantile::median,
};

/// Share of the model's rows with a [`realism()`] of at least 1.
pub const REALISM_SHARE: Spec = Spec {
    name: "realism_share",
    title: "Share of realistic texts",
    family: Family::Extra,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[],
    cost: "O((n + m)² d)",
    parameter: None,
};

/// Per row of `Q`: the largest `radius / distance` over the reference balls of less than median radius.
///
/// ```text
/// realism(y) = max { r_k(x) / ‖x − y‖ : x ∈ P, r_k(x) < median r_k }
/// ```
///
/// At least 1 inside such a ball; infinite on a copy of a center, unless its radius is 0: then that ball
/// holds nothing. NaN where no radius lies below the median.
///
/// # Arguments
///
/// * `k`: rank of the neighbor that sets a radius; 3 in the paper.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has no `k`-th other row.
///
/// # Cost and sources
///
/// That of [`super::prdc::prdc`]. Kynkäänniemi et al. 2019, arXiv:1904.06991.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::realism::realism;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0, 3.0, 7.0]), model: line(&[1.5, 5.0]) };
/// // Radii 1, 1, 2, 4: the balls of 0 and 1 are below the median.
/// let realism = realism(Clouds::new(sets.as_ref())?, 1)?;
/// assert_eq!(realism, [2.0, 0.25]); // half a radius from 1; four radii from it
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn realism(clouds: Clouds<'_>, k: usize) -> Result<Vec<f64>, MetricError> {
    let prepared = Prepared::new(clouds, k)?;
    let mut ask = Ask::default();
    let any = self::ask(&prepared, k, &mut ask);
    let found = prepared.run(&ask);
    Ok(of_rows(&prepared, any, found.realism))
}

/// The realism of each row, from what was found of [`ask`].
pub(crate) fn of_rows(prepared: &Prepared, any: bool, found: Vec<f64>) -> Vec<f64> {
    let of_row = |ratio: f64| if any { ratio.sqrt() } else { f64::NAN };
    let realism: Vec<f64> = found.into_iter().map(of_row).collect();
    prepared.space.0.model.distinct.spread(&realism)
}

/// Asks for realism; whether any ball is left to measure it by.
pub(crate) fn ask(prepared: &Prepared, k: usize, ask: &mut Ask) -> bool {
    let around = Side::Reference;
    let limit = median(prepared.radii(around, k));
    let kept: Vec<f64> = prepared
        .squared_radii(around, k)
        .into_iter()
        .map(|squared| if squared.sqrt() < limit { squared } else { -1.0 })
        .collect();
    let any = kept.iter().any(|&squared| squared >= 0.0);
    ask.realism = Some(kept);
    any
}
