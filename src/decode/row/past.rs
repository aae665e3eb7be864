//! Stages that read what stands before.

use super::Scratch;
use crate::decode::{
    DecodeError, Past,
    past::{repetitions, run_ends, since_breaker},
};

/// Natural logarithm of the greatest 32-bit number, where llama.cpp stops DRY's power.
const MOST: f64 = 88.722_84;

impl Scratch {
    pub(super) fn penalize(&mut self, context: &[u32], penalty: f64) -> Result<(), DecodeError> {
        self.check_tokens(context)?;
        self.seen.clear();
        self.seen.resize(self.scores.len().div_ceil(64), 0);
        for &token in context {
            let at = token as usize;
            if self.seen[at / 64] >> (at % 64) & 1 == 0 {
                self.seen[at / 64] |= 1 << (at % 64);
                let score = self.scores[at];
                self.scores[at] = if score < 0.0 { score * penalty } else { score / penalty };
            }
        }
        self.renew();
        Ok(())
    }

    /// `x_i ← x_i − c_i each − [c_i > 0] once`.
    pub(super) fn lower(
        &mut self,
        past: Past<'_>,
        each: f64,
        once: f64,
    ) -> Result<(), DecodeError> {
        let drawn = past.drawn();
        self.check_tokens(drawn)?;
        if drawn.is_empty() {
            return Ok(());
        }
        let mut counted: Vec<u32> = drawn.to_vec();
        counted.sort_unstable();
        for run in counted.chunk_by(|a, b| a == b) {
            self.scores[run[0] as usize] -= run.len() as f64 * each + once;
        }
        self.renew();
        Ok(())
    }

    pub(super) fn no_repeat(&mut self, context: &[u32], n: usize) -> Result<(), DecodeError> {
        self.check_tokens(context)?;
        let mut ends: Vec<u32> = run_ends(context, n).collect();
        ends.sort_unstable();
        let left = (0..).zip(&self.weights).filter(|(_, w)| **w > 0.0);
        let some = left.into_iter().any(|(token, _)| ends.binary_search(&token).is_err());
        if some && !ends.is_empty() {
            ends.iter().for_each(|&token| self.weights[token as usize] = 0.0);
            self.renew();
        }
        Ok(())
    }

    pub(super) fn dry(
        &mut self,
        past: Past<'_>,
        multiplier: f64,
        base: f64,
        allowed: usize,
    ) -> Result<(), DecodeError> {
        self.check_tokens(past.context)?;
        let limit = since_breaker(past.context, past.breakers);
        if limit < allowed {
            return Ok(());
        }
        let mut found = repetitions(past.context, limit);
        // A breaker may follow a repetition, whose part it cannot be.
        let is_breaker = |token: &u32| past.breakers.binary_search(token).is_ok();
        found.retain(|(token, length)| *length >= allowed && !is_breaker(token));
        // The longest of each token.
        found.sort_unstable_by_key(|&(token, length)| (token, std::cmp::Reverse(length)));
        found.dedup_by_key(|(token, _)| *token);
        let longest = if base > 1.0 { MOST / base.ln() } else { f64::INFINITY };
        for (token, length) in &found {
            let power = ((length - allowed) as f64).min(longest.floor());
            self.scores[*token as usize] -= multiplier * base.powf(power);
        }
        if !found.is_empty() {
            self.renew();
        }
        Ok(())
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), DecodeError> {
        let vocabulary = self.scores.len();
        let outside = tokens.iter().find(|token| **token as usize >= vocabulary);
        outside.map_or(Ok(()), |&token| Err(DecodeError::UnknownToken { token, vocabulary }))
    }

    /// Makes weights of scores that have moved; what was removed stays so.
    pub(super) fn renew(&mut self) {
        self.forget_removed();
        self.exponentiate();
    }
}
