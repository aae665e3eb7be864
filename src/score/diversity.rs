//! How varied the rows of one side are.

use super::{
    Family, ScoreError, ScoreOptions,
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

/// Orders of the Vendi score beside 1, with the extra family.
const ORDERS: [f64; 3] = [0.5, 2.0, f64::INFINITY];

/// The Vendi score of either side.
#[derive(Clone, Copy)]
pub(super) struct Diversity {
    further: bool,
}

impl Diversity {
    /// Of further orders where `options` ask for the extra family.
    pub fn of(options: &ScoreOptions) -> Self {
        Self { further: options.metrics.has(Family::Extra) }
    }
}

impl Measures<CloudRows<'_>> for Diversity {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn values(&self, rows: &CloudRows<'_>) -> Result<Vec<Measured>, ScoreError> {
        let clouds = rows.clouds()?;
        let or_nan = |score: f64| if score.is_finite() { score } else { f64::NAN };
        let model = vendi(clouds.model(), &[&[1.0], &ORDERS[..]].concat())?;
        let reference = vendi(clouds.reference(), &[1.0])?;
        let mut values =
            vec![VENDI_SCORE.of(or_nan(model[0])), VENDI_SCORE_REFERENCE.of(or_nan(reference[0]))];
        if self.further {
            let at = ORDERS.into_iter().zip(&model[1..]);
            values.extend(at.map(|(order, score)| VENDI_SCORE_OF_ORDER.at(order, or_nan(*score))));
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
