//! How many texts are enough: coverage and supports at smaller numbers of them.

use rayon::prelude::*;

use super::{
    ScoreOptions,
    calibrate::{Subsample, coverage_at, richness_beyond},
    draws::Draws,
    record::{Growth, SizeCurve},
};
use crate::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
    metric::prdc::{Prdc, prdc},
};

/// Rows below which supports say nothing.
const LEAST: usize = 16;
/// Subsets that a size is averaged over; at half of the rows two are enough.
const SUBSETS: usize = 4;

/// Coverage at a tenth, two tenths, … of the samples, exactly.
pub(super) fn growth(in_ball: &[usize], m: usize) -> Growth {
    let mut texts: Vec<usize> = (1..=10).map(|tenth| (m * tenth).div_ceil(10)).collect();
    texts.dedup();
    let coverage = coverage_at(in_ball, m, &texts).into_iter().flatten().collect();
    Growth { texts, coverage, reachable: richness_beyond(in_ball) }
}

/// Precision, recall, density and coverage with a sixteenth, an eighth, a quarter, half and all of the rows
/// of both sides, as means over subsets: whether more rows would still move them.
pub(super) fn size_curve(
    clouds: Clouds<'_>,
    whole: &Prdc,
    options: &ScoreOptions,
    draws: &Draws<'_>,
) -> SizeCurve {
    let sizes = clouds.sides().map(Matrix::rows);
    let least = LEAST.max(2 * (options.k + 1));
    let mut out = SizeCurve::default();
    for part in [16, 8, 4, 2] {
        let at = sizes.map(|n| n / part);
        if at.reference.min(at.model) < least {
            continue;
        }
        let count = if part == 2 { 2 } else { SUBSETS };
        let one = |i: usize| -> Option<Prdc> {
            let rows = draws.subsample(
                // Other subsets than those of the intervals.
                draws.resamples + 8 * part + i,
                Sides {
                    reference: Subsample { n: sizes.reference, size: at.reference },
                    model: Subsample { n: sizes.model, size: at.model },
                },
            );
            let (p, q) =
                (clouds.reference().select(&rows.reference), clouds.model().select(&rows.model));
            let part = Clouds::new(Sides { reference: &p, model: &q }).ok()?;
            prdc(part, options.k, options.ties).ok()
        };
        let found: Option<Vec<Prdc>> = (0..count).into_par_iter().map(one).collect();
        if let Some(found) = found {
            let mean = |of: fn(&Prdc) -> f64| found.iter().map(of).sum::<f64>() / count as f64;
            push(&mut out, at, mean);
        }
    }
    push(&mut out, sizes, |of| of(whole));
    out
}

fn push(out: &mut SizeCurve, at: Sides<usize>, of: impl Fn(fn(&Prdc) -> f64) -> f64) {
    out.reference.push(at.reference);
    out.samples.push(at.model);
    out.precision.push(of(|prdc| prdc.precision));
    out.recall.push(of(|prdc| prdc.recall));
    out.density.push(of(|prdc| prdc.density));
    out.coverage.push(of(|prdc| prdc.coverage));
}
