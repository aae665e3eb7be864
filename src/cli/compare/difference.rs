//! A measure of one score against that of another.

use super::read::Named;
use crate::{
    math::special::{normal_cdf, normal_quantile},
    score::{
        Spread,
        calibrate::{benjamini_hochberg, holm},
        catalog,
        record::Estimate,
    },
};

/// Half of a normal 95 % interval, in standard deviations.
const Z: f64 = 1.959_963_984_540_054;

/// Chance with which a difference may be shown where there is none.
pub const LEVEL: f64 = 0.05;
/// Chance with which the smallest difference that is named would be shown.
const POWER: f64 = 0.8;

/// One measure of a score against that of the first.
#[derive(Clone, serde::Serialize)]
pub struct Difference {
    /// What the second is held against.
    pub first: String,
    /// What is held against it.
    pub second: String,
    /// The measure.
    pub metric: String,
    /// Its value in the first.
    #[serde(with = "crate::data::json_number")]
    pub a: f64,
    /// Its value in the second.
    #[serde(with = "crate::data::json_number")]
    pub b: f64,
    /// `b − a`.
    #[serde(with = "crate::data::json_number")]
    pub difference: f64,
    /// Lower end of its 95 % interval.
    #[serde(with = "crate::data::json_number::option")]
    pub low: Option<f64>,
    /// Upper end of it.
    #[serde(with = "crate::data::json_number::option")]
    pub high: Option<f64>,
    /// Two-sided, against no difference.
    #[serde(with = "crate::data::json_number::option")]
    pub p_value: Option<f64>,
    /// That p-value among all that are asked at once, by Holm: below 0.05 the difference is shown.
    #[serde(with = "crate::data::json_number::option")]
    pub p_holm: Option<f64>,
    /// The same by Benjamini and Hochberg: the share of false ones among those shown stays below it.
    #[serde(with = "crate::data::json_number::option")]
    pub p_benjamini_hochberg: Option<f64>,
    /// Whether a difference is shown.
    pub shown: Option<bool>,
    /// The smallest difference that would have been shown among as many, in four of five repetitions.
    #[serde(with = "crate::data::json_number::option")]
    pub smallest_shown: Option<f64>,
    /// Standard deviation of the difference, in which 1.96 are half of the interval.
    #[serde(skip)]
    pub deviation: Option<f64>,
    /// Whether both were drawn from the same halves of reference and prompts.
    pub paired: bool,
    /// What keeps the two from being comparable, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs_in: Vec<String>,
}

/// `b − a`. With a `spread` its interval is that of a paired comparison; without, as if the two were independent:
/// on a shared reference they vary together, so that interval is wider and the p-value larger, never the reverse.
pub fn difference(
    named: [&Named; 2],
    metric: &str,
    estimates: [&Estimate; 2],
    spread: Option<&Spread>,
) -> Difference {
    let [a, b] = estimates;
    let difference = b.value - a.value;
    let error = |estimate: &Estimate| Some((estimate.high? - estimate.low?) / (2.0 * Z));
    let apart = || error(a).zip(error(b)).map(|(a, b)| (a.hypot(b), Z));
    let paired = spread.map(|spread| (spread.deviation, spread.quantile));
    let found = paired.or_else(apart).filter(|_| difference.is_finite());
    let p_value = |(error, quantile): (f64, f64)| match error > 0.0 {
        // As many normal deviations as it is in its own quantiles.
        true => 2.0 * normal_cdf(-(difference / error * Z / quantile).abs()),
        false => f64::from(difference == 0.0),
    };
    // Two values of [0, 1] are at most 1 apart.
    let (least, most) = catalog::spec(metric).map_or((f64::NEG_INFINITY, f64::INFINITY), |of| {
        let (low, high) = of.0.range.ends(of.1);
        (low - high, high - low)
    });
    Difference {
        first: named[0].name.clone(),
        second: named[1].name.clone(),
        metric: metric.to_owned(),
        a: a.value,
        b: b.value,
        difference,
        low: found.map(|(e, quantile)| (difference - quantile * e).max(least).min(difference)),
        high: found.map(|(e, quantile)| (difference + quantile * e).min(most).max(difference)),
        p_value: found.map(p_value),
        p_holm: None,
        p_benjamini_hochberg: None,
        shown: None,
        smallest_shown: None,
        deviation: found.map(|(error, quantile)| error * quantile / Z),
        paired: spread.is_some(),
        differs_in: Vec::new(),
    }
}

/// Corrects the p-values for all that are asked at once, and says what is shown.
pub fn correct(differences: &mut [Difference]) {
    let asked: Vec<f64> = differences.iter().filter_map(|d| d.p_value).collect();
    let corrected = holm(&asked).into_iter().zip(benjamini_hochberg(&asked));
    // Of N that are asked the smallest p-value has to be below 0.05/N.
    let threshold = normal_quantile(1.0 - 0.5 * LEVEL / asked.len().max(1) as f64);
    let asked = differences.iter_mut().filter(|d| d.p_value.is_some());
    for (difference, (holm, bh)) in asked.zip(corrected) {
        difference.p_holm = Some(holm);
        difference.p_benjamini_hochberg = Some(bh);
        difference.shown = Some(holm < LEVEL);
        let smallest = |deviation: f64| (threshold + normal_quantile(POWER)) * deviation;
        difference.smallest_shown = difference.deviation.map(smallest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A difference of two values whose intervals are `width` wide, or with the spread of a paired comparison.
    fn of(metric: &str, values: [f64; 2], width: f64, spread: Option<Spread>) -> Difference {
        let named = ["a", "b"].map(Named::bare);
        let estimates = values.map(|value| Estimate {
            low: Some(value - width / 2.0),
            high: Some(value + width / 2.0),
            ..Estimate::bare(value)
        });
        difference([&named[0], &named[1]], metric, [&estimates[0], &estimates[1]], spread.as_ref())
    }

    #[test] // by hand: Holm over three; 1.96 deviations are half of an interval, z(1 − 0.025/3) = 2.394, z(0.8) = 0.8416
    fn differences_are_corrected_for_how_many_are_asked() {
        let spread = Some(Spread { deviation: 0.1, quantile: Z });
        let mut all = [0.3, 0.2, 0.0].map(|b| of("precision", [0.0, b], 0.0, spread)).to_vec();
        all.push(of("precision", [0.0, f64::NAN], 0.0, None));
        correct(&mut all);
        let shown: Vec<Option<bool>> = all.iter().map(|d| d.shown).collect();
        // Of 3 deviations p = 0.0027, of 2 p = 0.0455: alone the second would be below 0.05.
        assert_eq!(shown, [Some(true), Some(false), Some(false), None]);
        let (first, second) = (&all[0], &all[1]);
        assert!((first.p_holm.unwrap() - 3.0 * first.p_value.unwrap()).abs() < 1e-12);
        assert!((second.p_holm.unwrap() - 2.0 * second.p_value.unwrap()).abs() < 1e-12);
        let bh = second.p_benjamini_hochberg.unwrap();
        assert!((bh - 1.5 * second.p_value.unwrap()).abs() < 1e-12, "{bh}");
        assert!((second.smallest_shown.unwrap() - 0.1 * (2.394 + 0.8416)).abs() < 1e-4);
    }

    #[test]
    fn an_interval_of_a_difference_stays_where_differences_can_be() {
        let wide = Some(Spread { deviation: 0.5, quantile: 2.0 });
        let shares = of("precision", [0.9, 0.1], 0.0, wide);
        assert_eq!(shares.low, Some(-1.0));
        assert!((shares.high.unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(of("recall", [0.0, 1.0], 1.0, None).high, Some(1.0));
        // α at slope 0.1 is at most 0.1, a distance has no bound.
        assert_eq!(of("alpha@0.1", [0.0, 0.05], 1.0, None).high, Some(0.1));
        assert_eq!(of("frechet_distance", [9.0, 1.0], 0.0, wide).low, Some(-9.0));
    }
}
