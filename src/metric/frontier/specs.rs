//! What is known of MAUVE and the frontier integral, under every estimator that a score has.

use super::super::spec::{Better, Family, Null, Range, Spec, Truth};

/// Change of MAUVE per doubling of the rows against the doubling before: its distance from 1 falls faster
/// than `1/n`, with 0.69, 0.887, 0.966 at 0.4, 0.2 and 0.1 clusters a row.
const FAST: Null = Null::Halves(0.4);

/// [`Mauve::mauve`](super::Mauve::mauve) over a tenth as many clusters as rows.
pub const MAUVE: Spec = Spec {
    name: "mauve",
    title: "MAUVE",
    family: Family::Frontier,
    range: Range::Unit,
    better: Better::Higher,
    null: FAST,
    truth: &[Truth::Overlap],
    cost: "k-means, then O(bins · weights)",
    parameter: None,
};
/// [`Mauve::mauve_star`](super::Mauve::mauve_star) over the same clusters.
pub const MAUVE_STAR: Spec = Spec { name: "mauve_star", title: "MAUVE*", ..MAUVE };
/// [`MAUVE`] over 20 clusters.
pub const MAUVE_20: Spec =
    Spec { name: "mauve_20", title: "MAUVE over 20 clusters", truth: &[], ..MAUVE };
/// [`Mauve::frontier_integral`](super::Mauve::frontier_integral) over a tenth as many clusters as rows.
pub const FRONTIER_INTEGRAL: Spec = Spec {
    name: "frontier_integral",
    title: "Frontier integral",
    better: Better::Lower,
    null: Null::COUNTS,
    truth: &[Truth::Distance],
    cost: "k-means, then O(bins)",
    ..MAUVE
};
/// [`Mauve::frontier_integral_star`](super::Mauve::frontier_integral_star) over the same clusters.
pub const FRONTIER_INTEGRAL_STAR: Spec = Spec {
    name: "frontier_integral_star",
    title: "Frontier integral*",
    truth: &[],
    ..FRONTIER_INTEGRAL
};
/// [`FRONTIER_INTEGRAL`] over 20 clusters.
pub const FRONTIER_INTEGRAL_20: Spec = Spec {
    name: "frontier_integral_20",
    title: "Frontier integral over 20 clusters",
    ..FRONTIER_INTEGRAL_STAR
};

/// [`MAUVE`] with a text more in every bin.
pub const MAUVE_LAPLACE: Spec = Spec {
    name: "mauve_laplace",
    title: "MAUVE, smoothed by Laplace",
    family: Family::Extra,
    truth: &[],
    ..MAUVE
};
/// [`FRONTIER_INTEGRAL`] with a text more in every bin.
pub const FRONTIER_INTEGRAL_LAPLACE: Spec = Spec {
    name: "frontier_integral_laplace",
    title: "Frontier integral, smoothed by Laplace",
    family: Family::Extra,
    truth: &[],
    ..FRONTIER_INTEGRAL
};
/// [`MAUVE`], smoothed by Braess and Sauer.
pub const MAUVE_BRAESS_SAUER: Spec = Spec {
    name: "mauve_braess_sauer",
    title: "MAUVE, smoothed by Braess and Sauer",
    ..MAUVE_LAPLACE
};
/// [`FRONTIER_INTEGRAL`], smoothed by Braess and Sauer.
pub const FRONTIER_INTEGRAL_BRAESS_SAUER: Spec = Spec {
    name: "frontier_integral_braess_sauer",
    title: "Frontier integral, smoothed by Braess and Sauer",
    ..FRONTIER_INTEGRAL_LAPLACE
};
/// [`MAUVE`], smoothed by Good and Turing.
pub const MAUVE_GOOD_TURING: Spec = Spec {
    name: "mauve_good_turing",
    title: "MAUVE, smoothed by Good and Turing",
    ..MAUVE_LAPLACE
};
/// [`FRONTIER_INTEGRAL`], smoothed by Good and Turing.
pub const FRONTIER_INTEGRAL_GOOD_TURING: Spec = Spec {
    name: "frontier_integral_good_turing",
    title: "Frontier integral, smoothed by Good and Turing",
    ..FRONTIER_INTEGRAL_LAPLACE
};

/// MAUVE of [`Frontier::of_ratios`](super::Frontier::of_ratios) by a linear classifier.
pub const MAUVE_RATIO: Spec = Spec {
    name: "mauve_ratio",
    title: "MAUVE by a classifier",
    null: Null::Known(1.0),
    cost: "O((n + m) d) a step of a classifier, in five folds",
    ..MAUVE_LAPLACE
};
/// [`frontier_integral_of_ratios`](super::frontier_integral_of_ratios) by a linear classifier.
pub const FRONTIER_INTEGRAL_RATIO: Spec = Spec {
    name: "frontier_integral_ratio",
    title: "Frontier integral by a classifier",
    null: Null::Known(0.0),
    cost: "O((n + m) d) a step of a classifier, in five folds",
    ..FRONTIER_INTEGRAL_LAPLACE
};
/// [`MAUVE_RATIO`] by votes of nearest neighbors.
pub const MAUVE_KNN: Spec = Spec {
    name: "mauve_knn",
    title: "MAUVE by nearest neighbors",
    cost: "O((n + m)² d)",
    ..MAUVE_RATIO
};
/// [`FRONTIER_INTEGRAL_RATIO`] by votes of nearest neighbors.
pub const FRONTIER_INTEGRAL_KNN: Spec = Spec {
    name: "frontier_integral_knn",
    title: "Frontier integral by nearest neighbors",
    cost: "O((n + m)² d)",
    ..FRONTIER_INTEGRAL_RATIO
};
