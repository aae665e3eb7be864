//! From features as they came to the clouds that are measured: sizes, lengths of rows, reduction.

use rayon::prelude::*;
use std::borrow::Cow;

use super::{
    Normalize, Reduce, ScoreError, ScoreOptions, TextFacts, Unequal,
    calibrate::{Subsample, subsample},
    record::{PcaFacts, Warning},
    support, warnings,
};
use crate::{
    cloud::{
        Clouds, MetricError,
        pca::{Keep, Pca},
    },
    data::{
        matrix::Matrix,
        rows::{ReadRows, UnitRows},
        sides::{Side, Sides},
    },
    rng,
};

/// The clouds that are measured.
pub(super) struct Prepared {
    pub clouds: Sides<Matrix>,
    /// Facts of the texts behind the rows that were kept.
    pub texts: Option<Sides<TextFacts>>,
    pub pca: Option<PcaFacts>,
    pub warnings: Vec<Warning>,
}

/// Draws the larger side down, scales rows and reduces them, as `options` say. A `pca` that was fitted
/// before is applied in place of one fitted to the two sets.
pub(super) fn prepare(
    clouds: Clouds<'_>,
    texts: Option<Sides<&TextFacts>>,
    pca: Option<&Pca>,
    options: &ScoreOptions,
) -> Result<Prepared, ScoreError> {
    let mut notes = Vec::new();
    let sizes = clouds.sides().map(Matrix::rows);
    let subsampled = options.unequal == Unequal::Subsample;
    notes.extend(warnings::unequal_n(sizes.reference, sizes.model, subsampled));
    let kept = |side: Side| -> Option<Vec<usize>> {
        let (n, size) = (*sizes.get(side), sizes.reference.min(sizes.model));
        (subsampled && size < n).then(|| {
            let mut rng = rng::named(options.seed, &format!("{side} subsample"));
            subsample(&mut rng, Subsample { n, size }, &[])
        })
    };
    let rows = Sides { reference: kept(Side::Reference), model: kept(Side::Model) };
    let of_side = |side: Side| {
        let matrix = *clouds.sides().get(side);
        match rows.get(side) {
            Some(rows) => Cow::Owned(matrix.select(rows)),
            None => Cow::Borrowed(matrix),
        }
    };
    let chosen = Sides { reference: of_side(Side::Reference), model: of_side(Side::Model) };
    let chosen = chosen.as_ref().map(Cow::as_ref);
    let unit = (options.normalize == Normalize::L2).then(|| chosen.map(UnitRows::of));
    let scaled: Sides<&dyn ReadRows> = match &unit {
        Some(unit) => unit.as_ref().map(|rows| rows as &dyn ReadRows),
        None => chosen.map(|rows| rows as &dyn ReadRows),
    };
    let whole = || match &unit {
        Some(unit) => unit.as_ref().map(UnitRows::to_matrix),
        None => chosen.map(Matrix::clone),
    };
    let texts = texts.map(|texts| {
        let select = |side: Side| match rows.get(side) {
            Some(rows) => texts.get(side).select(rows),
            None => (*texts.get(side)).clone(),
        };
        Sides { reference: select(Side::Reference), model: select(Side::Model) }
    });

    let precise = clouds.sides().map(|rows| rows.remainder().is_some());
    // Rows that were brought to length 1 differ by what their values were rounded by before.
    let rounding = match options.normalize {
        Normalize::None => 2f64.powi(-46),
        Normalize::L2 if precise.reference && precise.model => 2f64.powi(-46),
        Normalize::L2 => f64::from(f32::EPSILON),
    };
    let fitted = match (pca, options.pca) {
        (Some(pca), _) => Some(pca.clone()),
        (None, Reduce::None) => None,
        (None, Reduce::Share(share)) => fit(scaled, rounding, Keep::Share(share))?,
        (None, Reduce::Components(count)) => {
            let most = scaled.reference.cols();
            fit(scaled, rounding, Keep::Components(count.min(most)))?
        }
    };
    let constant = fitted.is_none() && options.pca != Reduce::None;
    if constant {
        let first = clouds.reference().row(0);
        let alike = |rows: &Matrix| rows.iter_rows().all(|row| row == first);
        let differ = !alike(clouds.reference()) || !alike(clouds.model());
        notes.push(warnings::constant_features(differ));
    }
    let (clouds, facts) = match &fitted {
        // Rounding must not tell rows apart that have one direction.
        None if constant => {
            let whole = whole();
            let same = |rows: &Matrix| whole.reference.select(&vec![0; rows.rows()]);
            (whole.as_ref().map(same), None)
        }
        None => (whole(), None),
        Some(pca) => {
            let (components, explained) = (pca.components(), pca.explained());
            notes.extend(warnings::dominated_spectrum(pca.top_share(), components));
            let projected = scaled.try_map(|rows| pca.project(rows))?;
            (projected, Some(PcaFacts { components, explained }))
        }
    };
    Ok(Prepared { clouds, texts, pca: facts, warnings: notes })
}

/// The components of both sets together; `None` where nothing varies by more than `rounding`, as a share
/// of the length of rows.
fn fit(sets: Sides<&dyn ReadRows>, rounding: f64, keep: Keep) -> Result<Option<Pca>, ScoreError> {
    let pca = Pca::fit(&[sets.model, sets.reference], keep)?;
    let longest = |rows: &dyn ReadRows| {
        let square = |row: &mut Vec<f64>, i| {
            rows.read(i, 0, row);
            row.iter().map(|x| x * x).sum::<f64>()
        };
        let squares = (0..rows.rows()).into_par_iter().map_init(|| vec![0.0; rows.cols()], square);
        squares.reduce(|| 0.0, f64::max)
    };
    let most = longest(sets.reference).max(longest(sets.model));
    Ok((pca.total_variance() > rounding * rounding * most).then_some(pca))
}

/// Checks that texts and features are of the same rows.
pub(super) fn check_texts(
    clouds: Clouds<'_>,
    texts: Option<Sides<&TextFacts>>,
) -> Result<(), ScoreError> {
    let Some(texts) = texts else { return Ok(()) };
    for side in [Side::Reference, Side::Model] {
        let (rows, facts) = (clouds.sides().get(side).rows(), texts.get(side));
        for texts in [facts.tokens.len(), facts.cut.len(), facts.prompts.len()] {
            if texts != rows && texts != 0 {
                return Err(ScoreError::TextsWithoutRows { side, texts, rows });
            }
        }
    }
    Ok(())
}

/// Checks that every ball has its `k`-th neighbor among so many rows, where balls are asked for.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] for the first side that has too few.
pub fn enough_rows(sizes: Sides<usize>, options: &ScoreOptions) -> Result<(), ScoreError> {
    if !options.metrics.asks_any(support::SPECS) {
        return Ok(());
    }
    let k = options.k;
    for side in [Side::Reference, Side::Model] {
        let n = *sizes.get(side);
        if k >= n {
            return Err(MetricError::NoKthNeighbor { side, n, k }.into());
        }
    }
    Ok(())
}

/// The two sets scaled and reduced as a score would, all rows kept.
///
/// # Errors
///
/// Those of [`super::score`].
pub fn prepared_clouds(
    sets: Sides<&Matrix>,
    options: &ScoreOptions,
) -> Result<Sides<Matrix>, ScoreError> {
    let options = ScoreOptions { unequal: Unequal::Keep, ..options.clone() };
    Ok(prepare(Clouds::new(sets)?, None, None, &options)?.clouds)
}
