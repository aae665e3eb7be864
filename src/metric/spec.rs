//! What is known of a measure, as a constant beside its function, and values that carry it with them.

use serde::{Deserialize, Serialize};

/// A group of measures that share their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Balls around rows: precision, recall, density, coverage and their relatives.
    Support,
    /// MAUVE and the frontier integral over clusters.
    Frontier,
    /// The PR-curve and its summaries over clusters.
    Curve,
    /// f-divergences over clusters.
    Divergence,
    /// Fréchet, kernel and sliced Wasserstein distances.
    Moments,
    /// How varied the samples are by themselves.
    Diversity,
    /// What a classifier sees: AUC, two-sample accuracy, PR-curves from density ratios.
    Ratio,
    /// What costs more than it tells: TopP&R, cluster-free frontiers, dual bounds.
    Extra,
}

impl Family {
    /// All families, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Support,
        Self::Frontier,
        Self::Curve,
        Self::Divergence,
        Self::Moments,
        Self::Diversity,
        Self::Ratio,
        Self::Extra,
    ];

    /// The names of [`Self::ALL`].
    pub const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].name();
            at += 1;
        }
        names
    };

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Frontier => "frontier",
            Self::Curve => "curve",
            Self::Divergence => "divergence",
            Self::Moments => "moments",
            Self::Diversity => "diversity",
            Self::Ratio => "ratio",
            Self::Extra => "extra",
        }
    }
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Large values speak for the model; under a relabeling test small ones are extreme.
    Higher,
    /// Small values speak for the model; large ones are extreme.
    Lower,
    /// Away from the ceiling on either side is extreme: a value above it is no good news.
    Neither,
}

/// What a measure gives when the model's texts come from the reference distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Null {
    /// This value at any size.
    Known(f64),
    /// `1 − ∏_{i=1}^{k} (n − i)/(n + m − i)`: coverage, whatever the distribution.
    Coverage,
    /// Measured on halves and quarters of the reference and carried on to the full size: from
    /// one doubling of the rows to the next, its change shrinks by this factor.
    Halves(f64),
    /// The reference's own value: measures of one set of texts.
    OwnValue,
    /// No ceiling: the reference has nothing to do with it.
    None,
}

impl Null {
    /// Of measures by balls: measured on Gaussians of 32 to 256 dimensions at 250 to 4000 rows, whose
    /// precision loses about `1/√2` as much with each doubling.
    pub const BALLS: Self = Self::Halves(std::f64::consts::FRAC_1_SQRT_2);
    /// Of a bias that falls as `1/n`.
    pub const COUNTS: Self = Self::Halves(0.5);
}

/// Which values there can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// `[0, 1]`.
    Unit,
    /// `[0, ∞)`.
    Positive,
    /// `[1, ∞)`: effective numbers of things.
    FromOne,
    /// Every number.
    Any,
    /// From the first to the second.
    Between(f64, f64),
    /// `[0, min(λ, 1)]` at slope `λ`.
    Slope,
    /// `[0, min(1/λ, 1)]` at slope `λ`.
    InverseSlope,
}

impl Range {
    /// The smallest and the largest value, at slope `at` where it depends on one; 1 where none is given.
    pub fn ends(self, at: Option<f64>) -> (f64, f64) {
        let lambda = at.unwrap_or(1.0);
        match self {
            Self::Unit => (0.0, 1.0),
            Self::Positive => (0.0, f64::INFINITY),
            Self::FromOne => (1.0, f64::INFINITY),
            Self::Any => (f64::NEG_INFINITY, f64::INFINITY),
            Self::Between(least, most) => (least, most),
            Self::Slope => (0.0, lambda.min(1.0)),
            Self::InverseSlope => (0.0, (1.0 / lambda).min(1.0)),
        }
    }
}

/// An exact value of a task whose distribution is known, and how a measure stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Share of the texts that the distribution accepts.
    Precision,
    /// Mass of the modes that texts reach, faulty or not.
    Recall,
    /// Mass of the modes of accepted texts.
    RecallAccepted,
    /// Mass of the modes that infinitely many texts would reach, as far as those that few reached tell.
    RecallExtrapolated,
    /// `Σ min(p, q)` over the modes of accepted texts.
    Overlap,
    /// The same, by a distance: it falls as they overlap more, on a scale of its own.
    Distance,
    /// The same, by what is left of it: `1 − Σ min(p, q)`.
    Rest,
}

impl Truth {
    /// All of them: quality, then diversity, then both.
    pub const ALL: [Self; 7] = [
        Self::Precision,
        Self::Recall,
        Self::RecallAccepted,
        Self::RecallExtrapolated,
        Self::Overlap,
        Self::Distance,
        Self::Rest,
    ];

    /// The key of the exact value among a cell's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::RecallAccepted => "recall_accepted",
            Self::RecallExtrapolated => "recall_extrapolated",
            Self::Overlap | Self::Distance | Self::Rest => "alpha@1",
        }
    }

    /// Whether more of the measure means less of the exact value.
    pub fn falls(self) -> bool {
        matches!(self, Self::Distance | Self::Rest)
    }
}

/// The number behind `@` in a measure's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A slope `λ` of the PR-curve.
    Slope,
    /// The order of a divergence or an entropy.
    Order,
    /// What a model's logits are divided by.
    Temperature,
}

impl Parameter {
    /// As documentation writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Slope => "λ",
            Self::Order => "order",
            Self::Temperature => "T",
        }
    }
}

/// What is known of one measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// Its key in JSON, CSV and on the command line, without a parameter.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The family that it is computed with.
    pub family: Family,
    /// Which values there can be.
    pub range: Range,
    /// Which way is better.
    pub better: Better,
    /// What it gives when both sides come from one distribution.
    pub null: Null,
    /// The exact values that it stands for.
    pub truth: &'static [Truth],
    /// Time that one value takes, for `n` reference rows, `m` model rows and `d` columns.
    pub cost: &'static str,
    /// What follows its name, where there is one value of it for each of several numbers.
    pub parameter: Option<Parameter>,
}

impl Spec {
    /// A value of it.
    pub const fn of(&'static self, value: f64) -> Measured {
        Measured { spec: self, at: None, value }
    }

    /// A value of it at a slope or of an order.
    pub const fn at(&'static self, at: f64, value: f64) -> Measured {
        Measured { spec: self, at: Some(at), value }
    }

    /// Whether it is a share that can be held against an exact share.
    pub fn is_share(&self) -> bool {
        self.range.ends(None) == (0.0, 1.0)
    }

    /// What exactly equal distributions give, for measures of two distributions: the good end of the range.
    pub fn of_equals(&self, at: Option<f64>) -> f64 {
        let (least, most) = self.range.ends(at);
        if self.better == Better::Lower { least } else { most }
    }

    /// Its key: `precision`, or `alpha@0.5` with a parameter.
    pub fn key(&self, at: Option<f64>) -> String {
        match at {
            None => self.name.to_owned(),
            Some(at) => format!("{}@{at}", self.name),
        }
    }
}

/// A value that knows which measure it is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The measure.
    pub spec: &'static Spec,
    /// The slope or order, where the measure has one.
    pub at: Option<f64>,
    /// The value; NaN where it is undefined.
    pub value: f64,
}

impl Measured {
    /// Its key in JSON.
    pub fn key(&self) -> String {
        self.spec.key(self.at)
    }

    /// Whether `other` is a value of the same measure at the same parameter.
    pub fn is_of(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name && self.at == other.at
    }
}
