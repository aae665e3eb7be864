//! From any score of texts to a PR-curve: the lower envelope of its thresholds.
//!
//! A region `A` of texts that "look like Q" bounds the curve, `α_λ ≤ λ P(A) + Q(Aᶜ)`, and the best region
//! attains it. Thresholds of one score give one region each; the least of their lines at every slope
//! is the score's curve. The same object is the lower hull of the score's ROC curve, and a pair of
//! discrete distributions, from which every divergence follows.

use super::curve::Point;
use crate::data::sides::{Side, Sides};

/// Why scores have no curve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A side has no scored text.
    #[error("the {side} side has no scores; a curve needs at least one on either side")]
    Empty { side: Side },
    /// A score is NaN.
    #[error("score {row} of the {side} side is not a number")]
    NotANumber { side: Side, row: usize },
}

/// The errors of one threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vertex {
    /// Share of `P` below the threshold: `P(A)`.
    pub fnr: f64,
    /// Share of `Q` at or above it: `Q(Aᶜ)`.
    pub fpr: f64,
}

/// A concave, piecewise linear PR-curve `α_λ = min_v λ·fnr_v + fpr_v`.
///
/// # Example
///
/// ```
/// # use llmpr::{data::sides::Sides, metric::envelope::Envelope};
/// // Every text of P scores above every text of Q but one.
/// let scores = Sides { reference: &[0.9, 0.8, 0.6, 0.4][..], model: &[0.5, 0.3, 0.2, 0.1][..] };
/// let curve = Envelope::of_scores(scores)?;
/// assert_eq!(curve.alpha(1.0), 0.25); // threshold 0.6 misses one of four, of P
/// # Ok::<(), llmpr::metric::envelope::EnvelopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Corners of the lower hull, `fnr` ascending and `fpr` descending.
    vertices: Vec<Vertex>,
}

impl Envelope {
    /// The curve of a score that is higher for texts that look like `P`.
    ///
    /// A threshold `t` errs on the texts of `P` that score below `t` (`fnr`) and on those of `Q` that score `t`
    /// or more (`fpr`). Counts are kept as integers, so the hull is exact. The scores must be of texts
    /// that the classifier was not fitted on: in-sample they flatter the classifier, and the curve comes out too low.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Empty`], [`EnvelopeError::NotANumber`].
    ///
    /// # Cost and sources
    ///
    /// `O((n + m) log(n + m))`. Simon et al. 2019, arXiv:1905.05441; Sykes et al. 2024, arXiv:2405.01611.
    pub fn of_scores(scores: Sides<&[f64]>) -> Result<Self, EnvelopeError> {
        let mut ordered = Vec::with_capacity(scores.reference.len() + scores.model.len());
        for side in [Side::Reference, Side::Model] {
            let values = *scores.get(side);
            if values.is_empty() {
                return Err(EnvelopeError::Empty { side });
            }
            if let Some(row) = values.iter().position(|score| score.is_nan()) {
                return Err(EnvelopeError::NotANumber { side, row });
            }
            ordered.extend(values.iter().map(|&score| (score, side)));
        }
        ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (n, m) = (scores.reference.len() as u64, scores.model.len() as u64);
        let mut roc = vec![[0, m]];
        let [mut below, mut above] = [0, m];
        for (i, &(score, side)) in ordered.iter().enumerate() {
            match side {
                Side::Reference => below += 1,
                Side::Model => above -= 1,
            }
            if ordered.get(i + 1).is_none_or(|next| next.0 != score) {
                roc.push([below, above]);
            }
        }
        let turn = |a: [u64; 2], b: [u64; 2], c: [u64; 2]| {
            let difference = |x: u64, y: u64| i128::from(x) - i128::from(y);
            difference(b[0], a[0]) * difference(c[1], a[1])
                > difference(b[1], a[1]) * difference(c[0], a[0])
        };
        let vertex = |[fnr, fpr]: [u64; 2]| Vertex {
            fnr: fnr as f64 / n as f64,
            fpr: fpr as f64 / m as f64,
        };
        Ok(Self { vertices: lower_hull(roc, turn).into_iter().map(vertex).collect() })
    }

    /// The exact curve of two distributions over the same bins: bins enter by their ratio `p/q`.
    pub fn of_shares(shares: Sides<&[f64]>) -> Self {
        let mut bins: Vec<(f64, f64)> =
            shares.reference.iter().zip(shares.model).map(|(&p, &q)| (p, q)).collect();
        bins.retain(|&(p, q)| p > 0.0 || q > 0.0);
        // p/q ascending, by cross products so that q = 0 needs no infinity.
        bins.sort_by(|a, b| (a.0 * b.1).total_cmp(&(b.0 * a.1)));
        Self::of_segments(&bins)
    }

    /// The curve through known `points`, straight between them and from the last ones on to where it ends:
    /// constant `β` below the first slope, constant `α` above the last.
    ///
    /// A true curve is concave, so this lies below it and divergences from it are upper bounds
    /// that tighten with the number of points. Points that do not belong to a concave curve are passed over.
    pub fn of_points(points: &[Point]) -> Self {
        let mut sorted: Vec<Point> =
            points.iter().copied().filter(|p| p.lambda > 0.0 && p.lambda.is_finite()).collect();
        sorted.sort_by(|a, b| a.lambda.total_cmp(&b.lambda));
        sorted.dedup_by(|a, b| a.lambda == b.lambda);
        // The line through two neighbors has slope fnr and intercept fpr.
        let Some((first, last)) = sorted.first().zip(sorted.last()) else {
            return Self::least(&[]);
        };
        let mut lines = vec![Vertex { fnr: first.beta.min(1.0), fpr: 0.0 }];
        for pair in sorted.windows(2) {
            let fnr = (pair[1].alpha - pair[0].alpha) / (pair[1].lambda - pair[0].lambda);
            let fpr = pair[0].alpha - fnr * pair[0].lambda;
            lines.push(Vertex { fnr: fnr.clamp(0.0, 1.0), fpr: fpr.clamp(0.0, 1.0) });
        }
        lines.push(Vertex { fnr: 0.0, fpr: last.alpha });
        lines.push(Vertex { fnr: 1.0, fpr: 0.0 });
        lines.push(Vertex { fnr: 0.0, fpr: 1.0 });
        Self::of_lines(lines)
    }

    /// The least of several curves at every slope: each is an upper bound of the same true curve.
    pub fn least(curves: &[Self]) -> Self {
        let trivial = [Vertex { fnr: 0.0, fpr: 1.0 }, Vertex { fnr: 1.0, fpr: 0.0 }];
        let all = curves.iter().flat_map(|curve| curve.vertices.iter().copied());
        Self::of_lines(all.chain(trivial).collect())
    }

    fn of_lines(mut lines: Vec<Vertex>) -> Self {
        lines.sort_by(|a, b| a.fnr.total_cmp(&b.fnr).then(a.fpr.total_cmp(&b.fpr)));
        let mut kept: Vec<Vertex> = Vec::with_capacity(lines.len());
        for line in lines {
            if kept.last().is_none_or(|last| line.fpr < last.fpr) {
                kept.push(line);
            }
        }
        let turn = |a: Vertex, b: Vertex, c: Vertex| {
            (b.fnr - a.fnr) * (c.fpr - a.fpr) > (b.fpr - a.fpr) * (c.fnr - a.fnr)
        };
        Self { vertices: lower_hull(kept, turn) }
    }

    fn of_segments(bins: &[(f64, f64)]) -> Self {
        let mut at = Vertex { fnr: 0.0, fpr: bins.iter().map(|bin| bin.1).sum() };
        let mut vertices = vec![at];
        for (i, &(p, q)) in bins.iter().enumerate() {
            at = Vertex { fnr: at.fnr + p, fpr: at.fpr - q };
            if i + 1 == bins.len() {
                at.fpr = 0.0;
            }
            vertices.push(at);
        }
        Self { vertices }
    }

    /// The corners, `fnr` ascending.
    pub fn vertices(&self) -> &[Vertex] {
        &self.vertices
    }

    /// `α_λ`, in `[0, min(λ, 1)]`.
    pub fn alpha(&self, lambda: f64) -> f64 {
        self.vertices.iter().map(|v| lambda * v.fnr + v.fpr).fold(f64::INFINITY, f64::min)
    }

    /// The points at the slopes `lambdas`.
    pub fn points(&self, lambdas: &[f64]) -> Vec<Point> {
        lambdas.iter().map(|&lambda| Point::new(lambda, self.alpha(lambda))).collect()
    }

    /// The discrete pair `(P, Q)` that has this very curve: one bin per edge of the hull.
    ///
    /// Every divergence of the curve is that of these shares
    /// ([`Divergence::between`](super::divergence::Divergence::between)), and so is its frontier.
    pub fn shares(&self) -> Sides<Vec<f64>> {
        let mut shares = Sides { reference: Vec::new(), model: Vec::new() };
        let mut push = |p: f64, q: f64| {
            if p > 0.0 || q > 0.0 {
                shares.reference.push(p.max(0.0));
                shares.model.push(q.max(0.0));
            }
        };
        if let Some((first, last)) = self.vertices.first().zip(self.vertices.last()) {
            push(0.0, 1.0 - first.fpr);
            for edge in self.vertices.windows(2) {
                push(edge[1].fnr - edge[0].fnr, edge[0].fpr - edge[1].fpr);
            }
            push(1.0 - last.fnr, 0.0);
        }
        shares
    }
}

/// The corners of the lower hull of `points` that go right and down; `turns_left(a, b, c)`.
fn lower_hull<T: Copy>(points: Vec<T>, turns_left: impl Fn(T, T, T) -> bool) -> Vec<T> {
    let mut hull: Vec<T> = Vec::new();
    for point in points {
        while let [.., a, b] = hull[..] {
            if turns_left(a, b, point) {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{curve::pr_curve, divergence::Divergence};

    const P: [f64; 5] = [0.4, 0.3, 0.2, 0.1, 0.0];
    const Q: [f64; 5] = [0.1, 0.2, 0.3, 0.0, 0.4];
    const LAMBDAS: [f64; 7] = [0.01, 0.25, 0.5, 1.0, 1.5, 2.0, 40.0];

    fn case() -> Sides<&'static [f64]> {
        Sides { reference: &P, model: &Q }
    }

    #[test]
    fn the_envelope_of_shares_is_their_pr_curve() {
        let curve = Envelope::of_shares(case());
        for (got, exact) in curve.points(&LAMBDAS).iter().zip(pr_curve(case(), &LAMBDAS)) {
            assert!((got.alpha - exact.alpha).abs() < 1e-15, "{got:?}, {exact:?}");
        }
    }

    #[test]
    fn a_curve_has_the_divergences_of_the_shares_it_came_from() {
        let curve = Envelope::of_shares(case()).shares();
        for divergence in [Divergence::Js, Divergence::Tv, Divergence::FrontierIntegral] {
            let got =
                divergence.between(Sides { reference: &curve.reference, model: &curve.model });
            let exact = divergence.between(case());
            assert!((got - exact).abs() < 1e-14, "{divergence:?}: {got}, {exact}");
        }
    }

    #[test]
    fn points_at_every_corner_give_the_curve_back() {
        // The corners lie at the slopes q/p.
        let corners = pr_curve(case(), &[0.25, 2.0 / 3.0, 1.5, 3.0]);
        let curve = Envelope::of_points(&corners);
        for (got, exact) in curve.points(&LAMBDAS).iter().zip(pr_curve(case(), &LAMBDAS)) {
            assert!((got.alpha - exact.alpha).abs() < 1e-12, "{got:?}, {exact:?}");
        }
    }

    #[test] // closed form
    fn tied_scores_share_one_threshold() {
        let scores = Sides { reference: &[1.0, 1.0, 0.0][..], model: &[1.0, 0.0, 0.0, 0.0][..] };
        let curve = Envelope::of_scores(scores).unwrap();
        let corner = |fnr, fpr| Vertex { fnr, fpr };
        assert_eq!(curve.vertices(), [corner(0.0, 1.0), corner(1.0 / 3.0, 0.25), corner(1.0, 0.0)]);
    }

    #[test]
    fn a_score_that_knows_nothing_has_the_curve_of_equal_distributions() {
        let scores = Sides { reference: &[0.5; 7][..], model: &[0.5; 3][..] };
        let curve = Envelope::of_scores(scores).unwrap();
        for lambda in LAMBDAS {
            assert_eq!(curve.alpha(lambda), lambda.min(1.0));
        }
    }

    #[test]
    fn the_least_of_two_curves_is_below_both() {
        let one = Envelope::of_shares(case());
        let other = Envelope::of_shares(Sides { reference: &[0.9, 0.1], model: &[0.1, 0.9] });
        let least = Envelope::least(&[one.clone(), other.clone()]);
        for lambda in LAMBDAS {
            let expected = one.alpha(lambda).min(other.alpha(lambda));
            assert!((least.alpha(lambda) - expected).abs() < 1e-15, "λ = {lambda}");
        }
    }

    #[test] // by hand
    fn a_corner_above_the_line_between_two_others_is_left_out() {
        let bent = Envelope::of_shares(Sides { reference: &[0.5, 0.5], model: &[0.75, 0.25] });
        // Its corner is (¾, 3/16), and half of the way from (½, ¼) to (1, 0) the line is at ⅛.
        let flat =
            Envelope::of_shares(Sides { reference: &[0.75, 0.25], model: &[0.8125, 0.1875] });
        let corner = |fnr, fpr| Vertex { fnr, fpr };
        let corners = [corner(0.0, 1.0), corner(0.5, 0.25), corner(1.0, 0.0)];
        assert_eq!(bent.vertices(), corners);
        assert_eq!(Envelope::least(&[bent, flat]).vertices(), corners);
    }

    #[test]
    fn missing_and_undefined_scores_get_a_sentence() {
        let error = |reference, model| {
            Envelope::of_scores(Sides { reference, model }).unwrap_err().to_string()
        };
        assert_eq!(
            error(&[1.0], &[]),
            "the model side has no scores; a curve needs at least one on either side"
        );
        assert_eq!(
            error(&[1.0, f64::NAN], &[1.0]),
            "score 1 of the reference side is not a number"
        );
    }
}
