//! How varied the rows of one side are.

use super::{
    Metrics, ScoreError, ScoreOptions,
    cloud_rows::CloudRows,
    draws::Draws,
    estimate::{Estimated, find},
    family::{Measures, Rows},
    moments::cubes,
};
use crate::{
    data::sides::Sides,
    metric::{
        spec::{Measured, Spec},
        vendi::{VENDI_SCORE, VENDI_SCORE_OF_ORDER, VENDI_SCORE_REFERENCE, vendi},
    },
};

/// [`Diversity`] in the order of the table.
pub(super) const SPECS: &[&Spec] = &[&VENDI_SCORE, &VENDI_SCORE_REFERENCE, &VENDI_SCORE_OF_ORDER];

/// Orders of the Vendi score beside 1.
pub(super) const ORDERS: [f64; 3] = [0.5, 2.0, f64::INFINITY];

/// The Vendi score of either side.
#[derive(Clone, Copy)]
pub(super) struct Diversity<'a> {
    asked: &'a Metrics,
    /// Whether further orders are asked for.
    further: bool,
}

impl<'a> Diversity<'a> {
    /// What `options` ask for.
    pub fn of(options: &'a ScoreOptions) -> Self {
        let asked = &options.metrics;
        Self { asked, further: asked.asks(&VENDI_SCORE_OF_ORDER) }
    }
}

impl Measures<CloudRows<'_>> for Diversity<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn asks(&self, spec: &Spec) -> bool {
        self.asked.asks(spec)
    }

    fn values(&self, rows: &CloudRows<'_>) -> Result<Vec<Measured>, ScoreError> {
        let clouds = rows.clouds()?;
        let or_nan = |score: f64| if score.is_finite() { score } else { f64::NAN };
        let mut values = Vec::new();
        if self.further || self.asks(&VENDI_SCORE) {
            let model = vendi(clouds.model(), &[&[1.0], &ORDERS[..]].concat())?;
            values.push(VENDI_SCORE.of(or_nan(model[0])));
            let at = ORDERS.into_iter().zip(&model[1..]).filter(|_| self.further);
            values.extend(at.map(|(order, score)| VENDI_SCORE_OF_ORDER.at(order, or_nan(*score))));
        }
        // The ceiling of the one is the value of the other.
        if self.asks(&VENDI_SCORE) || self.asks(&VENDI_SCORE_REFERENCE) {
            let reference = vendi(clouds.reference(), &[1.0])?;
            values.push(VENDI_SCORE_REFERENCE.of(or_nan(reference[0])));
        }
        Ok(values)
    }

    fn cost(&self, sizes: Sides<usize>, d: usize) -> f64 {
        let Sides { reference: n, model: m } = sizes.map(|n| n as f64);
        let d_f64 = d as f64;
        2.0 * (n + m) * d_f64 * d_f64.min(n) + cubes(d, n + m)
    }

    /// The reference's own values where there are as many texts of it: scores grow with their number.
    fn amend(
        &self,
        rows: &CloudRows<'_>,
        _draws: &Draws<'_>,
        found: &mut [Estimated],
    ) -> Result<(), ScoreError> {
        let Sides { reference: n, model: m } = rows.sizes();
        let same = |own: &f64| n == m && own.is_finite();
        let own = find(found, &VENDI_SCORE_REFERENCE).map(|estimate| estimate.value);
        if let (Some(own), Some(score)) = (own.filter(same), find(found, &VENDI_SCORE)) {
            score.ceiling = Some(own);
        }
        if self.further {
            let owns = vendi(rows.clouds()?.reference(), &ORDERS)?;
            for (order, own) in ORDERS.into_iter().zip(owns) {
                let wanted = VENDI_SCORE_OF_ORDER.at(order, own);
                for estimated in found.iter_mut().filter(|e| e.measured.is_of(&wanted)) {
                    estimated.estimate.ceiling = Some(own).filter(same);
                }
            }
        }
        Ok(())
    }
}
