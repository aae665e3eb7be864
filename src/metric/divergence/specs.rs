//! What is known of the f-divergences that a score reports.

use std::f64::consts::LN_2;

use super::super::spec::{Better, Family, Null, Parameter, Range, Spec, Truth};

/// [`Divergence::Kl`](super::Divergence::Kl) over clusters.
pub const KL: Spec = Spec {
    name: "kl",
    title: "KL(P‖Q)",
    family: Family::Divergence,
    range: Range::Positive,
    better: Better::Lower,
    null: Null::COUNTS,
    truth: &[],
    cost: "k-means, then O(bins)",
    parameter: None,
};
/// [`Divergence::ReverseKl`](super::Divergence::ReverseKl) over clusters.
pub const REVERSE_KL: Spec = Spec { name: "reverse_kl", title: "KL(Q‖P)", ..KL };
/// [`Divergence::Js`](super::Divergence::Js) over clusters.
pub const JS: Spec =
    Spec {
        name: "js", title: "Jensen–Shannon divergence", range: Range::Between(0.0, LN_2), ..KL
    };
/// [`Divergence::Chi2`](super::Divergence::Chi2) over clusters.
pub const CHI2: Spec = Spec { name: "chi2", title: "χ² divergence (Pearson)", ..KL };
/// [`Divergence::Hellinger2`](super::Divergence::Hellinger2) over clusters.
pub const HELLINGER2: Spec =
    Spec { name: "hellinger2", title: "Squared Hellinger distance", range: Range::Unit, ..KL };
/// [`Divergence::Tv`](super::Divergence::Tv) over clusters.
pub const TV: Spec = Spec {
    name: "tv",
    title: "Total variation",
    range: Range::Unit,
    null: Null::BALLS,
    truth: &[Truth::Rest],
    ..KL
};

/// [`KL`] with half a text more in every bin.
pub const KL_SMOOTHED: Spec = Spec { name: "kl_smoothed", title: "KL(P‖Q), smoothed", ..KL };
/// [`REVERSE_KL`] with half a text more in every bin.
pub const REVERSE_KL_SMOOTHED: Spec =
    Spec { name: "reverse_kl_smoothed", title: "KL(Q‖P), smoothed", ..REVERSE_KL };
/// [`JS`] with half a text more in every bin.
pub const JS_SMOOTHED: Spec =
    Spec { name: "js_smoothed", title: "Jensen–Shannon divergence, smoothed", ..JS };
/// [`CHI2`] with half a text more in every bin.
pub const CHI2_SMOOTHED: Spec =
    Spec { name: "chi2_smoothed", title: "χ² divergence (Pearson), smoothed", ..CHI2 };
/// [`HELLINGER2`] with half a text more in every bin.
pub const HELLINGER2_SMOOTHED: Spec = Spec {
    name: "hellinger2_smoothed",
    title: "Squared Hellinger distance, smoothed",
    ..HELLINGER2
};
/// [`TV`] with half a text more in every bin.
pub const TV_SMOOTHED: Spec =
    Spec { name: "tv_smoothed", title: "Total variation, smoothed", truth: &[], ..TV };

/// A lower bound of [`KL`] by a classifier's ratios.
pub const KL_BOUND: Spec = Spec {
    name: "kl_bound",
    title: "Dual lower bound of KL(P‖Q)",
    family: Family::Extra,
    null: Null::Known(0.0),
    cost: "O((n + m) d) a step of a classifier, in five folds",
    ..KL
};
/// A lower bound of [`REVERSE_KL`] by a classifier's ratios.
pub const REVERSE_KL_BOUND: Spec =
    Spec { name: "reverse_kl_bound", title: "Dual lower bound of KL(Q‖P)", ..KL_BOUND };
/// A lower bound of [`JS`] by a classifier's ratios.
pub const JS_BOUND: Spec = Spec {
    name: "js_bound",
    title: "Dual lower bound of the Jensen–Shannon divergence",
    range: Range::Between(0.0, LN_2),
    ..KL_BOUND
};
/// A lower bound of [`CHI2`] by a classifier's ratios.
pub const CHI2_BOUND: Spec =
    Spec { name: "chi2_bound", title: "Dual lower bound of the χ² divergence", ..KL_BOUND };
/// A lower bound of [`HELLINGER2`] by a classifier's ratios.
pub const HELLINGER2_BOUND: Spec = Spec {
    name: "hellinger2_bound",
    title: "Dual lower bound of the squared Hellinger distance",
    range: Range::Unit,
    ..KL_BOUND
};
/// A lower bound of [`TV`] by a classifier's ratios.
pub const TV_BOUND: Spec = Spec {
    name: "tv_bound",
    title: "Dual lower bound of the total variation",
    range: Range::Unit,
    ..KL_BOUND
};

/// [`Divergence::NeymanChi2`](super::Divergence::NeymanChi2) over clusters.
pub const NEYMAN_CHI2: Spec =
    Spec { name: "neyman_chi2", title: "χ² divergence (Neyman)", family: Family::Extra, ..KL };
/// [`Divergence::Gan`](super::Divergence::Gan) over clusters.
pub const GAN: Spec = Spec {
    name: "gan",
    title: "Value of the discriminator's game",
    range: Range::Between(-2.0 * LN_2, 0.0),
    ..NEYMAN_CHI2
};
/// [`Divergence::Alpha`](super::Divergence::Alpha) over clusters.
pub const ALPHA_DIVERGENCE: Spec = Spec {
    name: "alpha_divergence",
    title: "α-divergence",
    parameter: Some(Parameter::Order),
    ..NEYMAN_CHI2
};
/// [`renyi`](super::renyi) over clusters.
pub const RENYI: Spec = Spec { name: "renyi", title: "Rényi divergence", ..ALPHA_DIVERGENCE };
