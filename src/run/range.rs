//! Ranges on the command line: `0.2..1.5`, `0..1:0.25`, `0..1/5`, `0.2,0.7,1..1.4:0.2`.
//!
//! ```text
//! range = item { "," item }
//! item  = number | number ".." number [ ":" step | "/" count ]
//! ```
//!
//! Both ends belong to a range. The step is 0.1 for real settings and 1 for whole ones. All steps
//! are decimal, so `0.1..0.5` holds 0.3 and not 0.30000000000000004. A value that is named twice
//! counts once, at its first place.

use serde::{Deserialize, Deserializer, Serialize};

/// The most values one range may hold.
pub const MOST_VALUES: usize = 10_000;

/// Digits after the point that `a..b/count` keeps where the exact value has more.
const COUNT_DIGITS: u32 = 6;

/// Digits after the point that a number may have.
const MOST_DIGITS: usize = 9;

/// What is wrong with a range, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("range `{range}`, character {position}: {problem}; {remedy}")]
pub struct RangeError {
    /// The whole text.
    pub range: String,
    /// Where the trouble starts, counted from 1.
    pub position: usize,
    /// What was seen.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

/// Values of a real setting, such as temperatures, in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reals(Vec<f64>);

/// Values of a whole setting, such as shots or seeds, in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Integers(Vec<u64>);

impl Reals {
    /// Values that are finite and not negative, at least one.
    #[cfg(feature = "lm")]
    pub(crate) fn new(values: Vec<f64>) -> Self {
        Self(values)
    }

    /// The values; at least one, all finite and not negative.
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

impl Integers {
    /// At least one value.
    #[cfg(feature = "lm")]
    pub(crate) fn new(values: Vec<u64>) -> Self {
        Self(values)
    }

    /// The values; at least one.
    pub fn values(&self) -> &[u64] {
        &self.0
    }
}

impl From<f64> for Reals {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

impl From<u64> for Integers {
    fn from(value: u64) -> Self {
        Self(vec![value])
    }
}

impl From<Integers> for Reals {
    fn from(whole: Integers) -> Self {
        Self(whole.0.into_iter().map(|value| value as f64).collect())
    }
}

impl std::str::FromStr for Reals {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        parse(text, Kind::Real).map(|values| Self(values.iter().map(|v| v.to_f64()).collect()))
    }
}

impl std::str::FromStr for Integers {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        parse(text, Kind::Whole).map(|values| Self(values.iter().map(|v| v.units as u64).collect()))
    }
}

/// In files a range may also be a number or a list of numbers.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a range such as \"0.2..1.5\", a number or a list of numbers"
)]
enum Written {
    Text(String),
    Whole(u64),
    Real(f64),
    Wholes(Vec<u64>),
    Reals(Vec<f64>),
}

impl Written {
    fn text(self) -> String {
        let list = |items: Vec<String>| items.join(",");
        match self {
            Self::Text(text) => text,
            Self::Whole(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Wholes(values) => list(values.iter().map(u64::to_string).collect()),
            Self::Reals(values) => list(values.iter().map(f64::to_string).collect()),
        }
    }
}

impl<'de> Deserialize<'de> for Reals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.text().parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Integers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.text().parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Real,
    Whole,
}

impl Kind {
    fn example(self) -> &'static str {
        match self {
            Self::Real => "write a range such as 0.2..1.5, 0..1:0.25, 0..1/5 or 0.2,0.7,1",
            Self::Whole => "write a range such as 0..4, 0..8:2, 1..9/3 or 0,1,5",
        }
    }
}

/// `units · 10^-digits`, not negative.
#[derive(Clone, Copy, Debug)]
struct Decimal {
    units: i128,
    digits: u32,
}

impl Decimal {
    /// The same value counted in `10^-digits`; `digits` is not less than its own.
    fn at(self, digits: u32) -> i128 {
        self.units * 10i128.pow(digits - self.digits)
    }

    /// The nearest number of binary floating point, by way of the decimal text.
    fn to_f64(self) -> f64 {
        let digits = self.digits as usize;
        let text = format!("{:0>width$}", self.units, width = digits + 1);
        let (whole, fraction) = text.split_at(text.len() - digits);
        format!("{whole}.{fraction}0").parse().unwrap_or(f64::MAX)
    }

    /// Without zeros at the end, so that 0.5 and 0.50 are one value.
    fn normal(mut self) -> Self {
        while self.digits > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.digits -= 1;
        }
        self
    }

    fn same(self, other: Self) -> bool {
        let (a, b) = (self.normal(), other.normal());
        (a.units, a.digits) == (b.units, b.digits)
    }
}

/// A part of the range's text and where it starts.
#[derive(Clone, Copy)]
struct Part<'a> {
    whole: &'a str,
    text: &'a str,
    start: usize,
    kind: Kind,
}

impl<'a> Part<'a> {
    fn slice(self, from: usize, to: usize) -> Self {
        let text = &self.text[from..to];
        let trimmed = text.trim_start();
        let start = self.start + from + text.len() - trimmed.len();
        Self { text: trimmed.trim_end(), start, ..self }
    }

    fn error(self, problem: impl Into<String>, remedy: impl Into<String>) -> RangeError {
        RangeError {
            range: self.whole.to_owned(),
            position: self.whole[..self.start].chars().count() + 1,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// Splits at the first `mark` into what is before and after it.
    fn split(self, mark: &str) -> (Self, Option<Self>) {
        match self.text.find(mark) {
            None => (self, None),
            Some(at) => {
                let after = self.slice(at + mark.len(), self.text.len());
                (self.slice(0, at), Some(after))
            }
        }
    }

    fn number(self) -> Result<Decimal, RangeError> {
        if self.text.is_empty() {
            return Err(self.error("a number is missing", self.kind.example()));
        }
        let seen = format!("`{}` is no number", self.text);
        if self.text.starts_with('-') && self.text[1..].parse::<f64>().is_ok() {
            return Err(self.error(format!("`{}` is negative", self.text), "use 0 or more"));
        }
        let (whole, fraction) = self.text.split_once('.').unwrap_or((self.text, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
            return Err(self.error(seen, self.kind.example()));
        }
        if self.kind == Kind::Whole && self.text.contains('.') {
            return Err(self.error(format!("`{}` is not whole", self.text), self.kind.example()));
        }
        if fraction.len() > MOST_DIGITS {
            let remedy = format!("keep at most {MOST_DIGITS}");
            return Err(self.error(format!("`{}` has too many digits", self.text), remedy));
        }
        let digits = fraction.len() as u32;
        match format!("{whole}{fraction}").parse::<u64>() {
            Ok(units) => Ok(Decimal { units: i128::from(units), digits }),
            Err(_) => Err(self.error(format!("`{}` is too large", self.text), "use a smaller one")),
        }
    }

    fn values(self) -> Result<Vec<Decimal>, RangeError> {
        let (first, rest) = self.split("..");
        let Some(rest) = rest else {
            return Ok(vec![self.number()?]);
        };
        let first_value = first.number()?;
        if let Some(at) = self.text.find("...") {
            let remedy = "write two dots, and a digit before a point: 0.2..5 or 0.2..0.5";
            return Err(self.slice(at, self.text.len()).error("three dots in a row", remedy));
        }
        let (last, step) = rest.split(":");
        let (last, count) = if step.is_none() { rest.split("/") } else { (last, None) };
        let last_value = last.number()?;
        let digits = first_value.digits.max(last_value.digits);
        let (from, to) = (first_value.at(digits), last_value.at(digits));
        if from > to {
            let remedy = format!("write {}..{}", last.text, first.text);
            return Err(self.error(format!("`{}` is descending", self.text), remedy));
        }
        match count {
            Some(count) => spaced(self, count, (from, to), digits),
            None => stepped(self, step, (first_value, last_value)),
        }
    }
}

/// `a..b:step`, or with the step of its kind.
fn stepped(
    item: Part<'_>,
    step: Option<Part<'_>>,
    (first, last): (Decimal, Decimal),
) -> Result<Vec<Decimal>, RangeError> {
    let step_value = match step {
        Some(step) => step.number()?,
        None if item.kind == Kind::Real => Decimal { units: 1, digits: 1 },
        None => Decimal { units: 1, digits: 0 },
    };
    let digits = first.digits.max(last.digits).max(step_value.digits);
    let (from, to, step_units) = (first.at(digits), last.at(digits), step_value.at(digits));
    if step_units == 0 {
        let at = step.unwrap_or(item);
        return Err(at.error("a step of 0 never ends", "use a step above 0"));
    }
    let count = (to - from) / step_units + 1;
    if count > MOST_VALUES as i128 {
        let remedy = format!("at most {MOST_VALUES} are allowed: use a larger step");
        return Err(item.error(format!("`{}` holds {count} values", item.text), remedy));
    }
    Ok((0..count).map(|i| Decimal { units: from + i * step_units, digits }).collect())
}

/// `a..b/count`: that many values at equal distances, both ends among them.
fn spaced(
    item: Part<'_>,
    count: Part<'_>,
    (from, to): (i128, i128),
    digits: u32,
) -> Result<Vec<Decimal>, RangeError> {
    let n = Part { kind: Kind::Whole, ..count }.number()?.units;
    if n < 2 || n > MOST_VALUES as i128 {
        let remedy = format!("use 2 to {MOST_VALUES}, or one number without a range");
        return Err(count.error(format!("a count of {n}"), remedy));
    }
    let (scale, digits) = match item.kind {
        Kind::Real => (10i128.pow(COUNT_DIGITS), digits + COUNT_DIGITS),
        Kind::Whole => (1, digits),
    };
    let gaps = n - 1;
    if item.kind == Kind::Whole && (to - from) % gaps != 0 {
        let problem = format!("`{}` has values that are not whole", item.text);
        return Err(item.error(problem, "choose a count that divides evenly, or use a..b:step"));
    }
    let value = |i: i128| from * scale + (2 * i * (to - from) * scale + gaps) / (2 * gaps);
    Ok((0..n).map(|i| Decimal { units: value(i), digits }).collect())
}

fn parse(text: &str, kind: Kind) -> Result<Vec<Decimal>, RangeError> {
    let whole = Part { whole: text, text, start: 0, kind };
    let mut values: Vec<Decimal> = Vec::new();
    let mut start = 0;
    for item in text.split(',') {
        let part = whole.slice(start, start + item.len());
        for value in part.values()? {
            if !values.iter().any(|&seen| seen.same(value)) {
                values.push(value);
            }
        }
        if values.len() > MOST_VALUES {
            let remedy = format!("at most {MOST_VALUES} are allowed");
            return Err(part.error(format!("already {} values", values.len()), remedy));
        }
        start += item.len() + 1;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reals(text: &str) -> Vec<f64> {
        text.parse::<Reals>().unwrap().0
    }

    fn integers(text: &str) -> Vec<u64> {
        text.parse::<Integers>().unwrap().0
    }

    fn real_error(text: &str) -> String {
        text.parse::<Reals>().unwrap_err().to_string()
    }

    #[test]
    fn a_range_of_temperatures_holds_both_ends_in_tenths() {
        let temps = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5];
        assert_eq!(reals("0.2..1.5"), temps);
    }

    #[test]
    fn steps_counts_and_lists_mix() {
        assert_eq!(reals("0.2,0.7,1..1.4:0.2"), [0.2, 0.7, 1.0, 1.2, 1.4]);
        assert_eq!(reals("0..1/5"), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(reals("0..1/4"), [0.0, 0.333333, 0.666667, 1.0]);
        assert_eq!(reals(" 0.5 .. 1 : 0.25 , 2 "), [0.5, 0.75, 1.0, 2.0]);
        assert_eq!(reals(".5,1."), [0.5, 1.0]);
        assert_eq!(integers("0..4"), [0, 1, 2, 3, 4]);
        assert_eq!(integers("0..100/5,7"), [0, 25, 50, 75, 100, 7]);
        assert_eq!(integers("18446744073709551615"), [u64::MAX]);
    }

    #[test]
    fn a_range_ends_at_the_last_step_that_fits() {
        assert_eq!(reals("0..1:0.3"), [0.0, 0.3, 0.6, 0.9]);
        assert_eq!(reals("0.7..0.7"), [0.7]);
    }

    #[test]
    fn a_value_named_twice_counts_once() {
        assert_eq!(reals("0.5,0.50,0.2..0.6:0.1"), [0.5, 0.2, 0.3, 0.4, 0.6]);
    }

    #[test]
    fn errors_name_the_text_the_place_and_what_would_be_right() {
        let cases = [
            ("1.5..0.2", "character 1: `1.5..0.2` is descending; write 0.2..1.5"),
            ("0.2,1.5..1", "character 5: `1.5..1` is descending; write 1..1.5"),
            ("0.2..", "character 6: a number is missing; write a range such as 0.2..1.5"),
            ("", "character 1: a number is missing"),
            ("0.2,,1", "character 5: a number is missing"),
            ("0.2..1.5:0", "character 10: a step of 0 never ends; use a step above 0"),
            ("0..1/1", "character 6: a count of 1; use 2 to 10000"),
            ("warm", "character 1: `warm` is no number"),
            ("0.2..1,5e3", "character 8: `5e3` is no number"),
            ("-0.2..1", "character 1: `-0.2` is negative; use 0 or more"),
            ("0..1:0.00001", "character 1: `0..1:0.00001` holds 100001 values"),
            ("0.1234567890", "character 1: `0.1234567890` has too many digits; keep at most 9"),
            ("é,1", "character 1: `é` is no number"),
            ("1,é", "character 3: `é` is no number"),
            ("..", "character 1: a number is missing"),
            ("0,0.2...5", "character 6: three dots in a row; write two dots"),
        ];
        for (text, wanted) in cases {
            let message = real_error(text);
            assert!(message.starts_with(&format!("range `{text}`, {wanted}")), "{message}");
        }
        let message = "0.5".parse::<Integers>().unwrap_err().to_string();
        assert!(message.contains("`0.5` is not whole; write a range such as 0..4"), "{message}");
        let message = "0..10/4".parse::<Integers>().unwrap_err().to_string();
        assert!(message.contains("divides evenly"), "{message}");
        let message = "18446744073709551616".parse::<Integers>().unwrap_err().to_string();
        assert!(message.contains("is too large"), "{message}");
    }

    #[test]
    fn a_file_may_hold_a_text_a_number_or_a_list() {
        #[derive(Deserialize)]
        struct File {
            temps: Reals,
            shots: Integers,
        }
        let read = |text: &str| toml::from_str::<File>(text);
        let file = read("temps = [0.2, 1]\nshots = 3").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((file.temps.0, file.shots.0), (vec![0.2, 1.0], vec![3]));
        let file = read("temps = '0.2..0.4'\nshots = [0, 2]").unwrap();
        assert_eq!((file.temps.0, file.shots.0), (vec![0.2, 0.3, 0.4], vec![0, 2]));
        assert!(read("temps = []\nshots = 1").is_err());
        assert!(read("temps = true\nshots = 1").is_err());
    }

    proptest! {
        #[test]
        fn steps_are_the_decimals_a_person_would_write(
            from in 0u32..200, count in 1u32..40, step in 1u32..50, digits in 0usize..4,
        ) {
            let write = |units: u32| {
                format!("{:.digits$}", f64::from(units) / 10f64.powi(digits as i32))
            };
            let text = format!("{}..{}:{}", write(from), write(from + (count - 1) * step), write(step));
            let wanted: Vec<f64> =
                (0..count).map(|i| write(from + i * step).parse().unwrap()).collect();
            prop_assert_eq!(reals(&text), wanted);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9., :/é-]{0,12}") {
            let _ = text.parse::<Reals>();
            let _ = text.parse::<Integers>();
        }

        #[test]
        fn what_it_prints_it_reads_back(values in proptest::collection::vec(0u64..5000, 1..6)) {
            let text = values.iter().map(|v| format!("{}", *v as f64 / 1000.0)).collect::<Vec<_>>();
            let mut wanted: Vec<f64> = Vec::new();
            for v in &values {
                let v = *v as f64 / 1000.0;
                if !wanted.contains(&v) { wanted.push(v); }
            }
            prop_assert_eq!(reals(&text.join(",")), wanted);
        }
    }
}
