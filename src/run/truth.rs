//! What is exactly true of completions of a task whose distribution is a grammar.

use indexmap::IndexMap;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    data::sides::Sides,
    metric::{
        curve::{ALPHA, BETA, pr_curve},
        spec::Truth,
    },
    rng,
    score::{
        calibrate::{Subsample, interval, subsample},
        record::Estimate,
    },
    text::grammar::Grammar,
};

/// Half-samples behind an interval.
const RESAMPLES: usize = 100;
/// Slopes at which the exact curve is kept, as those of the estimated one.
pub const LAMBDAS: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// What a grammar says of a set of texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdicts {
    /// The mode of each text that the grammar accepts.
    pub accepted: Vec<Option<usize>>,
    /// The mode that each text reaches: of an accepted text its own, of another the one that it had
    /// settled on where it leaves the language.
    pub reached: Vec<Option<usize>>,
    /// Exact probabilities of the modes.
    pub shares: Vec<f64>,
}

impl Verdicts {
    /// Parses every text. A mode that the grammar's variant drops counts as outside of the language.
    pub fn new<S: AsRef<str>>(grammar: &Grammar, texts: &[S]) -> Self {
        let shares: Vec<f64> = grammar.modes().iter().map(|mode| mode.probability).collect();
        let kept = |mode: &usize| shares[*mode] > 0.0;
        let verdict = |text: &S| match grammar.parse(text.as_ref().trim()) {
            Ok(parse) => {
                let mode = Some(parse.mode()).filter(kept);
                (mode, mode)
            }
            Err(rejection) => (None, rejection.mode().filter(kept)),
        };
        let (accepted, reached) = texts.iter().map(verdict).unzip();
        Self { accepted, reached, shares }
    }

    /// Those of the first texts of two sets mixed: text `i` is that of `self` where `origins` says 0 for it, else of
    /// `other`.
    pub fn mixed(&self, other: &Self, origins: &[usize]) -> Self {
        let of = |one: &[Option<usize>], other: &[Option<usize>]| {
            let from = |(at, &origin)| if origin == 0 { one[at] } else { other[at] };
            origins.iter().enumerate().map(from).collect()
        };
        Self {
            accepted: of(&self.accepted, &other.accepted),
            reached: of(&self.reached, &other.reached),
            shares: self.shares.clone(),
        }
    }

    /// How many of `rows` are in each mode.
    fn counts(&self, modes: &[Option<usize>], rows: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.shares.len()];
        rows.iter().filter_map(|&row| modes[row]).for_each(|mode| counts[mode] += 1);
        counts
    }

    /// The measures of [`truth`] over `rows`.
    pub fn measure(&self, rows: &[usize]) -> IndexMap<String, f64> {
        let n = rows.len() as f64;
        let [accepted, reached] = [&self.accepted, &self.reached].map(|m| self.counts(m, rows));
        let found = |counts: &[usize]| {
            let hit = counts.iter().zip(&self.shares).filter(|(count, _)| **count > 0);
            hit.fold((0.0, 0.0), |(mass, modes), (_, p)| (mass + p, modes + 1.0))
        };
        let (recall, modes) = found(&reached);
        let (recall_accepted, modes_accepted) = found(&accepted);
        let found_times = |times: usize| {
            let of = reached.iter().zip(&self.shares).filter(|(count, _)| **count == times);
            of.fold((0.0, 0.0), |(mass, modes), (_, p)| (mass + p, modes + 1.0))
        };
        let ((mass_once, once), (_, twice)) = (found_times(1), found_times(2));
        let unseen = mass_once * (once - 1.0_f64).max(0.0) / (2.0 * (twice + 1.0));
        let mut measures = IndexMap::new();
        measures
            .insert(Truth::Precision.name().to_owned(), accepted.iter().sum::<usize>() as f64 / n);
        measures.insert(Truth::Recall.name().to_owned(), recall);
        measures.insert(Truth::RecallAccepted.name().to_owned(), recall_accepted);
        measures.insert(Truth::RecallExtrapolated.name().to_owned(), (recall + unseen).min(1.0));
        measures.insert("modes".to_owned(), modes);
        measures.insert("modes_accepted".to_owned(), modes_accepted);
        let q: Vec<f64> = accepted.iter().map(|&count| count as f64 / n).collect();
        let shares = Sides { reference: &self.shares[..], model: &q[..] };
        let points = pr_curve(shares, &LAMBDAS);
        for point in &points {
            measures.insert(ALPHA.key(Some(point.lambda)), point.alpha);
        }
        for point in &points {
            measures.insert(BETA.key(Some(point.lambda)), point.beta);
        }
        measures
    }
}

/// Exact precision and recall of texts under a grammar; higher is better.
///
/// A text *reaches* a mode when the longest beginning of it that any text of the grammar has is had by
/// texts of that mode alone: a biography with one wrong year is no text of the grammar, and yet it is one
/// of, say, a Norwegian painter. Reaching is diversity, whatever the quality; being accepted is quality.
/// With `p_i` the exact probability of mode `i` and `q_i` the share of texts that are accepted and in it:
///
/// ```text
/// precision       = Σ q_i, the share of texts that the grammar accepts
/// recall          = Σ p_i over the modes that some text reaches
/// recall_accepted = Σ p_i over the modes that some accepted text is in, at most recall
/// alpha@λ         = Σ min(λ p_i, q_i)          beta@λ = alpha@λ / λ
/// recall_extrapolated = recall + (Σ p_i over the f₁ modes reached once) (f₁ − 1) / (2 (f₂ + 1)), at most 1
/// modes, modes_accepted = how many modes are in those sums
/// ```
///
/// `alpha@λ` tends to precision as λ grows, `beta@λ` to `recall_accepted` as it vanishes.
///
/// `recall_extrapolated` is what infinitely many texts would reach at least, by the `f₁` modes that one text reaches and
/// the `f₂` that two do (Chao 1984, modes weighted by `p`): no exact value, but one from exact modes.
///
/// Precision has Wilson's binomial interval, the others delete-half ones from `seed`. The ceiling of
/// recall, modes, alpha and beta is what as many texts of the grammar itself reach on average:
/// `Σ p_i (1 − (1 − p_i)^n)` for recall; for alpha and beta the mean over draws.
///
/// Empty for no texts. Cost: a parse a text and `O(n)` for each half-sample.
pub fn truth<S: AsRef<str>>(
    grammar: &Grammar,
    texts: &[S],
    seed: u64,
) -> IndexMap<String, Estimate> {
    Truths::new(grammar, seed).of(texts)
}

/// [`truth`] of many sets of texts; what a number of texts of the grammar reaches is drawn once.
pub struct Truths<'a> {
    grammar: &'a Grammar,
    seed: u64,
    /// By the number of texts.
    ceilings: Mutex<HashMap<usize, Arc<IndexMap<String, f64>>>>,
}

impl<'a> Truths<'a> {
    /// Under a grammar, with intervals and ceilings from a seed.
    pub fn new(grammar: &'a Grammar, seed: u64) -> Self {
        Self { grammar, seed, ceilings: Mutex::default() }
    }

    /// The [`truth`] of one set.
    pub fn of<S: AsRef<str>>(&self, texts: &[S]) -> IndexMap<String, Estimate> {
        let verdicts = Verdicts::new(self.grammar, texts);
        let n = texts.len();
        let all: Vec<usize> = (0..n).collect();
        if n == 0 {
            return IndexMap::new();
        }
        let mut rng = rng::named(self.seed, "truth halves");
        let half = Subsample::half(n);
        let halves: Vec<IndexMap<String, f64>> = match n {
            1 => Vec::new(),
            _ => {
                (0..RESAMPLES).map(|_| verdicts.measure(&subsample(&mut rng, half, &[]))).collect()
            }
        };
        let ceilings = self.ceilings(&verdicts.shares, n);
        let estimate = |(name, value): (String, f64)| {
            let values: Vec<f64> =
                halves.iter().filter_map(|half| half.get(&name).copied()).collect();
            let range = if name.starts_with("modes") {
                (0.0, verdicts.shares.len() as f64)
            } else {
                (0.0, 1.0)
            };
            let around = match name.as_str() {
                name if name == Truth::Precision.name() => Some(wilson(value, n)),
                _ => interval(value, &values, half.variance_factor(), 0.0, range)
                    .map(|interval| (interval.low, interval.high)),
            };
            let ceiling = ceilings.get(&name).copied();
            let (low, high) = (around.map(|a| a.0), around.map(|a| a.1));
            (name, Estimate { low, high, ceiling, ..Estimate::bare(value) })
        };
        verdicts.measure(&all).into_iter().map(estimate).collect()
    }

    fn ceilings(&self, shares: &[f64], n: usize) -> Arc<IndexMap<String, f64>> {
        let known = || self.ceilings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&n) {
            return found.clone();
        }
        // Not under the lock: two threads may draw the same at first.
        let found = Arc::new(ceilings(shares, n, self.seed));
        known().insert(n, found.clone());
        found
    }
}

/// Wilson's 95 % interval of a share of `n`.
pub(super) fn wilson(share: f64, n: usize) -> (f64, f64) {
    let (z, n) = (1.959_963_985_f64, n as f64);
    let scale = (1.0 + z * z / n).recip();
    let center = (share + z * z / (2.0 * n)) * scale;
    let reach = z * scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    ((center - reach).max(0.0).min(share), (center + reach).min(1.0).max(share))
}

/// What `n` texts of the grammar itself score on average.
fn ceilings(shares: &[f64], n: usize, seed: u64) -> IndexMap<String, f64> {
    const DRAWS: usize = 50;
    let mut rng = rng::named(seed, "truth ceilings");
    let mut ends = Vec::with_capacity(shares.len());
    let mut sum = 0.0;
    for share in shares {
        sum += share;
        ends.push(sum);
    }
    let mut sums: IndexMap<String, f64> = IndexMap::new();
    for _ in 0..DRAWS {
        let draw = |_| {
            let u = rng::next_unit(&mut rng);
            Some(ends.partition_point(|&end| end <= u).min(shares.len() - 1))
        };
        let modes: Vec<Option<usize>> = (0..n).map(draw).collect();
        let verdicts =
            Verdicts { accepted: modes.clone(), reached: modes, shares: shares.to_vec() };
        for (name, value) in verdicts.measure(&(0..n).collect::<Vec<_>>()) {
            *sums.entry(name).or_default() += value / DRAWS as f64;
        }
    }
    let missed = |p: f64| (1.0 - p).powf(n as f64);
    let mass: f64 = shares.iter().map(|&p| p * (1.0 - missed(p))).sum();
    let modes: f64 = shares.iter().map(|&p| 1.0 - missed(p)).sum();
    for (name, value) in [(Truth::Recall.name(), mass), ("modes", modes)] {
        sums.insert(name.to_owned(), value);
        sums.insert(format!("{name}_accepted"), value);
    }
    sums.insert(Truth::Precision.name().to_owned(), 1.0);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar() -> Grammar {
        let source =
            "start s\nmodes t\ntable t\n    3 * a\n    1 * b\nrule s\n    {t}\n    no {t}, {t}\n";
        Grammar::parse_source(source, "t.grammar").unwrap()
    }

    #[test] // closed form
    fn precision_is_what_is_accepted_and_recall_the_mass_of_modes_reached() {
        let found = truth(&grammar(), &["a", "a ", "c", "a"], 0);
        let value = |name: &str| found[name].value;
        assert_eq!((value("precision"), value("recall"), value("modes")), (0.75, 0.75, 1.0));
        // λ = 1: min(¾, ¾); λ = ½: min(⅜, ¾); β = α/λ
        assert_eq!((value("alpha@1"), value("alpha@0.5"), value("beta@0.5")), (0.75, 0.375, 0.75));
        assert_eq!(value("recall_extrapolated"), 0.75); // no mode is reached once
        let precision = &found["precision"];
        assert!(precision.low.unwrap() < 0.31 && precision.high.unwrap() > 0.95, "{precision:?}");
        // Four draws miss `a` with probability 1/256 and `b` with 81/256.
        let ceiling = 0.75 * (1.0 - 1.0 / 256.0) + 0.25 * (1.0 - 81.0 / 256.0);
        assert!((found["recall"].ceiling.unwrap() - ceiling).abs() < 1e-12);
    }

    #[test] // closed form
    fn a_text_with_a_fault_reaches_its_mode_without_being_accepted() {
        // `b!` and `no b, x` have settled on b where they fail; `no x` could be of either mode still.
        let texts = ["a", "b!", "no b, x", "no x"];
        let found = truth(&grammar(), &texts, 0);
        let value = |name: &str| found[name].value;
        assert_eq!((value("precision"), value("recall"), value("modes")), (0.25, 1.0, 2.0));
        assert_eq!((value("recall_accepted"), value("modes_accepted")), (0.75, 1.0));
        assert_eq!(value("recall_extrapolated"), 1.0);
        let verdicts = Verdicts::new(&grammar(), &texts);
        assert_eq!(verdicts.reached, [Some(0), Some(1), Some(1), None]);
        assert_eq!(verdicts.accepted, [Some(0), None, None, None]);
    }

    #[test] // property
    fn the_parts_of_the_truth_stand_to_each_other_as_they_must() {
        let grammar = Grammar::synthetic_bio();
        let mut texts = grammar.texts(2, "test", 200).unwrap();
        for (index, text) in texts.iter_mut().enumerate().filter(|(index, _)| index % 2 == 0) {
            text.truncate(text.len() * (index % 10) / 10);
        }
        let found = truth(grammar, &texts, 0);
        let value = |name: &str| found[name].value;
        assert!(value("recall_accepted") < value("recall") && value("recall") < 1.0);
        assert_eq!(value("precision"), 0.5);
        for lambda in LAMBDAS {
            assert!(value(&format!("alpha@{lambda}")) <= value("precision") + 1e-12);
            assert!(value(&format!("beta@{lambda}")) <= value("recall_accepted") + 1e-12);
        }
    }

    #[test]
    fn texts_of_the_grammar_itself_are_at_the_ceiling() {
        let grammar = Grammar::synthetic_bio();
        let found = truth(grammar, &grammar.texts(1, "test", 400).unwrap(), 0);
        assert_eq!(found["precision"].value, 1.0);
        for (name, estimate) in &found {
            let (low, high) = (estimate.low.unwrap(), estimate.high.unwrap());
            let (ceiling, room) = (estimate.ceiling.unwrap(), 0.02 * estimate.value.max(0.05));
            assert!((low - room..=high + room).contains(&ceiling), "{name}: {estimate:?}");
        }
    }

    #[test]
    fn a_dropped_mode_is_outside_and_no_texts_have_no_truth() {
        let without = Grammar::synthetic_bio();
        let dropped = without
            .variant(crate::text::grammar::Variant {
                drop: vec!["country=Ireland".to_owned()],
                double: Vec::new(),
            })
            .unwrap();
        let found = truth(&dropped, &without.texts(1, "test", 300).unwrap(), 0);
        let precision = found["precision"].value;
        assert!((precision - 0.6).abs() < 0.12, "{precision}"); // 300 draws at 0.6 deviate by 0.028
        assert!(truth::<&str>(without, &[], 0).is_empty());
    }

    #[test] // closed form: z² / (n + z²) at none of n, and symmetric about one half
    fn wilson_s_interval_is_that_of_the_formula() {
        let (low, high) = wilson(0.0, 10);
        assert!(low == 0.0 && (high - 0.277_532_8).abs() < 1e-6, "{low} {high}");
        let (low, high) = wilson(0.5, 100);
        assert!((low - 0.403_831_5).abs() < 1e-6 && (low + high - 1.0).abs() < 1e-12, "{low}");
    }

    #[test] // closed form: with a modes reached once and b twice, mass(a) (a − 1) / (2 (b + 1)) is unseen
    fn recall_is_extrapolated_from_what_is_reached_once_and_twice() {
        let shares = vec![0.05, 0.1, 0.15, 0.2, 0.5];
        let reached = [0, 1, 2, 3, 3].map(Some).to_vec();
        let verdicts = Verdicts { accepted: reached.clone(), reached, shares };
        let found = verdicts.measure(&[0, 1, 2, 3, 4]);
        let near = |name: &str, value: f64| (found[name] - value).abs() < 1e-12;
        assert!(near("recall", 0.5) && near("recall_extrapolated", 0.5 + 0.3 * 2.0 / 4.0));
        assert_eq!((found["precision"], found["modes"]), (1.0, 4.0));
    }
}
