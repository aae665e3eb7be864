//! Distances between the clouds as wholes.

use rayon::prelude::*;

use super::{
    ScoreError, ScoreOptions,
    calibrate::Subsample,
    cloud_rows::CloudRows,
    draws::Draws,
    estimate::{Estimated, find},
    family::{Many, Measures, Rows},
    support::passes,
};
use crate::{
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
pub(super) struct Moments {
    seed: u64,
}

/// The values, whichever way they were computed.
struct Values {
    frechet: f64,
    null_bias: f64,
    kernel: f64,
    sliced: f64,
    approximate: f64,
}

impl Values {
    fn named(self) -> Vec<Measured> {
        vec![
            FRECHET_DISTANCE.of(self.frechet),
            FRECHET_NULL.of(self.null_bias),
            KERNEL_DISTANCE.of(self.kernel),
            SLICED_WASSERSTEIN.of(self.sliced),
            SLICED_W_APPROX.of(self.approximate),
        ]
    }
}

impl Moments {
    /// With the directions that the seed of `options` gives.
    pub fn of(options: &ScoreOptions) -> Self {
        Self { seed: options.seed }
    }
}

impl Measures<CloudRows<'_>> for Moments {
    fn specs(&self) -> &'static [&'static Spec] {
        SPECS
    }

    fn values(&self, rows: &CloudRows<'_>) -> Result<Vec<Measured>, ScoreError> {
        let clouds = rows.clouds()?;
        // One row has no covariance and no pair.
        let one_row = rows.sizes().map(|n| n < 2);
        let (frechet, null_bias, kernel) = if one_row.reference || one_row.model {
            (f64::NAN, f64::NAN, f64::NAN)
        } else {
            let Frechet { distance, null_bias, .. } = frechet(clouds)?;
            (distance, null_bias, kernel_distance(clouds)?.unbiased)
        };
        let values = Values {
            frechet,
            null_bias,
            kernel,
            sliced: sliced_wasserstein(clouds, DIRECTIONS, self.seed),
            approximate: sliced_w_approx(clouds),
        };
        Ok(values.named())
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
        let alone = |part: &Sides<Vec<usize>>| -> Option<[f64; 3]> {
            let part = rows.select_sides(part);
            let part = part.clouds().ok()?;
            let Frechet { distance, null_bias, .. } = frechet(part).ok()?;
            Some([distance, null_bias, sliced_w_approx(part)])
        };
        let alone: Vec<Option<[f64; 3]>> = parts.par_iter().map(alone).collect();
        let kernel = kernel_distances(clouds, &parts);
        let sliced = sliced_distances(clouds, DIRECTIONS, self.seed, &parts);
        let all = alone.into_iter().zip(kernel).zip(sliced);
        let values = all.filter_map(|((alone, kernel), sliced)| {
            let [frechet, null_bias, approximate] = alone?;
            Some(Values { frechet, null_bias, kernel, sliced, approximate }.named())
        });
        values.collect()
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
