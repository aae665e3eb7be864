//! A language model small enough that every text's probability can be written down.

use super::{
    kv::Span,
    network::{Depth, Network, Session, States},
};
use crate::{
    decode::{Chain, DecodeError},
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

    /// Every continuation of `length` tokens after `last` with its probability under `chain`.
    ///
    /// The repetition penalty would need the whole context and is not covered.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::distribution`].
    pub fn texts(
        &self,
        chain: &Chain,
        last: u32,
        length: usize,
    ) -> Result<Vec<(Vec<u32>, f64)>, DecodeError> {
        let mut texts = vec![(Vec::new(), 1.0)];
        for _ in 0..length {
            let mut longer = Vec::new();
            for (text, p) in texts {
                let row = *text.last().unwrap_or(&last) as usize * self.config.vocab;
                let next = chain.distribution(&self.logits[row..][..self.config.vocab], &[])?;
                for (token, share) in (0..).zip(next).filter(|(_, share)| *share > 0.0) {
                    longer.push(([&text[..], &[token]].concat(), p * share));
                }
            }
            texts = longer;
        }
        Ok(texts)
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
