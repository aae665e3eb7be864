//! A score from features.

use super::{
    Clusters, Family, Reduce, ScoreError, ScoreOptions, TextFacts,
    bounds::{self, OfKnn, OfLinear},
    cloud_rows::CloudRows,
    clusters::{Clustering, Purpose},
    copies,
    curve::{self, pr_curve},
    divergence,
    diversity::{self, Diversity},
    draws::{Draws, Parts},
    estimate::Sizes,
    extra::{self, Extra},
    family::{Measures, Rows, estimates, estimates_of, plan},
    frontier::{self, Frontier20, frontier_curve},
    growth::{growth, size_curve},
    histograms,
    inception::Inception,
    moments::{self, Moments},
    over_bins,
    prepare::{Prepared, check_texts, enough_rows, prepare},
    ratio::{self, Fitted, ToldApart, fitted},
    record::{Curves, Estimate, SCHEMA, Score, SetFacts, Warning},
    support::{self, Support},
    table::Table,
    warnings,
    words::{self, Tokens, Words},
};
use crate::{
    cloud::{Clouds, equal_rows::Distinct, neighbors::Ties, pca::Pca},
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
        stop,
    },
    math::quantile::median,
    metric::{
        inception::{INCEPTION_CONDITIONAL_ENTROPY, INCEPTION_ENTROPY, INCEPTION_SCORE},
        prdc::{Prdc, RECALL},
        ratio::{AUC, C2ST_ACCURACY, TV_LOWER_BOUND},
        spec::Spec,
    },
};

/// The score of the rows `model` (`Q`) against the rows `reference` (`P`).
///
/// Every measure of `options.metrics` is computed on the same clouds: drawn down to equal sizes, scaled
/// and reduced as `options` say; what none of them needs is left out. Beside its value stands
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
/// `O((n + m)² d)` for the values; subsamples are bounded by a budget of some seconds a family.
///
/// # Example
///
/// ```
/// use llmpr::{data::{matrix::Matrix, sides::Sides}, score::{ScoreOptions, score}};
/// let cloud = |at: f32| {
///     let values = (0..120).map(|i| at + (i * i % 37) as f32 / 37.0).collect();
///     Matrix::new(3, values).unwrap()
/// };
/// let (people, machine) = (cloud(0.0), cloud(0.2));
/// let options = ScoreOptions { resamples: 20, permutations: 99, ..ScoreOptions::default() };
/// let score = score(Sides { reference: &people, model: &machine }, None, None, &options)?;
/// assert!(score.metrics["precision"].value > 0.5);
/// # Ok::<(), llmpr::score::ScoreError>(())
/// ```
pub fn score(
    sets: Sides<&Matrix>,
    texts: Option<Sides<&TextFacts>>,
    pca: Option<&Pca>,
    options: &ScoreOptions,
) -> Result<Score, ScoreError> {
    match stop::watched() {
        // On a thread of the pool: from any other, each of some thousand parallel steps wakes one and waits for it.
        None => rayon::scope(|_| scored(sets, texts, pca, options)),
        // Only this thread knows when to stop.
        Some(_) => scored(sets, texts, pca, options),
    }
}

fn scored(
    sets: Sides<&Matrix>,
    texts: Option<Sides<&TextFacts>>,
    pca: Option<&Pca>,
    options: &ScoreOptions,
) -> Result<Score, ScoreError> {
    let raw = Clouds::new(sets)?;
    check_texts(raw, texts)?;
    check_asked(texts, options)?;
    let asks = |specs: &[&[&Spec]]| specs.iter().any(|specs| options.metrics.asks_any(specs));
    // The set that is too small is the one to name, before the other is drawn down to it.
    enough_rows(sets.map(Matrix::rows), options)?;
    let prepared = prepare(raw, texts, pca, options)?;
    let clouds = Clouds::new(prepared.clouds.as_ref())?;
    let mut build = Build::new(&prepared, clouds, options);
    if asks(&[support::SPECS]) {
        build.support()?;
    }
    if asks(&[frontier::SPECS, frontier::SMOOTHED]) {
        build.over_many_clusters()?;
    }
    let of_few = [frontier::OVER_20, curve::SPECS, divergence::SPECS, divergence::FURTHER];
    let of_classifiers = [ratio::SPECS, bounds::OF_LINEAR, bounds::OF_KNN];
    if asks(&of_few) || asks(&of_classifiers) {
        build.over_few_clusters()?;
    }
    if asks(&[moments::SPECS]) {
        build.add_of_clouds(&Moments::of(options))?;
    }
    if asks(&[diversity::SPECS]) {
        build.add_of_clouds(&Diversity::of(options))?;
    }
    if asks(&[words::SPECS, words::OF_NGRAMS]) {
        build.words()?;
    }
    if asks(&[extra::SPECS]) {
        build.add_of_clouds(&Extra::of(options))?;
    }
    Ok(build.finish(sets))
}

/// Checks that measures asked for by name are there under these settings.
fn check_asked(texts: Option<Sides<&TextFacts>>, options: &ScoreOptions) -> Result<(), ScoreError> {
    let of_texts = |spec: &&Spec| words::SPECS.contains(spec) || words::OF_NGRAMS.contains(spec);
    if texts.is_none_or(|texts| texts.model.tokens.is_empty())
        && let Some(spec) = options.metrics.by_name().find(of_texts)
    {
        return Err(ScoreError::NotOfFeatures { name: spec.name });
    }
    if let (Clusters::Fixed(clusters), Some(name)) = (options.clusters, options.metrics.over_20()) {
        return Err(ScoreError::NotOver20 { name, clusters });
    }
    Ok(())
}

/// A score while it is being made.
struct Build<'a> {
    prepared: &'a Prepared,
    clouds: Clouds<'a>,
    options: &'a ScoreOptions,
    draws: Draws<'a>,
    sizes: Sizes,
    distinct: Sides<Distinct>,
    table: Table,
    curves: Curves,
    warnings: Vec<Warning>,
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
            table: Table::default(),
            curves: Curves::default(),
            warnings: prepared.warnings.clone(),
            facts: Vec::new(),
        }
    }

    fn add<R: Rows, M: Measures<R> + ?Sized>(
        &mut self,
        measures: &M,
        rows: &R,
    ) -> Result<(), ScoreError> {
        self.table.extend(estimates(measures, rows, &self.draws, self.sizes)?);
        Ok(())
    }

    fn add_of_clouds<M: Measures<CloudRows<'a>>>(
        &mut self,
        measures: &M,
    ) -> Result<(), ScoreError> {
        self.add(measures, &CloudRows::of(self.clouds))
    }

    fn support(&mut self) -> Result<(), ScoreError> {
        let (options, rows) = (self.options, CloudRows::of(self.clouds));
        let measures = Support::of(options);
        // Only ceilings are drawn from the reference alone.
        let both = (options.resamples > 0 || options.permutations > 0)
            .then(|| self.clouds.reference().stack(self.clouds.model()));
        let drawn = both.as_ref().unwrap_or(self.clouds.reference());
        let nearby = match both.is_some() || measures.has_ceilings_of_halves() {
            true => Some(measures.nearby(drawn, rows.sizes())?),
            false => None,
        };
        let measures = nearby.as_ref().map_or(measures, |nearby| measures.with(nearby));
        // Curves come with the whole family.
        let whole = match options.metrics.has(Family::Support) {
            true => Some(measures.whole(self.clouds)?),
            false => None,
        };
        let found = match &whole {
            Some(whole) => whole.into(),
            None => measures.some(self.clouds)?,
        };
        let (values, measures) = (Support::named(&found), measures.knowing(&found));
        self.table.extend(estimates_of(&measures, &values, &rows, &self.draws, self.sizes)?);
        let (count, at) = plan(&measures, rows.sizes(), rows.dim(), options.resamples);
        let planned = match count {
            0 => "0".to_owned(),
            _ => format!("{count}x{}", at.reference.size),
        };
        self.facts.push(("resamples", planned));
        if let Some(whole) = &whole {
            let in_ball: Vec<usize> =
                whole.reference.iter().map(|row| row.covered_by as usize).collect();
            self.curves.growth = Some(growth(&in_ball, self.sizes.m));
            self.curves.by_size =
                Some(size_curve(self.clouds, &whole.prdc[0], options, &self.draws));
        }
        if let (Some(prdc), Some(radii)) = (&found.prdc, found.radii) {
            self.warn_of_balls(prdc, radii)?;
        }
        Ok(())
    }

    /// Where radii and copies mislead measures by balls.
    fn warn_of_balls(&mut self, prdc: &Prdc, radii: Sides<Vec<f64>>) -> Result<(), ScoreError> {
        let medians = radii.as_ref().map(|radii| median(radii.clone()));
        let ratio = if medians.reference > 0.0 { medians.model / medians.reference } else { 1.0 };
        let shared = copies::shared(self.clouds);
        if let Some(recall) = self.table.get(&RECALL)
            && self.options.metrics.asks(&RECALL)
        {
            let Estimate { value, ceiling, .. } = *recall;
            self.warnings.extend(warnings::over_dispersion(value, ceiling, ratio, shared));
        }
        self.warnings.extend(warnings::outliers(radii.map(stretch)));
        let distinct = self.distinct.as_ref();
        self.warnings.extend(copies::warn(self.clouds, distinct, (prdc, shared), self.options)?);
        Ok(())
    }

    /// The families over as many clusters as MAUVE takes.
    fn over_many_clusters(&mut self) -> Result<(), ScoreError> {
        let options = self.options;
        let clustering = Clustering::of(self.clouds, Purpose::Frontier, options)?;
        self.add_over(&clustering, Purpose::Frontier)?;
        if options.metrics.has(Family::Frontier) {
            let curve = frontier_curve(&clustering.partitions, options.scaling)?;
            self.curves.frontier = Some(curve);
        }
        self.facts.push(("c", options.scaling.to_string()));
        self.facts.push(("mauve-clusters", clustering.fact()));
        Ok(())
    }

    /// The families over few clusters: those of divergences have the least bias.
    fn over_few_clusters(&mut self) -> Result<(), ScoreError> {
        let options = self.options;
        let asks = |specs: &[&Spec]| options.metrics.asks_any(specs);
        let clustering = Clustering::of(self.clouds, Purpose::Curve, options)?;
        self.facts.push(("clusters", clustering.fact()));
        if asks(frontier::OVER_20) && options.clusters == Clusters::Auto {
            self.add(&Frontier20 { scaling: options.scaling }, &clustering.partitions)?;
        }
        self.add_over(&clustering, Purpose::Curve)?;
        if options.metrics.has(Family::Curve) {
            self.curves.pr = Some(pr_curve(&clustering.partitions)?);
        }
        if asks(ratio::SPECS) || asks(bounds::OF_LINEAR) || asks(bounds::OF_KNN) {
            self.ratios(&clustering)?;
        }
        Ok(())
    }

    fn add_over(&mut self, clustering: &Clustering, purpose: Purpose) -> Result<(), ScoreError> {
        for (of, measures) in over_bins::asked(self.options) {
            if of == purpose {
                self.add(measures.as_ref(), &clustering.partitions)?;
            }
        }
        Ok(())
    }

    /// What classifiers see, and the inception score over the same clusters.
    fn ratios(&mut self, clustering: &Clustering) -> Result<(), ScoreError> {
        let (options, scaling) = (self.options, self.options.scaling);
        let asks = |specs: &[&'static Spec]| options.metrics.asks_any(specs);
        let Some(Fitted { linear, knn, curves }) = fitted(self.clouds, &self.draws, options)?
        else {
            let undefined = [&AUC, &C2ST_ACCURACY, &TV_LOWER_BOUND, &INCEPTION_SCORE];
            self.warnings.push(warnings::undefined(
                &undefined.map(|spec| spec.name),
                "a classifier that is fitted in folds needs at least 5 rows of each side",
            ));
            return Ok(());
        };
        if let Some(linear) = linear.as_ref().filter(|_| asks(ToldApart.specs())) {
            self.add(&ToldApart, linear)?;
        }
        if asks(&[&INCEPTION_SCORE, &INCEPTION_ENTROPY, &INCEPTION_CONDITIONAL_ENTROPY]) {
            let pooled = self.sizes.n + self.sizes.m;
            let members = self.clouds.sides().map(|rows| clustering.memberships(rows, pooled));
            self.add(&Inception { reference: &members.reference }, &members.model)?;
        }
        if options.metrics.has(Family::Ratio) {
            self.curves.pr_by = curves;
        }
        if let Some(linear) = linear.as_ref().filter(|_| asks(bounds::OF_LINEAR)) {
            self.add(&OfLinear { scaling }, linear)?;
        }
        if let Some(knn) = knn.as_ref().filter(|_| asks(bounds::OF_KNN)) {
            self.add(&OfKnn { scaling }, knn)?;
        }
        Ok(())
    }

    /// Measures of the texts themselves, where there are texts.
    fn words(&mut self) -> Result<(), ScoreError> {
        let asked = &self.options.metrics;
        let texts = self.prepared.texts.as_ref();
        let Some(texts) = texts.filter(|texts| texts.model.tokens.len() == self.sizes.m) else {
            return Ok(());
        };
        if asked.asks_any(words::SPECS) {
            let words = Words { asked, reference: &texts.reference.tokens };
            self.add(&words, &Tokens(texts.model.tokens.as_slice().into()))?;
        }
        if asked.asks_any(words::OF_NGRAMS)
            && let Some((used, estimate)) = words::ngram_vendi(texts, &self.draws)?
        {
            self.table.extend([estimate]);
            self.facts.push(("ngram-vendi-texts", used.to_string()));
        }
        self.warnings.extend(words::warn(texts));
        Ok(())
    }

    fn finish(mut self, raw: Sides<&Matrix>) -> Score {
        let signature = self.signature(raw.reference);
        let metrics = self.table.metrics(&self.options.metrics);
        self.warnings.extend(warnings::too_few(self.sizes.n, self.sizes.m));
        // Of rows, draws are made however many there are.
        let rows = self.clouds.sides().map(|rows| rows.rows() as u64);
        self.warnings.extend(warnings::of_draws(rows, u64::MAX, self.options));
        if Parts::of(self.sizes.n, self.sizes.m).is_none() {
            self.warnings.push(warnings::no_ceiling(self.sizes.n));
        }
        self.warnings.extend(histograms::of_values(&metrics, self.options.scaling));
        let undefined: Vec<&str> = metrics
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
        Score {
            schema: SCHEMA.to_owned(),
            signature,
            reference: facts(Side::Reference),
            samples: facts(Side::Model),
            pca: self.prepared.pca.clone(),
            metrics,
            curves: self.curves,
            warnings: self.warnings,
        }
    }

    fn signature(&self, reference: &Matrix) -> String {
        let options = self.options;
        let components = self.prepared.pca.as_ref().map(|pca| pca.components);
        let pca = match (options.pca, components) {
            (Reduce::None, None) => "none".to_owned(),
            // Rows without a direction are not reduced.
            (Reduce::Share(share), kept) => format!("{share}({})", kept.unwrap_or(0)),
            (Reduce::Components(_) | Reduce::None, kept) => kept.unwrap_or(0).to_string(),
        };
        let ties = match options.ties {
            Ties::Strict => "strict",
            Ties::Inclusive => "inclusive",
        };
        let signature = options
            .signature(|| reference.content())
            .with("pca", pca)
            .with("k", options.k)
            .with("ties", ties)
            .with("n", format!("{}/{}", self.sizes.n, self.sizes.m));
        let facts = self.facts.iter();
        let signature = facts.fold(signature, |signature, (name, fact)| signature.with(name, fact));
        signature.with("seed", options.seed).to_string()
    }
}

/// The 99th percentile of radii over their median; 1 where the median is 0.
fn stretch(mut radii: Vec<f64>) -> f64 {
    radii.sort_by(f64::total_cmp);
    let at = |share: f64| radii[((radii.len() - 1) as f64 * share) as usize];
    match radii.is_empty() || at(0.5) == 0.0 {
        true => 1.0,
        false => at(0.99) / at(0.5),
    }
}
