//! Parity with reference values: hidden states, logits, greedy tokens and log-probabilities.

use serde::Deserialize;
use std::path::Path;

use super::{
    Checkpoint, LmError, ModelConfig,
    engine::{
        kv::{Piece, Span, Want},
        network::{Depth, Network, Session},
    },
};
use crate::{data::matrix::Matrix, npy};

/// Largest allowed absolute error of a hidden state.
pub const HIDDEN_TOLERANCE: f64 = 1e-4;
/// Largest allowed absolute error of a logit.
pub const LOGIT_TOLERANCE: f64 = 5e-4;

/// Largest deviations of one model from its reference values.
#[derive(Clone, Debug, Default)]
pub struct Parity {
    /// Final hidden state of the last token.
    pub hidden: f64,
    /// Hidden state in the middle of the network.
    pub middle: f64,
    /// Logits of the last token.
    pub logits: f64,
    /// Summed log-probability of a text, per token.
    pub logprob: f64,
    /// Greedy continuations that differ, and how many there are.
    pub greedy: (usize, usize),
}

impl Parity {
    /// Whether every deviation is within its tolerance.
    pub fn holds(&self) -> bool {
        let near = self.hidden <= HIDDEN_TOLERANCE && self.middle <= HIDDEN_TOLERANCE;
        near && self.logits <= LOGIT_TOLERANCE
            && self.logprob <= LOGIT_TOLERANCE
            && self.greedy.0 == 0
    }
}

#[derive(Deserialize)]
struct Expected {
    input_ids: Vec<Vec<u32>>,
    middle_layer_index: usize,
    #[serde(alias = "greedy_8")]
    greedy: Vec<Option<Vec<u32>>>,
    sum_logprob_of_tokens_1_to_end: Vec<Option<f64>>,
}

/// States of texts in one ragged pass.
///
/// # Errors
///
/// [`LmError::Context`] for a text longer than the model's context, [`LmError::EmptyPrompt`].
pub fn states(
    network: &dyn Network,
    texts: &[Vec<u32>],
    want: Want,
    depth: Depth,
) -> Result<Vec<f32>, LmError> {
    let mut session = Session::single_pass(network);
    let mut own = Vec::new();
    for ids in texts {
        check_ids(network.config(), ids, 0)?;
        own.push(Piece { id: session.kv.allocate(ids.len())?, used: 0 });
    }
    let span = |(tokens, own): (&'_ Vec<u32>, &Piece)| (tokens.clone(), *own);
    let pairs: Vec<_> = texts.iter().zip(&own).map(span).collect();
    let spans: Vec<_> =
        pairs.iter().map(|(tokens, own)| Span { tokens, prefix: &[], own: *own, want }).collect();
    Ok(network.forward(&mut session, &spans, depth)?.data)
}

/// Refuses what the network cannot read.
pub(super) fn check_ids(config: &ModelConfig, ids: &[u32], new: usize) -> Result<(), LmError> {
    if ids.is_empty() {
        return Err(LmError::EmptyPrompt);
    }
    if let Some(&id) = ids.iter().find(|id| **id as usize >= config.vocab) {
        return Err(LmError::UnknownToken { id, vocab: config.vocab });
    }
    if ids.len() + new > config.max_positions {
        return Err(LmError::Context { prompt: ids.len(), new, most: config.max_positions });
    }
    Ok(())
}

/// Logits of rows of final states.
///
/// # Errors
///
/// A failure of the device.
pub fn logits(network: &dyn Network, states: &[f32]) -> Result<Vec<f32>, LmError> {
    let mut out = Vec::new();
    network.logits(&mut Session::single_pass(network), states, &mut out)?;
    Ok(out)
}

/// Holds a network against the golden values in `folder`.
///
/// # Errors
///
/// A file of the folder that cannot be read, or a failure of the network.
pub fn golden(network: &dyn Network, folder: &Path) -> Result<Parity, LmError> {
    let path = folder.join("expected.json");
    let bad = |what: String| LmError::BadFile { path: path.display().to_string(), what };
    let expected: Expected =
        serde_json::from_str(&super::read_text(&path)?).map_err(|e| bad(e.to_string()))?;
    let table = |name: &str| -> Result<Matrix, LmError> {
        npy::read_features(&folder.join(name).display().to_string())
            .map_err(|e| bad(format!("{name}: {e}")))
    };
    let texts = &expected.input_ids;
    let hidden = states(network, texts, Want::Last, Depth::Full)?;
    let middle = states(network, texts, Want::Last, Depth::Blocks(expected.middle_layer_index))?;
    let mut parity = Parity {
        hidden: largest(&hidden, &table("last_hidden_f64.npy")?),
        middle: largest(&middle, &table("middle_hidden_f64.npy")?),
        logits: largest(&logits(network, &hidden)?, &table("last_logits_f32.npy")?),
        ..Parity::default()
    };
    for (ids, sum) in texts.iter().zip(&expected.sum_logprob_of_tokens_1_to_end) {
        let Some(sum) = sum else { continue };
        let all = states(network, std::slice::from_ref(ids), Want::All, Depth::Full)?;
        let logits = logits(network, &all)?;
        let vocab = network.config().vocab;
        let found: f64 = ids[1..]
            .iter()
            .zip(logits.chunks(vocab))
            .map(|(id, row)| {
                let total: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
                f64::from(row[*id as usize]) - total.ln()
            })
            .sum();
        parity.logprob = parity.logprob.max((found - sum).abs() / ids.len() as f64);
    }
    for (ids, tokens) in texts.iter().zip(&expected.greedy) {
        let Some(tokens) = tokens else { continue };
        parity.greedy.1 += 1;
        parity.greedy.0 += usize::from(greedy(network, ids, tokens.len())? != *tokens);
    }
    Ok(parity)
}

/// The `n` most probable tokens after `ids`, one at a time through the cache.
fn greedy(network: &dyn Network, ids: &[u32], n: usize) -> Result<Vec<u32>, LmError> {
    let mut session = Session::new(network);
    let mut own = Piece { id: session.kv.allocate(ids.len() + n)?, used: 0 };
    let (mut next, mut tokens, mut logits) = (ids.to_vec(), Vec::new(), Vec::new());
    while tokens.len() < n {
        let span = Span { tokens: &next, prefix: &[], own, want: Want::Last };
        let states = network.forward(&mut session, &[span], Depth::Full)?;
        network.logits(&mut session, &states.data, &mut logits)?;
        own.used += next.len();
        let best =
            (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
        tokens.push(best as u32);
        next = vec![best as u32];
    }
    Ok(tokens)
}

fn largest(found: &[f32], expected: &Matrix) -> f64 {
    if found.len() != expected.as_slice().len() {
        return f64::INFINITY;
    }
    let error = |(a, b): (&f32, &f32)| f64::from((a - b).abs());
    let errors = found.iter().zip(expected.as_slice()).map(error);
    // A NaN is as wrong as can be.
    errors.fold(0.0, |worst, e| if e.is_nan() { f64::INFINITY } else { worst.max(e) })
}

/// Opens a golden folder with its configuration in the file `config`.
///
/// # Errors
///
/// Those of [`Checkpoint::open_folder_with`].
pub fn open_golden(folder: &Path, config: &str) -> Result<Checkpoint, LmError> {
    Checkpoint::open_folder_with(folder, &folder.join(config))
}
