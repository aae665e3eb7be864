//! Recall as it would be with infinitely many texts, from how often balls around the reference are hit.

use super::{
    nulls,
    spec::{Better, Family, Null, Range, Spec, Truth},
};
use crate::{
    cloud::{
        Clouds, MetricError,
        neighbors::Ties,
        pass::{Ask, Found},
        prepared::Prepared,
    },
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
    math::special::ln_gamma,
};

/// [`Reached::recall_extrapolated`].
pub const RECALL_EXTRAPOLATED: Spec = Spec {
    name: "recall_extrapolated",
    title: "Recall, extrapolated",
    family: Family::Support,
    range: Range::Unit,
    better: Better::Higher,
    null: Null::BALLS,
    truth: &[Truth::RecallExtrapolated],
    cost: "O((n + m)² d)",
    parameter: None,
};
/// [`Reached::modes_reached`].
pub const MODES_REACHED: Spec = Spec {
    name: "modes_reached",
    title: "Modes reached",
    null: Null::Coverage,
    truth: &[Truth::Recall],
    ..RECALL_EXTRAPOLATED
};

/// How much of the reference distribution texts reach, in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// Share of the reference that infinitely many texts of the model would reach.
    pub recall_extrapolated: f64,
    /// Share that these texts reach, a mode taking a hundredth of the reference.
    pub modes_reached: f64,
    /// How far `recall_extrapolated` is from its value at twice the rank, where the sets have that rank; 0 elsewhere.
    pub between_ranks: f64,
}

/// Ranks of neighbors, by the size of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Of the balls that are extrapolated from: `√n / 11`, at least 2 and at most 4.
    pub extrapolated: usize,
    /// Of a mode's ball: `n / 100`, at least 1 and at most 9.
    pub mode: usize,
}

impl Ranks {
    /// Those for `n` reference rows.
    pub fn of(n: usize) -> Self {
        Self {
            extrapolated: ((n as f64).sqrt() / 11.0).round().clamp(2.0, 4.0) as usize,
            mode: (n / 100).clamp(1, 9),
        }
    }

    /// The greatest of them that `sizes` have; what is missing is left out.
    pub(crate) fn largest(self, sizes: Sides<usize>) -> usize {
        let all = [self.mode, self.extrapolated, 2 * self.extrapolated];
        let has = |k: &usize| *k < sizes.reference.min(sizes.model);
        all.into_iter().filter(has).max().unwrap_or(1)
    }
}

/// Recall of `Q` with infinitely many texts, and what these texts reach; higher is better.
///
/// A ball of the reference is not reached by a single text that strays into it, but when `Q` is as dense there as a
/// model would be that writes a part of `P` and nothing else. Of `P` cut down to a share `ρ`, `ρn` texts would hit the
/// balls of that part as often as `ρn` texts of `P` itself hit theirs. So the share is the one at which as many texts
/// of `Q` do so, those outside of all balls not counted:
///
/// ```text
/// c(x)   = |{ y ∈ Q : ‖x − y‖ ≤ r_k(x) }|
/// a      = Σ_x c(x) / (k m)                                     density: texts that lie in balls, 1 for P itself
/// C(t)   = mean over x of 1 − binom(m − c(x), t) / binom(m, t)   balls that t of the m texts hit, in expectation
/// c0(ρ)  = 1 − ∏_{i=1}^{k} (ρn − i)/(ρn + at − i)                what P itself scores: coverage under P = Q
///
/// recall_extrapolated = the ρ ≤ 1 with C(t) = ρ c0(ρ) at t = min(ρn/a, m);  1 where C(t) ≥ c0(1) at ρ = 1
/// modes_reached       = min(recall_extrapolated, |{ x ∈ P : ‖x − y‖ ≤ r_K(x) for a y ∈ Q }| / n),  K = n/100
/// ```
///
/// The ranks `k` and `K` follow the reference's size ([`Ranks`]): `k` grows with its root, so that balls shrink while
/// they hold more. Both measures see what the embedder sees: a mode that lies among others is reached with them, and
/// one of which only a corner is written counts by that corner. `docs/decisions.md` has what that amounts to where the
/// truth is known.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] when a cloud has no neighbor of those ranks.
///
/// # Cost and sources
///
/// That of [`super::prdc::prdc`]. The balls are those of coverage (Naeem et al. 2020, arXiv:2002.09797), `C(t)` is
/// rarefaction (Hurlbert 1971); holding the two against each other is this project's own.
///
/// # Example
///
/// ```
/// # use llmpr::cloud::Clouds;
/// # use llmpr::{data::{matrix::Matrix, sides::Sides}, metric::extrapolated::reached, rng};
/// let drawn = |name: &str, n: usize, up_to: f32| {
///     let mut rng = rng::named(0, name);
///     Matrix::new(1, (0..n).map(|_| rng::next_unit(&mut rng) as f32 * up_to).collect()).unwrap()
/// };
/// // Q writes the first half of P, as densely as P does with half of the texts.
/// let sets = Sides { reference: drawn("P", 1000, 1.0), model: drawn("Q", 500, 0.5) };
/// let found = reached(Clouds::new(sets.as_ref())?)?;
/// assert!((found.recall_extrapolated - 0.5).abs() < 0.1);
/// assert!((found.modes_reached - 0.5).abs() < 0.05);
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn reached(clouds: Clouds<'_>) -> Result<Reached, MetricError> {
    let sizes = clouds.sides().map(Matrix::rows);
    let ranks = Ranks::of(sizes.reference);
    let needed = ranks.extrapolated.max(ranks.mode);
    for side in [Side::Reference, Side::Model] {
        let n = *sizes.get(side);
        if needed >= n {
            return Err(MetricError::NoKthNeighbor { side, n, k: needed });
        }
    }
    let prepared = Prepared::new(clouds, ranks.largest(sizes))?;
    let mut ask = Ask::default();
    let asked = Reached::ask(&prepared, sizes, &mut ask);
    Ok(asked.read(&prepared, &prepared.run(&ask)))
}

/// Where the balls of the two measures stand among those asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    ranks: Ranks,
    at: usize,
    /// Whether there are balls of twice the rank.
    twice: bool,
}

impl Reached {
    /// Whether both sides have neighbors of the ranks.
    pub(crate) fn fits(sizes: Sides<usize>) -> bool {
        let Ranks { extrapolated, mode } = Ranks::of(sizes.reference);
        extrapolated.max(mode) < sizes.reference.min(sizes.model)
    }

    pub(crate) fn ask(prepared: &Prepared, sizes: Sides<usize>, ask: &mut Ask) -> Asked {
        let ranks = Ranks::of(sizes.reference);
        let twice = 2 * ranks.extrapolated;
        let asked =
            Asked { ranks, at: ask.balls.len(), twice: twice < sizes.reference.min(sizes.model) };
        let of = [ranks.mode, ranks.extrapolated, twice];
        for &k in &of[..if asked.twice { 3 } else { 2 }] {
            ask.balls.push(prepared.balls(Side::Reference, k, Ties::Inclusive));
        }
        asked
    }
}

impl Asked {
    pub(crate) fn read(self, prepared: &Prepared, found: &Found) -> Reached {
        let Self { ranks, at, twice } = self;
        let hits = |at: usize, k: usize| Hits::of(prepared, &found.counts[at].held, k);
        let recall_extrapolated = hits(at + 1, ranks.extrapolated).extrapolated();
        let other = twice.then(|| hits(at + 2, 2 * ranks.extrapolated).extrapolated());
        let of_modes = prepared.share(Side::Reference, |g| found.counts[at].held[g] > 0);
        Reached {
            recall_extrapolated,
            modes_reached: of_modes.min(recall_extrapolated),
            between_ranks: other.map_or(0.0, |other| (other - recall_extrapolated).abs()),
        }
    }
}

/// How often balls are hit.
struct Hits {
    /// Per number of texts in a ball, ascending: the share of balls with so many.
    shares: Vec<(f64, f64)>,
    n: f64,
    m: f64,
    k: usize,
}

impl Hits {
    fn of(prepared: &Prepared, held: &[u32], k: usize) -> Self {
        let Sides { reference: p, model: q } = prepared.space.0.as_ref().map(|rows| &rows.distinct);
        let (n, m) = (p.of.len() as f64, q.of.len() as f64);
        let mut counts: Vec<(u32, u32)> =
            held.iter().copied().zip(p.copies.iter().copied()).collect();
        counts.sort_unstable();
        let mut shares: Vec<(f64, f64)> = Vec::new();
        for (count, copies) in counts {
            let (count, share) = (f64::from(count), f64::from(copies) / n);
            match shares.last_mut() {
                Some(last) if last.0 == count => last.1 += share,
                _ => shares.push((count, share)),
            }
        }
        Self { shares, n, m, k }
    }

    /// `a`: texts in balls against those of as many texts of `P`.
    fn density(&self) -> f64 {
        let mean: f64 = self.shares.iter().map(|(count, share)| count * share).sum();
        mean * self.n / (self.k as f64 * self.m)
    }

    /// `C(t)`.
    fn hit(&self, t: f64) -> f64 {
        let all = ln_gamma(self.m + 1.0) - ln_gamma(self.m - t + 1.0);
        let hit = |&(count, share): &(f64, f64)| {
            let others = self.m - count;
            let missed = match others >= t {
                true => (ln_gamma(others + 1.0) - ln_gamma(others - t + 1.0) - all).exp(),
                false => 0.0,
            };
            share * (1.0 - missed)
        };
        self.shares.iter().map(hit).sum()
    }

    /// The share `ρ` of `P` that is hit as often as `P` cut down to it would be.
    fn extrapolated(&self) -> f64 {
        /// Halvings: the last is beyond what single precision shows.
        const STEPS: usize = 30;
        let density = self.density();
        if density <= 0.0 {
            return 0.0;
        }
        let enough = |share: f64| {
            let t = (share * self.n / density).min(self.m);
            let null =
                nulls::coverage_of(share * self.n, (t * density).min(share * self.n), self.k);
            self.hit(t) >= share * null
        };
        if enough(1.0) {
            return 1.0;
        }
        let (mut below, mut above) = (0.0, 1.0);
        for _ in 0..STEPS {
            let middle = f64::midpoint(below, above);
            if enough(middle) {
                below = middle;
            } else {
                above = middle;
            }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn line(xs: impl Iterator<Item = f32>) -> Matrix {
        Matrix::new(1, xs.collect()).unwrap()
    }

    fn of(reference: &Matrix, model: &Matrix) -> Reached {
        reached(Clouds::new(Sides { reference, model }).unwrap()).unwrap()
    }

    /// Rows spread evenly over `[from, from + 1]`, drawn.
    fn uniform(name: &str, n: usize, from: f64) -> Matrix {
        let mut rng = rng::named(0, name);
        line((0..n).map(|_| (from + rng::next_unit(&mut rng)) as f32))
    }

    #[test] // closed form
    fn balls_hit_alike_are_solved_by_hand() {
        // Half of the balls hold 2 of m = n = 1000 texts, half none: a = 1/2 at k = 2, and C(t) at t = 2000 ρ is
        // ½ (1 − (m − t)(m − t − 1)/(m (m − 1))), which meets ρ c0(ρ), c0 = 1 − (ρn − 1)(ρn − 2)/(2ρn − 1)/(2ρn − 2).
        let hits = Hits { shares: vec![(0.0, 0.5), (2.0, 0.5)], n: 1000.0, m: 1000.0, k: 2 };
        assert_eq!(hits.density(), 0.5);
        let t = 400.0;
        let by_hand = 0.5 * (1.0 - 600.0 * 599.0 / (1000.0 * 999.0));
        assert!((hits.hit(t) - by_hand).abs() < 1e-9, "{} and {by_hand}", hits.hit(t));
        assert_eq!(hits.hit(1000.0), 0.5);
        let share = hits.extrapolated();
        let (kept, t) = (share * 1000.0, 1000.0_f64.min(2000.0 * share));
        let null =
            1.0 - (kept - 1.0) * (kept - 2.0) / (kept + t / 2.0 - 1.0) / (kept + t / 2.0 - 2.0);
        assert!((hits.hit(t) - share * null).abs() < 1e-6, "{share}");
    }

    #[test] // closed form
    fn all_is_reached_by_the_reference_itself_and_nothing_by_texts_elsewhere() {
        let rows = line((0..200u16).map(f32::from));
        let itself = of(&rows, &rows);
        assert_eq!((itself.recall_extrapolated, itself.modes_reached), (1.0, 1.0));
        assert_eq!(itself.between_ranks, 0.0);
        let elsewhere = of(&rows, &line((0..200u16).map(|i| 1e6 + f32::from(i))));
        assert_eq!((elsewhere.recall_extrapolated, elsewhere.modes_reached), (0.0, 0.0));
    }

    #[test] // simulated: 1000 rows a side; the estimate deviates by about 0.03
    fn a_model_of_a_part_is_given_that_part_however_many_texts_it_writes() {
        // P lies on four intervals far apart, Q on one, two or three of them; a fifth of Q lies nowhere near.
        let part = |name: &str, n: usize, of: usize| -> Vec<f32> {
            let each = |at: usize| uniform(&format!("{name} {at}"), n / of, 10.0 * at as f64);
            (0..of).flat_map(|at| each(at).as_slice().to_vec()).collect()
        };
        let reference = line(part("people", 1000, 4).into_iter());
        for (parts, exact) in [(1, 0.25), (2, 0.5), (3, 0.75)] {
            for m in [600, 1000, 3000] {
                let mut texts = part("machine", m, parts);
                texts.extend((0..m / 5).map(|i| 1000.0 + i as f32));
                let found = of(&reference, &line(texts.into_iter()));
                let off = found.recall_extrapolated - exact;
                assert!(off.abs() < 0.08, "{parts} parts, {m} texts: {found:?}");
                assert!(
                    (found.modes_reached - exact).abs() < 0.08,
                    "{parts} parts, {m}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn copies_count_as_often_as_they_occur() {
        // Every row twice: a ball of k = 2 still reaches the next row, and what is hit is the same share.
        let rows = line((0..120u16).map(f32::from));
        let model = line((0..60u16).map(|i| f32::from(i) + 0.25));
        let (once, twice) = (of(&rows, &model), of(&rows.stack(&rows), &model.stack(&model)));
        assert!((once.modes_reached - 0.5).abs() < 0.03, "{once:?}");
        assert!((twice.modes_reached - 0.5).abs() < 0.03, "{twice:?}");
    }

    #[test]
    fn ranks_follow_the_size_and_too_few_rows_are_an_error() {
        let ranks = [3, 100, 500, 1000, 2000, 100_000].map(Ranks::of);
        assert_eq!(ranks.map(|ranks| ranks.extrapolated), [2, 2, 2, 3, 4, 4]);
        assert_eq!(ranks.map(|ranks| ranks.mode), [1, 1, 5, 9, 9, 9]);
        let few = line([0.0, 1.0].into_iter());
        let error = reached(Clouds::new(Sides { reference: &few, model: &few }).unwrap());
        assert!(matches!(error, Err(MetricError::NoKthNeighbor { n: 2, k: 2, .. })), "{error:?}");
    }
}
