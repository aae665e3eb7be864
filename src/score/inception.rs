//! The inception score over clusters.

use super::{
    ScoreError,
    clusters::Memberships,
    draws::Draws,
    family::{Measures, Rows},
};
use crate::{
    data::sides::Sides,
    metric::{
        inception::{INCEPTION_CONDITIONAL_ENTROPY, INCEPTION_ENTROPY, INCEPTION_SCORE},
        spec::{Measured, Spec},
    },
};

/// The model's rows; both sides count as many, since only these are drawn from.
impl Rows for Memberships {
    fn sizes(&self) -> Sides<usize> {
        Sides { reference: self.rows(), model: self.rows() }
    }

    fn select(&self, rows: &Sides<Vec<usize>>) -> Self {
        let own: Vec<usize> = rows.model.iter().map(|row| row - self.rows()).collect();
        self.of_rows(&own)
    }
}

/// The inception score with its two entropies. Intervals are of the rows, given the clusters, and ceilings
/// the reference's own values.
#[derive(Clone, Copy)]
pub(super) struct Inception<'a> {
    pub reference: &'a Memberships,
}

impl Measures<Memberships> for Inception<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        const { &[&INCEPTION_SCORE, &INCEPTION_ENTROPY, &INCEPTION_CONDITIONAL_ENTROPY] }
    }

    fn values(&self, rows: &Memberships) -> Result<Vec<Measured>, ScoreError> {
        let [score, marginal, conditional] = rows.inception();
        Ok(vec![
            INCEPTION_SCORE.of(score),
            INCEPTION_ENTROPY.of(marginal),
            INCEPTION_CONDITIONAL_ENTROPY.of(conditional),
        ])
    }

    fn ceilings(&self, _rows: &Memberships, _draws: &Draws<'_>) -> Vec<Measured> {
        self.values(self.reference).unwrap_or_default()
    }
}
