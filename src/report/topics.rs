//! Groups of reference texts with words that name them, and what a cell does with each.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::attribution::CellTexts;

/// Words that name a topic.
const WORDS: usize = 4;

/// A group of reference texts near to each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// What is said in it more than elsewhere, the most telling word first.
    pub words: Vec<String>,
    /// Reference texts in it.
    pub n: usize,
}

/// What a cell does with a topic; in JSON `[reached, texts, frontier]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(into = "(usize, usize, f64)")]
pub struct Share {
    /// Its reference texts in the model's support.
    pub reached: usize,
    /// Completions nearest to it.
    pub texts: usize,
    /// Its part of the frontier integral over the topics, between 0 and 1; 0 where that integral is.
    pub frontier: f64,
}

impl From<Share> for (usize, usize, f64) {
    fn from(share: Share) -> Self {
        // Four digits are what is shown.
        (share.reached, share.texts, (share.frontier * 1e4).round() / 1e4)
    }
}

/// The topics of texts whose `labels` say which each belongs to.
pub fn topics(texts: &[String], labels: &[u32]) -> Vec<Topic> {
    let count = labels.iter().max().map_or(0, |most| *most as usize + 1);
    let mut sizes = vec![0usize; count];
    // In how many texts of each topic a word stands.
    let mut found: HashMap<String, Vec<usize>> = HashMap::new();
    for (text, &label) in texts.iter().zip(labels) {
        sizes[label as usize] += 1;
        for word in words(text) {
            found.entry(word).or_insert_with(|| vec![0; count])[label as usize] += 1;
        }
    }
    let total: usize = sizes.iter().sum();
    let name = |topic: usize| {
        let score = |by: &[usize]| telling(by, topic, &sizes, total);
        let mut best: Vec<(f64, &String)> = found
            .iter()
            .map(|(word, by)| (score(by), word))
            .filter(|(score, _)| *score > 0.0)
            .collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        best.into_iter().take(WORDS).map(|(_, word)| word.clone()).collect()
    };
    (0..count).map(|topic| Topic { words: name(topic), n: sizes[topic] }).collect()
}

/// The words of a text in lower case, each once: letters alone, three or more.
fn words(text: &str) -> HashSet<String> {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() > 2);
    // A word longer than this is no word.
    words.filter(|word| word.chars().count() < 40).map(str::to_lowercase).collect()
}

/// How much more often a word stands in texts of a topic than in others, in standard errors of the difference.
fn telling(by: &[usize], topic: usize, sizes: &[usize], total: usize) -> f64 {
    let (inside, outside) = (sizes[topic] as f64, (total - sizes[topic]) as f64);
    if inside == 0.0 || outside == 0.0 {
        return 0.0;
    }
    let own = by[topic] as f64;
    let all = by.iter().sum::<usize>() as f64;
    let pooled = all / total as f64;
    let error = (pooled * (1.0 - pooled) * (1.0 / inside + 1.0 / outside)).sqrt();
    let gap = own / inside - (all - own) / outside;
    if error > 0.0 { gap / error } else { 0.0 }
}

/// What a cell does with each of its run's `count` topics, to which its references belong by `labels`.
pub fn shares(cell: &CellTexts<'_>, labels: &[u32], count: usize) -> Vec<Share> {
    let mut shares = vec![Share { reached: 0, texts: 0, frontier: 0.0 }; count];
    let Some(evidence) = cell.judged() else { return Vec::new() };
    let mut people = vec![0usize; count];
    for (row, &label) in evidence.reference.iter().zip(labels) {
        people[label as usize] += 1;
        shares[label as usize].reached += usize::from(row.balls > 0);
    }
    for &label in &cell.topics {
        shares[label as usize].texts += 1;
    }
    let (n, m) = (people.iter().sum::<usize>() as f64, cell.topics.len().max(1) as f64);
    let bins = people.iter().zip(&shares);
    let terms: Vec<f64> =
        bins.map(|(&p, share)| term(p as f64 / n, share.texts as f64 / m)).collect();
    let total: f64 = terms.iter().sum();
    if total > 0.0 {
        shares.iter_mut().zip(terms).for_each(|(share, term)| share.frontier = term / total);
    }
    shares
}

/// What a bin of shares `p` and `q` adds to the frontier integral: `(p+q)/2 − pq ln(p/q)/(p−q)`, 0 where they are equal.
fn term(p: f64, q: f64) -> f64 {
    // Nearer to each other the difference of the two is rounding alone.
    if (p - q).abs() <= 1e-6 * (p + q) {
        return 0.0;
    }
    let mixed = if p * q == 0.0 { 0.0 } else { p * q * (p / q).ln() / (p - q) };
    (p + q) / 2.0 - mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::sides::Sides, metric::divergence::Divergence};

    #[test]
    fn the_parts_of_topics_add_up_to_the_frontier_integral() {
        let (p, q) = ([0.5, 0.3, 0.2, 0.0], [0.1, 0.3, 0.0, 0.6]);
        let sum: f64 = p.iter().zip(q).map(|(&p, q)| term(p, q)).sum();
        let whole = Divergence::FrontierIntegral.between(Sides { reference: &p, model: &q });
        assert!((sum - whole).abs() < 1e-12, "{sum} {whole}");
        assert_eq!(term(0.3, 0.3), 0.0);
    }

    #[test]
    fn a_topic_is_named_by_what_is_said_in_it_and_not_elsewhere() {
        let texts = ["the painter of seas", "the painter of hills", "the king in war", "the king"];
        let found = topics(&texts.map(str::to_owned), &[0, 0, 1, 1]);
        assert_eq!(found[0].words[0], "painter");
        assert_eq!(found[1].words[0], "king");
        assert!(found.iter().all(|topic| !topic.words.contains(&"the".to_owned())), "{found:?}");
        assert_eq!((found[0].n, found[1].n), (2, 2));
    }
}
