//! How well a model fits the reference: its surprise at texts that people wrote.

use super::spec::{Better, Family, Null, Parameter, Range, Spec};
use crate::math::special::student_975;

/// Mean negative log-likelihood of a token of the reference, nats.
pub const REFERENCE_NLL: Spec = Spec {
    name: "reference_nll",
    title: "NLL of the reference, nats a token",
    family: Family::Divergence,
    range: Range::Positive,
    better: Better::Lower,
    null: Null::None,
    truth: &[],
    cost: "one pass of the model over the reference",
    parameter: None,
};
/// The same in bits a byte of UTF-8, which models of different vocabularies have in common.
pub const REFERENCE_BITS_PER_BYTE: Spec = Spec {
    name: "reference_bits_per_byte",
    title: "NLL of the reference, bits a byte",
    ..REFERENCE_NLL
};

/// Both of them.
pub const SPECS: [&Spec; 2] = [&REFERENCE_NLL, &REFERENCE_BITS_PER_BYTE];

/// [`REFERENCE_NLL`] at temperatures that were asked for, of the model `Q` where two are compared by likelihoods.
pub const NLL_AT: Spec = Spec { parameter: Some(Parameter::Temperature), ..REFERENCE_NLL };
/// [`REFERENCE_BITS_PER_BYTE`] at such temperatures.
pub const BITS_AT: Spec =
    Spec { parameter: Some(Parameter::Temperature), ..REFERENCE_BITS_PER_BYTE };
/// The same of the model `P`.
pub const NLL_OF_P_AT: Spec = Spec {
    name: "reference_nll_of_p",
    title: "NLL of the reference under P, nats a token",
    ..NLL_AT
};
/// The same of the model `P`, in bits.
pub const BITS_OF_P_AT: Spec = Spec {
    name: "reference_bits_per_byte_of_p",
    title: "NLL of the reference under P, bits a byte",
    ..BITS_AT
};

/// What a score by likelihoods may have of the reference: of `Q`, then of `P`.
pub const OF_LIKELIHOODS: [&Spec; 4] = [&NLL_AT, &BITS_AT, &NLL_OF_P_AT, &BITS_OF_P_AT];

/// `Σ a / Σ b` over texts, and its 95 % interval where there are four of them or more.
///
/// The interval is Student's for the ratio made linear, texts taken as independent:
///
/// ```text
/// h = t · sqrt( n / (n − 1) · Σ (a_i − R b_i)² ) / Σ b        R = Σ a / Σ b
/// ```
///
/// # Arguments
///
/// * `texts`: `(a, b)` of each: its NLL, and its tokens or bytes, more than none. An infinite `a` makes the value
///   infinite, without an interval.
///
/// The value is NaN without texts. `O(n)`.
///
/// # Example
///
/// ```
/// # use llmpr::metric::reference_nll::ratio;
/// // Texts of 1 and 3 tokens that cost 2 nats a token: the mean of tokens, not of texts.
/// assert_eq!(ratio(&[(2.0, 1.0), (6.0, 3.0)]), (2.0, None));
/// let (value, interval) = ratio(&[(1.0, 1.0), (3.0, 1.0), (1.0, 1.0), (3.0, 1.0)]);
/// let (low, high) = interval.unwrap();
/// // A mean of 4 with standard deviation 2/√3: 2 ± 3.182 / √3.
/// assert!(value == 2.0 && (high - low - 2.0 * 3.182 / 3f64.sqrt()).abs() < 1e-9);
/// ```
pub fn ratio(texts: &[(f64, f64)]) -> (f64, Option<(f64, f64)>) {
    let n = texts.len() as f64;
    let below: f64 = texts.iter().map(|(_, b)| b).sum();
    let value = texts.iter().map(|(a, _)| a).sum::<f64>() / below;
    if texts.len() < 4 || !value.is_finite() {
        return (value, None);
    }
    let squares: f64 = texts.iter().map(|(a, b)| (a - value * b).powi(2)).sum();
    let reach = student_975(texts.len() - 1) * (n / (n - 1.0) * squares).sqrt() / below;
    (value, Some(((value - reach).max(0.0), value + reach)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_length_alone_leave_no_doubt() {
        let (value, interval) = ratio(&[(2.0, 1.0), (4.0, 2.0), (10.0, 5.0), (6.0, 3.0)]);
        assert_eq!((value, interval), (2.0, Some((2.0, 2.0))));
    }

    #[test]
    fn without_texts_there_is_no_value_and_an_impossible_one_has_no_interval() {
        assert!(ratio(&[]).0.is_nan());
        let texts = [(1.0, 1.0), (f64::INFINITY, 1.0), (1.0, 1.0), (1.0, 1.0)];
        assert_eq!(ratio(&texts), (f64::INFINITY, None));
    }
}
