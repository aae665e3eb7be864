//! Numbers and words that were found twice: how many differ, and how far numbers agree.

use serde::Serialize;
use serde_json::Value;

/// Something that is not the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differing {
    /// Where it stands, such as `score.metrics.precision.value`.
    pub name: String,
    /// What the run says; nothing where it does not have it.
    pub then: Value,
    /// What it is now.
    pub now: Value,
}

/// Values held against each other one by one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Compared {
    /// How many there are.
    pub of: usize,
    /// How many are not the same to the last bit.
    pub differ: usize,
    /// Decimal digits in which all numbers agree; nothing where all are equal.
    pub digits: Option<u32>,
    /// The first of them that differ.
    pub first: Vec<Differing>,
}

/// Values that are named of many.
const NAMED: usize = 5;

impl Compared {
    /// All values of two JSON documents, place by place.
    pub fn of(then: &Value, now: &Value) -> Self {
        let mut compared = Self::default();
        walk("", then, now, &mut |name, then, now| compared.value(name, then, now));
        compared
    }

    /// Whether all are the same.
    pub fn is_equal(&self) -> bool {
        self.differ == 0
    }

    /// Takes one number of each; `name` is asked where they differ.
    pub fn number(&mut self, name: impl Fn() -> String, then: f64, now: f64) {
        self.of += 1;
        if then.to_bits() == now.to_bits() || (then.is_nan() && now.is_nan()) {
            return;
        }
        self.differs(digits(then, now), name(), then.into(), now.into());
    }

    fn value(&mut self, name: &str, then: &Value, now: &Value) {
        match (then.as_f64(), now.as_f64()) {
            (Some(a), Some(b)) => self.number(|| name.to_owned(), a, b),
            _ => {
                self.of += 1;
                if then != now {
                    self.differs(0, name.to_owned(), then.clone(), now.clone());
                }
            }
        }
    }

    fn differs(&mut self, digits: u32, name: String, then: Value, now: Value) {
        self.differ += 1;
        self.digits = Some(self.digits.map_or(digits, |least| least.min(digits)));
        if self.first.len() < NAMED {
            self.first.push(Differing { name, then, now });
        }
    }
}

/// Everything in which two JSON documents differ.
pub(super) fn differing(then: &Value, now: &Value) -> Vec<Differing> {
    let mut all = Vec::new();
    walk("", then, now, &mut |name, then, now| {
        if then != now {
            all.push(Differing { name: name.to_owned(), then: then.clone(), now: now.clone() });
        }
    });
    all
}

/// Calls `each` with the place and both values of every leaf.
fn walk(name: &str, then: &Value, now: &Value, each: &mut impl FnMut(&str, &Value, &Value)) {
    let below =
        |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                walk(&below(key), value, b.get(key).unwrap_or(&Value::Null), each);
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                walk(&below(key), &Value::Null, value, each);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for at in 0..a.len().max(b.len()) {
                let item = |list: &[Value]| list.get(at).cloned().unwrap_or_default();
                walk(&below(&at.to_string()), &item(a), &item(b), each);
            }
        }
        _ => each(name, then, now),
    }
}

/// In how many significant decimal digits two numbers agree, at most 17; 0 where not even their sizes do.
///
/// ```
/// use llmpr::run::repeat::digits;
/// assert_eq!(digits(0.12345, 0.12346), 4);
/// assert_eq!(digits(1.0, -1.0), 0);
/// ```
pub fn digits(a: f64, b: f64) -> u32 {
    let apart = (a - b).abs() / a.abs().max(b.abs());
    match apart {
        _ if a == b => 17,
        apart if apart.is_finite() && apart < 1.0 => {
            (-apart.log10()).floor().clamp(0.0, 17.0) as u32
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_counted_and_named_and_equal_is_to_the_last_bit() {
        let then = json!({"a": 0.5, "b": [1, 2, 3], "c": "x", "gone": null, "d": {"e": 0.1}});
        let same = Compared::of(&then, &then);
        assert_eq!((same.of, same.differ, same.digits), (7, 0, None));
        let now = json!({"a": 0.5, "b": [1, 2], "c": "y", "gone": null, "d": {"e": 0.1 + 1e-9}});
        let apart = Compared::of(&then, &now);
        let names: Vec<&str> = apart.first.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["b.2", "c", "d.e"]);
        assert_eq!((apart.of, apart.differ, apart.digits), (7, 3, Some(0)));
        assert!(same.is_equal() && !apart.is_equal());
        let close = Compared::of(&json!(0.1), &json!(0.1 + 1e-9));
        assert_eq!(close.digits, Some(8));
    }

    #[test]
    fn an_undefined_number_is_itself_and_a_sign_of_zero_is_seen() {
        let mut compared = Compared::default();
        compared.number(|| unreachable!(), f64::NAN, f64::NAN);
        compared.number(|| "zero".to_owned(), 0.0, -0.0);
        assert_eq!((compared.of, compared.differ, compared.digits), (2, 1, Some(17)));
        assert_eq!(digits(f64::INFINITY, 1.0), 0);
        assert_eq!(digits(1.0, f64::NAN), 0);
    }
}
