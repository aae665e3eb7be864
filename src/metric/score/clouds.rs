//! A score from features.

use indexmap::IndexMap;

use super::{
    Family, Reduce, ScoreError, ScoreOptions, TextFacts,
    draws::Draws,
    estimate::{self, Readings, Sizes},
    exchange,
    group::{Group, Named},
    histograms,
    prepare::{Prepared, check_k, check_texts, prepare},
};
use crate::{
    matrix::Matrix,
    metric::{
        Clouds,
        distinct::Distinct,
        neighbors::Ties,
        prdc::prdc,
        record::{Curves, Estimate, SCHEMA, Score, SetFacts, Warning},
        warnings,
    },
    pca::Pca,
    sides::{Side, Sides},
};

/// The score of the rows `model` (`Q`) against the rows `reference` (`P`).
///
/// Every measure of the families in `options.metrics` is computed on the same clouds: drawn down to
/// equal sizes, scaled and reduced as `options` say. Beside its value stands
///
/// * an interval from subsamples of half of the rows, without replacement and whole prompts at a
///   time ([`TextFacts::prompts`]); costly measures use fewer or smaller ones (see `resamples` in the
///   signature), and measures of clusters keep the clusters and add the spread between clusterings;
/// * a ceiling: two disjoint parts of the reference against each other at the sizes' ratio, carried
///   on to the full sizes, or a closed form where there is one;
/// * a p-value from exchanged labels, for ball-based measures and those of clusters.
///
/// # Arguments
///
/// * `reference`, `model`: `n × d` and `m × d`, one row a text, of one embedder.
/// * `texts`: facts of the texts behind the rows; with them come the text measures and warnings.
/// * `pca`: a reduction fitted before, as once per sweep; without it one is fitted to both sets.
/// * `options`: checked by [`ScoreOptions::checked`].
///
/// # Errors
///
/// [`ScoreError`], for sets that cannot be compared.
///
/// # Cost
///
/// `O((n + m)² d)` for the values; subsamples are bounded by a budget of about half a minute a family.
///
/// # Example
///
/// ```
/// use llmpr::{matrix::Matrix, metric::score::{ScoreOptions, score}, sides::Sides};
/// let cloud = |at: f32| {
///     let values = (0..120).map(|i| at + (i * i % 37) as f32 / 37.0).collect();
///     Matrix::new(3, values).unwrap()
/// };
/// let (people, machine) = (cloud(0.0), cloud(0.2));
/// let options = ScoreOptions { resamples: 20, permutations: 99, ..ScoreOptions::default() };
/// let score = score(Sides { reference: &people, model: &machine }, None, None, &options)?;
/// assert!(score.metrics["precision"].value > 0.5);
/// # Ok::<(), llmpr::metric::score::ScoreError>(())
/// ```
pub fn score(
    sets: Sides<&Matrix>,
    texts: Option<Sides<&TextFacts>>,
    pca: Option<&Pca>,
    options: &ScoreOptions,
) -> Result<Score, ScoreError> {
    let raw = Clouds::new(sets)?;
    check_texts(raw, texts)?;
    let prepared = prepare(raw, texts, pca, options)?;
    let clouds = Clouds::new(prepared.clouds.as_ref())?;
    if options.metrics.has(Family::Support) {
        check_k(clouds, options.k)?;
    }
    let mut build = Build::new(&prepared, clouds, options);
    if options.metrics.has(Family::Support) {
        build.support()?;
    }
    build.finish(sets)
}

/// A score while it is being made.
struct Build<'a> {
    prepared: &'a Prepared,
    clouds: Clouds<'a>,
    options: &'a ScoreOptions,
    draws: Draws<'a>,
    sizes: Sizes,
    distinct: Sides<Distinct>,
    metrics: IndexMap<String, Estimate>,
    curves: Curves,
    warnings: Vec<Warning>,
}

impl<'a> Build<'a> {
    fn new(prepared: &'a Prepared, clouds: Clouds<'a>, options: &'a ScoreOptions) -> Self {
        let none = Sides { reference: &[][..], model: &[][..] };
        let prompts = prepared
            .texts
            .as_ref()
            .map_or(none, |texts| texts.as_ref().map(|facts| facts.prompts.as_slice()));
        let Sides { reference: n, model: m } = clouds.sides().map(Matrix::rows);
        Self {
            prepared,
            clouds,
            options,
            draws: Draws::of(options, prompts),
            sizes: Sizes { n, m, k: options.k },
            distinct: clouds.sides().map(Distinct::rows),
            metrics: IndexMap::new(),
            curves: Curves::default(),
            warnings: prepared.warnings.clone(),
        }
    }

    fn append(&mut self, named: &Named, readings: &Readings) {
        let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
        let values: Vec<f64> = named.iter().map(|&(_, value)| value).collect();
        estimate::append(&mut self.metrics, &names, &values, readings, self.sizes);
    }

    fn group(
        &mut self,
        group: Group,
        adjust: impl FnOnce(&mut Readings),
    ) -> Result<(), ScoreError> {
        let named = group.values(self.clouds, self.options)?;
        let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
        let mut readings = group.readings(self.clouds, &names, self.options, &self.draws);
        adjust(&mut readings);
        self.append(&named, &readings);
        Ok(())
    }

    fn support(&mut self) -> Result<(), ScoreError> {
        let exchanged = if self.options.permutations > 0 {
            let pooled =
                exchange::Pooled::find(self.clouds.sides(), self.options.k, self.options.ties)?;
            Some(pooled.exchanged(self.sizes.n, &self.draws))
        } else {
            None
        };
        self.group(Group::Support, |readings| {
            if let Some((observed, relabeled)) = exchanged {
                (readings.observed, readings.relabeled) = (observed, relabeled);
            }
        })?;
        self.warn_of_copies()
    }

    /// What copies do: values without them, and under the other rule for ties.
    fn warn_of_copies(&mut self) -> Result<(), ScoreError> {
        let options = self.options;
        let rows = self.distinct.as_ref().map(|distinct| (distinct.of.len(), distinct.len()));
        let repeated = |(n, unique): (usize, usize)| unique < n;
        if !repeated(rows.reference) && !repeated(rows.model) && !self.shares_rows() {
            return Ok(());
        }
        for side in [Side::Reference, Side::Model] {
            let (n, unique) = *rows.get(side);
            if n > 1 && unique == 1 {
                self.warnings.push(warnings::identical_rows(side, n));
            }
        }
        let other = match options.ties {
            Ties::Strict => Ties::Inclusive,
            Ties::Inclusive => Ties::Strict,
        };
        let other = prdc(self.clouds, options.k, other)?;
        for (name, other) in [("precision", other.precision), ("recall", other.recall)] {
            let own = self.metrics[name].value;
            let (strict, inclusive) = match options.ties {
                Ties::Strict => (own, other),
                Ties::Inclusive => (other, own),
            };
            self.warnings.extend(warnings::ties(name, strict, inclusive));
        }
        let kept = Sides {
            reference: self.clouds.reference().select(&self.distinct.reference.first),
            model: self.clouds.model().select(&self.distinct.model.first),
        };
        let without =
            Clouds::new(kept.as_ref()).and_then(|clouds| prdc(clouds, options.k, options.ties));
        let pairs: Vec<(&str, f64, f64)> = match without {
            Ok(without) => [
                ("precision", without.precision),
                ("recall", without.recall),
                ("density", without.density),
                ("coverage", without.coverage),
            ]
            .map(|(name, value)| (name, self.metrics[name].value, value))
            .to_vec(),
            // Too few distinct rows for a k-th neighbor: there is nothing to hold against.
            Err(_) => Vec::new(),
        };
        self.warnings.extend(warnings::duplicates(rows, &pairs));
        Ok(())
    }

    /// Whether a row of one side equals one of the other.
    fn shares_rows(&self) -> bool {
        let both = self.clouds.reference().stack(self.clouds.model());
        Distinct::rows(&both).len() < self.distinct.reference.len() + self.distinct.model.len()
    }

    fn finish(mut self, raw: Sides<&Matrix>) -> Result<Score, ScoreError> {
        self.warnings.extend(warnings::too_few(self.sizes.n, self.sizes.m));
        let scaling = self.options.scaling;
        self.warnings.extend(histograms::of_values(&self.metrics, scaling));
        let undefined: Vec<&str> = self
            .metrics
            .iter()
            .filter(|(_, estimate)| estimate.value.is_nan())
            .map(|(name, _)| name.as_str())
            .collect();
        if !undefined.is_empty() {
            self.warnings.push(warnings::undefined(&undefined, "a side has too few distinct rows"));
        }
        let facts = |side: Side| SetFacts {
            n: *self.clouds.sides().map(Matrix::rows).get(side),
            dim: raw.get(side).cols(),
            unique: self.distinct.get(side).len(),
        };
        Ok(Score {
            schema: SCHEMA.to_owned(),
            signature: self.signature(),
            reference: facts(Side::Reference),
            samples: facts(Side::Model),
            pca: self.prepared.pca.clone(),
            metrics: self.metrics,
            curves: self.curves,
            warnings: self.warnings,
        })
    }

    fn signature(&self) -> String {
        let options = self.options;
        let components = self.prepared.pca.as_ref().map(|pca| pca.components);
        let pca = match (options.pca, components) {
            (_, None) => "none".to_owned(),
            (Reduce::Share(share), Some(kept)) => format!("{share}({kept})"),
            (Reduce::Components(_) | Reduce::None, Some(kept)) => kept.to_string(),
        };
        let ties = match options.ties {
            Ties::Strict => "strict",
            Ties::Inclusive => "inclusive",
        };
        options
            .signature()
            .with("pca", pca)
            .with("k", options.k)
            .with("ties", ties)
            .with("n", format!("{}/{}", self.sizes.n, self.sizes.m))
            .with("seed", options.seed)
            .to_string()
    }
}
