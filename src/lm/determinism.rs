//! Whether texts notice their company, shown on the user's own machine.

use std::{collections::BTreeMap, ops::ControlFlow};

use super::{
    LmError,
    engine::network::Network,
    generate::{Event, GenerateOptions, Request, run},
};
use crate::{
    decode::{Chain, DecodeError, Decoding},
    rng,
};

/// Requests that are drawn in every way.
const REQUESTS: usize = 64;

/// One way of running the same requests.
#[derive(Clone, Debug)]
pub struct Way {
    /// Rows at a time.
    pub rows: usize,
    /// Threads.
    pub threads: usize,
    /// Requests in reversed order, prompts computed in small pieces.
    pub reversed: bool,
    /// Completions that differ, in a token or in a bit of a log-probability, from those drawn one at a
    /// time, or in the same layout before where rounding depends on it.
    pub different: usize,
}

/// What a check of determinism found.
#[derive(Clone, Debug)]
pub struct Determinism {
    /// Completions compared.
    pub completions: usize,
    /// Tokens drawn for each way.
    pub tokens: usize,
    /// The ways tried.
    pub ways: Vec<Way>,
}

impl Determinism {
    /// Whether every way gave the same completions.
    pub fn holds(&self) -> bool {
        self.ways.iter().all(|way| way.different == 0)
    }
}

type Drawn = BTreeMap<u64, (Vec<u32>, u64)>;

/// The check's requests for one network: prompts that share beginnings, drawn in every way.
struct Requests<'a> {
    network: &'a dyn Network,
    prompts: Vec<Vec<u32>>,
    new: usize,
}

impl<'a> Requests<'a> {
    fn new(network: &'a dyn Network, new: usize) -> Self {
        let c = network.config();
        let new = new.min(c.max_positions.saturating_sub(48)).max(1);
        let mut numbers = rng::named(0, "determinism");
        let mut random = |n| -> Vec<u32> {
            (0..n).map(|_| rng::next_below(&mut numbers, c.vocab) as u32).collect()
        };
        let shared = random(24);
        let prompts = (0..5).map(|i| [&shared[..6 * i], &random(1 + 3 * i)].concat()).collect();
        Self { network, prompts, new }
    }

    fn draw(&self, rows: usize, reversed: bool) -> Result<Drawn, LmError> {
        let request = |i| request(i, &self.prompts[i % 5], self.new);
        let mut all = (0..REQUESTS).map(request).collect::<Result<Vec<_>, _>>()?;
        if reversed {
            all.reverse();
        }
        let prefill_tokens = reversed.then_some(7);
        let options =
            GenerateOptions { batch: Some(rows), prefill_tokens, ..GenerateOptions::default() };
        let eos = &self.network.config().eos;
        let mut drawn = BTreeMap::new();
        run(self.network, None, eos, all.into_iter(), &options, &mut |event| {
            if let Event::Finished(done) = event {
                drawn.insert(done.tag, (done.tokens, done.logprob.to_bits()));
            }
            ControlFlow::Continue(())
        })?;
        Ok(drawn)
    }
}

/// The tokens of the check's completions, drawn `rows` at a time, by request.
///
/// # Errors
///
/// Those of [`run`].
pub fn drawn(network: &dyn Network, rows: usize) -> Result<BTreeMap<u64, Vec<u32>>, LmError> {
    let drawn = Requests::new(network, 24).draw(rows, false)?;
    Ok(drawn.into_iter().map(|(tag, (tokens, _))| (tag, tokens)).collect())
}

/// Draws the same 64 completions of up to `new` tokens alone, at 7 and at 64 rows, with one and with
/// all threads, in two orders, with prompts that share beginnings. A network that is not batch-invariant
/// draws each layout twice, which is what it promises.
///
/// # Errors
///
/// Those of [`run`].
pub fn determinism(network: &dyn Network, new: usize) -> Result<Determinism, LmError> {
    let requests = Requests::new(network, new);
    let alone = requests.draw(1, false)?;
    let all = rayon::current_num_threads();
    let mut ways = Vec::new();
    for (rows, threads, reversed) in
        [(1, 1, true), (7, all, false), (7, 1, true), (REQUESTS, all, true), (REQUESTS, 1, false)]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let drawn = match pool {
            Ok(pool) => pool.install(|| requests.draw(rows, reversed))?,
            Err(_) => requests.draw(rows, reversed)?,
        };
        // Where rounding depends on the layout, the same layout is drawn once more.
        let again = match network.is_batch_invariant() {
            true => None,
            false => Some(requests.draw(rows, reversed)?),
        };
        let expected = again.as_ref().unwrap_or(&alone);
        let same = |tag: &u64| drawn.get(tag) == expected.get(tag);
        let different = (0..REQUESTS as u64).filter(|tag| !same(tag)).count();
        ways.push(Way { rows, threads, reversed, different });
    }
    let tokens = alone.values().map(|(tokens, _)| tokens.len()).sum();
    Ok(Determinism { completions: alone.len(), tokens, ways })
}

fn request(i: usize, prompt: &[u32], new: usize) -> Result<Request, DecodeError> {
    let decoding = Decoding {
        temperature: [0.7, 1.0, 1.3, 0.0][i % 4],
        top_p: i.is_multiple_of(3).then_some(0.9),
        top_k: (i % 5 == 1).then_some(40),
        repetition_penalty: (i % 7 == 2).then_some(1.1),
        ..Decoding::default()
    };
    Ok(Request {
        tag: i as u64,
        prompt: prompt.into(),
        chain: Chain::new(decoding)?,
        seed: 0,
        draw: rng::Draw { prompt: (i % 5) as u32, sample: i as u32 },
        max_new_tokens: 1 + (i * 5) % new,
        stop: [].into(),
    })
}
