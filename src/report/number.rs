//! Numbers as people and spreadsheets read them.

/// For tables and pages: four significant digits or four decimals, whichever is shorter; `–` where
/// undefined.
pub fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "–".to_owned(),
        f64::INFINITY => if value > 0.0 { "inf" } else { "-inf" }.to_owned(),
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size if size < 10.0 => format!("{value:.4}"),
        size if size < 1000.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// For spreadsheets: the shortest decimals that read back as the same value, `inf` and `-inf`; empty
/// where undefined.
pub fn exact(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

/// For columns of shares, which line up: three decimals; `undefined` in words.
pub(super) fn three_decimals(value: f64) -> String {
    if value.is_nan() { "undefined".to_owned() } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_figures() {
        let cases = [
            (0.0, "0"),
            (0.12345, "0.1235"),
            (12.345, "12.35"),
            (1234.5, "1234"),
            (1e-7, "1.00e-7"),
            (f64::NAN, "–"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.5, "-0.5000"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text, "{value}");
        }
    }

    #[test]
    fn spreadsheets_get_every_digit_and_no_word_for_the_undefined() {
        let values = [0.1, 1e21, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(values.map(exact), ["0.1", "1000000000000000000000", "", "inf", "-inf"]);
    }

    #[test]
    fn shares_have_three_decimals_whatever_they_are() {
        assert_eq!(
            [0.5, 0.0, 12.0, f64::NAN].map(three_decimals),
            ["0.500", "0.000", "12.000", "undefined"]
        );
    }
}
