//! Distances between the clouds as wholes.

use rayon::prelude::*;

use super::{
    Metrics, ScoreError, ScoreOptions,
    calibrate::Subsample,
    cloud_rows::CloudRows,
    draws::Draws,
    estimate::{Estimated, find},
    family::{Many, Measures, Rows, WithSubsamples, of_halves},
    support::passes,
};
use crate::{
    cloud::Clouds,
    data::sides::Sides,
    metric::{
        frechet::{FRECHET_DISTANCE, FRECHET_NULL, Frechet, frechet},
        kernel::{KERNEL_DISTANCE, kernel_distances, kernel_test},
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
    /// Whether kernel distances are computed where they are asked for.
    kernels: bool,
}

impl<'a> Moments<'a> {
    /// What `options` ask for, with the directions that their seed gives.
    pub fn of(options: &'a ScoreOptions) -> Self {
        Self { asked: &options.metrics, seed: options.seed, kernels: true }
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

    /// As `values` of each part, given the kernel distances, with projections of all rows computed once.
    fn of_parts(
        &self,
        rows: &CloudRows<'_>,
        parts: &[Sides<Vec<usize>>],
        kernels: Vec<f64>,
    ) -> Vec<Vec<Measured>> {
        let Ok(clouds) = rows.clouds() else { return Vec::new() };
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
        add(&KERNEL_DISTANCE, kernels);
        if self.asks(&SLICED_WASSERSTEIN) {
            add(&SLICED_WASSERSTEIN, sliced_distances(clouds, DIRECTIONS, self.seed, parts));
        }
        all.into_iter().flatten().collect()
    }
}

fn all_rows(sizes: Sides<usize>) -> Sides<Vec<usize>> {
    sizes.map(|n| (0..n).collect())
}

/// Draws as rows of either side, each counted from 0.
fn parts(clouds: Clouds<'_>, draws: Many<'_>) -> Vec<Sides<Vec<usize>>> {
    let n = clouds.reference().rows();
    let part = |i: usize| {
        let Sides { reference, model } = (draws.rows)(i);
        Sides { reference, model: model.into_iter().map(|row| row - n).collect() }
    };
    (0..draws.count).map(part).collect()
}

impl Measures<CloudRows<'_>> for Moments<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn asks(&self, spec: &Spec) -> bool {
        self.asked.asks(spec) && (self.kernels || spec.name != KERNEL_DISTANCE.name)
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
                // As one of the parts, so that it has the same rounding with subsamples and without.
                let whole = kernel_distances(clouds, &[all_rows(rows.sizes())]);
                values.extend(whole.into_iter().map(|value| KERNEL_DISTANCE.of(value)));
            }
            values
        };
        if self.asks(&SLICED_WASSERSTEIN) {
            let sliced = sliced_wasserstein(clouds, DIRECTIONS, self.seed);
            values.push(SLICED_WASSERSTEIN.of(sliced));
        }
        Ok(values)
    }

    fn subsamples(&self, rows: &CloudRows<'_>, draws: Many<'_>) -> Vec<Vec<Measured>> {
        let Ok(clouds) = rows.clouds() else { return Vec::new() };
        let parts = parts(clouds, draws);
        let kernels =
            if self.asks(&KERNEL_DISTANCE) { kernel_distances(clouds, &parts) } else { Vec::new() };
        self.of_parts(rows, &parts, kernels)
    }

    fn with_subsamples(
        &self,
        rows: &CloudRows<'_>,
        draws: Many<'_>,
    ) -> Result<WithSubsamples, ScoreError> {
        let sizes = rows.sizes();
        if !self.asks(&KERNEL_DISTANCE) || sizes.reference.min(sizes.model) < 2 {
            return Ok((self.values(rows)?, self.subsamples(rows, draws)));
        }
        let clouds = rows.clouds()?;
        // All rows are one part more of the pass over the kernel.
        let mut parts = parts(clouds, draws);
        parts.push(all_rows(sizes));
        let mut kernels = kernel_distances(clouds, &parts);
        parts.pop();
        let mut values = Self { kernels: false, ..*self }.values(rows)?;
        values.extend(kernels.pop().map(|value| KERNEL_DISTANCE.of(value)));
        Ok((values, self.of_parts(rows, &parts, kernels)))
    }

    /// Of equal distributions the kernel distance is 0, which needs no parts of the reference.
    fn ceilings(&self, rows: &CloudRows<'_>, draws: &Draws<'_>) -> Vec<Measured> {
        of_halves(&Self { kernels: false, ..*self }, rows, draws)
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
