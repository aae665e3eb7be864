//! One pair of clouds and what the peers say about it.

use super::read;
use serde_json::Value;

use llmpr::{
    cloud::Clouds,
    data::{matrix::Matrix, sides::Sides},
};

/// `P` and `Q` with `expected.json`.
pub struct Case {
    pub name: &'static str,
    pub sets: Sides<Matrix>,
    expected: Value,
}

/// Every case, or none (with a note) where the golden values are absent.
pub fn cases() -> impl Iterator<Item = Case> {
    read::CASES.into_iter().filter_map(|name| {
        let expected = read::expected(name)?;
        let sets = Sides { reference: read::cloud(name, "p"), model: read::cloud(name, "q") };
        Some(Case { name, sets, expected })
    })
}

impl Case {
    pub fn clouds(&self) -> Clouds<'_> {
        Clouds::new(self.sets.as_ref()).expect("the case is a pair of clouds")
    }

    /// The value at a JSON pointer, if the case has one.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.expected.pointer(pointer)
    }

    /// The number at a JSON pointer that every case has.
    #[track_caller]
    pub fn number(&self, pointer: &str) -> f64 {
        match self.get(pointer) {
            Some(value) => read::number(value),
            None => panic!("{} has no {pointer}", self.name),
        }
    }

    /// Fails unless `got` is the number at `pointer` within `tolerance`.
    #[track_caller]
    pub fn check(&self, pointer: &str, got: f64, tolerance: f64) {
        let want = self.number(pointer);
        let same = want == got || (want.is_nan() && got.is_nan());
        let close = same || (want - got).abs() <= tolerance;
        assert!(close, "{}{pointer}: {got}, not {want} ± {tolerance:e}", self.name);
    }
}
