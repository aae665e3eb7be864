//! Measures by balls around rows.

use super::{
    ScoreError, ScoreOptions,
    cloud_rows::CloudRows,
    draws::Draws,
    exchange::Pooled,
    family::{Exchanged, Measures, Rows},
};
use crate::{
    cloud::{Clouds, MetricError, neighbors::Ties},
    data::sides::Sides,
    metric::{
        alpha::{ALPHA_PRECISION, BETA_RECALL},
        authenticity::AUTHENTICITY,
        clipped::{CLIPPED_COVERAGE, CLIPPED_DENSITY},
        cover::{COVER_PRECISION, COVER_RECALL},
        prdc::{
            COMP_PRECISION, COVERAGE, DENSITY, PRECISION, Prdc, RECALL, SYM_PRECISION, SYM_RECALL,
        },
        probabilistic::{P_PRECISION, P_RECALL},
        spec::{Measured, Spec},
        support::{SupportOptions, support},
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
];

/// The support family at one rank.
#[derive(Clone, Copy)]
pub(super) struct Support {
    k: usize,
    ties: Ties,
}

impl Support {
    /// As `options` say.
    pub fn of(options: &ScoreOptions) -> Self {
        Self { k: options.k, ties: options.ties }
    }

    /// The measures with the details of rows.
    ///
    /// # Errors
    ///
    /// [`MetricError::NoKthNeighbor`].
    pub fn whole(
        &self,
        clouds: Clouds<'_>,
    ) -> Result<crate::metric::support::Support, MetricError> {
        let Self { k, ties } = *self;
        support(clouds, &SupportOptions { ks: vec![k], ties, ..SupportOptions::default() })
    }

    /// The values of what was found.
    pub fn named(found: &crate::metric::support::Support) -> Vec<Measured> {
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let (clipped, soft, cover) = (&found.clipped, &found.soft, &found.cover);
        let mut values: Vec<Measured> = found.prdc.first().map_or(Vec::new(), of_prdc);
        values.extend([
            CLIPPED_DENSITY.of(or_nan(clipped.as_ref().map(|clipped| clipped.density))),
            CLIPPED_COVERAGE.of(or_nan(clipped.as_ref().map(|clipped| clipped.coverage))),
            P_PRECISION.of(or_nan(soft.as_ref().map(|soft| soft.precision))),
            P_RECALL.of(or_nan(soft.as_ref().map(|soft| soft.recall))),
            COVER_PRECISION.of(or_nan(cover.as_ref().map(|cover| cover.precision))),
            COVER_RECALL.of(or_nan(cover.as_ref().map(|cover| cover.recall))),
            ALPHA_PRECISION.of(found.alpha.alpha_precision),
            BETA_RECALL.of(found.alpha.beta_recall),
            AUTHENTICITY.of(found.authenticity),
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

impl Measures<CloudRows<'_>> for Support {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn values(&self, rows: &CloudRows<'_>) -> Result<Vec<Measured>, ScoreError> {
        Ok(Self::named(&self.whole(rows.clouds()?)?))
    }

    fn exchanged(&self, rows: &CloudRows<'_>, draws: &Draws<'_>) -> Result<Exchanged, ScoreError> {
        if draws.permutations == 0 {
            return Ok(Exchanged::default());
        }
        let pooled = Pooled::find(rows.clouds()?.sides(), self.k, self.ties)?;
        let (observed, relabeled) = pooled.exchanged(rows.sizes().reference, draws);
        Ok((of_prdc(&observed), relabeled.iter().map(of_prdc).collect()))
    }

    fn cost(&self, sizes: Sides<usize>, d: usize) -> f64 {
        passes(sizes, d)
    }
}

/// Multiplications of distances between all rows, and of what is done with them.
pub(super) fn passes(sizes: Sides<usize>, d: usize) -> f64 {
    let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
    let pairs = (n * n + m * m) / 2.0 + n * m;
    3.0 * pairs * (d as f64 + 20.0)
}
