//! What is wanted of a setting: something as large or small as possible, and bounds that have to be kept.

use std::{fmt, str::FromStr};

use crate::{
    metric::{
        prdc::{PRECISION, RECALL},
        spec::Better,
    },
    score::catalog,
};

/// Before the name of a measure: its exact value, where the task knows its true distribution.
pub const EXACT: &str = "exact:";

/// What is to be large, or small.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// A measure, large.
    Measure(String),
    /// A measure, small.
    Least(String),
    /// The F-score of precision and recall that counts recall so many times as much.
    F(f64),
}

/// Why a wish cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum WishError {
    /// An F-score whose weight is none.
    #[error("`{b}` is no positive number; write f:1 or f:2")]
    NoWeight { b: String },
    /// A bound without a measure, a sign or a number.
    #[error("`{text}` is no requirement; write precision>=0.6 or kl<=1")]
    NoRequirement { text: String },
    /// A measure that is good when it is small, asked to be large.
    #[error("small values of {name} are the good ones: --minimize {name}")]
    WrongWay { name: String },
}

impl FromStr for Goal {
    type Err = WishError;

    fn from_str(text: &str) -> Result<Self, WishError> {
        match text.strip_prefix("f:") {
            None => Ok(Self::Measure(text.to_owned())),
            Some(b) => match b.parse::<f64>() {
                Ok(b) if b > 0.0 && b.is_finite() => Ok(Self::F(b)),
                _ => Err(WishError::NoWeight { b: b.to_owned() }),
            },
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measure(name) => write!(f, "largest {name}"),
            Self::Least(name) => write!(f, "smallest {name}"),
            Self::F(b) => write!(f, "largest F_{b} of precision and recall"),
        }
    }
}

impl Goal {
    /// Refuses what would be maximized against its own sense.
    ///
    /// # Errors
    ///
    /// [`WishError::WrongWay`].
    pub fn checked(self) -> Result<Self, WishError> {
        if let Self::Measure(name) = &self
            && catalog::spec(name).is_some_and(|(spec, _)| spec.better == Better::Lower)
        {
            return Err(WishError::WrongWay { name: name.clone() });
        }
        Ok(self)
    }

    /// The measures that it is made of.
    pub fn measures(&self) -> Vec<&str> {
        match self {
            Self::Measure(name) | Self::Least(name) => vec![name],
            Self::F(_) => vec![PRECISION.name, RECALL.name],
        }
    }

    /// Its value, from those of its measures.
    pub fn value(&self, of: impl Fn(&str) -> Option<f64>) -> Option<f64> {
        match self {
            Self::Measure(name) | Self::Least(name) => of(name),
            Self::F(b) => {
                let (p, r) = (of(PRECISION.name)?, of(RECALL.name)?);
                let total = b * b * p + r;
                Some(if total > 0.0 { (1.0 + b * b) * p * r / total } else { 0.0 })
            }
        }
    }

    /// `value` turned so that more is better.
    pub fn gain(&self, value: f64) -> f64 {
        if matches!(self, Self::Least(_)) { -value } else { value }
    }

    /// Whether its values are shares, in `[0, 1]`.
    pub fn is_share(&self) -> bool {
        self.measures().iter().all(|name| is_share(name))
    }
}

/// Whether the values of a measure are shares, in `[0, 1]`.
pub fn is_share(name: &str) -> bool {
    let plain = name.strip_prefix(EXACT).unwrap_or(name);
    match catalog::spec(plain) {
        Some((spec, at)) => spec.range.ends(at) == (0.0, 1.0),
        None => plain != "modes" && plain != "modes_accepted",
    }
}

/// A bound that has to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// Of which measure.
    pub measure: String,
    /// Whether it is the least value allowed, else the greatest.
    pub at_least: bool,
    /// The bound.
    pub bound: f64,
}

impl FromStr for Requirement {
    type Err = WishError;

    fn from_str(text: &str) -> Result<Self, WishError> {
        let wrong = || WishError::NoRequirement { text: text.to_owned() };
        let (measure, bound, at_least) = match (text.split_once(">="), text.split_once("<=")) {
            (Some((measure, bound)), _) => (measure, bound, true),
            (None, Some((measure, bound))) => (measure, bound, false),
            (None, None) => return Err(wrong()),
        };
        let bound: f64 = bound.trim().parse().map_err(|_| wrong())?;
        if bound.is_nan() || measure.trim().is_empty() {
            return Err(wrong());
        }
        Ok(Self { measure: measure.trim().to_owned(), at_least, bound })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.at_least { ">=" } else { "<=" };
        write!(f, "{}{sign}{}", self.measure, self.bound)
    }
}

impl Requirement {
    /// By how much `value` misses it; 0 where it is kept.
    pub fn misses_by(&self, value: f64) -> f64 {
        let short = if self.at_least { self.bound - value } else { value - self.bound };
        if short.is_nan() { f64::INFINITY } else { short.max(0.0) }
    }
}

/// A goal under requirements.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// What is to be large or small.
    pub goal: Goal,
    /// What has to be kept.
    pub requirements: Vec<Requirement>,
}

impl Wish {
    /// The measures that it speaks of, each once.
    pub fn measures(&self) -> Vec<String> {
        let required = self.requirements.iter().map(|r| r.measure.as_str());
        let mut names: Vec<String> = Vec::new();
        for name in self.goal.measures().into_iter().chain(required) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// By how much values miss the requirements together; 0 where all are kept.
    pub fn misses_by(&self, of: impl Fn(&str) -> Option<f64>) -> f64 {
        let each = |r: &Requirement| r.misses_by(of(&r.measure).unwrap_or(f64::NAN));
        self.requirements.iter().map(each).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_missed_by_what_is_between_value_and_bound() {
        let least: Requirement = "precision>=0.9".parse().unwrap();
        let most: Requirement = "self_bleu<=0.25".parse().unwrap();
        assert_eq!((least.misses_by(0.65), least.misses_by(0.95)), (0.25, 0.0));
        assert_eq!((most.misses_by(0.75), most.misses_by(0.2)), (0.5, 0.0));
        assert_eq!(least.misses_by(f64::NAN), f64::INFINITY);
        let goal = Goal::Measure(RECALL.name.to_owned());
        let wish = Wish { goal, requirements: vec![least, most] };
        let of = |name: &str| Some(if name == PRECISION.name { 0.65 } else { 0.75 });
        assert_eq!(wish.misses_by(of), 0.75);
    }

    #[test] // closed form: (1 + b²) P R / (b² P + R)
    fn an_f_value_is_the_weighted_harmonic_mean() {
        let of = |name: &str| Some(if name == PRECISION.name { 0.5 } else { 0.25 });
        assert!((Goal::F(1.0).value(of).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        assert!((Goal::F(2.0).value(of).unwrap() - 0.625 / 2.25).abs() < 1e-15);
        assert_eq!(Goal::F(1.0).value(|_| Some(0.0)), Some(0.0));
        assert_eq!(Goal::F(1.0).value(|_| None), None);
    }

    #[test]
    fn an_f_score_needs_a_weight_that_is_a_positive_number() {
        assert_eq!("f:0.5".parse::<Goal>().unwrap(), Goal::F(0.5));
        for text in ["f:0", "f:-1", "f:inf", "f:nan", "f:", "f:two"] {
            let message = text.parse::<Goal>().unwrap_err().to_string();
            assert!(message.ends_with("is no positive number; write f:1 or f:2"), "{message}");
        }
    }

    #[test]
    fn a_wish_speaks_of_each_measure_once() {
        let requirements = ["precision>=0.9", "kl<=1", "kl<=2"].map(|text| text.parse().unwrap());
        let wish = |goal| Wish { goal, requirements: requirements.to_vec() };
        assert_eq!(wish(Goal::F(1.0)).measures(), ["precision", "recall", "kl"]);
        let least = Goal::Least("self_bleu".to_owned());
        assert_eq!(wish(least).measures(), ["self_bleu", "precision", "kl"]);
    }
}
