//! Measures by balls around rows.

use rayon::prelude::*;

use super::{
    Metrics, ScoreError, ScoreOptions,
    calibrate::Subsample,
    cloud_rows::CloudRows,
    draws::Draws,
    estimate::{Estimated, find},
    exchange::Pooled,
    family::{Exchanged, Many, Measures, Rows},
};
use crate::{
    cloud::{Clouds, MetricError, distances::Distances, nearby::Nearby, neighbors::Ties},
    data::{matrix::Matrix, sides::Sides},
    metric::{
        alpha::{ALPHA_PRECISION, BETA_RECALL},
        authenticity::AUTHENTICITY,
        clipped::{CLIPPED_COVERAGE, CLIPPED_DENSITY},
        cover::{COVER_PRECISION, COVER_RECALL},
        extrapolated::{MODES_REACHED, RECALL_EXTRAPOLATED, Ranks},
        nulls,
        prdc::{
            COMP_PRECISION, COVERAGE, DENSITY, PRECISION, Prdc, RECALL, SYM_PRECISION, SYM_RECALL,
        },
        probabilistic::{P_PRECISION, P_RECALL},
        spec::{Measured, Null, Spec},
        support::{self, Parts, SupportOptions, Values, some_of, some_of_parts},
    },
};

/// [`Support`] in the order of the table.
pub(super) const SPECS: &[&Spec] = &[
    &PRECISION,
    &RECALL,
    &DENSITY,
    &COVERAGE,
    &COMP_PRECISION,
    &SYM_PRECISION,
    &SYM_RECALL,
    &CLIPPED_DENSITY,
    &CLIPPED_COVERAGE,
    &P_PRECISION,
    &P_RECALL,
    &COVER_PRECISION,
    &COVER_RECALL,
    &ALPHA_PRECISION,
    &BETA_RECALL,
    &AUTHENTICITY,
    &RECALL_EXTRAPOLATED,
    &MODES_REACHED,
];

/// The support family at one rank.
#[derive(Clone, Copy)]
pub(super) struct Support<'a> {
    asked: &'a Metrics,
    /// What lies near each row, the reference's before the model's or the reference's alone, where draws read it.
    nearby: Option<&'a Nearby<'a>>,
    k: usize,
    ties: Ties,
    /// How far recall extrapolated at one rank is from that at another.
    between_ranks: f64,
}

/// Standard deviations that the distance between two ranks is taken for, so that intervals of recall extrapolated hold
/// the truth as often as docs/decisions.md says.
const DEVIATIONS: f64 = 1.25;

/// The measures that the balls of precision and recall give.
const OF_BALLS: [&Spec; 7] =
    [&PRECISION, &RECALL, &DENSITY, &COVERAGE, &COMP_PRECISION, &SYM_PRECISION, &SYM_RECALL];

impl<'a> Support<'a> {
    /// As `options` say.
    pub fn of(options: &'a ScoreOptions) -> Self {
        Self {
            asked: &options.metrics,
            nearby: None,
            k: options.k,
            ties: options.ties,
            between_ranks: 0.0,
        }
    }

    fn options(&self) -> SupportOptions {
        SupportOptions { ks: vec![self.k], ties: self.ties, ..SupportOptions::default() }
    }

    /// The whole family with the details of rows.
    ///
    /// # Errors
    ///
    /// [`MetricError::NoKthNeighbor`].
    pub fn whole(&self, clouds: Clouds<'_>) -> Result<support::Support, MetricError> {
        support::support(clouds, &self.options())
    }

    /// The measures that are asked for.
    ///
    /// # Errors
    ///
    /// [`MetricError::NoKthNeighbor`].
    pub fn some(&self, clouds: Clouds<'_>) -> Result<Values, MetricError> {
        some_of(clouds, &self.options(), self.parts())
    }

    /// The same measures with draws read from what lies near each row.
    pub fn with<'b>(self, nearby: &'b Nearby<'b>) -> Support<'b>
    where
        'a: 'b,
    {
        Support { nearby: Some(nearby), ..self }
    }

    /// The same measures with intervals that count how far `found` differs between ranks.
    pub fn knowing(self, found: &Values) -> Self {
        let between_ranks = found.reached.map_or(0.0, |reached| reached.between_ranks);
        Self { between_ranks, ..self }
    }

    /// Whether parts of the reference are held against each other.
    pub fn has_ceilings_of_halves(&self) -> bool {
        SPECS.iter().any(|spec| self.asked.asks(spec) && matches!(spec.null, Null::Halves(_)))
    }

    /// What draws are read from: the reference's rows alone suffice for ceilings.
    ///
    /// # Errors
    ///
    /// [`MetricError::NoKthNeighbor`] for a single row.
    pub fn nearby<'b>(
        &self,
        rows: &'b Matrix,
        sizes: Sides<usize>,
    ) -> Result<Nearby<'b>, MetricError> {
        let (rank, share) = self.drawn_rank(sizes, rows.rows()).unwrap_or((1, 1.0));
        let nearby = Nearby::find(rows, rank, share)?;
        Ok(if self.parts().soft { nearby.keeping_distances(sizes.reference) } else { nearby })
    }

    /// The largest rank of a neighbor.
    pub fn rank(&self, sizes: Sides<usize>) -> usize {
        self.parts().rank(sizes, &self.options())
    }

    /// The largest rank of a neighbor in parts of `drawn` rows, and the share of these that the smallest part holds;
    /// `None` where no row is drawn.
    pub fn drawn_rank(&self, sizes: Sides<usize>, drawn: usize) -> Option<(usize, f64)> {
        let Sides { reference: n, model: m } = sizes;
        // The smallest of the parts that are drawn: half of a ceiling's part of the reference.
        let least = n.min(m) as f64 / (n + m) as f64 * n as f64 / 2.0;
        (drawn > 0).then(|| (self.rank(sizes), least / drawn as f64))
    }

    fn parts(&self) -> Parts {
        let any = |specs: &[&Spec]| self.asked.asks_any(specs);
        Parts {
            balls: any(&OF_BALLS),
            clipped: any(&[&CLIPPED_DENSITY, &CLIPPED_COVERAGE]),
            soft: any(&[&P_PRECISION, &P_RECALL]),
            cover: any(&[&COVER_PRECISION, &COVER_RECALL]),
            alpha: any(&[&ALPHA_PRECISION, &BETA_RECALL]),
            authenticity: any(&[&AUTHENTICITY]),
            reached: any(&[&RECALL_EXTRAPOLATED, &MODES_REACHED]),
            rows: false,
        }
    }

    /// The measures of one draw, from what lies near each row.
    fn of_draw(&self, rows: &CloudRows<'_>, draw: &Sides<Vec<usize>>) -> Option<Vec<Measured>> {
        let parts = self.parts();
        let alone = parts.alpha.then(|| rows.select(draw));
        let alone = match &alone {
            Some(alone) => Some(alone.clouds().ok()?.sides()),
            None => None,
        };
        let of = draw.as_ref().map(Vec::as_slice);
        let found = some_of_parts(self.nearby?, of, alone, &self.options(), parts);
        found.as_ref().map(Self::named)
    }

    /// What was found, by name; NaN where a cloud has too few rows.
    pub fn named(found: &Values) -> Vec<Measured> {
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let (clipped, soft, cover) = (&found.clipped, &found.soft, &found.cover);
        let mut values: Vec<Measured> = found.prdc.as_ref().map_or(Vec::new(), of_prdc);
        values.extend([
            CLIPPED_DENSITY.of(or_nan(clipped.as_ref().map(|clipped| clipped.density))),
            CLIPPED_COVERAGE.of(or_nan(clipped.as_ref().map(|clipped| clipped.coverage))),
            P_PRECISION.of(or_nan(soft.as_ref().map(|soft| soft.precision))),
            P_RECALL.of(or_nan(soft.as_ref().map(|soft| soft.recall))),
            COVER_PRECISION.of(or_nan(cover.as_ref().map(|cover| cover.precision))),
            COVER_RECALL.of(or_nan(cover.as_ref().map(|cover| cover.recall))),
            ALPHA_PRECISION.of(or_nan(found.alpha.as_ref().map(|alpha| alpha.alpha_precision))),
            BETA_RECALL.of(or_nan(found.alpha.as_ref().map(|alpha| alpha.beta_recall))),
            AUTHENTICITY.of(or_nan(found.authenticity)),
            RECALL_EXTRAPOLATED
                .of(or_nan(found.reached.map(|reached| reached.recall_extrapolated))),
            MODES_REACHED.of(or_nan(found.reached.map(|reached| reached.modes_reached))),
        ]);
        values
    }
}

/// The values of the balls at one rank.
pub(super) fn of_prdc(prdc: &Prdc) -> Vec<Measured> {
    vec![
        PRECISION.of(prdc.precision),
        RECALL.of(prdc.recall),
        DENSITY.of(prdc.density),
        COVERAGE.of(prdc.coverage),
        COMP_PRECISION.of(prdc.comp_precision),
        SYM_PRECISION.of(prdc.sym_precision),
        SYM_RECALL.of(prdc.sym_recall),
    ]
}

impl Measures<CloudRows<'_>> for Support<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn asks(&self, spec: &Spec) -> bool {
        self.asked.asks(spec)
    }

    fn values(&self, rows: &CloudRows<'_>) -> Result<Vec<Measured>, ScoreError> {
        Ok(Self::named(&self.some(rows.clouds()?)?))
    }

    fn of_draws(&self, rows: &CloudRows<'_>, draws: Many<'_>) -> Vec<Vec<Measured>> {
        let one = |i: usize| {
            let draw = (draws.rows)(i);
            self.of_draw(rows, &draw).or_else(|| self.values(&rows.select(&draw)).ok())
        };
        (0..draws.count).into_par_iter().filter_map(one).collect()
    }

    fn exchanged(&self, rows: &CloudRows<'_>, draws: &Draws<'_>) -> Result<Exchanged, ScoreError> {
        let Some(nearby) = self.nearby.filter(|_| draws.permutations > 0) else {
            return Ok(Exchanged::default());
        };
        if !self.asked.asks_any(&OF_BALLS) {
            return Ok(Exchanged::default());
        }
        let pooled = Pooled { nearby, k: self.k, ties: self.ties };
        let (observed, relabeled) = pooled.exchanged(rows.sizes().reference, draws);
        Ok((of_prdc(&observed), relabeled.iter().map(of_prdc).collect()))
    }

    fn amend(
        &self,
        rows: &CloudRows<'_>,
        _draws: &Draws<'_>,
        found: &mut [Estimated],
    ) -> Result<(), ScoreError> {
        if let Some(modes) = find(found, &MODES_REACHED) {
            let Sides { reference: n, model: m } = rows.sizes();
            modes.ceiling = Some(nulls::coverage(n, m, Ranks::of(n).mode));
        }
        Ok(())
    }

    fn further_variance(&self) -> Vec<Measured> {
        let variance = (DEVIATIONS * self.between_ranks).powi(2);
        vec![RECALL_EXTRAPOLATED.of(variance), MODES_REACHED.of(variance)]
    }

    fn cost(&self, sizes: Sides<usize>, d: usize) -> f64 {
        passes(sizes, d)
    }

    /// What lies near rows is known; soft membership takes every pair, from distances that are kept or by a pass.
    fn part_cost(&self, at: Sides<Subsample>, d: usize) -> f64 {
        let (sizes, whole) = (at.map(|part| part.size), at.map(|part| part.n));
        let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
        let walks = 3e3 * (n + m);
        let kept = Distances::kept(whole.reference, whole.reference + whole.model).is_some();
        walks
            + match self.parts().soft {
                false => 0.0,
                true if kept => 80.0 * n * m,
                true => 3.0 * n * m * (d as f64 + 20.0),
            }
    }
}

/// Multiplications of distances between all rows, and of what is done with them.
pub(super) fn passes(sizes: Sides<usize>, d: usize) -> f64 {
    let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
    let pairs = (n * n + m * m) / 2.0 + n * m;
    3.0 * pairs * (d as f64 + 20.0)
}
