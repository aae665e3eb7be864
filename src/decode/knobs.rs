//! The sampling settings, a row each.
//!
//! Whatever lists settings (flags, columns, labels, requests to servers, headings of tables) goes through
//! [`KNOBS`], so a setting that gets a row here is seen everywhere. What it does to logits is a
//! [`Stage`](super::Stage) of its own.

mod more;
mod table;

pub use more::*;
pub use table::*;

use super::{DecodeError, Decoding};

/// A sampling setting: its names, its range, and where it stands in a [`Decoding`].
#[derive(Debug)]
pub struct Knob {
    /// Its flag, and its name in labels: `top-p`.
    pub flag: &'static str,
    /// Its name in records, in the columns of `results.csv` and in errors: `top_p`.
    pub column: &'static str,
    /// Its heading in tables and its name in captions.
    pub short: &'static str,
    /// What its value is called where flags are explained.
    pub letter: &'static str,
    /// What its flag does.
    pub help: &'static str,
    /// Whether its values are whole numbers.
    pub whole: bool,
    /// The value that changes nothing: written out, it is the same as none. A setting that shapes another has none.
    pub neutral: Option<f64>,
    /// The values that a stage takes.
    pub allowed: &'static str,
    /// The fields by which servers know it, the usual one first; which of them has effect is found out.
    pub server: &'static [&'static str],
    /// Whether `results.csv` has its column even where no cell sets it. So do the columns of the first
    /// format; the column of a later knob stands only where it is used, so that the table of a run which
    /// leaves it alone is the same from version to version.
    pub fixed_column: bool,
    /// The setting without which this one does nothing.
    pub shapes: Option<Shapes>,
    inside: fn(f64) -> bool,
    get: fn(&Decoding) -> Option<f64>,
    set: fn(&mut Decoding, Option<f64>),
}

/// The range of a setting that is on or off.
const SWITCH: &str = "{1}";

/// What a setting shapes.
#[derive(Debug)]
pub struct Shapes {
    /// The setting that switches the stage on.
    pub of: &'static Knob,
    /// The value, its authors', where only that one is given. It stands in every record.
    pub usual: f64,
}

/// Every sampling setting in the order in which they are printed, the temperature first.
pub static KNOBS: [&Knob; 22] = [
    &TEMPERATURE,
    &TOP_K,
    &TOP_P,
    &MIN_P,
    &TYPICAL_P,
    &REPETITION_PENALTY,
    &TOP_N_SIGMA,
    &EPSILON_CUTOFF,
    &ETA_CUTOFF,
    &P_LESS,
    &MIROSTAT_TAU,
    &MIROSTAT_ETA,
    &XTC_PROBABILITY,
    &XTC_THRESHOLD,
    &DYNATEMP_RANGE,
    &DYNATEMP_EXPONENT,
    &FREQUENCY_PENALTY,
    &PRESENCE_PENALTY,
    &NO_REPEAT_NGRAM_SIZE,
    &DRY_MULTIPLIER,
    &DRY_BASE,
    &DRY_ALLOWED_LENGTH,
];

/// The knobs that a decoding may leave out: all but the temperature.
pub fn optional() -> &'static [&'static Knob] {
    &KNOBS[1..]
}

/// Refuses a setting that shapes another one which is off, and one that is on without what shapes it.
pub(super) fn check_pairs(decoding: &Decoding) -> Result<(), DecodeError> {
    for knob in KNOBS {
        let Some(Shapes { of, .. }) = &knob.shapes else { continue };
        let (name, value, needs) = match (of.get(decoding), knob.get(decoding)) {
            (Some(value), None) => (of.column, value, knob.column),
            (None, Some(value)) => (knob.column, value, of.column),
            _ => continue,
        };
        return Err(DecodeError::Alone { name, value, needs });
    }
    Ok(())
}

/// Why settings in words are not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum KnobError {
    /// No setting has that name.
    #[error("`{name}` is no setting; there are {}", known())]
    Unknown { name: String },
    /// The value is no number of its kind.
    #[error("`{value}` is no number; write {name}=NUMBER")]
    NoNumber { name: String, value: String },
}

/// `T, top-k, … and repetition-penalty`.
fn known() -> String {
    let flags: Vec<&str> = optional().iter().map(|knob| knob.flag).collect();
    match flags.split_last() {
        Some((last, others)) => format!("{}, {} and {last}", TEMPERATURE.short, others.join(", ")),
        None => TEMPERATURE.short.to_owned(),
    }
}

impl Knob {
    /// The knob of that flag, column or heading, whatever its case; `temp` and `temps` are the temperature.
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = name.replace('_', "-").to_lowercase();
        let called = |knob: &&&Self| name == knob.flag || name == knob.short.to_lowercase();
        let short = matches!(name.as_str(), "temp" | "temps").then_some(&TEMPERATURE);
        KNOBS.iter().find(called).copied().or(short)
    }

    /// Its value in `decoding`; `None` where it is off.
    pub fn get(&self, decoding: &Decoding) -> Option<f64> {
        (self.get)(decoding)
    }

    /// Its value in `decoding` in digits.
    pub fn text(&self, decoding: &Decoding) -> Option<String> {
        self.get(decoding).map(|value| value.to_string())
    }

    /// Turns it to `value`; the neutral value switches it off. This is the one place where "1 is none"
    /// is decided. Whether the value is in range is asked by [`Chain::new`](super::Chain::new).
    pub fn set(&self, decoding: &mut Decoding, value: f64) {
        (self.set)(decoding, (Some(value) != self.neutral).then_some(value));
    }

    /// Leaves it out.
    pub fn clear(&self, decoding: &mut Decoding) {
        (self.set)(decoding, None);
    }

    /// Whether it is on or off and has no other value.
    pub fn is_switch(&self) -> bool {
        self.allowed == SWITCH
    }

    /// A value as it is written; `None` for what is no number of its kind.
    pub fn read(&self, text: &str) -> Option<f64> {
        match self.whole {
            true => text.parse::<usize>().ok().map(|whole| whole as f64),
            false => text.parse().ok(),
        }
    }

    /// Whether a stage takes `value`.
    pub(super) fn check(&self, value: f64) -> Result<(), DecodeError> {
        if (self.inside)(value) && value.is_finite() {
            return Ok(());
        }
        Err(DecodeError::OutOfRange { name: self.column, value, allowed: self.allowed })
    }
}

impl PartialEq for Knob {
    fn eq(&self, other: &Self) -> bool {
        self.column == other.column
    }
}

impl std::str::FromStr for Decoding {
    type Err = KnobError;

    /// `T=0.7,top-p=0.9`, by any name that [`Knob::named`] knows; what is not named is neutral, or as
    /// [`Decoding::completed`] has it.
    fn from_str(text: &str) -> Result<Self, KnobError> {
        let mut decoding = Self::default();
        for setting in text.split(',').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let unknown = || KnobError::Unknown { name: name.to_owned() };
            let knob = Knob::named(name).ok_or_else(unknown)?;
            let no_number =
                || KnobError::NoNumber { name: name.to_owned(), value: value.to_owned() };
            knob.set(&mut decoding, knob.read(value).ok_or_else(no_number)?);
        }
        Ok(decoding.completed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Chain;

    #[test]
    fn a_value_that_is_set_is_got_back_and_the_neutral_one_is_none() {
        for knob in KNOBS {
            let mut decoding = Decoding::default();
            // In nearly every range, neutral nowhere, and whole.
            let value = match knob.flag {
                "p-less" => 1.0,
                "dry-base" => 1.5,
                _ => {
                    if knob.whole {
                        3.0
                    } else {
                        0.5
                    }
                }
            };
            knob.set(&mut decoding, value);
            assert_eq!(knob.get(&decoding), Some(value), "{}", knob.flag);
            let others = KNOBS.iter().filter(|other| **other != knob);
            let moved = others.filter(|other| other.get(&decoding).is_some());
            let moved: Vec<&str> = moved.map(|other| other.flag).collect();
            assert!(moved.iter().all(|flag| *flag == TEMPERATURE.flag), "{moved:?}");
            let of = knob.shapes.as_ref().map(|shapes| shapes.of);
            of.inspect(|of| of.set(&mut decoding, 0.5));
            let whole = decoding.completed();
            assert_eq!(knob.get(&whole), Some(value), "{}", knob.flag);
            let stages = Chain::new(whole).unwrap().stages().len();
            // A temperature of 1 is no stage.
            assert_eq!(stages, 1, "{}", knob.flag);
            of.inspect(|of| of.set(&mut decoding, 0.0));
            match knob.neutral {
                Some(neutral) => knob.set(&mut decoding, neutral),
                None => (knob.set)(&mut decoding, None),
            }
            assert_eq!(decoding, Decoding::default(), "{}", knob.flag);
        }
    }

    #[test]
    fn the_ends_of_a_range_are_inside_where_its_bracket_is_closed() {
        let end = |text: &str| match text {
            "∞" => f64::INFINITY,
            text => text.replace('−', "-").parse().unwrap(),
        };
        let ranges = KNOBS.iter().filter(|knob| !knob.is_switch());
        let mut seen = 0;
        for knob in ranges {
            let (low, high) = knob.allowed.split_once(", ").unwrap();
            let (from, to) = (end(&low[1..]), end(&high[..high.len() - 1]));
            let inside = |x: f64| knob.check(x).is_ok();
            assert_eq!(inside(from), low.starts_with('['), "{}: {from}", knob.flag);
            assert_eq!(inside(to), high.ends_with(']'), "{}: {to}", knob.flag);
            assert!(inside(from + 0.25) && inside(to.min(1e300) - 0.25), "{}", knob.flag);
            assert!(!inside(from - 0.25) && !inside(to + 0.25), "{}", knob.flag);
            assert!(!inside(f64::NAN), "{}", knob.flag);
            seen += 1;
        }
        assert_eq!(seen, KNOBS.len() - 1, "p-less alone is a switch");
        assert!(P_LESS.is_switch() && P_LESS.check(1.0).is_ok() && P_LESS.check(0.0).is_err());
    }

    #[test]
    fn what_shapes_a_setting_comes_with_it_and_never_alone() {
        let on: Decoding = "dry-multiplier=0.8".parse().unwrap();
        assert_eq!((on.dry_base, on.dry_allowed_length), (Some(1.75), Some(2)));
        let own: Decoding = "xtc=0.5,xtc-threshold=0.2".parse().unwrap();
        assert_eq!((own.xtc_probability, own.xtc_threshold), (Some(0.5), Some(0.2)));
        let error = |decoding| Chain::new(decoding).unwrap_err().to_string();
        assert_eq!(
            error("dry-base=2".parse().unwrap()),
            "dry_base = 2 has no effect without dry_multiplier; set both or neither"
        );
        assert_eq!(
            error(Decoding { mirostat_tau: Some(3.0), ..Decoding::default() }),
            "mirostat_tau = 3 has no effect without mirostat_eta; set both or neither"
        );
    }

    #[test]
    fn columns_are_the_fields_of_a_record_in_their_order() {
        let mut decoding = Decoding::default();
        KNOBS.iter().for_each(|knob| (knob.set)(&mut decoding, Some(0.5)));
        let json = serde_json::to_value(decoding).unwrap();
        let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(fields, KNOBS.map(|knob| knob.column));
    }

    #[test]
    fn no_name_is_borne_by_two() {
        for knob in KNOBS {
            for name in [knob.flag, knob.column, knob.short] {
                assert_eq!(Knob::named(name), Some(knob), "{name}");
            }
        }
    }

    #[test]
    fn settings_in_words_are_read_by_every_name() {
        let read: Decoding = "T=0.7,top_p=0.9,TOP-K=50,typical=1,penalty=1.2".parse().unwrap();
        let wanted = Decoding {
            temperature: 0.7,
            top_k: Some(50),
            top_p: Some(0.9),
            repetition_penalty: Some(1.2),
            ..Decoding::default()
        };
        assert_eq!(read, wanted);
        assert_eq!("".parse(), Ok(Decoding::default()));
        let error = |text: &str| text.parse::<Decoding>().unwrap_err().to_string();
        assert_eq!(error("T=hot"), "`hot` is no number; write T=NUMBER");
        assert_eq!(error("top-k=1.5"), "`1.5` is no number; write top-k=NUMBER");
        assert!(error("warmth=1").starts_with("`warmth` is no setting; there are T, top-k, top-p"));
        assert!(error("warmth=1").ends_with(&format!(" and {}", optional().last().unwrap().flag)));
    }
}
