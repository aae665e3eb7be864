//! Texts to vectors: the hidden state of the last token or the mean over tokens, after the final norm.
//!
//! Texts are packed one behind the other up to a budget of tokens, longest first, without padding; the
//! same text is computed once however often it occurs. A vector does not depend on the other texts.

use rayon::prelude::*;
use std::{collections::HashMap, path::Path};

use super::{
    Checkpoint, Lm, LmError, check,
    checkpoint::load,
    encoder::{self, SentenceEncoder},
    engine::{
        device::{self, DeviceChoice, DtypeChoice},
        kv::{Piece, Span, Want},
        network::{Depth, Interrupt, Session},
    },
};
use crate::{
    data::{matrix::Matrix, signature::short},
    decode::tempered::Tempered,
};

/// Tokens of one forward pass.
const TOKENS: usize = 2048;

/// Positions whose logits are held at a time.
const SCORED: usize = 64;

/// Tokens after which a text is cut where nothing else is asked for: GPT-2's context.
pub const EMBED_TOKENS: usize = 1024;

/// How the hidden states of a text become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// That of the last token, as in MAUVE.
    #[default]
    Last,
    /// The mean over all tokens.
    Mean,
}

/// Why a word is no [`Pooling`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message names the field")]
#[non_exhaustive]
pub enum PoolingError {
    /// It is none of the two.
    #[error("`{word}` is no pooling; use last or mean")]
    Unknown { word: String },
}

impl std::str::FromStr for Pooling {
    type Err = PoolingError;

    fn from_str(word: &str) -> Result<Self, PoolingError> {
        match word {
            "last" => Ok(Self::Last),
            "mean" => Ok(Self::Mean),
            _ => Err(PoolingError::Unknown { word: word.to_owned() }),
        }
    }
}

impl std::fmt::Display for Pooling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Last { "last" } else { "mean" })
    }
}

/// A model that turns texts into vectors.
pub struct Embedder {
    network: Backend,
    pooling: Pooling,
    max_tokens: usize,
    interrupt: Interrupt,
}

/// What decides a vector beside the text.
struct Parts<'a> {
    /// Hash of configuration and weights.
    weights: String,
    tokenizer: String,
    pooling: String,
    max_tokens: usize,
    precision: &'a str,
}

impl std::fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { weights, tokenizer, pooling, max_tokens, precision } = self;
        let (weights, tokenizer) = (short(weights), short(tokenizer));
        write!(f, "{weights}|tok:{tokenizer}|pool:{pooling}|cut:{max_tokens}|prec:{precision}")
    }
}

/// What computes the vectors.
enum Backend {
    Decoder(Box<Lm>),
    Sentence(Box<SentenceEncoder>),
}

impl Embedder {
    /// Opens a model by name; texts are cut after `max_tokens` tokens or at the model's context.
    ///
    /// A sentence encoder pools as its own files say; `pooling` and `dtype` are for language models.
    ///
    /// # Errors
    ///
    /// Those of [`Lm::open`] and [`SentenceEncoder::open`].
    pub fn open(
        model: &str,
        device: DeviceChoice,
        dtype: DtypeChoice,
        pooling: Pooling,
        max_tokens: usize,
    ) -> Result<Self, LmError> {
        Self::open_at(&load::locate(model)?, model, device, dtype, pooling, max_tokens)
    }

    /// The same of a folder or GGUF file; `model` is what it was called.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), but for what cannot be found.
    pub fn open_at(
        path: &Path,
        model: &str,
        device: DeviceChoice,
        dtype: DtypeChoice,
        pooling: Pooling,
        max_tokens: usize,
    ) -> Result<Self, LmError> {
        if !encoder::is_encoder(path) {
            let lm = Lm::load(load::open_at(path, model)?, &device::open(device)?, dtype)?;
            return Ok(Self::new(lm, pooling, max_tokens));
        }
        let device = device::open(device)?;
        let encoder = Box::new(SentenceEncoder::open(path, model, &device, max_tokens)?);
        let (max_tokens, interrupt) = (encoder.max_tokens(), Interrupt::default());
        Ok(Self { network: Backend::Sentence(encoder), pooling, max_tokens, interrupt })
    }

    /// An embedder of a model that is loaded already.
    pub fn new(lm: Lm, pooling: Pooling, max_tokens: usize) -> Self {
        let max_tokens = max_tokens.clamp(1, lm.config().max_positions);
        let network = Backend::Decoder(Box::new(lm));
        Self { network, pooling, max_tokens, interrupt: Interrupt::default() }
    }

    /// Ends [`embed`](Self::embed) soon after the interrupt is raised.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt_by(interrupt);
        self
    }

    /// [`with_interrupt`](Self::with_interrupt) for an embedder that someone holds.
    pub fn interrupt_by(&mut self, interrupt: Interrupt) {
        self.interrupt = interrupt;
    }

    /// The language model, where it is one and not a sentence encoder.
    pub fn lm(&self) -> Option<&Lm> {
        if let Backend::Decoder(lm) = &self.network { Some(lm) } else { None }
    }

    /// Width of a vector.
    pub fn dim(&self) -> usize {
        match &self.network {
            Backend::Decoder(lm) => lm.config().hidden,
            Backend::Sentence(encoder) => encoder.dim(),
        }
    }

    /// Tokens after which a text is cut.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Cuts texts after `max_tokens` tokens from now on, or at the model's own limit.
    ///
    /// # Errors
    ///
    /// Those of [`SentenceEncoder::cut_to`].
    pub fn cut_to(&mut self, max_tokens: usize) -> Result<(), LmError> {
        self.max_tokens = match &mut self.network {
            Backend::Decoder(lm) => max_tokens.clamp(1, lm.config().max_positions),
            Backend::Sentence(encoder) => encoder.cut_to(max_tokens)?,
        };
        Ok(())
    }

    /// How hidden states become one vector, in words: `last`, `mean`, or what a sentence encoder does
    /// itself, `mean+l2`.
    pub fn pooling(&self) -> String {
        match &self.network {
            Backend::Decoder(_) => self.pooling.to_string(),
            Backend::Sentence(encoder) => encoder.pooling(),
        }
    }

    /// What decides the vectors, by content, as a signature says it: `5d0c…|tok:91aa…|pool:mean|…`, the
    /// first being the fact `emb`.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::hash`].
    pub fn facts(&self) -> Result<String, LmError> {
        match &self.network {
            Backend::Decoder(lm) => {
                Self::facts_of(lm.checkpoint(), self.pooling, self.max_tokens, lm.precision())
            }
            Backend::Sentence(encoder) => {
                let parts = Parts {
                    weights: encoder.weights_hash()?,
                    tokenizer: encoder.tokenizer_hash(),
                    pooling: encoder.pooling(),
                    max_tokens: self.max_tokens,
                    precision: encoder.precision(),
                };
                Ok(parts.to_string())
            }
        }
    }

    /// The [`facts`](Self::facts) of an embedder that a language model's checkpoint would make, as
    /// [`key`](Self::key) is its hash.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::hash`].
    pub fn facts_of(
        checkpoint: &Checkpoint,
        pooling: Pooling,
        max_tokens: usize,
        precision: &str,
    ) -> Result<String, LmError> {
        let tokenizer = checkpoint.tokenizer.as_ref().map_or("", |tokenizer| tokenizer.hash());
        let (weights, tokenizer) = (checkpoint.hash()?.to_owned(), tokenizer.to_owned());
        let pooling = pooling.to_string();
        Ok(Parts { weights, tokenizer, pooling, max_tokens, precision }.to_string())
    }

    /// SHA-256 of the model's files, pooling, cut and precision: what a cache of vectors is keyed by.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::hash`].
    pub fn hash(&self) -> Result<String, LmError> {
        match &self.network {
            Backend::Decoder(lm) => {
                Self::key(lm.checkpoint(), self.pooling, self.max_tokens, lm.precision())
            }
            Backend::Sentence(encoder) => encoder.hash(),
        }
    }

    /// The [`hash`](Self::hash) of an embedder that a language model's checkpoint would make, without
    /// reading its weights onto a device.
    ///
    /// * `max_tokens`: where texts are cut, the model's own limit considered.
    /// * `precision`: what [`Lm::precision_of`] says.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::hash`].
    pub fn key(
        checkpoint: &Checkpoint,
        pooling: Pooling,
        max_tokens: usize,
        precision: &str,
    ) -> Result<String, LmError> {
        let model = checkpoint.hash()?;
        let tokenizer = checkpoint.tokenizer.as_ref().map_or("", |tokenizer| tokenizer.hash());
        Ok(format!("{model}|{tokenizer}|{pooling}|{max_tokens}|{precision}"))
    }

    /// The token ids of a text, cut at the limit.
    ///
    /// # Errors
    ///
    /// [`LmError::NoTokenizer`] and [`LmError::Tokenize`]. A text without tokens is no error: the token that
    /// begins or ends every text stands for it.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, LmError> {
        let lm = match &self.network {
            Backend::Decoder(lm) => lm,
            Backend::Sentence(encoder) => return encoder.ids(text),
        };
        let tokenizer = lm.checkpoint().tokenizer()?;
        let mut ids = tokenizer.encode(text)?;
        if ids.is_empty() {
            // The one token that stands for the beginning or end of every text.
            let config = lm.config();
            let stand_in = config.bos.or(config.eos.first().copied());
            ids.extend(stand_in);
        }
        ids.truncate(self.max_tokens);
        Ok(ids)
    }

    /// Vectors of texts, one row each; `progress` hears how many of how many tokens are done.
    ///
    /// # Errors
    ///
    /// Those of [`ids`](Self::ids) and [`embed_ids`](Self::embed_ids).
    pub fn embed(
        &self,
        texts: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Matrix, LmError> {
        let ids = texts.iter().map(|text| self.ids(text)).collect::<Result<Vec<_>, _>>()?;
        self.embed_ids(&ids, progress)
    }

    /// Vectors of token ids, one row each.
    ///
    /// # Errors
    ///
    /// [`LmError::EmptyPrompt`], [`LmError::UnknownToken`] and [`LmError::Context`] for ids that the
    /// model cannot read, [`LmError::NotFinite`] when it computes nonsense, [`LmError::Interrupted`].
    pub fn embed_ids(
        &self,
        texts: &[Vec<u32>],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Matrix, LmError> {
        if let Backend::Sentence(encoder) = &self.network {
            return encoder.embed_ids(texts, &self.interrupt, progress);
        }
        Ok(self.embed_and_score(texts, &[], progress)?.0)
    }

    /// Vectors of token ids and, from the same pass, the texts' log-probabilities in nats at every
    /// temperature: one list a text, one number a temperature.
    ///
    /// ```text
    /// log p_T(text) = Σ_t log softmax(logits_t / T)[token_t]      from the second token on
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`embed_ids`](Self::embed_ids); [`LmError::Model`] for a sentence encoder, which gives a
    /// text no probability.
    pub fn embed_and_score(
        &self,
        texts: &[Vec<u32>],
        temperatures: &[f64],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Matrix, Vec<Vec<f64>>), LmError> {
        let lm = match &self.network {
            Backend::Decoder(lm) => lm,
            Backend::Sentence(encoder) => {
                let what = "a sentence encoder gives texts no probability".into();
                return Err(LmError::Model { model: encoder.source().into(), what });
            }
        };
        let config = lm.config();
        let mut row_of = HashMap::new();
        let mut distinct: Vec<&[u32]> = Vec::new();
        let mut rows = Vec::with_capacity(texts.len());
        for ids in texts {
            check::check_ids(config, ids, 0)?;
            rows.push(*row_of.entry(ids.as_slice()).or_insert_with(|| {
                distinct.push(ids);
                distinct.len() - 1
            }));
        }
        let mut order: Vec<usize> = (0..distinct.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(distinct[i].len()));
        let all = distinct.iter().map(|ids| ids.len()).sum();
        let mut done = 0;
        let mut vectors = Matrix::zeros(distinct.len(), config.hidden);
        let mut scores = vec![vec![0.0; temperatures.len()]; distinct.len()];
        let mut session = Session::single_pass(lm.network());
        session.interrupt = self.interrupt.clone();
        progress(done, all);
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let mut tokens = 0;
            let count = rest.iter().take_while(|&&i| {
                tokens += distinct[i].len();
                tokens <= TOKENS
            });
            let count = count.count().max(1);
            let (batch, later) = rest.split_at(count);
            rest = later;
            self.pass(
                lm,
                &mut session,
                &distinct,
                batch,
                &mut vectors,
                (temperatures, &mut scores),
            )?;
            done += batch.iter().map(|&i| distinct[i].len()).sum::<usize>();
            progress(done, all);
        }
        let scores = rows.iter().map(|&row| scores[row].clone()).collect();
        Ok((vectors.select(&rows), scores))
    }

    fn pass(
        &self,
        lm: &Lm,
        session: &mut Session,
        texts: &[&[u32]],
        batch: &[usize],
        vectors: &mut Matrix,
        (temperatures, scores): (&[f64], &mut [Vec<f64>]),
    ) -> Result<(), LmError> {
        let scored = !temperatures.is_empty();
        let want = if self.pooling == Pooling::Last && !scored { Want::Last } else { Want::All };
        let mut own = Vec::new();
        for &i in batch {
            own.push(Piece { id: session.kv.allocate(texts[i].len())?, used: 0 });
        }
        let span =
            |(&i, own): (&usize, &Piece)| Span { tokens: texts[i], prefix: &[], own: *own, want };
        let spans: Vec<_> = batch.iter().zip(&own).map(span).collect();
        let states = lm.network().forward(session, &spans, Depth::Full)?;
        own.iter().for_each(|piece| session.kv.release(piece.id));
        if let Some(layer) = states.faults.iter().flatten().next() {
            return Err(LmError::NotFinite { layer: *layer });
        }
        let d = vectors.cols();
        let mut rest = states.data.as_slice();
        for (&i, span) in batch.iter().zip(&spans) {
            let (rows, later) = rest.split_at(span.wanted().len() * d);
            rest = later;
            let out = &mut vectors.as_mut_slice()[i * d..][..d];
            match self.pooling {
                Pooling::Last => out.copy_from_slice(&rows[rows.len() - d..]),
                Pooling::Mean => mean(rows, out),
            }
            if scored {
                score(lm, session, texts[i], rows, temperatures, &mut scores[i])?;
            }
        }
        Ok(())
    }
}

/// Adds the log-probability of every token but the first, given the states before them.
fn score(
    lm: &Lm,
    session: &mut Session,
    ids: &[u32],
    states: &[f32],
    temperatures: &[f64],
    sums: &mut [f64],
) -> Result<(), LmError> {
    let (d, vocab) = (lm.config().hidden, lm.config().vocab);
    let mut logits = Vec::new();
    let states = &states[..(ids.len() - 1) * d];
    for (states, ids) in states.chunks(SCORED * d).zip(ids[1..].chunks(SCORED)) {
        lm.network().logits(session, states, &mut logits)?;
        let rows = logits.par_chunks_exact(vocab).zip(ids);
        let rows = rows.map_init(Tempered::default, |buffers, (row, &id)| {
            buffers.log_probs(row, id, temperatures)
        });
        // Added in the order of positions, whoever computed them.
        for row in rows.collect::<Result<Vec<_>, _>>()? {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
    Ok(())
}

/// The mean of rows.
fn mean(rows: &[f32], out: &mut [f32]) {
    let count = rows.len() / out.len();
    let mut sums = vec![0f64; out.len()];
    for row in rows.chunks_exact(out.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    out.iter_mut().zip(sums).for_each(|(o, sum)| *o = (sum / count as f64) as f32);
}
