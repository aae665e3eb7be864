//! A language model small enough that every text's probability can be written down.

use super::{
    kv::Span,
    network::{Depth, Network, Session, States},
};
use crate::{
    decode::{Chain, DecodeError, Past},
    lm::{
        LmError,
        arch::{config::ModelConfig, llama},
    },
};

/// A first-order Markov chain: the logits of the next token are a row of a table.
pub struct Toy {
    config: ModelConfig,
    /// `vocab × vocab`.
    logits: Vec<f32>,
}

impl Toy {
    /// A chain over `vocab` tokens with the given table of logits, row-major, row = last token.
    ///
    /// # Panics
    ///
    /// When the table is not `vocab × vocab`.
    pub fn new(vocab: usize, logits: Vec<f32>) -> Self {
        assert_eq!(logits.len(), vocab * vocab, "one row of logits per token");
        let longest = 1 << 10;
        let neutral = ModelConfig::neutral(&llama::LAYOUT, "toy");
        let config = ModelConfig { vocab, max_positions: longest, tied: true, ..neutral };
        Self { config, logits }
    }

    /// Every continuation of `length` tokens after `prompt`, which has one at least, with its probability under `chain`.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::distribution`].
    pub fn texts(
        &self,
        chain: &Chain,
        prompt: &[u32],
        length: usize,
    ) -> Result<Vec<(Vec<u32>, f64)>, DecodeError> {
        let mut texts = vec![(prompt.to_vec(), 1.0, None)];
        for _ in 0..length {
            let mut longer = Vec::new();
            for (text, p, mu) in texts {
                let row = text.last().map_or(0, |last| *last as usize * self.config.vocab);
                let logits = &self.logits[row..][..self.config.vocab];
                let past = Past { mu, prompt: prompt.len(), ..Past::of(&text) };
                let next = chain.distribution(logits, past)?;
                for (token, share) in (0..).zip(next).filter(|(_, share)| *share > 0.0) {
                    let mu = chain.mu_behind(logits, past, token)?;
                    longer.push(([&text[..], &[token]].concat(), p * share, mu));
                }
            }
            texts = longer;
        }
        Ok(texts.into_iter().map(|(text, p, _)| (text[prompt.len()..].to_vec(), p)).collect())
    }
}

impl Network for Toy {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn weight_bytes(&self) -> usize {
        4 * self.logits.len()
    }

    /// The state is the token itself.
    fn forward(
        &self,
        _session: &mut Session,
        spans: &[Span<'_>],
        _depth: Depth,
    ) -> Result<States, LmError> {
        let wanted = |span: &Span<'_>| span.tokens[span.wanted()].to_vec();
        let data = spans.iter().flat_map(wanted).map(|token| token as f32).collect();
        Ok(States { data, faults: vec![None; spans.len()] })
    }

    fn logits(
        &self,
        _session: &mut Session,
        states: &[f32],
        out: &mut Vec<f32>,
    ) -> Result<(), LmError> {
        out.clear();
        for state in states {
            out.extend_from_slice(
                &self.logits[*state as usize * self.config.vocab..][..self.config.vocab],
            );
        }
        Ok(())
    }
}
