//! What costs more than it tells, of the clouds themselves.

use super::{
    Metrics, ScoreError, ScoreOptions,
    cloud_rows::CloudRows,
    draws::Draws,
    estimate::{Estimated, find},
    family::Measures,
    support::passes,
};
use crate::{
    data::sides::Sides,
    metric::{
        nn_accuracy::{NN_ACCURACY, expected, nn_accuracy},
        realism::{REALISM_SHARE, realism},
        spec::{Measured, Spec},
        topological::{TOP_F1, TOP_PRECISION, TOP_RECALL, TopOptions, top_pr},
    },
};

/// [`Extra`] in the order of the table.
pub(super) const SPECS: &[&Spec] =
    &[&TOP_PRECISION, &TOP_RECALL, &TOP_F1, &REALISM_SHARE, &NN_ACCURACY];

/// TopP&R, realism and the nearest neighbor's accuracy.
#[derive(Clone, Copy)]
pub(super) struct Extra<'a> {
    asked: &'a Metrics,
    k: usize,
    seed: u64,
}

impl<'a> Extra<'a> {
    /// As `options` say.
    pub fn of(options: &'a ScoreOptions) -> Self {
        Self { asked: &options.metrics, k: options.k, seed: options.seed }
    }
}

impl Measures<CloudRows<'_>> for Extra<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn asks(&self, spec: &Spec) -> bool {
        self.asked.asks(spec)
    }

    /// NaN where the rows are too few.
    fn values(&self, rows: &CloudRows<'_>) -> Result<Vec<Measured>, ScoreError> {
        let clouds = rows.clouds()?;
        let mut values = Vec::new();
        if self.asked.asks_any(&[&TOP_PRECISION, &TOP_RECALL, &TOP_F1]) {
            let settings = TopOptions { seed: self.seed, ..TopOptions::default() };
            let (precision, recall) = match top_pr(clouds, &settings) {
                Ok(top) => (top.precision.unwrap_or(f64::NAN), top.recall.unwrap_or(f64::NAN)),
                Err(_) => (f64::NAN, f64::NAN),
            };
            let f1 = match precision + recall {
                0.0 => 0.0,
                sum => 2.0 * precision * recall / sum,
            };
            values.extend([TOP_PRECISION.of(precision), TOP_RECALL.of(recall), TOP_F1.of(f1)]);
        }
        if self.asks(&REALISM_SHARE) {
            let realism = realism(clouds, self.k)?;
            let inside = realism.iter().filter(|r| **r >= 1.0).count() as f64;
            values.push(REALISM_SHARE.of(match realism.iter().any(|r| r.is_nan()) {
                true => f64::NAN,
                false => inside / realism.len() as f64,
            }));
        }
        if self.asks(&NN_ACCURACY) {
            values.push(NN_ACCURACY.of(nn_accuracy(clouds)?));
        }
        Ok(values)
    }

    fn cost(&self, sizes: Sides<usize>, d: usize) -> f64 {
        let rows = (sizes.reference + sizes.model) as f64;
        // Distances of all rows to each other in 32 columns one by one, four times.
        passes(sizes, d) + 8.0 * rows * rows * (d as f64).min(32.0)
    }
    /// The nearest neighbor's accuracy has a closed form for one distribution at these sizes.
    fn amend(
        &self,
        rows: &CloudRows<'_>,
        _draws: &Draws<'_>,
        found: &mut [Estimated],
    ) -> Result<(), ScoreError> {
        if let Some(accuracy) = find(found, &NN_ACCURACY) {
            accuracy.ceiling = Some(expected(rows.clouds()?));
        }
        Ok(())
    }
}
