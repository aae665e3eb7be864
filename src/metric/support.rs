//! The whole support family from one search of neighbors and one pass over the distances.

use super::{
    alpha::AlphaPr,
    authenticity,
    clipped::{self, Clipped},
    cover::{Cover, CoverPr},
    extrapolated::{self, Ranks, Reached},
    prdc::Prdc,
    probabilistic::{Soft, SoftPr},
    realism,
};
use crate::{
    cloud::{
        Clouds, MetricError,
        nearby::{self, Nearby},
        neighbors::Ties,
        pass::{Ask, Found},
        prepared::Prepared,
    },
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
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
    /// Recall with infinitely many texts, and modes reached.
    pub reached: Option<Reached>,
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
    let (prepared, found, asked) = search(clouds, options, Parts::ALL)?;
    let first = options.ks.first().copied().unwrap_or(1);
    Ok(Support {
        prdc: asked.prdc(&prepared, &found, options),
        clipped: asked.clipped.as_ref().map(|asked| asked.read(&prepared, &found)),
        soft: asked.soft.map(|radii| SoftPr::read(&prepared, &found, radii)),
        cover: asked.cover.map(|at| options.cover.read(&prepared, &found, at)),
        alpha: AlphaPr::read(&prepared, &found),
        authenticity: authenticity::read(&prepared, &found),
        reached: asked.reached.map(|asked| asked.read(&prepared, &found)),
        radii: Sides { reference: Side::Reference, model: Side::Model }
            .map(|side| Radii::of(prepared.radii(side, first))),
        reference: reference_rows(&prepared, &found, options),
        model: model_rows(&prepared, &found, options, asked.realism == Some(true)),
    })
}

/// Which measures of the family to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// [`Prdc`].
    pub(crate) balls: bool,
    /// [`Clipped`].
    pub(crate) clipped: bool,
    /// [`SoftPr`].
    pub(crate) soft: bool,
    /// [`CoverPr`].
    pub(crate) cover: bool,
    /// [`AlphaPr`].
    pub(crate) alpha: bool,
    /// Authenticity.
    pub(crate) authenticity: bool,
    /// [`Reached`].
    pub(crate) reached: bool,
    /// What each row has to do with the other side.
    pub(crate) rows: bool,
}

impl Parts {
    /// All of them.
    pub(crate) const ALL: Self = Self {
        balls: true,
        clipped: true,
        soft: true,
        cover: true,
        alpha: true,
        authenticity: true,
        reached: true,
        rows: true,
    };
}

/// The values of some measures of the family; `None` where one was not asked for or a cloud has too few rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values {
    pub(crate) prdc: Option<Prdc>,
    pub(crate) clipped: Option<Clipped>,
    pub(crate) soft: Option<SoftPr>,
    pub(crate) cover: Option<CoverPr>,
    pub(crate) alpha: Option<AlphaPr>,
    pub(crate) authenticity: Option<f64>,
    pub(crate) reached: Option<Reached>,
    /// Radii of the balls of `prdc`, in row order.
    pub(crate) radii: Option<Sides<Vec<f64>>>,
}

impl From<&Support> for Values {
    /// At the first rank.
    fn from(found: &Support) -> Self {
        let Support { prdc, clipped, soft, cover, alpha, authenticity, reached, .. } = found;
        let Support { reference, model, .. } = found;
        let radii = Sides {
            reference: reference.iter().map(|row| row.radius).collect(),
            model: model.iter().map(|row| row.radius).collect(),
        };
        Self {
            prdc: prdc.first().copied(),
            clipped: *clipped,
            soft: *soft,
            cover: *cover,
            alpha: Some(alpha.clone()),
            authenticity: Some(*authenticity),
            reached: *reached,
            radii: Some(radii),
        }
    }
}

/// The measures `parts` at the first rank of `options`.
///
/// # Errors
///
/// As [`support`].
pub(crate) fn some_of(
    clouds: Clouds<'_>,
    options: &SupportOptions,
    parts: Parts,
) -> Result<Values, MetricError> {
    let (prepared, found, asked) = search(clouds, options, Parts { rows: false, ..parts })?;
    Ok(Values::read(&prepared, &found, &asked, options, parts))
}

/// As [`some_of`] for two parts of the rows whose neighbors are known; `alone` holds them as matrices of their own.
/// `None` where they are better searched for or too few.
pub(crate) fn some_of_parts(
    nearby: &Nearby<'_>,
    rows: Sides<&[usize]>,
    alone: Option<Sides<&Matrix>>,
    options: &SupportOptions,
    parts: Parts,
) -> Option<Values> {
    let parts = Parts { rows: false, ..parts };
    let sizes = rows.map(<[usize]>::len);
    check(sizes, options).ok()?;
    let asked = nearby::Asked { rank: parts.rank(sizes, options), nearest: parts.nearest() };
    let prepared = nearby.parts(rows, alone, asked)?;
    let (found, asked) = run(&prepared, sizes, options, parts);
    Some(Values::read(&prepared, &found, &asked, options, parts))
}

impl Values {
    fn read(
        prepared: &Prepared,
        found: &Found,
        asked: &Asked,
        options: &SupportOptions,
        parts: Parts,
    ) -> Self {
        Self {
            prdc: asked.prdc(prepared, found, options).into_iter().next(),
            clipped: asked.clipped.as_ref().map(|asked| asked.read(prepared, found)),
            soft: asked.soft.map(|radii| SoftPr::read(prepared, found, radii)),
            cover: asked.cover.map(|at| options.cover.read(prepared, found, at)),
            alpha: parts.alpha.then(|| AlphaPr::read(prepared, found)),
            authenticity: parts.authenticity.then(|| authenticity::read(prepared, found)),
            reached: asked.reached.map(|asked| asked.read(prepared, found)),
            radii: options.ks.first().filter(|_| parts.balls).map(|&k| {
                Sides { reference: Side::Reference, model: Side::Model }
                    .map(|side| prepared.radii(side, k))
            }),
        }
    }
}

/// Where in a pass the measures stand.
struct Asked {
    balls: bool,
    clipped: Option<clipped::Asked>,
    soft: Option<Sides<f64>>,
    cover: Option<usize>,
    reached: Option<extrapolated::Asked>,
    realism: Option<bool>,
}

impl Asked {
    fn prdc(&self, prepared: &Prepared, found: &Found, options: &SupportOptions) -> Vec<Prdc> {
        let distinct = prepared.space.0.as_ref().map(|rows| &rows.distinct);
        let ranks = options.ks.iter().filter(|_| self.balls);
        let of_counts = ranks.zip(found.counts.chunks_exact(2)).map(|(&k, counts)| {
            Prdc::from_counts(distinct, k, Sides { reference: &counts[0], model: &counts[1] })
        });
        of_counts.collect()
    }
}

/// Checks that every ball of [`Prdc`] has its `k`-th neighbor.
fn check(sizes: Sides<usize>, options: &SupportOptions) -> Result<(), MetricError> {
    for side in [Side::Reference, Side::Model] {
        let n = *sizes.get(side);
        if let Some(&k) = options.ks.iter().find(|&&k| k == 0 || k >= n) {
            return Err(MetricError::NoKthNeighbor { side, n, k });
        }
    }
    Ok(())
}

/// Whether both sides have neighbors of rank `k`.
fn fits(sizes: Sides<usize>, k: usize) -> bool {
    k > 0 && k < sizes.reference.min(sizes.model)
}

impl Parts {
    /// Whether each row's nearest row of the other side is needed.
    fn nearest(self) -> bool {
        self.alpha || self.authenticity || self.rows
    }

    /// Whether the balls of [`Prdc`] are.
    fn any_balls(self) -> bool {
        self.balls || self.rows
    }

    /// The largest rank of a neighbor.
    pub(crate) fn rank(self, sizes: Sides<usize>, options: &SupportOptions) -> usize {
        let others = [
            (self.clipped, options.clipped),
            (self.soft, options.soft.k),
            (self.cover, options.cover.rank()),
            (self.reached, Ranks::of(sizes.reference).largest(sizes)),
            (self.rows, options.realism),
            (self.nearest(), 1),
        ];
        let others = others.into_iter().filter(|&(asked, k)| asked && fits(sizes, k));
        let balls = options.ks.iter().copied().filter(|_| self.any_balls());
        balls.chain(others.map(|(_, k)| k)).max().unwrap_or(1)
    }
}

/// Searches the neighbors and goes over all pairs once for `parts`.
fn search<'a>(
    clouds: Clouds<'a>,
    options: &SupportOptions,
    parts: Parts,
) -> Result<(Prepared<'a>, Found, Asked), MetricError> {
    let sizes = clouds.sides().map(Matrix::rows);
    check(sizes, options)?;
    let prepared = Prepared::new(clouds, parts.rank(sizes, options))?;
    let (found, asked) = run(&prepared, sizes, options, parts);
    Ok((prepared, found, asked))
}

/// What `parts` need of the pairs.
fn run(
    prepared: &Prepared,
    sizes: Sides<usize>,
    options: &SupportOptions,
    parts: Parts,
) -> (Found, Asked) {
    let mut ask = Ask { nearest: parts.nearest(), ..Ask::default() };
    for &k in options.ks.iter().filter(|_| parts.any_balls()) {
        for side in [Side::Reference, Side::Model] {
            ask.balls.push(prepared.balls(side, k, options.ties));
        }
    }
    let fits = |asked: bool, k: usize| asked && fits(sizes, k);
    let clipped = fits(parts.clipped, options.clipped)
        .then(|| Clipped::ask(prepared, options.clipped, &mut ask));
    let cover =
        fits(parts.cover, options.cover.rank()).then(|| options.cover.ask(prepared, &mut ask));
    let reached =
        (parts.reached && Reached::fits(sizes)).then(|| Reached::ask(prepared, sizes, &mut ask));
    let soft = fits(parts.soft, options.soft.k).then(|| options.soft.ask(prepared, &mut ask));
    let realism = fits(parts.rows, options.realism)
        .then(|| realism::ask(prepared, options.realism, &mut ask));
    let asked = Asked { balls: parts.any_balls(), clipped, soft, cover, reached, realism };
    (prepared.run(&ask), asked)
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

#[cfg(test)]
mod tests;
