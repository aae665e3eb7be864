//! The result of comparing two clouds, in the shape of `llmpr score --format json`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use super::warnings::Warning;
use crate::metric::{curve::Point, frontier::Frontier};

/// The name and version of the JSON that a [`Score`] becomes.
pub const SCHEMA: &str = "llmpr.score/1";

/// A measured value with what is needed to read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value; NaN (`null`) where the measure is undefined, with a warning that says why.
    #[serde(with = "crate::data::json_number")]
    pub value: f64,
    /// Lower end of the 95 % interval.
    #[serde(
        with = "crate::data::json_number::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(
        with = "crate::data::json_number::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub high: Option<f64>,
    /// What the reference scores against itself at these sizes.
    #[serde(
        with = "crate::data::json_number::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ceiling: Option<f64>,
    /// Permutation p-value against "same distribution".
    #[serde(
        with = "crate::data::json_number::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub p_value: Option<f64>,
}

impl Estimate {
    /// A value alone.
    pub fn bare(value: f64) -> Self {
        Self { value, low: None, high: None, ceiling: None, p_value: None }
    }
}

/// The size of one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetFacts {
    /// Rows.
    pub n: usize,
    /// Columns before reduction.
    pub dim: usize,
    /// Distinct rows.
    pub unique: usize,
}

/// The reduction that was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PcaFacts {
    /// Components kept.
    pub components: usize,
    /// Share of variance they hold.
    #[serde(with = "crate::data::json_number")]
    pub explained: f64,
}

/// A PR-curve: `α` (precision-like) and `β = α/λ` (recall-like) over slopes `λ`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrCurve {
    /// Slopes, ascending.
    #[serde(with = "crate::data::json_number::list")]
    pub lambda: Vec<f64>,
    /// Precision-like coordinate per slope.
    #[serde(with = "crate::data::json_number::list")]
    pub alpha: Vec<f64>,
    /// Recall-like coordinate per slope.
    #[serde(with = "crate::data::json_number::list")]
    pub beta: Vec<f64>,
}

/// The points as columns, as a score's JSON holds them.
impl From<&[Point]> for PrCurve {
    fn from(points: &[Point]) -> Self {
        Self {
            lambda: points.iter().map(|point| point.lambda).collect(),
            alpha: points.iter().map(|point| point.alpha).collect(),
            beta: points.iter().map(|point| point.beta).collect(),
        }
    }
}

/// A divergence frontier: `exp(−c KL(Q‖R_w))` against `exp(−c KL(P‖R_w))`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrontierCurve {
    /// `exp(−c KL(Q‖R_w))` per weight.
    #[serde(with = "crate::data::json_number::list")]
    pub x: Vec<f64>,
    /// `exp(−c KL(P‖R_w))` per weight.
    #[serde(with = "crate::data::json_number::list")]
    pub y: Vec<f64>,
}

impl From<&Frontier> for FrontierCurve {
    fn from(frontier: &Frontier) -> Self {
        let (x, y) = frontier.points.iter().copied().unzip();
        Self { x, y }
    }
}

/// How coverage grows with the number of samples: exact means over all subsets of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Numbers of samples, ascending.
    pub texts: Vec<usize>,
    /// Expected coverage with so many of them.
    #[serde(with = "crate::data::json_number::list")]
    pub coverage: Vec<f64>,
    /// Coverage that any number of further samples could reach, at least (Chao's bound).
    #[serde(
        with = "crate::data::json_number::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub reachable: Option<f64>,
}

/// Measures of supports at several numbers of rows: where they still move, more rows are needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SizeCurve {
    /// Reference rows, ascending; the last are all of them.
    pub reference: Vec<usize>,
    /// Model rows beside them.
    pub samples: Vec<usize>,
    /// Precision.
    #[serde(with = "crate::data::json_number::list")]
    pub precision: Vec<f64>,
    /// Recall.
    #[serde(with = "crate::data::json_number::list")]
    pub recall: Vec<f64>,
    /// Density.
    #[serde(with = "crate::data::json_number::list")]
    pub density: Vec<f64>,
    /// Coverage.
    #[serde(with = "crate::data::json_number::list")]
    pub coverage: Vec<f64>,
}

/// How two language models part as a text goes on, from likelihoods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrefixCurve {
    /// First tokens that are compared, ascending.
    pub tokens: Vec<usize>,
    /// Total variation between the two distributions of so many first tokens: it can only grow.
    #[serde(with = "crate::data::json_number::list")]
    pub tv: Vec<f64>,
    /// Share of the second model's beginnings that the first can write.
    #[serde(with = "crate::data::json_number::list")]
    pub precision: Vec<f64>,
    /// Share of the first model's beginnings that the second can write.
    #[serde(with = "crate::data::json_number::list")]
    pub recall: Vec<f64>,
}

/// The curves behind the numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// The PR-curve, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<PrCurve>,
    /// The divergence frontier, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontier: Option<FrontierCurve>,
    /// Further PR-curves by estimator (`logistic`, `knn`, `clusters`, …).
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub pr_by: IndexMap<String, PrCurve>,
    /// Coverage at fewer samples, with the support family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// Supports at fewer rows of both sides, with the support family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_size: Option<SizeCurve>,
    /// Likelihood measures of beginnings of texts, where log-probabilities were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<PrefixCurve>,
}

/// `P` against `Q`: every asked-for measure with its curves and warnings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// [`SCHEMA`].
    pub schema: String,
    /// The facts behind the numbers.
    pub signature: String,
    /// Size of `P`.
    pub reference: SetFacts,
    /// Size of `Q`.
    pub samples: SetFacts,
    /// The reduction, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pca: Option<PcaFacts>,
    /// Measures by their names of DESIGN §2, in the order of its table.
    pub metrics: IndexMap<String, Estimate>,
    /// The curves behind them.
    #[serde(default)]
    pub curves: Curves,
    /// What makes a number misleading.
    pub warnings: Vec<Warning>,
}
