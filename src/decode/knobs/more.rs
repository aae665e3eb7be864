//! The settings, a row each: those of methods that came later, and those that look at the past.

use super::{Knob, Shapes};

/// See [`Decoding::epsilon_cutoff`](crate::decode::Decoding::epsilon_cutoff).
pub static EPSILON_CUTOFF: Knob = Knob {
    flag: "epsilon-cutoff",
    column: "epsilon_cutoff",
    short: "epsilon",
    letter: "P",
    help: "Least probability kept; 0 keeps all",
    whole: false,
    neutral: Some(0.0),
    allowed: "(0, 1)",
    server: &["epsilon_cutoff"],
    fixed_column: false,
    shapes: None,
    inside: |x| x > 0.0 && x < 1.0,
    get: |d| d.epsilon_cutoff,
    set: |d, x| d.epsilon_cutoff = x,
};

/// See [`Decoding::eta_cutoff`](crate::decode::Decoding::eta_cutoff).
pub static ETA_CUTOFF: Knob = Knob {
    flag: "eta-cutoff",
    column: "eta_cutoff",
    short: "eta",
    letter: "P",
    help: "Least probability kept where the next token is certain, falling with the entropy; 0 keeps all",
    whole: false,
    neutral: Some(0.0),
    allowed: "(0, 1)",
    server: &["eta_cutoff"],
    fixed_column: false,
    shapes: None,
    inside: |x| x > 0.0 && x < 1.0,
    get: |d| d.eta_cutoff,
    set: |d, x| d.eta_cutoff = x,
};

/// See [`Decoding::p_less`](crate::decode::Decoding::p_less).
pub static P_LESS: Knob = Knob {
    flag: "p-less",
    column: "p_less",
    short: "p-less",
    letter: "0|1",
    help: "1 keeps tokens at least as probable as two draws are to agree (p-less); 0 keeps all",
    whole: true,
    neutral: Some(0.0),
    allowed: "{1}",
    server: &[],
    fixed_column: false,
    shapes: None,
    inside: |x| x == 1.0,
    get: |d| d.p_less.map(|x| x as f64),
    set: |d, x| d.p_less = x.map(|x| x as usize),
};

/// See [`Decoding::mirostat_tau`](crate::decode::Decoding::mirostat_tau).
pub static MIROSTAT_TAU: Knob = Knob {
    flag: "mirostat-tau",
    column: "mirostat_tau",
    short: "mirostat",
    letter: "BITS",
    help: "Surprise that mirostat 2 steers to, bits a token; 0 keeps all",
    whole: false,
    neutral: Some(0.0),
    allowed: "(0, ∞)",
    server: &["mirostat_tau"],
    fixed_column: false,
    shapes: None,
    inside: |x| x > 0.0,
    get: |d| d.mirostat_tau,
    set: |d, x| d.mirostat_tau = x,
};

/// See [`Decoding::mirostat_eta`](crate::decode::Decoding::mirostat_eta).
pub static MIROSTAT_ETA: Knob = Knob {
    flag: "mirostat-eta",
    column: "mirostat_eta",
    short: "mirostat-η",
    letter: "RATE",
    help: "How fast mirostat steers; 0.1 where only --mirostat-tau is given",
    whole: false,
    neutral: None,
    allowed: "(0, 1]",
    server: &["mirostat_eta"],
    fixed_column: false,
    shapes: Some(Shapes { of: &MIROSTAT_TAU, usual: 0.1 }),
    inside: |x| x > 0.0 && x <= 1.0,
    get: |d| d.mirostat_eta,
    set: |d, x| d.mirostat_eta = x,
};

/// See [`Decoding::xtc_probability`](crate::decode::Decoding::xtc_probability).
pub static XTC_PROBABILITY: Knob = Knob {
    flag: "xtc-probability",
    column: "xtc_probability",
    short: "xtc",
    letter: "Q",
    help: "Probability with which the most probable tokens are left out (XTC); 0 keeps them",
    whole: false,
    neutral: Some(0.0),
    allowed: "(0, 1]",
    server: &["xtc_probability"],
    fixed_column: false,
    shapes: None,
    inside: |x| x > 0.0 && x <= 1.0,
    get: |d| d.xtc_probability,
    set: |d, x| d.xtc_probability = x,
};

/// See [`Decoding::xtc_threshold`](crate::decode::Decoding::xtc_threshold).
pub static XTC_THRESHOLD: Knob = Knob {
    flag: "xtc-threshold",
    column: "xtc_threshold",
    short: "xtc-over",
    letter: "P",
    help: "Of the tokens at least this probable XTC keeps the last; 0.1 where only --xtc-probability is given",
    whole: false,
    neutral: None,
    allowed: "(0, 0.5]",
    server: &["xtc_threshold"],
    fixed_column: false,
    shapes: Some(Shapes { of: &XTC_PROBABILITY, usual: 0.1 }),
    inside: |x| x > 0.0 && x <= 0.5,
    get: |d| d.xtc_threshold,
    set: |d, x| d.xtc_threshold = x,
};

/// See [`Decoding::dynatemp_range`](crate::decode::Decoding::dynatemp_range).
pub static DYNATEMP_RANGE: Knob = Knob {
    flag: "dynatemp-range",
    column: "dynatemp_range",
    short: "dynatemp",
    letter: "R",
    help: "How far the temperature moves to either side with the entropy; 0 holds it",
    whole: false,
    neutral: Some(0.0),
    allowed: "(0, ∞)",
    server: &["dynatemp_range"],
    fixed_column: false,
    shapes: None,
    inside: |x| x > 0.0,
    get: |d| d.dynatemp_range,
    set: |d, x| d.dynatemp_range = x,
};

/// See [`Decoding::dynatemp_exponent`](crate::decode::Decoding::dynatemp_exponent).
pub static DYNATEMP_EXPONENT: Knob = Knob {
    flag: "dynatemp-exponent",
    column: "dynatemp_exponent",
    short: "dynatemp-exp",
    letter: "X",
    help: "Power of the entropy by which it moves; 1 where only --dynatemp-range is given",
    whole: false,
    neutral: None,
    allowed: "(0, ∞)",
    server: &["dynatemp_exponent"],
    fixed_column: false,
    shapes: Some(Shapes { of: &DYNATEMP_RANGE, usual: 1.0 }),
    inside: |x| x > 0.0,
    get: |d| d.dynatemp_exponent,
    set: |d, x| d.dynatemp_exponent = x,
};

/// See [`Decoding::frequency_penalty`](crate::decode::Decoding::frequency_penalty).
pub static FREQUENCY_PENALTY: Knob = Knob {
    flag: "frequency-penalty",
    column: "frequency_penalty",
    short: "frequency",
    letter: "F",
    help: "Lowers a token's logit for every time it was drawn; 0 is none",
    whole: false,
    neutral: Some(0.0),
    allowed: "[−2, 2]",
    server: &["frequency_penalty"],
    fixed_column: false,
    shapes: None,
    inside: |x| (-2.0..=2.0).contains(&x),
    get: |d| d.frequency_penalty,
    set: |d, x| d.frequency_penalty = x,
};

/// See [`Decoding::presence_penalty`](crate::decode::Decoding::presence_penalty).
pub static PRESENCE_PENALTY: Knob = Knob {
    flag: "presence-penalty",
    column: "presence_penalty",
    short: "presence",
    letter: "F",
    help: "Lowers the logits of tokens that were drawn, each once; 0 is none",
    whole: false,
    neutral: Some(0.0),
    allowed: "[−2, 2]",
    server: &["presence_penalty"],
    fixed_column: false,
    shapes: None,
    inside: |x| (-2.0..=2.0).contains(&x),
    get: |d| d.presence_penalty,
    set: |d, x| d.presence_penalty = x,
};

/// See [`Decoding::no_repeat_ngram_size`](crate::decode::Decoding::no_repeat_ngram_size).
pub static NO_REPEAT_NGRAM_SIZE: Knob = Knob {
    flag: "no-repeat-ngram-size",
    column: "no_repeat_ngram_size",
    short: "no-repeat",
    letter: "N",
    help: "Runs of so many tokens are written once; 0 allows all",
    whole: true,
    neutral: Some(0.0),
    allowed: "[1, ∞)",
    server: &["no_repeat_ngram_size"],
    fixed_column: false,
    shapes: None,
    inside: |x| x >= 1.0,
    get: |d| d.no_repeat_ngram_size.map(|x| x as f64),
    set: |d, x| d.no_repeat_ngram_size = x.map(|x| x as usize),
};

/// See [`Decoding::dry_multiplier`](crate::decode::Decoding::dry_multiplier).
pub static DRY_MULTIPLIER: Knob = Knob {
    flag: "dry-multiplier",
    column: "dry_multiplier",
    short: "dry",
    letter: "M",
    help: "Lowers the logits of tokens that make a repetition longer (DRY); 0 is none",
    whole: false,
    neutral: Some(0.0),
    allowed: "(0, ∞)",
    server: &["dry_multiplier"],
    fixed_column: false,
    shapes: None,
    inside: |x| x > 0.0,
    get: |d| d.dry_multiplier,
    set: |d, x| d.dry_multiplier = x,
};

/// See [`Decoding::dry_base`](crate::decode::Decoding::dry_base).
pub static DRY_BASE: Knob = Knob {
    flag: "dry-base",
    column: "dry_base",
    short: "dry-base",
    letter: "B",
    help: "Factor of DRY for every token more; 1.75 where only --dry-multiplier is given",
    whole: false,
    neutral: None,
    allowed: "[1, ∞)",
    server: &["dry_base"],
    fixed_column: false,
    shapes: Some(Shapes { of: &DRY_MULTIPLIER, usual: 1.75 }),
    inside: |x| x >= 1.0,
    get: |d| d.dry_base,
    set: |d, x| d.dry_base = x,
};

/// See [`Decoding::dry_allowed_length`](crate::decode::Decoding::dry_allowed_length).
pub static DRY_ALLOWED_LENGTH: Knob = Knob {
    flag: "dry-allowed-length",
    column: "dry_allowed_length",
    short: "dry-length",
    letter: "N",
    help: "Longest repetition that DRY does not mind; 2 where only --dry-multiplier is given",
    whole: true,
    neutral: None,
    allowed: "[1, ∞)",
    server: &["dry_allowed_length"],
    fixed_column: false,
    shapes: Some(Shapes { of: &DRY_MULTIPLIER, usual: 2.0 }),
    inside: |x| x >= 1.0,
    get: |d| d.dry_allowed_length.map(|x| x as f64),
    set: |d, x| d.dry_allowed_length = x.map(|x| x as usize),
};
