//! One row of logits on its way to a sampling distribution.

mod adaptive;
mod past;

use super::{
    DecodeError, Past, Stage,
    select::{Buffers, nearest},
};
use crate::math::exp::{dot, exp_row, greatest, scale, widen};

/// Tokens whose weights are summed before the walk of a draw looks into them one by one.
const BLOCK: usize = 512;

/// Buffers of one row, kept between draws so that a draw does not allocate.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Logits after penalty and temperature.
    scores: Vec<f64>,
    /// The greatest of them, or of those that were left when the weights were made.
    max: f64,
    /// `exp(score − max)`; 0 is removed.
    weights: Vec<f64>,
    /// Sum of the weights when they were made.
    total: f64,
    /// Sums of the weights by block.
    blocks: Vec<f64>,
    /// One bit a token: met in the context.
    seen: Vec<u64>,
    select: Buffers,
    /// `−log₂ p` of every token before mirostat's cut, where there is one.
    surprises: Vec<f64>,
}

impl Scratch {
    /// Takes up `logits`; the result is the log of their softmax's normalizer.
    pub(super) fn load(&mut self, logits: &[f32]) -> Result<f64, DecodeError> {
        check(logits)?;
        self.scores.resize(logits.len(), 0.0);
        widen(logits, &mut self.scores);
        self.exponentiate();
        Ok(self.max + self.total.ln())
    }

    pub(super) fn apply(&mut self, stage: Stage, past: Past<'_>) -> Result<(), DecodeError> {
        match stage {
            Stage::RepetitionPenalty(penalty) => self.penalize(past.context, penalty)?,
            Stage::FrequencyPenalty(each) => self.lower(past, each, 0.0)?,
            Stage::PresencePenalty(once) => self.lower(past, 0.0, once)?,
            Stage::NoRepeatNgram(n) => self.no_repeat(past.context, n)?,
            Stage::Dry { multiplier, base, allowed_length } => {
                self.dry(past, multiplier, base, allowed_length)?;
            }
            Stage::TopNSigma(n) => self.top_n_sigma(n),
            Stage::Temperature(t) => self.temperature(t),
            Stage::DynamicTemperature { temperature, range, exponent } => {
                self.dynamic_temperature(temperature, range, exponent);
            }
            Stage::PLess(_) => self.p_less(),
            Stage::TopK(k) => self.top_k(k),
            Stage::TopP(p) => self.top_p(p),
            Stage::MinP(share) => self.at_least(share * greatest(&self.weights)),
            Stage::TypicalP(p) => self.typical(p),
            Stage::EpsilonCutoff(epsilon) => self.epsilon(epsilon),
            Stage::EtaCutoff(epsilon) => self.eta(epsilon),
            Stage::Mirostat { tau, .. } => self.mirostat(past.mu.unwrap_or(2.0 * tau)),
            Stage::Xtc { probability, threshold } => self.xtc(probability, threshold),
        }
        Ok(())
    }

    /// The probabilities.
    pub(super) fn probabilities(&self) -> Vec<f64> {
        let total: f64 = self.weights.iter().sum();
        self.weights.iter().map(|w| w / total).collect()
    }

    /// The token on which `u` in `[0, 1)` falls, its log-probability, and the entropy.
    pub(super) fn pick(&mut self, u: f64) -> (usize, f64, f64) {
        self.blocks.clear();
        let (mut total, mut spread) = (0.0, 0.0);
        for (w, s) in self.weights.chunks(BLOCK).zip(self.scores.chunks(BLOCK)) {
            let (mass, distance) = dot(w, s, self.max);
            self.blocks.push(mass);
            total += mass;
            spread += distance;
        }
        let token = self.walk(u * total);
        let log_total = total.ln();
        // Never −0 or a rounding below 0.
        let entropy = (log_total + spread / total).max(0.0);
        (token, self.scores[token] - self.max - log_total, entropy)
    }

    /// The first token at which the running sum of weights exceeds `aim`; where rounding leaves it
    /// unreached, the last token of its block that has any mass.
    fn walk(&self, aim: f64) -> usize {
        let mut below = 0.0;
        let mut last = 0;
        for (block, &mass) in self.blocks.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            last = block;
            if below + mass > aim {
                break;
            }
            below += mass;
        }
        let start = last * BLOCK;
        let mut token = start;
        for (at, &w) in self.weights[start..].iter().take(BLOCK).enumerate() {
            if w > 0.0 {
                token = start + at;
                below += w;
                if below > aim {
                    break;
                }
            }
        }
        token
    }

    fn exponentiate(&mut self) {
        self.max = greatest(&self.scores);
        self.total = exp_row(&self.scores, self.max, &mut self.weights);
    }

    fn temperature(&mut self, temperature: f64) {
        if temperature > 0.0 { self.temper(temperature) } else { self.argmax() }
    }

    fn temper(&mut self, temperature: f64) {
        let mut zero = 0.0;
        if !(self.max / temperature).is_finite() {
            // Dividing would overflow: the greatest score that is left moves to 0.
            self.forget_removed();
            zero = greatest(&self.scores);
        }
        scale(&mut self.scores, &self.weights, zero, temperature);
        self.exponentiate();
    }

    /// Before new weights are made, what was removed must not come back.
    fn forget_removed(&mut self) {
        for (w, s) in self.weights.iter().zip(&mut self.scores) {
            *s = if *w > 0.0 { *s } else { f64::NEG_INFINITY };
        }
    }

    fn argmax(&mut self) {
        self.forget_removed();
        self.max = greatest(&self.scores);
        let first = self.scores.iter().position(|s| *s == self.max).unwrap_or(0);
        self.weights.fill(0.0);
        self.weights[first] = 1.0;
    }

    fn top_k(&mut self, k: usize) {
        let mut select = std::mem::take(&mut self.select);
        let max = self.max;
        let items = self.remaining().map(|(_, s)| (max - s, 1.0));
        if let Some(cutoff) = nearest(items, k as f64, &mut select) {
            self.keep(|_, s| max - s <= cutoff.distance);
        }
        self.select = select;
    }

    fn top_p(&mut self, p: f64) {
        let mut select = std::mem::take(&mut self.select);
        let max = self.max;
        let target = p * self.remaining().map(|(w, _)| w).sum::<f64>();
        let items = self.remaining().map(|(w, s)| (max - s, w));
        if let Some(cutoff) = nearest(items, target, &mut select) {
            let mut ties = 0;
            self.keep(|_, s| {
                let distance = max - s;
                ties += usize::from(distance == cutoff.distance);
                distance < cutoff.distance || distance == cutoff.distance && ties <= cutoff.ties
            });
        }
        self.select = select;
    }

    fn typical(&mut self, p: f64) {
        let mut select = std::mem::take(&mut self.select);
        let max = self.max;
        let (mass, spread) = dot(&self.weights, &self.scores, max);
        // Entropy and surprise differ from these by the same ln Z.
        let mean = spread / mass;
        let atypical = |s: f64| (max - s - mean).abs();
        let items = self.remaining().map(|(w, s)| (atypical(s), w));
        if let Some(cutoff) = nearest(items, p * mass, &mut select) {
            self.keep(|_, s| atypical(s) <= cutoff.distance);
        }
        self.select = select;
    }

    fn top_n_sigma(&mut self, n: f64) {
        let scores = || self.remaining().map(|(_, s)| s);
        // From the greatest down, so that squares stay small.
        let max = scores().fold(f64::NEG_INFINITY, f64::max);
        let count = scores().count() as f64;
        let mean = scores().map(|s| max - s).sum::<f64>() / count;
        let variance = scores().map(|s| (max - s - mean).powi(2)).sum::<f64>() / count;
        let farthest = n * variance.sqrt();
        self.keep(|_, s| max - s <= farthest);
    }

    /// Weight and score of every token that is left.
    fn remaining(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let all = self.weights.iter().zip(&self.scores);
        all.filter(|(w, _)| **w > 0.0).map(|(w, s)| (*w, *s))
    }

    /// Removes tokens of less weight, but never the heaviest.
    fn at_least(&mut self, floor: f64) {
        let floor = floor.min(greatest(&self.weights));
        self.keep(|w, _| w >= floor);
    }

    /// Removes the tokens (weight, score) for which `keep` is false.
    fn keep(&mut self, mut keep: impl FnMut(f64, f64) -> bool) {
        for (w, s) in self.weights.iter_mut().zip(&self.scores) {
            if *w > 0.0 && !keep(*w, *s) {
                *w = 0.0;
            }
        }
    }
}

pub(super) fn check(logits: &[f32]) -> Result<(), DecodeError> {
    // One pass that compilers turn into vector instructions; the culprit is looked for afterwards.
    let bad =
        logits.iter().fold(0u32, |bad, x| bad | u32::from(x.is_nan() | (*x == f32::INFINITY)));
    if bad != 0 {
        for (token, x) in logits.iter().enumerate() {
            if x.is_nan() {
                return Err(DecodeError::NanLogit { token });
            } else if *x == f32::INFINITY {
                return Err(DecodeError::InfiniteLogit { token });
            }
        }
    }
    let some = logits.iter().fold(0u32, |some, x| some | u32::from(*x > f32::NEG_INFINITY));
    if some == 0 {
        return Err(DecodeError::NoToken { vocabulary: logits.len() });
    }
    Ok(())
}
