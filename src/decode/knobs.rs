//! The sampling settings, a row each.
//!
//! Whatever lists settings (flags, columns, labels, requests to servers, headings of tables) goes through
//! [`KNOBS`], so a setting that gets a row here is seen everywhere. What it does to logits is a
//! [`Stage`](super::Stage) of its own.

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
    /// The value that changes nothing: written out, it is the same as none.
    pub neutral: f64,
    /// The values that a stage takes.
    pub allowed: &'static str,
    /// The fields by which servers know it, the usual one first; which of them has effect is found out.
    pub server: &'static [&'static str],
    /// Whether `results.csv` has its column even where no cell sets it. So do the columns of the first
    /// format; the column of a later knob stands only where it is used, so that the table of a run which
    /// leaves it alone is the same from version to version.
    pub fixed_column: bool,
    inside: fn(f64) -> bool,
    get: fn(&Decoding) -> Option<f64>,
    set: fn(&mut Decoding, Option<f64>),
}

/// `T`, which every decoding has.
pub static TEMPERATURE: Knob = Knob {
    flag: "temperature",
    column: "temperature",
    short: "T",
    letter: "T",
    help: "Temperature; 0 always takes the most probable token",
    whole: false,
    neutral: 1.0,
    allowed: "[0, ∞)",
    server: &["temperature"],
    fixed_column: true,
    inside: |x| x >= 0.0,
    get: |d| Some(d.temperature),
    set: |d, x| d.temperature = x.unwrap_or(1.0),
};

/// See [`Decoding::top_k`].
pub static TOP_K: Knob = Knob {
    flag: "top-k",
    column: "top_k",
    short: "top-k",
    letter: "K",
    help: "Most probable tokens kept; 0 keeps all",
    whole: true,
    neutral: 0.0,
    allowed: "[1, ∞)",
    server: &["top_k"],
    fixed_column: true,
    inside: |x| x >= 1.0,
    get: |d| d.top_k.map(|k| k as f64),
    set: |d, x| d.top_k = x.map(|x| x as usize),
};

/// See [`Decoding::top_p`].
pub static TOP_P: Knob = Knob {
    flag: "top-p",
    column: "top_p",
    short: "top-p",
    letter: "P",
    help: "Nucleus: share of the probability kept; 1 keeps all",
    whole: false,
    neutral: 1.0,
    allowed: "(0, 1]",
    server: &["top_p"],
    fixed_column: true,
    inside: |x| x > 0.0 && x <= 1.0,
    get: |d| d.top_p,
    set: |d, x| d.top_p = x,
};

/// See [`Decoding::min_p`].
pub static MIN_P: Knob = Knob {
    flag: "min-p",
    column: "min_p",
    short: "min-p",
    letter: "P",
    help: "Least probability kept, relative to the greatest; 0 keeps all",
    whole: false,
    neutral: 0.0,
    allowed: "[0, 1]",
    server: &["min_p"],
    fixed_column: true,
    inside: |x| (0.0..=1.0).contains(&x),
    get: |d| d.min_p,
    set: |d, x| d.min_p = x,
};

/// See [`Decoding::typical_p`].
pub static TYPICAL_P: Knob = Knob {
    flag: "typical-p",
    column: "typical_p",
    short: "typical",
    letter: "P",
    help: "Share of the probability kept, typical tokens first; 1 keeps all",
    whole: false,
    neutral: 1.0,
    allowed: "(0, 1]",
    server: &["typical_p"],
    fixed_column: true,
    inside: |x| x > 0.0 && x <= 1.0,
    get: |d| d.typical_p,
    set: |d, x| d.typical_p = x,
};

/// See [`Decoding::repetition_penalty`].
pub static REPETITION_PENALTY: Knob = Knob {
    flag: "repetition-penalty",
    column: "repetition_penalty",
    short: "penalty",
    letter: "R",
    help: "Repetition penalty; 1 is none",
    whole: false,
    neutral: 1.0,
    allowed: "(0, ∞)",
    server: &["repetition_penalty", "repeat_penalty"],
    fixed_column: true,
    inside: |x| x > 0.0,
    get: |d| d.repetition_penalty,
    set: |d, x| d.repetition_penalty = x,
};

/// See [`Decoding::top_n_sigma`].
pub static TOP_N_SIGMA: Knob = Knob {
    flag: "top-n-sigma",
    column: "top_n_sigma",
    short: "top-nσ",
    letter: "N",
    help: "Standard deviations of the logits, below the greatest, within which tokens are kept; 0 keeps all",
    whole: false,
    neutral: 0.0,
    allowed: "(0, ∞)",
    server: &["top_n_sigma"],
    fixed_column: false,
    inside: |x| x > 0.0,
    get: |d| d.top_n_sigma,
    set: |d, x| d.top_n_sigma = x,
};

/// Every sampling setting in the order in which they are printed, the temperature first.
pub static KNOBS: [&Knob; 7] =
    [&TEMPERATURE, &TOP_K, &TOP_P, &MIN_P, &TYPICAL_P, &REPETITION_PENALTY, &TOP_N_SIGMA];

/// The knobs that a decoding may leave out: all but the temperature.
pub fn optional() -> &'static [&'static Knob] {
    &KNOBS[1..]
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
        (self.set)(decoding, (value != self.neutral).then_some(value));
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

    /// `T=0.7,top-p=0.9`, by any name that [`Knob::named`] knows; what is not named is neutral.
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
        Ok(decoding)
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
            // In every range, neutral nowhere, and whole.
            let value = if knob.whole { 3.0 } else { 0.5 };
            knob.set(&mut decoding, value);
            assert_eq!(knob.get(&decoding), Some(value), "{}", knob.flag);
            assert_eq!(Chain::new(decoding).unwrap().stages().len(), 1, "{}", knob.flag);
            let others = KNOBS.iter().filter(|other| **other != knob);
            let moved = others.filter(|other| other.get(&decoding).is_some());
            let moved: Vec<&str> = moved.map(|other| other.flag).collect();
            assert!(moved.iter().all(|flag| *flag == TEMPERATURE.flag), "{moved:?}");
            knob.set(&mut decoding, knob.neutral);
            assert_eq!(decoding, Decoding::default(), "{}", knob.flag);
        }
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
