//! A score from log-probabilities: no features, no clusters, no bias.

use rayon::prelude::*;

use super::{
    Family, ScoreError, ScoreOptions,
    draws::Draws,
    estimate::{self, Readings, Sizes},
    group::Named,
};
use crate::{
    metric::{
        calibrate::Subsample,
        curve::{self, Point, sajjadi_lambdas},
        divergence::Divergence,
        frontier::{Frontier, Settings},
        likelihood::{LikelihoodRatios, LogProbs},
        record::{Curves, FrontierCurve, PrCurve, PrefixCurve, SCHEMA, Score, SetFacts, Warning},
        warnings,
    },
    sides::{Side, Sides},
    signature::Signature,
};

/// Angles of the PR-curve, as in Sajjadi et al.
const ANGLES: usize = 1001;
/// Log-ratios beyond which `e^x` would overflow in a mean.
const LARGEST: f64 = 700.0;
/// A log-ratio at which one model gives a text a thousand times the other's probability.
const FAR: f64 = 6.9;

/// A text that one of two language models wrote, under both of them.
#[derive(Clone, Debug, PartialEq)]
pub struct LikelihoodText {
    /// `ln P` of every position given those before; the end of the text counts as one.
    pub ln_p: Vec<f64>,
    /// The same of `Q`.
    pub ln_q: Vec<f64>,
    /// Which prompt it continues: texts of one prompt are drawn together where prompts repeat.
    pub prompt: u64,
}

impl LikelihoodText {
    /// The first `tokens` positions of it.
    fn beginning(&self, tokens: usize) -> LogProbs {
        let sum = |list: &[f64]| list.iter().take(tokens).sum();
        LogProbs { ln_p: sum(&self.ln_p), ln_q: sum(&self.ln_q) }
    }

    fn whole(&self) -> LogProbs {
        self.beginning(usize::MAX)
    }
}

/// The score of one language model (`Q`) against another (`P`) by the likelihoods of texts of both.
///
/// ```text
/// α_λ = E_{x~Q} min(1, λ P(x)/Q(x)),   precision = Q(P > 0),   recall = P(Q > 0)
/// ```
///
/// Everything is a mean over texts, so nothing is biased at any number of them, and the ceilings are exact:
/// what a model scores against itself. The families `support` (precision and recall), `frontier`, `curve` and
/// `divergence` of `options.metrics` are given. `options.resamples` half-samples make the intervals.
///
/// # Arguments
///
/// * `texts`: of `P` and of `Q`, each scored by both.
/// * `unique`: how many of them are distinct.
/// * `signature`: the facts about the models, to which the sizes are added.
///
/// # Errors
///
/// [`ScoreError::Likelihood`] for a text that its own model cannot have written, and for a side without texts.
pub fn score_likelihood(
    texts: Sides<&[LikelihoodText]>,
    unique: Sides<usize>,
    signature: Signature,
    options: &ScoreOptions,
) -> Result<Score, ScoreError> {
    for side in [Side::Reference, Side::Model] {
        if texts.get(side).is_empty() {
            return Err(crate::metric::MetricError::Empty { side }.into());
        }
    }
    let whole = texts.map(|texts| texts.iter().map(LikelihoodText::whole).collect::<Vec<_>>());
    let ratios = LikelihoodRatios::new(whole.as_ref().map(Vec::as_slice))?;
    let prompts = texts.map(|texts| texts.iter().map(|text| text.prompt).collect::<Vec<u64>>());
    let draws = Draws::of(options, prompts.as_ref().map(Vec::as_slice));
    let named = values(&ratios, options);
    let sizes = texts.map(<[_]>::len);
    let Sides { reference: n, model: m } = sizes;
    let count = if n.min(m) < 4 { 0 } else { options.resamples };
    let halves = sizes.map(|n| Subsample::half(n.max(2)));
    let subsamples = (0..count).into_par_iter().filter_map(|i| {
        let rows = draws.subsample(i, halves);
        let pick = |of: &[LogProbs], rows: &[usize]| -> Vec<LogProbs> {
            rows.iter().map(|&row| of[row]).collect()
        };
        let part = Sides {
            reference: pick(&whole.reference, &rows.reference),
            model: pick(&whole.model, &rows.model),
        };
        let ratios = LikelihoodRatios::new(part.as_ref().map(Vec::as_slice)).ok()?;
        Some(values(&ratios, options).into_iter().map(|(_, value)| value).collect())
    });
    let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    let readings = Readings {
        subsamples: subsamples.collect(),
        variance_factor: halves.reference.variance_factor(),
        ceilings: names.iter().map(|name| ceiling(name)).collect(),
        ..Readings::default()
    };
    let mut metrics = indexmap::IndexMap::new();
    let found: Vec<f64> = named.iter().map(|&(_, value)| value).collect();
    estimate::append(&mut metrics, &names, &found, &readings, Sizes { n, m, k: 0 });
    let facts = |side: Side| SetFacts { n: *sizes.get(side), dim: 0, unique: *unique.get(side) };
    let has = |family| options.metrics.has(family);
    let mut warnings: Vec<Warning> = warnings::too_few(n, m).into_iter().collect();
    warnings.extend(warnings::degenerate(ratios.log_ratios(), FAR));
    let infinite = |name: &&str| metrics.get(*name).is_some_and(|e| e.value.is_infinite());
    let infinite: Vec<&str> = ["kl", "reverse_kl", "chi2"].into_iter().filter(infinite).collect();
    warnings.extend(warnings::impossible_texts(&infinite));
    Ok(Score {
        schema: SCHEMA.to_owned(),
        signature: signature
            .with("n", format!("{n}/{m}"))
            .with("resamples", count)
            .with("seed", options.seed)
            .to_string(),
        reference: facts(Side::Reference),
        samples: facts(Side::Model),
        pca: None,
        metrics,
        curves: Curves {
            pr: has(Family::Curve).then(|| PrCurve::from(curve_of(&ratios).as_slice())),
            frontier: has(Family::Frontier)
                .then(|| FrontierCurve::from(&frontier_of(&ratios, options.scaling))),
            prefix: Some(prefixes(texts)?),
            ..Curves::default()
        },
        warnings,
    })
}

/// What a model scores against itself.
fn ceiling(name: &str) -> f64 {
    let (stem, slope) = name.split_once('@').unwrap_or((name, "1"));
    let lambda: f64 = slope.parse().unwrap_or(1.0);
    match stem {
        "alpha" => lambda.min(1.0),
        "beta" => (1.0 / lambda).min(1.0),
        "precision" | "recall" | "mauve" | "max_f8_recall" | "max_f1_8_precision" => 1.0,
        _ => 0.0,
    }
}

fn curve_of(ratios: &LikelihoodRatios) -> Vec<Point> {
    ratios.points(&sajjadi_lambdas(ANGLES))
}

fn frontier_of(ratios: &LikelihoodRatios, scaling: f64) -> Frontier {
    let finite =
        |of: &[f64]| -> Vec<f64> { of.iter().map(|x| x.clamp(-LARGEST, LARGEST).exp()).collect() };
    let ratios = ratios.log_ratios().map(finite);
    let settings = Settings { scaling, ..Settings::default() };
    Frontier::of_ratios(ratios.as_ref().map(Vec::as_slice), &settings)
}

fn values(ratios: &LikelihoodRatios, options: &ScoreOptions) -> Named {
    let has = |family| options.metrics.has(family);
    let mut named: Named = Vec::new();
    let mut add = |name: &str, value: f64| named.push((name.to_owned(), value));
    if has(Family::Support) {
        add("precision", ratios.precision());
        add("recall", ratios.recall());
    }
    if has(Family::Frontier) {
        add("mauve", frontier_of(ratios, options.scaling).mauve());
        add("frontier_integral", ratios.divergence(Divergence::FrontierIntegral));
    }
    if has(Family::Curve) {
        let summary = curve::summary(&curve_of(ratios));
        add("max_f8_recall", summary.max_f8_recall);
        add("max_f1_8_precision", summary.max_f1_8_precision);
        for point in ratios.points(&options.lambdas) {
            let Point { lambda, alpha, beta } = point;
            add(&format!("alpha@{lambda}"), alpha);
            add(&format!("beta@{lambda}"), beta);
            add(&format!("pr_divergence@{lambda}"), (lambda.min(1.0) - alpha).max(0.0));
        }
    }
    if has(Family::Divergence) {
        for (name, divergence) in Divergence::NAMED {
            let value = match divergence {
                // As the curve says it.
                Divergence::Tv => 1.0 - ratios.points(&[1.0])[0].alpha,
                other => ratios.divergence(other),
            };
            // Chance can make a mean of logarithms negative; the divergence is not.
            add(name, value.max(0.0));
        }
    }
    named
}

/// Measures of the first 1, 2, 4, … tokens.
fn prefixes(texts: Sides<&[LikelihoodText]>) -> Result<PrefixCurve, ScoreError> {
    let length = |texts: &[LikelihoodText]| texts.iter().map(|text| text.ln_p.len()).max();
    let longest = texts.map(length);
    let longest = longest.reference.max(longest.model).unwrap_or(0).max(1);
    let mut out = PrefixCurve::default();
    let doubled = std::iter::successors(Some(1usize), |t| Some(2 * t));
    for tokens in doubled.take_while(|t| *t < longest).chain([longest]) {
        let parts =
            texts.map(|texts| texts.iter().map(|text| text.beginning(tokens)).collect::<Vec<_>>());
        let ratios = LikelihoodRatios::new(parts.as_ref().map(Vec::as_slice))?;
        out.tokens.push(tokens);
        out.tv.push(1.0 - ratios.points(&[1.0])[0].alpha);
        out.precision.push(ratios.precision());
        out.recall.push(ratios.recall());
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
