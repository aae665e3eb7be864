//! A score from features.

use indexmap::IndexMap;

use super::{
    Clusters, Family, Reduce, ScoreError, ScoreOptions, TextFacts,
    clusters::{Clustering, Purpose},
    draws::{Draws, Parts},
    estimate::{self, Readings, Sizes},
    exchange, extra,
    group::{Group, Named, VENDI_ORDERS, of_support, whole_support},
    growth::{growth, size_curve},
    histograms,
    prepare::{Prepared, check_k, check_texts, prepare},
    quantized::{Measures, Quantized},
    ratio::{Ratio, ratio},
    words,
};
use crate::{
    matrix::Matrix,
    metric::{
        Clouds,
        distinct::Distinct,
        kernel::kernel_test,
        neighbors::Ties,
        prdc::prdc,
        record::{Curves, Estimate, SCHEMA, Score, SetFacts, Warning},
        vendi::vendi,
        warnings,
    },
    pca::Pca,
    sides::{Side, Sides},
};

/// Relabelings behind the kernel distance's p-value at most: each costs a pass over all pairs.
const KERNEL_PERMUTATIONS: usize = 200;

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
    let has = |family| options.metrics.has(family);
    if has(Family::Support) {
        build.support()?;
    }
    if has(Family::Frontier) || has(Family::Extra) {
        build.frontier()?;
    }
    let over_few =
        [Family::Frontier, Family::Curve, Family::Divergence, Family::Ratio, Family::Extra];
    if over_few.into_iter().any(has) {
        build.over_few_clusters()?;
    }
    if has(Family::Moments) {
        build.moments()?;
    }
    if has(Family::Diversity) {
        build.diversity()?;
    }
    if has(Family::Extra) {
        build.extra()?;
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
    /// The ratio family: measured with the clusters, and late in the table.
    late: IndexMap<String, Estimate>,
    /// The extra family, last in the table.
    last: IndexMap<String, Estimate>,
    /// What goes into the signature beside the settings.
    facts: Vec<(&'static str, String)>,
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
            late: IndexMap::new(),
            last: IndexMap::new(),
            facts: Vec::new(),
        }
    }

    fn append(&mut self, named: &Named, readings: &Readings) {
        let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
        let values: Vec<f64> = named.iter().map(|&(_, value)| value).collect();
        estimate::append(&mut self.metrics, &names, &values, readings, self.sizes);
    }

    fn group(&mut self, group: Group) -> Result<(), ScoreError> {
        let named = group.values(self.clouds, self.options)?;
        let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
        let readings = group.readings(self.clouds, &names, self.options, &self.draws);
        self.append(&named, &readings);
        Ok(())
    }

    fn support(&mut self) -> Result<(), ScoreError> {
        let options = self.options;
        let found = whole_support(self.clouds, options)?;
        let named = of_support(&found);
        let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
        let mut readings = Group::Support.readings(self.clouds, &names, options, &self.draws);
        if options.permutations > 0 {
            let pooled = exchange::Pooled::find(self.clouds.sides(), options.k, options.ties)?;
            let (observed, relabeled) = pooled.exchanged(self.sizes.n, &self.draws);
            (readings.observed, readings.relabeled) = (observed, relabeled);
        }
        self.append(&named, &readings);
        self.facts.push(("resamples", planned(Group::Support, self.clouds, options)));

        let recall = &self.metrics["recall"];
        let radii = found.radii.map(|radii| radii.median);
        let ratio = if radii.reference > 0.0 { radii.model / radii.reference } else { 1.0 };
        self.warnings.extend(warnings::over_dispersion(recall.value, recall.ceiling, ratio));
        let stretch = Sides {
            reference: stretch(found.reference.iter().map(|row| row.radius)),
            model: stretch(found.model.iter().map(|row| row.radius)),
        };
        self.warnings.extend(warnings::outliers(stretch));
        let in_ball: Vec<usize> =
            found.reference.iter().map(|row| row.covered_by as usize).collect();
        self.curves.growth = Some(growth(&in_ball, self.sizes.m));
        self.curves.by_size = Some(size_curve(self.clouds, &found.prdc[0], options, &self.draws));
        self.warn_of_copies()
    }

    fn frontier(&mut self) -> Result<(), ScoreError> {
        let clustering = Clustering::of(self.clouds, Purpose::Frontier, self.options)?;
        let scaling = self.options.scaling;
        let facts = format!("{}x{}", clustering.clusters, clustering.partitions.len());
        let over = |measures| Quantized { partitions: clustering.partitions.clone(), measures };
        if self.options.metrics.has(Family::Frontier) {
            let quantized = over(Measures::Frontier { scaling });
            self.quantized(&quantized)?;
            self.curves.frontier = Some(quantized.frontier(scaling)?);
        }
        if self.options.metrics.has(Family::Extra) {
            self.quantized_last(&over(Measures::Smoothed { scaling }))?;
        }
        self.facts.push(("c", scaling.to_string()));
        self.facts.push(("mauve-clusters", facts));
        Ok(())
    }

    /// The families over few clusters: those of divergences have the least bias.
    fn over_few_clusters(&mut self) -> Result<(), ScoreError> {
        let (options, clouds) = (self.options, self.clouds);
        let has = |family| options.metrics.has(family);
        let clustering = Clustering::of(clouds, Purpose::Curve, options)?;
        let clusters = format!("{}x{}", clustering.clusters, clustering.partitions.len());
        self.facts.push(("clusters", clusters));
        let over = |measures| Quantized { partitions: clustering.partitions.clone(), measures };
        if has(Family::Frontier) && options.clusters == Clusters::Auto {
            self.quantized(&over(Measures::Frontier20 { scaling: options.scaling }))?;
        }
        if has(Family::Curve) {
            let quantized = over(Measures::Curve { lambdas: options.lambdas.clone() });
            self.quantized(&quantized)?;
            self.curves.pr = Some(quantized.pr_curve()?);
        }
        if has(Family::Divergence) {
            self.quantized(&over(Measures::Divergence))?;
        }
        if has(Family::Extra) {
            self.quantized_last(&over(Measures::Further))?;
        }
        if has(Family::Ratio) || has(Family::Extra) {
            match ratio(clouds, &clustering, &self.draws)? {
                Some(Ratio { metrics, curves, scores }) => {
                    if has(Family::Ratio) {
                        self.late = metrics;
                        self.curves.pr_by = curves;
                    }
                    if has(Family::Extra) {
                        self.of_ratios(&scores);
                    }
                }
                None => self.warnings.push(warnings::undefined(
                    &["auc", "c2st_accuracy", "tv_lower_bound", "inception_score"],
                    "a classifier that is fitted in folds needs at least 5 rows of each side",
                )),
            }
        }
        Ok(())
    }

    fn quantized(&mut self, quantized: &Quantized) -> Result<(), ScoreError> {
        let values = quantized.values()?;
        let readings = quantized.readings(&self.draws);
        let names = quantized.measures.names();
        estimate::append(&mut self.metrics, &names, &values, &readings, self.sizes);
        Ok(())
    }

    /// As [`Self::quantized`], for the end of the table.
    fn quantized_last(&mut self, quantized: &Quantized) -> Result<(), ScoreError> {
        let front = std::mem::replace(&mut self.metrics, std::mem::take(&mut self.last));
        let result = self.quantized(quantized);
        self.last = std::mem::replace(&mut self.metrics, front);
        result
    }

    /// Bounds and frontiers from the ratios of classifiers, for the end of the table.
    fn of_ratios(&mut self, scores: &[(&'static str, crate::metric::ratio::Scores)]) {
        for (i, (name, scores)) in scores.iter().enumerate() {
            let (named, readings) =
                extra::of_ratios(scores, name, i == 0, self.options, &self.draws);
            let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
            let values: Vec<f64> = named.iter().map(|&(_, value)| value).collect();
            estimate::append(&mut self.last, &names, &values, &readings, self.sizes);
        }
    }

    /// TopP&R and realism, and at the end what was measured with the clusters.
    fn extra(&mut self) -> Result<(), ScoreError> {
        // The ratio family stands before.
        self.metrics.extend(std::mem::take(&mut self.late));
        self.group(Group::Extra)?;
        self.metrics.extend(std::mem::take(&mut self.last));
        Ok(())
    }

    fn moments(&mut self) -> Result<(), ScoreError> {
        self.group(Group::Moments)?;
        let permutations = self.options.permutations.min(KERNEL_PERMUTATIONS);
        if permutations > 0
            && let Some(kernel) = self.metrics.get_mut("kernel_distance")
            && !kernel.value.is_nan()
        {
            kernel.p_value = Some(kernel_test(self.clouds, permutations, self.options.seed)?);
        }
        Ok(())
    }

    fn diversity(&mut self) -> Result<(), ScoreError> {
        self.group(Group::Diversity)?;
        let own = self.metrics["vendi_score_reference"].value;
        if self.sizes.n == self.sizes.m && own.is_finite() {
            self.metrics["vendi_score"].ceiling = Some(own);
        }
        if self.options.metrics.has(Family::Extra) {
            let orders = vendi(self.clouds.reference(), &VENDI_ORDERS)?;
            for (order, own) in VENDI_ORDERS.iter().zip(orders) {
                if let Some(estimate) = self.metrics.get_mut(&format!("vendi_score@{order}")) {
                    let same = self.sizes.n == self.sizes.m;
                    estimate.ceiling = Some(own).filter(|own| same && own.is_finite());
                }
            }
        }
        let prepared = self.prepared;
        let texts = prepared.texts.as_ref();
        if let Some(texts) = texts.filter(|texts| texts.model.tokens.len() == self.sizes.m) {
            let (named, readings) = words::measures(texts, &self.draws);
            self.append(&named, &readings);
            if self.options.metrics.has(Family::Extra)
                && let Some((used, estimate)) = words::ngram_vendi(texts, &self.draws)?
            {
                self.metrics.insert("ngram_vendi".to_owned(), estimate);
                self.facts.push(("ngram-vendi-texts", used.to_string()));
            }
            self.warnings.extend(words::warn(texts));
        }
        Ok(())
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
        self.metrics.extend(std::mem::take(&mut self.late));
        self.warnings.extend(warnings::too_few(self.sizes.n, self.sizes.m));
        // Of rows, draws are made however many there are.
        let rows = self.clouds.sides().map(|rows| rows.rows() as u64);
        self.warnings.extend(warnings::of_draws(rows, u64::MAX, self.options));
        if Parts::of(self.sizes.n, self.sizes.m).is_none() {
            self.warnings.push(warnings::no_ceiling(self.sizes.n));
        }
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
        let signature = options
            .signature()
            .with("pca", pca)
            .with("k", options.k)
            .with("ties", ties)
            .with("n", format!("{}/{}", self.sizes.n, self.sizes.m));
        let facts = self.facts.iter();
        let signature = facts.fold(signature, |signature, (name, fact)| signature.with(name, fact));
        signature.with("seed", options.seed).to_string()
    }
}

/// How many subsamples of how many rows were drawn.
fn planned(group: Group, clouds: Clouds<'_>, options: &ScoreOptions) -> String {
    let (count, rows) = group.planned(clouds, options.resamples);
    if count == 0 { "0".to_owned() } else { format!("{count}x{rows}") }
}

/// The 99th percentile of radii over their median; 1 where the median is 0.
fn stretch(radii: impl Iterator<Item = f64>) -> f64 {
    let mut radii: Vec<f64> = radii.collect();
    radii.sort_by(f64::total_cmp);
    let at = |share: f64| radii[((radii.len() - 1) as f64 * share) as usize];
    match radii.is_empty() || at(0.5) == 0.0 {
        true => 1.0,
        false => at(0.99) / at(0.5),
    }
}
