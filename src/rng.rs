//! One random stream per draw: a number is a function of what it is for, never of who asked first.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

/// What a completion is the draw of: sample `sample` of prompt `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Draw {
    /// Index of the prompt in its task.
    pub prompt: u32,
    /// Index of the completion among those of the prompt.
    pub sample: u32,
}

/// The generator of one completion: a ChaCha8 stream of its own under the run's seed.
pub fn stream(seed: u64, at: Draw) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(u64::from(at.prompt) << 32 | u64::from(at.sample));
    rng
}

/// The number in `[0, 1)` that decides the token at `position` of a completion.
///
/// Two words of the stream per position, so that any position can be read without the ones before.
pub fn uniform(seed: u64, at: Draw, position: usize) -> f64 {
    let mut rng = stream(seed, at);
    rng.set_word_pos(2 * position as u128);
    unit(rng.next_u64())
}

/// A generator for everything that is no completion (k-means starts, permutations, folds): `what`
/// keeps their streams apart under one seed.
pub fn named(seed: u64, what: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    for (i, byte) in what.bytes().enumerate() {
        key[8 + i % 24] = key[8 + i % 24].rotate_left(3) ^ byte;
    }
    ChaCha8Rng::from_seed(key)
}

/// The next number in `[0, 1)`, of 53 bits.
pub fn next_unit(rng: &mut ChaCha8Rng) -> f64 {
    unit(rng.next_u64())
}

/// The next integer in `0..bound`, without bias; `bound` is positive.
pub fn next_below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let bound = bound as u64;
    let zone = u64::MAX - u64::MAX % bound;
    loop {
        let x = rng.next_u64();
        if x < zone {
            return (x % bound) as usize;
        }
    }
}

/// `items` in an order drawn from `rng` (Fisher–Yates).
pub fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, next_below(rng, i + 1));
    }
}

fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_its_number_whether_or_not_the_earlier_ones_were_read() {
        let at = Draw { prompt: 12, sample: 3 };
        let mut rng = stream(7, at);
        let in_order: Vec<f64> = (0..5).map(|_| next_unit(&mut rng)).collect();
        let at_random: Vec<f64> = (0..5).map(|t| uniform(7, at, t)).collect();
        assert_eq!(in_order, at_random);
    }

    #[test]
    fn prompts_samples_and_seeds_have_streams_of_their_own() {
        let first = |seed, prompt, sample| uniform(seed, Draw { prompt, sample }, 0);
        let numbers = [first(0, 0, 0), first(1, 0, 0), first(0, 1, 0), first(0, 0, 1)];
        for (i, a) in numbers.iter().enumerate() {
            assert!(numbers[..i].iter().all(|b| b != a), "{numbers:?}");
        }
    }

    #[test]
    fn named_streams_differ_by_name() {
        assert_ne!(next_unit(&mut named(0, "kmeans")), next_unit(&mut named(0, "folds")));
    }
}
