//! What is measured and how: settings that have been checked.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

use super::Metrics;
pub use crate::metric::spec::Family;
use crate::{
    cloud::neighbors::Ties,
    data::signature::{Signature, short},
};

/// Why settings of a score are refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum OptionsError {
    /// A measure or a family of them that does not exist.
    #[error("there is no measure or family `{name}`; the nearest names are {}", nearest.join(", "))]
    UnknownMeasure { name: String, nearest: Vec<String> },
    /// A list of measures and families without any.
    #[error("no measure is asked for; name some, such as precision, or families of them: {families}, or all", families = Family::NAMES.join(", "))]
    NoMeasure,
    /// A number outside its range.
    #[error("{name} = {value} is outside {allowed}")]
    OutOfRange { name: &'static str, value: f64, allowed: &'static str },
    /// A word that is none of the choices.
    #[error("{name} `{value}` is neither {allowed}")]
    NoChoice { name: &'static str, value: String, allowed: &'static str },
}

/// How rows are scaled before the reduction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    /// Each row divided by its Euclidean length.
    #[default]
    L2,
    /// Rows as they are.
    None,
}

/// How many principal components of both sets together are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduce {
    /// The fewest that hold this share of the variance, in `(0, 1)`.
    Share(f64),
    /// This many, at most as many as there are.
    Components(usize),
    /// No reduction.
    None,
}

impl FromStr for Reduce {
    type Err = OptionsError;

    /// `0.9`, `64` or `none`.
    fn from_str(word: &str) -> Result<Self, OptionsError> {
        const ALLOWED: &str = "a share in (0, 1), a number of components, nor `none`";
        let no_choice =
            || OptionsError::NoChoice { name: "pca", value: word.to_owned(), allowed: ALLOWED };
        if word == "none" {
            return Ok(Self::None);
        }
        if let Ok(count) = word.parse::<usize>() {
            return if count > 0 { Ok(Self::Components(count)) } else { Err(no_choice()) };
        }
        match word.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Self::Share(share)),
            _ => Err(no_choice()),
        }
    }
}

/// What happens when one side has more rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unequal {
    /// Rows drawn without replacement bring it down to the smaller side's number.
    #[default]
    Subsample,
    /// All rows are used, and measures that depend on the sizes say so.
    Keep,
}

/// How many clusters a quantization has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clusters {
    /// For the frontier `max(2, round(min(n, m) / 10))` as in mauve-text, half to even; for curves
    /// and divergences 20 as in Sajjadi et al.
    #[default]
    Auto,
    /// This many everywhere.
    Fixed(usize),
}

impl FromStr for Clusters {
    type Err = OptionsError;

    /// `auto`, or a number from 2 up.
    fn from_str(word: &str) -> Result<Self, OptionsError> {
        match (word, word.parse::<usize>()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(count)) if count >= 2 => Ok(Self::Fixed(count)),
            _ => Err(OptionsError::NoChoice {
                name: "clusters",
                value: word.to_owned(),
                allowed: "`auto` nor a number from 2 up",
            }),
        }
    }
}

/// Settings of a score. [`ScoreOptions::checked`] is the door; the defaults are those of the papers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoreOptions {
    /// Rank of the neighbor that sets a radius; 4 as in the ACL 2024 code.
    pub k: usize,
    /// Whether a point exactly on a radius is inside.
    pub ties: Ties,
    /// What happens when one side has more rows.
    pub unequal: Unequal,
    /// What is measured.
    pub metrics: Metrics,
    /// Clusters of a quantization.
    pub clusters: Clusters,
    /// MAUVE's exponent `c > 0`.
    pub scaling: f64,
    /// Half-samples behind an interval; 0 for none.
    pub resamples: usize,
    /// Relabelings behind a p-value; 0 for none.
    pub permutations: usize,
    /// Seed of subsamples, k-means starts, folds, half-samples and relabelings.
    pub seed: u64,
    /// Slopes `λ > 0` at which the PR-curve is reported.
    pub lambdas: Vec<f64>,
    /// How rows are scaled before the reduction.
    pub normalize: Normalize,
    /// How many principal components are kept.
    pub pca: Reduce,
    /// What made the features, by content, as the signature's fact `emb` and those behind it
    /// (`5d0c…|tok:91aa…|pool:mean`); `file` where they were read.
    pub embedder: String,
    /// Hash of the reference texts; that of the reference rows where the texts are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Hash of the prompts that the model's texts answer, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<String>,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self {
            k: 4,
            ties: Ties::Strict,
            unequal: Unequal::Subsample,
            metrics: Metrics::default(),
            clusters: Clusters::Auto,
            scaling: 5.0,
            resamples: 200,
            permutations: 1000,
            seed: 0,
            lambdas: vec![0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
            normalize: Normalize::L2,
            pca: Reduce::Share(0.9),
            embedder: "file".to_owned(),
            reference: None,
            prompts: None,
        }
    }
}

impl ScoreOptions {
    /// These settings, when all are inside their ranges.
    ///
    /// # Errors
    ///
    /// [`OptionsError::OutOfRange`] names the first that is not.
    pub fn checked(self) -> Result<Self, OptionsError> {
        let positive = |name, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(OptionsError::OutOfRange { name, value, allowed: "(0, ∞)" }),
        };
        if self.k == 0 {
            return Err(OptionsError::OutOfRange { name: "k", value: 0.0, allowed: "1, 2, …" });
        }
        if let Clusters::Fixed(clusters @ (0 | 1)) = self.clusters {
            let value = clusters as f64;
            return Err(OptionsError::OutOfRange { name: "clusters", value, allowed: "2, 3, …" });
        }
        match self.pca {
            Reduce::Share(share) if !(share > 0.0 && share < 1.0) => {
                let allowed = "(0, 1)";
                return Err(OptionsError::OutOfRange { name: "pca", value: share, allowed });
            }
            Reduce::Components(0) => {
                let allowed = "1, 2, …";
                return Err(OptionsError::OutOfRange { name: "pca", value: 0.0, allowed });
            }
            _ => {}
        }
        positive("scaling", self.scaling)?;
        self.lambdas.iter().try_for_each(|&lambda| positive("lambda", lambda))?;
        Ok(self)
    }

    /// The facts that are not of this very score: embedder, reference, prompts and scaling of rows.
    /// `rows` gives the hash of the reference rows, which stands for the texts where these are not known.
    pub(super) fn signature(&self, rows: impl FnOnce() -> String) -> Signature {
        let reference = self.reference.as_deref().map(|hash| short(hash).to_owned());
        let signature = Signature::default()
            .joined(&format!("emb:{}", self.embedder))
            .with("ref", reference.unwrap_or_else(rows));
        let signature = match &self.prompts {
            Some(prompts) => signature.with("prompts", short(prompts)),
            None => signature,
        };
        match self.normalize {
            Normalize::L2 => signature.flag("l2"),
            Normalize::None => signature.flag("unscaled"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduction_is_a_share_a_count_or_none() {
        assert_eq!("0.9".parse(), Ok(Reduce::Share(0.9)));
        assert_eq!("64".parse(), Ok(Reduce::Components(64)));
        assert_eq!("none".parse(), Ok(Reduce::None));
        for wrong in ["0", "1.5", "-3", "NaN", "half", "1.0"] {
            assert!(wrong.parse::<Reduce>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_outside_their_range_are_refused() {
        let wrong = ScoreOptions { lambdas: vec![1.0, -2.0], ..ScoreOptions::default() };
        let error = wrong.checked().unwrap_err().to_string();
        assert_eq!(error, "lambda = -2 is outside (0, ∞)");
        assert!(ScoreOptions { k: 0, ..ScoreOptions::default() }.checked().is_err());
        assert!(ScoreOptions { scaling: f64::NAN, ..ScoreOptions::default() }.checked().is_err());
    }
}
