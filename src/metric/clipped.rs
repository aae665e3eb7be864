//! Clipped density and clipped coverage: 1 for equal distributions, whatever the dimension.

use super::spec::{Better, Family, Null, Range, Spec, Truth};
use crate::{
    cloud::{
        Clouds, MetricError,
        neighbors::Ties,
        pass::{Ask, Balls, Found},
        prepared::Prepared,
    },
    data::sides::Side,
    math::quantile::median,
};

/// [`Clipped::density`].
pub const CLIPPED_DENSITY: Spec = Spec {
    name: "clipped_density",
    title: "Clipped density",
    family: Family::Support,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::BALLS,
    truth: &[Truth::Precision],
    cost: "O((n + m)² d)",
    parameter: None,
};
/// [`Clipped::coverage`].
pub const CLIPPED_COVERAGE: Spec = Spec {
    name: "clipped_coverage",
    title: "Clipped coverage",
    truth: &[Truth::Recall],
    ..CLIPPED_DENSITY
};

/// Clipped density and coverage with the parts they are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clipped {
    /// `min(1, fidelity_raw / fidelity_real)`, in `[0, 1]`.
    pub density: f64,
    /// The same, not clipped at 1.
    pub unclipped_ratio: f64,
    /// Mean of `min(1, balls/K)` over `Q`.
    pub fidelity_raw: f64,
    /// The same over `P`, each row without its own ball.
    pub fidelity_real: f64,
    /// The share of `m` at which `P` itself would cover as much, in `[0, 1]`.
    pub coverage: f64,
    /// Mean of `min(K, rows of Q in the ball)/K` over `P`.
    pub raw_coverage: f64,
}

/// Clipped density and coverage of `Q` against `P`; higher is better, 1 is best.
///
/// Radii of density are clipped at their median, so that outliers of `P` cannot swallow the space, and
/// a text counts at most once; the result is held against the same statistic of `P` itself. Coverage
/// is mapped through the inverse of its expectation `f` for a perfect model of `m'` rows:
///
/// ```text
/// fidelity(y) = min(1, |{ x ∈ P : ‖x − y‖ ≤ min(r_K(x), median r_K) }| / K)
/// raw         = mean over P of min(K, |{ y ∈ Q : ‖x − y‖ < r_K(x) }|) / K
/// f(m')       = E min(B, K) / K,  B ~ BetaBinomial(m', K, n − K),  0 for m' < K
/// coverage    = (smallest m' with f(m') ≥ raw) / (m + 1)
/// ```
///
/// # Arguments
///
/// * `k`: rank `K`, `1 ≤ K < min(n, m)`; 5 in the paper.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has no `k`-th other row.
///
/// # Cost and sources
///
/// That of [`super::prdc::prdc`]. Salvy, Talbot, Thirion 2026, by their formulas; with duplicates their
/// code depends on the order in which a search meets ties, this does not.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::clipped::clipped;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0, 2.0, 3.0]), model: line(&[0.5, 0.75, 9.0]) };
/// let scores = clipped(Clouds::new(sets.as_ref())?, 1)?;
/// assert_eq!(scores.density, 2.0 / 3.0); // two of three texts lie in a ball, and count once
/// assert_eq!(scores.raw_coverage, 0.5); // the balls of 0 and 1 hold a text
/// assert_eq!(scores.coverage, 0.75); // f(m') = m'/(m' + 3) is 1/2 at m' = 3, of m + 1 = 4
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn clipped(clouds: Clouds<'_>, k: usize) -> Result<Clipped, MetricError> {
    let prepared = Prepared::new(clouds, k)?;
    let mut ask = Ask::default();
    let asked = Clipped::ask(&prepared, k, &mut ask);
    let found = prepared.run(&ask);
    Ok(asked.read(&prepared, &found))
}

/// Where the balls of the two measures stand among those asked for.
pub(crate) struct Asked {
    k: usize,
    at: usize,
    squared: Vec<f64>,
}

impl Clipped {
    pub(crate) fn ask(prepared: &Prepared, k: usize, ask: &mut Ask) -> Asked {
        let around = Side::Reference;
        let whole = prepared.balls(around, k, Ties::Strict);
        let clip = median(prepared.radii(around, k));
        // A radius that is the median keeps its own square: squaring the root may round below it.
        let clipped = |&squared: &f64| if squared.sqrt() <= clip { squared } else { clip * clip };
        let squared: Vec<f64> = whole.squared.iter().map(clipped).collect();
        let asked = Asked { k, at: ask.balls.len(), squared: squared.clone() };
        ask.balls.push(Balls { around, squared, ties: Ties::Inclusive });
        ask.balls.push(whole);
        asked
    }
}

impl Asked {
    pub(crate) fn read(&self, prepared: &Prepared, found: &Found) -> Clipped {
        let Self { k, at, squared } = self;
        let (p, q) = (&prepared.space.0.reference.distinct, &prepared.space.0.model.distinct);
        let once = |count: u32| f64::from(count.min(*k as u32)) / *k as f64;
        let fidelity_raw = prepared.mean(Side::Model, |g| once(found.counts[*at].holding[g]));

        // Neighbors within a clipped radius are among the first K, ties included; the list has them all.
        let mut holding: Vec<u32> = p.copies.iter().map(|&own| own - 1).collect();
        for (center, &radius) in squared.iter().enumerate() {
            for near in prepared.neighbors(Side::Reference).of(center) {
                if near.squared <= radius {
                    holding[near.row as usize] += p.copies[center];
                }
            }
        }
        let fidelity_real = prepared.mean(Side::Reference, |g| once(holding[g]));
        let held = &found.counts[at + 1].held;
        let raw_coverage = prepared.mean(Side::Reference, |g| once(held[g]));
        let unclipped_ratio = fidelity_raw / fidelity_real;
        Clipped {
            density: unclipped_ratio.min(1.0),
            unclipped_ratio,
            fidelity_raw,
            fidelity_real,
            coverage: calibrated(raw_coverage, *k, p.of.len(), q.of.len()),
            raw_coverage,
        }
    }
}

/// `m'/(m + 1)` for the smallest `m'` whose expected coverage reaches `raw`.
fn calibrated(raw: f64, k: usize, n: usize, m: usize) -> f64 {
    let (mut below, mut above) = (0, m + 1);
    while below < above {
        let middle = usize::midpoint(below, above);
        if expected_coverage(middle, k, n) < raw {
            below = middle + 1;
        } else {
            above = middle;
        }
    }
    below as f64 / (m + 1) as f64
}

/// `E min(B, K)/K` for `B ~ BetaBinomial(m, K, n − K)`; 0 for `m < K`.
///
/// # Example
///
/// ```
/// # use llmpr::metric::clipped::expected_coverage;
/// // With k = 1 one of the n = 4 rows' neighbors comes first alike: m/(m + 3).
/// assert_eq!(expected_coverage(3, 1, 4), 0.5);
/// assert_eq!(expected_coverage(1, 2, 4), 0.0); // one text cannot fill a ball of two
/// ```
pub fn expected_coverage(m: usize, k: usize, n: usize) -> f64 {
    if m < k {
        return 0.0;
    }
    let (m, k, b) = (m as f64, k as f64, n.saturating_sub(k).max(1) as f64);
    // P(B = 0) = ∏ (b + i)/(b + m + i), then from one count to the next.
    let mut share: f64 = (0..k as usize).map(|i| (b + i as f64) / (b + m + i as f64)).product();
    let (mut expected, mut rest) = (0.0, 1.0);
    for j in (0..k as usize).map(|j| j as f64) {
        expected += j * share;
        rest -= share;
        share *= (m - j) / (j + 1.0) * (j + k) / (m - j - 1.0 + b);
    }
    (expected + k * rest) / k
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_coverage_of_one_neighbor_is_the_chance_to_be_hit() {
        // K = 1: 1 − P(no row of m is nearer than the nearest of n − 1 others) = m/(n − 1 + m).
        for (m, n) in [(1, 2), (3, 10), (50, 20)] {
            let want = m as f64 / (n - 1 + m) as f64;
            assert!((expected_coverage(m, 1, n) - want).abs() < 1e-14);
        }
        assert_eq!(expected_coverage(2, 3, 10), 0.0);
    }

    #[test] // K = 1: m'/(n − 1 + m') reaches raw at m' = raw (n − 1)/(1 − raw)
    fn coverage_is_the_share_of_the_texts_that_would_cover_as_much() {
        for (raw, texts) in [(0.0, 0), (0.24, 3), (0.3, 4), (0.49, 9), (0.65, 17)] {
            assert_eq!(calibrated(raw, 1, 10, 19), f64::from(texts) / 20.0, "raw {raw}");
        }
        // More than m texts ever would.
        assert_eq!(calibrated(0.9, 1, 10, 19), 1.0);
    }
}
