//! The probability of a completion under any decoding settings, token by token.

pub mod tempered;

use rayon::prelude::*;
use std::ops::Range;

use super::{
    LmError, check,
    engine::{
        kv::{Piece, SegmentId, Span, Want},
        network::{Depth, Interrupt, Network, Session},
    },
};
use crate::decode::{Chain, Past};

/// Tokens of one forward pass.
const TOKENS: usize = 2048;
/// Positions whose logits are held at a time.
const SCORED: usize = 64;

/// A completion and what it continues.
#[derive(Clone, Copy, Debug)]
pub struct Continued<'a> {
    /// Token ids of the prompt, at least one.
    pub prompt: &'a [u32],
    /// The tokens behind it, end-of-text left out.
    pub tokens: &'a [u32],
    /// Whether the model ended the text there; without it the text was cut, and what would have come
    /// next does not count.
    pub ended: bool,
}

impl Continued<'_> {
    /// Positions with a probability: the tokens, and the end where there is one.
    fn positions(&self) -> usize {
        self.tokens.len() + usize::from(self.ended)
    }

    /// What is read behind the prompt to have logits for every position but the first.
    fn read(&self) -> &[u32] {
        &self.tokens[..self.positions().saturating_sub(1)]
    }
}

/// The log-probability of every position of every text under `chain`, in nats.
///
/// ```text
/// ln p(x | prompt) = Σ_t ln chain(logits_t)[x_t] (+ ln Σ_{e ∈ eos} chain(logits)[e] where the text ended)
/// ```
///
/// A token that the settings remove, or an end-of-text token inside a text, has `−∞`: these settings
/// cannot write the text. The distribution is that of [`Chain::distribution`], from which
/// [`super::generate`] draws.
///
/// # Arguments
///
/// * `eos`: the tokens that end a text, as in the model's configuration.
/// * `breakers`: [`Past::breakers`], where the chain reads them.
/// * `texts`: in any order; those that follow each other with one prompt share its keys and values.
/// * `progress`: hears how many of how many tokens are done.
///
/// # Errors
///
/// [`LmError::EmptyPrompt`], [`LmError::UnknownToken`], [`LmError::Context`] for ids that the model
/// cannot read; [`LmError::NotFinite`], [`LmError::Decode`], [`LmError::Interrupted`].
///
/// # Cost
///
/// One pass over all tokens, prompts once for each run of texts that share one; `O(V)` a position.
pub fn log_probs(
    network: &dyn Network,
    eos: &[u32],
    chain: &Chain,
    breakers: &[u32],
    texts: &[Continued<'_>],
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Vec<f64>>, LmError> {
    let scorer = Scorer { eos, chain, breakers };
    let (mut out, mut mu): (Vec<Vec<f64>>, _) = (Vec::with_capacity(texts.len()), None);
    let mut hear = |text: usize, first: usize, logits: &[f32]| {
        if first == 0 {
            out.push(Vec::new());
            mu = None;
        }
        let found = scorer.rows(&texts[text], first, logits, network.config().vocab, &mut mu)?;
        out[text].extend(found);
        Ok(())
    };
    read(network, texts, interrupt, progress, &mut hear)?;
    Ok(out)
}

/// What hears the logits of a text's positions: the index of the text, the first position, and a row of logits for each
/// position from there on.
type Hear<'a> = dyn FnMut(usize, usize, &[f32]) -> Result<(), LmError> + 'a;

/// Reads every text behind its prompt. Of each text `hear` gets the first position, and then the others in their order,
/// at most [`SCORED`] at a time; of one without positions an empty row.
fn read(
    network: &dyn Network,
    texts: &[Continued<'_>],
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(usize, usize),
    hear: &mut Hear<'_>,
) -> Result<(), LmError> {
    let config = network.config();
    for text in texts {
        check::check_ids(config, text.prompt, text.tokens.len())?;
        check::check_ids(config, &[text.prompt, text.tokens].concat(), 0)?;
    }
    let mut session = Session::new(network);
    session.interrupt = interrupt.clone();
    let reader = Reader { network };
    let all = texts.iter().map(|text| text.tokens.len()).sum();
    let (mut first, mut done) = (0, 0);
    for run in texts.chunk_by(|a, b| a.prompt == b.prompt) {
        let prompt = reader.read_prompt(&mut session, run[0].prompt)?;
        for batch in batches(run) {
            let (at, batch) = (first + batch.start, &run[batch]);
            reader.pass(&mut session, &prompt, batch, at, hear)?;
            done += batch.iter().map(|text| text.tokens.len()).sum::<usize>();
            progress(done, all);
        }
        session.kv.release(prompt.piece.id);
        first += run.len();
    }
    Ok(())
}

/// Runs of texts that are read in one pass, at least one each.
fn batches(texts: &[Continued<'_>]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (i, text) in texts.iter().enumerate() {
        let tokens = text.read().len();
        match found.last_mut() {
            Some(last) if held + tokens <= TOKENS => {
                last.end = i + 1;
                held += tokens;
            }
            _ => {
                found.push(i..i + 1);
                held = tokens;
            }
        }
    }
    found
}

/// A prompt that has been read.
struct Prompt {
    piece: Piece,
    /// What the model says comes next.
    logits: Vec<f32>,
}

struct Reader<'a> {
    network: &'a dyn Network,
}

impl Reader<'_> {
    fn read_prompt(&self, session: &mut Session, tokens: &[u32]) -> Result<Prompt, LmError> {
        let own = Piece { id: session.kv.allocate(tokens.len())?, used: 0 };
        let span = Span { tokens, prefix: &[], own, want: Want::Last };
        let states = self.forward(session, &[span])?;
        let mut logits = Vec::new();
        self.network.logits(session, &states, &mut logits)?;
        Ok(Prompt { piece: Piece { used: tokens.len(), ..own }, logits })
    }

    /// States of all tokens of the spans.
    fn forward(&self, session: &mut Session, spans: &[Span<'_>]) -> Result<Vec<f32>, LmError> {
        let states = self.network.forward(session, spans, Depth::Full)?;
        match states.faults.iter().flatten().next() {
            Some(&layer) => Err(LmError::NotFinite { layer }),
            None => Ok(states.data),
        }
    }

    /// Reads texts that continue one prompt, the first of which has the index `first`.
    fn pass(
        &self,
        session: &mut Session,
        prompt: &Prompt,
        texts: &[Continued<'_>],
        first: usize,
        hear: &mut Hear<'_>,
    ) -> Result<(), LmError> {
        let prefix = [prompt.piece];
        let mut own: Vec<Option<SegmentId>> = Vec::with_capacity(texts.len());
        for text in texts {
            let length = text.read().len();
            own.push(if length > 0 { Some(session.kv.allocate(length)?) } else { None });
        }
        let spans: Vec<Span<'_>> = texts
            .iter()
            .zip(&own)
            .filter_map(|(text, id)| {
                let own = Piece { id: (*id)?, used: 0 };
                Some(Span { tokens: text.read(), prefix: &prefix, own, want: Want::All })
            })
            .collect();
        let states = if spans.is_empty() { Vec::new() } else { self.forward(session, &spans)? };
        own.into_iter().flatten().for_each(|id| session.kv.release(id));
        let (mut rest, mut logits) = (states.as_slice(), Vec::new());
        let d = self.network.config().hidden;
        for (at, text) in (first..).zip(texts) {
            let (states, later) = rest.split_at(text.read().len() * d);
            rest = later;
            hear(at, 0, if text.positions() > 0 { &prompt.logits } else { &[] })?;
            let mut position = 1;
            for states in states.chunks(SCORED * d) {
                self.network.logits(session, states, &mut logits)?;
                hear(at, position, &logits)?;
                position += states.len() / d;
            }
        }
        Ok(())
    }
}

struct Scorer<'a> {
    eos: &'a [u32],
    chain: &'a Chain,
    breakers: &'a [u32],
}

impl Scorer<'_> {
    /// The log-probabilities of positions from `first` on, whose rows of `vocab` logits follow one another, and
    /// mirostat's `μ` before and then behind them.
    fn rows(
        &self,
        text: &Continued<'_>,
        first: usize,
        logits: &[f32],
        vocab: usize,
        mu: &mut Option<f64>,
    ) -> Result<Vec<f64>, LmError> {
        if !self.chain.needs_mu() {
            let rows = logits.par_chunks_exact(vocab).enumerate();
            return rows
                .map(|(row, logits)| Ok(self.at(text, first + row, logits, None)?.0))
                .collect();
        }
        // Where a cut hangs on the tokens before, one position follows the other.
        let mut found = Vec::new();
        for (at, logits) in (first..).zip(logits.chunks_exact(vocab)) {
            let (ln_p, next) = self.at(text, at, logits, *mu)?;
            found.push(ln_p);
            *mu = next;
        }
        Ok(found)
    }

    /// The log-probability of the position `at` of a text, and mirostat's `μ` behind it.
    fn at(
        &self,
        text: &Continued<'_>,
        at: usize,
        logits: &[f32],
        mu: Option<f64>,
    ) -> Result<(f64, Option<f64>), LmError> {
        let context = if self.chain.needs_context() {
            [self.chain.seen(), text.prompt, &text.tokens[..at]].concat()
        } else {
            Vec::new()
        };
        let prompt = (self.chain.seen().len() + text.prompt.len()).min(context.len());
        let past = Past { context: &context, prompt, breakers: self.breakers, mu };
        let shares = self.chain.distribution(logits, past)?;
        let next = text.tokens.get(at).map(|token| self.chain.mu_behind(logits, past, *token));
        let share = match text.tokens.get(at) {
            // The text would have ended here.
            Some(token) if self.eos.contains(token) => 0.0,
            Some(&token) => shares[token as usize],
            None => {
                let ends = self.eos.iter().collect::<std::collections::BTreeSet<_>>();
                ends.into_iter().filter_map(|&end| shares.get(end as usize)).sum()
            }
        };
        Ok((share.ln(), next.transpose()?.flatten()))
    }
}

#[cfg(test)]
mod tests;
