//! What becomes of in-context examples: copied by the model, dropped from prompts, met again in the reference.

use indexmap::IndexMap;
use rayon::prelude::*;

use super::truth::wilson;
use crate::{report::record::SampleRecord, score::record::Estimate, text::spans::shared_with};

/// Words in a row that count as copied.
pub const RUN: usize = 8;

/// What becomes of the examples in a cell's prompts; empty without examples.
///
/// ```text
/// examples_copied        = completions that share RUN words in a row with their prompt / all completions
/// examples_copied_others = the same with the next prompt, which they have not seen: what the kind of text brings along
/// examples_dropped       = examples left out because prompts did not fit / those asked for
/// examples_leaked        = reference texts that share RUN words in a row with some prompt / all reference texts
/// ```
///
/// The difference of the first two is copying. Shares have Wilson's binomial 95 % interval, which takes texts for
/// independent. `examples_copied_others` needs two different prompts. Cost: `O(N log² L)` for `N` words.
pub fn examples(
    samples: &[SampleRecord],
    shots: usize,
    reference: &[String],
) -> IndexMap<String, Estimate> {
    let mut found = IndexMap::new();
    if shots == 0 || samples.is_empty() {
        return found;
    }
    let mut by_prompt: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for sample in samples {
        let written = sample.completion.as_deref().unwrap_or_else(|| sample.text());
        by_prompt.entry(&sample.prompt).or_default().push(written);
    }
    let prompts: Vec<&str> = by_prompt.keys().copied().collect();
    let texts: Vec<&[&str]> = by_prompt.values().map(Vec::as_slice).collect();
    // Each prompt's completions held against the prompt that many further on.
    let copies = |step: usize| -> usize {
        let one = |at: usize| long(texts[at], &[prompts[(at + step) % prompts.len()]]);
        (0..prompts.len()).into_par_iter().map(one).sum()
    };
    let mut share = |name: &str, count: usize, of: usize| {
        let value = count as f64 / of as f64;
        let (low, high) = wilson(value, of);
        let estimate = Estimate { low: Some(low), high: Some(high), ..Estimate::bare(value) };
        found.insert(name.to_owned(), estimate);
    };
    share("examples_copied", copies(0), samples.len());
    if prompts.len() > 1 {
        share("examples_copied_others", copies(1), samples.len());
    }
    let used: usize = samples.iter().map(|sample| sample.shots_used).sum();
    let asked = shots * samples.len();
    let dropped = Estimate::bare(asked.saturating_sub(used) as f64 / asked as f64);
    let reference: Vec<&str> = reference.iter().map(String::as_str).collect();
    if !reference.is_empty() {
        share("examples_leaked", long(&reference, &prompts), reference.len());
    }
    found.insert("examples_dropped".to_owned(), dropped);
    found
}

/// How many of `texts` share [`RUN`] words in a row with one of `others`.
fn long(texts: &[&str], others: &[&str]) -> usize {
    let spans = shared_with(texts, others);
    spans.into_iter().flatten().filter(|span| span.words >= RUN).count()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decode::Decoding;

    /// A completion of which nothing else matters.
    pub(in crate::run) fn sample(prompt: &str, text: &str, shots_used: usize) -> SampleRecord {
        SampleRecord {
            id: String::new(),
            prompt_id: String::new(),
            prompt: prompt.into(),
            text: Some(text.to_owned()),
            completion: None,
            tokens: Vec::new(),
            n_tokens: None,
            finish_reason: "eos".to_owned(),
            logprob: 0.0,
            logprob_model: 0.0,
            entropy: 0.0,
            decoding: Decoding::default(),
            seed: 0,
            prompt_index: 0,
            sample: 0,
            shots_used,
        }
    }

    #[test]
    fn copies_of_the_own_prompt_are_told_from_what_every_prompt_has() {
        let (a, b) = ("one two three four five six seven eight", "a b c d e f g h i");
        let formula = "once upon a time there was a very small house";
        let prompts = [a, b].map(|example| format!("{formula}\n{example}\nNEXT:"));
        let samples = [
            sample(&prompts[0], "one two three four five six seven eight nine", 2),
            sample(&prompts[0], "one two three four five six seven and more", 2),
            sample(&prompts[1], "once upon a time there was a very old man", 1),
            sample(&prompts[1], "something else", 1),
        ];
        let reference = ["z a b c d e f g h", "b a c"].map(str::to_owned);
        let found = examples(&samples, 2, &reference);
        let value = |name: &str| found[name].value;
        assert_eq!(value("examples_copied"), 0.5, "the first, and the formula");
        assert_eq!(value("examples_copied_others"), 0.25, "the formula alone");
        assert_eq!(value("examples_dropped"), 0.25);
        assert_eq!(value("examples_leaked"), 0.5);
        assert!(found["examples_copied"].low.unwrap() > 0.1);
        assert!(examples(&samples, 0, &reference).is_empty());
        assert!(!examples(&samples[..2], 2, &[]).contains_key("examples_copied_others"));
    }
}
