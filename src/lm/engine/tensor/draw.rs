//! The draw by whole masses: what `kernels/sampling.cu` does on CUDA, here in plain loops.
//!
//! A token's mass is `⌊2⁴⁰ exp((x − max) / T)⌋`: sums of such numbers are exact, so they do not depend on
//! how many threads add them. Cuts are found among the bits of the scores, eight at a time.

use candle_core::{DType, Device};

use crate::{
    decode::{Chain, DecodeError, Pick, Stage},
    lm::{
        LmError,
        engine::logits::{Ask, LogitRow, draw_on_host},
    },
};

/// Mass of the most probable token.
const UNIT: f32 = (1u64 << 40) as f32;

/// The settings of a chain that the kernel serves; neutral where the chain has no such stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    pub penalty: f64,
    pub temperature: f64,
    /// 0 keeps all.
    pub top_k: usize,
    pub top_p: f64,
    pub min_p: f64,
}

impl Settings {
    /// The settings of `chain`; `None` for a stage or an order that the kernel does not have.
    pub fn of(chain: &Chain) -> Option<Self> {
        let mut all = Self { penalty: 1.0, temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 };
        let mut last = 0;
        for stage in chain.stages() {
            let rank = match *stage {
                Stage::RepetitionPenalty(x) => (1, all.penalty = x).0,
                Stage::Temperature(x) => (2, all.temperature = x).0,
                Stage::TopK(k) => (3, all.top_k = k).0,
                Stage::TopP(p) => (4, all.top_p = p).0,
                Stage::MinP(p) => (5, all.min_p = p).0,
                _ => return None,
            };
            if rank <= last {
                return None;
            }
            last = rank;
        }
        Some(all)
    }
}

/// The distinct tokens of a context, ascending.
pub(super) fn distinct(context: &[u32], vocab: usize) -> Result<Vec<u32>, DecodeError> {
    let mut ids = context.to_vec();
    ids.sort_unstable();
    ids.dedup();
    match ids.last() {
        Some(&token) if token as usize >= vocab => {
            Err(DecodeError::UnknownToken { token, vocabulary: vocab })
        }
        _ => Ok(ids),
    }
}

/// Draws from every row; chains that the masses do not serve are drawn from in main memory.
pub(super) fn on_host(asks: &[Ask<'_>]) -> Result<Vec<Result<Pick, DecodeError>>, LmError> {
    asks.iter()
        .map(|ask| match (ask.logits, Settings::of(ask.chain)) {
            (LogitRow::Tensor { rows, row }, Some(settings)) => {
                let row = rows.narrow(0, row, 1)?.force_contiguous()?.to_dtype(DType::F32)?;
                let row = row.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
                Ok(distinct(ask.past.context, row.len())
                    .and_then(|ids| by_masses(&row, settings, &ids, ask.u)))
            }
            _ => Ok(draw_on_host(std::slice::from_ref(ask))?.remove(0)),
        })
        .collect()
}

/// Ascending with the value.
fn key_of(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits & 0x8000_0000 != 0 { !bits } else { bits | 0x8000_0000 }
}

/// The greatest key at which the amounts of all keys not smaller reach `target`, and the amount of the
/// greater ones; key 0 where they never do.
fn select(x: &[f32], amount: impl Fn(usize) -> u64, target: u64) -> (u32, u64) {
    let (mut cut, mut before) = (0u32, 0u64);
    for shift in [24, 16, 8, 0] {
        let mut bins = [0u64; 256];
        for (i, x) in x.iter().enumerate() {
            let key = key_of(*x);
            if shift == 24 || (key ^ cut) >> (shift + 8) == 0 {
                bins[(key >> shift & 255) as usize] += amount(i);
            }
        }
        let mut bin = 255;
        while bin > 0 && before + bins[bin] < target {
            before += bins[bin];
            bin -= 1;
        }
        cut |= (bin as u32) << shift;
    }
    (cut, before)
}

/// The first index at which the running sum of `amount` exceeds `aim`.
fn walk(n: usize, amount: impl Fn(usize) -> u64, aim: u64) -> Option<usize> {
    let mut sum = 0;
    (0..n).find(|&i| {
        sum += amount(i);
        sum > aim
    })
}

fn by_masses(logits: &[f32], settings: Settings, ids: &[u32], u: f64) -> Result<Pick, DecodeError> {
    let n = logits.len();
    if let Some(token) = logits.iter().position(|x| x.is_nan() || *x == f32::INFINITY) {
        return Err(match logits[token].is_nan() {
            true => DecodeError::NanLogit { token },
            false => DecodeError::InfiniteLogit { token },
        });
    }
    let greatest = |x: &[f32]| x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut most = greatest(logits);
    if most == f32::NEG_INFINITY {
        return Err(DecodeError::NoToken { vocabulary: n });
    }
    let total: f64 = logits.iter().map(|x| f64::from((x - most).exp())).sum();
    let log_norm = f64::from(most) + total.ln();
    let model = |token: usize| f64::from(logits[token]) - log_norm;
    let mut x = logits.to_vec();
    let penalty = settings.penalty as f32;
    for &id in ids {
        let s = &mut x[id as usize];
        *s = if *s < 0.0 { *s * penalty } else { *s / penalty };
    }
    most = greatest(&x);
    if settings.temperature == 0.0 {
        let token = x.iter().position(|s| *s == most).unwrap_or(0);
        let logprob_model = model(token);
        return Ok(Pick {
            token: token as u32,
            logprob: 0.0,
            logprob_model,
            entropy: 0.0,
            mu: None,
        });
    }
    let by = (1.0 / settings.temperature) as f32;
    x.iter_mut().for_each(|s| *s = (*s - most) * by);
    let whole = |i: usize| (x[i].exp() * UNIT) as u64;
    let mut cut = 0;
    if (1..n).contains(&settings.top_k) {
        cut = select(&x, |_| 1, settings.top_k as u64).0;
    }
    let above = |i: usize| if key_of(x[i]) >= cut { whole(i) } else { 0 };
    let (mut last, mut limit) = (cut, usize::MAX);
    if settings.top_p < 1.0 {
        let held: u64 = (0..n).map(above).sum();
        let target = (settings.top_p * held as f64).ceil() as u64;
        let (key, before) = select(&x, above, target);
        let equal = |i: usize| u64::from(key_of(x[i]) == key);
        let one = (0..n).filter(|&i| equal(i) == 1).map(whole).max().unwrap_or(0);
        let all: u64 = (0..n).map(equal).sum();
        let ties = if one == 0 { all } else { (target - before).div_ceil(one) };
        last = key;
        if ties < all {
            limit = walk(n, equal, ties.saturating_sub(1)).unwrap_or(usize::MAX);
        }
    }
    let floor = settings.min_p as f32;
    let left = |i: usize| {
        let key = key_of(x[i]);
        let kept = key > last || key == last && i <= limit;
        if kept && x[i].exp() >= floor { whole(i) } else { 0 }
    };
    let held: u64 = (0..n).map(left).sum();
    let spread: f64 = (0..n)
        .map(|i| (left(i), x[i]))
        .filter(|(m, _)| *m > 0)
        .map(|(m, x)| m as f64 * f64::from(x))
        .sum();
    let aim = ((u * held as f64) as u64).min(held.saturating_sub(1));
    let Some(token) = walk(n, left, aim) else {
        return Err(DecodeError::NoToken { vocabulary: n });
    };
    let log_held = (held as f64 / f64::from(UNIT)).ln();
    Ok(Pick {
        token: token as u32,
        logprob: f64::from(x[token]) - log_held,
        logprob_model: model(token),
        entropy: (log_held - spread / held as f64).max(0.0),
        mu: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decode::{Decoding, Past, knobs},
        rng,
    };

    /// Logits of 3000 tokens, many of them equal, as half-precision heads give them.
    fn logits(seed: u64) -> Vec<f32> {
        let mut numbers = rng::named(seed, "logits");
        let mut one = || (rng::next_unit(&mut numbers) * 12.0 - 6.0) as f32;
        (0..3000).map(|_| half::bf16::from_f32(one()).to_f32()).collect()
    }

    fn settings() -> Vec<Decoding> {
        let plain = Decoding::default();
        vec![
            plain,
            Decoding { temperature: 0.0, ..plain },
            Decoding { temperature: 0.3, ..plain },
            Decoding { top_k: Some(7), ..plain },
            Decoding { top_k: Some(1), temperature: 1.7, ..plain },
            Decoding { top_p: Some(0.9), ..plain },
            Decoding { top_p: Some(0.01), ..plain },
            Decoding { min_p: Some(0.05), ..plain },
            Decoding { repetition_penalty: Some(1.3), temperature: 0.8, ..plain },
            Decoding {
                repetition_penalty: Some(0.7),
                temperature: 1.2,
                top_k: Some(200),
                top_p: Some(0.8),
                min_p: Some(0.02),
                ..plain
            },
        ]
    }

    #[test]
    fn masses_draw_what_the_chain_draws() {
        let mut same = 0;
        let mut all = 0;
        for (seed, decoding) in settings().into_iter().enumerate() {
            let chain = Chain::new(decoding).unwrap();
            let settings = Settings::of(&chain).unwrap();
            let logits = logits(seed as u64);
            let context: Vec<u32> = match chain.needs_context() {
                true => (0..300).map(|i| i * 7 % 2000).collect(),
                false => Vec::new(),
            };
            let ids = distinct(&context, logits.len()).unwrap();
            for i in 0..40 {
                let u = (f64::from(i) + 0.5) / 40.0;
                let ours = by_masses(&logits, settings, &ids, u).unwrap();
                let exact =
                    chain.draw(&logits, Past::of(&context), u, &mut Default::default()).unwrap();
                all += 1;
                // A number that falls on the edge between two tokens may be rounded to either.
                if ours.token == exact.token {
                    same += 1;
                    // 32-bit scores: 1e-5 of the greatest, 12 / 0.3.
                    assert!(
                        (ours.logprob - exact.logprob).abs() < 1e-4,
                        "{decoding:?} {ours:?} {exact:?}"
                    );
                    assert!((ours.logprob_model - exact.logprob_model).abs() < 1e-5);
                }
                assert!(
                    (ours.entropy - exact.entropy).abs() < 1e-4,
                    "{decoding:?} {ours:?} {exact:?}"
                );
            }
        }
        assert!(same + 2 >= all, "{same} of {all} draws are the same");
    }

    #[test]
    fn stages_that_the_kernel_does_not_have_are_drawn_without_it() {
        let served = ["temperature", "top-k", "top-p", "min-p", "repetition-penalty"];
        for knob in knobs::KNOBS.into_iter().filter(|knob| knob.shapes.is_none()) {
            let mut decoding = Decoding { temperature: 0.7, ..Decoding::default() };
            knob.set(&mut decoding, if knob.whole { 1.0 } else { 0.5 });
            let settings = Settings::of(&Chain::new(decoding.completed()).unwrap());
            assert_eq!(settings.is_some(), served.contains(&knob.flag), "{}", knob.flag);
        }
    }

    #[test]
    fn equal_logits_leave_a_nucleus_of_the_lowest_tokens() {
        // 8 equal tokens, half of the mass: the first four.
        let settings =
            Settings { penalty: 1.0, temperature: 1.0, top_k: 0, top_p: 0.5, min_p: 0.0 };
        let draw = |u| by_masses(&[2.0; 8], settings, &[], u).unwrap();
        let tokens: Vec<u32> = (0..8).map(|i| draw(f64::from(i) / 8.0).token).collect();
        assert_eq!(tokens, [0, 0, 1, 1, 2, 2, 3, 3]);
        assert!((draw(0.9).entropy - 4f64.ln()).abs() < 1e-6);
        let greedy = Settings { temperature: 0.0, ..settings };
        assert_eq!(by_masses(&[0.0, 3.0, 3.0], greedy, &[], 0.9).unwrap().token, 1);
    }

    #[test]
    fn logits_that_are_no_numbers_are_named() {
        let settings = Settings::of(&Chain::new(Decoding::default()).unwrap()).unwrap();
        let draw = |row: &[f32]| by_masses(row, settings, &[], 0.5).unwrap_err();
        assert_eq!(draw(&[0.0, f32::NAN]), DecodeError::NanLogit { token: 1 });
        assert_eq!(draw(&[f32::INFINITY, 0.0]), DecodeError::InfiniteLogit { token: 0 });
        assert_eq!(draw(&[f32::NEG_INFINITY; 3]), DecodeError::NoToken { vocabulary: 3 });
    }
}
