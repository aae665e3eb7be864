//! A score from log-probabilities: no features, no clusters, no bias.

use super::{
    Family, Metrics, ScoreError, ScoreOptions,
    curve::{self, SLOPES, measured},
    draws::Draws,
    estimate::Sizes,
    family::{Measures, Rows, estimates_of, plan},
    record::{Curves, FrontierCurve, PrCurve, PrefixCurve, SCHEMA, Score, SetFacts, Warning},
    table::Table,
    warnings,
};
use crate::{
    data::{
        sides::{Side, Sides},
        signature::Signature,
    },
    metric::{
        curve::Point,
        divergence::{CHI2, Divergence, KL, REVERSE_KL},
        frontier::{FRONTIER_INTEGRAL, Frontier, MAUVE, Settings},
        likelihood::{LikelihoodRatios, LogProbs},
        prdc::{PRECISION, RECALL},
        spec::{Measured, Spec},
    },
};

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
    let of_texts = [&PRECISION, &RECALL, &MAUVE, &FRONTIER_INTEGRAL];
    let known = [&of_texts[..], curve::SPECS, &Divergence::NAMED.map(|(spec, _)| spec)].concat();
    if let Some(spec) = options.metrics.by_name().find(|spec| !known.contains(spec)) {
        return Err(ScoreError::NotOfLikelihoods { name: spec.name });
    }
    for side in [Side::Reference, Side::Model] {
        if texts.get(side).is_empty() {
            return Err(crate::cloud::MetricError::Empty { side }.into());
        }
    }
    let whole = texts.map(|texts| texts.iter().map(LikelihoodText::whole).collect::<Vec<_>>());
    let ratios = LikelihoodRatios::new(whole.as_ref().map(Vec::as_slice))?;
    let prompts = texts.map(|texts| texts.iter().map(|text| text.prompt).collect::<Vec<u64>>());
    let draws = Draws::of(options, prompts.as_ref().map(Vec::as_slice));
    let (measures, rows) = (Likelihood::of(options), Probabilities(whole));
    let sizes = texts.map(<[_]>::len);
    let Sides { reference: n, model: m } = sizes;
    let (count, _) = plan(&measures, sizes, rows.dim(), options.resamples);
    let values = measures.of_ratios(&ratios);
    let mut table = Table::default();
    table.extend(estimates_of(&measures, &values, &rows, &draws, Sizes { n, m, k: 0 })?);
    let metrics = table.metrics(&options.metrics);
    let facts = |side: Side| SetFacts { n: *sizes.get(side), dim: 0, unique: *unique.get(side) };
    let has = |family| options.metrics.has(family);
    let mut warnings: Vec<Warning> = warnings::too_few(n, m).into_iter().collect();
    warnings.extend(warnings::degenerate(ratios.log_ratios(), FAR));
    let infinite = |name: &&str| metrics.get(*name).is_some_and(|e| e.value.is_infinite());
    let names = [&KL, &REVERSE_KL, &CHI2].map(|spec| spec.name);
    let infinite: Vec<&str> = names.into_iter().filter(infinite).collect();
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

fn curve_of(ratios: &LikelihoodRatios) -> Vec<Point> {
    ratios.points(&SLOPES)
}

fn frontier_of(ratios: &LikelihoodRatios, scaling: f64) -> Frontier {
    let finite =
        |of: &[f64]| -> Vec<f64> { of.iter().map(|x| x.clamp(-LARGEST, LARGEST).exp()).collect() };
    let ratios = ratios.log_ratios().map(finite);
    let settings = Settings { scaling, ..Settings::default() };
    Frontier::of_ratios(ratios.as_ref().map(Vec::as_slice), &settings)
}

/// Log-probabilities of texts of both sides.
struct Probabilities(Sides<Vec<LogProbs>>);

impl Rows for Probabilities {
    fn sizes(&self) -> Sides<usize> {
        self.0.as_ref().map(Vec::len)
    }

    fn select(&self, rows: &Sides<Vec<usize>>) -> Self {
        let Sides { reference, model } = &self.0;
        let n = reference.len();
        let at = |&row: &usize| if row < n { reference[row] } else { model[row - n] };
        Self(rows.as_ref().map(|rows| rows.iter().map(at).collect()))
    }
}

/// The measures of some families that likelihoods give.
struct Likelihood<'a> {
    metrics: &'a Metrics,
    scaling: f64,
    lambdas: Vec<f64>,
}

impl<'a> Likelihood<'a> {
    fn of(options: &'a ScoreOptions) -> Self {
        let ScoreOptions { metrics, scaling, lambdas, .. } = options;
        Self { metrics, scaling: *scaling, lambdas: metrics.slopes(lambdas) }
    }

    fn of_ratios(&self, ratios: &LikelihoodRatios) -> Vec<Measured> {
        let asks = |specs| self.metrics.asks_any(specs);
        let mut values = Vec::new();
        if asks(&[&PRECISION, &RECALL]) {
            values.extend([PRECISION.of(ratios.precision()), RECALL.of(ratios.recall())]);
        }
        if asks(&[&MAUVE, &FRONTIER_INTEGRAL]) {
            let integral = ratios.divergence(Divergence::FrontierIntegral);
            values.push(MAUVE.of(frontier_of(ratios, self.scaling).mauve()));
            values.push(FRONTIER_INTEGRAL.of(integral));
        }
        if asks(curve::SPECS) {
            values.extend(measured(&curve_of(ratios), &ratios.points(&self.lambdas)));
        }
        if asks(&Divergence::NAMED.map(|(spec, _)| spec)) {
            let named = |(spec, divergence): (&'static Spec, Divergence)| {
                let value = match divergence {
                    // As the curve says it.
                    Divergence::Tv => 1.0 - ratios.points(&[1.0])[0].alpha,
                    other => ratios.divergence(other),
                };
                // Chance can make a mean of logarithms negative; the divergence is not.
                spec.of(value.max(0.0))
            };
            values.extend(Divergence::NAMED.map(named));
        }
        values.retain(|value| self.metrics.keeps(value));
        values
    }
}

impl Measures<Probabilities> for Likelihood<'_> {
    fn specs(&self) -> &'static [&'static Spec] {
        &[&PRECISION, &RECALL, &MAUVE, &FRONTIER_INTEGRAL]
    }

    fn values(&self, texts: &Probabilities) -> Result<Vec<Measured>, ScoreError> {
        Ok(self.of_ratios(&LikelihoodRatios::new(texts.0.as_ref().map(Vec::as_slice))?))
    }

    /// What a model scores against itself: no mean over texts is biased.
    fn ceilings(&self, texts: &Probabilities, _draws: &Draws<'_>) -> Vec<Measured> {
        let values = self.values(texts).unwrap_or_default();
        let of_equals =
            |value: Measured| Measured { value: value.spec.of_equals(value.at), ..value };
        values.into_iter().map(of_equals).collect()
    }
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
