//! What is known of each measure by its name: family, range, direction, and how it behaves when
//! both sides come from one distribution.

use super::options::Family;

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

/// What is known of one measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// The family that it is computed with.
    pub family: Family,
    /// Smallest and largest possible value.
    pub range: (f64, f64),
    /// Which way is better.
    pub better: Better,
    /// What it gives when both sides come from one distribution.
    pub null: Null,
}

/// Change of a ball-based measure per doubling, against the doubling before: measured on Gaussians
/// of 32 to 256 dimensions at 250 to 4000 rows, whose precision loses about `1/√2` as much each time.
const BALLS: f64 = std::f64::consts::FRAC_1_SQRT_2;
/// The same for a bias that falls as `1/n`.
const COUNTS: f64 = 0.5;
/// The same for MAUVE, whose distance from 1 falls faster: 0.69, 0.887, 0.966 at 0.4, 0.2 and 0.1
/// clusters a row.
const MAUVE: f64 = 0.4;
const UNIT: (f64, f64) = (0.0, 1.0);
const POSITIVE: (f64, f64) = (0.0, f64::INFINITY);

/// What is known of the measure called `name`, as in a score's JSON; `None` for an unknown name.
pub fn measure(name: &str) -> Option<Measure> {
    use Better::{Higher, Lower, Neither};
    use Family::{Curve, Divergence, Diversity, Extra, Frontier, Moments, Ratio, Support};
    let (stem, slope) = name.split_once('@').unwrap_or((name, "1"));
    let lambda: f64 = slope.parse().ok()?;
    let (family, range, better, null) = match stem {
        "density" => (Support, POSITIVE, Neither, Null::Known(1.0)),
        "coverage" => (Support, UNIT, Higher, Null::Coverage),
        "authenticity" => (Support, UNIT, Neither, Null::Halves(BALLS)),
        "precision" | "recall" | "comp_precision" | "sym_precision" | "sym_recall"
        | "clipped_density" | "clipped_coverage" | "p_precision" | "p_recall"
        | "cover_precision" | "cover_recall" | "alpha_precision" | "beta_recall" => {
            (Support, UNIT, Neither, Null::Halves(BALLS))
        }
        "mauve_laplace" | "mauve_braess_sauer" | "mauve_good_turing" => {
            (Extra, UNIT, Higher, Null::Halves(MAUVE))
        }
        "frontier_integral_laplace"
        | "frontier_integral_braess_sauer"
        | "frontier_integral_good_turing" => (Extra, UNIT, Lower, Null::Halves(COUNTS)),
        "mauve_ratio" | "mauve_knn" => (Extra, UNIT, Higher, Null::Known(1.0)),
        "frontier_integral_ratio" | "frontier_integral_knn" => {
            (Extra, UNIT, Lower, Null::Known(0.0))
        }
        "kl_bound" | "reverse_kl_bound" | "chi2_bound" => {
            (Extra, POSITIVE, Lower, Null::Known(0.0))
        }
        "js_bound" => (Extra, (0.0, std::f64::consts::LN_2), Lower, Null::Known(0.0)),
        "hellinger2_bound" | "tv_bound" => (Extra, UNIT, Lower, Null::Known(0.0)),
        "neyman_chi2" | "alpha_divergence" | "renyi" => {
            (Extra, POSITIVE, Lower, Null::Halves(COUNTS))
        }
        "gan" => (Extra, (-2.0 * std::f64::consts::LN_2, 0.0), Lower, Null::Halves(COUNTS)),
        "top_precision" | "top_recall" | "top_f1" | "realism_share" => {
            (Extra, UNIT, Neither, Null::Halves(BALLS))
        }
        "ngram_vendi" => (Diversity, (1.0, f64::INFINITY), Neither, Null::OwnValue),
        "mauve" | "mauve_star" | "mauve_20" => (Frontier, UNIT, Higher, Null::Halves(MAUVE)),
        "frontier_integral" | "frontier_integral_star" | "frontier_integral_20" => {
            (Frontier, UNIT, Lower, Null::Halves(COUNTS))
        }
        "max_f8_recall" | "max_f1_8_precision" => (Curve, UNIT, Higher, Null::Halves(BALLS)),
        "alpha" => (Curve, (0.0, lambda.min(1.0)), Higher, Null::Halves(BALLS)),
        "beta" => (Curve, (0.0, (1.0 / lambda).min(1.0)), Higher, Null::Halves(BALLS)),
        "pr_divergence" => (Curve, (0.0, lambda.min(1.0)), Lower, Null::Halves(BALLS)),
        "tv" | "tv_smoothed" => (Divergence, UNIT, Lower, Null::Halves(BALLS)),
        "hellinger2" | "hellinger2_smoothed" => (Divergence, UNIT, Lower, Null::Halves(COUNTS)),
        "js" | "js_smoothed" => {
            (Divergence, (0.0, std::f64::consts::LN_2), Lower, Null::Halves(COUNTS))
        }
        "kl" | "kl_smoothed" | "reverse_kl" | "reverse_kl_smoothed" | "chi2" | "chi2_smoothed" => {
            (Divergence, POSITIVE, Lower, Null::Halves(COUNTS))
        }
        "frechet_distance" | "sliced_wasserstein" | "sliced_w_approx" => {
            (Moments, POSITIVE, Lower, Null::Halves(COUNTS))
        }
        "frechet_null" => (Moments, POSITIVE, Neither, Null::None),
        // Unbiased, so it may fall below 0.
        "kernel_distance" => (Moments, (f64::NEG_INFINITY, f64::INFINITY), Lower, Null::Known(0.0)),
        "vendi_score" => (Diversity, (1.0, f64::INFINITY), Neither, Null::OwnValue),
        "vendi_score_reference" => (Diversity, (1.0, f64::INFINITY), Neither, Null::None),
        "distinct_1" | "distinct_2" | "distinct_3" | "distinct_4" | "self_bleu_4"
        | "repetition" | "unique_fraction" => (Diversity, UNIT, Neither, Null::OwnValue),
        "mean_tokens" => (Diversity, POSITIVE, Neither, Null::OwnValue),
        "zipf" => (Diversity, (f64::NEG_INFINITY, f64::INFINITY), Neither, Null::OwnValue),
        "auc" | "c2st_accuracy" => (Ratio, UNIT, Lower, Null::Known(0.5)),
        "calibration_error" => (Ratio, UNIT, Lower, Null::Known(0.0)),
        "tv_lower_bound" => (Ratio, UNIT, Lower, Null::Known(0.0)),
        "inception_score" => (Ratio, (1.0, f64::INFINITY), Neither, Null::OwnValue),
        "inception_entropy" | "inception_conditional_entropy" => {
            (Ratio, POSITIVE, Neither, Null::OwnValue)
        }
        _ => return None,
    };
    Some(Measure { family, range, better, null })
}

/// The family of the measure called `name`; [`Family::Extra`] where it has no other.
pub fn family(name: &str) -> Family {
    measure(name).map_or(Family::Extra, |measure| measure.family)
}
