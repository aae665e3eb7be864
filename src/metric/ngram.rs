//! n-grams of token ids: how many, and how many distinct.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use rayon::prelude::*;

use super::spec::{Better, Family, Null, Range, Spec};
use crate::math::eigen::{self, NoEigenvalues};

/// The first of [`distinct`].
pub const DISTINCT_1: Spec = Spec {
    name: "distinct_1",
    title: "Distinct tokens",
    family: Family::Diversity,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::OwnValue,
    truth: &[],
    cost: "O(tokens)",
    parameter: None,
};
/// The second of [`distinct`].
pub const DISTINCT_2: Spec =
    Spec { name: "distinct_2", title: "Distinct pairs of tokens", ..DISTINCT_1 };
/// The third of [`distinct`].
pub const DISTINCT_3: Spec =
    Spec { name: "distinct_3", title: "Distinct runs of three tokens", ..DISTINCT_1 };
/// The fourth of [`distinct`].
pub const DISTINCT_4: Spec =
    Spec { name: "distinct_4", title: "Distinct runs of four tokens", ..DISTINCT_1 };
/// [`unique_fraction`].
pub const UNIQUE_FRACTION: Spec =
    Spec { name: "unique_fraction", title: "Share of distinct texts", ..DISTINCT_1 };
/// [`mean_tokens`].
pub const MEAN_TOKENS: Spec = Spec {
    name: "mean_tokens",
    title: "Mean length in tokens",
    range: Range::Positive,
    ..DISTINCT_1
};
/// [`ngram_vendi`], of a thousand texts at most.
pub const NGRAM_VENDI: Spec = Spec {
    name: "ngram_vendi",
    title: "n-gram Vendi score",
    range: Range::FromOne,
    cost: "O(m³)",
    ..DISTINCT_1
};

/// A hasher of single words, by one multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// A map whose keys are words.
pub(crate) type WordMap<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// The n-grams of all texts as numbers `0..distinct`: equal n-grams have equal numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ngrams {
    /// Per text: its n-grams in order; a text of `t` tokens has `t − n + 1`.
    pub of: Vec<Vec<u32>>,
    /// Number of distinct n-grams.
    pub distinct: usize,
}

impl Ngrams {
    /// The 1-grams of texts of token ids.
    pub fn tokens(texts: &[Vec<u32>]) -> Self {
        let mut numbers = WordMap::<u64, u32>::default();
        let mut number = |&token: &u32| next_number(&mut numbers, u64::from(token));
        let of = texts.iter().map(|text| text.iter().map(&mut number).collect()).collect();
        Self { of, distinct: numbers.len() }
    }

    /// The n-grams one token longer: each is an n-gram and the 1-gram that follows it.
    ///
    /// Exact: numbers stand for n-grams, not for hashes of them. `O(tokens)`.
    pub fn longer(&self, tokens: &Self) -> Self {
        let mut numbers = WordMap::<u64, u32>::default();
        let mut text = |(shorter, tokens): (&Vec<u32>, &Vec<u32>)| -> Vec<u32> {
            let n = tokens.len() + 1 - shorter.len().min(tokens.len());
            let pairs = shorter.iter().zip(tokens.iter().skip(n));
            pairs
                .map(|(&prefix, &last)| {
                    next_number(&mut numbers, u64::from(prefix) << 32 | u64::from(last))
                })
                .collect()
        };
        let of = self.of.iter().zip(&tokens.of).map(&mut text).collect();
        Self { of, distinct: numbers.len() }
    }

    /// The n-grams of orders `1..=most`.
    pub fn up_to(texts: &[Vec<u32>], most: usize) -> Vec<Self> {
        let mut orders: Vec<Self> = Vec::with_capacity(most);
        for _ in 0..most {
            orders.push(match orders.last() {
                Some(shorter) => shorter.longer(&orders[0]),
                None => Self::tokens(texts),
            });
        }
        orders
    }

    /// How many n-grams there are, copies counted.
    pub fn total(&self) -> usize {
        self.of.iter().map(Vec::len).sum()
    }

    /// Distinct-n: distinct n-grams over all n-grams of all texts together; higher is more varied.
    ///
    /// `None` where no text has `n` tokens. It falls with the number and length of texts: compare only
    /// sets of equal size, and read mean lengths beside it. Li et al. 2016, arXiv:1510.03055.
    pub fn distinct_share(&self) -> Option<f64> {
        (self.total() > 0).then(|| self.distinct as f64 / self.total() as f64)
    }
}

fn next_number(numbers: &mut WordMap<u64, u32>, key: u64) -> u32 {
    let next = numbers.len() as u32;
    *numbers.entry(key).or_insert(next)
}

/// Distinct-1 to distinct-4 of texts of token ids; see [`Ngrams::distinct_share`].
///
/// # Example
///
/// ```
/// # use llmpr::metric::ngram::distinct;
/// let texts = [vec![1, 2, 1, 2], vec![1, 2]];
/// // 1-grams: 2 of 6; 2-grams: 12 21 12, 12: 2 of 4; 3-grams: 121 212; 4-grams: one
/// assert_eq!(distinct(&texts), [Some(2.0 / 6.0), Some(0.5), Some(1.0), Some(1.0)]);
/// ```
pub fn distinct(texts: &[Vec<u32>]) -> [Option<f64>; 4] {
    let mut shares = [None; 4];
    for (share, ngrams) in shares.iter_mut().zip(Ngrams::up_to(texts, 4)) {
        *share = ngrams.distinct_share();
    }
    shares
}

/// Distinct texts over texts; below 0.9 the support measures need care. `None` without texts.
///
/// # Example
///
/// ```
/// # use llmpr::metric::ngram::unique_fraction;
/// assert_eq!(unique_fraction(&["a", "a", "b", "c"]), Some(0.75));
/// ```
pub fn unique_fraction<T: Eq + std::hash::Hash>(texts: &[T]) -> Option<f64> {
    let distinct: std::collections::HashSet<&T> = texts.iter().collect();
    (!texts.is_empty()).then(|| distinct.len() as f64 / texts.len() as f64)
}

/// Mean number of tokens of a text. `None` without texts.
///
/// # Example
///
/// ```
/// # use llmpr::metric::ngram::mean_tokens;
/// assert_eq!(mean_tokens(&[vec![1, 2], vec![1, 2, 3, 4]]), Some(3.0));
/// ```
pub fn mean_tokens(texts: &[Vec<u32>]) -> Option<f64> {
    let total: usize = texts.iter().map(Vec::len).sum();
    (!texts.is_empty()).then(|| total as f64 / texts.len() as f64)
}

/// Cosine similarities of texts by their counts of n-grams, averaged over the orders `1..=most`:
/// row-major, texts × texts, with ones on the diagonal.
///
/// Its eigenvalues over the number of texts give the n-gram Vendi score. Texts too short for an order are
/// alike to each other in it and unlike all others. `O(texts² + Σ over n-grams of texts that share one)`.
/// Friedman & Dieng 2023, arXiv:2210.02410.
pub fn ngram_kernel(texts: &[Vec<u32>], most: usize) -> Vec<f64> {
    let n = texts.len();
    let mut kernel = vec![0.0; n * n];
    for ngrams in Ngrams::up_to(texts, most) {
        let counts: Vec<Vec<(u32, f64)>> =
            ngrams.of.par_iter().map(|text| unit_counts(text)).collect();
        let mut holders: Vec<Vec<(u32, f64)>> = vec![Vec::new(); ngrams.distinct];
        for (text, counts) in (0u32..).zip(&counts) {
            for &(ngram, weight) in counts {
                holders[ngram as usize].push((text, weight));
            }
        }
        kernel.par_chunks_mut(n.max(1)).enumerate().for_each(|(i, row)| {
            for &(ngram, weight) in &counts[i] {
                for &(j, other) in &holders[ngram as usize] {
                    row[j as usize] += weight * other;
                }
            }
            if counts[i].is_empty() {
                let empty = |(j, x): (usize, &mut f64)| *x += f64::from(counts[j].is_empty());
                row.iter_mut().enumerate().for_each(empty);
            }
        });
    }
    kernel.iter_mut().for_each(|x| *x /= most.max(1) as f64);
    kernel
}

/// n-gram Vendi score: the effective number of different texts by [`ngram_kernel`]; 1 where all are copies,
/// the number of texts where no two share an n-gram.
///
/// ```text
/// exp(−Σ w ln w),   w = eigenvalues of kernel/n
/// ```
///
/// `None` without texts. `O(n³)` for `n` texts beside the kernel: a thousand texts take a second.
/// Friedman & Dieng 2023, arXiv:2210.02410.
///
/// # Errors
///
/// [`NoEigenvalues`].
///
/// # Example
///
/// ```
/// # use llmpr::metric::ngram::ngram_vendi;
/// // Two copies and one that shares nothing: eigenvalues 2/3 and 1/3, entropy ln 3 − ⅔ ln 2.
/// let score = ngram_vendi(&[vec![1, 2], vec![1, 2], vec![3, 4]], 2)?.unwrap();
/// assert!((score - 3.0 / 2f64.powf(2.0 / 3.0)).abs() < 1e-12);
/// # Ok::<(), llmpr::math::eigen::NoEigenvalues>(())
/// ```
pub fn ngram_vendi(texts: &[Vec<u32>], most: usize) -> Result<Option<f64>, NoEigenvalues> {
    let n = texts.len();
    if n == 0 || most == 0 {
        return Ok(None);
    }
    let mut kernel = ngram_kernel(texts, most);
    kernel.iter_mut().for_each(|x| *x /= n as f64);
    let values = eigen::values(&kernel, n)?;
    let noise = n as f64 * f64::EPSILON;
    let entropy: f64 = values.iter().filter(|&&w| w > noise).map(|w| -w * w.ln()).sum();
    Ok(Some(entropy.exp()))
}

/// Counts of distinct n-grams, divided by their Euclidean length.
fn unit_counts(text: &[u32]) -> Vec<(u32, f64)> {
    let counts = counted(text);
    let length = counts.iter().map(|&(_, c)| f64::from(c).powi(2)).sum::<f64>().sqrt();
    counts.into_iter().map(|(ngram, count)| (ngram, f64::from(count) / length)).collect()
}

/// The distinct n-grams of a text, ascending, with their counts.
pub(crate) fn counted(text: &[u32]) -> Vec<(u32, u32)> {
    let mut sorted = text.to_vec();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.map(|run| (run[0], run.len() as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ngrams_have_equal_numbers_across_texts() {
        let orders = Ngrams::up_to(&[vec![5, 6, 5, 6], vec![6, 5, 6], vec![9], vec![]], 3);
        assert_eq!(orders[1].of, [vec![0, 1, 0], vec![1, 0], vec![], vec![]]);
        assert_eq!(orders[2].of, [vec![0, 1], vec![1], vec![], vec![]]);
        assert_eq!((orders[1].distinct, orders[2].distinct), (2, 2));
    }

    #[test]
    fn what_no_text_is_long_enough_for_is_undefined() {
        assert_eq!(distinct(&[vec![1, 1]]), [Some(0.5), Some(1.0), None, None]);
        assert_eq!(distinct(&[]), [None; 4]);
        assert_eq!((unique_fraction::<u8>(&[]), mean_tokens(&[])), (None, None));
        assert_eq!(unique_fraction(&["a", "b", "a", "a"]), Some(0.5));
        assert_eq!(mean_tokens(&[vec![1, 2, 3], vec![]]), Some(1.5));
    }

    #[test] // a table takes the lowest bits for a place and the upper seven to tell apart what meets there
    fn words_that_differ_in_either_half_are_spread_over_a_table() {
        for step in [1, 1 << 32, (1 << 32) + 1] {
            let hash = |i: u64| {
                let mut hasher = WordHasher::default();
                hasher.write_u64(i * step);
                hasher.finish()
            };
            let distinct = |bits: fn(u64) -> u64| {
                let seen: std::collections::HashSet<u64> =
                    (0..1024).map(|i| bits(hash(i))).collect();
                seen.len()
            };
            assert_eq!(distinct(|hash| hash >> 57), 128, "step {step}");
            // Hashes drawn at random would have 647.
            assert!(distinct(|hash| hash & 1023) > 600, "step {step}");
        }
    }

    #[test] // closed form
    fn the_kernel_of_texts_is_their_mean_cosine() {
        let texts = [vec![1, 2], vec![1, 2], vec![1, 3], vec![7]];
        let kernel = ngram_kernel(&texts, 2);
        // Orders 1 and 2: the first two agree in both, the third shares half of its 1-grams; the last has no 2-gram.
        let expected = [
            [1.0, 1.0, 0.25, 0.0],
            [1.0, 1.0, 0.25, 0.0],
            [0.25, 0.25, 1.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        for (got, expected) in kernel.iter().zip(expected.as_flattened()) {
            assert!((got - expected).abs() < 1e-15, "{kernel:?}");
        }
    }

    #[test] // closed form
    fn the_vendi_score_counts_texts_that_share_nothing() {
        let texts = [vec![1, 2, 3], vec![1, 2, 3], vec![4, 5], vec![4, 5]];
        let score = |texts| ngram_vendi(texts, 2).unwrap().unwrap();
        assert!((score(&texts) - 2.0).abs() < 1e-12);
        assert!((score(&texts[..2]) - 1.0).abs() < 1e-12);
        // Cosines ½ and 0, so ¼ on average: eigenvalues (1 ± ¼)/2.
        let pair: f64 = score(&[vec![1, 2], vec![1, 3]]);
        let exact = -(0.625f64 * 0.625f64.ln() + 0.375 * 0.375f64.ln());
        assert!((pair.ln() - exact).abs() < 1e-12, "{pair}");
        assert_eq!(ngram_vendi(&[], 4), Ok(None));
    }
}
