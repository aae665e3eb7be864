//! Cosines and sines of positions, kept for those met so far.

use candle_core::{Device, Tensor};
use std::sync::Mutex;

use crate::lm::{LmError, arch::config::Rope};

/// The angles of one rope.
pub(super) struct Angles {
    frequencies: Vec<f64>,
    amplitude: f64,
    /// `positions × width / 2` of f32.
    known: Mutex<Option<[Tensor; 2]>>,
}

impl Angles {
    pub fn new(rope: &Rope) -> Self {
        let frequencies = rope.frequencies();
        Self { frequencies, amplitude: rope.amplitude, known: Mutex::default() }
    }

    /// Cosines and sines of tokens at `positions`, `tokens × width / 2` of f32 each.
    pub fn at(&self, positions: &[u32], device: &Device) -> Result<[Tensor; 2], LmError> {
        let needed = positions.iter().max().map_or(1, |last| *last as usize + 1);
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = match &mut *known {
            Some(known) if known[0].dim(0)? >= needed => known,
            other => other.insert(self.table(needed.next_power_of_two().max(512), device)?),
        };
        let at = Tensor::new(positions, device)?;
        Ok([known[0].index_select(&at, 0)?, known[1].index_select(&at, 0)?])
    }

    fn table(&self, positions: usize, device: &Device) -> Result<[Tensor; 2], LmError> {
        let angle = |t: usize| self.frequencies.iter().map(move |f| t as f64 * f);
        let angles: Vec<f64> = (0..positions).flat_map(angle).collect();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|a| (f(*a) * self.amplitude) as f32).collect();
            Tensor::from_vec(values, (positions, self.frequencies.len()), device)
        };
        Ok([table(f64::cos)?, table(f64::sin)?])
    }
}
