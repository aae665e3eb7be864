//! The settings, a row each: those of the usual truncations.

use super::Knob;

/// `T`, which every decoding has.
pub static TEMPERATURE: Knob = Knob {
    flag: "temperature",
    column: "temperature",
    short: "T",
    letter: "T",
    help: "Temperature; 0 always takes the most probable token",
    whole: false,
    neutral: Some(1.0),
    allowed: "[0, ∞)",
    server: &["temperature"],
    fixed_column: true,
    shapes: None,
    inside: |x| x >= 0.0,
    get: |d| Some(d.temperature),
    set: |d, x| d.temperature = x.unwrap_or(1.0),
};

/// See [`Decoding::top_k`](crate::decode::Decoding::top_k).
pub static TOP_K: Knob = Knob {
    flag: "top-k",
    column: "top_k",
    short: "top-k",
    letter: "K",
    help: "Most probable tokens kept; 0 keeps all",
    whole: true,
    neutral: Some(0.0),
    allowed: "[1, ∞)",
    server: &["top_k"],
    fixed_column: true,
    shapes: None,
    inside: |x| x >= 1.0,
    get: |d| d.top_k.map(|k| k as f64),
    set: |d, x| d.top_k = x.map(|x| x as usize),
};

/// See [`Decoding::top_p`](crate::decode::Decoding::top_p).
pub static TOP_P: Knob = Knob {
    flag: "top-p",
    column: "top_p",
    short: "top-p",
    letter: "P",
    help: "Nucleus: share of the probability kept; 1 keeps all",
    whole: false,
    neutral: Some(1.0),
    allowed: "(0, 1]",
    server: &["top_p"],
    fixed_column: true,
    shapes: None,
    inside: |x| x > 0.0 && x <= 1.0,
    get: |d| d.top_p,
    set: |d, x| d.top_p = x,
};

/// See [`Decoding::min_p`](crate::decode::Decoding::min_p).
pub static MIN_P: Knob = Knob {
    flag: "min-p",
    column: "min_p",
    short: "min-p",
    letter: "P",
    help: "Least probability kept, relative to the greatest; 0 keeps all",
    whole: false,
    neutral: Some(0.0),
    allowed: "[0, 1]",
    server: &["min_p"],
    fixed_column: true,
    shapes: None,
    inside: |x| (0.0..=1.0).contains(&x),
    get: |d| d.min_p,
    set: |d, x| d.min_p = x,
};

/// See [`Decoding::typical_p`](crate::decode::Decoding::typical_p).
pub static TYPICAL_P: Knob = Knob {
    flag: "typical-p",
    column: "typical_p",
    short: "typical",
    letter: "P",
    help: "Share of the probability kept, typical tokens first; 1 keeps all",
    whole: false,
    neutral: Some(1.0),
    allowed: "(0, 1]",
    server: &["typical_p"],
    fixed_column: true,
    shapes: None,
    inside: |x| x > 0.0 && x <= 1.0,
    get: |d| d.typical_p,
    set: |d, x| d.typical_p = x,
};

/// See [`Decoding::repetition_penalty`](crate::decode::Decoding::repetition_penalty).
pub static REPETITION_PENALTY: Knob = Knob {
    flag: "repetition-penalty",
    column: "repetition_penalty",
    short: "penalty",
    letter: "R",
    help: "Repetition penalty; 1 is none",
    whole: false,
    neutral: Some(1.0),
    allowed: "(0, ∞)",
    server: &["repetition_penalty", "repeat_penalty"],
    fixed_column: true,
    shapes: None,
    inside: |x| x > 0.0,
    get: |d| d.repetition_penalty,
    set: |d, x| d.repetition_penalty = x,
};

/// See [`Decoding::top_n_sigma`](crate::decode::Decoding::top_n_sigma).
pub static TOP_N_SIGMA: Knob = Knob {
    flag: "top-n-sigma",
    column: "top_n_sigma",
    short: "top-nσ",
    letter: "N",
    help: "Standard deviations of the logits, below the greatest, within which tokens are kept; 0 keeps all",
    whole: false,
    neutral: Some(0.0),
    allowed: "(0, ∞)",
    server: &["top_n_sigma"],
    fixed_column: false,
    shapes: None,
    inside: |x| x > 0.0,
    get: |d| d.top_n_sigma,
    set: |d, x| d.top_n_sigma = x,
};
