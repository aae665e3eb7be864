//! Distances between the clouds as wholes.

use rayon::prelude::*;

use super::{
    Metrics, ScoreError, ScoreOptions,
    calibrate::Subsample,
    cloud_rows::CloudRows,
    draws::Draws,
    estimate::{Estimated, find},
    family::{Many, Measures, Rows},
    support::passes,
};
use crate::{
    cloud::Clouds,
    data::sides::Sides,
    metric::{
        frechet::{FRECHET_DISTANCE, FRECHET_NULL, Frechet, frechet},
        kernel::{KERNEL_DISTANCE, kernel_distance, kernel_distances, kernel_test},
        sliced::{
            SLICED_W_APPROX, SLICED_WASSERSTEIN, sliced_distances, sliced_w_approx,
            sliced_wasserstein,
        },
        spec::{Measured, Spec},
    },
};

/// [`Moments`] in the order of the table.
pub(super) const SPECS: &[&Spec] =
    &[&FRECHET_DISTANCE, &FRECHET_NULL, &KERNEL_DISTANCE, &SLICED_WASSERSTEIN, &SLICED_W_APPROX];

/// Directions of the sliced Wasserstein distance.
const DIRECTIONS: usize = 128;
/// Relabelings behind the kernel distance's p-value at most: each costs a pass over all pairs.
const KERNEL_PERMUTATIONS: usize = 200;

/// Fréchet, kernel and sliced Wasserstein distances.
#[derive(Clone, Copy)]
pub(super) struct Moments<'a> {
    asked: &'a Metrics,
    seed: u64,
}

impl<'a> Moments<'a> {
    /// What `options` ask for, with the directions that their seed gives.
    pub fn of(options: &'a ScoreOptions) -> Self {
        Self { asked: &options.metrics, seed: options.seed }
    }

    /// The Fréchet distance with its null, and the approximation of the sliced distance.
    fn of_moments(&self, clouds: Clouds<'_>) -> Result<Vec<Measured>, ScoreError> {
        let mut values = Vec::new();
        if self.asked.asks_any(&[&FRECHET_DISTANCE, &FRECHET_NULL]) {
            let Frechet { distance, null_bias, .. } = frechet(clouds)?;
            values.extend([FRECHET_DISTANCE.of(distance), FRECHET_NULL.of(null_bias)]);
        }
        if self.asks(&SLICED_W_APPROX) {
            values.push(SLICED_W_APPROX.of(sliced_w_approx(clouds)));
        }
        Ok(values)
    }
}

impl Measures<CloudRows<'_>> for Moments<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn asks(&self, spec: &Spec) -> bool {
        self.asked.asks(spec)
    }

    fn values(&self, rows: &CloudRows<'_>) -> Result<Vec<Measured>, ScoreError> {
        let clouds = rows.clouds()?;
        // One row has no covariance and no pair.
        let one_row = rows.sizes().map(|n| n < 2);
        let mut values = if one_row.reference || one_row.model {
            let undefined = [&FRECHET_DISTANCE, &FRECHET_NULL, &KERNEL_DISTANCE];
            let mut values: Vec<Measured> =
                undefined.into_iter().map(|spec| spec.of(f64::NAN)).collect();
            values.push(SLICED_W_APPROX.of(sliced_w_approx(clouds)));
            values
        } else {
            let mut values = self.of_moments(clouds)?;
            if self.asks(&KERNEL_DISTANCE) {
                values.push(KERNEL_DISTANCE.of(kernel_distance(clouds)?.unbiased));
            }
            values
        };
        if self.asks(&SLICED_WASSERSTEIN) {
            let sliced = sliced_wasserstein(clouds, DIRECTIONS, self.seed);
            values.push(SLICED_WASSERSTEIN.of(sliced));
        }
        Ok(values)
    }

    /// As [`Self::values`] of each part, with kernels and projections of all rows computed once.
    fn subsamples(&self, rows: &CloudRows<'_>, draws: Many<'_>) -> Vec<Vec<Measured>> {
        let Ok(clouds) = rows.clouds() else { return Vec::new() };
        let n = rows.sizes().reference;
        let part = |i: usize| {
            let Sides { reference, model } = (draws.rows)(i);
            Sides { reference, model: model.into_iter().map(|row| row - n).collect() }
        };
        let parts: Vec<Sides<Vec<usize>>> = (0..draws.count).map(part).collect();
        let alone = |part: &Sides<Vec<usize>>| -> Option<Vec<Measured>> {
            if !self.asked.asks_any(&[&FRECHET_DISTANCE, &FRECHET_NULL, &SLICED_W_APPROX]) {
                return Some(Vec::new());
            }
            let part = rows.select_sides(part);
            self.of_moments(part.clouds().ok()?).ok()
        };
        let mut all: Vec<Option<Vec<Measured>>> = parts.par_iter().map(alone).collect();
        let mut add = |spec: &'static Spec, values: Vec<f64>| {
            let found = all.iter_mut().zip(values);
            found.for_each(|(of, value)| of.iter_mut().for_each(|of| of.push(spec.of(value))));
        };
        if self.asks(&KERNEL_DISTANCE) {
            add(&KERNEL_DISTANCE, kernel_distances(clouds, &parts));
        }
        if self.asks(&SLICED_WASSERSTEIN) {
            add(&SLICED_WASSERSTEIN, sliced_distances(clouds, DIRECTIONS, self.seed, &parts));
        }
        all.into_iter().flatten().collect()
    }

    fn cost(&self, sizes: Sides<usize>, d: usize) -> f64 {
        let rows = (sizes.reference + sizes.model) as f64;
        let d_f64 = d as f64;
        passes(sizes, d) + 2.0 * rows * d_f64 * (d_f64 + 128.0) + cubes(d, rows)
    }

    fn part_cost(&self, at: Sides<Subsample>, d: usize) -> f64 {
        let Sides { reference: n, model: m } = at.map(|part| part.n as f64);
        let rows = at.reference.size + at.model.size;
        let cubes = 40.0 * (d as f64).powi(2) * d.min(rows) as f64;
        let squares = 2.0 * rows as f64 * (d as f64).powi(2);
        2.0 * (n * n + n * m + m * m) + 8.0 * (n + m) * DIRECTIONS as f64 + squares + cubes
    }

    fn amend(
        &self,
        rows: &CloudRows<'_>,
        draws: &Draws<'_>,
        found: &mut [Estimated],
    ) -> Result<(), ScoreError> {
        let permutations = draws.permutations.min(KERNEL_PERMUTATIONS);
        if permutations > 0
            && self.asks(&KERNEL_DISTANCE)
            && let Some(kernel) = find(found, &KERNEL_DISTANCE)
            && !kernel.value.is_nan()
        {
            kernel.p_value = Some(kernel_test(rows.clouds()?, permutations, self.seed)?);
        }
        Ok(())
    }
}

/// Multiplications of an eigendecomposition of `d` columns of so many rows.
pub(super) fn cubes(d: usize, rows: f64) -> f64 {
    let d = d as f64;
    40.0 * d * d * d.min(rows)
}
