//! Scores one cloud of points against another:
//! `cargo run --release --example score_npy -- people.npy model.npy`
//!
//! Each file is an `n × d` matrix, a row a text. Any embedder will do, as long as it is the same for both.

use std::error::Error;

use llmpr::{
    data::sides::Sides,
    npy::read_features,
    report::score::table,
    score::{ScoreOptions, score},
};

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [people, model] = files.as_slice() else {
        return Err("usage: score_npy people.npy model.npy".into());
    };
    print!("{}", scored(people, model)?);
    Ok(())
}

/// Precision and recall in words, then every measure with its interval and ceiling.
pub fn scored(people: &str, model: &str) -> Result<String, Box<dyn Error>> {
    let sets = Sides { reference: read_features(people)?, model: read_features(model)? };
    let options = ScoreOptions { resamples: 100, permutations: 99, ..ScoreOptions::default() };
    // Without the texts themselves (None) and with components fitted on both clouds (None).
    let score = score(sets.as_ref(), None, None, &options)?;

    let percent = |name: &str| 100.0 * score.metrics[name].value;
    let words = format!(
        "{:.0} % of the model's texts lie where people's do, {:.0} % of people's where the model's do.\n",
        percent("precision"),
        percent("recall"),
    );
    Ok(words + &table(&score, false))
}
