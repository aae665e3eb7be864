//! Texts that end in a loop.

use super::spec::{Better, Family, Null, Range, Spec};

/// [`repetition()`].
pub const REPETITION: Spec = Spec {
    name: "repetition",
    title: "Share of texts that end in a loop",
    family: Family::Diversity,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::OwnValue,
    truth: &[],
    cost: "O(tokens · repeats)",
    parameter: None,
};

/// Longest phrase that is looked for.
const LONGEST: usize = 500;

/// Whether a text of token ids ends in a loop: its last `n` tokens repeat back to back.
///
/// Of all phrase lengths `n ≤ 500` the one that repeats most often counts (the shortest on ties);
/// it is a loop from 3 tokens on if it stands there twice, and below if it does more than 50 times.
///
/// `O(tokens · repeats)`. Holtzman et al. 2020, arXiv:1904.09751; checked against the code of the MAUVE paper.
///
/// # Example
///
/// ```
/// # use llmpr::metric::repetition::ends_in_a_loop;
/// assert!(ends_in_a_loop(&[9, 1, 2, 3, 1, 2, 3]));
/// assert!(!ends_in_a_loop(&[9, 1, 2, 1, 2])); // too short a phrase for two times
/// ```
pub fn ends_in_a_loop(text: &[u32]) -> bool {
    let (mut most, mut phrase) = (1, 0);
    for n in 1..=LONGEST.min(text.len() / 2) {
        let last = &text[text.len() - n..];
        let times = text.rchunks_exact(n).take_while(|chunk| *chunk == last).count();
        if times > most {
            (most, phrase) = (times, n);
        }
    }
    most > 1 && (phrase >= 3 || most > 50)
}

/// Share of texts that end in a loop; lower is better. `None` without texts.
///
/// # Example
///
/// ```
/// # use llmpr::metric::repetition::repetition;
/// assert_eq!(repetition(&[vec![9, 1, 2, 3, 1, 2, 3], vec![1, 2, 3, 4]]), Some(0.5));
/// ```
pub fn repetition(texts: &[Vec<u32>]) -> Option<f64> {
    let loops = texts.iter().filter(|text| ends_in_a_loop(text)).count();
    (!texts.is_empty()).then(|| loops as f64 / texts.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_token_must_repeat_more_than_fifty_times() {
        assert!(!ends_in_a_loop(&[7; 50]));
        assert!(ends_in_a_loop(&[7; 51]));
    }

    #[test]
    fn the_phrase_that_repeats_most_decides() {
        // "1 1" ends the text too, twice; as a phrase of one token it repeats as often as "2 1 1".
        assert!(!ends_in_a_loop(&[2, 1, 1, 2, 1, 1]));
        assert!(ends_in_a_loop(&[2, 1, 1, 2, 1, 1, 2, 1, 1]));
    }

    #[test]
    fn texts_without_an_end_do_not_loop() {
        assert_eq!(repetition(&[vec![], vec![1], vec![1, 2, 3, 1, 2, 3]]), Some(1.0 / 3.0));
        assert_eq!(repetition(&[]), None);
    }
}
