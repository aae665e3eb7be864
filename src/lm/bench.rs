//! How fast a model prefills and decodes here, against what the machine could do.
#![expect(
    unsafe_code,
    reason = "the peak of the processor is measured with its vector instructions"
)]

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
    time::Instant,
};

use super::{
    LmError, ModelConfig,
    engine::{kv::Place, network::Network},
    generate::{Event, GenerateOptions, Request, run},
};
use crate::{
    decode::Chain,
    math::simd::{Isa, Simd, for_isa},
    rng,
};

/// Processor seconds of all threads of this process so far; elapsed seconds where the system does not say.
fn cpu_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    let nanoseconds: f64 = tasks.filter_map(of).sum();
    if nanoseconds > 0.0 { nanoseconds * 1e-9 } else { start.elapsed().as_secs_f64() }
}

/// What one core can do at most while all of them work; on CUDA the device.
///
/// Per second of processor time, so that a machine that others use as well gives the same numbers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Multiply-adds in registers, in floating-point operations per core and second.
    pub flops: f64,
    /// Reading of memory beyond the caches, bytes per core and second.
    pub bytes: f64,
}

/// One batch size's speed.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Rows at a time.
    pub rows: usize,
    /// Prompt tokens per second.
    pub prefill: f64,
    /// New tokens per second, sampling included.
    pub decode: f64,
    /// Operations of the matrix products per core and second while decoding.
    pub flops: f64,
    /// Bytes of weights, keys and values read per core and second while decoding.
    /// Those that stay in the caches count too.
    pub bytes: f64,
}

/// Operations of the matrix products for one token.
pub fn flops_per_token(c: &ModelConfig) -> f64 {
    2.0 * c.active_weights() as f64
}

/// Times `rows` rows of `prompt` random tokens each, all the same where `shared`, continued by `new`
/// tokens.
///
/// # Errors
///
/// Those of [`run`]; [`LmError::Context`] when the sequence is too long for the model.
pub fn speed(
    network: &dyn Network,
    rows: usize,
    prompt: usize,
    new: usize,
    shared: bool,
) -> Result<Speed, LmError> {
    let c = network.config();
    let mut numbers = rng::named(0, "bench");
    let mut random = || -> Arc<[u32]> {
        (0..prompt.max(1)).map(|_| rng::next_below(&mut numbers, c.vocab) as u32).collect()
    };
    let common = random();
    let mut request = |i: usize| Request {
        tag: i as u64,
        prompt: if shared { common.clone() } else { random() },
        chain: Chain::default(),
        seed: 0,
        draw: rng::Draw { prompt: i as u32, sample: 0 },
        max_new_tokens: new,
        stop: [].into(),
    };
    let requests: Vec<_> = (0..rows).map(&mut request).collect();
    let options = GenerateOptions { batch: Some(rows), ..GenerateOptions::default() };
    let (mut prefill, mut decode) = ((0, 0.0), (0, 0.0, 0));
    let mut cpu = 0.0;
    // A device of its own works by the clock, not on this process's account.
    let place = network.kv_place();
    let clock = Instant::now();
    let used = || match &place {
        Place::Host => cpu_seconds(),
        Place::Device(..) => clock.elapsed().as_secs_f64(),
    };
    let mut last_cpu = used();
    let mut failed = None;
    let mut last = Instant::now();
    run(network, None, &[], requests.into_iter(), &options, &mut |event| {
        match event {
            Event::Step { new_tokens, prompt_tokens, .. } => {
                let seconds = last.elapsed().as_secs_f64();
                last = Instant::now();
                let now = used();
                let spent = now - last_cpu;
                last_cpu = now;
                if prompt_tokens > 0 {
                    prefill = (prefill.0 + prompt_tokens, prefill.1 + seconds);
                } else {
                    cpu += spent;
                    decode = (decode.0 + new_tokens, decode.1 + seconds, decode.2 + 1);
                }
            }
            Event::Failed { error, .. } => failed = Some(error),
            Event::Finished(_) => {}
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let per_second =
        |count: usize, seconds: f64| if count == 0 { 0.0 } else { count as f64 / seconds };
    // What rows share counts once.
    let positions = if shared { prompt + new / 2 * rows } else { (prompt + new / 2) * rows };
    let of_position = place.bytes(network.kv_shape(), 16) / 16;
    let read = decode.2 * (network.weight_bytes() + positions * of_position);
    let decoded = per_second(decode.0, decode.1);
    Ok(Speed {
        rows,
        prefill: per_second(prefill.0, prefill.1),
        decode: decoded,
        flops: per_second(decode.0, cpu) * flops_per_token(c),
        bytes: per_second(read, cpu),
    })
}

for_isa! {
    /// `rounds` times twenty independent chains of multiply-adds; writes what keeps them alive.
    fn spin(rounds: usize, out: &mut [f32; 16]) = spin_body
}

#[inline(always)]
unsafe fn spin_body<S: Simd>(rounds: usize, out: &mut [f32; 16]) {
    // SAFETY: `out` has 16 values; instructions are the caller's promise.
    unsafe {
        let (x, y) = (S::splat(0.999), S::splat(1e-3));
        let mut sums = [y; 20];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = S::fma(*sum, x, y);
            }
        }
        let mut all = S::zero();
        for sum in sums {
            all = S::fma(sum, x, all);
        }
        S::store(out.as_mut_ptr(), all);
    }
}

/// Measures where a network computes.
///
/// # Errors
///
/// A failure of the device.
pub fn limits_of(network: &dyn Network) -> Result<Limits, LmError> {
    match network.kv_place() {
        Place::Device(device, dtype) if device.is_cuda() => limits_there(&device, dtype),
        _ => Ok(limits()),
    }
}

/// A device's fastest of large products and copies.
fn limits_there(device: &Device, dtype: DType) -> Result<Limits, LmError> {
    let (n, megabytes) = (8192, 1024);
    let x = Tensor::ones((n, n), dtype, device)?;
    let long = Tensor::ones(megabytes << 20, DType::U8, device)?;
    let best =
        |amount: f64, run: &dyn Fn() -> candle_core::Result<Tensor>| -> Result<f64, LmError> {
            let mut best = 0f64;
            for _ in 0..5 {
                device.synchronize()?;
                let start = Instant::now();
                run()?;
                device.synchronize()?;
                best = best.max(amount / start.elapsed().as_secs_f64());
            }
            Ok(best)
        };
    let flops = best(2.0 * (n as f64).powi(3), &|| x.matmul(&x))?;
    let bytes = best(2.0 * (megabytes << 20) as f64, &|| long.copy())?;
    Ok(Limits { flops, bytes })
}

/// Measures the machine for about a second, with as many threads as rayon uses.
pub fn limits() -> Limits {
    let (isa, threads) = (Isa::best(), rayon::current_num_threads());
    let rounds = 2_000_000;
    let flops = best_of(3, || {
        (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
            let mut out = [0.0; 16];
            // SAFETY: `best` is available here.
            unsafe { spin(isa, rounds, &mut out) };
            std::hint::black_box(out);
        });
        (threads * rounds * 20 * 16 * 2) as f64
    });
    let data = vec![1u64; 32 << 20];
    let bytes = best_of(3, || {
        let part = data.len() / threads;
        let sum: u64 = data.par_chunks(part.max(1)).map(|part| part.iter().sum::<u64>()).sum();
        std::hint::black_box(sum);
        (8 * data.len()) as f64
    });
    Limits { flops, bytes }
}

/// Amounts per second in the fastest of `n` runs.
fn best_of(n: usize, run: impl Fn() -> f64) -> f64 {
    let once = || {
        let start = cpu_seconds();
        run() / (cpu_seconds() - start).max(1e-9)
    };
    (0..n).map(|_| once()).fold(0.0, f64::max)
}
