use std::collections::BTreeSet;

use super::*;
use crate::{
    data::{matrix::Matrix, sides::Sides, signature::Signature},
    metric::{
        curve::{ALPHA, BETA},
        reference_nll,
        spec::{Range, Truth},
        vendi::{VENDI_SCORE, VENDI_SCORE_OF_ORDER},
        within,
    },
    rng,
    score::{
        LikelihoodText, Metrics, ScoreOptions, TextFacts, record::Score, score, score_histograms,
        score_likelihood,
    },
};

fn options() -> ScoreOptions {
    let metrics: Metrics = "all".parse().unwrap();
    ScoreOptions { metrics, resamples: 2, permutations: 3, k: 3, ..ScoreOptions::default() }
}

/// A score that has every measure of clouds and texts.
fn whole() -> Score {
    scored("all")
}

/// A score of these measures.
fn scored(metrics: &str) -> Score {
    let side = |name: &str| {
        let mut rng = rng::named(0, name);
        let values = (0..50 * 3).map(|_| rng::next_unit(&mut rng) as f32).collect();
        let tokens =
            (0..50).map(|_| (0..12).map(|_| rng::next_below(&mut rng, 9) as u32).collect());
        let facts = TextFacts { tokens: tokens.collect(), ..TextFacts::default() };
        (Matrix::new(3, values).unwrap(), facts)
    };
    let sides = Sides { reference: side("reference"), model: side("model") };
    let (rows, texts) = (sides.as_ref().map(|s| &s.0), sides.as_ref().map(|s| &s.1));
    let options = ScoreOptions { metrics: metrics.parse().unwrap(), ..options() };
    score(rows, Some(texts), None, &options).unwrap()
}

/// What a key says without its parameter.
fn named((spec, at): (&'static Spec, Option<f64>)) -> (&'static str, bool) {
    (spec.name, at.is_some())
}

fn listed() -> BTreeSet<(&'static str, bool)> {
    specs().map(|spec| (spec.name, spec.parameter.is_some())).collect()
}

#[test]
fn every_measure_is_listed_once_and_families_stand_together_but_for_their_extras() {
    assert_eq!(listed().len(), specs().count(), "a name stands twice");
    let families: Vec<Family> = specs().map(|spec| spec.family).collect();
    let mut groups = families.clone();
    groups.dedup();
    assert_eq!(groups, Family::ALL, "{families:?}");
    assert_eq!(Family::NAMES, Family::ALL.map(Family::name));
}

#[test]
fn a_score_has_every_listed_measure_and_no_other_in_the_order_of_the_list() {
    let got = whole();
    let keys: Vec<_> = got.metrics.keys().map(|key| spec(key).expect(key)).collect();
    assert_eq!(keys.iter().copied().map(named).collect::<BTreeSet<_>>(), listed());
    for (key, (spec, at)) in got.metrics.keys().zip(&keys) {
        assert_eq!(key, &spec.key(*at));
    }
    let places: Vec<usize> = keys.iter().map(|(spec, _)| place(spec)).collect();
    assert!(places.is_sorted(), "{:?}", got.metrics.keys());
}

#[test]
fn a_measure_alone_has_what_it_has_among_all_and_stands_alone() {
    let all = whole();
    for spec in specs() {
        let asked = scored(spec.name);
        let of_spec = |key: &&String| catalog_name(key) == spec.name;
        let want: Vec<&String> = all.metrics.keys().filter(of_spec).collect();
        let got: Vec<&String> = asked.metrics.keys().collect();
        // The name alone is that of the order 1, whose neighbors have theirs behind it.
        let bare = |key: &&&String| spec.name != VENDI_SCORE.name || !key.contains('@');
        assert_eq!(
            got,
            want.into_iter().filter(|key| bare(&key)).collect::<Vec<_>>(),
            "{}",
            spec.name
        );
        for (key, estimate) in &asked.metrics {
            let same = |a: Option<f64>, b: Option<f64>| a.map(f64::to_bits) == b.map(f64::to_bits);
            let of_all = &all.metrics[key];
            assert_eq!(estimate.value.to_bits(), of_all.value.to_bits(), "{key}");
            assert!(same(estimate.low, of_all.low), "{key}: {estimate:?}, {of_all:?}");
            assert!(same(estimate.high, of_all.high), "{key}: {estimate:?}, {of_all:?}");
            assert!(same(estimate.ceiling, of_all.ceiling), "{key}: {estimate:?}, {of_all:?}");
            assert!(same(estimate.p_value, of_all.p_value), "{key}: {estimate:?}, {of_all:?}");
        }
    }
    let orders = scored("vendi_score@2,alpha@3");
    assert!(orders.metrics.keys().eq(["alpha@3", "vendi_score@2"]), "{:?}", orders.metrics.keys());
    assert_eq!(orders.metrics["vendi_score@2"], all.metrics["vendi_score@2"]);
}

fn catalog_name(key: &str) -> &str {
    key.split('@').next().unwrap_or(key)
}

#[test]
fn what_a_reading_gives_is_known_by_its_keys_and_has_a_flag_of_its_own() {
    let (spec, at) = spec("reference_bits_per_byte_of_p@0.5").unwrap();
    assert_eq!((spec.key(at), at), ("reference_bits_per_byte_of_p@0.5".to_owned(), Some(0.5)));
    assert_eq!((family("reference_nll@1"), spec.better), (Family::Divergence, Better::Lower));
    assert!("reference_nll".parse::<Metrics>().is_err());
    assert!("reference_nll@1".parse::<Metrics>().is_err());
}

#[test]
fn slopes_stay_together_in_the_order_that_was_asked_for() {
    let lambdas = vec![2.0, 0.5];
    let options = ScoreOptions { metrics: "curve".parse().unwrap(), lambdas, ..options() };
    let counts = Sides { reference: &[4u64, 4][..], model: &[8, 0][..] };
    let got = score_histograms(counts, &options).unwrap();
    let keys: Vec<&str> = got.metrics.keys().map(String::as_str).collect();
    let slopes =
        ["alpha@2", "beta@2", "pr_divergence@2", "alpha@0.5", "beta@0.5", "pr_divergence@0.5"];
    assert_eq!(keys[2..], slopes);
}

#[test]
fn histograms_and_likelihoods_have_listed_measures_alone() {
    let counts = Sides { reference: &[40u64, 9, 3][..], model: &[30, 2, 9][..] };
    let text = |p: f64, q: f64| LikelihoodText { ln_p: vec![p], ln_q: vec![q], prompt: 0 };
    let (p, q) = (vec![text(-1.0, -2.0); 5], vec![text(-1.5, -1.0); 5]);
    let texts = Sides { reference: p.as_slice(), model: q.as_slice() };
    let unique = Sides { reference: 1, model: 1 };
    let likelihood = score_likelihood(texts, unique, Signature::default(), &options()).unwrap();
    for got in [score_histograms(counts, &options()).unwrap(), likelihood] {
        for key in got.metrics.keys() {
            let found = spec(key).map(named);
            assert!(found.is_some_and(|named| listed().contains(&named)), "{key}");
        }
    }
}

#[test]
fn values_and_ceilings_lie_in_the_ranges_that_are_listed() {
    for (key, estimate) in &whole().metrics {
        let (spec, at) = spec(key).unwrap();
        let (least, most) = spec.range.ends(at);
        for value in [Some(estimate.value), estimate.ceiling].into_iter().flatten() {
            let inside = (least - 1e-9..=most + 1e-9).contains(&value);
            assert!(inside || value.is_nan(), "{key}: {value} outside of {least} to {most}");
        }
    }
}

#[test]
fn a_key_of_a_file_names_its_measure_and_parameter() {
    assert_eq!(spec("alpha@2"), Some((&ALPHA, Some(2.0))));
    assert_eq!(spec("vendi_score"), Some((&VENDI_SCORE, None)));
    assert_eq!(spec("vendi_score@inf"), Some((&VENDI_SCORE_OF_ORDER, Some(f64::INFINITY))));
    assert_eq!(spec("alpha@steep"), None);
    assert_eq!(spec("precison"), None);
    assert_eq!(family("precison"), Family::Extra);
    assert_eq!(family("vendi_score@2"), Family::Diversity);
}

#[test]
fn a_key_is_the_name_and_the_parameter() {
    assert_eq!(ALPHA.at(0.5, 0.0).key(), "alpha@0.5");
    assert_eq!(VENDI_SCORE_OF_ORDER.key(Some(f64::INFINITY)), "vendi_score@inf");
    assert_eq!(ALPHA.key(None), "alpha");
    assert!(ALPHA.at(1.0, 0.3).is_of(&ALPHA.at(1.0, 0.4)));
    assert!(!ALPHA.at(1.0, 0.3).is_of(&ALPHA.at(2.0, 0.3)));
    assert!(!ALPHA.at(1.0, 0.3).is_of(&BETA.at(1.0, 0.3)));
}

#[test]
fn the_range_of_a_point_of_the_curve_ends_at_its_slope() {
    assert_eq!(ALPHA.range.ends(Some(0.2)), (0.0, 0.2));
    assert_eq!(ALPHA.range.ends(Some(5.0)), (0.0, 1.0));
    assert_eq!(BETA.range.ends(Some(5.0)), (0.0, 0.2));
    assert_eq!((ALPHA.of_equals(Some(0.2)), BETA.of_equals(Some(0.2))), (0.2, 1.0));
}

#[test] // what a person reads: the table is made of the list
fn the_documentation_lists_every_measure_as_the_catalog_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/measures.md");
    let wanted = documentation();
    if std::env::var_os("LLMPR_UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, wanted, "run the test with LLMPR_UPDATE_DOCS=1 and look at the difference");
}

fn documentation() -> String {
    let mut out = String::from(
        "# Measures\n\nEvery measure that `llmpr score` and `llmpr sweep` can report, in the order of their \
         tables. `--metrics` takes names and families; `extra` is left out unless it, or a measure of it, is named. *Under one distribution* \
         is what a measure gives when the model's texts come from the reference distribution, which is its \
         ceiling; *from halves* is measured on parts of the reference and carried on to the full size. *Stands \
         for* names the exact values that a sweep of a task with a known distribution holds it against. `n` \
         reference rows, `m` model rows, `d` columns.\n\nThis page is made of the code by a test; change it \
         there.\n\n\
         | name | what it is | family | range | better | under one distribution | stands for | cost |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for spec in specs() {
        let name = match spec.parameter {
            None => format!("`{}`", spec.name),
            Some(parameter) => format!("`{}@{}`", spec.name, parameter.symbol()),
        };
        let truth: Vec<&str> = spec.truth.iter().map(|truth| exact(*truth)).collect();
        out.push_str(&format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} |\n",
            spec.title,
            spec.family.name(),
            range(spec.range),
            match spec.better {
                Better::Higher => "higher",
                Better::Lower => "lower",
                Better::Neither => "near the ceiling",
            },
            null(spec.null),
            truth.join(", "),
            spec.cost,
        ));
    }
    out.push_str(
        "\nWhere prompts have several completions (`sweep --prompt-count` below `-n`) a sweep measures these for the completions \
         of one prompt, as many of each, and again for as many completions of different prompts: means over such sets, \
         with Student's interval over sets. A model whose two values lie far apart answers each prompt in few ways, \
         however varied it is as a whole. `prompt_completions` is the size of a set.\n\n\
         | name | of different prompts | what it is | range | cost |\n|---|---|---|---|---|\n",
    );
    for (prompt, across) in within::SPECS.into_iter().chain([within::EXACT]) {
        let (name, other, title, cost) = (prompt.name, across.name, prompt.title, prompt.cost);
        out.push_str(&format!(
            "| `{name}` | `{other}` | {title} | {} | {cost} |\n",
            range(prompt.range)
        ));
    }
    out.push_str(
        "\nWith `sweep --reference-nll` every model of this machine reads the reference once, and each cell says how well its model \
         fits it at its temperature: `-ln softmax(logits / T)` of the tokens, truncations and penalties left out, so cells that differ in \
         nothing but those have one value, and temperature 0 has none. Text `i` is read behind prompt `i` of the cell (counted around), \
         shots included, written as the task's examples are; a task whose prompts begin with words of a text begins each with the words of the text \
         that is read, and these do not count. Read are at most as many tokens as completions may have, and not the end of the text, \
         which models write in several ways. A text that continues no prompt of the task, such as a story that does not \
         begin as the prompt does, is left out. Both are ratios of sums over texts with Student's interval over texts; `reference_texts` \
         is how many were read. The temperature at which they are least fits the reference best.\n\n\
         | name | what it is | range | better | cost |\n|---|---|---|---|---|\n",
    );
    for spec in reference_nll::SPECS {
        let (name, title, cost) = (spec.name, spec.title, spec.cost);
        out.push_str(&format!("| `{name}` | {title} | {} | lower | {cost} |\n", range(spec.range)));
    }
    out.push_str(
        "\n`score --likelihood P Q --task NAME --reference-nll-at 0.5,1,1.5` has both models read the reference in the same way and says the same at \
         these temperatures, without a sweep; of `P` only where it is another model than `Q`. With the task, reference, `-n`, shots and \
         `--max-new-tokens` of a sweep the values are those of the sweep.\n\n\
         | name | what it is | range | better | cost |\n|---|---|---|---|---|\n",
    );
    for spec in reference_nll::OF_LIKELIHOODS {
        let (name, title, cost) = (spec.name, spec.title, spec.cost);
        out.push_str(&format!(
            "| `{name}@T` | {title} | {} | lower | {cost} |\n",
            range(spec.range)
        ));
    }
    out
}

fn exact(truth: Truth) -> &'static str {
    match truth {
        Truth::Precision => "precision",
        Truth::Recall => "recall",
        Truth::RecallAccepted => "recall of accepted texts",
        Truth::RecallExtrapolated => "recall of infinitely many texts",
        Truth::Overlap => "overlap",
        Truth::Distance => "overlap, falling",
        Truth::Rest => "1 − overlap",
    }
}

fn range(range: Range) -> String {
    match range {
        Range::Unit => "[0, 1]".to_owned(),
        Range::Positive => "[0, ∞)".to_owned(),
        Range::FromOne => "[1, ∞)".to_owned(),
        Range::Any => "(−∞, ∞)".to_owned(),
        Range::Between(least, most) => {
            let [least, most] = [least, most].map(|end| match end {
                0.0 => "0".to_owned(),
                end => format!("{end:.3}").replace('-', "−"),
            });
            format!("[{least}, {most}]")
        }
        Range::Slope => "[0, min(λ, 1)]".to_owned(),
        Range::InverseSlope => "[0, min(1/λ, 1)]".to_owned(),
    }
}

fn null(null: Null) -> String {
    match null {
        Null::Known(value) => value.to_string(),
        Null::Coverage => "closed form of n, m and k".to_owned(),
        Null::Halves(_) => "from halves".to_owned(),
        Null::OwnValue => "the reference's own value".to_owned(),
        Null::None => "–".to_owned(),
    }
}
