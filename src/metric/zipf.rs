//! Zipf coefficient of token frequencies.

use super::{
    ngram::{Ngrams, counted},
    spec::{Better, Family, Null, Range, Spec},
};

/// [`zipf()`].
pub const ZIPF: Spec = Spec {
    name: "zipf",
    title: "Zipf coefficient",
    family: Family::Diversity,
    range: Range::Any,
    better: Better::Neither,
    null: Null::OwnValue,
    truth: &[],
    cost: "O(tokens log tokens)",
    parameter: None,
};

/// Ranks that count: the most frequent tokens.
const MOST_RANKS: usize = 5000;

/// Steps of `ln rank` that one unit is divided into.
const RESOLUTION: f64 = 15.0;

/// Slope of `ln frequency` on `ln rank` over the tokens of all texts: about −1 in human text.
///
/// As in the code of the MAUVE paper, the 5000 most frequent tokens count, the last of them is left out, and of the ranks that
/// round to one multiple of 1/15 of `ln rank` only the first is kept, so that the tail does not outweigh the head.
///
/// `None` where fewer than two such ranks are left. `O(tokens log tokens)`. Holtzman et al. 2020, arXiv:1904.09751.
///
/// # Example
///
/// ```
/// # use llmpr::metric::zipf::zipf;
/// // Frequencies 4, 2, 1, the last left out; ln 2 rounds to 10/15: from ln 4 at 0 to ln 2 at 2/3.
/// let slope = zipf(&[vec![1, 1, 1, 2], vec![1, 2, 3]]).unwrap();
/// assert!((slope + 1.5 * 2f64.ln()).abs() < 1e-12);
/// ```
pub fn zipf(texts: &[Vec<u32>]) -> Option<f64> {
    let tokens = Ngrams::tokens(texts);
    let all: Vec<u32> = tokens.of.concat();
    let mut frequencies: Vec<u32> = counted(&all).into_iter().map(|(_, count)| count).collect();
    frequencies.sort_unstable_by(|a, b| b.cmp(a));
    frequencies.truncate(MOST_RANKS);
    frequencies.pop();
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (rank, frequency) in (1u32..).zip(frequencies) {
        let x = (RESOLUTION * f64::from(rank).ln()).round_ties_even() / RESOLUTION;
        if points.last().is_none_or(|last| last.0 != x) {
            points.push((x, f64::from(frequency).ln()));
        }
    }
    slope(&points)
}

/// Least-squares slope of `y` on `x`.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    let n = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / n;
    let along: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let square: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    Some(along / square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_that_fall_as_one_over_rank_have_slope_minus_one() {
        let token = |rank: u32| std::iter::repeat_n(rank, (2520 / rank) as usize);
        let text: Vec<u32> = (1..=30).flat_map(token).collect();
        let slope = zipf(&[text]).unwrap();
        assert!((slope + 1.0).abs() < 0.01, "{slope}"); // 2520/rank is cut to whole counts
    }

    #[test]
    fn too_few_tokens_have_no_slope() {
        assert_eq!(zipf(&[]), None);
        assert_eq!(zipf(&[vec![1, 1, 2]]), None);
        assert_eq!(
            zipf(&[vec![1, 1, 1, 2, 2, 3]]),
            Some(slope(&[(0.0, 3f64.ln()), (10.0 / 15.0, 2f64.ln())]).unwrap())
        );
    }
}
