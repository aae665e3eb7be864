//! Self-BLEU: how much of each text the other texts already say.

use rayon::prelude::*;

use super::{
    ngram::{Ngrams, counted},
    spec::{Better, Family, Null, Range, Spec},
};

/// Mean of [`self_bleu()`] up to n-grams of four tokens.
pub const SELF_BLEU_4: Spec = Spec {
    name: "self_bleu_4",
    title: "Self-BLEU",
    family: Family::Diversity,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::OwnValue,
    truth: &[],
    cost: "O(tokens)",
    parameter: None,
};

/// Why texts have no self-BLEU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum BleuError {
    /// A text has no other text to be held against.
    #[error("BLEU needs {needed}, and there are {texts} texts")]
    TooFew { needed: &'static str, texts: usize },
    /// n-grams of no length.
    #[error("BLEU of order 0 has no n-grams; orders start at 1")]
    Order,
}

/// BLEU of every text with all other texts as its references; lower is more diverse. In `[0, 1]`.
///
/// ```text
/// BLEU = bp · exp((1/N) Σ_{n=1}^{N} ln p_n),   p_n = Σ_g min(count(g), max over references of count(g)) / (t − n + 1)
/// ```
///
/// As in nltk with `SmoothingFunction().method1`: a count of 0 becomes 0.1, a denominator is at least 1, no
/// common token at all gives 0, and `bp = min(1, exp(1 − r/t))` with `r` the reference length
/// nearest to the text's `t` (the shorter on ties).
///
/// # Arguments
///
/// * `texts`: at least two texts of token ids.
/// * `order`: `N`; 4 is usual.
///
/// # Errors
///
/// [`BleuError`].
///
/// # Cost and sources
///
/// `O(tokens · N)`: of every n-gram only its two largest counts are kept, and whose the larger is. Zhu et al. 2018,
/// arXiv:1802.01886. Checked against nltk 3.10.4.
///
/// # Example
///
/// ```
/// # use llmpr::metric::self_bleu::self_bleu;
/// let scores = self_bleu(&[vec![1, 2, 3], vec![1, 2, 3], vec![7, 8, 9]], 2)?;
/// assert_eq!(scores, [1.0, 1.0, 0.0]);
/// # Ok::<(), llmpr::metric::self_bleu::BleuError>(())
/// ```
pub fn self_bleu(texts: &[Vec<u32>], order: usize) -> Result<Vec<f64>, BleuError> {
    if texts.len() < 2 {
        return Err(BleuError::TooFew { needed: "two texts", texts: texts.len() });
    }
    score(texts, texts.len(), order, true)
}

/// BLEU of every text of `hypotheses` with all `references`, as [`self_bleu`] counts it.
///
/// # Errors
///
/// [`BleuError`] where there is no reference.
///
/// # Example
///
/// ```
/// # use llmpr::metric::self_bleu::bleu;
/// // Two of three tokens stand in the reference, which is as long.
/// let scores = bleu(&[vec![1, 2, 3]], &[vec![1, 2, 4]], 1)?;
/// assert!((scores[0] - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), llmpr::metric::self_bleu::BleuError>(())
/// ```
pub fn bleu(
    hypotheses: &[Vec<u32>],
    references: &[Vec<u32>],
    order: usize,
) -> Result<Vec<f64>, BleuError> {
    if references.is_empty() {
        return Err(BleuError::TooFew { needed: "a reference", texts: 0 });
    }
    let texts = [references, hypotheses].concat();
    Ok(score(&texts, references.len(), order, false)?.split_off(references.len()))
}

/// Scores all `texts` by the first `references` of them, each without itself if `others` says so.
fn score(
    texts: &[Vec<u32>],
    references: usize,
    order: usize,
    others: bool,
) -> Result<Vec<f64>, BleuError> {
    if order == 0 {
        return Err(BleuError::Order);
    }
    // Per text: Σ ln p_n; −∞ where no token is shared.
    let mut logs = vec![0.0; texts.len()];
    let mut tokens: Option<Ngrams> = None;
    let mut ngrams: Option<Ngrams> = None;
    for n in 1..=order {
        let next = match (&ngrams, &tokens) {
            (Some(shorter), Some(tokens)) => shorter.longer(tokens),
            _ => Ngrams::tokens(texts),
        };
        let counts: Vec<Vec<(u32, u32)>> = next.of.par_iter().map(|text| counted(text)).collect();
        let peaks = Peaks::of(&counts[..references], next.distinct);
        logs.par_iter_mut().zip(&counts).zip(&next.of).enumerate().for_each(
            |(i, ((log, counts), all))| {
                crate::data::stop::check();
                let own = if others { i as u32 } else { u32::MAX };
                let clip =
                    |&(ngram, count): &(u32, u32)| u64::from(count.min(peaks.without(ngram, own)));
                let shared: u64 = counts.iter().map(clip).sum();
                let numerator = match (shared, n) {
                    (0, 1) => 0.0,
                    (0, _) => 0.1,
                    _ => shared as f64,
                };
                *log += (numerator / all.len().max(1) as f64).ln();
            },
        );
        if n == 1 {
            tokens = Some(next.clone());
        }
        ngrams = Some(next);
    }
    let lengths = Lengths::of(&texts[..references]);
    let bleu = |(text, log): (&Vec<u32>, f64)| {
        if log == f64::NEG_INFINITY {
            return 0.0;
        }
        let nearest = lengths.nearest(text.len(), others);
        let penalty =
            if text.len() > nearest { 0.0 } else { 1.0 - nearest as f64 / text.len() as f64 };
        (penalty + log / order as f64).exp()
    };
    Ok(texts.iter().zip(logs).map(bleu).collect())
}

/// Per n-gram: its largest count in a reference, that reference, and the largest count in another.
struct Peaks(Vec<(u32, u32, u32)>);

impl Peaks {
    fn of(counts: &[Vec<(u32, u32)>], distinct: usize) -> Self {
        let mut peaks = vec![(0, u32::MAX, 0); distinct];
        for (text, counts) in (0u32..).zip(counts) {
            for &(ngram, count) in counts {
                let (most, whose, second) = &mut peaks[ngram as usize];
                if count > *most {
                    (*most, *whose, *second) = (count, text, *most);
                } else if count > *second {
                    *second = count;
                }
            }
        }
        Self(peaks)
    }

    /// The largest count of `ngram` in a reference other than `text`.
    fn without(&self, ngram: u32, text: u32) -> u32 {
        let (most, whose, second) = self.0[ngram as usize];
        if whose == text { second } else { most }
    }
}

/// Distinct lengths of references, ascending, with how many have them.
struct Lengths(Vec<(usize, usize)>);

impl Lengths {
    fn of(texts: &[Vec<u32>]) -> Self {
        let mut lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        Self(lengths.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect())
    }

    /// The length nearest to `length`, the shorter on ties; one text of that very length is left out
    /// where it is the text itself.
    fn nearest(&self, length: usize, others: bool) -> usize {
        let at = self.0.partition_point(|&(l, _)| l < length);
        let mut from = at;
        if let Some(&(l, texts)) = self.0.get(at)
            && l == length
        {
            if texts > usize::from(others) {
                return length;
            }
            from = at + 1;
        }
        let below = at.checked_sub(1).map(|i| self.0[i].0);
        let above = self.0.get(from).map(|&(l, _)| l);
        match (below, above) {
            (Some(below), Some(above)) if above - length < length - below => above,
            (Some(below), _) => below,
            (None, Some(above)) => above,
            (None, None) => length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // closed form
    fn counts_are_clipped_by_the_fullest_other_text() {
        // "1 1 1 2" against "1 1" and "2": two of three 1s, and the 2; 2-grams 11 11 12 with 11 once.
        let scores = bleu(&[vec![1, 1, 1, 2]], &[vec![1, 1], vec![2]], 2).unwrap();
        assert!((scores[0] - (0.75f64 * (1.0 / 3.0)).sqrt()).abs() < 1e-15, "{scores:?}");
    }

    #[test] // closed form
    fn a_text_shorter_than_all_others_pays_for_it() {
        // Nearest length 3 to 2: exp(1 − 3/2); all of its tokens and its 2-gram are there.
        let scores = bleu(&[vec![1, 2]], &[vec![1, 2, 3], vec![1, 2, 3, 4]], 2).unwrap();
        assert!((scores[0] - (-0.5f64).exp()).abs() < 1e-15, "{scores:?}");
    }

    #[test]
    fn the_nearest_length_is_the_shorter_on_ties_and_never_the_texts_own() {
        let lengths = Lengths::of(&[vec![0; 2], vec![0; 4], vec![0; 4], vec![0; 6], vec![0; 9]]);
        let nearest = |length, others| lengths.nearest(length, others);
        assert_eq!([nearest(3, true), nearest(4, true), nearest(5, true)], [2, 4, 4]);
        assert_eq!([nearest(2, true), nearest(6, true), nearest(9, true)], [4, 4, 6]);
        assert_eq!([nearest(1, false), nearest(20, false), nearest(8, false)], [2, 9, 9]);
    }

    #[test]
    fn empty_texts_score_zero_and_a_lone_text_gets_a_sentence() {
        assert_eq!(self_bleu(&[vec![], vec![], vec![1]], 4).unwrap(), [0.0; 3]);
        assert_eq!(
            self_bleu(&[vec![1]], 4).unwrap_err().to_string(),
            "BLEU needs two texts, and there are 1 texts"
        );
        assert_eq!(
            bleu(&[vec![1]], &[], 4).unwrap_err().to_string(),
            "BLEU needs a reference, and there are 0 texts"
        );
    }
}
