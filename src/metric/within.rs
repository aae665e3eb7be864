//! Diversity among the completions of one prompt, beside that of as many completions of different prompts.

use std::collections::HashSet;

use indexmap::IndexMap;
use rayon::prelude::*;

use super::{
    spec::{Better, Family, Null, Range, Spec},
    vendi::vendi,
};
use crate::{
    cloud::MetricError,
    data::{
        matrix::Matrix,
        rows::{ReadRows, UnitRows},
    },
    math::special::student_975,
};

/// Mean distance of two completions of one prompt, their features divided by their lengths: 0 to 2.
pub const PROMPT_DISTANCE: Spec = Spec {
    name: "prompt_distance",
    title: "Distance of two completions of a prompt",
    family: Family::Diversity,
    range: Range::Between(0.0, 2.0),
    better: Better::Neither,
    null: Null::None,
    truth: &[],
    cost: "O(n d m), m completions a prompt",
    parameter: None,
};
/// Vendi score of the completions of one prompt: how many different ones there are, in effect.
pub const PROMPT_VENDI: Spec = Spec {
    name: "prompt_vendi",
    title: "Vendi score of a prompt's completions",
    range: Range::FromOne,
    cost: "O(n d m + n m²)",
    ..PROMPT_DISTANCE
};
/// Share of different pairs of neighboring tokens among those of the completions of one prompt.
pub const PROMPT_DISTINCT: Spec = Spec {
    name: "prompt_distinct_2",
    title: "Distinct pairs of tokens of a prompt's completions",
    range: Range::Unit,
    cost: "O(tokens)",
    ..PROMPT_DISTANCE
};
/// Number of classes of meaning among the completions of one prompt: clusters of texts nearer to each other than a
/// reference text is, at the median, to the nearest other.
pub const PROMPT_CLASSES: Spec = Spec {
    name: "prompt_classes",
    title: "Classes of meaning of a prompt's completions",
    range: Range::FromOne,
    cost: "O(n d m + r² d), r reference rows",
    ..PROMPT_DISTANCE
};
/// [`PROMPT_DISTANCE`] of completions of different prompts.
pub const ACROSS_DISTANCE: Spec = Spec {
    name: "across_distance",
    title: "Distance of two completions of different prompts",
    ..PROMPT_DISTANCE
};
/// [`PROMPT_VENDI`] of completions of different prompts.
pub const ACROSS_VENDI: Spec = Spec {
    name: "across_vendi",
    title: "Vendi score of as many completions of different prompts",
    ..PROMPT_VENDI
};
/// [`PROMPT_DISTINCT`] of completions of different prompts.
pub const ACROSS_DISTINCT: Spec = Spec {
    name: "across_distinct_2",
    title: "Distinct pairs of tokens of as many completions of different prompts",
    ..PROMPT_DISTINCT
};
/// [`PROMPT_CLASSES`] of completions of different prompts.
pub const ACROSS_CLASSES: Spec = Spec {
    name: "across_classes",
    title: "Classes of meaning of as many completions of different prompts",
    ..PROMPT_CLASSES
};

/// Modes that the completions of one prompt reach, where the task knows its distribution: the truth that the others
/// estimate.
pub const PROMPT_MODES: Spec = Spec {
    name: "prompt_modes",
    title: "Exact modes of a prompt's completions",
    range: Range::Positive,
    cost: "a parse a text",
    ..PROMPT_DISTANCE
};
/// [`PROMPT_MODES`] of completions of different prompts.
pub const ACROSS_MODES: Spec = Spec {
    name: "across_modes",
    title: "Exact modes of as many completions of different prompts",
    ..PROMPT_MODES
};

/// What is exact where a task's distribution is known, of one prompt's completions and of different prompts'.
pub const EXACT: (&Spec, &Spec) = (&PROMPT_MODES, &ACROSS_MODES);

/// Each measure of one prompt's completions, and the same of different prompts', in the order of tables.
pub const SPECS: [(&Spec, &Spec); 4] = [
    (&PROMPT_DISTANCE, &ACROSS_DISTANCE),
    (&PROMPT_VENDI, &ACROSS_VENDI),
    (&PROMPT_DISTINCT, &ACROSS_DISTINCT),
    (&PROMPT_CLASSES, &ACROSS_CLASSES),
];

/// Sets of rows, as many in each: those of one prompt, and as many of different prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The rows of each prompt.
    pub within: Vec<Vec<usize>>,
    /// The same rows parted so that no two in a set are of one prompt.
    pub across: Vec<Vec<usize>>,
}

impl Groups {
    /// The sets of rows whose prompts are `prompts`; `None` without two prompts of two completions or more.
    ///
    /// Prompts with one completion are left out, and of the others as many completions are taken as the one with the
    /// fewest has, the first, and no more than there are prompts: measures of sets of different sizes do not compare.
    pub fn of(prompts: &[u64]) -> Option<Self> {
        let mut by_prompt: IndexMap<u64, Vec<usize>> = IndexMap::new();
        for (row, prompt) in prompts.iter().enumerate() {
            by_prompt.entry(*prompt).or_default().push(row);
        }
        let mut within: Vec<Vec<usize>> =
            by_prompt.into_values().filter(|rows| rows.len() >= 2).collect();
        let count = within.len();
        let size = within.iter().map(Vec::len).min().filter(|_| count >= 2)?.min(count);
        within.iter_mut().for_each(|rows| rows.truncate(size));
        // Set t has the j-th completion of prompt t − j: every row once, no prompt twice.
        let set = |t: usize| (0..size).map(|j| within[(t + count - j) % count][j]).collect();
        Some(Self { across: (0..count).map(set).collect(), within })
    }
}

/// A mean over sets, and its 95 % interval where there are enough of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The measure.
    pub spec: &'static Spec,
    /// The mean; NaN where no set has a value.
    pub value: f64,
    /// Its interval by Student's t over sets, from 4 of them on.
    pub interval: Option<(f64, f64)>,
}

/// How varied the completions of one prompt are, and as many of different prompts, as means over sets of rows.
///
/// A model that answers each prompt in one way and different prompts differently is varied as a whole and not within a
/// prompt; what is measured of all rows alone cannot tell. With unit rows `u` of a set of `m`:
///
/// ```text
/// distance = mean over pairs of ‖u_i − u_j‖         distinct_2 = different pairs of neighboring tokens / all of them
/// vendi    = the Vendi score of the set             classes    = components of the graph with edges ‖u_i − u_j‖ < r
/// ```
///
/// # Arguments
///
/// * `features`: a row a completion. `tokens`: the token ids of each.
/// * `radius`: `r`, such as [`radius()`] of the reference.
///
/// # Errors
///
/// [`MetricError::Eigen`] of the Vendi score.
///
/// # Cost and sources
///
/// `O(n d m + n m²)` for `n` rows in sets of `m`, on all threads. Vendi: Friedman & Dieng 2023, arXiv:2210.02410;
/// distinct: Li et al. 2016, arXiv:1510.03055; classes stand for those that Kuhn et al. 2023, arXiv:2302.09664, find by
/// entailment.
///
/// # Example
///
/// ```
/// # use llmpr::{data::matrix::Matrix, metric::within::{Groups, within}};
/// // Two prompts: each is answered twice alike, and the two differently.
/// let rows = Matrix::new(2, vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
/// let tokens = vec![vec![1, 2], vec![1, 2], vec![3, 4], vec![3, 4]];
/// let groups = Groups::of(&[7, 7, 9, 9]).unwrap();
/// let found = within(&rows, &tokens, &groups, 0.5)?;
/// let value = |name| found.iter().find(|mean| mean.spec.name == name).unwrap().value;
/// assert_eq!((value("prompt_classes"), value("across_classes")), (1.0, 2.0));
/// assert_eq!((value("prompt_distinct_2"), value("across_distinct_2")), (0.5, 1.0));
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn within(
    features: &Matrix,
    tokens: &[Vec<u32>],
    groups: &Groups,
    radius: f64,
) -> Result<Vec<Mean>, MetricError> {
    let unit = UnitRows::of(features);
    let of = |sets: &[Vec<usize>]| -> Result<Vec<[f64; 4]>, MetricError> {
        sets.par_iter().map(|set| one(features, &unit, tokens, set, radius)).collect()
    };
    let (own, others) = (of(&groups.within)?, of(&groups.across)?);
    let column = |values: &[[f64; 4]], at: usize| values.iter().map(|v| v[at]).collect::<Vec<_>>();
    let both = |(at, (prompt, across)): (usize, (&'static Spec, &'static Spec))| {
        [mean(prompt, &column(&own, at)), mean(across, &column(&others, at))]
    };
    Ok(SPECS.into_iter().enumerate().flat_map(both).collect())
}

/// Distance, Vendi score, distinct pairs and classes of one set.
fn one(
    features: &Matrix,
    unit: &UnitRows<'_>,
    tokens: &[Vec<u32>],
    set: &[usize],
    radius: f64,
) -> Result<[f64; 4], MetricError> {
    let rows: Vec<Vec<f64>> = set.iter().map(|&row| read(unit, row)).collect();
    let mut class: Vec<usize> = (0..set.len()).collect();
    let (mut sum, mut pairs) = (0.0, 0.0);
    for i in 0..rows.len() {
        for j in 0..i {
            let apart = distance(&rows[i], &rows[j]);
            sum += apart;
            pairs += 1.0;
            if apart < radius || apart == 0.0 {
                let (kept, gone) = (class[i].min(class[j]), class[i].max(class[j]));
                class.iter_mut().filter(|c| **c == gone).for_each(|c| *c = kept);
            }
        }
    }
    let classes = class.into_iter().collect::<HashSet<_>>().len();
    let score = vendi(&features.select(set), &[1.0])?[0];
    Ok([sum / pairs, score, distinct(tokens, set), classes as f64])
}

/// Share of different pairs of neighboring tokens; NaN without any.
fn distinct(tokens: &[Vec<u32>], set: &[usize]) -> f64 {
    let texts = set.iter().filter_map(|&row| tokens.get(row));
    let pairs: Vec<(u32, u32)> =
        texts.flat_map(|text| text.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    pairs.iter().collect::<HashSet<_>>().len() as f64 / pairs.len() as f64
}

/// The median over rows of the distance to the nearest other row that is not the same, unit rows; 0 where there is none.
///
/// `O(n² d)`, on all threads; of more than 1000 rows, 1000 taken evenly are held against all.
pub fn radius(reference: &Matrix) -> f64 {
    const MOST: usize = 1000;
    let unit = UnitRows::of(reference);
    let n = reference.rows();
    let all: Vec<Vec<f64>> = (0..n).into_par_iter().map(|row| read(&unit, row)).collect();
    let count = n.min(MOST);
    let nearest = |i: usize| {
        let own = &all[i * n / count];
        all.iter()
            .map(|other| distance(own, other))
            .filter(|&apart| apart > 0.0)
            .fold(f64::INFINITY, f64::min)
    };
    let mut found: Vec<f64> = (0..count).into_par_iter().map(nearest).collect();
    found.retain(|apart| apart.is_finite());
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied().unwrap_or(0.0)
}

fn read(unit: &UnitRows<'_>, row: usize) -> Vec<f64> {
    let mut values = vec![0.0; unit.cols()];
    unit.read(row, 0, &mut values);
    values
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The mean of what is defined over sets, with its interval.
pub fn mean(spec: &'static Spec, values: &[f64]) -> Mean {
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - value) * (x - value)).sum::<f64>() / (n - 1.0);
    let reach = student_975(values.len().saturating_sub(1)) * (variance / n).sqrt();
    let (least, most) = spec.range.ends(None);
    let interval = ((value - reach).max(least), (value + reach).min(most));
    Mean { spec, value, interval: (n >= 4.0).then_some(interval) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(found: &[Mean], spec: &Spec) -> f64 {
        found.iter().find(|mean| mean.spec.name == spec.name).unwrap().value
    }

    #[test]
    fn sets_need_two_prompts_of_two_completions() {
        assert_eq!(Groups::of(&[]), None);
        assert_eq!(Groups::of(&[1, 1, 1]), None);
        assert_eq!(Groups::of(&[1, 2, 3]), None);
        assert_eq!(Groups::of(&[1, 1, 2]), None);
        let groups = Groups::of(&[5, 6, 5, 6, 5, 7]).unwrap();
        assert_eq!(groups.within, [[0, 2], [1, 3]]);
        assert_eq!(groups.across, [[0, 3], [1, 2]]);
    }

    #[test]
    fn a_model_that_answers_every_prompt_in_all_ways_is_as_varied_within_as_across() {
        // Three orthogonal answers; each prompt gets each once.
        let rows = (0..9).flat_map(|i| (0..3).map(move |axis| f32::from(u8::from(i % 3 == axis))));
        let rows = Matrix::new(3, rows.collect()).unwrap();
        let tokens: Vec<Vec<u32>> = (0..9).map(|i| vec![i % 3, 9]).collect();
        let prompts: Vec<u64> = (0..9).map(|i| i / 3).collect();
        let found = within(&rows, &tokens, &Groups::of(&prompts).unwrap(), 1.0).unwrap();
        assert!((value(&found, &PROMPT_VENDI) - 3.0).abs() < 1e-9);
        assert!((value(&found, &PROMPT_DISTANCE) - 2f64.sqrt()).abs() < 1e-7);
        assert_eq!(value(&found, &PROMPT_CLASSES), 3.0);
        assert_eq!(value(&found, &PROMPT_DISTINCT), 1.0);
        // Set t has the completions t, t + 2, t + 1 of prompts t, t − 1, t − 2: answers 0, 1, 2.
        assert_eq!(value(&found, &ACROSS_CLASSES), 3.0);
    }

    #[test]
    fn texts_in_a_chain_are_one_class_and_the_radius_is_the_reference_s() {
        let on_circle = |degrees: &[f64]| {
            let rows = degrees.iter().map(|d| d.to_radians());
            Matrix::new(2, rows.flat_map(|a| [a.cos() as f32, a.sin() as f32]).collect()).unwrap()
        };
        // Chords of 10, 10 and 40 degrees: the median of nearest distances is that of 10.
        let r = radius(&on_circle(&[0.0, 10.0, 20.0, 60.0]));
        assert!((r - 2.0 * 5f64.to_radians().sin()).abs() < 1e-6, "{r}");
        let rows = on_circle(&[0.0, 9.0, 18.0, 90.0, 0.0, 30.0, 60.0, 90.0]);
        let groups = Groups { within: vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7]], across: vec![] };
        let found = within(&rows, &vec![vec![]; 8], &groups, r).unwrap();
        assert_eq!(value(&found, &PROMPT_CLASSES), 3.0, "two and four");
        assert!(value(&found, &PROMPT_DISTINCT).is_nan());
    }

    #[test]
    fn the_interval_is_student_s() {
        let found = mean(&PROMPT_VENDI, &[2.0, 3.0, 4.0, 5.0, 6.0]);
        // sd²= 2.5, t₄ = 2.776: 4 ± 1.963.
        let (low, high) = found.interval.unwrap();
        assert!((low - 2.037).abs() < 0.02 && (high - 5.963).abs() < 0.02, "{low} {high}");
        assert_eq!(mean(&PROMPT_VENDI, &[2.0, 3.0, 4.0]).interval, None);
    }

    proptest! {
        #[test]
        fn both_ways_of_parting_take_the_same_rows_and_none_across_shares_a_prompt(
            prompts in proptest::collection::vec(0u64..6, 0..40),
        ) {
            if let Some(Groups { within, across }) = Groups::of(&prompts) {
                let sorted = |sets: &[Vec<usize>]| {
                    let mut all: Vec<usize> = sets.concat();
                    all.sort_unstable();
                    all
                };
                prop_assert_eq!(sorted(&within), sorted(&across));
                prop_assert!(within.iter().all(|set| set.iter().all(|&r| prompts[r] == prompts[set[0]])));
                for set in &across {
                    let different: HashSet<u64> = set.iter().map(|&row| prompts[row]).collect();
                    prop_assert_eq!(different.len(), set.len());
                }
            }
        }
    }
}
