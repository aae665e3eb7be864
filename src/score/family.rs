//! Measures that are computed together, and how what is needed to read them is drawn.

use rayon::prelude::*;

use super::{
    ScoreError,
    calibrate::Subsample,
    draws::{Draws, Parts, SPLITS},
    estimate::{self, Estimated, Readings, Sizes, ceiling, mean, variance_of_mean},
};
use crate::{
    data::sides::Sides,
    metric::spec::{Measured, Null, Spec},
};

/// Multiplications that the subsamples of one family take together, beyond the least number of them: some seconds on
/// one core. Sixty subsamples leave an interval's width uncertain by a tenth, and two hundred by a twentieth.
const BUDGET: f64 = 2.5e10;
/// Subsamples below which an interval says little.
const LEAST_SUBSAMPLES: usize = 20;
/// Multiplications above which even the least number of subsamples, and the parts of a ceiling, shrink.
const MOST: f64 = 4e11;
/// Rows below which subsamples do not shrink.
const LEAST_ROWS: usize = 1000;

/// What measures are computed on: rows of two sides, some of which can be taken.
pub(super) trait Rows: Sync + Sized {
    /// Whether values under exchanged labels cost little enough to be drawn one by one.
    const EXCHANGED: bool = false;

    /// Rows of either side that draws are made from.
    fn sizes(&self) -> Sides<usize>;

    /// Columns, where they decide the cost.
    fn dim(&self) -> usize {
        0
    }

    /// Some rows as two sides; they index the reference's rows followed by the model's and ascend.
    fn select(&self, rows: &Sides<Vec<usize>>) -> Self;

    /// By what the variance over subsamples is multiplied.
    fn variance_factor(&self, at: Subsample) -> f64 {
        at.variance_factor()
    }

    /// Each of several views that values are averaged over, alone; empty where there is but one.
    fn views(&self) -> Vec<Self> {
        Vec::new()
    }
}

/// Draws of rows as [`Rows::select`] takes them, made when they are asked for.
#[derive(Clone, Copy)]
pub(super) struct Many<'a> {
    pub count: usize,
    pub rows: &'a (dyn Fn(usize) -> Sides<Vec<usize>> + Sync),
}

/// Values as the labels are, and one list for each exchange of labels.
pub(super) type Exchanged = (Vec<Measured>, Vec<Vec<Measured>>);

/// Values of all rows, and one list for each subsample.
pub(super) type WithSubsamples = (Vec<Measured>, Vec<Vec<Measured>>);

/// Measures that share their work. Every value says which measure it is of, so lists are joined by that.
pub(super) trait Measures<R: Rows>: Sync {
    /// The measures that there are values of; those with a parameter may come more than once.
    fn specs(&self) -> &'static [&'static Spec];

    /// Whether one of them is asked for; what only the others need is left out.
    fn asks(&self, _spec: &Spec) -> bool {
        true
    }

    /// Their values; NaN where one is undefined.
    ///
    /// # Errors
    ///
    /// [`ScoreError`] where the rows have no values at all.
    fn values(&self, rows: &R) -> Result<Vec<Measured>, ScoreError>;

    /// The values on each of many draws, in order; draws that are too small are left out.
    fn of_draws(&self, rows: &R, draws: Many<'_>) -> Vec<Vec<Measured>> {
        let one = |i: usize| {
            crate::data::stop::check();
            self.values(&rows.select(&(draws.rows)(i))).ok()
        };
        (0..draws.count).into_par_iter().filter_map(one).collect()
    }

    /// The values on subsamples; measures without an interval are left out.
    fn subsamples(&self, rows: &R, draws: Many<'_>) -> Vec<Vec<Measured>> {
        self.of_draws(rows, draws)
    }

    /// [`Self::values`] and [`Self::subsamples`].
    ///
    /// # Errors
    ///
    /// Those of [`Self::values`].
    fn with_subsamples(&self, rows: &R, draws: Many<'_>) -> Result<WithSubsamples, ScoreError> {
        Ok((self.values(rows)?, self.subsamples(rows, draws)))
    }

    /// The values under exchanged labels; empty where there are no p-values.
    ///
    /// # Errors
    ///
    /// [`ScoreError`] where the rows have no values at all.
    fn exchanged(&self, rows: &R, draws: &Draws<'_>) -> Result<Exchanged, ScoreError> {
        let count = if R::EXCHANGED { draws.permutations } else { 0 };
        let sizes = rows.sizes();
        let relabeled = |i: usize| draws.relabeled(i, sizes);
        Ok((Vec::new(), self.of_draws(rows, Many { count, rows: &relabeled })))
    }

    /// What the reference scores against itself; empty where that is not known.
    fn ceilings(&self, rows: &R, draws: &Draws<'_>) -> Vec<Measured> {
        of_halves(self, rows, draws)
    }

    /// Multiplications of one evaluation, roughly; those in `f64` count twice. 0 where they do not matter.
    fn cost(&self, _sizes: Sides<usize>, _d: usize) -> f64 {
        0.0
    }

    /// The same of one subsample among many.
    fn part_cost(&self, at: Sides<Subsample>, d: usize) -> f64 {
        self.cost(at.map(|part| part.size), d)
    }

    /// Subsamples at most.
    fn most_subsamples(&self) -> usize {
        usize::MAX
    }

    /// Variance of the values that no draw of rows shows, such as that between ways of computing one.
    fn further_variance(&self) -> Vec<Measured> {
        Vec::new()
    }

    /// Puts right what is known better than by draws: closed forms of intervals, ceilings and p-values.
    ///
    /// # Errors
    ///
    /// [`ScoreError`] where the rows have no values at all.
    fn amend(
        &self,
        _rows: &R,
        _draws: &Draws<'_>,
        _found: &mut [Estimated],
    ) -> Result<(), ScoreError> {
        Ok(())
    }
}

/// Values of `measures` with all that is needed to read them.
///
/// # Errors
///
/// Those of [`Measures::values`].
pub(super) fn estimates<R: Rows, M: Measures<R> + ?Sized>(
    measures: &M,
    rows: &R,
    draws: &Draws<'_>,
    sizes: Sizes,
) -> Result<Vec<Estimated>, ScoreError> {
    let with_subsamples = |many: Many<'_>| measures.with_subsamples(rows, many);
    read(measures, rows, draws, sizes, with_subsamples)
}

/// As [`estimates`], where the values are known already.
pub(super) fn estimates_of<R: Rows, M: Measures<R> + ?Sized>(
    measures: &M,
    values: &[Measured],
    rows: &R,
    draws: &Draws<'_>,
    sizes: Sizes,
) -> Result<Vec<Estimated>, ScoreError> {
    let subsamples = |many: Many<'_>| Ok((values.to_vec(), measures.subsamples(rows, many)));
    read(measures, rows, draws, sizes, subsamples)
}

fn read<R: Rows, M: Measures<R> + ?Sized>(
    measures: &M,
    rows: &R,
    draws: &Draws<'_>,
    of: Sizes,
    with_subsamples: impl Fn(Many<'_>) -> Result<WithSubsamples, ScoreError>,
) -> Result<Vec<Estimated>, ScoreError> {
    let sizes = rows.sizes();
    let (count, at) = plan(measures, sizes, rows.dim(), draws.resamples);
    let parts = |i: usize| pooled(draws.subsample(i, at), sizes.reference);
    let (values, subsamples) = with_subsamples(Many { count, rows: &parts })?;
    let (observed, relabeled) = measures.exchanged(rows, draws)?;
    let views: Vec<Vec<Measured>> =
        rows.views().iter().filter_map(|view| measures.values(view).ok()).collect();
    let readings = Readings {
        subsamples,
        variance_factor: rows.variance_factor(at.reference),
        relabeled,
        observed,
        ceilings: measures.ceilings(rows, draws),
        extra: [variance_of_mean(&views), measures.further_variance()].concat(),
    };
    let mut found = estimate::read(&values, &readings, of);
    measures.amend(rows, draws, &mut found)?;
    Ok(found)
}

/// Rows of both sides, each counted from 0, as [`Rows::select`] counts them: the model's after the reference's.
pub(super) fn pooled(rows: Sides<Vec<usize>>, reference: usize) -> Sides<Vec<usize>> {
    Sides { model: rows.model.into_iter().map(|row| reference + row).collect(), ..rows }
}

/// How many subsamples of which size stay within the budget.
pub(super) fn plan<R: Rows, M: Measures<R> + ?Sized>(
    measures: &M,
    sizes: Sides<usize>,
    d: usize,
    asked: usize,
) -> (usize, Sides<Subsample>) {
    let mut at = sizes.map(|n| Subsample::half(n.max(2)));
    if asked == 0 || sizes.reference.min(sizes.model) < 4 {
        return (0, at);
    }
    let cost = |at: Sides<Subsample>| measures.part_cost(at, d).max(1.0);
    while cost(at) * LEAST_SUBSAMPLES as f64 > MOST && at.reference.size > LEAST_ROWS {
        at = at.map(|part| Subsample { size: (part.size / 2).max(1), ..part });
    }
    let affordable = (BUDGET / cost(at)) as usize;
    (asked.min(affordable.max(LEAST_SUBSAMPLES)).min(measures.most_subsamples()), at)
}

/// Parts of the reference against each other at the sizes' ratio, carried on to the full sizes; empty where
/// the reference is too small, or no measure needs it.
pub(super) fn of_halves<R: Rows, M: Measures<R> + ?Sized>(
    measures: &M,
    rows: &R,
    draws: &Draws<'_>,
) -> Vec<Measured> {
    let needs = |spec: &&&Spec| {
        measures.asks(spec) && matches!(spec.null, Null::Halves(_) | Null::OwnValue)
    };
    if !measures.specs().iter().any(|spec| needs(&spec)) {
        return Vec::new();
    }
    let Sides { reference: n, model: m } = rows.sizes();
    let Some(mut parts) = Parts::of(n, m) else { return Vec::new() };
    let cost = |parts: Parts| {
        let sizes = Sides { reference: parts.reference, model: parts.model };
        measures.cost(sizes, rows.dim()) * SPLITS as f64
    };
    while cost(parts) > MOST && parts.reference > LEAST_ROWS {
        parts = parts.halved();
    }
    let at = |parts: Parts| -> Option<Vec<Measured>> {
        let split = |i: usize| {
            let [reference, model] = draws.split(i, n, parts);
            Sides { reference, model }
        };
        let values = measures.of_draws(rows, Many { count: SPLITS, rows: &split });
        (values.len() == SPLITS).then(|| mean(&values))
    };
    let (Some(larger), Some(smaller)) = (at(parts), at(parts.halved())) else {
        return Vec::new();
    };
    let carried = |large: Measured| {
        let small = smaller.iter().find(|small| small.is_of(&large))?;
        Some(Measured { value: ceiling(large, small.value, parts.doublings(n)), ..large })
    };
    larger.into_iter().filter_map(carried).collect()
}
