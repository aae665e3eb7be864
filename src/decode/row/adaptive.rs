//! Stages whose cut or temperature follows the distribution as a whole.

use std::f64::consts::LN_2;

use super::Scratch;
use crate::math::exp::dot;

impl Scratch {
    /// Sum of the weights, and the entropy of what is left, nats.
    fn entropy(&self) -> (f64, f64) {
        let (mass, spread) = dot(&self.weights, &self.scores, self.max);
        (mass, (mass.ln() + spread / mass).max(0.0))
    }

    pub(super) fn dynamic_temperature(&mut self, temperature: f64, range: f64, exponent: f64) {
        let count = self.remaining().count();
        if count < 2 {
            return;
        }
        let (low, high) = ((temperature - range).max(0.0), temperature + range);
        let share = (self.entropy().1 / (count as f64).ln()).min(1.0);
        self.temperature(low + (high - low) * share.powf(exponent));
    }

    pub(super) fn p_less(&mut self) {
        let (mass, squares) = self
            .remaining()
            .fold((0.0, 0.0), |(mass, squares), (w, _)| (mass + w, squares + w * w));
        self.at_least(squares / mass);
    }

    pub(super) fn epsilon(&mut self, epsilon: f64) {
        let mass: f64 = self.remaining().map(|(w, _)| w).sum();
        self.at_least(epsilon * mass);
    }

    pub(super) fn eta(&mut self, epsilon: f64) {
        let (mass, entropy) = self.entropy();
        self.at_least(epsilon.min(epsilon.sqrt() * (-entropy).exp()) * mass);
    }

    pub(super) fn mirostat(&mut self, mu: f64) {
        let mass: f64 = self.remaining().map(|(w, _)| w).sum();
        let log_norm = self.max + mass.ln();
        self.surprises.clear();
        self.surprises.extend(self.scores.iter().map(|s| (log_norm - s) / LN_2));
        let near = |(w, surprise): (&f64, &f64)| *w > 0.0 && *surprise <= mu;
        match self.weights.iter().zip(&self.surprises).any(near) {
            true => self.keep(|_, s| (log_norm - s) / LN_2 <= mu),
            false => self.argmax(),
        }
    }

    /// `−log₂ p` of a token before mirostat's cut, bits.
    pub(in crate::decode) fn surprise(&self, token: usize) -> f64 {
        self.surprises[token]
    }

    pub(super) fn xtc(&mut self, probability: f64, threshold: f64) {
        let mass: f64 = self.remaining().map(|(w, _)| w).sum();
        let floor = threshold * mass;
        let top = |w: f64| w > 0.0 && w >= floor;
        let tops = || (0..).zip(&self.weights).filter(|(_, w)| top(**w));
        // Of the least probable of them the last.
        let stays = tops().min_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        let Some((stays, _)) = stays.filter(|_| tops().count() > 1) else { return };
        let removed: f64 = tops().filter(|(at, _)| *at != stays).map(|(_, w)| w).sum();
        let (out, rest) = ((1.0 - probability).ln(), (mass - removed).max(self.weights[stays]));
        let within = (1.0 - probability + probability * mass / rest).ln();
        self.forget_removed();
        for (at, (w, s)) in self.weights.iter().zip(&mut self.scores).enumerate() {
            *s += if top(*w) && at != stays { out } else { within };
        }
        self.exponentiate();
    }
}
