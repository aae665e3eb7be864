//! The whole support family from one search of neighbors and one pass over the distances.

use super::{
    alpha::AlphaPr,
    authenticity,
    clipped::Clipped,
    cover::{Cover, CoverPr},
    prdc::Prdc,
    probabilistic::{Soft, SoftPr},
    realism,
};
use crate::{
    cloud::{
        Clouds, MetricError,
        neighbors::Ties,
        pass::{Ask, Found},
        prepared::Prepared,
    },
    data::sides::{Side, Sides},
    math::quantile::median,
};

/// What [`support`] computes with. The default holds the authors' settings.
#[derive(Clone, Debug, PartialEq)]
pub struct SupportOptions {
    /// Ranks of [`Prdc`]; the first also sets the details of rows.
    pub ks: Vec<usize>,
    /// Whether a point exactly on a radius is inside, for [`Prdc`].
    pub ties: Ties,
    /// Rank of clipped density and coverage.
    pub clipped: usize,
    /// Soft balls of P-precision and P-recall.
    pub soft: Soft,
    /// Ranks of PR cover.
    pub cover: Cover,
    /// Rank of the balls that realism is measured by.
    pub realism: usize,
}

impl Default for SupportOptions {
    fn default() -> Self {
        Self {
            ks: vec![4],
            ties: Ties::Strict,
            clipped: 5,
            soft: Soft::default(),
            cover: Cover::default(),
            realism: 3,
        }
    }
}

/// The support family, and what each row has to do with it.
///
/// A member is `None` where a cloud has too few rows for the rank it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Support {
    /// In the order of [`SupportOptions::ks`].
    pub prdc: Vec<Prdc>,
    /// Clipped density and coverage.
    pub clipped: Option<Clipped>,
    /// P-precision and P-recall.
    pub soft: Option<SoftPr>,
    /// Cover precision and recall.
    pub cover: Option<CoverPr>,
    /// α-precision and β-recall.
    pub alpha: AlphaPr,
    /// Share of `Q` that is no near copy of a reference row.
    pub authenticity: f64,
    /// Per row of `P`.
    pub reference: Vec<ReferenceRow>,
    /// Per row of `Q`.
    pub model: Vec<ModelRow>,
    /// Radii at the first `k`.
    pub radii: Sides<Radii>,
}

/// What a reference row has to do with `Q`, at the first `k`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReferenceRow {
    /// Rows of `Q` inside this row's ball; the row is covered if there is one.
    pub covered_by: u32,
    /// Balls of `Q` that hold this row; it is recalled if there is one.
    pub balls: u32,
    /// Its nearest row of `Q`, the first of equals.
    pub nearest: usize,
    /// The distance to that.
    pub distance: f64,
    /// The radius of its ball.
    pub radius: f64,
}

/// What a model row has to do with `P`, at the first `k`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelRow {
    /// Balls of `P` that hold this row; it is precise if there is one.
    pub balls: u32,
    /// Rows of `P` inside this row's ball.
    pub holds: u32,
    /// Its nearest row of `P`, the first of equals.
    pub nearest: usize,
    /// The distance to that.
    pub distance: f64,
    /// The radius of its ball.
    pub radius: f64,
    /// Largest `radius / distance` over the reference balls of less than median radius; above 1 it lies
    /// inside one. Infinite on a copy, `None` where no ball is left or `P` is too small.
    pub realism: Option<f64>,
}

/// Radii of one cloud.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radii {
    /// The median.
    pub median: f64,
    /// The mean.
    pub mean: f64,
    /// Share of rows whose radius is 0: they have at least `k` copies.
    pub zero: f64,
}

/// Every measure of the support family; each is described in its own module.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has no neighbor of a rank in [`SupportOptions::ks`].
///
/// # Cost
///
/// One search of neighbors per cloud and one pass between them: `O((n + m)² d)` time,
/// `O((n + m) (d + k))` memory.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::support::SupportOptions;
/// # use llmpr::metric::support::support;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0, 2.0, 3.0]), model: line(&[0.5, 0.875]) };
/// let options = SupportOptions { ks: vec![1], ..SupportOptions::default() };
/// let scores = support(Clouds::new(sets.as_ref())?, &options)?;
/// assert_eq!((scores.prdc[0].precision, scores.prdc[0].recall), (1.0, 0.25));
/// assert_eq!((scores.model[1].nearest, scores.model[1].distance), (1, 0.125)); // 0.875 is next to 1
/// assert!(scores.clipped.is_none()); // its rank of 5 needs more rows
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn support(clouds: Clouds<'_>, options: &SupportOptions) -> Result<Support, MetricError> {
    let sizes = clouds.sides().map(|rows| rows.rows());
    let fits = |k: usize| k > 0 && k < sizes.reference.min(sizes.model);
    for side in [Side::Reference, Side::Model] {
        let n = *sizes.get(side);
        if let Some(&k) = options.ks.iter().find(|&&k| k == 0 || k >= n) {
            return Err(MetricError::NoKthNeighbor { side, n, k });
        }
    }
    let cover_rank = options.cover.rank();
    let others = [options.clipped, options.soft.k, cover_rank, options.realism, 1];
    let asked = options.ks.iter().chain(others.iter().filter(|&&k| fits(k)));
    let prepared = Prepared::new(clouds, asked.copied().max().unwrap_or(1))?;

    let mut ask = Ask { nearest: true, ..Ask::default() };
    for &k in &options.ks {
        for side in [Side::Reference, Side::Model] {
            ask.balls.push(prepared.balls(side, k, options.ties));
        }
    }
    let clipped = fits(options.clipped).then(|| Clipped::ask(&prepared, options.clipped, &mut ask));
    let cover = fits(cover_rank).then(|| options.cover.ask(&prepared, &mut ask));
    let soft = fits(options.soft.k).then(|| options.soft.ask(&prepared, &mut ask));
    let realism = options.realism < sizes.reference && fits(options.realism);
    let kept = realism.then(|| realism::ask(&prepared, options.realism, &mut ask));
    let found = prepared.run(&ask);

    let distinct = prepared.space.0.as_ref().map(|rows| &rows.distinct);
    let prdc = options.ks.iter().zip(found.counts.chunks_exact(2)).map(|(&k, counts)| {
        Prdc::from_counts(distinct, k, Sides { reference: &counts[0], model: &counts[1] })
    });
    Ok(Support {
        prdc: prdc.collect(),
        clipped: clipped.map(|asked| asked.read(&prepared, &found)),
        soft: soft.map(|radii| SoftPr::read(&prepared, &found, radii)),
        cover: cover.map(|at| options.cover.read(&prepared, &found, at)),
        alpha: AlphaPr::read(&prepared, &found),
        authenticity: authenticity::read(&prepared, &found),
        radii: Sides { reference: Side::Reference, model: Side::Model }
            .map(|side| Radii::of(prepared.radii(side, options.ks.first().copied().unwrap_or(1)))),
        reference: reference_rows(&prepared, &found, options),
        model: model_rows(&prepared, &found, options, kept == Some(true)),
    })
}

impl Radii {
    fn of(radii: Vec<f64>) -> Self {
        let n = radii.len() as f64;
        Self {
            mean: radii.iter().sum::<f64>() / n,
            zero: radii.iter().filter(|&&radius| radius == 0.0).count() as f64 / n,
            median: median(radii),
        }
    }
}

/// What both sides' rows say alike: the distinct row that each equals, its nearest of the other side
/// with the distance to it, and its own radius.
fn rows<'a, R>(
    prepared: &'a Prepared,
    found: &'a Found,
    options: &SupportOptions,
    side: Side,
    row: impl Fn(usize, Seen) -> R,
) -> Vec<R> {
    let Some(&k) = options.ks.first() else { return Vec::new() };
    let (of, other) = match side {
        Side::Reference => (&prepared.space.0.reference, &prepared.space.0.model),
        Side::Model => (&prepared.space.0.model, &prepared.space.0.reference),
    };
    let (squared, nearest) = (prepared.squared_radii(side, k), found.nearest.get(side));
    let of_row = |&g: &u32| {
        let g = g as usize;
        let seen = Seen {
            nearest: other.distinct.first[nearest[g].row as usize],
            distance: nearest[g].squared.sqrt(),
            radius: squared[g].sqrt(),
        };
        row(g, seen)
    };
    of.distinct.of.iter().map(of_row).collect()
}

/// A row's nearest of the other side, and its own ball.
struct Seen {
    nearest: usize,
    distance: f64,
    radius: f64,
}

fn reference_rows(
    prepared: &Prepared,
    found: &Found,
    options: &SupportOptions,
) -> Vec<ReferenceRow> {
    rows(prepared, found, options, Side::Reference, |g, Seen { nearest, distance, radius }| {
        let covered_by = found.counts[0].held[g];
        let balls = found.counts[1].holding[g];
        ReferenceRow { covered_by, balls, nearest, distance, radius }
    })
}

fn model_rows(
    prepared: &Prepared,
    found: &Found,
    options: &SupportOptions,
    realism: bool,
) -> Vec<ModelRow> {
    rows(prepared, found, options, Side::Model, |g, Seen { nearest, distance, radius }| {
        let (balls, holds) = (found.counts[0].holding[g], found.counts[1].held[g]);
        let realism = realism.then(|| found.realism[g].sqrt());
        ModelRow { balls, holds, nearest, distance, radius, realism }
    })
}
