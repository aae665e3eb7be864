//! Sampling settings and their values: the axes of a grid, and several such sets beside each other.

use std::{collections::HashSet, str::FromStr};

use super::range::{Integers, RangeError, Reals};
use crate::decode::{
    Decoding,
    knobs::{KNOBS, Knob, KnobError, TEMPERATURE},
};

/// Values of the knobs that a sweep sets or varies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes(Vec<(&'static Knob, Reals)>);

impl Axes {
    /// These, and `values` of `knob`.
    pub fn with(mut self, knob: &'static Knob, values: impl Into<Reals>) -> Self {
        self.0.retain(|(known, _)| *known != knob);
        self.0.push((knob, values.into()));
        self
    }

    fn values(&self, knob: &Knob) -> Option<&Reals> {
        self.0.iter().find(|(known, _)| *known == knob).map(|(_, values)| values)
    }

    /// Whether some value switches `knob` on.
    fn switches_on(&self, knob: &Knob) -> bool {
        let on = |value: &f64| Some(*value) != knob.neutral;
        self.values(knob).is_some_and(|values| values.values().iter().any(on))
    }
}

/// The values of a knob out of a range.
///
/// # Errors
///
/// [`RangeError`].
pub fn values(knob: &Knob, range: &str) -> Result<Reals, RangeError> {
    match knob.whole {
        true => Ok(range.parse::<Integers>()?.into()),
        false => range.parse(),
    }
}

/// Ways of drawing that are held against each other, each with settings of its own.
///
/// ```
/// # use llmpr::run::methods::Methods;
/// let methods: Methods = "top-p=0.5,0.9; min-p=0.05..0.2/3 T=1.5".parse()?;
/// assert_eq!(methods.len(), 2);
/// # Ok::<(), llmpr::run::methods::MethodsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Methods(Vec<Axes>);

/// Why a text names no methods.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum MethodsError {
    /// A setting that does not exist.
    #[error(transparent)]
    Knob(#[from] KnobError),
    /// A setting without values.
    #[error("`{word}` is no setting with its values; write top-p=0.5,0.9, methods apart by `;`")]
    NoValues { word: String },
    /// Values that are no range.
    #[error("{name}: {source}")]
    Range { name: &'static str, source: RangeError },
}

impl Methods {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, so that a grid has the settings around them alone.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every combination of every method's values, what it does not name at the values of `knobs` and
    /// `temperatures`, the temperature varying last; at most `most`.
    ///
    /// A setting that shapes another is left out where that one is off, as long as it is on somewhere; combinations
    /// that come to the same by that, or stand in two methods, are there once.
    pub(super) fn decodings(
        &self,
        knobs: &Axes,
        temperatures: &Reals,
        most: usize,
    ) -> Vec<Decoding> {
        let none = [Axes::default()];
        let methods = if self.0.is_empty() { &none[..] } else { &self.0 };
        let mut all = Vec::new();
        for own in methods {
            let mut decodings = vec![Decoding::default()];
            for knob in KNOBS.into_iter().rev() {
                let around = || match *knob == TEMPERATURE {
                    true => Some(temperatures),
                    false => knobs.values(knob),
                };
                if let Some(values) = own.values(knob).or_else(around) {
                    decodings = each(&decodings, knob, values.values(), most);
                }
            }
            all.extend(decodings);
            all.truncate(most);
        }
        let on = |knob: &Knob| methods.iter().chain([knobs]).any(|axes| axes.switches_on(knob));
        let mut dropped = false;
        for decoding in &mut all {
            for knob in KNOBS {
                let Some(shapes) = &knob.shapes else { continue };
                if knob.get(decoding).is_some()
                    && shapes.of.get(decoding).is_none()
                    && on(shapes.of)
                {
                    knob.clear(decoding);
                    dropped = true;
                }
            }
            *decoding = decoding.completed();
        }
        if dropped || !self.0.is_empty() {
            let mut seen = HashSet::new();
            all.retain(|decoding| seen.insert(serde_json::to_string(decoding).unwrap_or_default()));
        }
        all
    }
}

/// `decodings` × `values` of `knob`, the values varying last. Bounded, so that a hostile grid cannot fill
/// memory before it is refused.
fn each(decodings: &[Decoding], knob: &Knob, values: &[f64], most: usize) -> Vec<Decoding> {
    let all = decodings.iter().flat_map(|&decoding| {
        values.iter().map(move |&value| {
            let mut decoding = decoding;
            knob.set(&mut decoding, value);
            decoding
        })
    });
    all.take(most).collect()
}

impl FromStr for Methods {
    type Err = MethodsError;

    /// `top-p=0.5,0.9; min-p=0.05 T=1,2`: settings apart by spaces, methods by `;` or lines.
    fn from_str(text: &str) -> Result<Self, MethodsError> {
        let mut methods = Vec::new();
        for method in text.split([';', '\n']) {
            let mut axes = Axes::default();
            for word in method.split_whitespace() {
                let no_values = || MethodsError::NoValues { word: word.to_owned() };
                let (name, range) = word.split_once('=').ok_or_else(no_values)?;
                let unknown = || KnobError::Unknown { name: name.to_owned() };
                let knob = Knob::named(name).ok_or_else(unknown)?;
                let name = knob.flag;
                let wrong = |source| MethodsError::Range { name, source };
                axes = axes.with(knob, values(knob, range).map_err(wrong)?);
            }
            if axes != Axes::default() {
                methods.push(axes);
            }
        }
        match methods.is_empty() {
            true => Err(MethodsError::NoValues { word: text.to_owned() }),
            false => Ok(Self(methods)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::knobs::{DRY_BASE, DRY_MULTIPLIER, TOP_K};

    fn decodings(methods: &str, knobs: &Axes, temps: &str) -> Vec<String> {
        let methods =
            if methods.is_empty() { Methods::default() } else { methods.parse().unwrap() };
        let all = methods.decodings(knobs, &temps.parse().unwrap(), 1000);
        let text = |d: &Decoding| {
            let set = KNOBS.iter().filter_map(|k| Some(format!("{}={}", k.short, k.text(d)?)));
            set.collect::<Vec<_>>().join(" ")
        };
        all.iter().map(text).collect()
    }

    #[test]
    fn a_method_has_its_own_values_and_those_around_it() {
        let around = Axes::default().with(&TOP_K, 50.0);
        let got = decodings("T=0.5,0.9\n top-p=0.8; min-p=0.1 top-k=0", &around, "1");
        let wanted =
            ["T=0.5 top-k=50", "T=0.9 top-k=50", "T=1 top-k=50 top-p=0.8", "T=1 min-p=0.1"];
        assert_eq!(got, wanted);
        assert_eq!(decodings("top-p=1,0.9; min-p=0", &Axes::default(), "1").len(), 2);
    }

    #[test]
    fn what_shapes_a_setting_goes_where_that_is_off_and_is_completed_where_it_is_on() {
        let both: Axes = Axes::default()
            .with(&DRY_MULTIPLIER, "0,0.8".parse::<Reals>().unwrap())
            .with(&DRY_BASE, "1.5,2".parse::<Reals>().unwrap());
        let wanted =
            ["T=1", "T=1 dry=0.8 dry-base=1.5 dry-length=2", "T=1 dry=0.8 dry-base=2 dry-length=2"];
        let mut got = decodings("", &both, "1");
        got.sort();
        assert_eq!(got, wanted);
        // Alone it is left for the chain to refuse.
        let alone = Axes::default().with(&DRY_BASE, 2.0);
        assert_eq!(decodings("", &alone, "1"), ["T=1 dry-base=2"]);
    }

    #[test]
    fn what_is_no_method_is_said() {
        let error = |text: &str| text.parse::<Methods>().unwrap_err().to_string();
        assert!(error("warmth=1").starts_with("`warmth` is no setting; there are T, top-k"));
        assert!(error("top-p").starts_with("`top-p` is no setting with its values; write"));
        assert!(error(" ; ").contains("write top-p=0.5,0.9"));
        let range = error("top-p=0.9..0.5");
        assert!(range.starts_with("top-p: range `0.9..0.5`, character 1"), "{range}");
    }
}
